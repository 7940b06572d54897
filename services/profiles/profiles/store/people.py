"""Whom an answer is about: the person behind an id, and the day at the person's store. For the rule on surprises."""

from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from chassis.database import Transaction
from chassis.errors import not_found

# What a person must not learn of stays out of answers about that person, unless they are asked to include it. Goes into
# a statement on a table with the columns of a surprise, with the parameters of Person.seen().
NOT_A_SURPRISE = (
    "(:include_surprises or surprise_for_client_id = '' or surprise_ends_on < :today"
    " or surprise_for_client_id <> all (:ids))"
)


@dataclass(frozen=True, slots=True)
class Person:
    """One client; `ids` are all ids that lead to this person, `today` is the day at the home store."""

    client_id: str
    ids: list[str]
    today: date

    def seen(self, *, include_surprises: bool = False) -> dict[str, Any]:
        """Return the parameters of NOT_A_SURPRISE."""
        return {"include_surprises": include_surprises, "today": self.today, "ids": self.ids}


async def get_person(tx: Transaction, client_id: str, *, now: datetime) -> Person:
    """Return who is behind an id, the survivor for one who was merged. Raises CLIENT_NOT_FOUND."""
    found = await tx.execute(
        "select c.client_id, array(select a.alias_id from client_aliases a where a.chain_id = c.chain_id"
        " and a.client_id = c.client_id) || c.client_id as ids,"
        " cast(cast(:now as timestamptz) at time zone s.time_zone as date) as today"
        " from clients c join stores s on s.chain_id = c.chain_id and s.store_id = c.home_store_id"
        " where c.client_id = coalesce("
        "(select a.client_id from client_aliases a where a.alias_id = :client_id), :client_id)",
        {"client_id": client_id, "now": now},
    )
    if (row := found.one_or_none()) is None:
        raise not_found("client", client_id)
    return Person(row.client_id, list(row.ids), row.today)
