"""The chain's own rules: read them, and decide anew."""

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

from chassis.clock import Clock
from chassis.database import Database
from chassis.errors import invalid
from messaging import places
from messaging.domain import ChainSettings, OwnHours, Purpose
from messaging.hours import LocalHours, next_open
from messaging.store import settings as store

_ANY_ZONE = ZoneInfo("UTC")
_ANY_MOMENT = datetime(2026, 1, 5, tzinfo=UTC)


async def get_settings(*, database: Database, chain_id: str) -> ChainSettings:
    """Return the chain's rules with the built-in values filled in."""
    async with database.transaction(chain_id) as tx:
        return await store.get_settings(tx)


async def update_settings(
    *, database: Database, clock: Clock, chain_id: str, wanted: ChainSettings, etag: str
) -> ChainSettings:
    """Put rules in the place of those that are there; what waits is asked about by them when its time has come.

    Raises MESSAGING_SETTINGS_CHANGED for a stale etag, and FIELD_INVALID for hours that leave no hour anywhere.
    """
    _require_hour("settings.marketing_hours", wanted.marketing_hours, Purpose.MARKETING)
    _require_hour("settings.service_hours", wanted.service_hours, Purpose.SERVICE)
    async with database.transaction(chain_id) as tx:
        stands = await store.find_written(tx, lock=True)
        decided = stands.updated(wanted, etag=etag)
        await store.put_settings(tx, decided, now=clock.now())
        return decided.in_force()


def _require_hour(field: str, own: OwnHours | None, purpose: Purpose) -> None:
    if own is None:
        return
    week = LocalHours(_ANY_ZONE, places.week_of_own(own))
    for rule in places.RULES:
        if rule.purpose is purpose and next_open(_ANY_MOMENT, [week, LocalHours(_ANY_ZONE, rule.week)]):
            return
    raise invalid(field, "leaves no hour that the law allows as well")
