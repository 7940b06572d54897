"""What a chain's ranking goes by: its settings, what its signals have brought, its stores' numbers."""

from chassis.database import Transaction
from outreach.scoring.effects import effects
from outreach.scoring.rules import Rules
from outreach.store import effects as effects_store
from outreach.store import settings as settings_store


async def read_rules(tx: Transaction) -> Rules:
    """Return the chain's rules as they are in force."""
    settings = await settings_store.get_settings(tx)
    of_stores = sorted({one.store_id for one in settings.signals if one.store_id})
    stores: dict[str, int] = {}
    if of_stores:
        found = await tx.execute(
            "select name, number from numbered_names where chain_id = :chain_id and name = any(:names)",
            {"chain_id": tx.chain_id, "names": of_stores},
        )
        stores = {row.name: row.number for row in found}
    return Rules(
        chain_id=tx.chain_id,
        settings=settings,
        effects=effects(await effects_store.find_effect_counts(tx)),
        stores=stores,
    )
