"""Collect what the gate must know about one message, and ask it."""

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
    sender, phone = outgoing.sender, outgoing.phone
    conversation_id, last_inbound_at = await messages.last_inbound_at(tx, sender.sender_id, phone)
    decides = await permissions.deciding(tx, phone, outgoing.purpose, suppressor)
    return gate.decide(
        gate.Question(
            purpose=outgoing.purpose,
            now=now,
            standing=None if decides is None else decides.change,
            hours=places.hours_for(outgoing.purpose, outgoing.client_zone, phone),
            sender_name=sender.display_name,
            last_inbound_at=last_inbound_at,
            is_dead_number=await permissions.is_dead(tx, phone),
            is_first_message=await messages.is_first(tx, conversation_id, outgoing.position),
            body=outgoing.body,
        )
    )
