"""Rows of timelines."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from chassis.database import Transaction
from profiles.domain.timeline import Entry, TimelineKind


async def add_entries(tx: Transaction, entries: Sequence[Entry]) -> None:
    """Insert entries of clients whom the transaction holds."""
    driver = await tx.driver()
    await driver.execute(
        "insert into timeline_entries (entry_id, chain_id, client_id, kind, occurred_at, summary, subject_id)"
        " select e.entry_id, $1, e.client_id, e.kind, e.occurred_at, e.summary, e.subject_id from"
        " unnest($2::text[], $3::text[], $4::text[], $5::timestamptz[], $6::text[], $7::text[])"
        " e (entry_id, client_id, kind, occurred_at, summary, subject_id)",
        tx.chain_id,
        [entry.entry_id for entry in entries],
        [entry.client_id for entry in entries],
        [entry.kind.value for entry in entries],
        [entry.occurred_at for entry in entries],
        [entry.summary for entry in entries],
        [entry.subject_id for entry in entries],
    )


async def list_entries(
    tx: Transaction,
    client_id: str,
    *,
    kinds: Sequence[TimelineKind],
    before: tuple[datetime, str] | None,
    limit: int,
) -> list[Entry]:
    """Return a client's entries, newest first, of the given kinds or of all."""
    conditions = ["client_id = :client_id"]
    parameters: dict[str, Any] = {"client_id": client_id, "limit": limit}
    if kinds:
        conditions.append("kind = any(:kinds)")
        parameters["kinds"] = [kind.value for kind in kinds]
    if before:
        conditions.append("(occurred_at, entry_id) < (:before_time, :before_id)")
        parameters |= {"before_time": before[0], "before_id": before[1]}
    found = await tx.execute(
        "select entry_id, client_id, kind, occurred_at, summary, subject_id from timeline_entries where"  # noqa: S608
        f" {' and '.join(conditions)} order by occurred_at desc, entry_id desc limit :limit",
        parameters,
    )
    return [
        Entry(
            row.entry_id, row.client_id, TimelineKind(row.kind), row.occurred_at, row.summary, row.subject_id
        )
        for row in found
    ]
