"""Read and decide what holds for a chain's clients."""

from dataclasses import replace

from chassis.caller import Caller
from chassis.clock import Clock
from chassis.database import Database
from chassis.errors import invalid
from profiles.domain.chain_settings import ChainSettings
from profiles.domain.directory import Chain
from profiles.store import audit
from profiles.store import chain_settings as store
from profiles.store import directory as directory_store
from profiles.store.clients import take_turns


async def get_settings(*, database: Database, caller: Caller) -> tuple[ChainSettings, Chain]:
    """Return what a chain decided, or the built-in numbers, and the chain, in whose currency amounts are."""
    async with database.transaction(caller.chain_id) as tx:
        return await store.get_settings(tx), await directory_store.get_chain(tx, caller.chain_id)


async def update_settings(
    *,
    database: Database,
    clock: Clock,
    caller: Caller,
    settings: ChainSettings,
    vip_currency_code: str,
    etag: str,
) -> tuple[ChainSettings, Chain]:
    """Decide anew; an empty etag overwrites whatever is there.

    Raises CHAIN_SETTINGS_CHANGED, and CURRENCY_MISMATCH for a VIP amount (if it has a currency) in another than the
    chain's.
    """
    now = clock.now()
    async with database.transaction(caller.chain_id) as tx:
        chain = await directory_store.get_chain(tx, caller.chain_id)
        if vip_currency_code not in ("", chain.currency_code):
            raise invalid(
                "settings.vip_amount.currency_code",
                f"must be {chain.currency_code}, the chain's",
                reason="CURRENCY_MISMATCH",
            )
        await take_turns(tx, ["chain settings"])
        there = await store.get_settings(tx)
        there.require_etag(etag)
        await store.save_settings(tx, replace(settings, version=there.version), now=now)
        await audit.note(tx, caller, "UpdateChainSettings", (), now=now, subject_id=caller.chain_id)
        return await store.get_settings(tx), chain
