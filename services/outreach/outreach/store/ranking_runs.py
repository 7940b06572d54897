"""Rankings of large chains in slices: what is to be done, what is done, and what came of it. Must not rank."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime

from chassis.database import Transaction


@dataclass(frozen=True)
class RankingRun:
    """One ranking of a chain, shared out in slices."""

    run_id: str
    as_of: date
    began_at: datetime
    clients: int
    slices: int
    slices_done: int
    is_finished: bool


@dataclass(frozen=True)
class Slice:
    """The clients with numbers from `from_number` to below `until_number`."""

    slice: int
    from_number: int
    until_number: int
    is_done: bool = False


async def add_run(tx: Transaction, run: RankingRun, slices: Sequence[Slice]) -> None:
    """Note a run and its slices; earlier runs of the chain are forgotten."""
    connection = await tx.driver()
    for table in ("ranking_slices", "ranking_runs"):
        await connection.execute(f"delete from {table} where chain_id = $1", tx.chain_id)  # noqa: S608 - fixed names
    await connection.execute(
        "insert into ranking_runs (chain_id, run_id, as_of, began_at, clients, slices)"
        " values ($1, $2, $3, $4, $5, $6)",
        tx.chain_id,
        run.run_id,
        run.as_of,
        run.began_at,
        run.clients,
        run.slices,
    )
    await connection.execute(
        "insert into ranking_slices (chain_id, run_id, slice, from_number, until_number)"
        " select $1, $2, * from unnest($3::integer[], $4::bigint[], $5::bigint[])",
        tx.chain_id,
        run.run_id,
        [one.slice for one in slices],
        [one.from_number for one in slices],
        [one.until_number for one in slices],
    )


async def find_run(tx: Transaction, run_id: str | None = None) -> RankingRun | None:
    """Return a run, the chain's newest without an id."""
    connection = await tx.driver()
    row = await connection.fetchrow(
        "select run_id, as_of, began_at, clients, slices, slices_done, finished_at is not null as is_finished"
        " from ranking_runs where chain_id = $1 and ($2::text is null or run_id = $2) order by began_at desc limit 1",
        tx.chain_id,
        run_id,
    )
    return None if row is None else RankingRun(**dict(row))


async def slices_of(tx: Transaction, run_id: str) -> Sequence[Slice]:
    """Return the slices of a run, in order."""
    connection = await tx.driver()
    rows = await connection.fetch(
        "select slice, from_number, until_number, done_at is not null as is_done from ranking_slices"
        " where chain_id = $1 and run_id = $2 order by slice",
        tx.chain_id,
        run_id,
    )
    return [Slice(**dict(row)) for row in rows]


async def finish_slice(
    tx: Transaction, run_id: str, slice_: int, *, candidates: bytes, now: datetime
) -> int | None:
    """Keep what came of a slice, once; return how many slices are still to be done, None when this one was before."""
    connection = await tx.driver()
    written = await connection.execute(
        "update ranking_slices set candidates = $4, done_at = $5"
        " where chain_id = $1 and run_id = $2 and slice = $3 and done_at is null",
        tx.chain_id,
        run_id,
        slice_,
        candidates,
        now,
    )
    if written != "UPDATE 1":
        return None
    left: int = await connection.fetchval(
        "update ranking_runs set slices_done = slices_done + 1 where chain_id = $1 and run_id = $2"
        " returning slices - slices_done",
        tx.chain_id,
        run_id,
    )
    return left


async def candidates_of(tx: Transaction, run_id: str) -> Sequence[bytes]:
    """Return what came of each slice of a run, in the slices' order."""
    connection = await tx.driver()
    rows = await connection.fetch(
        "select candidates from ranking_slices where chain_id = $1 and run_id = $2 and done_at is not null"
        " order by slice",
        tx.chain_id,
        run_id,
    )
    return [row["candidates"] for row in rows]


async def finish_run(tx: Transaction, run_id: str, *, now: datetime) -> None:
    """Note that a run's result is written, and let go of its slices."""
    connection = await tx.driver()
    await connection.execute(
        "update ranking_runs set finished_at = $3 where chain_id = $1 and run_id = $2",
        tx.chain_id,
        run_id,
        now,
    )
    await connection.execute(
        "delete from ranking_slices where chain_id = $1 and run_id = $2", tx.chain_id, run_id
    )
