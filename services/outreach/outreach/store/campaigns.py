"""Campaigns, and which of them something has to be done for. Must not know who is in one; `store.recipients` does."""

import json
from collections.abc import Collection, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Row, text
from sqlalchemy.ext.asyncio import AsyncConnection

from chassis.database import Transaction
from outreach.domain import Signal, Tier
from outreach.domain.campaigns import Audience, Campaign, CampaignState, CampaignText, Plan, Starter

_COLUMNS = (
    "campaign_id, display_name, audience, texts, holdout_share, pace_per_hour, start_at, state, created_by, started_by,"
    " starters_associate_id, approved_by, created_at, updated_at, began_at, ended_at, version, frozen_until, is_frozen,"
    " paced_at"
)


async def add_campaign(tx: Transaction, campaign: Campaign) -> None:
    """Add a campaign."""
    await tx.execute(
        "insert into campaigns (chain_id, campaign_id, display_name, audience, texts, holdout_share, pace_per_hour,"
        " start_at, state, created_by, created_at, updated_at, version) values (:chain_id, :campaign_id, :display_name,"
        " cast(:audience as jsonb), cast(:texts as jsonb), :holdout_share, :pace_per_hour, :start_at, :state,"
        " :created_by, :created_at, :updated_at, :version)",
        {
            **_changeable(tx, campaign),
            "created_by": campaign.created_by,
            "created_at": campaign.created_at,
        },
    )


async def save_campaign(tx: Transaction, campaign: Campaign) -> None:
    """Write everything of a campaign that can change."""
    await tx.execute(
        "update campaigns set display_name = :display_name, audience = cast(:audience as jsonb),"
        " texts = cast(:texts as jsonb), holdout_share = :holdout_share, pace_per_hour = :pace_per_hour,"
        " start_at = :start_at, state = :state, started_by = :started_by,"
        " starters_associate_id = :starters_associate_id, approved_by = :approved_by, updated_at = :updated_at,"
        " began_at = :began_at, ended_at = :ended_at, version = :version, frozen_until = :frozen_until,"
        " is_frozen = :is_frozen, paced_at = :paced_at where chain_id = :chain_id and campaign_id = :campaign_id",
        _changeable(tx, campaign),
    )


async def find_campaign(tx: Transaction, campaign_id: str, *, lock: bool = False) -> Campaign | None:
    """Return a campaign; with `lock`, nobody else changes it before the commit."""
    found = await tx.execute(
        f"select {_COLUMNS} from campaigns where chain_id = :chain_id and campaign_id = :campaign_id"  # noqa: S608
        f" {'for update' if lock else ''}",
        {"chain_id": tx.chain_id, "campaign_id": campaign_id},
    )
    row = found.one_or_none()
    return None if row is None else _campaign(row)


async def list_campaigns(
    tx: Transaction,
    *,
    state: CampaignState | None,
    stores: Collection[str],
    before: str | None,
    limit: int,
) -> Sequence[Campaign]:
    """Return campaigns, the newest first; with `stores`, only those that are for no other stores."""
    found = await tx.execute(
        f"select {_COLUMNS} from campaigns where chain_id = :chain_id"  # noqa: S608 - fixed text only
        " and (cast(:state as text) is null or state = :state)"
        " and (cast(:before as text) is null or campaign_id < :before)"
        " and (:is_free or (audience->'store_ids' <> '[]' and audience->'store_ids' <@ cast(:stores as jsonb)))"
        " order by campaign_id desc limit :limit",
        {
            "chain_id": tx.chain_id,
            "state": state,
            "before": before,
            "is_free": not stores,
            "stores": json.dumps(sorted(stores)),
            "limit": limit,
        },
    )
    return [_campaign(row) for row in found]


async def set_due(tx: Transaction, campaign_id: str, due_at: datetime | None) -> None:
    """Say when something has to be done for a campaign, None for never."""
    parameters = {"chain_id": tx.chain_id, "campaign_id": campaign_id, "due_at": due_at}
    if due_at is None:
        await tx.execute(
            "delete from campaign_runs where chain_id = :chain_id and campaign_id = :campaign_id", parameters
        )
        return
    await tx.execute(
        "insert into campaign_runs (chain_id, campaign_id, due_at) values (:chain_id, :campaign_id, :due_at)"
        " on conflict (chain_id, campaign_id) do update set due_at = excluded.due_at",
        parameters,
    )


async def wake(tx: Transaction, campaign_id: str, at: datetime) -> None:
    """Have a campaign looked at no later than at a time, unless it is through."""
    await tx.execute(
        "update campaign_runs set due_at = least(due_at, :at) where chain_id = :chain_id"
        " and campaign_id = :campaign_id",
        {"chain_id": tx.chain_id, "campaign_id": campaign_id, "at": at},
    )


async def drop_run(tx: Transaction, campaign_id: str) -> bool:
    """Say that nothing is to be done for a campaign any more; False when that was said before."""
    dropped = await tx.execute(
        "delete from campaign_runs where chain_id = :chain_id and campaign_id = :campaign_id",
        {"chain_id": tx.chain_id, "campaign_id": campaign_id},
    )
    return bool(dropped.rowcount)


async def take_due(platform: AsyncConnection, *, now: datetime, again_at: datetime) -> tuple[str, str] | None:
    """Return (chain, campaign) that something has to be done for; it comes again at `again_at` unless set otherwise."""
    found = await platform.execute(
        text(
            "update campaign_runs set due_at = :again_at where (chain_id, campaign_id) = ("
            " select chain_id, campaign_id from campaign_runs where due_at <= :now"
            " order by due_at, chain_id, campaign_id limit 1 for update skip locked) returning chain_id, campaign_id"
        ),
        {"now": now, "again_at": again_at},
    )
    row = found.one_or_none()
    return None if row is None else (row.chain_id, row.campaign_id)


def _changeable(tx: Transaction, campaign: Campaign) -> dict[str, Any]:
    plan, starter = campaign.plan, campaign.started_by
    audience = plan.audience
    return {
        "chain_id": tx.chain_id,
        "campaign_id": campaign.campaign_id,
        "display_name": plan.display_name,
        "audience": json.dumps(
            {
                "store_ids": audience.store_ids,
                "associate_ids": audience.associate_ids,
                "tiers": audience.tiers,
                "brand_ids": audience.brand_ids,
                "categories": audience.categories,
                "signals": audience.signals,
                "segment_id": audience.segment_id,
                "bought_within_days": audience.bought_within_days,
                "not_bought_within_days": audience.not_bought_within_days,
            }
        ),
        "texts": json.dumps([{"language": one.language, "body": one.body} for one in plan.texts]),
        "holdout_share": plan.holdout_share,
        "pace_per_hour": plan.pace_per_hour,
        "start_at": plan.start_at,
        "state": campaign.state,
        "started_by": starter.actor_id if starter else "",
        "starters_associate_id": starter.associate_id if starter else "",
        "approved_by": campaign.approved_by,
        "updated_at": campaign.updated_at,
        "began_at": campaign.began_at,
        "ended_at": campaign.ended_at,
        "version": campaign.version,
        "frozen_until": campaign.frozen_until,
        "is_frozen": campaign.is_frozen,
        "paced_at": campaign.paced_at,
    }


def _campaign(row: Row[Any]) -> Campaign:
    audience = row.audience
    return Campaign(
        campaign_id=row.campaign_id,
        plan=Plan(
            display_name=row.display_name,
            audience=Audience(
                store_ids=tuple(audience["store_ids"]),
                associate_ids=tuple(audience["associate_ids"]),
                tiers=tuple(Tier(one) for one in audience["tiers"]),
                brand_ids=tuple(audience["brand_ids"]),
                categories=tuple(audience["categories"]),
                signals=tuple(Signal(one) for one in audience["signals"]),
                segment_id=audience["segment_id"],
                bought_within_days=audience["bought_within_days"],
                not_bought_within_days=audience["not_bought_within_days"],
            ),
            texts=tuple(CampaignText(one["language"], one["body"]) for one in row.texts),
            holdout_share=row.holdout_share,
            pace_per_hour=row.pace_per_hour,
            start_at=row.start_at,
        ),
        state=CampaignState(row.state),
        created_by=row.created_by,
        created_at=row.created_at,
        updated_at=row.updated_at,
        version=row.version,
        started_by=Starter(row.started_by, row.starters_associate_id) if row.started_by else None,
        approved_by=row.approved_by,
        began_at=row.began_at,
        ended_at=row.ended_at,
        is_frozen=row.is_frozen,
        frozen_until=row.frozen_until,
        paced_at=row.paced_at,
    )
