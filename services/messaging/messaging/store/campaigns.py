"""Campaigns as far as opt-outs go: who opted out after whose text, what was reached, what is paused."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from chassis.database import Transaction
from messaging.domain.bulk_sends import Campaign


@dataclass(frozen=True)
class OptOutCount:
    """Numbers that texts of a campaign reached, and how many of them opted out."""

    campaign_id: str
    sent_count: int
    opt_out_count: int
    paused_at: datetime | None = None


async def is_paused(tx: Transaction, campaign_id: str) -> bool:
    """Return whether a campaign waits for somebody to look at its opt-outs."""
    found = await tx.execute(
        "select 1 from campaigns where chain_id = :chain_id and campaign_id = :id and paused_at is not null",
        {"chain_id": tx.chain_id, "id": campaign_id},
    )
    return found.first() is not None


async def note_opt_out(
    tx: Transaction, *, phone: str, opt_out_id: str, since: datetime, at: datetime, now: datetime
) -> None:
    """Count a number's opt-out for the campaign whose text was its last one since `since`; once a campaign."""
    await tx.execute(
        "with latest as (select m.campaign_id, m.conversation_id, m.message_id, m.store_id, m.sent_at from messages m"
        "  join conversations c on c.conversation_id = m.conversation_id"
        "  where c.chain_id = :chain_id and c.client_phone = :phone and m.chain_id = :chain_id"
        "  and m.campaign_id <> '' and m.sent_at >= :since and m.sent_at <= :at"
        "  order by m.sent_at desc, m.position desc limit 1),"
        " noted as (insert into campaign_opt_outs"
        "  (chain_id, campaign_id, conversation_id, message_id, store_id, sent_at,"
        "  opted_out_at) select :chain_id, campaign_id, conversation_id, message_id, store_id, sent_at, :at from latest"
        "  on conflict do nothing returning campaign_id)"
        " insert into due_opt_outs (chain_id, opt_out_id, campaign_id, due_time)"
        " select :chain_id, :opt_out_id, campaign_id, :now from noted",
        {
            "chain_id": tx.chain_id,
            "phone": phone,
            "opt_out_id": opt_out_id,
            "since": since,
            "at": at,
            "now": now,
        },
    )


async def forget_texts(tx: Transaction, message_ids: Collection[str]) -> None:
    """Forget opt-outs after texts that are removed: neither counts any more."""
    await tx.execute(
        "delete from campaign_opt_outs where chain_id = :chain_id and message_id = any(:ids)",
        {"chain_id": tx.chain_id, "ids": list(message_ids)},
    )


async def look_again(tx: Transaction, campaign_id: str, opt_out_id: str, due_time: datetime) -> None:
    """Have somebody look at the opt-outs of a campaign once more."""
    await tx.execute(
        "insert into due_opt_outs (chain_id, opt_out_id, campaign_id, due_time)"
        " values (:chain_id, :opt_out_id, :id, :due_time)",
        {"chain_id": tx.chain_id, "opt_out_id": opt_out_id, "id": campaign_id, "due_time": due_time},
    )


async def is_going_on(tx: Transaction, campaign_id: str, since: datetime) -> bool:
    """Return whether texts of a campaign went out since a moment, or a bulk send of it is running."""
    found = await tx.execute(
        "select exists (select 1 from bulk_sends where chain_id = :chain_id and campaign_id = :id"
        "  and state = 'RUNNING') or exists (select 1 from messages where chain_id = :chain_id"
        "  and campaign_id = :id and campaign_id <> '' and sent_at >= :since)",
        {"chain_id": tx.chain_id, "id": campaign_id, "since": since},
    )
    return bool(found.scalar_one())


async def with_new_opt_outs(
    connection: AsyncConnection, now: datetime, most: int
) -> Sequence[tuple[str, str]]:
    """Return (chain, campaign) of those in all chains whose opt-outs somebody is to look at."""
    found = await connection.execute(
        text(
            "select chain_id, campaign_id from due_opt_outs where due_time <= :now"
            " group by 1, 2 order by min(due_time) limit :most"
        ),
        {"now": now, "most": most},
    )
    return [(row.chain_id, row.campaign_id) for row in found]


async def take_opt_outs(tx: Transaction, campaign_id: str) -> bool:
    """Take up what is new of a campaign; False when somebody else did."""
    gone = await tx.execute(
        "delete from due_opt_outs where opt_out_id in (select opt_out_id from due_opt_outs"
        " where chain_id = :chain_id and campaign_id = :id for update skip locked)",
        {"chain_id": tx.chain_id, "id": campaign_id},
    )
    return bool(gone.rowcount)


async def lock(tx: Transaction, campaign_id: str) -> Campaign:
    """Return a campaign, once nobody else changes it; one that was never looked at counts from its first text."""
    await tx.execute(
        "insert into campaigns (chain_id, campaign_id, counted_from) values (:chain_id, :id, '-infinity')"
        " on conflict do nothing",
        {"chain_id": tx.chain_id, "id": campaign_id},
    )
    found = await tx.execute(
        "select paused_at is not null as is_paused from campaigns"
        " where chain_id = :chain_id and campaign_id = :id for update",
        {"chain_id": tx.chain_id, "id": campaign_id},
    )
    return Campaign(campaign_id, found.one().is_paused)


async def pause(tx: Transaction, campaign_id: str, now: datetime) -> None:
    """Let nothing of a locked campaign go out any more."""
    await tx.execute(
        "update campaigns set paused_at = :now where chain_id = :chain_id and campaign_id = :id",
        {"chain_id": tx.chain_id, "id": campaign_id, "now": now},
    )


async def resume(tx: Transaction, campaign_id: str, now: datetime) -> None:
    """Let a locked campaign go on; what went out before is not held against it any more."""
    await tx.execute(
        "update campaigns set paused_at = null, counted_from = :now"
        " where chain_id = :chain_id and campaign_id = :id",
        {"chain_id": tx.chain_id, "id": campaign_id, "now": now},
    )


async def stores_of(tx: Transaction, campaign_id: str) -> list[str]:
    """Return the stores that texts of a campaign are of; none for a campaign that nobody has heard of."""
    found = await tx.execute(
        "select store_id from bulk_sends where chain_id = :chain_id and campaign_id = :id"
        " union select store_id from messages where chain_id = :chain_id and campaign_id = :id and campaign_id <> ''"
        " order by store_id",
        {"chain_id": tx.chain_id, "id": campaign_id},
    )
    return [str(store_id) for store_id in found.scalars()]


async def count(tx: Transaction, campaign_id: str) -> OptOutCount:
    """Return what counts towards a pause: texts since the campaign was let go on last, and opt-outs after those."""
    found = await tx.execute(
        "select c.campaign_id, c.paused_at,"
        " (select count(distinct conversation_id) from messages where chain_id = :chain_id and campaign_id = :id"
        "  and campaign_id <> '' and sent_at >= c.counted_from) as sent_count,"
        " (select count(*) from campaign_opt_outs where chain_id = :chain_id and campaign_id = :id"
        "  and sent_at >= c.counted_from) as opt_out_count"
        " from campaigns c where c.chain_id = :chain_id and c.campaign_id = :id",
        {"chain_id": tx.chain_id, "id": campaign_id},
    )
    return OptOutCount(**found.one()._mapping)


async def count_between(
    tx: Transaction,
    *,
    begins: datetime,
    ends: datetime,
    stores: Collection[str] | None,
    campaign_id: str,
    before: str,
    most: int,
) -> Sequence[OptOutCount]:
    """Return what campaigns reached with texts of a span, and the opt-outs after those; up to `most`, newest id first.

    Of the texts of some stores only, unless `stores` is None.
    """
    found = await tx.execute(
        "select s.campaign_id, s.sent_count, c.paused_at, (select count(*) from campaign_opt_outs o"
        "  where o.chain_id = :chain_id and o.campaign_id = s.campaign_id"
        "  and o.sent_at >= :begins and o.sent_at < :ends"
        "  and (cast(:stores as text[]) is null or o.store_id = any(:stores))) as opt_out_count"
        " from (select campaign_id, count(distinct conversation_id) as sent_count from messages"
        "  where chain_id = :chain_id and campaign_id <> '' and sent_at >= :begins and sent_at < :ends"
        "  and (cast(:stores as text[]) is null or store_id = any(:stores))"
        "  and (:campaign_id = '' or campaign_id = :campaign_id) and (:before = '' or campaign_id < :before)"
        "  group by campaign_id order by campaign_id desc limit :most) as s"
        " left join campaigns c on c.chain_id = :chain_id and c.campaign_id = s.campaign_id"
        " order by s.campaign_id desc",
        {
            "chain_id": tx.chain_id,
            "begins": begins,
            "ends": ends,
            "stores": None if stores is None else sorted(stores),
            "campaign_id": campaign_id,
            "before": before,
            "most": most,
        },
    )
    return [OptOutCount(**row._mapping) for row in found]
