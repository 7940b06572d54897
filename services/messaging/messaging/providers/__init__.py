"""The carriers, one module each, behind one Protocol. Must not decide whether a text may go out."""

import enum
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Protocol


@dataclass(frozen=True)
class Text:
    """One text for the network. `reference` is ours: a network takes one text per reference and can be asked by it."""

    chain_id: str
    reference: str
    from_phone: str = field(repr=False)
    to_phone: str = field(repr=False)
    body: str = field(repr=False)


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


ReceiptIntake = Callable[[Receipt], Awaitable[None]]
InboundIntake = Callable[[InboundText], Awaitable[None]]


class Carrier(Protocol):
    """A phone network."""

    async def send(self, text: Text) -> Accepted | Refused:
        """Hand one text over. Any exception means that nobody knows whether the network has it."""
        ...

    async def find_by_reference(self, chain_id: str, reference: str) -> Found | None:
        """Say what became of a text; None when the network never took it."""
        ...
