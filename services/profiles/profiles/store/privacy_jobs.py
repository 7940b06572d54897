"""What exports and erasures have still to do, and when: rows that any replica takes, over all chains."""

import enum
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import text

from chassis.database import Database, Transaction

# Who takes a job has it for so long; a process that died gives it up like this, one that works moves it on.
LEASE = timedelta(minutes=2)


class JobKind(enum.StrEnum):
    """What there is to do."""

    EXPORT = "export"
    EXPORT_EXPIRY = "export_expiry"
    # Nobody takes this one: it is overdue when the erasure is, and goes when all receipts are in.
    ERASURE = "erasure"
    RETENTION = "retention"


@dataclass(frozen=True, slots=True)
class Job:
    """One thing to do for a chain; `attempts` counts this one."""

    chain_id: str
    kind: JobKind
    subject_id: str
    attempts: int


async def add(tx: Transaction, kind: JobKind, subject_id: str, *, due_at: datetime) -> None:
    """Put something on the list, or move it to another time as if it had never been tried."""
    await tx.execute(
        "insert into privacy_jobs (chain_id, kind, subject_id, due_at) values (:chain_id, :kind, :subject_id, :due_at)"
        " on conflict (chain_id, kind, subject_id) do update set due_at = excluded.due_at, attempts = 0",
        {"chain_id": tx.chain_id, "kind": kind.value, "subject_id": subject_id, "due_at": due_at},
    )


async def move(tx: Transaction, kind: JobKind, subject_id: str, *, due_at: datetime) -> None:
    """Let a job come again later; its attempts stay counted."""
    await tx.execute(
        "update privacy_jobs set due_at = :due_at where kind = :kind and subject_id = :subject_id",
        {"kind": kind.value, "subject_id": subject_id, "due_at": due_at},
    )


async def remove(tx: Transaction, kind: JobKind, subject_id: str) -> None:
    """Take a job off the list."""
    await tx.execute(
        "delete from privacy_jobs where kind = :kind and subject_id = :subject_id",
        {"kind": kind.value, "subject_id": subject_id},
    )


async def take(database: Database, kind: JobKind, *, now: datetime) -> Job | None:
    """Take the job that has waited longest, for LEASE; None when none is due."""
    async with database.platform_transaction() as connection:
        taken = await connection.execute(
            text(
                "update privacy_jobs set due_at = :until, attempts = attempts + 1 where (chain_id, kind, subject_id) ="
                " (select chain_id, kind, subject_id from privacy_jobs where kind = :kind and due_at <= :now"
                "  order by due_at limit 1 for update skip locked) returning chain_id, subject_id, attempts"
            ),
            {"kind": kind.value, "now": now, "until": now + LEASE},
        )
        row = taken.one_or_none()
    return None if row is None else Job(row.chain_id, kind, row.subject_id, row.attempts)


async def count_overdue(database: Database, kind: JobKind, *, now: datetime) -> int:
    """Count the jobs of a kind, over all chains, whose time is over."""
    async with database.platform_transaction() as connection:
        found = await connection.execute(
            text("select count(*) from privacy_jobs where kind = :kind and due_at < :now"),
            {"kind": kind.value, "now": now},
        )
        return int(found.scalar_one())
