"""Rows of wishes."""

from datetime import datetime
from typing import Any

from sqlalchemy import Row

from chassis.database import Transaction
from chassis.errors import not_found
from profiles.domain.wishes import Outcome, Wish, WishState
from profiles.store.documents import document_of, piece_of

_COLUMNS = (
    "wish_id, client_id, piece, note, for_whom, state, bought_by_client_id, is_surprise, surprise_ends_on, version,"
    " created_at"
)


async def add_wish(tx: Transaction, wish: Wish) -> None:
    """Insert a wish."""
    await tx.execute(
        "insert into wishes (chain_id, wish_id, client_id, piece, note, for_whom, state, bought_by_client_id,"
        " is_surprise, surprise_ends_on, version, created_at) values (:chain_id, :wish_id, :client_id,"
        " cast(:piece as jsonb), :note, :for_whom, :state, :bought_by_client_id, :is_surprise, :surprise_ends_on,"
        " :version, :created_at)",
        {
            "chain_id": tx.chain_id,
            "client_id": wish.client_id,
            "piece": document_of(wish.piece),
            "note": wish.note,
            "for_whom": wish.for_whom,
            "created_at": wish.created_at,
            **_changeable(wish),
        },
    )


async def get_wish(tx: Transaction, wish_id: str, *, lock: bool = False) -> Wish:
    """Return a wish; with `lock`, until the transaction ends. Raises WISH_NOT_FOUND."""
    found = await tx.execute(
        f"select {_COLUMNS} from wishes where wish_id = :wish_id{' for update' if lock else ''}",  # noqa: S608
        {"wish_id": wish_id},
    )
    if (row := found.one_or_none()) is None:
        raise not_found("wish", wish_id)
    return _wish(row)


async def save_wish(tx: Transaction, wish: Wish) -> None:
    """Write what became of a locked wish."""
    await tx.execute(
        "update wishes set state = :state, bought_by_client_id = :bought_by_client_id, is_surprise = :is_surprise,"
        " surprise_ends_on = :surprise_ends_on, version = :version where wish_id = :wish_id",
        _changeable(wish),
    )


async def delete_wish(tx: Transaction, wish_id: str) -> None:
    """Remove a locked wish."""
    await tx.execute("delete from wishes where wish_id = :wish_id", {"wish_id": wish_id})


async def list_wishes(
    tx: Transaction, client_id: str, *, before: tuple[datetime, str] | None, limit: int
) -> list[Wish]:
    """Return a client's wishes, newest first, as they are."""
    parameters: dict[str, Any] = {"client_id": client_id, "limit": limit}
    after = ""
    if before:
        after = " and (created_at, wish_id) < (:before_time, :before_id)"
        parameters |= {"before_time": before[0], "before_id": before[1]}
    found = await tx.execute(
        f"select {_COLUMNS} from wishes where client_id = :client_id{after}"  # noqa: S608
        " order by created_at desc, wish_id desc limit :limit",
        parameters,
    )
    return [_wish(row) for row in found]


def _changeable(wish: Wish) -> dict[str, Any]:
    return {
        "wish_id": wish.wish_id,
        "state": wish.outcome.state.value,
        "bought_by_client_id": wish.outcome.bought_by_client_id,
        "is_surprise": wish.outcome.is_surprise,
        "surprise_ends_on": wish.outcome.ends_on,
        "version": wish.version,
    }


def _wish(row: Row[Any]) -> Wish:
    return Wish(
        wish_id=row.wish_id,
        client_id=row.client_id,
        piece=piece_of(row.piece),
        note=row.note,
        for_whom=row.for_whom,
        created_at=row.created_at,
        outcome=Outcome(WishState(row.state), row.bought_by_client_id, row.is_surprise, row.surprise_ends_on),
        version=row.version,
    )
