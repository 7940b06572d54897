"""The rows of allocations and their pieces."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from sqlalchemy import Row

from chassis.database import Transaction
from chassis.errors import not_found
from waitlist.domain.allocations import Allocation, Piece, PieceState, SerialTaken

_ALLOCATION = """
    select allocation_id, reference_id, code as reference_code, allocations.brand_id, store_id, received_at
    from allocations join brand_references using (reference_id)
"""
_PIECE = (
    "select piece_id, allocation_id, serial, state, coalesce(offer_id, '') as offer_id, version from pieces"
)


def _piece(row: Row[Any]) -> Piece:
    return Piece(**{**row._mapping, "state": PieceState(row.state)})


async def add(tx: Transaction, allocation: Allocation) -> None:
    """Write an allocation with its pieces. Raises SerialTaken with every serial that is in already."""
    await tx.execute(
        "insert into allocations (allocation_id, chain_id, reference_id, brand_id, store_id, received_at)"
        " values (:allocation_id, :chain_id, :reference_id, :brand_id, :store_id, :received_at)",
        {
            "chain_id": tx.chain_id,
            **{
                name: value
                for name, value in vars(allocation).items()
                if name not in ("pieces", "reference_code")
            },
        },
    )
    # By serial, so that two deliveries with common serials wait for one another instead of locking crosswise.
    numbered = sorted(enumerate(allocation.pieces), key=lambda numbered: numbered[1].serial)
    added = await tx.execute(
        "insert into pieces (piece_id, chain_id, allocation_id, brand_id, serial, position, state, version)"
        " select piece_id, :chain_id, :allocation_id, :brand_id, serial, position, 'AVAILABLE', 1"
        " from unnest(cast(:piece_ids as text[]), cast(:serials as text[]), cast(:positions as int[]))"
        " as given (piece_id, serial, position)"
        " on conflict (chain_id, brand_id, serial) where state <> 'RETURNED' do nothing returning serial",
        {
            "chain_id": tx.chain_id,
            "allocation_id": allocation.allocation_id,
            "brand_id": allocation.brand_id,
            "piece_ids": [piece.piece_id for _, piece in numbered],
            "serials": [piece.serial for _, piece in numbered],
            "positions": [position for position, _ in numbered],
        },
    )
    if taken := {piece.serial for piece in allocation.pieces} - set(added.scalars()):
        raise SerialTaken(sorted(taken))


async def _with_pieces(tx: Transaction, allocations: Sequence[Allocation]) -> list[Allocation]:
    found = await tx.execute(
        f"{_PIECE} where allocation_id = any(:allocation_ids) order by allocation_id, position",
        {"allocation_ids": [allocation.allocation_id for allocation in allocations]},
    )
    pieces = [_piece(row) for row in found]
    return [
        replace(
            allocation,
            pieces=tuple(piece for piece in pieces if piece.allocation_id == allocation.allocation_id),
        )
        for allocation in allocations
    ]


async def get(tx: Transaction, allocation_id: str) -> Allocation:
    """Read an allocation with its pieces. Raises NOT_FOUND."""
    found = await tx.execute(
        f"{_ALLOCATION} where allocation_id = :allocation_id", {"allocation_id": allocation_id}
    )
    if (row := found.one_or_none()) is None:
        raise not_found("allocation", allocation_id)
    return (await _with_pieces(tx, [Allocation(**row._mapping)]))[0]


async def lock(tx: Transaction, allocation_id: str) -> Allocation:
    """Read an allocation without its pieces and keep others from offering of it. Raises NOT_FOUND."""
    found = await tx.execute(
        f"{_ALLOCATION} where allocation_id = :allocation_id for no key update of allocations",
        {"allocation_id": allocation_id},
    )
    if (row := found.one_or_none()) is None:
        raise not_found("allocation", allocation_id)
    return Allocation(**row._mapping)


async def page(
    tx: Transaction, *, reference_id: str, store_id: str, before: str, limit: int
) -> list[Allocation]:
    """List allocations with their pieces, newest first, from before an id on; empty `before` for the newest."""
    found = await tx.execute(
        f"{_ALLOCATION} where allocations.chain_id = :chain_id"
        " and (:reference_id = '' or reference_id = :reference_id)"
        " and (:store_id = '' or store_id = :store_id) and (:before = '' or allocation_id < :before)"
        " order by allocation_id desc limit :limit",
        {
            "chain_id": tx.chain_id,
            "reference_id": reference_id,
            "store_id": store_id,
            "before": before,
            "limit": limit,
        },
    )
    return await _with_pieces(tx, [Allocation(**row._mapping) for row in found])


async def take_free_piece(tx: Transaction, allocation_id: str) -> Piece | None:
    """Lock and return the next free piece of an allocation, None when there is none."""
    found = await tx.execute(
        f"{_PIECE} where allocation_id = :allocation_id and state = 'AVAILABLE'"
        " order by position limit 1 for no key update skip locked",
        {"allocation_id": allocation_id},
    )
    row = found.one_or_none()
    return None if row is None else _piece(row)


async def lock_piece(tx: Transaction, piece_id: str) -> tuple[Piece, Allocation]:
    """Read a piece with its allocation and keep others from moving it. Raises NOT_FOUND."""
    found = await tx.execute(f"{_PIECE} where piece_id = :piece_id for no key update", {"piece_id": piece_id})
    if (row := found.one_or_none()) is None:
        raise not_found("piece", piece_id)
    piece = _piece(row)
    return piece, await get(tx, piece.allocation_id)


async def move_piece(tx: Transaction, piece_id: str, state: PieceState, *, offer_id: str) -> Piece:
    """Take a piece to a state and return it, its version counted up; empty `offer_id` for no offer."""
    moved = await tx.execute(
        "update pieces set state = :state, offer_id = nullif(:offer_id, ''), version = version + 1"
        " where piece_id = :piece_id"
        " returning piece_id, allocation_id, serial, state, coalesce(offer_id, '') as offer_id, version",
        {"piece_id": piece_id, "state": state, "offer_id": offer_id},
    )
    return _piece(moved.one())
