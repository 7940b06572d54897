"""What messages go out from, and on which channel. Pure."""

import enum
from dataclasses import dataclass
from datetime import datetime

from chassis.errors import Kind, ServiceError, invalid


class Channel(enum.StrEnum):
    """Where a message goes; a picture on SMS goes as MMS."""

    SMS = "SMS"
    EMAIL = "EMAIL"
    WHATSAPP = "WHATSAPP"

    @property
    def takes_phones(self) -> bool:
        """Return whether its addresses are phone numbers; both channels of a number are the same person's."""
        return self is not Channel.EMAIL


PHONE_CHANNELS = (Channel.SMS, Channel.WHATSAPP)


def channels_of(address: str) -> tuple[Channel, ...]:
    """Return the channels by which a number, or an e-mail address, can be reached."""
    return (Channel.EMAIL,) if "@" in address else PHONE_CHANNELS


class SenderState(enum.StrEnum):
    """Whether anything goes out from a sender."""

    ACTIVE = "ACTIVE"
    STOPPED = "STOPPED"


def plain_email(address: str) -> str:
    """Return an e-mail address as permissions and conversations know it: no mail server minds the case."""
    return address.strip().lower()


@dataclass(frozen=True)
class Sender:
    """A store's number on a channel, or its e-mail address. `segments_per_second` is what the carrier lets it send."""

    sender_id: str
    store_id: str
    phone: str
    display_name: str
    created_at: datetime
    channel: Channel = Channel.SMS
    brand_registration_id: str = ""
    messaging_service_id: str = ""
    segments_per_second: float = 1.0
    state: SenderState = SenderState.ACTIVE
    stop_reason: str = ""


class PhoneInvalid(ServiceError):
    """The number is not one that a phone can have."""

    def __init__(self, field_name: str) -> None:
        error = invalid(field_name, "is not a phone number", reason="PHONE_INVALID")
        super().__init__(error.kind, error.reason, error.message, violations=error.violations)


class SenderPhoneTaken(ServiceError):
    """A number belongs to one store in the world."""

    def __init__(self) -> None:
        super().__init__(Kind.ALREADY_EXISTS, "SENDER_PHONE_TAKEN", "This number is a sender already.")


class SenderNotFound(ServiceError):
    """Nobody in the chain has the number that was written to."""

    def __init__(self) -> None:
        super().__init__(Kind.NOT_FOUND, "SENDER_NOT_FOUND", "No store of yours has this number.")


class SenderMissing(ServiceError):
    """The store has no number to write from."""

    def __init__(self, store_id: str) -> None:
        super().__init__(
            Kind.PRECONDITION, "SENDER_MISSING", "This store has no number to text from yet.",
            metadata={"store_id": store_id},
        )  # fmt: skip
