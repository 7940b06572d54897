"""The row of a chain's decisions."""

import json
from datetime import date, datetime

from chassis.database import Transaction
from profiles.domain.chain_settings import CashLimit, ChainSettings, ChainSettingsChanged


async def get_settings(tx: Transaction) -> ChainSettings:
    """Return what the chain decided, or the built-in numbers."""
    found = await tx.execute(
        "select settings, version from chain_settings where chain_id = :chain_id", {"chain_id": tx.chain_id}
    )
    row = found.one_or_none()
    if row is None:
        return ChainSettings()
    kept = row.settings if isinstance(row.settings, dict) else json.loads(row.settings)
    limits = {
        country: CashLimit(amount, currency, date.fromisoformat(day) if day else None)
        for country, (amount, currency, day) in kept.pop("cash_limits", {}).items()
    }
    return ChainSettings(**kept, cash_limits=limits, version=row.version)


async def save_settings(tx: Transaction, settings: ChainSettings, *, now: datetime) -> None:
    """Write the version after the one `settings` was read as. Raises ChainSettingsChanged when it is not the last."""
    kept = {
        "merges_automatically": settings.merges_automatically,
        "vip_amount_minor": settings.vip_amount_minor,
        "one_timer_days": settings.one_timer_days,
        "lapsed_days": settings.lapsed_days,
        "occasion_lead_days": settings.occasion_lead_days,
        "purchase_retention_years": settings.purchase_retention_years,
        "cash_limits": {
            country: [
                limit.amount_minor,
                limit.currency_code,
                limit.valid_from and limit.valid_from.isoformat(),
            ]
            for country, limit in settings.cash_limits.items()
        },
    }
    written = await tx.execute(
        "insert into chain_settings (chain_id, settings, version, updated_at)"
        " values (:chain_id, cast(:settings as jsonb), :version + 1, :now)"
        " on conflict (chain_id) do update set settings = excluded.settings, version = excluded.version,"
        " updated_at = excluded.updated_at where chain_settings.version = :version",
        {"chain_id": tx.chain_id, "settings": json.dumps(kept), "version": settings.version, "now": now},
    )
    if not written.rowcount:
        raise ChainSettingsChanged
