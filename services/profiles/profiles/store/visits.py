"""Rows of visits."""

from chassis.database import Transaction
from chassis.errors import not_found
from profiles.domain.pieces import Visit, VisitItem
from profiles.store.pieces import PIECE_COLUMNS, PIECE_VALUES, piece_of, piece_values


async def add_visit(tx: Transaction, visit: Visit) -> None:
    """Insert a visit."""
    await tx.execute(
        "insert into visits (visit_id, chain_id, client_id, store_id, associate_id, visited_at, for_whom, needed_by,"
        " note, created_at) values (:visit_id, :chain_id, :client_id, :store_id, :associate_id, :visited_at,"
        " :for_whom, :needed_by, :note, :created_at)",
        {
            "visit_id": visit.visit_id,
            "chain_id": tx.chain_id,
            "client_id": visit.client_id,
            "store_id": visit.store_id,
            "associate_id": visit.associate_id,
            "visited_at": visit.visited_at,
            "for_whom": visit.for_whom,
            "needed_by": visit.needed_by,
            "note": visit.note,
            "created_at": visit.created_at,
        },
    )
    if visit.items:
        await tx.execute(
            f"insert into visit_items (visit_id, position, chain_id, is_liked, {PIECE_COLUMNS})"  # noqa: S608
            f" values (:visit_id, :position, :chain_id, :is_liked, {PIECE_VALUES})",
            [
                {
                    "visit_id": visit.visit_id,
                    "position": position,
                    "chain_id": tx.chain_id,
                    "is_liked": item.is_liked,
                    **piece_values(item.piece),
                }
                for position, item in enumerate(visit.items)
            ],
        )


async def get_visit(tx: Transaction, visit_id: str) -> Visit:
    """Return a visit. Raises VISIT_NOT_FOUND."""
    found = await tx.execute(
        "select client_id, store_id, associate_id, visited_at, for_whom, needed_by, note, created_at from visits"
        " where visit_id = :visit_id",
        {"visit_id": visit_id},
    )
    if (row := found.one_or_none()) is None:
        raise not_found("visit", visit_id)
    items = await tx.execute(
        f"select {PIECE_COLUMNS}, is_liked from visit_items where visit_id = :visit_id order by position",  # noqa: S608
        {"visit_id": visit_id},
    )
    return Visit(
        visit_id=visit_id,
        client_id=row.client_id,
        store_id=row.store_id,
        associate_id=row.associate_id,
        visited_at=row.visited_at,
        items=tuple(VisitItem(piece_of(item), item.is_liked) for item in items),
        for_whom=row.for_whom,
        needed_by=row.needed_by,
        note=row.note,
        created_at=row.created_at,
    )
