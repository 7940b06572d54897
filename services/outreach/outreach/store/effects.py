"""How often contacts for each signal were answered at a chain. Must not judge how well that is."""

from collections.abc import Mapping

from chassis.database import Transaction
from outreach.domain import Signal
from outreach.scoring.effects import Counts


async def find_effect_counts(tx: Transaction) -> Mapping[Signal, Counts]:
    """Return contacts and answers of each signal that has any."""
    found = await tx.execute(
        "select signal, contacts, answers from signal_effects where chain_id = :chain_id",
        {"chain_id": tx.chain_id},
    )
    known = {signal.value for signal in Signal}
    return {Signal(row.signal): Counts(row.contacts, row.answers) for row in found if row.signal in known}
