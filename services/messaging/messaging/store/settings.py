"""A chain's own rules about its texts, one row a chain. Must not judge them."""

import json
from datetime import datetime, time
from functools import lru_cache
from typing import Any

from chassis.database import Transaction
from messaging.domain import ChainSettings, FrequencyCap, OwnHours, Purpose, SegmentPrice


async def get_settings(tx: Transaction) -> ChainSettings:
    """Return the chain's settings as they are in force: the built-in ones where it decided nothing."""
    return (await find_written(tx)).in_force()


async def find_written(tx: Transaction, *, lock: bool = False) -> ChainSettings:
    """Return the settings as they were written, built-in values as 0; with `lock`, nobody else writes them."""
    if lock:
        await tx.execute(
            "insert into messaging_settings (chain_id) values (:chain_id) on conflict do nothing",
            {"chain_id": tx.chain_id},
        )
    query = "select cast(document as text) as document, version from messaging_settings where chain_id = :chain_id"
    found = await tx.execute(query + (" for update" if lock else ""), {"chain_id": tx.chain_id})
    row = found.one_or_none()
    return ChainSettings() if row is None else settings_of(row.document, row.version)


async def put_settings(tx: Transaction, settings: ChainSettings, *, now: datetime) -> None:
    """Write settings in the place of those that are locked."""
    await tx.execute(
        "update messaging_settings set document = cast(:document as jsonb), version = :version, updated_at = :now"
        " where chain_id = :chain_id",
        {
            "chain_id": tx.chain_id,
            "document": _document(settings),
            "version": settings.version,
            "now": now,
        },
    )


@lru_cache(maxsize=1024)
def settings_of(document: str, version: int) -> ChainSettings:
    """Return the settings that a row says; the same row is read once."""
    stored = json.loads(document)
    if not stored:
        return ChainSettings(version=version)
    return ChainSettings(
        marketing_hours=_hours(stored["marketing_hours"]),
        service_hours=_hours(stored["service_hours"]),
        frequency_caps=tuple(
            FrequencyCap(Purpose(cap["purpose"]), cap["most"], cap["days"])
            for cap in stored["frequency_caps"]
        ),
        collision_hours=stored["collision_hours"],
        double_opt_in=stored["double_opt_in"],
        opt_out_pause_share=stored["opt_out_pause_share"],
        opt_out_pause_after=stored["opt_out_pause_after"],
        segment_prices=tuple(
            SegmentPrice(price["country"], price["currency"], price["nanos"])
            for price in stored["segment_prices"]
        ),
        forbidden_phrases=tuple(stored["forbidden_phrases"]),
        version=version,
    )


def _hours(stored: dict[str, Any] | None) -> OwnHours | None:
    if stored is None:
        return None
    return OwnHours(
        time.fromisoformat(stored["opens"]),
        time.fromisoformat(stored["closes"]),
        frozenset(stored["closed_weekdays"]),
    )


def _document(settings: ChainSettings) -> str:
    def hours(own: OwnHours | None) -> dict[str, Any] | None:
        if own is None:
            return None
        return {
            "opens": f"{own.opens:%H:%M}",
            "closes": f"{own.closes:%H:%M}",
            "closed_weekdays": sorted(own.closed_weekdays),
        }

    return json.dumps(
        {
            "marketing_hours": hours(settings.marketing_hours),
            "service_hours": hours(settings.service_hours),
            "frequency_caps": [
                {"purpose": cap.purpose, "most": cap.most, "days": cap.days}
                for cap in settings.frequency_caps
            ],
            "collision_hours": settings.collision_hours,
            "double_opt_in": settings.double_opt_in,
            "opt_out_pause_share": settings.opt_out_pause_share,
            "opt_out_pause_after": settings.opt_out_pause_after,
            "segment_prices": [
                {"country": price.country, "currency": price.currency, "nanos": price.nanos}
                for price in settings.segment_prices
            ],
            "forbidden_phrases": list(settings.forbidden_phrases),
        }
    )
