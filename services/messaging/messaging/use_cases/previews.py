"""Show what a template becomes for a client, and what it would cost. Must not write anything."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from google.type.money_pb2 import Money

from chassis.caller import Caller
from messaging.domain import Channel, Decision, Purpose, SegmentPrice
from messaging.domain.templates import Filled, TemplateInvalid, TemplateText, check_text, fill, plain_language
from messaging.parts import Parts
from messaging.places import country_of
from messaging.segments import costly_characters, count_segments, is_gsm
from messaging.store import senders
from messaging.store.settings import get_settings
from messaging.use_cases.messages import Wanted, address_of, check_message
from messaging.use_cases.templates import facts_of, get_template, sender_facts

_NANOS = 1_000_000_000


@dataclass(frozen=True)
class Preview:
    """What would go out; segments and cost are none on channels that count no segments."""

    body: str = field(repr=False)
    subject: str = field(repr=False)
    language_code: str
    segments: int
    encoding: str
    costly_characters: Sequence[str]
    cost: Money | None
    missing: Sequence[str]
    decision: Decision


async def preview_template(
    parts: Parts,
    *,
    caller: Caller,
    template_id: str,
    text: TemplateText | None,
    purpose: Purpose | None,
    channel: Channel,
    client_id: str,
    store_id: str,
    values: Mapping[str, str],
    language_code: str,
    author: str,
) -> Preview:
    """Return what a saved template, or a text, becomes for a client. What has no value stands as it was written.

    Raises TEMPLATE_NOT_FOUND, TEMPLATE_INVALID for a text that could not be saved, and what profiles says.
    """
    chain_id = caller.chain_id
    recipient = await parts.profiles.get_recipient(chain_id, client_id)
    facts = await facts_of(parts.profiles, chain_id, recipient, store_id, author)
    async with parts.database.transaction(chain_id) as tx:
        if text is None:
            template = await get_template(tx, template_id)
            channel, purpose = template.channel, template.purpose
            text = template.text_for(language_code or recipient.language)
        elif wrong := check_text(text, channel=channel, place="text"):
            raise TemplateInvalid(wrong)
        sender = await senders.find_by_store(tx, store_id, channel)
        assert purpose is not None
        phone = await address_of(tx, recipient, channel, purpose, parts.suppressor)
        price = (await get_settings(tx)).price_of(country_of(phone or ""))
    if sender is not None:
        facts |= sender_facts(sender)
    filled = fill(text, facts, values)
    decision = await check_message(
        database=parts.database,
        clock=parts.clock,
        profiles=parts.profiles,
        suppressor=parts.suppressor,
        chain_id=chain_id,
        wanted=Wanted(
            purpose=purpose,
            client_id=client_id,
            store_id=store_id,
            channel=channel,
            body=filled.text.body,
            template_id=template_id,
        ),
        author=author,
    )
    return _preview(filled, channel=channel, price=price, decision=decision)


def _preview(filled: Filled, *, channel: Channel, price: SegmentPrice | None, decision: Decision) -> Preview:
    body, counts = filled.text.body, channel is Channel.SMS
    segments = count_segments(body) if counts else 0
    return Preview(
        body=body,
        subject=filled.text.subject,
        language_code=plain_language(filled.text.language_code),
        segments=segments,
        encoding=("GSM-7" if is_gsm(body) else "UCS-2") if counts else "",
        costly_characters=costly_characters(body) if counts else (),
        cost=_cost(price, segments) if counts and price else None,
        missing=filled.missing,
        decision=decision,
    )


def _cost(price: SegmentPrice, segments: int) -> Money:
    """Return what a text costs; a segment is a fraction of a cent, so this is finer than the currency's minor unit."""
    units, nanos = divmod(price.nanos * segments, _NANOS)
    return Money(currency_code=price.currency, units=units, nanos=nanos)
