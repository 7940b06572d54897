"""Ids that lead to another one: of things merged, taken apart again, or forgotten. Must not know what they are.

What holds is a function of all merges that were said and not taken back, so that it is the same in whichever order, and
however often, they are said; a merge that is taken back before it was heard of never happens. Of several that
contradict one another for a moment, because one of them is late, the newest counts (merge ids are ordered by time).

A table that keeps rows of such things has two columns for it: the id whose row it is now, and the one under which it
came, `original_<column>`, empty as long as the row has never moved. `move_rows` brings the first up to date.

The tables are made by `migrations.create_identity_tables`.
"""

from collections.abc import Collection, Mapping, Sequence

from chassis.database import Transaction

_HELD, _KNOWN = "identities held", "identities known"


async def hold(tx: Transaction) -> None:
    """Keep merges of the chain out until this transaction ends: first thing in one that writes rows under such ids."""

    async def take() -> bool:
        await tx.execute("select pg_advisory_xact_lock_shared(hashtextextended(:key, 0))", {"key": _key(tx)})
        return True

    await tx.remembered(_HELD, take)


async def resolve(tx: Transaction, ids: Collection[str]) -> dict[str, str]:
    """Return where each id leads now, itself for most; forgotten ones are left out. For what events say."""
    if tx.memory is None or _HELD not in tx.memory:
        return await _look_up(tx, ids)
    # While merges are kept out nothing leads elsewhere.
    known: dict[str, str | None] = tx.memory.setdefault(_KNOWN, {})
    unknown = set(ids) - known.keys()
    if unknown:
        found = await _look_up(tx, unknown)
        known.update({one: found.get(one) for one in unknown})
    return {one: current for one in ids if (current := known[one]) is not None}


async def _look_up(tx: Transaction, ids: Collection[str]) -> dict[str, str]:
    found = await tx.execute(
        "select given.id, coalesce(a.current_id, given.id) as current_id"
        " from (select distinct unnest(cast(:ids as text[])) as id) as given"
        " left join identity_aliases a on a.chain_id = :chain_id and a.alias_id = given.id"
        " where not exists (select 1 from forgotten_identities f"
        "  where f.chain_id = :chain_id and f.identity_id = given.id)",
        {"chain_id": tx.chain_id, "ids": list(ids)},
    )
    return {row.id: row.current_id for row in found}


async def find_current(tx: Transaction, identity_id: str) -> str | None:
    """Return where an id leads, None when it, or what it leads to, was forgotten. For what callers ask for."""
    current = (await resolve(tx, [identity_id])).get(identity_id)
    if current is None or current == identity_id:
        return current
    return (await resolve(tx, [current])).get(current)


async def whole(tx: Transaction, ids: Collection[str]) -> list[str]:
    """Return every id that leads to the same as one of `ids`, in order."""
    found = await tx.execute(
        "with roots as (select coalesce(a.current_id, given.id) as id"
        "  from unnest(cast(:ids as text[])) as given (id)"
        "  left join identity_aliases a on a.chain_id = :chain_id and a.alias_id = given.id)"
        " select id from roots union select alias_id from identity_aliases"
        " where chain_id = :chain_id and current_id in (select id from roots)"
        " union select unnest(cast(:ids as text[])) order by id",
        {"chain_id": tx.chain_id, "ids": list(ids)},
    )
    return [str(identity_id) for identity_id in found.scalars()]


async def merge(tx: Transaction, merge_id: str, *, kept_id: str, merged_id: str) -> dict[str, str]:
    """Note that `merged_id` leads to `kept_id`; return where every id leads now that had or has to do with the two.

    Waits for everybody who holds the chain, and keeps them out until the transaction ends.
    """
    return await _note(tx, merge_id, kept_id, merged_id, is_undone=False)


async def unmerge(tx: Transaction, merge_id: str, *, kept_id: str, merged_id: str) -> dict[str, str]:
    """Note that a merge was taken back, heard of or not; as `merge`."""
    return await _note(tx, merge_id, kept_id, merged_id, is_undone=True)


async def _note(
    tx: Transaction, merge_id: str, kept_id: str, merged_id: str, *, is_undone: bool
) -> dict[str, str]:
    await _hold_alone(tx)
    await tx.execute(
        "insert into identity_merges (chain_id, merge_id, kept_id, merged_id, is_undone)"
        " values (:chain_id, :merge_id, :kept_id, :merged_id, :is_undone) on conflict (chain_id, merge_id) do update"
        " set is_undone = identity_merges.is_undone or excluded.is_undone",
        {
            "chain_id": tx.chain_id,
            "merge_id": merge_id,
            "kept_id": kept_id,
            "merged_id": merged_id,
            "is_undone": is_undone,
        },
    )
    # Everything that was ever connected, so that what led somewhere until now is looked at as well.
    found = await tx.execute(
        "with recursive members (id) as (select unnest(cast(:ids as text[]))"
        "  union select case when m.kept_id = members.id then m.merged_id else m.kept_id end from members"
        "  join identity_merges m on m.chain_id = :chain_id and members.id in (m.kept_id, m.merged_id))"
        " select members.id, m.kept_id, m.is_undone from members left join identity_merges m"
        " on m.chain_id = :chain_id and m.merged_id = members.id order by m.merge_id desc",
        {"chain_id": tx.chain_id, "ids": [kept_id, merged_id]},
    )
    rows = found.all()
    members = sorted({str(row.id) for row in rows})
    leads_to = roots([(row.id, row.kept_id) for row in rows if row.kept_id and not row.is_undone])
    currents = {member: leads_to.get(member, member) for member in members}
    await tx.execute(
        "delete from identity_aliases where chain_id = :chain_id and alias_id = any(:members)",
        {"chain_id": tx.chain_id, "members": members},
    )
    await tx.execute(
        "insert into identity_aliases (chain_id, alias_id, current_id) select :chain_id, alias_id, current_id"
        " from unnest(cast(:aliases as text[]), cast(:currents as text[])) as given (alias_id, current_id)",
        {"chain_id": tx.chain_id, "aliases": list(leads_to), "currents": list(leads_to.values())},
    )
    return currents


def roots(newest_first: Sequence[tuple[str, str]]) -> dict[str, str]:
    """Return where (from, to) pairs lead in the end; of pairs from one id, or in a circle, the newest ones count."""
    following: dict[str, str] = {}

    def end_of(identity_id: str) -> str:
        while identity_id in following:
            identity_id = following[identity_id]
        return identity_id

    for merged_id, kept_id in newest_first:
        if merged_id not in following and end_of(kept_id) != merged_id:
            following[merged_id] = kept_id
    return {identity_id: end_of(identity_id) for identity_id in following}


async def move_rows(tx: Transaction, table: str, column: str, currents: Mapping[str, str]) -> int:
    """Give each row of `table` to whom it belongs now, by the id under which it came; return how many moved."""
    moved = 0
    # The first condition says what a partial index on the original column is made for.
    for condition in (
        f"t.original_{column} <> '' and t.original_{column} = m.id",
        f"t.original_{column} = '' and t.{column} = m.id",
    ):
        result = await tx.execute(
            f"update {table} t set {column} = m.current_id, original_{column} = m.id"  # noqa: S608 - names from code
            " from unnest(cast(:ids as text[]), cast(:currents as text[])) as m (id, current_id)"
            f" where t.chain_id = :chain_id and {condition} and t.{column} <> m.current_id",
            {"chain_id": tx.chain_id, "ids": list(currents), "currents": list(currents.values())},
        )
        moved += result.rowcount
    return moved


def original_of(came_as: str, current: str) -> str:
    """Return what stands in the original column of a new row."""
    return "" if came_as == current else came_as


def came_as(column: str, *, parameter: str = "ids") -> str:
    """Return the SQL condition for rows that came under one of the ids in a parameter."""
    given = f"any(:{parameter})"
    return (
        f"((original_{column} <> '' and original_{column} = {given})"
        f" or (original_{column} = '' and {column} = {given}))"
    )


async def forget(tx: Transaction, ids: Collection[str], *, cause_id: str) -> None:
    """Note that ids are nobody's any more: what comes late under them is to be dropped. As `merge`, it waits alone."""
    await _hold_alone(tx)
    await tx.execute(
        "insert into forgotten_identities (chain_id, identity_id, cause_id)"
        " select :chain_id, unnest(cast(:ids as text[])), :cause_id on conflict do nothing",
        {"chain_id": tx.chain_id, "ids": sorted(set(ids)), "cause_id": cause_id},
    )


async def find_receipt(tx: Transaction, cause_id: str) -> bytes | None:
    """Return what was kept of an earlier forgetting for the same cause."""
    await _hold_alone(tx)
    found = await tx.execute(
        "select receipt from forgetting_receipts where chain_id = :chain_id and cause_id = :cause_id",
        {"chain_id": tx.chain_id, "cause_id": cause_id},
    )
    receipt: bytes | None = found.scalar_one_or_none()
    return receipt


async def keep_receipt(tx: Transaction, cause_id: str, receipt: bytes) -> None:
    """Keep what is to be said again when the same is asked for again."""
    await tx.execute(
        "insert into forgetting_receipts (chain_id, cause_id, receipt) values (:chain_id, :cause_id, :receipt)",
        {"chain_id": tx.chain_id, "cause_id": cause_id, "receipt": receipt},
    )


async def _hold_alone(tx: Transaction) -> None:
    if tx.memory is not None:
        tx.memory.pop(_KNOWN, None)
    await tx.execute("select pg_advisory_xact_lock(hashtextextended(:key, 0))", {"key": _key(tx)})


def _key(tx: Transaction) -> str:
    return f"identities {tx.chain_id}"
