"""Take bulk sends, hold them back, let them go on, take them back, and see them through to their end."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from chassis.caller import Caller
from chassis.clock import Clock
from chassis.database import Database, RequestKey, Transaction
from chassis.errors import invalid, not_found
from chassis.ids import new_id
from messaging import events
from messaging.domain import Channel, Message, Purpose, SenderMissing, SenderState
from messaging.domain.bulk_sends import (
    OPT_OUT_RATE,
    BulkRecipient,
    BulkRecipientState,
    BulkSend,
    BulkSendState,
    Progress,
    PurposePersonal,
    check_recipients,
    check_times,
)
from messaging.domain.templates import LONGEST_BODY, Template, TemplateArchived
from messaging.segments import count_segments
from messaging.store import bulk_recipients, bulk_sends, campaigns, senders
from messaging.store.bulk_recipients import Outcome
from messaging.store.bulk_sends import Slice
from messaging.use_cases.media import attach
from messaging.use_cases.opt_outs import release_campaign
from messaging.use_cases.templates import get_template

SLICE = 100  # as many clients as profiles gives at once
# A writer who has not come back after so long is dead: its slice is somebody else's.
SLICE_LEASE = timedelta(seconds=60)
_FINISHING = timedelta(seconds=2)
_AGAIN = timedelta(seconds=5)
_LONGEST_PAUSE = timedelta(seconds=30)


@dataclass(frozen=True)
class Order:
    """What somebody wants to be sent to many."""

    display_name: str
    store_id: str
    purpose: Purpose
    channel: Channel
    body: str = field(repr=False)
    subject: str = field(repr=False)
    template_id: str
    media_ids: tuple[str, ...]
    recipients: Sequence[BulkRecipient] = field(repr=False)
    send_time: datetime | None
    expire_time: datetime | None
    campaign_id: str


@dataclass(frozen=True)
class Standing:
    """A bulk send as it stands."""

    bulk_send: BulkSend
    progress: Progress
    finish_estimate: datetime | None = None


async def create_bulk_send(
    *, database: Database, clock: Clock, chain_id: str, key: RequestKey, order: Order, author: str
) -> Standing:
    """Take a bulk send; who and what is frozen with it.

    Raises FIELD_INVALID, PURPOSE_PERSONAL, RECIPIENT_TWICE, SENDER_MISSING, TEMPLATE_NOT_FOUND, TEMPLATE_ARCHIVED, and
    what pictures are refused with.
    """
    now = clock.now()
    name = " ".join(order.display_name.split())
    if not name:
        raise invalid("display_name", "says nothing")
    if order.purpose is Purpose.CONVERSATIONAL:
        raise PurposePersonal
    if bool(order.body.strip()) == bool(order.template_id):
        raise invalid("body", "is needed, or a template_id, and not both")
    if len(order.body) > LONGEST_BODY[order.channel]:
        raise invalid("body", f"has more than {LONGEST_BODY[order.channel]} characters")
    check_recipients(order.recipients)
    async with database.transaction(chain_id) as tx:
        bulk_send_id, is_repeat = await tx.once(key, new_id("blk"))
        if is_repeat:
            return await _standing(tx, await get_bulk_send(tx, bulk_send_id), now)
        begins, ends = check_times(order.send_time, order.expire_time, now=now)
        if await senders.find_by_store(tx, order.store_id, order.channel) is None:
            raise SenderMissing(order.store_id)
        template = await _frozen_template(tx, order)
        _require_subject(order, template)
        bulk_send = BulkSend(
            bulk_send_id=bulk_send_id,
            display_name=name,
            store_id=order.store_id,
            purpose=order.purpose,
            channel=order.channel,
            body=order.body,
            subject=order.subject,
            template_id=order.template_id,
            template=template,
            media_ids=order.media_ids,
            campaign_id=order.campaign_id or bulk_send_id,
            author=author,
            recipient_count=len(order.recipients),
            segments_each=_segments_each(order, template),
            send_after=begins,
            expires_at=ends,
            created_at=now,
            updated_at=now,
        )
        await bulk_sends.add(tx, bulk_send)
        # The pictures are the bulk send's from now on, so that nobody clears them away before they go out.
        await attach(tx, order.media_ids, bulk_send_id)
        await bulk_recipients.add(tx, bulk_send_id, order.recipients)
        progress = Progress({BulkRecipientState.FROZEN: len(order.recipients)}, {})
        return await _standing(tx, bulk_send, now, progress)


async def _frozen_template(tx: Transaction, order: Order) -> Template | None:
    if not order.template_id:
        return None
    template = await get_template(tx, order.template_id)
    if template.is_archived:
        raise TemplateArchived(order.template_id)
    if template.channel is not order.channel:
        raise invalid("template_id", f"is a template for {template.channel}, not for {order.channel}")
    if template.purpose is not order.purpose:
        raise invalid("purpose", f"is not the template's, which is {template.purpose}")
    return template


def _require_subject(order: Order, template: Template | None) -> None:
    if order.channel is not Channel.EMAIL:
        if order.subject:
            raise invalid("subject", "is for e-mail only")
    elif not order.subject.strip() and not (template and all(text.subject for text in template.texts)):
        raise invalid("subject", "is needed on e-mail")


def _segments_each(order: Order, template: Template | None) -> int:
    """Return what a text may come to; what is filled in is not known yet."""
    if not order.channel.takes_phones:
        return 1
    bodies = [order.body] if template is None else [text.body for text in template.texts]
    return max(count_segments(body) for body in bodies)


async def get_bulk_send(tx: Transaction, bulk_send_id: str) -> BulkSend:
    """Return one bulk send. Raises BULK_SEND_NOT_FOUND."""
    found = await bulk_sends.find(tx, bulk_send_id)
    if found is None:
        raise not_found("bulk_send", bulk_send_id)
    return found


async def read_bulk_send(*, database: Database, clock: Clock, caller: Caller, bulk_send_id: str) -> Standing:
    """Return one bulk send as it stands. Raises BULK_SEND_NOT_FOUND, STORE_NOT_YOURS."""
    async with database.transaction(caller.chain_id) as tx:
        bulk_send = await get_bulk_send(tx, bulk_send_id)
        caller.require_store(bulk_send.store_id)
        return await _standing(tx, bulk_send, clock.now())


async def list_bulk_sends(
    *,
    database: Database,
    clock: Clock,
    caller: Caller,
    store_id: str,
    state: BulkSendState | None,
    before: str,
    most: int,
) -> Sequence[Standing]:
    """Return up to `most` bulk sends, newest first, of the caller's stores. Raises STORE_NOT_YOURS."""
    if store_id:
        caller.require_store(store_id)
    async with database.transaction(caller.chain_id) as tx:
        found = await bulk_sends.page(
            tx, stores=caller.stores or None, store_id=store_id, state=state, before=before, most=most
        )
        progress = await bulk_recipients.progress(tx, [one.bulk_send_id for one in found])
        return [await _standing(tx, one, clock.now(), progress[one.bulk_send_id]) for one in found]


async def list_recipients(
    *,
    database: Database,
    caller: Caller,
    bulk_send_id: str,
    state: BulkRecipientState | None,
    after: int,
    most: int,
) -> Sequence[Outcome]:
    """Return up to `most` recipients in their order. Raises BULK_SEND_NOT_FOUND, STORE_NOT_YOURS."""
    async with database.transaction(caller.chain_id) as tx:
        caller.require_store((await get_bulk_send(tx, bulk_send_id)).store_id)
        return await bulk_recipients.page(tx, bulk_send_id, state=state, after=after, most=most)


async def _standing(
    tx: Transaction, bulk_send: BulkSend, now: datetime, progress: Progress | None = None
) -> Standing:
    if progress is None:
        progress = (await bulk_recipients.progress(tx, [bulk_send.bulk_send_id]))[bulk_send.bulk_send_id]
    sender = await senders.find_by_store(tx, bulk_send.store_id, bulk_send.channel)
    speed = 0.0 if sender is None else sender.segments_per_second
    return Standing(
        bulk_send, progress, progress.finish_estimate(bulk_send, segments_per_second=speed, now=now)
    )


async def pause_bulk_send(
    *, database: Database, clock: Clock, caller: Caller, bulk_send_id: str, note: str
) -> Standing:
    """Hold back what has not gone out; once this returns, nothing more does.

    Raises BULK_SEND_NOT_FOUND, STORE_NOT_YOURS, BULK_SEND_OVER.
    """
    now = clock.now()
    async with database.transaction(caller.chain_id) as tx:
        bulk_send = await _lock(tx, caller, bulk_send_id)
        await bulk_sends.save(tx, bulk_send.paused(note.strip(), now=now))
    return await read_bulk_send(database=database, clock=clock, caller=caller, bulk_send_id=bulk_send_id)


async def resume_bulk_send(
    *, database: Database, clock: Clock, caller: Caller, bulk_send_id: str
) -> Standing:
    """Let a bulk send go on, and its campaign with it. Raises BULK_SEND_NOT_FOUND, STORE_NOT_YOURS, BULK_SEND_OVER."""
    now = clock.now()
    async with database.transaction(caller.chain_id) as tx:
        # The campaign ahead of the bulk send, as whoever pauses both does.
        bulk_send = await get_bulk_send(tx, bulk_send_id)
        caller.require_store(bulk_send.store_id)
        await release_campaign(tx, bulk_send.campaign_id, now)
        bulk_send = await _lock(tx, caller, bulk_send_id)
        await bulk_sends.save(tx, bulk_send.resumed(now=now))
        await bulk_sends.let_go_on(tx, bulk_send_id, now)
    return await read_bulk_send(database=database, clock=clock, caller=caller, bulk_send_id=bulk_send_id)


async def cancel_bulk_send(
    *, database: Database, clock: Clock, caller: Caller, bulk_send_id: str
) -> Standing:
    """Take back what has not gone out; once this returns, nothing more does.

    Raises BULK_SEND_NOT_FOUND, STORE_NOT_YOURS, BULK_SEND_OVER.
    """
    now = clock.now()
    async with database.transaction(caller.chain_id) as tx:
        bulk_send = await _lock(tx, caller, bulk_send_id)
        await bulk_sends.save(tx, bulk_send.cancelled(now=now))
        await bulk_sends.make_due(tx, bulk_send_id, now)
        await bulk_sends.cancel_texts(tx, bulk_send_id, now)
    return await read_bulk_send(database=database, clock=clock, caller=caller, bulk_send_id=bulk_send_id)


async def _lock(tx: Transaction, caller: Caller, bulk_send_id: str) -> BulkSend:
    bulk_send = await bulk_sends.lock_alone(tx, bulk_send_id)
    if bulk_send is None:
        raise not_found("bulk_send", bulk_send_id)
    caller.require_store(bulk_send.store_id)
    return bulk_send


async def held_back(tx: Transaction, waiting: Sequence[Message], now: datetime) -> set[str]:
    """Return which of some locked messages do not go out now because of their bulk sends, and see to those.

    None of the others' bulk sends is paused or cancelled until this transaction ends.
    """
    by_bulk_send: dict[str, list[str]] = {}
    for one in waiting:
        if one.bulk_send_id:
            by_bulk_send.setdefault(one.bulk_send_id, []).append(one.message_id)
    states = await bulk_sends.states(tx, by_bulk_send)
    held: set[str] = set()
    for bulk_send_id, message_ids in by_bulk_send.items():
        state = states.get(bulk_send_id)
        if state is BulkSendState.PAUSED:
            await bulk_sends.put_aside(tx, bulk_send_id, message_ids)
        elif state is BulkSendState.CANCELLED:
            await bulk_sends.cancel_texts(tx, bulk_send_id, now, message_ids)
        elif state is not None:
            continue
        held.update(message_ids)
    return held


async def take_slice(
    *, database: Database, clock: Clock, chain_id: str, bulk_send_id: str, ahead: timedelta
) -> tuple[BulkSend, Slice] | None:
    """Return the next recipients to be written to, as long as no more texts wait than go out within `ahead`; None when
    there is nothing to do now. Sees a bulk send to its end."""
    now = clock.now()
    async with database.transaction(chain_id) as tx:
        bulk_send = await bulk_sends.lock(tx, bulk_send_id, wait=False)
        if bulk_send is None:
            return None
        if bulk_send.state in (BulkSendState.RUNNING, BulkSendState.PAUSED) and now >= bulk_send.expires_at:
            bulk_send = bulk_send.changed(now=now, state=BulkSendState.FINISHED, pause_reason="")
            await bulk_sends.save(tx, bulk_send)
        if bulk_send.state is BulkSendState.RUNNING and await campaigns.is_paused(tx, bulk_send.campaign_id):
            # It came to the campaign later, or at the same moment.
            bulk_send = bulk_send.paused(OPT_OUT_RATE, now=now)
            await bulk_sends.save(tx, bulk_send)
        if bulk_send.state is BulkSendState.PAUSED:
            await bulk_sends.make_due(tx, bulk_send_id, bulk_send.expires_at)
            return None
        if bulk_send.state is not BulkSendState.RUNNING:
            await _see_out(tx, bulk_send, now)
            return None
        leased_until = now + SLICE_LEASE
        left = await bulk_sends.take_left_slice(tx, bulk_send_id, now=now, leased_until=leased_until)
        if left is not None:
            return bulk_send, left
        if bulk_send.handed_out >= bulk_send.recipient_count:
            await _finish(tx, bulk_send, now)
            return None
        sender = await senders.find_by_store(tx, bulk_send.store_id, bulk_send.channel)
        if sender is None or sender.state is SenderState.STOPPED:
            await bulk_sends.make_due(tx, bulk_send_id, now + _LONGEST_PAUSE)
            return None
        room = ahead.total_seconds() * sender.segments_per_second / bulk_send.segments_each
        waiting = await bulk_sends.texts_ahead(tx, bulk_send_id, now + ahead)
        waiting += await bulk_sends.slices_held(tx, bulk_send_id)
        if waiting + SLICE > max(room, SLICE):
            # Looked at again when a part of the room is free, so that it never runs dry.
            pause = timedelta(seconds=SLICE * bulk_send.segments_each / sender.segments_per_second)
            await bulk_sends.make_due(
                tx, bulk_send_id, now + min(max(pause / 2, _FINISHING / 4), _LONGEST_PAUSE)
            )
            return None
        part = Slice(bulk_send.handed_out + 1, min(bulk_send.handed_out + SLICE, bulk_send.recipient_count))
        await bulk_sends.save(tx, bulk_send.changed(now=now, handed_out=part.last_position))
        await bulk_sends.add_slice(tx, bulk_send_id, part, leased_until=leased_until)
        return bulk_send, part


async def put_off(
    *, database: Database, clock: Clock, chain_id: str, bulk_send: BulkSend, part: Slice
) -> None:
    """Give a slice back that could not be written just now."""
    now = clock.now()
    async with database.transaction(chain_id) as tx:
        await bulk_sends.give_back(tx, bulk_send.bulk_send_id, part, now)
        await bulk_sends.make_due(tx, bulk_send.bulk_send_id, now + _AGAIN)


async def _finish(tx: Transaction, bulk_send: BulkSend, now: datetime) -> None:
    """End a bulk send whose recipients were all written to, once every text has gone or will never."""
    if await bulk_sends.slices_held(tx, bulk_send.bulk_send_id) or await bulk_sends.has_texts_under_way(
        tx, bulk_send.bulk_send_id
    ):
        await bulk_sends.make_due(tx, bulk_send.bulk_send_id, now + _FINISHING)
        return
    await _end(tx, bulk_send.changed(now=now, state=BulkSendState.FINISHED), now)


async def _see_out(tx: Transaction, bulk_send: BulkSend, now: datetime) -> None:
    """See to what was on its way when a bulk send was cancelled or its time was over."""
    if bulk_send.finished_at is not None:
        await bulk_sends.make_settled(tx, bulk_send.bulk_send_id)
    elif await bulk_sends.has_texts_under_way(tx, bulk_send.bulk_send_id):
        if bulk_send.state is BulkSendState.CANCELLED:
            await bulk_sends.cancel_texts(tx, bulk_send.bulk_send_id, now)
        await bulk_sends.make_due(tx, bulk_send.bulk_send_id, now + _FINISHING)
    else:
        await _end(tx, bulk_send, now)


async def _end(tx: Transaction, bulk_send: BulkSend, now: datetime) -> None:
    bulk_send = bulk_send.changed(now=now, finished_at=now)
    await bulk_sends.save(tx, bulk_send)
    await bulk_sends.remove_slices(tx, bulk_send.bulk_send_id)
    await bulk_sends.make_settled(tx, bulk_send.bulk_send_id)
    counts = (await bulk_recipients.progress(tx, [bulk_send.bulk_send_id]))[bulk_send.bulk_send_id].counts

    def many(*states: BulkRecipientState) -> int:
        return sum(counts.get(state, 0) for state in states)

    tx.publish(
        events.bulk_send_finished(
            bulk_send_id=bulk_send.bulk_send_id,
            store_id=bulk_send.store_id,
            sent=many(BulkRecipientState.SENT, BulkRecipientState.DELIVERED),
            denied=many(BulkRecipientState.DENIED),
            failed=many(BulkRecipientState.FAILED, BulkRecipientState.EXPIRED),
            cancelled=many(BulkRecipientState.CANCELLED),
        ),
        entity_id=bulk_send.bulk_send_id,
    )
