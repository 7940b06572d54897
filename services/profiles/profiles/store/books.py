"""Rows of who had whom, and of reassignments."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from chassis.database import Transaction
from profiles.domain.books import Assignment, AssignmentReason, BookExtent, Reassignment, Spreading


async def add_assignments(tx: Transaction, assignments: Sequence[Assignment]) -> None:
    """Insert changes of associates."""
    driver = await tx.driver()
    await driver.execute(
        "insert into assignments (chain_id, assignment_id, client_id, from_associate_id, to_associate_id, reason,"
        " actor, assigned_at) select $1, a.* from unnest($2::text[], $3::text[], $4::text[], $5::text[], $6::text[],"
        " $7::text[], $8::timestamptz[]) a",
        tx.chain_id,
        [assignment.assignment_id for assignment in assignments],
        [assignment.client_id for assignment in assignments],
        [assignment.from_associate_id for assignment in assignments],
        [assignment.to_associate_id for assignment in assignments],
        [assignment.reason.value for assignment in assignments],
        [assignment.actor for assignment in assignments],
        [assignment.assigned_at for assignment in assignments],
    )


async def list_assignments(
    tx: Transaction, client_ids: Sequence[str], *, before: tuple[datetime, str] | None, limit: int
) -> list[Assignment]:
    """Return a client's changes of associate, newest first; by all ids, for these rows are never re-pointed."""
    parameters: dict[str, Any] = {"client_ids": list(client_ids), "limit": limit}
    after = ""
    if before:
        after = " and (assigned_at, assignment_id) < (:before_time, :before_id)"
        parameters |= {"before_time": before[0], "before_id": before[1]}
    found = await tx.execute(
        "select assignment_id, client_id, from_associate_id, to_associate_id, reason, actor, assigned_at"  # noqa: S608
        f" from assignments where client_id = any(:client_ids){after}"
        " order by assigned_at desc, assignment_id desc limit :limit",
        parameters,
    )
    return [Assignment(**(dict(row._mapping) | {"reason": AssignmentReason(row.reason)})) for row in found]


_OF_BOOK = (
    "chain_id = :chain_id and associate_id = :associate_id and associate_id <> ''"
    " and (:store_id = '' or home_store_id = :store_id)"
)


async def measure_book(tx: Transaction, spreading: Spreading) -> BookExtent:
    """Return which clients are in the book at this moment."""
    found = await tx.execute(
        "select count(*) clients, coalesce(md5(string_agg(client_id, ',' order by client_id)), '') digest,"  # noqa: S608
        f" coalesce(max(client_id), '') last from clients where {_OF_BOOK}",
        {
            "chain_id": tx.chain_id,
            "associate_id": spreading.associate_id,
            "store_id": spreading.store_id,
        },
    )
    row = found.one()
    return BookExtent(int(row.clients), row.digest, row.last)


async def list_book(
    tx: Transaction, spreading: Spreading, *, after: str, until: str, limit: int, lock: bool = False
) -> list[str]:
    """Return the clients in the book by id, from behind `after` up to `until`; with `lock`, until the commit."""
    found = await tx.execute(
        f"select client_id from clients where {_OF_BOOK}"  # noqa: S608
        " and client_id > :after and client_id <= :until order by client_id limit :limit"
        f"{' for update' if lock else ''}",
        {
            "chain_id": tx.chain_id,
            "associate_id": spreading.associate_id,
            "store_id": spreading.store_id,
            "after": after,
            "until": until,
            "limit": limit,
        },
    )
    return list(found.scalars())


async def move_clients(
    tx: Transaction, client_ids: Sequence[str], associate_ids: Sequence[str], *, now: datetime
) -> None:
    """Put locked clients into the books of the associates beside them, and count the change."""
    driver = await tx.driver()
    await driver.execute(
        "update clients c set associate_id = m.associate_id, secondary_associate_id ="
        " case when c.secondary_associate_id = m.associate_id then '' else c.secondary_associate_id end,"
        " version = c.version + 1, updated_at = $2"
        " from unnest($3::text[], $4::text[]) m (client_id, associate_id)"
        " where c.chain_id = $1 and c.client_id = m.client_id",
        tx.chain_id,
        now,
        list(client_ids),
        list(associate_ids),
    )


async def add_reassignment(tx: Transaction, reassignment: Reassignment, *, actor: str) -> None:
    """Insert a reassignment that has not begun."""
    spreading = reassignment.spreading
    await tx.execute(
        "insert into reassignments (chain_id, reassignment_id, associate_id, target_ids, store_id, last_client_id,"
        " actor, created_at) values (:chain_id, :reassignment_id, :associate_id, :target_ids, :store_id,"
        " :last_client_id, :actor, :created_at)",
        {
            "chain_id": tx.chain_id,
            "reassignment_id": reassignment.reassignment_id,
            "associate_id": spreading.associate_id,
            "target_ids": list(spreading.target_ids),
            "store_id": spreading.store_id,
            "last_client_id": reassignment.last_client_id,
            "actor": actor,
            "created_at": reassignment.created_at,
        },
    )


async def lock_reassignment(tx: Transaction, reassignment_id: str) -> Reassignment:
    """Return a reassignment that nobody else moves on until the transaction ends."""
    found = await tx.execute(
        "select * from reassignments where reassignment_id = :reassignment_id for update",
        {"reassignment_id": reassignment_id},
    )
    row = found.one()
    return Reassignment(
        reassignment_id=row.reassignment_id,
        spreading=Spreading(row.associate_id, tuple(row.target_ids), row.store_id),
        last_client_id=row.last_client_id,
        done_client_id=row.done_client_id,
        moved=row.moved,
        created_at=row.created_at,
    )


async def save_reassignment(tx: Transaction, reassignment: Reassignment) -> None:
    """Write how far a locked reassignment is."""
    await tx.execute(
        "update reassignments set done_client_id = :done_client_id, moved = :moved"
        " where reassignment_id = :reassignment_id",
        {
            "reassignment_id": reassignment.reassignment_id,
            "done_client_id": reassignment.done_client_id,
            "moved": reassignment.moved,
        },
    )
