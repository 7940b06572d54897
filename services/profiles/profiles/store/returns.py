"""Rows of what came back."""

from collections.abc import Mapping
from typing import Any

from chassis.database import Transaction
from chassis.errors import not_found
from profiles.domain.returns import Return, ReturnLine

_SELECT = """
    select r.return_id, r.purchase_id, p.client_id, r.store_id, r.returned_on, p.currency_code, r.exchange_purchase_id,
        r.reason, r.created_at,
        (select jsonb_agg(jsonb_build_array(l.purchase_line, l.quantity, l.amount_minor) order by l.position)
         from purchase_return_lines l where l.chain_id = r.chain_id and l.return_id = r.return_id) lines
    from purchase_returns r join purchases p on p.chain_id = r.chain_id and p.purchase_id = r.purchase_id
"""


async def returned_before(tx: Transaction, purchase_id: str) -> Mapping[int, tuple[int, int]]:
    """Return for each line of a purchase of which something came back: how many pieces, and for how much."""
    found = await tx.execute(
        "select l.purchase_line, sum(l.quantity) quantity, sum(l.amount_minor) amount from purchase_returns r"
        " join purchase_return_lines l on l.chain_id = r.chain_id and l.return_id = r.return_id"
        " where r.chain_id = :chain_id and r.purchase_id = :purchase_id group by l.purchase_line",
        {"chain_id": tx.chain_id, "purchase_id": purchase_id},
    )
    return {row.purchase_line: (int(row.quantity), int(row.amount)) for row in found}


async def add_return(tx: Transaction, returned: Return) -> None:
    """Insert a return of a locked purchase and count it there."""
    await tx.execute(
        "insert into purchase_returns (chain_id, return_id, purchase_id, store_id, returned_on, total_minor,"
        " exchange_purchase_id, reason, created_at) values (:chain_id, :return_id, :purchase_id, :store_id,"
        " :returned_on, :total_minor, :exchange_purchase_id, :reason, :created_at)",
        {
            "chain_id": tx.chain_id,
            "return_id": returned.return_id,
            "purchase_id": returned.purchase_id,
            "store_id": returned.store_id,
            "returned_on": returned.returned_on,
            "total_minor": returned.total_minor,
            "exchange_purchase_id": returned.exchange_purchase_id,
            "reason": returned.reason,
            "created_at": returned.created_at,
        },
    )
    await tx.execute(
        "insert into purchase_return_lines (chain_id, return_id, position, purchase_line, quantity, amount_minor)"
        " values (:chain_id, :return_id, :position, :purchase_line, :quantity, :amount_minor)",
        [
            {
                "chain_id": tx.chain_id,
                "return_id": returned.return_id,
                "position": position,
                "purchase_line": line.purchase_line,
                "quantity": line.quantity,
                "amount_minor": line.amount_minor,
            }
            for position, line in enumerate(returned.lines)
        ],
    )
    await tx.execute(
        "update purchases set returned_minor = returned_minor + :total where purchase_id = :purchase_id",
        {"total": returned.total_minor, "purchase_id": returned.purchase_id},
    )


async def get_return(tx: Transaction, return_id: str) -> Return:
    """Return what came back at once. Raises RETURN_NOT_FOUND."""
    found = await tx.execute(f"{_SELECT} where r.return_id = :return_id", {"return_id": return_id})
    if (row := found.one_or_none()) is None:
        raise not_found("return", return_id)
    return _return(row)


async def list_returns(tx: Transaction, purchase_id: str, *, after: str, limit: int) -> list[Return]:
    """Return what came back of a purchase, in the order in which it was recorded."""
    found = await tx.execute(
        f"{_SELECT} where r.chain_id = :chain_id and r.purchase_id = :purchase_id and r.return_id > :after"
        " order by r.return_id limit :limit",
        {"chain_id": tx.chain_id, "purchase_id": purchase_id, "after": after, "limit": limit},
    )
    return [_return(row) for row in found]


def _return(row: Any) -> Return:
    return Return(
        return_id=row.return_id,
        purchase_id=row.purchase_id,
        client_id=row.client_id,
        store_id=row.store_id,
        returned_on=row.returned_on,
        currency_code=row.currency_code,
        lines=tuple(ReturnLine(*line) for line in row.lines),
        exchange_purchase_id=row.exchange_purchase_id,
        reason=row.reason,
        created_at=row.created_at,
    )
