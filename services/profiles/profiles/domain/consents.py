"""What a client agreed to. Never changed afterwards."""

import enum
from dataclasses import dataclass
from datetime import datetime

from chassis.errors import Kind, ServiceError, Violation
from profiles.domain.clients import ContactKind


class Channel(enum.StrEnum):
    """How a client agreed to be reached."""

    SMS = "sms"
    EMAIL = "email"
    WHATSAPP = "whatsapp"


class Purpose(enum.StrEnum):
    """What for."""

    CONVERSATIONAL = "conversational"
    SERVICE = "service"
    MARKETING = "marketing"


CONTACT_OF = {
    Channel.SMS: ContactKind.PHONE,
    Channel.EMAIL: ContactKind.EMAIL,
    Channel.WHATSAPP: ContactKind.PHONE,
}

_CHANNEL_WORDS = {Channel.SMS: "texts", Channel.EMAIL: "e-mails", Channel.WHATSAPP: "WhatsApp messages"}
_PURPOSE_WORDS = {
    Purpose.CONVERSATIONAL: "personal messages",
    Purpose.SERVICE: "service news",
    Purpose.MARKETING: "offers",
}


@dataclass(frozen=True, slots=True)
class Consent:
    """An agreement with the exact wording; `contact_value` is the number or e-mail at the time."""

    consent_id: str
    client_id: str
    contact_point_id: str
    contact_value: str
    channel: Channel
    purposes: tuple[Purpose, ...]
    wording: str
    captured_by: str
    captured_at: datetime
    source: str


class ChannelMismatch(ServiceError):
    """A text cannot go to an e-mail address, nor the reverse."""

    def __init__(self, channel: Channel) -> None:
        super().__init__(
            Kind.INVALID,
            "CHANNEL_MISMATCH",
            f"channel: this contact point cannot be reached by {channel}",
            violations=[Violation("channel", "does not fit the contact point")],
        )


def require_fitting(channel: Channel, kind: ContactKind) -> None:
    """Refuse a channel that the contact point cannot be reached by."""
    if CONTACT_OF[channel] is not kind:
        raise ChannelMismatch(channel)


def consent_summary(consent: Consent) -> str:
    """Say a consent in one line."""
    purposes = ", ".join(_PURPOSE_WORDS[purpose] for purpose in consent.purposes)
    return f"Agreed to {_CHANNEL_WORDS[consent.channel]}: {purposes}"
