"""The permission ledger, of which lines are only ever added, and the numbers that take no texts."""

# ruff: noqa: S608 - what is put into statements here are constants of this module

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import Row

from chassis.database import Transaction
from messaging.domain import Change, Channel, PermissionEntry, Purpose
from messaging.suppression import Suppressor

COLUMNS = (
    "entry_id, phone, purpose, change, evidence, source, actor, cause_id, occurred_at, position, channel"
)
# Which line decides: the latest by the time it happened, not by the time we heard of it; on a tie the revocation, then
# the suspension, then what waits for a YES.
_DECIDING_FIRST = (
    "occurred_at desc, (change <> 'GRANTED') desc, (change = 'REVOKED') desc, (change = 'SUSPENDED') desc,"
    " position desc"
)


def _lines_of(phone: str, channel: str, number_hash: str) -> str:
    """Return the lines of a number on a channel, and what its hash remembers from before an erasure: revocations only,
    of all channels."""
    return f"""
        (select {COLUMNS} from permission_entries
            where chain_id = :chain_id and phone = {phone} and channel = {channel}
        union all
        select entry_id, {phone}, purpose, 'REVOKED', '', source, '', erasure_id, occurred_at, 0, {channel}
        from suppressions where chain_id = :chain_id and number_hash = {number_hash}) as lines
    """


# A line that lifts takes with it the suspensions that were written down before it, and says nothing itself.
_COUNTS = """
    change <> 'LIFTED' and not (change = 'SUSPENDED' and exists (select 1 from permission_entries lift
        where lift.chain_id = :chain_id and lift.phone = lines.phone and lift.channel = lines.channel
        and lift.purpose = lines.purpose and lift.change = 'LIFTED' and lift.position > lines.position))
"""


def deciding_line(*, phone: str, channel: str, purpose: str, number_hash: str) -> str:
    """Return the query for the line that decides, of what its arguments name within a statement with `:chain_id`."""
    return (
        f"select {COLUMNS} from {_lines_of(phone, channel, number_hash)}"
        f" where purpose = {purpose} and {_COUNTS} order by {_DECIDING_FIRST} limit 1"
    )


async def add(tx: Transaction, entries: Sequence[PermissionEntry], now: datetime) -> None:
    """Write lines down, in this order."""
    if entries:
        await tx.execute(
            "insert into permission_entries (entry_id, chain_id, phone, purpose, change, evidence, source, actor,"
            " cause_id, occurred_at, recorded_at, channel) values (:entry_id, :chain_id, :phone, :purpose, :change,"
            " :evidence, :source, :actor, :cause_id, :occurred_at, :now, :channel)",
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
                    "channel": entry.channel,
                    "now": now,
                }
                for entry in entries
            ],
        )


async def of_phone(
    tx: Transaction, phone: str, suppressor: Suppressor, channel: Channel = Channel.SMS
) -> list[PermissionEntry]:
    """Return all lines of a number on a channel that count; the first one of each purpose decides."""
    found = await tx.execute(
        f"select {COLUMNS} from {_lines_of('cast(:phone as text)', 'cast(:channel as text)', ':number_hash')}"
        f" where {_COUNTS} order by {_DECIDING_FIRST}",
        {
            "phone": phone,
            "channel": channel,
            "chain_id": tx.chain_id,
            "number_hash": suppressor.hash_of(tx.chain_id, phone),
        },
    )
    return [entry_of(row) for row in found]


async def deciding(
    tx: Transaction, phone: str, purpose: Purpose, suppressor: Suppressor, channel: Channel = Channel.SMS
) -> PermissionEntry | None:
    """Return the line that decides for a number, a purpose and a channel."""
    return (await deciding_each(tx, [(phone, purpose, channel)], suppressor))[0]


async def deciding_each(
    tx: Transaction, asked: Sequence[tuple[str, Purpose, Channel]], suppressor: Suppressor
) -> list[PermissionEntry | None]:
    """Return the line that decides for each of many numbers with a purpose and a channel, in one statement."""
    columns = ", ".join(f"decides.{name}" for name in COLUMNS.split(", "))
    query = deciding_line(
        phone="asked.phone",
        channel="asked.channel",
        purpose="asked.purpose",
        number_hash="asked.number_hash",
    )
    found = await tx.execute(
        f"select {columns} from unnest(cast(:phones as text[]), cast(:purposes as text[]),"
        " cast(:channels as text[]), cast(:hashes as bytea[]))"
        " with ordinality as asked (phone, purpose, channel, number_hash, place)"
        f" left join lateral ({query}) as decides on true order by asked.place",
        {
            "chain_id": tx.chain_id,
            "phones": [phone for phone, _, _ in asked],
            "purposes": [purpose.value for _, purpose, _ in asked],
            "channels": [channel.value for _, _, channel in asked],
            "hashes": [suppressor.hash_of(tx.chain_id, phone) for phone, _, _ in asked],
        },
    )
    return [None if row.entry_id is None else entry_of(row) for row in found]


async def of_cause(tx: Transaction, cause_id: str) -> list[PermissionEntry]:
    """Return the lines that one consent, text or call led to, in the order in which they were written."""
    found = await tx.execute(
        f"select {COLUMNS} from permission_entries where cause_id = :cause_id order by position",
        {"cause_id": cause_id},
    )
    return [entry_of(row) for row in found]


async def page(
    tx: Transaction, *, phones: Sequence[str], before: tuple[datetime, int] | None, most: int
) -> Sequence[PermissionEntry]:
    """Return up to `most` lines of some numbers, newest first."""
    cut = "" if before is None else "and (occurred_at, position) < (:before_time, :before_position)"
    found = await tx.execute(
        f"select {COLUMNS} from permission_entries where phone = any(:phones) {cut}"
        " order by occurred_at desc, position desc limit :most",
        {
            "phones": list(phones),
            "most": most,
            **({} if before is None else {"before_time": before[0], "before_position": before[1]}),
        },
    )
    return [entry_of(row) for row in found]


async def note_verified(tx: Transaction, phone: str, verified_at: datetime, source: str) -> None:
    """Note when a number was last known to be its client's; an older time changes nothing."""
    await tx.execute(
        "insert into number_verifications as known (chain_id, phone, verified_at, source)"
        " values (:chain_id, :phone, :verified_at, :source)"
        " on conflict (chain_id, phone) do update set verified_at = excluded.verified_at, source = excluded.source"
        " where known.verified_at < excluded.verified_at",
        {"chain_id": tx.chain_id, "phone": phone, "verified_at": verified_at, "source": source},
    )


async def verified_at(tx: Transaction, phone: str) -> datetime | None:
    """Return when a number was last known to be its client's."""
    found = await tx.execute(
        "select verified_at from number_verifications where chain_id = :chain_id and phone = :phone",
        {"chain_id": tx.chain_id, "phone": phone},
    )
    moment: datetime | None = found.scalar_one_or_none()
    return moment


async def forget_verified(tx: Transaction, phone: str) -> None:
    """Forget when a number was verified: it is somebody else's, or its client was erased."""
    await tx.execute(
        "delete from number_verifications where chain_id = :chain_id and phone = :phone",
        {"chain_id": tx.chain_id, "phone": phone},
    )


async def latest_sender_id(tx: Transaction, phone: str, channel: Channel) -> str:
    """Return the sender that was last in a conversation with a number; empty when there was none."""
    found = await tx.execute(
        "select sender_id from conversations where chain_id = :chain_id and client_phone = :phone"
        " and channel = :channel order by last_message_time desc limit 1",
        {"chain_id": tx.chain_id, "phone": phone, "channel": channel},
    )
    return str(found.scalar_one_or_none() or "")


async def latest_body(tx: Transaction, phone: str, channel: Channel, *, author: str) -> str:
    """Return what an author wrote last to a number and that went out; empty when nothing did."""
    found = await tx.execute(
        "select m.body from messages m join conversations c on c.conversation_id = m.conversation_id"
        " where c.chain_id = :chain_id and c.client_phone = :phone and c.channel = :channel and m.author = :author"
        " and m.state in ('SENDING', 'UNKNOWN', 'SENT', 'DELIVERED') order by m.position desc limit 1",
        {"chain_id": tx.chain_id, "phone": phone, "channel": channel, "author": author},
    )
    return str(found.scalar_one_or_none() or "")


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


def entry_of(row: Row[tuple[object, ...]], but: Sequence[str] = ()) -> PermissionEntry:
    """Return the line that stands in a row, `but` for some of its columns."""
    words = {
        "purpose": Purpose(row.purpose),
        "change": Change(row.change),
        "channel": Channel(row.channel),
    }
    return PermissionEntry(
        **{key: value for key, value in {**row._mapping, **words}.items() if key not in but}
    )
