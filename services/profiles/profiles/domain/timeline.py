"""One line a fact: what happened around a client, from all services."""

import enum
from dataclasses import dataclass
from datetime import date, datetime, time
from zoneinfo import ZoneInfo

from profiles.domain.surprises import NO_SURPRISE, Surprise


class TimelineKind(enum.StrEnum):
    """Where a line comes from."""

    PROFILE = "profile"
    PURCHASE = "purchase"
    VISIT = "visit"
    CONSENT = "consent"
    MESSAGE = "message"
    APPOINTMENT = "appointment"
    WAITLIST = "waitlist"
    REPAIR = "repair"
    WISH = "wish"
    NOTE = "note"
    RETURN = "return"


@dataclass(frozen=True, slots=True)
class Entry:
    """One line of a client's timeline; `summary` holds nobody's data but the client's own."""

    entry_id: str
    client_id: str
    kind: TimelineKind
    occurred_at: datetime
    summary: str
    subject_id: str
    surprise: Surprise = NO_SURPRISE


def entry_id_of(subject_id: str) -> str:
    """Return the id of the one line of an own record."""
    return f"tle_{subject_id}"


def came_into_book(
    entry_id: str, client_id: str, associate_id: str, display_name: str, *, moment: datetime
) -> Entry:
    """Return the line about a client who was given to another associate."""
    return Entry(
        entry_id,
        client_id,
        TimelineKind.PROFILE,
        moment,
        f"Came into the book of {display_name}",
        associate_id,
    )


def moment_of(day: date, time_zone: str, *, now: datetime) -> datetime:
    """Return when a record of which only the day is known stands on the timeline: noon there, but never after now."""
    noon = datetime.combine(day, time(12), ZoneInfo(time_zone))
    return min(noon, now)


def day_at(time_zone: str, *, now: datetime) -> date:
    """Return which day it is at a place."""
    return now.astimezone(ZoneInfo(time_zone)).date()


def said_time(moment: datetime, time_zone: str) -> str:
    """Say a moment as people at that place would, such as `Tue 10 Mar 2026, 12:00`."""
    there = moment.astimezone(ZoneInfo(time_zone))
    return f"{there:%a} {there.day} {there:%b %Y, %H:%M}"
