"""Who a surprise is for, and through whose eyes a list is read."""

from dataclasses import dataclass
from datetime import date, datetime

from chassis.database import Transaction
from chassis.errors import invalid, not_found
from profiles.domain.surprises import NO_SURPRISE, Surprise
from profiles.store import clients as client_store

# A condition on a table `r` with the columns of a surprise, for Viewer.parameters.
SHOWN = (
    "(:include_surprises or r.surprise_for_client_id = '' or r.surprise_ends_on < :today"
    " or r.surprise_for_client_id <> all (:hers))"
)


@dataclass(frozen=True, slots=True)
class Viewer:
    """A client about whom something is read: all ids that lead to the client, and the day at the client's store."""

    client_id: str
    hers: tuple[str, ...]
    today: date

    def parameters(self, *, include_surprises: bool) -> dict[str, object]:
        """Return the parameters of SHOWN."""
        return {"include_surprises": include_surprises, "hers": list(self.hers), "today": self.today}


async def keep_surprise(tx: Transaction, surprise: Surprise, field: str = "surprise_end_date") -> Surprise:
    """Return a surprise for a client who stays until the transaction ends. Raises CLIENT_NOT_FOUND, and INVALID on
    `field` for an end of no surprise."""
    if not surprise.client_id:
        if surprise.ends_on is not None:
            raise invalid(field, "is only for a surprise: say for whom with surprise_for_client_id")
        return NO_SURPRISE
    return Surprise(await client_store.keep_client(tx, surprise.client_id), surprise.ends_on)


async def get_viewer(tx: Transaction, client_id: str, *, now: datetime) -> Viewer:
    """Return the client behind an id, merged or not, with all ids that lead there. Raises CLIENT_NOT_FOUND."""
    found = await tx.execute(
        """
        select c.client_id,
            array(select a.alias_id from client_aliases a where a.chain_id = c.chain_id and a.client_id = c.client_id)
                || c.client_id as hers,
            cast(cast(:now as timestamptz) at time zone s.time_zone as date) as today
        from clients c join stores s on s.chain_id = c.chain_id and s.store_id = c.home_store_id
        where c.client_id = coalesce(
            (select a.client_id from client_aliases a where a.alias_id = :client_id), :client_id)
        """,
        {"client_id": client_id, "now": now},
    )
    if (row := found.one_or_none()) is None:
        raise not_found("client", client_id)
    return Viewer(row.client_id, tuple(row.hers), row.today)
