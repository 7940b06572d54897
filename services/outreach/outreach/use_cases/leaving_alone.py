"""Leave some clients alone although there is a reason, so that what contact brings can be measured."""

from collections.abc import Mapping, Sequence
from datetime import date, datetime

from chassis.database import Transaction
from outreach.domain import Signal
from outreach.domain.holdouts import is_held_out, period_of
from outreach.signals import READINGS
from outreach.signals.book import Integers
from outreach.store import holdouts
from outreach.store.histories import KnownClient
from outreach.store.holdouts import Holdout


async def leave_alone(
    tx: Transaction,
    due: Mapping[int, tuple[KnownClient, Sequence[str]]],
    *,
    share: float,
    as_of: date,
    now: datetime,
) -> set[int]:
    """Return which of the clients that were to come on a queue are left alone instead, and note it; by number.

    Whose suggestion stands in a queue already is not: what an associate works on does not vanish. Nor is who waits for
    the house: a repair that is ready is said, whatever is being measured.
    """
    period = period_of(as_of)
    held = {
        number: (client, signals)
        for number, (client, signals) in due.items()
        if is_held_out(tx.chain_id, client.client_id, period, share=share)
        and not any(READINGS[Signal(signal)].is_service for signal in signals)
    }
    if not held:
        return set()
    live = await holdouts.clients_on_queues(tx, [client.client_id for client, _ in held.values()])
    alone = {number: one for number, one in held.items() if one[0].client_id not in live}
    await holdouts.add_holdouts(
        tx,
        [
            Holdout(client.client_id, client.associate_id, client.store_id, signals)
            for client, signals in alone.values()
        ],
        period=period,
        held_at=now,
    )
    return set(alone)


async def numbers_left_alone(tx: Transaction, *, share: float, as_of: date) -> Integers:
    """Return the numbers of clients who are left alone in the day's period already: they take no place in a queue."""
    return await holdouts.numbers_held(tx, period_of(as_of) if share > 0 else "")
