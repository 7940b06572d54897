"""Rows of pairs that may be one person, and of the passes that look for them."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from datetime import datetime
from typing import Any

import orjson
from sqlalchemy import Row, text

from chassis.database import Database, Transaction
from chassis.errors import not_found
from chassis.ids import new_id
from profiles.domain.duplicates import (
    NEW_EVIDENCE,
    REVIEW_SCORE,
    Duplicate,
    DuplicateMerged,
    DuplicatePass,
    DuplicateState,
    PassState,
    Reason,
    Score,
    Weight,
)
from profiles.store.matching import Pair, pair_of

_COLUMNS = (
    "d.duplicate_id, d.first_client_id, d.second_client_id, d.score, d.reasons, d.state, d.created_at, d.decided_by,"
    " d.decided_at"
)
_COLUMNS_OF_RUN = (
    "duplicate_pass_id, state, clients_read, pairs_compared, duplicates_found, merged_automatically, failure,"
    " created_at, finished_at"
)
_FIRST_KEY = -(2**63)


async def record_scores(
    tx: Transaction, scores: Mapping[Pair, Score], *, pass_id: str = "", now: datetime
) -> int:
    """Write how pairs score now, and return how many of those listed this pass had not found yet.

    A pair below the mark leaves the list. A dismissed one comes back for new evidence only.
    """
    if not scores:
        return 0
    driver = await tx.driver()
    rows = await driver.fetch(
        "select d.duplicate_id, d.first_client_id, d.second_client_id, d.score, d.state, d.pass_id from duplicates d"
        " join unnest($2::text[], $3::text[]) p (first_id, second_id) on d.first_client_id = p.first_id"
        " and d.second_client_id = p.second_id where d.chain_id = $1 order by d.duplicate_id for update of d",
        tx.chain_id,
        [first for first, _ in scores],
        [second for _, second in scores],
    )
    known = {(row[1], row[2]): row for row in rows}
    added: list[tuple[Any, ...]] = []
    changed: list[tuple[Any, ...]] = []
    gone: list[str] = []
    found = 0
    for pair, score in scores.items():
        row = known.get(pair)
        if row is None:
            if score.value >= REVIEW_SCORE:
                found += 1
                added.append(
                    (tx.chain_id, new_id("dup"), *pair, score.value, _reasons(score), score.is_certain, pass_id, now)
                )  # fmt: skip
            continue
        if row[4] == "merged":
            continue
        if score.value < REVIEW_SCORE:
            if row[4] == "open":
                gone.append(row[0])
            continue
        found += bool(pass_id) and row[5] != pass_id
        if row[4] == "dismissed" and _log_odds(score.value) < _log_odds(row[3]) + NEW_EVIDENCE:
            continue
        # Who was said to be somebody else once is merged by people only.
        is_certain = score.is_certain and row[4] == "open"
        changed.append((tx.chain_id, row[0], score.value, _reasons(score), is_certain, pass_id))
    if added:
        await driver.executemany(
            "insert into duplicates (chain_id, duplicate_id, first_client_id, second_client_id, score, reasons,"
            " is_certain, pass_id, state, created_at) values ($1, $2, $3, $4, $5, $6::jsonb, $7, $8, 'open', $9)"
            " on conflict (chain_id, first_client_id, second_client_id) do nothing",
            added,
        )
    if changed:
        await driver.executemany(
            "update duplicates set score = $3, reasons = $4::jsonb, is_certain = $5, state = 'open',"
            " pass_id = case when $6 = '' then pass_id else $6 end where chain_id = $1 and duplicate_id = $2",
            changed,
        )
    if gone:
        await driver.execute(
            "delete from duplicates where chain_id = $1 and duplicate_id = any($2::text[])", tx.chain_id, gone
        )
    return found


def _log_odds(value: float) -> float:
    return math.log(value / (1 - value)) if value < 1 else math.inf


def _reasons(score: Score) -> str:
    return orjson.dumps([asdict(weight) for weight in score.weights]).decode()


async def find_pairs_of(tx: Transaction, client_ids: Sequence[str]) -> set[Pair]:
    """Return the pairs on record that clients are in, but those merged."""
    driver = await tx.driver()
    rows = await driver.fetch(
        "select first_client_id, second_client_id from duplicates where chain_id = $1 and state <> 'merged'"
        " and first_client_id = any($2::text[]) union select first_client_id, second_client_id from duplicates"
        " where chain_id = $1 and state <> 'merged' and second_client_id = any($2::text[])",
        tx.chain_id,
        list(client_ids),
    )
    return {(row[0], row[1]) for row in rows}


async def list_certain(tx: Transaction, *, most: int) -> list[Pair]:
    """Return open pairs that nobody need look at."""
    driver = await tx.driver()
    rows = await driver.fetch(
        "select first_client_id, second_client_id from duplicates where chain_id = $1 and is_certain"
        " and state = 'open' order by duplicate_id limit $2",
        tx.chain_id,
        most,
    )
    return [(row[0], row[1]) for row in rows]


async def leave_to_people(tx: Transaction, pair: Pair) -> None:
    """Say that a pair is not certain after all."""
    await tx.execute(
        "update duplicates set is_certain = false where first_client_id = :first and second_client_id = :second",
        {"first": pair[0], "second": pair[1]},
    )


async def is_open(tx: Transaction, one_id: str, other_id: str) -> bool:
    """Return whether a pair is on the list for review."""
    first, second = pair_of(one_id, other_id)
    found = await tx.execute(
        "select 1 from duplicates where first_client_id = :first and second_client_id = :second and state = 'open'",
        {"first": first, "second": second},
    )
    return found.one_or_none() is not None


async def follow_merge(
    tx: Transaction, surviving_id: str, merged_id: str, *, decided_by: str, now: datetime
) -> None:
    """Say that a pair was merged; who was said to be somebody else than the merged one is so for the survivor."""
    first, second = pair_of(surviving_id, merged_id)
    await tx.execute(
        "update duplicates set state = 'merged', decided_by = :decided_by, decided_at = :now"
        " where first_client_id = :first and second_client_id = :second",
        {"first": first, "second": second, "decided_by": decided_by, "now": now},
    )
    await tx.execute(
        "insert into duplicates (chain_id, duplicate_id, first_client_id, second_client_id, score, reasons,"
        " is_certain, state, created_at, decided_by, decided_at) select chain_id,"
        " 'dup_' || md5(duplicate_id || :surviving), least(third, :surviving), greatest(third, :surviving), score,"
        " reasons, false, state, created_at, decided_by, decided_at from (select d.*, case when first_client_id ="
        " :merged then second_client_id else first_client_id end as third from duplicates d where state = 'dismissed'"
        " and (first_client_id = :merged or second_client_id = :merged)) said on conflict do nothing",
        {"surviving": surviving_id, "merged": merged_id},
    )


async def follow_undo(
    tx: Transaction, one_id: str, other_id: str, score: Score, *, decided_by: str, now: datetime
) -> None:
    """Say that somebody said of a pair that they are two."""
    first, second = pair_of(one_id, other_id)
    await tx.execute(
        "insert into duplicates (chain_id, duplicate_id, first_client_id, second_client_id, score, reasons,"
        " is_certain, state, created_at, decided_by, decided_at) values (:chain_id, :duplicate_id, :first, :second,"
        " :score, cast(:reasons as jsonb), false, 'dismissed', :now, :decided_by, :now)"
        " on conflict (chain_id, first_client_id, second_client_id) do update set state = 'dismissed',"
        " is_certain = false, score = greatest(duplicates.score, excluded.score), reasons = excluded.reasons,"
        " decided_by = excluded.decided_by, decided_at = excluded.decided_at",
        {
            "chain_id": tx.chain_id,
            "duplicate_id": new_id("dup"),
            "first": first,
            "second": second,
            "score": score.value,
            "reasons": _reasons(score),
            "decided_by": decided_by,
            "now": now,
        },
    )


async def get_duplicate(tx: Transaction, duplicate_id: str, *, lock: bool = False) -> Duplicate:
    """Return a pair. Raises DUPLICATE_NOT_FOUND."""
    found = await tx.execute(
        f"select {_COLUMNS} from duplicates d where duplicate_id = :duplicate_id{' for update' if lock else ''}",  # noqa: S608
        {"duplicate_id": duplicate_id},
    )
    if (row := found.one_or_none()) is None:
        raise not_found("duplicate", duplicate_id)
    return _duplicate(row)


async def dismiss(tx: Transaction, duplicate_id: str, *, decided_by: str, now: datetime) -> Duplicate:
    """Say that a pair is two people; harmless when somebody said so. Raises DUPLICATE_MERGED."""
    pair = await get_duplicate(tx, duplicate_id, lock=True)
    if pair.state is DuplicateState.MERGED:
        raise DuplicateMerged(duplicate_id)
    if pair.state is DuplicateState.OPEN:
        await tx.execute(
            "update duplicates set state = 'dismissed', is_certain = false, decided_by = :decided_by,"
            " decided_at = :now where duplicate_id = :duplicate_id",
            {"duplicate_id": duplicate_id, "decided_by": decided_by, "now": now},
        )
    return await get_duplicate(tx, duplicate_id)


async def list_duplicates(
    tx: Transaction,
    state: DuplicateState,
    *,
    minimum_score: float,
    client_ids: Sequence[str],
    store_id: str,
    after: tuple[float, str] | None,
    limit: int,
) -> list[Duplicate]:
    """Return pairs, the likeliest first: of a client by all ids, of a store that is home to one of the two."""
    conditions = ["d.chain_id = :chain_id", "d.state = :state", "d.score >= :minimum_score"]
    parameters: dict[str, Any] = {
        "chain_id": tx.chain_id,
        "state": state.value,
        "minimum_score": minimum_score,
        "limit": limit,
    }
    both = "c.chain_id = d.chain_id and c.client_id in (d.first_client_id, d.second_client_id)"
    if client_ids:
        conditions.append("(d.first_client_id = any(:client_ids) or d.second_client_id = any(:client_ids))")
        parameters["client_ids"] = list(client_ids)
    if store_id:
        conditions.append(f"exists (select from clients c where {both} and c.home_store_id = :store_id)")
        parameters["store_id"] = store_id
    if state is not DuplicateState.MERGED:
        conditions.append(f"(select count(*) from clients c where {both}) = 2")  # noqa: S608
    if after:
        conditions.append("(d.score, d.duplicate_id) < (:after_score, :after_id)")
        parameters |= {"after_score": after[0], "after_id": after[1]}
    found = await tx.execute(
        f"select {_COLUMNS} from duplicates d where {' and '.join(conditions)}"  # noqa: S608
        " order by d.score desc, d.duplicate_id desc limit :limit",
        parameters,
    )
    return [_duplicate(row) for row in found]


async def find_running_pass(tx: Transaction) -> str:
    """Return the pass that runs in the chain, empty for none; nobody else starts one until the commit."""
    await tx.execute(
        "select pg_advisory_xact_lock(hashtextextended('duplicate pass ' || :chain_id, 0))",
        {"chain_id": tx.chain_id},
    )
    found = await tx.execute(
        "select duplicate_pass_id from duplicate_passes where chain_id = :chain_id and state = 'running'",
        {"chain_id": tx.chain_id},
    )
    return str(found.scalar_one_or_none() or "")


async def add_pass(tx: Transaction, pass_id: str, *, now: datetime) -> None:
    """Insert a pass that is to begin."""
    await tx.execute(
        "insert into duplicate_passes (chain_id, duplicate_pass_id, state, created_at)"
        " values (:chain_id, :pass_id, 'running', :now)",
        {"chain_id": tx.chain_id, "pass_id": pass_id, "now": now},
    )


async def get_pass(tx: Transaction, pass_id: str) -> DuplicatePass:
    """Return a pass. Raises DUPLICATE_PASS_NOT_FOUND."""
    found = await tx.execute(
        f"select {_COLUMNS_OF_RUN} from duplicate_passes where duplicate_pass_id = :pass_id",  # noqa: S608
        {"pass_id": pass_id},
    )
    if (row := found.one_or_none()) is None:
        raise not_found("duplicate_pass", pass_id)
    return DuplicatePass(**(dict(row._mapping) | {"state": PassState(row.state)}))


async def list_running_passes(database: Database) -> list[tuple[str, str]]:
    """Return chain and id of every pass that runs."""
    async with database.platform_transaction() as connection:
        found = await connection.execute(
            text("select chain_id, duplicate_pass_id from duplicate_passes where state = 'running'")
        )
        return [(row.chain_id, row.duplicate_pass_id) for row in found]


async def take_pass(tx: Transaction, pass_id: str) -> tuple[str, int | None] | None:
    """Hold a pass until the commit and return how far it is, as the last client and the last key; None when it is over,
    or another replica works on it."""
    found = await tx.execute(
        "select keyed_until, compared_until from duplicate_passes where duplicate_pass_id = :pass_id"
        " and state = 'running' for update skip locked",
        {"pass_id": pass_id},
    )
    row = found.one_or_none()
    return None if row is None else (row.keyed_until, row.compared_until)


async def move_pass(
    tx: Transaction,
    pass_id: str,
    *,
    keyed_until: str | None = None,
    compared_until: int | None = None,
    clients_read: int = 0,
    pairs_compared: int = 0,
    duplicates_found: int = 0,
    merged_automatically: int = 0,
) -> None:
    """Write how far a pass is, and count."""
    await tx.execute(
        "update duplicate_passes set keyed_until = coalesce(cast(:keyed_until as text), keyed_until),"
        " compared_until = coalesce(cast(:compared_until as bigint), compared_until), failures = 0,"
        " clients_read = clients_read + :clients_read, pairs_compared = pairs_compared + :pairs_compared,"
        " duplicates_found = duplicates_found + :duplicates_found,"
        " merged_automatically = merged_automatically + :merged_automatically where duplicate_pass_id = :pass_id",
        {
            "pass_id": pass_id,
            "keyed_until": keyed_until,
            "compared_until": compared_until,
            "clients_read": clients_read,
            "pairs_compared": pairs_compared,
            "duplicates_found": duplicates_found,
            "merged_automatically": merged_automatically,
        },
    )


async def begin_comparing(tx: Transaction, pass_id: str) -> None:
    """Say that every client of a pass has its keys."""
    await move_pass(tx, pass_id, compared_until=_FIRST_KEY)


async def finish_pass(tx: Transaction, pass_id: str, *, now: datetime) -> None:
    """Say that a pass is through."""
    await tx.execute(
        "update duplicate_passes set state = 'completed', finished_at = :now where duplicate_pass_id = :pass_id"
        " and state = 'running'",
        {"pass_id": pass_id, "now": now},
    )


async def count_failure(tx: Transaction, pass_id: str, failure: str, *, most: int, now: datetime) -> None:
    """Count that a slice could not be worked on; after `most` in a row the pass has failed."""
    await tx.execute(
        "update duplicate_passes set failures = failures + 1,"
        " state = case when failures + 1 >= :most then 'failed' else state end,"
        " failure = case when failures + 1 >= :most then :failure else failure end,"
        " finished_at = case when failures + 1 >= :most then cast(:now as timestamptz) end"
        " where duplicate_pass_id = :pass_id and state = 'running'",
        {"pass_id": pass_id, "failure": failure, "most": most, "now": now},
    )


def _duplicate(row: Row[Any]) -> Duplicate:
    reasons = orjson.loads(row.reasons) if isinstance(row.reasons, str) else row.reasons
    return Duplicate(
        duplicate_id=row.duplicate_id,
        first_client_id=row.first_client_id,
        second_client_id=row.second_client_id,
        score=row.score,
        reasons=tuple(Weight(Reason(one["reason"]), one["weight"], one["explanation"]) for one in reasons),
        state=DuplicateState(row.state),
        created_at=row.created_at,
        decided_by=row.decided_by,
        decided_at=row.decided_at,
    )
