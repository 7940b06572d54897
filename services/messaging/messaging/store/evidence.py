"""The ledger of one number as evidence, and who was handed it. Must not decide what counts: all of it is shown."""

# ruff: noqa: S608 - what is put into statements here are constants of this module

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from chassis.database import Transaction
from messaging.domain import Change, Channel, PermissionEntry, Purpose
from messaging.store.permissions import COLUMNS, entry_of


@dataclass(frozen=True)
class EvidenceLine:
    """A line with the time at which it was written down; of one that an erasure left, nobody knows it any more."""

    entry: PermissionEntry
    recorded_at: datetime | None


async def page(
    tx: Transaction, phone: str, *, after: tuple[datetime, int] | None, most: int
) -> Sequence[EvidenceLine]:
    """Return up to `most` lines of a number, of all channels, oldest first."""
    cut = "" if after is None else "and (occurred_at, position) > (:after_time, :after_position)"
    found = await tx.execute(
        f"select {COLUMNS}, recorded_at from permission_entries where chain_id = :chain_id and phone = :phone {cut}"
        " order by occurred_at, position limit :most",
        {
            "chain_id": tx.chain_id,
            "phone": phone,
            "most": most,
            **({} if after is None else {"after_time": after[0], "after_position": after[1]}),
        },
    )
    return [EvidenceLine(entry_of(row, but=("recorded_at",)), row.recorded_at) for row in found]


async def of_hash(
    tx: Transaction, number_hash: bytes, phone: str, channel: Channel
) -> Sequence[EvidenceLine]:
    """Return what is kept of a number whose person was erased: that it asked for silence, and when."""
    found = await tx.execute(
        "select entry_id, purpose, source, erasure_id, occurred_at from suppressions"
        " where chain_id = :chain_id and number_hash = :number_hash order by occurred_at, purpose",
        {"chain_id": tx.chain_id, "number_hash": number_hash},
    )
    return [
        EvidenceLine(
            PermissionEntry(
                entry_id=row.entry_id,
                phone=phone,
                purpose=Purpose(row.purpose),
                change=Change.REVOKED,
                evidence="",
                source=row.source,
                actor="",
                cause_id=row.erasure_id,
                occurred_at=row.occurred_at,
                channel=channel,
            ),
            None,
        )
        for row in found
    ]


async def count(tx: Transaction, phone: str, number_hash: bytes) -> int:
    """Return how many lines there are of a number, those of its hash included."""
    found = await tx.execute(
        "select (select count(*) from permission_entries where chain_id = :chain_id and phone = :phone)"
        " + (select count(*) from suppressions where chain_id = :chain_id and number_hash = :number_hash)",
        {"chain_id": tx.chain_id, "phone": phone, "number_hash": number_hash},
    )
    return int(found.scalar_one())


async def note_download(
    tx: Transaction,
    *,
    download_id: str,
    number_hash: bytes,
    actor: str,
    line_count: int,
    now: datetime,
) -> None:
    """Write down who was handed the evidence of a number, which is named by its hash: an erasure leaves that."""
    await tx.execute(
        "insert into evidence_downloads (chain_id, download_id, number_hash, actor, line_count, downloaded_at)"
        " values (:chain_id, :download_id, :number_hash, :actor, :line_count, :now)",
        {
            "chain_id": tx.chain_id,
            "download_id": download_id,
            "number_hash": number_hash,
            "actor": actor,
            "line_count": line_count,
            "now": now,
        },
    )
