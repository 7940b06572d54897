"""Collect what the gate must know about one message, and ask it."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from chassis.database import Transaction
from messaging import gate, places
from messaging.domain import ChainSettings, Change, Decision, Purpose, Sender, SenderState
from messaging.domain.pacing import BrandRegistration
from messaging.store import gate_facts
from messaging.store.settings import get_settings
from messaging.suppression import Suppressor

# Who writes the text that asks for a YES; no caller can have this name.
OPT_IN = "system:opt_in"


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
    client_id: str = ""


async def ask_gate(tx: Transaction, outgoing: Outgoing, *, suppressor: Suppressor, now: datetime) -> Decision:
    """Return the gate's decision about one message; the caller has locked the number when it is to go out."""
    return (await ask_gates(tx, [outgoing], suppressor=suppressor, now=now))[0]


async def ask_gates(
    tx: Transaction, asked: Sequence[Outgoing], *, suppressor: Suppressor, now: datetime
) -> list[Decision]:
    """Return the gate's decision about each message. All facts are read for all of them in one statement, the chain's
    rules in another: the courier asks about a hundred at once, many times a second.

    What one of them does to another, such as filling a frequency cap, is not seen: that is the caller's.
    """
    if not asked:
        return []
    settings = await get_settings(tx)
    facts = await gate_facts.gather(
        tx,
        [
            gate_facts.Asked(
                sender_id=one.sender.sender_id,
                phone=one.phone,
                channel=one.sender.channel,
                purpose=one.purpose,
                author=one.author,
                client_id=one.client_id,
                campaign_id=one.campaign_id,
                position=one.position,
                brand_registration_id=one.sender.brand_registration_id,
            )
            for one in asked
        ],
        suppressor=suppressor,
        caps=settings.frequency_caps,
        collision_hours=settings.collision_hours,
        asks_for_confirmation=any(one.author == OPT_IN for one in asked),
        now=now,
    )
    return [
        gate.decide(_question(one, known, settings, now)) for one, known in zip(asked, facts, strict=True)
    ]


def _question(
    one: Outgoing, facts: gate_facts.Facts, settings: ChainSettings, now: datetime
) -> gate.Question:
    purpose = one.purpose
    return gate.Question(
        purpose=purpose,
        now=now,
        standing=_unless_stale(facts.standing, facts.standing_since, now),
        hours=places.hours_for(purpose, one.client_zone, one.phone, settings.own_hours(purpose)),
        sender_name=one.sender.display_name,
        last_inbound_at=facts.last_inbound_at,
        is_dead_number=facts.is_dead,
        is_first_message=facts.is_first,
        body=one.body,
        channel=one.sender.channel,
        segments=one.segments,
        has_provider_template=one.has_provider_template,
        asks_for_confirmation=one.author == OPT_IN,
        marketing_standing=_unless_stale(facts.marketing_standing, facts.marketing_since, now),
        is_erased=facts.is_erased,
        is_sender_stopped=one.sender.state is SenderState.STOPPED,
        is_campaign_paused=facts.is_campaign_paused,
        talk=None
        if facts.talk is None
        else gate.Talk(*facts.talk, lasts_for=timedelta(hours=settings.collision_hours)),
        is_assignee=facts.is_assignee,
        caps_reached=[
            gate.Reached(cap.most, cap.days, oldest + timedelta(days=cap.days))
            for cap, oldest in facts.caps_reached
        ],
        brand_day=_brand_day(one, facts.brand, now),
        forbidden_phrases=settings.forbidden_phrases,
    )


def _unless_stale(standing: Change | None, since: datetime | None, now: datetime) -> Change | None:
    """Return what counts: a consent that nobody confirmed for so long is none."""
    is_stale = standing is Change.REQUESTED and since is not None and now - since > gate.CONFIRMABLE_FOR
    return None if is_stale else standing


def _brand_day(one: Outgoing, brand: gate_facts.BrandFact | None, now: datetime) -> gate.BrandDay | None:
    """Return what is left of the brand's day. One that is stored already has its turn given by the courier."""
    if brand is None or one.position is not None:
        return None
    registration = BrandRegistration(
        brand_registration_id=one.sender.brand_registration_id,
        display_name="",
        provider_registration_id="",
        segments_per_day=brand.segments_per_day,
        time_zone=brand.time_zone,
        created_at=now,
    )
    used = brand.segments_by_day.get(registration.day_of(now), 0)
    reserve = 0 if one.purpose is Purpose.CONVERSATIONAL else registration.reserve
    return gate.BrandDay(registration.segments_per_day - reserve - used, registration.next_day(now))
