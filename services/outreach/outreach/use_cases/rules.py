"""What a chain's rankings go by, put together from what it decided and what its contacts brought."""

from chassis.database import Transaction
from outreach.scoring.effects import effects
from outreach.scoring.rules import Rules
from outreach.store import settings
from outreach.store.books import numbers_of_names
from outreach.store.effects import find_effect_counts


async def read_rules(tx: Transaction) -> Rules:
    """Return the rules of the transaction's chain, as they are now."""
    decided = await settings.get_settings(tx)
    stores = {one.store_id for one in decided.signals if one.store_id}
    return Rules(
        chain_id=tx.chain_id,
        settings=decided,
        effects=effects(await find_effect_counts(tx)),
        stores=await numbers_of_names(tx, stores) if stores else {},
    )
