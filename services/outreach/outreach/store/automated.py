"""Suggestions that are answered by a text of their own accord: taking the next ones. Must not decide what is said."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from chassis.database import Transaction
from outreach.domain import Signal, Tier


@dataclass(frozen=True)
class Automated:
    """A suggestion whose text is due; `is_first` when nobody has written to the client yet."""

    suggestion_id: str
    client_id: str
    associate_id: str
    store_id: str
    signal: Signal
    tier: Tier | None
    language: str
    is_first: bool


async def chains_after(platform: AsyncConnection, after: str, *, limit: int) -> Sequence[str]:
    """Return the next chains by id."""
    found = await platform.execute(
        text("select chain_id from chains where chain_id > :after order by chain_id limit :limit"),
        {"after": after, "limit": limit},
    )
    return list(found.scalars())


async def leave_to_people(tx: Transaction, *, wrote_since: datetime, now: datetime) -> None:
    """Give suggestions to associates whose client has written lately: no template breaks into a conversation."""
    await tx.execute(
        "with held as (select suggestion_id from suggestions s where chain_id = :chain_id and action = 'automated'"
        "  and state = 'open' and cardinality(tried_bodies) = 0"
        "  and exists (select 1 from contacts t where t.chain_id = s.chain_id and t.client_id = s.client_id"
        "   and t.kind = 'received' and t.contacted_at > :wrote_since) for update skip locked)"
        " update suggestions s set action = 'personal', version = s.version + 1, updated_at = :now from held"
        " where s.chain_id = :chain_id and s.suggestion_id = held.suggestion_id",
        {"chain_id": tx.chain_id, "wrote_since": wrote_since, "now": now},
    )


async def take_due(
    tx: Transaction,
    *,
    tiers: Sequence[Tier],
    today: date,
    marketed_since: datetime,
    now: datetime,
    again_at: datetime,
    limit: int,
) -> Sequence[Automated]:
    """Reserve the next suggestions of some tiers until `again_at`, the best first."""
    found = await tx.execute(
        "with due as (select suggestion_id from suggestions s where chain_id = :chain_id and action = 'automated'"
        "  and state = 'open' and expires_on >= :today and tier = any(:tiers)"
        "  and (automated_due_at is null or automated_due_at <= :now)"
        # Who has just had another text of the house is left in peace, unless this one may be on its way already.
        "  and (cardinality(tried_bodies) > 0 or not (exists (select 1 from contacts t where t.chain_id = s.chain_id"
        "    and t.client_id = s.client_id and t.kind = 'marketing' and t.contacted_at > :marketed_since)"
        "   or exists (select 1 from campaign_recipients r where r.chain_id = s.chain_id"
        "    and r.client_id = s.client_id and r.state in ('sending', 'sent') and r.asked_at > :marketed_since)))"
        "  order by score desc, suggestion_id limit :limit for update skip locked)"
        " update suggestions s set automated_due_at = :again_at from due where s.chain_id = :chain_id"
        " and s.suggestion_id = due.suggestion_id"
        " returning s.suggestion_id, s.client_id, s.associate_id, s.store_id, s.signals[1] as signal, s.tier,"
        " (select c.language from clients c where c.chain_id = s.chain_id and c.client_id = s.client_id) as language,"
        " not exists (select 1 from contacts t where t.chain_id = s.chain_id and t.client_id = s.client_id"
        "  and t.kind in ('sent', 'marketing')) as is_first",
        {
            "chain_id": tx.chain_id,
            "tiers": [str(tier) for tier in tiers],
            "today": today,
            "now": now,
            "again_at": again_at,
            "marketed_since": marketed_since,
            "limit": limit,
        },
    )
    return [
        Automated(
            **{
                **row._asdict(),
                "signal": Signal(row.signal),
                "tier": Tier(row.tier) if row.tier else None,
                "language": row.language or "",
            }
        )
        for row in found
    ]


async def has_automated(tx: Transaction) -> bool:
    """Return whether any suggestion is to be answered by itself."""
    found = await tx.execute(
        "select exists (select 1 from suggestions where chain_id = :chain_id and action = 'automated'"
        " and state = 'open')",
        {"chain_id": tx.chain_id},
    )
    return bool(found.scalar())
