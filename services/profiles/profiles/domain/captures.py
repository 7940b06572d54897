"""Capturing a walk-in: which client it is, and what must be there."""

from collections.abc import Sequence

from chassis.errors import Kind, ServiceError, Violation, invalid
from profiles.domain.clients import Client
from profiles.domain.consents import Channel


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


def require_somebody(*, client_id: str, given_name: str, family_name: str, phone: str, email: str) -> None:
    """Refuse a capture that does not say who came in."""
    if not any(value.strip() for value in (client_id, given_name, family_name, phone, email)):
        raise CaptureEmpty


def require_contact_for(channel: Channel, *, phone: str, email: str) -> None:
    """Refuse a consent for a channel that the capture has no contact for."""
    field, value = ("phone", phone) if channel is Channel.SMS else ("email", email)
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
