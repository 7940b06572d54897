"""Carry campaigns out: freeze the audience, send at the campaign's pace, once to each client whatever crashes.

Replicas take campaigns from one list and a batch at a time. What a batch is to do is written down before messaging is
asked: the text first, so that whoever takes over a batch that nobody finished asks for the same text under the same
request id, `<campaign>.<recipient>`, and gets the message that was taken, or has it taken now. No transaction is open
while anybody is asked.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

import structlog

from chassis import context as work
from chassis import identities
from chassis.caller import Caller, set_caller
from chassis.clock import Clock
from chassis.database import Database, Transaction
from chassis.errors import ServiceError
from outreach.clients import Answer, Messaging, Naming, Outcome, Segments
from outreach.domain.campaigns import Campaign, CampaignState, Pace
from outreach.store import audiences, campaigns, recipients, settings
from outreach.store.audiences import Judge
from outreach.store.recipients import Taken
from outreach.use_cases import outcomes
from outreach.use_cases.audiences import count_facts, judge_of
from outreach.use_cases.campaign_texts import FINAL, in_parallel, write_texts
from outreach.use_cases.campaigns import say_finished, stop
from outreach.use_cases.facts import take_contact

SCOPES = frozenset({"clients:read", "directory:read", "messages:read", "messages:send", "segments:read"})

BATCH = 20  # texts that one replica has on their way; a cancellation waits for no more
_LOOK = 100  # waiting recipients judged for one batch
_LEASE = timedelta(seconds=60)  # longer than a batch takes; the texts of a crashed one wait for so long
_RETRY = timedelta(seconds=30)
_CLOCKS_DIFFER = timedelta(seconds=30)
_GIVE_UP = timedelta(days=1)  # well within the 30 days for which messaging knows a request id

NOT_ANSWERED = "NOT_ANSWERED"
SEND_FAILED = "SEND_FAILED"
SEND_DENIED = "SEND_DENIED"

_log = structlog.get_logger(__name__)


@dataclass(frozen=True)
class Sender:
    """What sending needs; `speak_for` returns this service as a signed caller of a chain."""

    database: Database
    clock: Clock
    naming: Naming
    segments: Segments
    messaging: Messaging
    speak_for: Callable[[str], Caller]


@dataclass(frozen=True)
class _Settled:
    """What became of one text; a reason where it did not go out."""

    taken: Taken
    message_id: str = ""
    reason: str = ""


async def work_campaigns(sender: Sender) -> int:
    """Do what is due for campaigns of any chain, until nothing is; return how many steps that took."""
    steps = 0
    while True:
        now = sender.clock.now()
        async with sender.database.platform_transaction() as platform:
            due = await campaigns.take_due(platform, now=now, again_at=now + _LEASE)
        if due is None:
            return steps
        chain_id, campaign_id = due
        work.begin_work()
        set_caller(sender.speak_for(chain_id))
        try:
            await _step(sender, chain_id, campaign_id)
        except ServiceError as error:
            # Taken again when its lease is over; the other campaigns have their turn meanwhile.
            _log.warning("campaign goes on later", campaign_id=campaign_id, reason=error.reason)
        steps += 1


async def _step(sender: Sender, chain_id: str, campaign_id: str) -> None:
    campaign = await _look(sender, chain_id, campaign_id)
    if campaign is None:
        return
    if campaign.state is CampaignState.CANCELLED:
        await _settle_cancelled(sender, chain_id, campaign)
        return
    if not campaign.is_frozen:
        try:
            if not await _freeze(sender, chain_id, campaign):
                return
        except ServiceError as error:
            if error.kind not in FINAL:
                raise
            # Such as a segment that was deleted since: nobody can be found, today or later.
            _log.warning("campaign has no audience", campaign_id=campaign_id, reason=error.reason)
            await _give_up(sender, chain_id, campaign_id)
            return
    await _count_facts(sender, chain_id, campaign)
    await _send_batch(sender, chain_id, campaign_id)


async def _count_facts(sender: Sender, chain_id: str, campaign: Campaign) -> None:
    await count_facts(
        database=sender.database,
        clock=sender.clock,
        chain_id=chain_id,
        audience=campaign.plan.audience,
    )


async def _look(sender: Sender, chain_id: str, campaign_id: str) -> Campaign | None:
    """Return a campaign that something is to be done for now; begins one whose time has come."""
    now = sender.clock.now()
    async with sender.database.transaction(chain_id) as tx:
        campaign = await campaigns.find_campaign(tx, campaign_id, lock=True)
        if campaign is None:
            await campaigns.set_due(tx, campaign_id, None)
            return None
        if campaign.state is CampaignState.SCHEDULED:
            start_at = campaign.plan.start_at
            if start_at is not None and start_at > now:
                await campaigns.set_due(tx, campaign_id, start_at)
                return None
            campaign = campaign.begun(now=now)
            await campaigns.save_campaign(tx, campaign)
        if campaign.state not in (CampaignState.RUNNING, CampaignState.CANCELLED):
            await campaigns.set_due(tx, campaign_id, None)
            return None
        return campaign


async def _freeze(sender: Sender, chain_id: str, campaign: Campaign) -> bool:
    """Write down who is in a campaign, slice by slice from where it stopped; return whether it may be sent now."""
    campaign_id, segment_id = campaign.campaign_id, campaign.plan.audience.segment_id
    await _count_facts(sender, chain_id, campaign)
    judge: Judge | None = None
    while True:
        page, token = (
            await sender.segments.page(segment_id, campaign.frozen_until) if segment_id else ([], "")
        )
        now = sender.clock.now()
        async with sender.database.transaction(chain_id) as tx:
            await identities.hold(tx)
            found = await campaigns.find_campaign(tx, campaign_id, lock=True)
            if found is None or found.state is not CampaignState.RUNNING or found.is_frozen:
                return found is not None and found.state is CampaignState.RUNNING
            if found.frozen_until != campaign.frozen_until:
                campaign = found  # another replica is at it, and further
                continue
            if judge is None:
                judge = await judge_of(tx, found, now=now)
            client_ids = await audiences.current_ids(tx, page) if segment_id else None
            last = await audiences.freeze(
                tx, judge, client_ids=client_ids, after=campaign.frozen_until, now=now
            )
            following = token if segment_id else last
            campaign = replace(found, frozen_until=following or "", is_frozen=not following)
            if following:
                await campaigns.save_campaign(tx, campaign)
                await campaigns.set_due(tx, campaign_id, now + _LEASE)
                continue
            return await _frozen(tx, campaign, now=now)


async def _frozen(tx: Transaction, campaign: Campaign, *, now: datetime) -> bool:
    """Ask for a second person when more were found than one may decide about alone."""
    most = (await settings.get_settings(tx)).approval_above
    if not campaign.approved_by and await recipients.count_recipients(tx, campaign.campaign_id) > most:
        await campaigns.save_campaign(tx, campaign.grown(now=now))
        await campaigns.set_due(tx, campaign.campaign_id, None)
        return False
    await campaigns.save_campaign(tx, campaign)
    return True


async def _give_up(sender: Sender, chain_id: str, campaign_id: str) -> None:
    now = sender.clock.now()
    async with sender.database.transaction(chain_id) as tx:
        campaign = await campaigns.find_campaign(tx, campaign_id, lock=True)
        if campaign is not None and not campaign.has_ended:
            await stop(tx, campaign.cancelled(now=now), now=now)


async def _send_batch(sender: Sender, chain_id: str, campaign_id: str) -> None:
    campaign, taken = await _take_batch(sender, chain_id, campaign_id)
    if campaign is None or not taken:
        return
    texts = await write_texts(sender.naming, campaign.plan.texts, taken)
    settled = [_Settled(one, reason=reason) for one, reason in texts.refused]
    later = [*texts.later]
    now = sender.clock.now()
    async with sender.database.transaction(chain_id) as tx:
        may_go = await recipients.note_bodies(tx, campaign_id, texts.written, now=now)
    asked = [
        *(one for one in taken if one.asked_at is not None),
        *(replace(one, body=body, asked_at=now) for one, body in texts.written if one.recipient_id in may_go),
    ]
    for one, outcome in zip(
        asked, await in_parallel([_ask(sender, campaign_id, a) for a in asked]), strict=True
    ):
        if outcome is None:
            later.append(one)
        else:
            settled.append(outcome)
    await _write_down(sender, chain_id, campaign_id, settled, later)


async def _take_batch(
    sender: Sender, chain_id: str, campaign_id: str
) -> tuple[Campaign | None, Sequence[Taken]]:
    """Reserve the next texts: those whose sender is gone, then as many new ones as the pace allows."""
    now = sender.clock.now()
    async with sender.database.transaction(chain_id) as tx:
        await identities.hold(tx)
        campaign = await campaigns.find_campaign(tx, campaign_id, lock=True)
        if campaign is None or campaign.state is not CampaignState.RUNNING:
            return None, ()
        lease_until = now + _LEASE
        await recipients.release(tx, campaign_id, now=now)
        mine = await recipients.retake(tx, campaign_id, limit=BATCH, lease_until=lease_until, now=now)
        pace = Pace(campaign.plan.pace_per_hour, campaign.paced_at)
        slots = min(pace.slots(now), BATCH - len(mine))
        if slots > 0:
            chosen = await _choose(tx, campaign, slots=slots, now=now)
            await recipients.begin_sending(tx, campaign_id, chosen, lease_until=lease_until, now=now)
            pace = pace.after(len(chosen), now)
            campaign = replace(campaign, paced_at=pace.free_at)
            await campaigns.save_campaign(tx, campaign)
            mine += chosen
        if not await recipients.has_open(tx, campaign_id):
            await campaigns.save_campaign(tx, campaign.finished(now=now))
            await campaigns.set_due(tx, campaign_id, None)
            await say_finished(tx, campaign.finished(now=now))
            return None, ()
        await campaigns.set_due(tx, campaign_id, await _next_at(tx, campaign_id, pace, now=now))
        return campaign, await recipients.read_taken(tx, campaign_id, mine)


async def _choose(tx: Transaction, campaign: Campaign, *, slots: int, now: datetime) -> list[str]:
    """Return whose turn it is among those who still fit; the others are left alone, each for a reason."""
    waiting = await recipients.waiting_batch(tx, campaign.campaign_id, limit=max(slots, _LOOK))
    if not waiting:
        return []
    client_ids = set(waiting.values())
    judge = await judge_of(tx, campaign, now=now, among=client_ids)
    reasons = await audiences.judge_clients(tx, judge, client_ids)
    twice = await recipients.same_person(tx, campaign.campaign_id, list(waiting))
    left_alone = {
        recipient_id: audiences.SAME_PERSON if recipient_id in twice else reasons[client_id]
        for recipient_id, client_id in waiting.items()
        if recipient_id in twice or reasons[client_id]
    }
    await recipients.exclude(tx, campaign.campaign_id, left_alone, now=now)
    return [recipient_id for recipient_id in waiting if recipient_id not in left_alone][:slots]


async def _next_at(tx: Transaction, campaign_id: str, pace: Pace, *, now: datetime) -> datetime:
    """Return when something is to be done again: a text may go out, or one on its way is overdue."""
    lease_end = await recipients.next_lease_end(tx, campaign_id)
    if await recipients.has_waiting(tx, campaign_id):
        free_at = pace.next_at(now)
        return free_at if lease_end is None else min(free_at, lease_end)
    return lease_end or now


async def _ask(sender: Sender, campaign_id: str, one: Taken) -> _Settled | None:
    """Hand one text to messaging; None when it has to be asked again."""
    try:
        answer = await sender.messaging.send(
            send_id=f"{campaign_id}.{one.recipient_id}",
            # The id of the first time, so that every repeat is the same request; messaging knows who it is now.
            client_id=one.recipient_id,
            store_id=one.store_id,
            body=one.body,
        )
    except ServiceError as error:
        if error.kind in FINAL or error.reason == "REQUEST_ID_REUSED":
            return _Settled(one, reason=error.reason)
        if one.asked_at is not None and sender.clock.now() - one.asked_at > _GIVE_UP:
            return _Settled(one, reason=NOT_ANSWERED)
        _log.info("text is handed on later", campaign_id=campaign_id, reason=error.reason)
        return None
    return _settled(one, answer)


def _settled(one: Taken, answer: Answer) -> _Settled:
    if answer.outcome is Outcome.TAKEN:
        return _Settled(one, message_id=answer.message_id)
    if answer.outcome is Outcome.DENIED:
        reason = next((reason for reason, _ in answer.reasons), SEND_DENIED)
        return _Settled(one, message_id=answer.message_id, reason=reason)
    return _Settled(one, message_id=answer.message_id, reason=SEND_FAILED)


async def _write_down(
    sender: Sender, chain_id: str, campaign_id: str, settled: Sequence[_Settled], later: Sequence[Taken]
) -> None:
    now = sender.clock.now()
    async with sender.database.transaction(chain_id) as tx:
        # Clients first and in one order, as everywhere: events of these clients wait for the same rows.
        for one in sorted(settled, key=lambda settled: settled.taken.client_id):
            if not one.reason:
                await _note_contact(tx, campaign_id, one, now=now)
            await recipients.settle(
                tx,
                campaign_id,
                one.taken.recipient_id,
                message_id=one.message_id,
                reason=one.reason,
                now=now,
            )
        await recipients.try_later(tx, campaign_id, [one.recipient_id for one in later], at=now + _RETRY)
        await campaigns.wake(tx, campaign_id, now if not later else now + _RETRY)


async def _note_contact(tx: Transaction, campaign_id: str, one: _Settled, *, now: datetime) -> None:
    """Know of the contact at once; that the carrier took the text is heard of later, and again."""
    taken = one.taken
    await take_contact(
        tx,
        one.message_id,
        taken.recipient_id,
        kind="marketing",
        contacted_at=now,
        is_by_person=False,
        is_expected=True,
        now=now,
    )
    await outcomes.expect_text(
        tx,
        one.message_id,
        client_id=taken.recipient_id,
        associate_id=taken.associate_id,
        store_id=taken.store_id,
        campaign_id=campaign_id,
        now=now,
    )


async def _settle_cancelled(sender: Sender, chain_id: str, campaign: Campaign) -> None:
    """Find out what became of texts whose sender is gone, asking for none again; then the campaign is through."""
    now = sender.clock.now()
    async with sender.database.transaction(chain_id) as tx:
        mine = await recipients.retake(
            tx, campaign.campaign_id, limit=BATCH, lease_until=now + _LEASE, now=now
        )
        taken = await recipients.read_taken(tx, campaign.campaign_id, mine)
    found = await in_parallel([_find(sender, one) for one in taken])
    settled = [
        _Settled(one, reason=audiences.CANCELLED) if answer is None else _settled(one, answer)
        for one, answer in zip(taken, found, strict=True)
    ]
    if settled:
        await _write_down(sender, chain_id, campaign.campaign_id, settled, ())
    async with sender.database.transaction(chain_id) as tx:
        await campaigns.find_campaign(tx, campaign.campaign_id, lock=True)
        lease_end = await recipients.next_lease_end(tx, campaign.campaign_id)
        if lease_end is not None:
            await campaigns.set_due(tx, campaign.campaign_id, lease_end)
        elif await campaigns.drop_run(tx, campaign.campaign_id):
            await say_finished(tx, campaign)


async def _find(sender: Sender, one: Taken) -> Answer | None:
    assert one.asked_at is not None, "who was not asked for was excluded by the cancellation"
    try:
        since = one.asked_at - _CLOCKS_DIFFER
        return await sender.messaging.find(client_id=one.client_id, body=one.body, since=since)
    except ServiceError as error:
        if error.kind in FINAL:
            return None
        raise
