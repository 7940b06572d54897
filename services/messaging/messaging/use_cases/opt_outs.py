"""Opt-outs by campaign: whose text was the last one before a number opted out, and campaigns that stop because of it.

An opt-out is noted in the transaction that revokes, which holds the number; whether its campaign has had too many is
looked at afterwards, by the bulk sender: nobody who holds a number then waits for a campaign.
"""

from datetime import datetime, timedelta

from chassis.caller import Caller
from chassis.clock import Clock
from chassis.database import Database, Transaction
from chassis.errors import not_found
from chassis.ids import new_id
from messaging import events
from messaging.domain.bulk_sends import OPT_OUT_RATE, OPT_OUT_WINDOW, BulkSendState, is_above
from messaging.store import bulk_sends, campaigns
from messaging.store.campaigns import OptOutCount
from messaging.store.settings import get_settings

# A campaign that has not reached enough numbers yet is looked at again, as long as its texts go out.
_NEXT_LOOK = timedelta(seconds=5)
_STILL_GOING_ON = timedelta(hours=1)


async def note_opt_out(tx: Transaction, phone: str, now: datetime, *, at: datetime | None = None) -> None:
    """Count a revocation, which happened `at`, for the campaign whose text the number got last within seven days."""
    at = at or now
    await campaigns.note_opt_out(
        tx, phone=phone, opt_out_id=new_id("opt"), since=at - OPT_OUT_WINDOW, at=at, now=now
    )


async def look_at_opt_outs(*, database: Database, clock: Clock, most: int = 100) -> int:
    """Pause campaigns of which too many opted out, in all chains; return how many campaigns were looked at."""
    async with database.platform_transaction() as connection:
        found = await campaigns.with_new_opt_outs(connection, clock.now(), most)
    for chain_id, campaign_id in found:
        async with database.transaction(chain_id) as tx:
            if await campaigns.take_opt_outs(tx, campaign_id):
                await _judge(tx, campaign_id, clock.now())
    return len(found)


async def _judge(tx: Transaction, campaign_id: str, now: datetime) -> None:
    campaign = await campaigns.lock(tx, campaign_id)
    if campaign.is_paused:
        return
    settings = await get_settings(tx)
    counted = await campaigns.count(tx, campaign_id)
    if not is_above(
        sent=counted.sent_count,
        opted_out=counted.opt_out_count,
        share=settings.opt_out_pause_share,
        after=settings.opt_out_pause_after,
    ):
        has_too_few = counted.sent_count < settings.opt_out_pause_after
        if has_too_few and await campaigns.is_going_on(tx, campaign_id, now - _STILL_GOING_ON):
            await campaigns.look_again(tx, campaign_id, new_id("opt"), now + _NEXT_LOOK)
        return
    await campaigns.pause(tx, campaign_id, now)
    tx.publish(
        events.campaign_paused(
            campaign_id, sent_count=counted.sent_count, opt_out_count=counted.opt_out_count
        ),
        entity_id=campaign_id,
    )
    for bulk_send_id in await bulk_sends.of_campaign(tx, campaign_id, BulkSendState.RUNNING):
        bulk_send = await bulk_sends.lock_alone(tx, bulk_send_id)
        if bulk_send is not None and bulk_send.state is BulkSendState.RUNNING:
            await bulk_sends.save(tx, bulk_send.paused(OPT_OUT_RATE, now=now))


async def resume_campaign(
    *, database: Database, clock: Clock, caller: Caller, campaign_id: str
) -> OptOutCount:
    """Let a paused campaign and its bulk sends go on, and count its opt-outs from here; a repeat changes nothing.

    Raises CAMPAIGN_NOT_FOUND, and STORE_NOT_YOURS when it is other stores' as well.
    """
    now = clock.now()
    async with database.transaction(caller.chain_id) as tx:
        stores = await campaigns.stores_of(tx, campaign_id)
        if not stores:
            raise not_found("campaign", campaign_id)
        for store_id in stores:
            caller.require_store(store_id)
        if await release_campaign(tx, campaign_id, now):
            for bulk_send_id in await bulk_sends.of_campaign(tx, campaign_id, BulkSendState.PAUSED):
                bulk_send = await bulk_sends.lock_alone(tx, bulk_send_id)
                if bulk_send is not None and bulk_send.pause_reason == OPT_OUT_RATE:
                    await bulk_sends.save(tx, bulk_send.resumed(now=now))
                    await bulk_sends.let_go_on(tx, bulk_send_id, now)
        return await campaigns.count(tx, campaign_id)


async def release_campaign(tx: Transaction, campaign_id: str, now: datetime) -> bool:
    """Let a campaign go on and count from here; False when it was not paused."""
    campaign = await campaigns.lock(tx, campaign_id)
    if not campaign.is_paused:
        return False
    await campaigns.resume(tx, campaign_id, now)
    return True
