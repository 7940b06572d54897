"""The carriers, one module each, behind one Protocol. Must not decide whether a text may go out."""

import enum
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol

from messaging.domain import Channel, ProviderTemplate, Purpose

__all__ = [
    "Accepted",
    "Carrier",
    "Found",
    "InboundIntake",
    "InboundText",
    "Picture",
    "ProviderTemplate",
    "Receipt",
    "ReceiptIntake",
    "Refused",
    "Status",
    "Text",
    "Unconfirmable",
]


@dataclass(frozen=True)
class Picture:
    """A picture of a text: where the network can fetch it, for as long as the address is good."""

    media_id: str
    url: str = field(repr=False)
    content_type: str


@dataclass(frozen=True)
class Text:
    """One text for the network. `reference` is ours: a network takes one text per reference and can be asked by it.

    `from_phone` and `to_phone` are e-mail addresses on EMAIL. `attempted_at` is when this attempt began. What is sent
    to many carries a way out of `purpose`, where the channel has none of its own.
    """

    chain_id: str
    reference: str
    from_phone: str = field(repr=False)
    to_phone: str = field(repr=False)
    body: str = field(repr=False)
    channel: Channel = Channel.SMS
    subject: str = field(default="", repr=False)
    pictures: tuple[Picture, ...] = ()
    template: ProviderTemplate | None = None
    messaging_service_id: str = ""
    sender_name: str = ""
    attempted_at: datetime | None = None
    purpose: Purpose | None = None
    conversation_id: str = ""
    is_for_many: bool = False


@dataclass(frozen=True)
class Accepted:
    """The carrier took it."""

    provider_message_id: str
    segments: int


@dataclass(frozen=True)
class Refused:
    """The carrier said no and did not take it; `code` as in `codes`."""

    code: str


class Status(enum.StrEnum):
    """What a carrier says about a text that it took."""

    SENT = "SENT"
    DELIVERED = "DELIVERED"
    FAILED = "FAILED"


@dataclass(frozen=True)
class Receipt:
    """One such word. They come in any order, late, and more than once."""

    chain_id: str
    reference: str
    provider_message_id: str
    status: Status
    error_code: str = ""


@dataclass(frozen=True)
class Found:
    """What the carrier knows of a text that it was asked for."""

    accepted: Accepted
    status: Status
    error_code: str = ""


@dataclass(frozen=True)
class InboundText:
    """A text from outside, as the network handed it in."""

    chain_id: str
    provider: str
    provider_message_id: str
    from_phone: str = field(repr=False)
    to_phone: str = field(repr=False)
    body: str = field(repr=False)
    channel: Channel = Channel.SMS
    # Where the network keeps its pictures, with their types as it says them.
    media: tuple[tuple[str, str], ...] = field(default=(), repr=False)


ReceiptIntake = Callable[[Receipt], Awaitable[None]]
InboundIntake = Callable[[InboundText], Awaitable[None]]


@dataclass(frozen=True)
class Unconfirmable:
    """The network cannot be asked: nobody will know, unless it says something by itself. It is not sent again."""


class Carrier(Protocol):
    """A phone network, or a mail server."""

    async def send(self, text: Text) -> Accepted | Refused:
        """Hand one text over. Any exception means that nobody knows whether the network has it."""
        ...

    async def find(self, text: Text) -> Found | Unconfirmable | None:
        """Say what became of an attempt to send a text; None when the network never took it."""
        ...


class MediaNotThere(Exception):
    """The network does not have the picture, or leads elsewhere for it: asking again is of no use."""


class MediaSource(Protocol):
    """Where a network keeps pictures. Any other exception than MediaNotThere means: later, perhaps."""

    def open_media(self, chain_id: str, url: str) -> AbstractAsyncContextManager[AsyncIterator[bytes]]:
        """Open a picture and give its bytes as they come. Raises MediaNotThere."""
        ...
