"""Today's book of a chain, of a slice of its clients, or of one. Must not judge what is in it.

The fast way: what changes only with events stands counted in `client_facts`, one row a client; rows of days that are
in reach are read beside it. `refresh.refresh_client_facts` counts; before a ranking `refresh` works off who is stale.
"""

from collections.abc import Sequence
from dataclasses import replace
from datetime import date

import numpy as np

from chassis.database import Transaction
from outreach.signals.book import Book
from outreach.signals.finding import day_number
from outreach.store.chains import Chain
from outreach.store.histories import KnownClient, Rests, read_client_history, read_histories


async def read_book(
    tx: Transaction,
    chain: Chain,
    *,
    as_of: date,
    rests: Rests,
    from_number: int = 0,
    until_number: int | None = None,
    numbers: Sequence[int] | None = None,
) -> Book:
    """Return the book of today, of the clients with these numbers (`until_number` is not among them).

    `numbers` names a few single clients instead of a range. The associate's number is the same in every slice.
    Only for today at the chain: what was counted holds for no earlier day. Earlier ones are counted from
    `histories.read_histories`.
    """
    histories = await read_histories(tx, chain, as_of=as_of, rests=rests)
    of_whom = histories.clients[:, 0]
    is_asked = (of_whom >= from_number) & (until_number is None or of_whom < until_number)
    if numbers is not None:
        is_asked &= np.isin(of_whom, np.asarray(numbers, dtype=np.int64))
    return Book.of(replace(histories, clients=histories.clients[is_asked]), day_number(as_of))


async def read_purchase_book(tx: Transaction, chain: Chain, *, as_of: date, rests: Rests) -> Book:
    """Return today's book of a whole chain with what the model and the tiers need: numbers and purchases alone.

    Everything else in it is empty or NEVER. For chains that are too large to be read as a whole.
    """
    return await read_book(tx, chain, as_of=as_of, rests=rests)


async def count_clients(tx: Transaction, *, most: int) -> int:
    """Return how many clients a book of the chain has, at most `most`: more are not counted."""
    found = await tx.execute(
        "select count(*) from (select 1 from clients where chain_id = :chain_id limit :most) as some",
        {"chain_id": tx.chain_id, "most": most},
    )
    return int(found.scalar_one())


async def read_client_book(
    tx: Transaction, chain: Chain, client_id: str, *, as_of: date, rests: Rests
) -> tuple[KnownClient, Book] | None:
    """Return one client's book of any day; None for an unknown, deleted or merged client."""
    known = await read_client_history(tx, chain, client_id, as_of=as_of, rests=rests)
    return None if known is None else (known[0], Book.of(known[1], day_number(as_of)))
