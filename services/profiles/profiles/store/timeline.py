"""Rows of timelines."""

from collections.abc import Sequence
from datetime import UTC, datetime

from chassis.database import Transaction
from chassis.errors import not_found
from profiles.domain.surprises import Surprise
from profiles.domain.timeline import Entry, TimelineKind
from profiles.store.columns import column, cut

_END_OF_TIME = datetime(9999, 12, 31, tzinfo=UTC)

# One range of the primary key a kind, each read from its newest end and no further than the page: a page costs the same
# for a client with fifty thousand lines, whatever kinds are asked for. An id that was merged away goes on to the
# survivor, whom neither a surprise for the one nor for the other may reach. (With coalesce() in the place of the array
# Postgres would use no index for the client: it does not count as leakproof behind row-level security.)
PAGE = """
    with who as materialized (
        select c.client_id,
            array(select a.alias_id from client_aliases a where a.chain_id = c.chain_id and a.client_id = c.client_id)
                || c.client_id as hers,
            cast(cast(:now as timestamptz) at time zone s.time_zone as date) as today
        from clients c join stores s on s.chain_id = c.chain_id and s.store_id = c.home_store_id
        where c.client_id = any(array[
            :client_id, (select a.client_id from client_aliases a where a.alias_id = :client_id)])
    )
    select who.client_id as of_client_id, page.*
    from who left join lateral (
        select line.* from unnest(cast(:kinds as text[])) wanted (kind) cross join lateral (
            select t.entry_id, t.kind, t.occurred_at, t.summary, t.subject_id, t.surprise_for_client_id,
                t.surprise_ends_on
            from timeline_entries t
            where t.client_id = who.client_id and t.kind = wanted.kind
              and (t.occurred_at, t.entry_id) < (:before_time, :before_id)
              and (:include_surprises or t.surprise_for_client_id = '' or t.surprise_ends_on < who.today
                   or t.surprise_for_client_id <> all (who.hers))
            order by t.occurred_at desc, t.entry_id desc limit :limit
        ) line
        order by line.occurred_at desc, line.entry_id desc limit :limit
    ) page on true
"""


async def add_entries(tx: Transaction, entries: Sequence[Entry]) -> None:
    """Insert entries of clients whom the transaction holds."""
    if not entries:
        return
    driver = await tx.driver()
    await driver.execute(
        "insert into timeline_entries (entry_id, chain_id, client_id, kind, occurred_at, summary,"  # noqa: S608
        " subject_id,"
        " surprise_for_client_id, surprise_ends_on) select e.entry_id, $1, e.client_id, e.kind, e.occurred_at,"
        f" e.summary, e.subject_id, e.surprise_for_client_id, e.surprise_ends_on from unnest({cut(2)}, {cut(3)},"
        f" {cut(4)}, $5::timestamptz[], {cut(6)}, {cut(7)}, {cut(8)}, $9::date[]) e (entry_id, client_id, kind,"
        " occurred_at, summary, subject_id, surprise_for_client_id, surprise_ends_on)",
        tx.chain_id,
        column([entry.entry_id for entry in entries]),
        column([entry.client_id for entry in entries]),
        column([entry.kind for entry in entries]),
        [entry.occurred_at for entry in entries],
        column([entry.summary for entry in entries]),
        column([entry.subject_id for entry in entries]),
        column([entry.surprise.client_id for entry in entries]),
        [entry.surprise.ends_on for entry in entries],
    )


async def list_entries(
    tx: Transaction,
    client_id: str,
    *,
    kinds: Sequence[TimelineKind] = (),
    before: tuple[datetime, str] | None = None,
    limit: int,
    now: datetime,
    include_surprises: bool = False,
) -> tuple[str, list[Entry]]:
    """Return whose timeline it is, and its entries, newest first, of the given kinds or of all.

    Without `include_surprises` what the client must not learn of at `now` is left out. Raises CLIENT_NOT_FOUND.
    """
    found = await tx.execute(
        PAGE,
        {
            "client_id": client_id,
            "kinds": [kind.value for kind in (dict.fromkeys(kinds) or TimelineKind)],
            "before_time": before[0] if before else _END_OF_TIME,
            "before_id": before[1] if before else "",
            "now": now,
            "include_surprises": include_surprises,
            "limit": limit,
        },
    )
    rows = list(found)
    if not rows:
        raise not_found("client", client_id)
    owner = str(rows[0].of_client_id)
    return owner, [
        Entry(
            row.entry_id,
            owner,
            TimelineKind(row.kind),
            row.occurred_at,
            row.summary,
            row.subject_id,
            Surprise(row.surprise_for_client_id, row.surprise_ends_on),
        )
        for row in rows
        if row.entry_id is not None
    ]


async def remove_entries(tx: Transaction, client_id: str, kind: TimelineKind, subject_id: str) -> None:
    """Delete the entries of one kind about a record that is gone, or hidden from now on."""
    await tx.execute(
        "delete from timeline_entries where client_id = :client_id and kind = :kind and subject_id = :subject_id",
        {"client_id": client_id, "kind": kind.value, "subject_id": subject_id},
    )


async def set_surprise(
    tx: Transaction, client_id: str, kind: TimelineKind, subject_id: str, surprise: Surprise
) -> None:
    """Write who must not learn of a record onto its entries."""
    await tx.execute(
        "update timeline_entries set surprise_for_client_id = :for_client_id, surprise_ends_on = :ends_on"
        " where client_id = :client_id and kind = :kind and subject_id = :subject_id",
        {
            "client_id": client_id,
            "kind": kind.value,
            "subject_id": subject_id,
            "for_client_id": surprise.client_id,
            "ends_on": surprise.ends_on,
        },
    )
