"""The chain's purchase model: fitted when there is history for it, and honest when there is not.

Must not invent a figure: where a fit is missing, `note` says so and the estimates are None or NaN.
"""

import enum
from dataclasses import dataclass, replace
from datetime import date

import numpy as np
import numpy.typing as npt

from outreach.purchase_model import (
    BgNbd,
    FitDidNotConverge,
    GammaGamma,
    NotEnoughHistory,
    PurchaseSummary,
)
from outreach.purchase_model.summary import DAYS_PER_WEEK
from outreach.signals.book import Book
from outreach.signals.finding import day_number
from outreach.signals.vip_going_quiet import VIP_SHARE

Floats = npt.NDArray[np.float64]

YEAR_WEEKS = 365 / 7
LEAST_CLIENTS_FOR_VIPS = 10  # a top tenth of fewer is nobody


class ModelState(enum.StrEnum):
    """Whether there is a model, and if not, why."""

    FITTED = "fitted"
    NOT_ENOUGH_HISTORY = "not_enough_history"
    NOT_FITTED = "not_fitted"


@dataclass(frozen=True)
class ChainModel:
    """What was learned of a chain's purchases as of a day.

    Money is in units of the chain's currency. `mean_spend` is what a purchase day brought on average, the stand-in
    where Gamma-Gamma has no fit; `mean_value_year` is the average client's expected spend over a year. `vip_minor`
    is the spend, in minor units, from which a client belongs to the top tenth.
    """

    state: ModelState
    note: str
    as_of: date
    clients: int
    repeat_clients: int
    bg_nbd: BgNbd | None = None
    gamma_gamma: GammaGamma | None = None
    mean_spend: float | None = None
    mean_value_year: float | None = None
    vip_minor: int | None = None


@dataclass(frozen=True, eq=False)
class Estimates:
    """One row per client of the book; NaN where there is no figure."""

    alive: Floats
    purchases_year: Floats
    value_year: Floats


def fit(book: Book, as_of: date, *, minor_per_unit: int) -> ChainModel:
    """Fit BG/NBD (time in weeks, observed until `as_of`) and Gamma-Gamma to all clients of a chain."""
    summary, spend = _summaries(book, as_of, minor_per_unit)
    state, note = ModelState.FITTED, ""
    bg_nbd: BgNbd | None = None
    gamma_gamma: GammaGamma | None = None
    try:
        bg_nbd = BgNbd.fit(summary.frequency, summary.recency, summary.tenure)
    except NotEnoughHistory as error:
        state, note = ModelState.NOT_ENOUGH_HISTORY, f"Purchase rhythm: {error}."
    except FitDidNotConverge as error:
        state, note = ModelState.NOT_FITTED, f"Purchase rhythm: {error}."
    try:
        gamma_gamma = GammaGamma.fit(spend.frequency, spend.mean_value)
    except (NotEnoughHistory, FitDidNotConverge) as error:
        if state is ModelState.FITTED:
            is_short = isinstance(error, NotEnoughHistory)
            state = ModelState.NOT_ENOUGH_HISTORY if is_short else ModelState.NOT_FITTED
            note = f"Spend per purchase: {error}."
    purchase_days, total = int(book.purchase_days.sum()), float(book.total_minor.sum()) / minor_per_unit
    is_customer = book.purchase_days > 0
    spent = np.sort(book.total_minor[is_customer])
    vip_minor = None
    if len(spent) >= LEAST_CLIENTS_FOR_VIPS:
        vip_minor = int(spent[len(spent) - max(int(len(spent) * VIP_SHARE), 1)])
    model = ChainModel(
        state=state,
        note=note,
        as_of=as_of,
        clients=len(summary),
        repeat_clients=int(np.count_nonzero(summary.frequency)),
        bg_nbd=bg_nbd,
        gamma_gamma=gamma_gamma,
        mean_spend=total / purchase_days if purchase_days and total > 0 else None,
        vip_minor=vip_minor if vip_minor is not None and vip_minor > 0 else None,
    )
    values = estimate(model, book, as_of, minor_per_unit=minor_per_unit).value_year
    known = values[np.isfinite(values)]
    return replace(model, mean_value_year=float(known.mean()) if len(known) else None)


def estimate(model: ChainModel, book: Book, as_of: date, *, minor_per_unit: int) -> Estimates:
    """Return what to expect of each client in the year after `as_of`; NaN without a purchase, or without a model."""
    missing = np.full(len(book), np.nan)
    if model.bg_nbd is None:
        return Estimates(missing, missing.copy(), missing.copy())
    summary, spend = _summaries(book, as_of, minor_per_unit)
    history = (summary.frequency, summary.recency, summary.tenure)
    alive, purchases = missing.copy(), missing.copy()
    alive[summary.client] = model.bg_nbd.probability_alive(*history)
    purchases[summary.client] = model.bg_nbd.expected_purchases(YEAR_WEEKS, *history)
    stand_in = np.nan if model.mean_spend is None else model.mean_spend
    each = np.full(len(book), stand_in)
    if model.gamma_gamma is not None:
        value = model.gamma_gamma.expected_value(spend.frequency, spend.mean_value)
        each[spend.client] = np.where(np.isfinite(value), value, stand_in)
    return Estimates(alive, purchases, purchases * each)


def _summaries(book: Book, as_of: date, minor_per_unit: int) -> tuple[PurchaseSummary, PurchaseSummary]:
    """Return histories of all purchases, for the rhythm, and of those in the chain's currency, for the spend."""
    until = day_number(as_of)
    at = np.flatnonzero(book.purchase_days > 0)
    every = PurchaseSummary(
        client=at,
        frequency=(book.purchase_days[at] - 1).astype(np.float64),
        recency=(book.last_purchase[at] - book.first_purchase[at]) / DAYS_PER_WEEK,
        tenure=(until - book.first_purchase[at]) / DAYS_PER_WEEK,
        mean_value=np.zeros(len(at)),
    )
    home = np.flatnonzero(book.home_days > 0)
    repeats = (book.home_days[home] - 1).astype(np.float64)
    return every, PurchaseSummary(
        client=home,
        frequency=repeats,
        recency=np.zeros(len(home)),
        tenure=np.zeros(len(home)),
        mean_value=book.home_repeat_minor[home] / minor_per_unit / np.maximum(repeats, 1),
    )
