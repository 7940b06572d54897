"""Reports over messages, of the stores that one may see."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

from chassis.caller import Caller
from chassis.clock import Clock
from chassis.database import Database
from messaging.domain import Channel
from messaging.domain.reports import Delivery, Period, ReplyTimes
from messaging.store import campaigns, reports
from messaging.store.campaigns import OptOutCount
from messaging.store.reports import Scope


@dataclass(frozen=True)
class Asked:
    """What a report is asked for; days are None where none was said."""

    start_date: date | None = None
    end_date: date | None = None
    store_id: str = ""
    channel: Channel | None = None
    campaign_id: str = ""


async def report_deliveries(
    *, database: Database, clock: Clock, caller: Caller, asked: Asked
) -> tuple[Period, Delivery]:
    """Count texts by what became of them. Raises STORE_NOT_YOURS, and FIELD_INVALID for a period that is none."""
    scope = _scope(caller, asked, clock)
    async with database.transaction(caller.chain_id) as tx:
        return scope.period, await reports.sum_deliveries(tx, scope)


async def report_replies(
    *, database: Database, clock: Clock, caller: Caller, asked: Asked, by_associate: bool
) -> tuple[Period, Sequence[ReplyTimes]]:
    """Say how long clients wait. Raises STORE_NOT_YOURS, and FIELD_INVALID for a period that is none."""
    scope = _scope(caller, asked, clock)
    async with database.transaction(caller.chain_id) as tx:
        return scope.period, await reports.sum_replies(tx, scope, by_associate=by_associate)


async def report_opt_outs(
    *, database: Database, clock: Clock, caller: Caller, asked: Asked, before: str, most: int
) -> tuple[Period, Sequence[OptOutCount]]:
    """Count opt-outs by campaign, up to `most`, the newest id first. Raises FIELD_INVALID for a period that is none."""
    scope = _scope(caller, asked, clock)
    async with database.transaction(caller.chain_id) as tx:
        return scope.period, await campaigns.count_between(
            tx,
            begins=scope.period.begins,
            ends=scope.period.ends,
            stores=scope.stores,
            campaign_id=asked.campaign_id,
            before=before,
            most=most,
        )


def _scope(caller: Caller, asked: Asked, clock: Clock) -> Scope:
    if asked.store_id:
        caller.require_store(asked.store_id)
    return Scope(
        Period.asked(asked.start_date, asked.end_date, today=clock.now().date()),
        stores=caller.stores or None,
        store_id=asked.store_id,
        channel=asked.channel,
        campaign_id=asked.campaign_id,
    )
