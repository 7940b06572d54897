"""What people do with campaigns: write, preview, start, approve, cancel, follow. Sending is `campaign_sending`'s."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from chassis.caller import Caller
from chassis.clock import Clock
from chassis.database import Database, RequestKey, Transaction
from chassis.errors import Kind, ServiceError, not_found
from chassis.ids import new_id
from chassis.paging import cut_page, decode_page_token, page_size_of
from outreach import events
from outreach.clients import Segments
from outreach.domain.campaigns import (
    NO_PROGRESS,
    Audience,
    Campaign,
    CampaignChanged,
    CampaignEmpty,
    CampaignState,
    Plan,
    Progress,
    RecipientState,
    SegmentTooLarge,
    Starter,
)
from outreach.store import campaigns, recipients, settings
from outreach.store.audiences import Counted
from outreach.store.recipients import Recipient
from outreach.texts.campaigns import require_texts, segments_of
from outreach.use_cases import audiences

Seen = tuple[Campaign, Progress]


@dataclass(frozen=True)
class Preview:
    """Who would get a campaign today, and what that takes."""

    counted: Counted
    needs_approval: bool
    segments_each: int


async def create_campaign(
    *, database: Database, clock: Clock, caller: Caller, key: RequestKey, plan: Plan, has_holdout: bool
) -> Seen:
    """Write a campaign down; the chain's own share is held out unless the plan says one.

    Raises FIELD_INVALID for texts that cannot be sent, and STORE_NOT_YOURS for an audience beyond one's stores.
    """
    now = clock.now()
    _require_sense(caller, plan)
    async with database.transaction(caller.chain_id) as tx:
        campaign_id, is_repeat = await tx.once(key, new_id("cmp"))
        if is_repeat:
            return await _see(tx, await _require(tx, caller, campaign_id))
        plan.require_ahead(now)
        campaign = Campaign(
            campaign_id=campaign_id,
            plan=await _with_holdout(tx, plan, has_holdout=has_holdout),
            state=CampaignState.DRAFT,
            created_by=caller.actor_id,
            created_at=now,
            updated_at=now,
        )
        await campaigns.add_campaign(tx, campaign)
    return campaign, NO_PROGRESS


async def update_campaign(
    *,
    database: Database,
    clock: Clock,
    caller: Caller,
    campaign_id: str,
    plan: Plan,
    has_holdout: bool,
    etag: str,
) -> Seen:
    """Write a campaign anew, as a draft. Raises CAMPAIGN_CHANGED, CAMPAIGN_BEGUN, and as `create_campaign`."""
    _require_sense(caller, plan)
    async with database.transaction(caller.chain_id) as tx:
        found = await _require(tx, caller, campaign_id, lock=True)
        wanted = await _with_holdout(tx, plan, has_holdout=has_holdout)
        changed = found.updated(wanted, etag=etag, now=clock.now())
        await recipients.forget_recipients(tx, campaign_id)
        await campaigns.save_campaign(tx, changed)
        await campaigns.set_due(tx, campaign_id, None)
    return changed, NO_PROGRESS


async def get_campaign(*, database: Database, caller: Caller, campaign_id: str) -> Seen:
    """Return a campaign with its progress. Raises CAMPAIGN_NOT_FOUND and STORE_NOT_YOURS."""
    async with database.transaction(caller.chain_id) as tx:
        return await _see(tx, await _require(tx, caller, campaign_id))


async def list_campaigns(
    *, database: Database, caller: Caller, state: CampaignState | None, page_size: int, page_token: str
) -> tuple[list[Seen], str]:
    """Return a page of campaigns, the newest first; whoever is bound to stores sees those for these stores alone."""
    key = decode_page_token(page_token, str)
    size = page_size_of(page_size)
    async with database.transaction(caller.chain_id) as tx:
        found = await campaigns.list_campaigns(
            tx,
            state=state,
            stores=caller.stores,
            before=str(key[0]) if key else None,
            limit=size + 1,
        )
        page, token = cut_page(found, size, lambda campaign: (campaign.campaign_id,))
        progress = await recipients.read_progress(tx, [one.campaign_id for one in page])
    return [(one, progress[one.campaign_id]) for one in page], token


async def preview_campaign(
    *, database: Database, clock: Clock, segments: Segments, caller: Caller, campaign_id: str
) -> Preview:
    """Count who would get a campaign today. Raises SEGMENT_TOO_LARGE, and what profiles says of a segment."""
    async with database.transaction(caller.chain_id) as tx:
        campaign = await _require(tx, caller, campaign_id)
        approval_above = (await settings.get_settings(tx)).approval_above
    counted = await audiences.count(
        database=database,
        clock=clock,
        segments=segments,
        chain_id=caller.chain_id,
        campaign=campaign,
    )
    return Preview(counted, counted.recipients > approval_above, segments_of(campaign.plan.texts))


async def start_campaign(
    *, database: Database, clock: Clock, segments: Segments, caller: Caller, campaign_id: str
) -> Seen:
    """Begin at once or at its time, or wait for another person; one that is on its way stays as it is.

    Raises CAMPAIGN_ENDED, CAMPAIGN_EMPTY for one that would begin with nobody, CAMPAIGN_CHANGED when it was written
    anew meanwhile.
    """
    now = clock.now()
    async with database.transaction(caller.chain_id) as tx:
        read = await _require(tx, caller, campaign_id)
        if not read.require_startable(now):
            return await _see(tx, read)
        approval_above = (await settings.get_settings(tx)).approval_above
    try:
        counted = await audiences.count(
            database=database, clock=clock, segments=segments, chain_id=caller.chain_id, campaign=read
        )
        most = counted.recipients
    except SegmentTooLarge as error:
        # Not counted while somebody waits: the beginning counts whoever is in it, and asks then if it has to.
        most = int(error.metadata["most"])
    if not most and read.plan.start_at is None:
        raise CampaignEmpty(campaign_id)
    async with database.transaction(caller.chain_id) as tx:
        found = await _require(tx, caller, campaign_id, lock=True)
        if not found.require_startable(now):
            return await _see(tx, found)
        if found.version != read.version:
            raise CampaignChanged(campaign_id)
        started = found.started(_starter(caller), needs_approval=most > approval_above, now=now)
        await campaigns.save_campaign(tx, started)
        await _set_off(tx, started, now=now)
        return await _see(tx, started)


async def approve_campaign(*, database: Database, clock: Clock, caller: Caller, campaign_id: str) -> Seen:
    """Agree to a campaign that waits for it. Raises SECOND_PERSON_NEEDED, CAMPAIGN_NOT_WAITING, CAMPAIGN_ENDED."""
    now = clock.now()
    async with database.transaction(caller.chain_id) as tx:
        found = await _require(tx, caller, campaign_id, lock=True)
        approved = found.approved(_starter(caller), now=now)
        if approved is not found:
            await campaigns.save_campaign(tx, approved)
            await _set_off(tx, approved, now=now)
        return await _see(tx, approved)


async def cancel_campaign(*, database: Database, clock: Clock, caller: Caller, campaign_id: str) -> Seen:
    """Stop a campaign: nobody is asked for any more; the same again changes nothing. Raises CAMPAIGN_ENDED."""
    now = clock.now()
    async with database.transaction(caller.chain_id) as tx:
        found = await _require(tx, caller, campaign_id, lock=True)
        cancelled = found.cancelled(now=now)
        if cancelled is not found:
            await stop(tx, cancelled, now=now)
        return await _see(tx, cancelled)


async def stop(tx: Transaction, cancelled: Campaign, *, now: datetime) -> None:
    """Write a campaign down as stopped. It is through as soon as no text is on its way."""
    await campaigns.save_campaign(tx, cancelled)
    await recipients.stop_waiting(tx, cancelled.campaign_id, now=now)
    on_its_way_until = await recipients.next_lease_end(tx, cancelled.campaign_id)
    await campaigns.set_due(tx, cancelled.campaign_id, on_its_way_until)
    if on_its_way_until is None:
        await say_finished(tx, cancelled)


async def say_finished(tx: Transaction, campaign: Campaign) -> None:
    """Say once that a campaign is through."""
    progress = (await recipients.read_progress(tx, [campaign.campaign_id]))[campaign.campaign_id]
    tx.publish(events.campaign_finished(campaign, progress), entity_id=campaign.campaign_id)


async def list_recipients(
    *,
    database: Database,
    caller: Caller,
    campaign_id: str,
    states: Sequence[RecipientState],
    page_size: int,
    page_token: str,
) -> tuple[Sequence[Recipient], str]:
    """Return a page of who is in a campaign; empty before it has begun."""
    key = decode_page_token(page_token, str)
    size = page_size_of(page_size)
    async with database.transaction(caller.chain_id) as tx:
        await _require(tx, caller, campaign_id)
        found = await recipients.list_recipients(
            tx, campaign_id, states=states, after=str(key[0]) if key else "", limit=size + 1
        )
    return cut_page(found, size, lambda recipient: (recipient.recipient_id,))


def _require_sense(caller: Caller, plan: Plan) -> None:
    require_texts(plan.texts)
    plan.audience.require_sense()
    _require_reach(caller, plan.audience)


def _require_reach(caller: Caller, audience: Audience) -> None:
    """Refuse whoever is bound to stores and means clients of others, or of all."""
    if caller.stores and not audience.store_ids:
        raise ServiceError(
            Kind.FORBIDDEN,
            "STORE_NOT_YOURS",
            "This campaign is for clients of all stores; you are signed in for some. Name those in its audience.",
        )
    for store_id in audience.store_ids:
        caller.require_store(store_id)


async def _require(tx: Transaction, caller: Caller, campaign_id: str, *, lock: bool = False) -> Campaign:
    found = await campaigns.find_campaign(tx, campaign_id, lock=lock)
    if found is None:
        raise not_found("campaign", campaign_id)
    _require_reach(caller, found.plan.audience)
    return found


async def _see(tx: Transaction, campaign: Campaign) -> Seen:
    return campaign, (await recipients.read_progress(tx, [campaign.campaign_id]))[campaign.campaign_id]


async def _with_holdout(tx: Transaction, plan: Plan, *, has_holdout: bool) -> Plan:
    return (
        plan if has_holdout else replace(plan, holdout_share=(await settings.get_settings(tx)).holdout_share)
    )


async def _set_off(tx: Transaction, campaign: Campaign, *, now: datetime) -> None:
    if campaign.state is CampaignState.RUNNING:
        await campaigns.set_due(tx, campaign.campaign_id, now)
    elif campaign.state is CampaignState.SCHEDULED:
        await campaigns.set_due(tx, campaign.campaign_id, campaign.plan.start_at)


def _starter(caller: Caller) -> Starter:
    return Starter(caller.actor_id, caller.associate_id)
