"""Today's book of a chain, of a slice of its clients, of a few or of one. Must not judge what is in it.

The fast way: what changes only with events stands counted in `client_facts`, one row a client; rows of days that are
in reach are read beside it. `refresh.refresh_client_facts` counts; before a ranking `use_cases.counting` works off who
waits to be counted.
"""

from collections.abc import Collection, Mapping, Sequence
from datetime import date

import numpy as np

from chassis.database import Transaction
from outreach.domain import SIGNALS
from outreach.signals.book import (
    GIFT_REACH_DAYS,
    NEVER,
    OCCASION_REACH_DAYS,
    VISIT_REACH_DAYS,
    Book,
    Integers,
    Mark,
    Places,
    columns_of,
    season_span,
)
from outreach.signals.finding import day_number
from outreach.store.chains import Chain
from outreach.store.histories import KnownClient, Rests, copy_columns, find_known_client, read_histories_of
from outreach.store.refresh import GIFT, VISIT

_INT, _BIGINT = 4, 8
_PURCHASES = (
    "purchase_days, first_purchase, last_purchase, home_days, total_minor, home_repeat_minor",
    (_INT, _INT, _INT, _INT, _BIGINT, _BIGINT),
)
_OTHERS = (
    "associate, store, last_text, last_answer, last_visit, earlier_visit, touched",
    (_INT,) * 7,
)

# As one text: the driver looks at every element of an array, for every query.
_OF_NUMBERS = "f.number = any($2::text::bigint[])"


async def read_book(
    tx: Transaction,
    chain: Chain,
    *,
    as_of: date,
    rests: Rests,
    from_number: int = 0,
    until_number: int | None = None,
    numbers: Sequence[int] | None = None,
) -> Book:
    """Return the book of today, of the clients with these numbers (`until_number` is not among them).

    `numbers` names a few single clients instead of a range. The associate's number is the same in every slice.
    Only for today at the chain: what was counted holds for no earlier day. Earlier ones are counted from
    `histories.read_histories`.
    """
    whom, given = _whom(from_number, until_number, numbers)
    names, sizes = ", ".join([_PURCHASES[0], _OTHERS[0]]), [_BIGINT, *_PURCHASES[1], *_OTHERS[1]]
    clients = await copy_columns(
        tx,
        sizes,
        f"select number, {names} from client_facts f where chain_id = $1 and {whom}",  # noqa: S608 - fixed text
        tx.chain_id,
        *given,
    )
    order = _order(clients[0])
    number, days, first, last, home_days, total, home_repeat, *others = (column[order] for column in clients)
    associate, store, last_text, last_answer, last_visit, earlier_visit, touched = others
    today = day_number(as_of)
    dated = np.column_stack(
        await copy_columns(
            tx,
            [_BIGINT, 2, _INT, _INT],
            "select number, what, day, value from client_days f where chain_id = $1 and (what < $2::int"  # noqa: S608
            " or (what = $2::int and day between $3::int and $4::int)"
            f" or (what = $5::int and day between $6::int and $4::int)) and {_moved(whom, 5)}",
            tx.chain_id,
            VISIT,
            today - VISIT_REACH_DAYS + 1,
            today,
            GIFT,
            today - GIFT_REACH_DAYS + 1,
            *given,
        )
    )
    place = Places(number)
    visits, visit_client = place(dated[dated[:, 1] == VISIT])
    gifts, gift_client = place(dated[dated[:, 1] == GIFT])
    marked, mark_client = place(dated[dated[:, 1] < VISIT])
    marks = columns_of(marked, mark_client, len(number))
    if (touched != NEVER).any():
        marks[Mark.TOUCHED] = touched
    occasions, occasion_client = place(await _occasions(tx, today, whom, given))
    rested, rest_client = place(await _rests(tx, chain, rests, whom, given))
    return Book(
        number=number,
        associate=associate,
        last_text=last_text,
        last_answer=last_answer,
        purchase_days=days,
        first_purchase=first,
        last_purchase=last,
        last_visit=last_visit,
        total_minor=total,
        visit_client=visit_client,
        visit_day=visits[:, 2],
        occasion_client=occasion_client,
        occasion_kind=occasions[:, 1],
        occasion_year=occasions[:, 2],
        occasion_month=occasions[:, 3] // 100,
        occasion_day=occasions[:, 3] % 100,
        occasion_recurrence=occasions[:, 4],
        occasion_lead=occasions[:, 5],
        occasion_relationship=occasions[:, 6],
        rest_client=rest_client,
        rest_signal=rested[:, 1],
        rest_day=rested[:, 2],
        store=store,
        earlier_visit=earlier_visit,
        home_days=home_days,
        home_repeat_minor=home_repeat,
        marks=marks,
        gift_client=gift_client,
        gift_day=gifts[:, 2],
        gift_kind=gifts[:, 3],
    )


async def read_purchase_book(tx: Transaction, chain: Chain, *, as_of: date, rests: Rests) -> Book:
    """Return today's book of a whole chain with what the model and the tiers need: numbers and purchases alone.

    Everything else in it is empty or NEVER. For chains that are too large to be read as a whole.
    """
    clients = await copy_columns(
        tx,
        [_BIGINT, *_PURCHASES[1]],
        f"select number, {_PURCHASES[0]} from client_facts where chain_id = $1",  # noqa: S608 - fixed text only
        tx.chain_id,
    )
    order = _order(clients[0])
    number, days, first, last, home_days, total, home_repeat = (column[order] for column in clients)
    none, never = np.full(len(number), -1, dtype=np.int64), np.full(len(number), NEVER, dtype=np.int64)
    empty = np.empty(0, dtype=np.int64)
    return Book(
        number=number,
        associate=none,
        last_text=never,
        last_answer=never,
        purchase_days=days,
        first_purchase=first,
        last_purchase=last,
        last_visit=never,
        total_minor=total,
        visit_client=empty,
        visit_day=empty,
        occasion_client=empty,
        occasion_kind=empty,
        occasion_year=empty,
        occasion_month=empty,
        occasion_day=empty,
        occasion_recurrence=empty,
        occasion_lead=empty,
        occasion_relationship=empty,
        rest_client=empty,
        rest_signal=empty,
        rest_day=empty,
        store=none,
        earlier_visit=never,
        home_days=home_days,
        home_repeat_minor=home_repeat,
    )


async def count_clients(tx: Transaction, *, most: int) -> int:
    """Return how many clients a book of the chain has, at most `most`: more are not counted."""
    found = await tx.execute(
        "select count(*) from (select 1 from client_facts where chain_id = :chain_id limit :most) as few",
        {"chain_id": tx.chain_id, "most": most},
    )
    return int(found.scalar_one())


async def numbers_of_names(tx: Transaction, names: Collection[str]) -> Mapping[str, int]:
    """Return the numbers that stores or associates have in books, of those who have one."""
    found = await tx.execute(
        "select name, number from numbered_names where chain_id = :chain_id and name = any(:names)",
        {"chain_id": tx.chain_id, "names": sorted(names)},
    )
    return {row.name: row.number for row in found}


async def read_client_book(
    tx: Transaction, chain: Chain, client_id: str, *, as_of: date, rests: Rests
) -> tuple[KnownClient, Book] | None:
    """Return one client's book of any day; None for an unknown, deleted or merged client.

    Counted from what happened: for one client that takes no longer than to read what was counted.
    """
    known = await find_known_client(tx, client_id)
    if known is None:
        return None
    histories, _ = await read_histories_of(tx, chain, [client_id], as_of=as_of, rests=rests)
    return known, Book.of(histories, day_number(as_of))


def _whom(
    from_number: int, until_number: int | None, numbers: Sequence[int] | None
) -> tuple[str, tuple[object, ...]]:
    """Return the condition for the clients of a book, whose arguments begin at $2, and the arguments."""
    if numbers is not None:
        return _OF_NUMBERS, (f"{{{','.join(map(str, numbers))}}}",)
    if until_number is None and from_number == 0:
        return "true", ()
    until = 2**62 if until_number is None else until_number
    return "f.number >= $2::bigint and f.number < $3::bigint", (from_number, until)


def _moved(condition: str, by: int) -> str:
    """Return a condition with its arguments behind `by` more others."""
    return condition.replace("$3", f"${3 + by}").replace("$2", f"${2 + by}", 1)


def _order(number: Integers) -> Integers | slice:
    """Return how to bring rows into the order of their numbers; most come so."""
    return slice(None) if (np.diff(number) > 0).all() else np.argsort(number, kind="stable")


async def _occasions(tx: Transaction, today: int, whom: str, given: tuple[object, ...]) -> Integers:
    since, until = season_span(today)
    near = "between $2::int and $3::int" if since <= until else "not between $3::int + 1 and $2::int - 1"
    # Of a few clients, their own days are read and sorted out: by season, the whole chain's would be.
    season, lead = ("season + 0", "lead_days + 0") if whom == _OF_NUMBERS else ("season", "lead_days")
    return np.column_stack(
        await copy_columns(
            tx,
            [_BIGINT, *(2,) * 6],
            "select number, kind, year, season, recurrence, lead_days, relationship"  # noqa: S608 - fixed text only
            f" from client_occasions f where chain_id = $1 and ({season} {near} or {lead} > {OCCASION_REACH_DAYS})"
            f" and {_moved(whom, 2)}",
            tx.chain_id,
            since,
            until,
            *given,
        )
    )


async def _rests(
    tx: Transaction, chain: Chain, rests: Rests, whom: str, given: tuple[object, ...]
) -> Integers:
    found = np.column_stack(
        await copy_columns(
            tx,
            [_BIGINT, _INT, _INT],
            "select f.number, array_position($4::text[], signal) - 1,"  # noqa: S608 - fixed text only
            " (s.answered_at at time zone $5::text)::date - date '1970-01-01'"
            " from suggestions s join client_facts f using (chain_id, client_id)"
            " cross join lateral unnest(s.signals) as signal where s.chain_id = $1 and"
            " ((s.state in ('sent', 'logged') and s.answered_at > $2)"
            "  or (s.state = 'dismissed' and s.answered_at > $3))"
            f" and {_moved(whom, 4)}",
            tx.chain_id,
            rests.sent_since,
            rests.dismissed_since,
            [str(signal) for signal in SIGNALS],
            chain.zone.key,
            *given,
        )
    )
    return np.unique(found, axis=0)
