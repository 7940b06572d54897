"""The permission ledger, of which lines are only ever added, and the numbers that take no texts."""

# ruff: noqa: S608 - what is put into statements here are constants of this module

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import Row

from chassis.database import Transaction
from messaging.domain import Change, PermissionEntry, Purpose
from messaging.suppression import Suppressor

_COLUMNS = "entry_id, phone, purpose, change, evidence, source, actor, cause_id, occurred_at, position"
# Which line decides: the latest by the time it happened, not by the time we heard of it; on a tie the revocation, then
# the suspension.
_DECIDING_FIRST = "occurred_at desc, (change <> 'GRANTED') desc, (change = 'REVOKED') desc, position desc"


def _lines_of(phone: str, number_hash: str) -> str:
    """Return the lines of a number, and what its hash remembers from before an erasure: revocations only."""
    return f"""
        (select {_COLUMNS} from permission_entries where phone = {phone}
        union all
        select entry_id, {phone}, purpose, 'REVOKED', '', source, '', erasure_id, occurred_at, 0
        from suppressions where chain_id = :chain_id and number_hash = {number_hash}) as lines
    """


# A line that lifts takes with it the suspensions that were written down before it, and says nothing itself.
_COUNTS = """
    change <> 'LIFTED' and not (change = 'SUSPENDED' and exists (select 1 from permission_entries lift
        where lift.phone = lines.phone and lift.purpose = lines.purpose and lift.change = 'LIFTED'
        and lift.position > lines.position))
"""


async def add(tx: Transaction, entries: Sequence[PermissionEntry], now: datetime) -> None:
    """Write lines down, in this order."""
    if entries:
        await tx.execute(
            "insert into permission_entries (entry_id, chain_id, phone, purpose, change, evidence, source, actor,"
            " cause_id, occurred_at, recorded_at) values (:entry_id, :chain_id, :phone, :purpose, :change,"
            " :evidence, :source, :actor, :cause_id, :occurred_at, :now)",
            [
                {
                    "entry_id": entry.entry_id,
                    "chain_id": tx.chain_id,
                    "phone": entry.phone,
                    "purpose": entry.purpose,
                    "change": entry.change,
                    "evidence": entry.evidence,
                    "source": entry.source,
                    "actor": entry.actor,
                    "cause_id": entry.cause_id,
                    "occurred_at": entry.occurred_at,
                    "now": now,
                }
                for entry in entries
            ],
        )


async def of_phone(tx: Transaction, phone: str, suppressor: Suppressor) -> list[PermissionEntry]:
    """Return all lines of a number that count; the first one of each purpose decides."""
    found = await tx.execute(
        f"select {_COLUMNS} from {_lines_of('cast(:phone as text)', ':number_hash')} where {_COUNTS}"
        f" order by {_DECIDING_FIRST}",
        _number(tx, phone, suppressor),
    )
    return [_entry(row) for row in found]


async def deciding(
    tx: Transaction, phone: str, purpose: Purpose, suppressor: Suppressor
) -> PermissionEntry | None:
    """Return the line that decides for a number and a purpose."""
    return (await deciding_each(tx, [(phone, purpose)], suppressor))[0]


async def deciding_each(
    tx: Transaction, asked: Sequence[tuple[str, Purpose]], suppressor: Suppressor
) -> list[PermissionEntry | None]:
    """Return the line that decides for each of many numbers with a purpose, in one statement."""
    columns = ", ".join(f"decides.{name}" for name in _COLUMNS.split(", "))
    found = await tx.execute(
        f"select {columns} from unnest(cast(:phones as text[]), cast(:purposes as text[]), cast(:hashes as bytea[]))"
        " with ordinality as asked (phone, purpose, number_hash, place)"
        f" left join lateral (select {_COLUMNS} from {_lines_of('asked.phone', 'asked.number_hash')}"
        f" where purpose = asked.purpose and {_COUNTS} order by {_DECIDING_FIRST} limit 1) as decides on true"
        " order by asked.place",
        {
            "chain_id": tx.chain_id,
            "phones": [phone for phone, _ in asked],
            "purposes": [purpose.value for _, purpose in asked],
            "hashes": [suppressor.hash_of(tx.chain_id, phone) for phone, _ in asked],
        },
    )
    return [None if row.entry_id is None else _entry(row) for row in found]


async def of_cause(tx: Transaction, cause_id: str) -> list[PermissionEntry]:
    """Return the lines that one consent, text or call led to, in the order in which they were written."""
    found = await tx.execute(
        f"select {_COLUMNS} from permission_entries where cause_id = :cause_id order by position",
        {"cause_id": cause_id},
    )
    return [_entry(row) for row in found]


async def page(
    tx: Transaction, *, phones: Sequence[str], before: tuple[datetime, int] | None, most: int
) -> Sequence[PermissionEntry]:
    """Return up to `most` lines of some numbers, newest first."""
    cut = "" if before is None else "and (occurred_at, position) < (:before_time, :before_position)"
    found = await tx.execute(
        f"select {_COLUMNS} from permission_entries where phone = any(:phones) {cut}"
        " order by occurred_at desc, position desc limit :most",
        {
            "phones": list(phones),
            "most": most,
            **({} if before is None else {"before_time": before[0], "before_position": before[1]}),
        },
    )
    return [_entry(row) for row in found]


async def note_dead(tx: Transaction, phone: str, error_code: str, now: datetime) -> None:
    """Note that a number takes no texts."""
    await tx.execute(
        "insert into dead_numbers (chain_id, phone, error_code, noted_at) values (:chain_id, :phone, :code, :now)"
        " on conflict do nothing",
        {"chain_id": tx.chain_id, "phone": phone, "code": error_code, "now": now},
    )


async def note_alive(tx: Transaction, phone: str) -> None:
    """Note that somebody is there: a text came from the number, or was agreed to anew."""
    await tx.execute("delete from dead_numbers where phone = :phone", {"phone": phone})


async def dead_among(tx: Transaction, phones: Sequence[str]) -> set[str]:
    """Return which of some numbers take no texts."""
    found = await tx.execute(
        "select phone from dead_numbers where phone = any(:phones)", {"phones": list(phones)}
    )
    return {str(phone) for phone in found.scalars()}


def _number(tx: Transaction, phone: str, suppressor: Suppressor) -> dict[str, object]:
    return {
        "phone": phone,
        "chain_id": tx.chain_id,
        "number_hash": suppressor.hash_of(tx.chain_id, phone),
    }


def _entry(row: Row[tuple[object, ...]]) -> PermissionEntry:
    return PermissionEntry(**{**row._mapping, "purpose": Purpose(row.purpose), "change": Change(row.change)})
