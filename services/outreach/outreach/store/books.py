"""Today's book of a chain, of a slice of its clients, or of one. Must not judge what is in it.

The fast way: what changes only with events stands counted in `client_facts`, one row a client; rows of days that are
in reach are read beside it. `refresh.refresh_client_facts` counts; before a ranking `refresh` works off who is stale.
"""

from datetime import date

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
) -> Book:
    """Return the book of today, of the clients with these numbers (`until_number` is not among them).

    Only for today at the chain: what was counted holds for no earlier day. Earlier ones are counted from
    `histories.read_histories`.
    """
    histories = await read_histories(tx, chain, as_of=as_of, rests=rests)
    return Book.of(histories, day_number(as_of))


async def read_client_book(
    tx: Transaction, chain: Chain, client_id: str, *, as_of: date, rests: Rests
) -> tuple[KnownClient, Book] | None:
    """Return one client's book of any day; None for an unknown, deleted or merged client."""
    known = await read_client_history(tx, chain, client_id, as_of=as_of, rests=rests)
    return None if known is None else (known[0], Book.of(known[1], day_number(as_of)))
