"""Clients as columns: what the signals and the model read. Must not contain a rule of a signal.

Days are numbers counted from 1970-01-01, money is minor units of the chain's currency, clients are numbers in the
tables and positions in the columns.
"""

import enum
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Self

import numpy as np
import numpy.typing as npt

Integers = npt.NDArray[np.int64]
Flags = npt.NDArray[np.bool_]

NEVER = -(10**6)  # a day before all days


class Mark(enum.StrEnum):
    """A day that something beside a purchase or a visit left with a client, named as its column in client_facts."""

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


def table(rows: npt.ArrayLike, columns: int) -> Integers:
    """Return rows of whole numbers as a table; no rows give a table of none."""
    return np.asarray(rows, dtype=np.int64).reshape(-1, columns)


@dataclass(frozen=True, eq=False)
class Histories:
    """What the store has of a chain's clients, or of one: tables of whole numbers, one row a fact, in any order.

    clients: number, number of the associate (-1 none), day of the last marketing text, of the last answer (NEVER none)
    purchases: client, day, minor units, 1 if they are of the chain's currency else 0
    visits: client, day
    occasions: client, kind, year (0 unknown), month, day, recurrence, lead days (-1 not said), relationship of whose
        day it is (0 the client's own); the kinds, recurrences and relationships are the contract's numbers
    rests: client, position of a signal that was answered lately
    """

    clients: Integers
    purchases: Integers
    visits: Integers
    occasions: Integers
    rests: Integers


@dataclass(frozen=True, eq=False)
class Book:
    """All clients of a chain, or one, on one day; nothing in it is later than that day.

    The first columns have one row a client. A refund is no purchase day, but it lowers the total.
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

    purchase_client: Integers
    purchase_day: Integers
    purchase_minor: Integers
    purchase_is_home: Flags

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

    # The client's store, by number; -1 where none is known. Empty for a book without stores.
    store: Integers = field(default_factory=lambda: np.empty(0, dtype=np.int64))
    # The last day of a visit before the day of the last one; NEVER without two.
    earlier_visit: Integers = field(default_factory=lambda: np.empty(0, dtype=np.int64))
    # Purchase days in the chain's currency, and what those after the first brought in all.
    home_days: Integers = field(default_factory=lambda: np.empty(0, dtype=np.int64))
    home_repeat_minor: Integers = field(default_factory=lambda: np.empty(0, dtype=np.int64))
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
        number = clients[:, 0]
        count = len(number)

        def placed(rows: Integers) -> tuple[Integers, Integers]:
            """Return rows with the positions of their clients; one who came after the clients were read has none."""
            at = np.minimum(np.searchsorted(number, rows[:, 0]), max(count - 1, 0))
            is_known = number[at] == rows[:, 0] if count else np.zeros(len(rows), dtype=np.bool_)
            return rows[is_known], at[is_known]

        purchases, at = placed(histories.purchases[histories.purchases[:, 1] <= as_of])
        visits, visit_client = placed(histories.visits[histories.visits[:, 1] <= as_of])
        occasions, occasion_client = placed(histories.occasions)
        rests, rest_client = placed(histories.rests)
        day, minor, is_home = purchases[:, 1], purchases[:, 2], purchases[:, 3] == 1

        is_bought = minor >= 0
        first, last = np.full(count, NEVER, dtype=np.int64), np.full(count, NEVER, dtype=np.int64)
        np.maximum.at(last, at[is_bought], day[is_bought])
        np.maximum.at(
            first, at[is_bought], -day[is_bought]
        )  # the least day, as the greatest of its negatives
        span = 1 << 22  # more than the days of the calendar
        distinct = np.unique(at[is_bought] * span + day[is_bought] + span // 2) // span
        has_bought = last != NEVER
        total = np.zeros(count, dtype=np.int64)
        np.add.at(total, at[is_home], minor[is_home])
        last_visit = np.full(count, NEVER, dtype=np.int64)
        np.maximum.at(last_visit, visit_client, visits[:, 1])

        texts, answers = clients[:, 2], clients[:, 3]
        return cls(
            number=number,
            associate=clients[:, 1],
            last_text=np.where(texts <= as_of, texts, NEVER),
            last_answer=np.where(answers <= as_of, answers, NEVER),
            purchase_days=np.bincount(distinct, minlength=count).astype(np.int64),
            first_purchase=np.where(has_bought, -first, NEVER),
            last_purchase=last,
            last_visit=last_visit,
            total_minor=total,
            purchase_client=at,
            purchase_day=day,
            purchase_minor=minor,
            purchase_is_home=is_home,
            visit_client=visit_client,
            visit_day=visits[:, 1],
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
        )
