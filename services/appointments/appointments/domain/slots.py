"""Free slots of a day: pure arithmetic over hours, resources and what is booked. Must not know how it is stored."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta

from appointments.domain.hours import Interval, StoreHours
from appointments.domain.resources import Resource, ResourceKind


@dataclass(frozen=True)
class FreeSlot:
    """A time that can be booked, and with whom and where; ids in the resources' order."""

    time: Interval
    associate_resource_ids: tuple[str, ...]
    room_resource_ids: tuple[str, ...]


def is_past(start: datetime, now: datetime) -> bool:
    """Return whether a viewing can no longer begin then."""
    return start < now


def starts_on(hours: StoreHours, day: date, *, length: timedelta, grid: timedelta) -> list[datetime]:
    """Return when a viewing of `length` may begin on a day: every `grid` from each opening on, if it ends in time."""
    around = hours.open_around(day)
    starts: set[datetime] = set()
    for interval in hours.open_on(day):
        start = interval.start
        while start < interval.end:
            if any(stretch.holds(Interval(start, start + length)) for stretch in around):
                starts.add(start)
            start += grid
    return sorted(starts)


def free_slots(
    starts: Iterable[datetime],
    *,
    length: timedelta,
    buffer: timedelta,
    resources: Sequence[Resource],
    booked: Mapping[str, Sequence[Interval]],
    associate_resource_id: str,
    now: datetime,
) -> list[FreeSlot]:
    """Return the starts at which an associate (the asked one, or any) and, if the store has rooms, a room are free.

    `booked` holds what is taken per resource, buffers included.
    """
    has_rooms = any(resource.kind is ResourceKind.ROOM for resource in resources)
    slots: list[FreeSlot] = []
    for start in starts:
        if is_past(start, now):
            continue
        taken = Interval(start, start + length + buffer)
        free = [
            resource
            for resource in resources
            if not any(taken.overlaps(interval) for interval in booked.get(resource.resource_id, ()))
        ]
        associates = tuple(
            resource.resource_id
            for resource in free
            if resource.kind is ResourceKind.ASSOCIATE and associate_resource_id in ("", resource.resource_id)
        )
        rooms = tuple(resource.resource_id for resource in free if resource.kind is ResourceKind.ROOM)
        if associates and (rooms or not has_rooms):
            slots.append(FreeSlot(Interval(start, start + length), associates, rooms))
    return slots
