"""What a ranking says, written as a set over what stood there. Must not know how it was ranked."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, fields
from datetime import date, datetime, timedelta

import numpy as np
import numpy.typing as npt

from chassis.database import Transaction
from chassis.ids import new_id
from outreach.domain import Suggestion
from outreach.scoring.ranking import UNITS
from outreach.signals.book import Integers
from outreach.store.histories import copy_columns
from outreach.store.suggestions import reasons_document

Floats = npt.NDArray[np.float64]

# A text whose fate is unknown keeps its suggestion from being re-ranked away, but not for ever.
IN_DOUBT = timedelta(days=1)


@dataclass(frozen=True)
class RankedRow:
    """What a ranking says of one client, as its columns hold it."""

    client_id: str
    associate_id: str
    store_id: str
    expires_on: date
    score: float
    reasons: str
    signals: str
    model_note: str
    tier: str
    action: str
    is_explored: bool


@dataclass(frozen=True)
class Moment:
    """When a ranking began, which day it is of, today at the chain, and the time of its writing."""

    began_at: datetime
    as_of: date
    today: date
    now: datetime


# A client who changed hands or was deleted since the ranking began was touched since. Asked for each by key, not
# joined: the planner may not know yet what a large import has written a moment ago.
_RANKED = """
    ranked as materialized (
        select u.* from unnest($3::text[], $4::text[], $5::text[], $6::text[], $7::date[], $8::float8[], $9::text[],
            $10::text[], $11::text[], $12::text[], $13::text[], $14::boolean[]) as u (suggestion_id, client_id,
            associate_id, store_id, expires_on, score, reasons, signals, model_note, tier, action, is_explored)
        where (select c.touched_at <= $2 and not c.is_deleted from clients c
            where c.chain_id = $1 and c.client_id = u.client_id)
    )
"""
_OVERWRITE = f"""
    with {_RANKED}, standing as (
        select r.*, s.as_of = $16 and s.tried_at is null
            and (s.state = 'open' or s.snoozed_until > $18)
            and (s.reassigned_by <> '' or (s.associate_id, s.store_id, s.action)
                = (r.associate_id, r.store_id, r.action))
            and (s.expires_on, s.score, s.model_note, s.tier, s.is_explored)
                = (r.expires_on, r.score, r.model_note, r.tier, r.is_explored)
            and s.reasons = r.reasons::jsonb as is_same
        from ranked r join suggestions s on s.chain_id = $1 and s.suggestion_id = r.suggestion_id
            and s.state in ('open', 'snoozed') and s.updated_at <= $2 and (s.tried_at is null or s.tried_at < $17)
    ), written as (
        update suggestions old set
            associate_id = case when old.reassigned_by = '' then r.associate_id else old.associate_id end,
            store_id = case when old.reassigned_by = '' then r.store_id else old.store_id end,
            action = case when old.reassigned_by = '' then r.action else old.action end,
            as_of = $16, expires_on = r.expires_on, score = r.score, reasons = r.reasons::jsonb,
            signals = string_to_array(r.signals, ','), model_note = r.model_note, tier = r.tier,
            is_explored = r.is_explored, version = old.version + 1, updated_at = $15,
            state = case when old.snoozed_until > $18 then old.state else 'open' end,
            snoozed_until = case when old.snoozed_until > $18 then old.snoozed_until end,
            waiting_since = case when old.snoozed_until <= $18 then old.snoozed_until else old.waiting_since end
        from standing r where old.suggestion_id = r.suggestion_id and not r.is_same and old.chain_id = $1
            and old.state in ('open', 'snoozed') and old.updated_at <= $2
            and (old.tried_at is null or old.tried_at < $17)
        returning 1
    )
    select (select count(*) from standing where is_same) + (select count(*) from written)
"""  # noqa: S608 - fixed text only
_ADD = f"""
    with {_RANKED}, written as (
        insert into suggestions (chain_id, suggestion_id, client_id, associate_id, store_id, state, as_of, expires_on,
            score, reasons, signals, model_note, tier, action, is_explored, version, created_at, updated_at)
        select $1, r.suggestion_id, r.client_id, r.associate_id, r.store_id, 'open', $16, r.expires_on, r.score,
            r.reasons::jsonb, string_to_array(r.signals, ','), r.model_note, r.tier, r.action, r.is_explored, 1, $15,
            $15
        from ranked r
        order by r.client_id
        on conflict (chain_id, client_id) where state in ('open', 'snoozed') do nothing
        returning 1
    )
    select count(*) from written
"""  # noqa: S608 - fixed text only


@dataclass(frozen=True)
class Queues:
    """What stands on the queues of a chain when a ranking is written: live suggestions by client, and who answered."""

    live: Mapping[str, str]
    answered: Collection[str]


async def expire_others(tx: Transaction, client_ids: Collection[str], moment: Moment) -> Queues:
    """Take everybody off the queues who is not among these clients, and return what is left on them.

    What people or events did since the ranking began is newer and stays, and so does a suggestion whose text may be on
    its way.
    """
    connection = await tx.driver()
    await connection.execute(
        "update suggestions set state = 'expired', snoozed_until = null, version = version + 1, updated_at = $3"
        " where chain_id = $1 and state in ('open', 'snoozed') and client_id <> all($2::text[]) and updated_at <= $4"
        " and (tried_at is null or tried_at < $5)",
        tx.chain_id,
        list(client_ids),
        moment.now,
        moment.began_at,
        moment.now - IN_DOUBT,
    )
    live = await connection.fetch(
        "select client_id, suggestion_id from suggestions where chain_id = $1 and state in ('open', 'snoozed')",
        tx.chain_id,
    )
    answered = await connection.fetch(
        "select client_id from suggestions where chain_id = $1 and answered_at > $2",
        tx.chain_id,
        moment.began_at,
    )
    return Queues({row[0]: row[1] for row in live}, {row[0] for row in answered})


async def write_ranked(tx: Transaction, rows: Sequence[RankedRow], moment: Moment, queues: Queues) -> int:
    """Write what a ranking says, over the live suggestions of clients or anew; return how many it stands behind.

    What people or events did since the ranking began is newer and stays: a client who was answered or touched gets no
    suggestion from it, a suggestion that changed is left alone, and so is one whose text may be on its way. What stands
    there as the ranking says it is not written again.
    """
    connection = await tx.driver()
    behind = 0
    over = [row for row in rows if row.client_id in queues.live]
    new = [row for row in rows if row.client_id not in queues.live and row.client_id not in queues.answered]
    for statement, part, ids, more in (
        (
            _OVERWRITE,
            over,
            [queues.live[row.client_id] for row in over],
            (moment.now - IN_DOUBT, moment.today),
        ),
        (_ADD, new, [new_id("sug") for _ in new], ()),
    ):
        if part:
            # Live suggestions of the chain are few enough to be hashed; looked up for each row they cost seconds when
            # the planner believes that there are none.
            await connection.execute(
                f"set local enable_nestloop = {'off' if statement is _OVERWRITE else 'on'}"
            )
            behind += await connection.fetchval(
                statement,
                tx.chain_id,
                moment.began_at,
                ids,
                *([getattr(row, column.name) for row in part] for column in fields(RankedRow)),
                moment.now,
                moment.as_of,
                *more,
            )
    return behind


@dataclass(frozen=True)
class Standing:
    """What matters of a live suggestion when its client is looked at again."""

    suggestion_id: str
    client_id: str
    as_of: date
    expires_on: date
    is_on_its_way: bool  # a text of it may have gone out


async def lock_live(tx: Transaction, client_ids: Collection[str]) -> Mapping[str, Standing]:
    """Return the live suggestions of clients by client; nobody else changes them before the commit."""
    connection = await tx.driver()
    rows = await connection.fetch(
        "select suggestion_id, client_id, as_of, expires_on, cardinality(tried_bodies) > 0 as is_on_its_way"
        " from suggestions where chain_id = $1 and client_id = any($2::text[]) and state in ('open', 'snoozed')"
        " order by client_id for update",
        tx.chain_id,
        sorted(await clients_standing(tx, client_ids)),
    )
    return {row["client_id"]: Standing(**dict(row)) for row in rows}


async def expire(tx: Transaction, suggestion_ids: Collection[str], *, now: datetime) -> None:
    """Take suggestions off the queue."""
    connection = await tx.driver()
    await connection.execute(
        "update suggestions set state = 'expired', snoozed_until = null, version = version + 1, updated_at = $3"
        " where chain_id = $1 and suggestion_id = any($2::text[])",
        tx.chain_id,
        list(suggestion_ids),
        now,
    )


async def refresh(tx: Transaction, suggestions: Sequence[Suggestion], *, now: datetime) -> Collection[str]:
    """Write suggestions over the live ones of their clients, and add those of clients without; return the added ids.

    What people did to a live one stays: its state, and until when it is put away.
    """
    connection = await tx.driver()
    rows = await connection.fetch(
        """
        insert into suggestions as old (chain_id, suggestion_id, client_id, associate_id, store_id, state, as_of,
            expires_on, score, reasons, signals, model_note, tier, action, version, created_at, updated_at)
        select $1, u.suggestion_id, u.client_id, u.associate_id, u.store_id, 'open', u.as_of, u.expires_on, u.score,
            u.reasons::jsonb, string_to_array(u.signals, ','), u.model_note, u.tier, u.action, 1, $2, $2
        from unnest($3::text[], $4::text[], $5::text[], $6::text[], $7::date[], $8::date[], $9::float8[], $10::text[],
            $11::text[], $12::text[], $13::text[], $14::text[]) as u (suggestion_id, client_id, associate_id, store_id,
            as_of, expires_on, score, reasons, signals, model_note, tier, action)
        order by u.client_id
        on conflict (chain_id, client_id) where state in ('open', 'snoozed') do update set
            associate_id = case when old.reassigned_by = '' then excluded.associate_id else old.associate_id end,
            store_id = case when old.reassigned_by = '' then excluded.store_id else old.store_id end,
            action = case when old.reassigned_by = '' then excluded.action else old.action end,
            as_of = excluded.as_of, expires_on = excluded.expires_on, score = excluded.score,
            reasons = excluded.reasons, signals = excluded.signals, model_note = excluded.model_note,
            tier = excluded.tier, version = old.version + 1, updated_at = excluded.updated_at
        where (old.as_of, old.expires_on, old.score, old.reasons, old.model_note, old.tier, old.action)
            is distinct from (excluded.as_of, excluded.expires_on, excluded.score, excluded.reasons,
                excluded.model_note, excluded.tier, excluded.action)
            or (old.reassigned_by = '' and (old.associate_id, old.store_id)
                is distinct from (excluded.associate_id, excluded.store_id))
        returning suggestion_id, version
        """,
        tx.chain_id,
        now,
        [s.suggestion_id for s in suggestions],
        [s.client_id for s in suggestions],
        [s.associate_id for s in suggestions],
        [s.store_id for s in suggestions],
        [s.as_of for s in suggestions],
        [s.expires_on for s in suggestions],
        [s.score for s in suggestions],
        [reasons_document(s.reasons) for s in suggestions],
        [",".join(s.signals) for s in suggestions],
        [s.model_note for s in suggestions],
        [s.tier or "" for s in suggestions],
        [s.action for s in suggestions],
    )
    return {row["suggestion_id"] for row in rows if row["version"] == 1}


async def clients_standing(tx: Transaction, client_ids: Collection[str]) -> set[str]:
    """Return which of the clients have a live suggestion; locks none."""
    connection = await tx.driver()
    rows = await connection.fetch(
        # By the key of each, whatever the planner thinks of how many there are: otherwise it compares each with each.
        "select s.client_id from unnest($2::text[]) as one (client_id) cross join lateral ("
        "  select client_id from suggestions where chain_id = $1 and client_id = one.client_id"
        "  and state in ('open', 'snoozed') offset 0) as s",
        tx.chain_id,
        list(client_ids),
    )
    return {row[0] for row in rows}


# By suggestions_standing, without reading a suggestion; names are in the order of C, which that index is not. Who has
# no number has no queue in a book either.
_LEAST_SCORES = f"""
    select n.number::bigint * 2 + (one.action = 'automated')::int, round(least.score * {UNITS})::bigint
    from numbered_names n cross join (values ('personal'), ('automated')) as one (action)
    cross join lateral (select s.score from suggestions s
        where s.chain_id = $1 and s.associate_id = n.name collate "default" and s.action = one.action
            and s.state in ('open', 'snoozed')
        order by s.score desc offset $2::bigint - 1 limit 1) as least
    where n.chain_id = $1
"""  # noqa: S608 - fixed text only


async def least_scores(tx: Transaction, queue_size: int) -> tuple[Integers, Floats]:
    """Return the queues of the chain, as `scoring` numbers them, on which `queue_size` or more suggestions stand.

    With the score of the last of the best `queue_size` of each.
    """
    queue, score = await copy_columns(tx, [8, 8], _LEAST_SCORES, tx.chain_id, queue_size)
    return queue, score / UNITS
