"""A chain's settings of its outreach, one row a chain. Must not judge them."""

import json
from dataclasses import asdict
from datetime import datetime
from typing import Any

from chassis.database import Transaction
from outreach.domain.settings import (
    AttributionRule,
    CreditShare,
    Fatigue,
    OutreachSettings,
    SegmentPrice,
    SignalSettings,
    TierBands,
)
from outreach.domain.suggestions import Signal, TierAction


async def get_settings(tx: Transaction) -> OutreachSettings:
    """Return the chain's settings as they are in force: the built-in ones where it decided nothing."""
    return (await tx.remembered("settings", lambda: find_written(tx))).in_force()


async def find_written(tx: Transaction, *, lock: bool = False) -> OutreachSettings:
    """Return the settings as they were written, built-in values as 0 or empty; with `lock`, nobody else writes them."""
    if lock:
        await tx.execute(
            "insert into outreach_settings (chain_id) values (:chain_id) on conflict do nothing",
            {"chain_id": tx.chain_id},
        )
    query = "select document, version from outreach_settings where chain_id = :chain_id"
    found = await tx.execute(query + (" for update" if lock else ""), {"chain_id": tx.chain_id})
    row = found.one_or_none()
    return OutreachSettings() if row is None else _settings(row.document, row.version)


async def put_settings(tx: Transaction, settings: OutreachSettings, *, now: datetime) -> None:
    """Write settings in the place of those that are locked."""
    await tx.execute(
        "update outreach_settings set document = cast(:document as jsonb), version = :version, updated_at = :now"
        " where chain_id = :chain_id",
        {
            "chain_id": tx.chain_id,
            "document": _document(settings),
            "version": settings.version,
            "now": now,
        },
    )


def _document(settings: OutreachSettings) -> str:
    document = asdict(settings)
    del document["version"]
    return json.dumps(document)


def _settings(document: dict[str, Any], version: int) -> OutreachSettings:
    if not document:
        return OutreachSettings(version=version)
    bands, rule, price = document["tier_bands"], document["attribution"], document["segment_price"]
    return OutreachSettings(
        signals=tuple(
            SignalSettings(Signal(one["signal"]), one["store_id"], one["is_off"], one["parameters"])
            for one in document["signals"]
        ),
        tier_bands=TierBands(
            top_share=bands["top_share"],
            middle_share=bands["middle_share"],
            top_action=_action(bands["top_action"]),
            middle_action=_action(bands["middle_action"]),
            base_action=_action(bands["base_action"]),
            prospect_action=_action(bands["prospect_action"]),
        ),
        daily_goal=document["daily_goal"],
        overdue_days=document["overdue_days"],
        exploration_share=document["exploration_share"],
        holdout_share=document["holdout_share"],
        segment_price=SegmentPrice(**price) if price else None,
        approval_above=document["approval_above"],
        attribution=AttributionRule(
            **{**rule, "share": CreditShare(rule["share"]) if rule["share"] else None}
        ),
        fatigue=Fatigue(**document.get("fatigue", {})),
        version=version,
    )


def _action(value: str | None) -> TierAction | None:
    return TierAction(value) if value else None
