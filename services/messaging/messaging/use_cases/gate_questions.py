"""Collect what the gate must know about one message, and ask it."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime

from chassis.database import Transaction
from messaging import gate, places
from messaging.domain import Decision, Purpose, Sender
from messaging.store import messages, permissions
from messaging.suppression import Suppressor


@dataclass(frozen=True)
class Outgoing:
    """One message that is to go out, as far as the gate asks about it.

    `phone` is an e-mail address on EMAIL; the channel is the sender's. `body` is None while it is not written.
    `position` is that of a stored message, which is asked about again when it is sent.
    """

    sender: Sender
    phone: str = field(repr=False)
    client_zone: str
    purpose: Purpose
    body: str | None = field(repr=False)
    author: str = ""
    campaign_id: str = ""
    has_media: bool = False
    has_provider_template: bool = False
    segments: int = 1
    position: int | None = None


async def ask_gate(tx: Transaction, outgoing: Outgoing, *, suppressor: Suppressor, now: datetime) -> Decision:
    """Return the gate's decision about one message; the caller has locked the number when it is to go out."""
    return (await ask_gates(tx, [outgoing], suppressor=suppressor, now=now))[0]


async def ask_gates(
    tx: Transaction, asked: Sequence[Outgoing], *, suppressor: Suppressor, now: datetime
) -> list[Decision]:
    """Return the gate's decision about each message. Each kind of fact is read for all of them in one statement: the
    courier asks about a hundred at once, many times a second."""
    before = await messages.before_each(
        tx, [(one.sender.sender_id, one.phone, one.position) for one in asked]
    )
    standing = await permissions.deciding_each(tx, [(one.phone, one.purpose) for one in asked], suppressor)
    dead = await permissions.dead_among(tx, [one.phone for one in asked])
    return [
        gate.decide(
            gate.Question(
                purpose=one.purpose,
                now=now,
                standing=None if decides is None else decides.change,
                hours=places.hours_for(one.purpose, one.client_zone, one.phone),
                sender_name=one.sender.display_name,
                last_inbound_at=past.last_inbound_at,
                is_dead_number=one.phone in dead,
                is_first_message=past.is_first,
                body=one.body,
            )
        )
        for one, past, decides in zip(asked, before, standing, strict=True)
    ]
