"""From purchases to what the models read of a client: frequency, recency, tenure, mean repeat value.

Must not guess: a row that cannot be placed is refused by name or left out by a rule written here.

Convention of Fader, Hardie and Lee, "Counting Your Customers the Easy Way" (Marketing Science 24, 2005), as
used for the published CDNOW tables:
- the first purchase day starts the client's history and is not itself counted;
- frequency is the number of later days with a purchase; several purchases in a day are one;
- recency is the time from the first to the last purchase day, tenure the time from the first purchase day
  to the last observed day (1997-09-30 for CDNOW weeks 1-39), both in periods of `days_per_period` days, not
  rounded;
- the mean repeat value is what was spent on the counted days divided by frequency; the first day is left out.

Rows that are not plain purchases:
- after `observed_until`: left out, refunds as well;
- amount zero: a purchase of nothing (a voucher, a gift with purchase), which counts as a day like any other;
- amount below zero: a refund. It makes no purchase day; it lowers the value of the client's latest purchase
  day up to then, and is left out when there is none. A mean pulled to zero or below keeps its client out of
  Gamma-Gamma, not out of BG/NBD: she did come to the store.
"""

from dataclasses import dataclass
from datetime import date
from typing import Any

import numpy as np
import numpy.typing as npt

from outreach.purchase_model.columns import Floats, Integers, floats, require_one_length
from outreach.purchase_model.errors import UnusableInput

DAYS_PER_WEEK = 7.0


@dataclass(frozen=True, eq=False)
class PurchaseSummary:
    """One row per client with a purchase, ordered by client; all columns have the same length.

    `client` repeats the caller's numbers, `recency` and `tenure` are in periods, `mean_value` is in the
    unit of the amounts and 0 where `frequency` is 0.
    """

    client: Integers
    frequency: Floats
    recency: Floats
    tenure: Floats
    mean_value: Floats

    def __len__(self) -> int:
        return len(self.client)


def summarise(
    client: npt.ArrayLike,
    day: npt.ArrayLike,
    amount: npt.ArrayLike,
    *,
    observed_until: int | date | np.datetime64,
    days_per_period: float = DAYS_PER_WEEK,
) -> PurchaseSummary:
    """Summarise transactions per client up to and including `observed_until`.

    `client` holds whole numbers from zero, `day` calendar days as datetime64 or whole day numbers, `amount`
    minor units or any other unit of one currency; one row a transaction, any order. `observed_until` is a day
    of the same kind as `day`. Clients without a purchase by then have no row. Raises UnusableInput.
    """
    clients, amounts = _whole("client", np.asarray(client)), floats("amount", amount)
    days, is_calendar = _days("day", day)
    until, is_calendar_until = _days("observed_until", observed_until)
    require_one_length(client=clients, day=days, amount=amounts)
    if clients.size and clients.min() < 0:
        raise UnusableInput("client", "holds a negative number")
    if not (np.isfinite(days_per_period) and days_per_period > 0):
        raise UnusableInput("days_per_period", "must be a positive number")
    if days.size and is_calendar != is_calendar_until:
        raise UnusableInput(
            "observed_until", "must be a calendar day where day holds them, a number where not"
        )

    end = int(until)
    is_observed = days <= end
    clients, days, amounts = clients[is_observed], days[is_observed], amounts[is_observed]
    if not clients.size:
        return _nobody()
    origin = int(days.min())
    span = end - origin + 1
    if int(clients.max()) > np.iinfo(np.int64).max // span - 1:
        raise UnusableInput("client, day", "reach too far to index, count clients from zero")

    visit = clients * span + (days - origin)  # one number per client and day, ordered by client, then day
    is_purchase = amounts >= 0
    purchase_day, at = np.unique(visit[is_purchase], return_inverse=True)
    if not purchase_day.size:
        return _nobody()
    value = np.bincount(at, weights=amounts[is_purchase])
    owner, offset = np.divmod(purchase_day, span)

    refund = visit[~is_purchase]
    bought = np.searchsorted(purchase_day, refund, side="right") - 1
    is_placed = (bought >= 0) & (owner[bought] == refund // span)
    value += np.bincount(bought[is_placed], weights=amounts[~is_purchase][is_placed], minlength=len(value))

    first = np.flatnonzero(np.diff(owner, prepend=-1))
    last = np.append(first[1:], len(owner)) - 1
    frequency = (last - first).astype(np.float64)
    value[first] = 0
    mean_value = np.add.reduceat(value, first) / np.maximum(frequency, 1)
    if not np.isfinite(mean_value).all():
        raise UnusableInput("amount", "adds up to more than a float can hold")
    return PurchaseSummary(
        client=owner[first],
        frequency=frequency,
        recency=(offset[last] - offset[first]) / days_per_period,
        tenure=(end - origin - offset[first]) / days_per_period,
        mean_value=mean_value,
    )


def summarise_columns(
    purchase_days: npt.ArrayLike,
    first_day: npt.ArrayLike,
    last_day: npt.ArrayLike,
    *,
    observed_until: int,
    days_per_period: float = DAYS_PER_WEEK,
) -> PurchaseSummary:
    """Return the rhythm part of what `summarise` gives, from one row a client that was counted before.

    Whole numbers, shape (clients,); days are counted from any day. Clients without a purchase by `observed_until`
    have no row. Mean values are 0: they are not in these columns. Raises UnusableInput.
    """
    days, first, last = (
        _whole(name, np.asarray(column))
        for name, column in (
            ("purchase_days", purchase_days),
            ("first_day", first_day),
            ("last_day", last_day),
        )
    )
    require_one_length(purchase_days=days, first_day=first, last_day=last)
    client = np.flatnonzero((days > 0) & (first <= observed_until))
    first, last = first[client], np.minimum(last[client], observed_until)
    if (last < first).any():
        raise UnusableInput("last_day", "is before first_day")
    # Bought on one day only, as far as these columns know.
    frequency = np.where(last > first, np.maximum(days[client] - 1, 1), 0).astype(np.float64)
    return PurchaseSummary(
        client=client,
        frequency=frequency,
        recency=(last - first) / days_per_period,
        tenure=(observed_until - first) / days_per_period,
        mean_value=np.zeros(len(client)),
    )


def _nobody() -> PurchaseSummary:
    none = np.empty(0)
    return PurchaseSummary(np.empty(0, dtype=np.int64), none, none, none, none)


def _days(argument: str, values: npt.ArrayLike | date) -> tuple[Integers, bool]:
    """Return days as int64, and whether they are calendar days (then counted from 1970-01-01)."""
    column = np.asarray(values)
    if column.dtype == object:
        try:
            column = np.asarray(values, dtype="datetime64[D]")
        except (TypeError, ValueError, OverflowError) as error:
            raise UnusableInput(argument, "must hold whole numbers or calendar days") from error
    if column.dtype.kind != "M":
        return _whole(argument, column), False
    if np.isnat(column).any():
        raise UnusableInput(argument, "holds NaT")
    return column.astype("datetime64[D]").astype(np.int64), True


def _whole(argument: str, column: npt.NDArray[Any]) -> Integers:
    if column.dtype.kind not in "iu":
        column = floats(argument, column)
        if not np.array_equal(column, np.floor(column)) or (np.abs(column) > 2**53).any():
            raise UnusableInput(argument, "must hold whole numbers")
    return column.astype(np.int64)
