"""Capturing a walk-in: which client it is, and what must be there."""

from collections.abc import Sequence
from datetime import datetime, timedelta

from chassis.errors import Kind, ServiceError, Violation, invalid
from profiles.domain.clients import Client, ContactPoint
from profiles.domain.consents import Channel
from profiles.domain.duplicates import CAPTURE_SCORE, Features, Reason, score

CLOCKS_APART = timedelta(minutes=10)  # by which a phone on the floor may be ahead of us
# How long request ids are remembered: what is older could be captured twice.
LONGEST_OFFLINE = timedelta(days=30)
MOST_LIKELY = 10  # clients whom a refusal names


class CaptureEmpty(ServiceError):
    """Nothing in the call says who came in."""

    def __init__(self) -> None:
        description = "give a name, a phone number, an e-mail or a client_id"
        super().__init__(
            Kind.INVALID,
            "CAPTURE_EMPTY",
            f"Nothing says who came in: {description}.",
            violations=[Violation("given_name", description)],
        )


class ClientAmbiguous(ServiceError):
    """The number or e-mail belongs to several clients; metadata `client_ids` names them, separated by commas."""

    def __init__(self, client_ids: Sequence[str]) -> None:
        super().__init__(
            Kind.PRECONDITION,
            "CLIENT_AMBIGUOUS",
            "Several clients share this contact. Say which one it is with client_id.",
            metadata={"client_ids": ",".join(client_ids)},
        )


class ClientLikely(ServiceError):
    """Somebody who is likely known already; metadata `client_ids` names them, the likeliest first, with commas."""

    def __init__(self, client_ids: Sequence[str]) -> None:
        super().__init__(
            Kind.PRECONDITION,
            "CLIENT_LIKELY",
            "This may be a client who is known already. Say who it is with client_id, or set is_new_client.",
            metadata={"client_ids": ",".join(client_ids)},
        )


def require_time(visited_at: datetime, *, now: datetime) -> None:
    """Refuse a visit that lies ahead, and one so long ago that the phone's memory of it would be gone."""
    if visited_at > now + CLOCKS_APART:
        raise invalid("visit_time", "lies in the future")
    if visited_at < now - LONGEST_OFFLINE:
        raise invalid("visit_time", f"is more than {LONGEST_OFFLINE.days} days ago")


def phone_remarks(typed: str, number: str, country: str) -> tuple[str, ...]:
    """Say of a number without a country code which country's it was taken for."""
    if not number or typed.strip().startswith("+"):
        return ()
    return (f"The phone number names no country: read as one of {country}, {number}.",)


def require_uncrossed(matches: Sequence[Client], contacts: Sequence[ContactPoint]) -> None:
    """Refuse contacts that are those of two clients: the phone of one, the e-mail of another.

    No name decides that: whoever it is, one of the two contacts would come to a client whose it is not.
    """
    holders = [
        {client.client_id for client in matches if client.contact(contact.kind, contact.value)}
        for contact in contacts
    ]
    if len(holders) > 1 and all(holders) and not set.intersection(*holders):
        raise ClientAmbiguous([client.client_id for client in matches])


def likely(captured: Features, known: Sequence[Features]) -> list[str]:
    """Return those of some clients who may be the captured one, the likeliest first: from CAPTURE_SCORE on."""
    scores = {client.client_id: score(captured, client).value for client in known}
    found = sorted((-value, client_id) for client_id, value in scores.items() if value >= CAPTURE_SCORE)
    return [client_id for _, client_id in found[:MOST_LIKELY]]


def is_somebody_else(captured: Features, known: Features) -> bool:
    """Return whether the captured name is that of another person than the one whose number it is: of the family."""
    return any(weight.reason is Reason.DIFFERENT_GIVEN_NAME for weight in score(captured, known).weights)


def require_somebody(*, client_id: str, given_name: str, family_name: str, phone: str, email: str) -> None:
    """Refuse a capture that does not say who came in."""
    if not any(value.strip() for value in (client_id, given_name, family_name, phone, email)):
        raise CaptureEmpty


def require_contact_for(channel: Channel, *, phone: str, email: str) -> None:
    """Refuse a consent for a channel that the capture has no contact for."""
    field, value = ("email", email) if channel is Channel.EMAIL else ("phone", phone)
    if not value:
        raise invalid(field, "is needed for this consent", reason="CONSENT_CONTACT_MISSING")


def choose(matches: Sequence[tuple[Client, int]], full_name: str) -> Client | None:
    """Return the client who was meant, or None when nobody matches.

    `matches` are clients with the number of given contacts that are theirs. Who has all of them goes before who has
    one; of several an exact name (case and blanks apart) decides. Raises ClientAmbiguous when it does not.
    """
    if not matches:
        return None
    most = max(count for _, count in matches)
    best = [client for client, count in matches if count == most]
    if len(best) == 1:
        return best[0]
    wanted = plain_name(full_name)
    named = [c for c in best if wanted and plain_name(f"{c.given_name} {c.family_name}") == wanted]
    if len(named) == 1:
        return named[0]
    raise ClientAmbiguous([client.client_id for client in best])


def plain_name(name: str) -> str:
    """Return a name without what does not matter when two are compared."""
    return " ".join(name.casefold().split())
