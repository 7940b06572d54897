"""Clients as columns: what the signals and the model read. Must not contain a rule of a signal.

Days are numbers counted from 1970-01-01, money is minor units of the chain's currency, clients are numbers in the
tables and positions in the columns. There are two ways to a book, and both give the same one:
`Book.of(histories, as_of)` counts it from what happened, for any day (`store.histories`), and `store.books.read_book`
reads today's from what was counted before, one row a client (`client_facts`), for a chain or a slice of its numbers.

Rows that go far back are not in a book: visits of the last VISIT_REACH_DAYS, gifts of the last GIFT_REACH_DAYS,
occasions whose season is at most OCCASION_REACH_DAYS ahead, or whose own lead is longer. No parameter of a signal may
reach further.
"""

import enum
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, timedelta
from typing import Self

import numpy as np
import numpy.typing as npt

Integers = npt.NDArray[np.int64]
Flags = npt.NDArray[np.bool_]

NEVER = -(10**6)  # a day before all days

VISIT_REACH_DAYS = 200
GIFT_REACH_DAYS = 430
OCCASION_REACH_DAYS = 90


class Mark(enum.StrEnum):
    """A day that something beside a purchase or a visit left with a client; the order is that of `Histories.marks`."""

    # The nearest day, today or ahead, by which a piece is needed, said since the last purchase.
    NEED_BY = "need_by"
    # An engagement ring was bought, last.
    ENGAGEMENT = "engagement"
    # A repair is ready since, and not collected.
    REPAIR_READY = "repair_ready"
    # A piece came back from repair, cleaning or service, last.
    SERVICED = "serviced"
    # A wished piece is in the client's store since.
    WISH_ARRIVED = "wish_arrived"
    # Pieces of the favourite brand are in the client's store since.
    FAVOURITE_ARRIVED = "favourite_arrived"
    # Pieces of a reference that the client waits for came in, last.
    WAITLIST_MOVED = "waitlist_moved"
    # Did not come, and has booked nothing since.
    APPOINTMENT_MISSED = "appointment_missed"
    # Wrote, and nobody has answered since.
    UNANSWERED = "unanswered"
    # The house was in touch: a text of any purpose, a call, an appointment kept, last.
    TOUCHED = "touched"


OCCASION_COLUMNS = 8
MARKS: tuple[Mark, ...] = tuple(Mark)


def table(rows: npt.ArrayLike, columns: int) -> Integers:
    """Return rows of whole numbers as a table; no rows give a table of none."""
    return np.asarray(rows, dtype=np.int64).reshape(-1, columns)


def _none(columns: int) -> Integers:
    return np.empty((0, columns), dtype=np.int64)


@dataclass(frozen=True, eq=False)
class Histories:
    """What the store has of a chain's clients, or of one: tables of whole numbers, one row a fact, in any order.

    clients: number, number of the associate (-1 none), day of the last marketing text, of the last answer (NEVER
        none), number of the store (-1 none; may be left out)
    purchases: client, day, minor units, 1 if they are of the chain's currency else 0
    visits: client, day, day by which a piece is needed (NEVER not said; may be left out)
    occasions: client, kind, year (0 unknown), month, day, recurrence, lead days (-1 not said), relationship of whose
        day it is (0 the client's own); the kinds, recurrences and relationships are the contract's numbers
    rests: client, position of a signal that was answered lately, day of the answer (may be left out)
    gifts: client, day, kind of the occasion, of purchases that were for one
    marks: client, position of the mark, day; of several of a client the last one counts. NEED_BY is not among them: it
        follows from the visits
    """

    clients: Integers
    purchases: Integers
    visits: Integers
    occasions: Integers
    rests: Integers
    gifts: Integers = field(default_factory=lambda: _none(3))
    marks: Integers = field(default_factory=lambda: _none(3))


@dataclass(frozen=True, eq=False)
class Book:
    """All clients of a chain, a slice of them, or one, on one day; nothing in it is later than that day.

    The first columns have one row a client. A refund is no purchase day, but it lowers the total. Purchases in
    another currency make purchase days and bring no money.
    """

    number: Integers
    associate: Integers
    last_text: Integers
    last_answer: Integers
    purchase_days: Integers
    first_purchase: Integers
    last_purchase: Integers
    last_visit: Integers
    total_minor: Integers

    visit_client: Integers
    visit_day: Integers

    occasion_client: Integers
    occasion_kind: Integers
    occasion_year: Integers
    occasion_month: Integers
    occasion_day: Integers
    occasion_recurrence: Integers
    occasion_lead: Integers
    occasion_relationship: Integers

    rest_client: Integers
    rest_signal: Integers
    rest_day: Integers

    # The client's store, by number; -1 where none is known. Empty for a book without stores.
    store: Integers
    # The last day of a visit before the day of the last one; NEVER without two.
    earlier_visit: Integers
    # Days with a purchase in the chain's currency, and what those after the first brought in all: what the mean repeat
    # value is made of. A refund belongs to the purchase day before it.
    home_days: Integers
    home_repeat_minor: Integers
    # One column a mark that anybody has; see `mark`.
    marks: Mapping[Mark, Integers] = field(default_factory=dict)
    # Purchases that were for an occasion: positions of clients, days, contract's OccasionKind.
    gift_client: Integers = field(default_factory=lambda: np.empty(0, dtype=np.int64))
    gift_day: Integers = field(default_factory=lambda: np.empty(0, dtype=np.int64))
    gift_kind: Integers = field(default_factory=lambda: np.empty(0, dtype=np.int64))

    # What a client must have spent to be among the best; None where the chain has too few to say.
    vip_minor: int | None = None

    def __len__(self) -> int:
        return len(self.number)

    def mark(self, mark: Mark) -> Integers:
        """Return the day of a mark for each client, NEVER where there is none."""
        found = self.marks.get(mark)
        return np.full(len(self), NEVER, dtype=np.int64) if found is None else found

    @classmethod
    def of(cls, histories: Histories, as_of: int) -> Self:
        """Return the book as of a day: whatever is later is left out."""
        clients = histories.clients[np.argsort(histories.clients[:, 0], kind="stable")]
        place = Places(clients[:, 0])
        count = len(clients)

        purchases, at = place(histories.purchases[histories.purchases[:, 1] <= as_of])
        day, minor, is_home = purchases[:, 1], purchases[:, 2], purchases[:, 3] == 1
        is_bought = minor >= 0
        first, last, purchase_days, _ = _days(at[is_bought], day[is_bought], count)
        home = is_bought & is_home
        _, _, home_days, second = _days(at[home], day[home], count)
        is_repeat = is_home & (day >= second[at])

        visits, visit_client = place(histories.visits[histories.visits[:, 1] <= as_of])
        last_visit = latest(visit_client, visits[:, 1], count)
        is_earlier = visits[:, 1] < last_visit[visit_client]
        earlier_visit = latest(visit_client[is_earlier], visits[is_earlier, 1], count)
        is_recent = visits[:, 1] > as_of - VISIT_REACH_DAYS

        occasions, occasion_client = place(histories.occasions[is_in_reach(histories.occasions, as_of=as_of)])
        rests, rest_client = place(histories.rests)
        gifts = histories.gifts
        gifts, gift_client = place(gifts[(gifts[:, 1] <= as_of) & (gifts[:, 1] > as_of - GIFT_REACH_DAYS)])
        marked, mark_client = place(histories.marks[histories.marks[:, 2] <= as_of])
        marks = columns_of(marked, mark_client, count)
        need_by = _need_by(visits, visit_client, last, as_of)
        if need_by is not None:
            marks[Mark.NEED_BY] = need_by

        texts, answers = clients[:, 2], clients[:, 3]
        return cls(
            number=clients[:, 0],
            associate=clients[:, 1],
            last_text=np.where(texts <= as_of, texts, NEVER),
            last_answer=np.where(answers <= as_of, answers, NEVER),
            purchase_days=purchase_days,
            first_purchase=first,
            last_purchase=last,
            last_visit=last_visit,
            total_minor=added_up(at[is_home], minor[is_home], count),
            visit_client=visit_client[is_recent],
            visit_day=visits[is_recent, 1],
            occasion_client=occasion_client,
            occasion_kind=occasions[:, 1],
            occasion_year=occasions[:, 2],
            occasion_month=occasions[:, 3],
            occasion_day=occasions[:, 4],
            occasion_recurrence=occasions[:, 5],
            occasion_lead=occasions[:, 6],
            occasion_relationship=occasions[:, 7],
            rest_client=rest_client,
            rest_signal=rests[:, 1],
            rest_day=rests[:, 2] if rests.shape[1] > 2 else np.full(len(rests), as_of, dtype=np.int64),
            store=clients[:, 4] if clients.shape[1] > 4 else np.full(count, -1, dtype=np.int64),
            earlier_visit=earlier_visit,
            home_days=home_days,
            home_repeat_minor=added_up(at[is_repeat], minor[is_repeat], count),
            marks=marks,
            gift_client=gift_client,
            gift_day=gifts[:, 1],
            gift_kind=gifts[:, 2],
        )


@dataclass(frozen=True, eq=False)
class Places:
    """The positions of clients in the columns, by their numbers, which stand in order."""

    number: Integers

    def __call__(self, rows: Integers) -> tuple[Integers, Integers]:
        """Return rows with the positions of their clients; one who came after the clients were read has none."""
        count = len(self.number)
        at = np.minimum(np.searchsorted(self.number, rows[:, 0]), max(count - 1, 0))
        is_known = self.number[at] == rows[:, 0] if count else np.zeros(len(rows), dtype=np.bool_)
        return rows[is_known], at[is_known]


def columns_of(rows: Integers, client: Integers, count: int) -> dict[Mark, Integers]:
    """Return the last day of each mark for each client."""
    return {
        MARKS[position]: latest(client[of_mark], rows[of_mark, 2], count)
        for position in np.unique(rows[:, 1]).tolist()
        for of_mark in (rows[:, 1] == position,)
    }


def latest(client: Integers, day: Integers, count: int) -> Integers:
    """Return the last day of each client, NEVER without any."""
    found = np.full(count, NEVER, dtype=np.int64)
    np.maximum.at(found, client, day)
    return found


def added_up(client: Integers, amount: Integers, count: int) -> Integers:
    """Return the sum of each client."""
    total = np.zeros(count, dtype=np.int64)
    np.add.at(total, client, amount)
    return total


def season_span(as_of: int) -> tuple[int, int]:
    """Return the first and the last season (month x 100 + day) that is in reach; the last may lie in the new year.

    29 February is kept on the 28th in common years, so that day reaches to it.
    """
    begin = date(1970, 1, 1) + timedelta(days=as_of)
    end = begin + timedelta(days=OCCASION_REACH_DAYS)
    last = end.month * 100 + end.day
    return begin.month * 100 + begin.day, 229 if last == 228 else last


def is_in_reach(occasions: Integers, *, as_of: int) -> Flags:
    """Return which occasions may come so soon that a signal can speak of them."""
    since, until = season_span(as_of)
    season = occasions[:, 3] * 100 + occasions[:, 4]
    is_after, is_before = season >= since, season <= until
    is_near = is_after & is_before if since <= until else is_after | is_before
    return is_near | (occasions[:, 6] > OCCASION_REACH_DAYS)


def _days(client: Integers, day: Integers, count: int) -> tuple[Integers, Integers, Integers, Integers]:
    """Return of each client the first and the last day, the number of days, and the second one, far ahead without."""
    span = 1 << 22  # more than the days of the calendar
    owner, offset = np.divmod(np.unique(client * span + day + span // 2), span)
    distinct = offset - span // 2
    begins = np.flatnonzero(np.diff(owner, prepend=-1))
    ends = np.append(begins[1:], len(owner)) - 1 if len(owner) else begins
    first, last = np.full(count, NEVER, dtype=np.int64), np.full(count, NEVER, dtype=np.int64)
    second = np.full(count, -NEVER, dtype=np.int64)
    first[owner[begins]], last[owner[begins]] = distinct[begins], distinct[ends]
    has_second = ends > begins
    second[owner[begins[has_second]]] = distinct[begins[has_second] + 1]
    return first, last, np.bincount(owner, minlength=count).astype(np.int64), second


def _need_by(visits: Integers, client: Integers, last_purchase: Integers, as_of: int) -> Integers | None:
    """Return the nearest day ahead by which something is needed that was said after the last purchase day."""
    if visits.shape[1] < 3:
        return None
    counts = (visits[:, 2] >= as_of) & (visits[:, 1] > last_purchase[client])
    if not counts.any():
        return None
    found = latest(client[counts], -visits[counts, 2], len(last_purchase))
    return np.where(found == NEVER, NEVER, -found)
