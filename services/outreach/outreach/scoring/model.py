"""The chain's purchase model: fitted when there is history for it, and honest when there is not.

Must not invent a figure. What is expected of a client falls back in steps, each said in words (`basis_words`):

    rhythm   BG/NBD given the client's own purchases; where it found no maximum, the chain's repeat days a year
    spend    Gamma-Gamma given the client's own repeat purchases; where it has no fit, her mean pooled with that of
             clients alike; without repeat purchases that of clients alike (`segments`); else the chain's mean

A chain without enough history, and a client without a purchase, have no figure (None, NaN).
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
    summarise_columns,
    thin,
)
from outreach.scoring.segments import Segment, pool_segments, spend_of
from outreach.scoring.tiers import TierScale, scale_of
from outreach.signals.book import Book
from outreach.signals.finding import day_number
from outreach.signals.vip_going_quiet import VIP_SHARE

Floats = npt.NDArray[np.float64]
Integers = npt.NDArray[np.int64]

YEAR_WEEKS = 365 / 7
WEEK_DAYS = 7.0
LEAST_CLIENTS_FOR_VIPS = 10  # a top tenth of fewer is nobody
# Four parameters are known to a hundredth from so many; a million clients would take seconds and say the same.
MOST_HISTORIES = 30_000
# What a client's own repeat day weighs against clients alike, where Gamma-Gamma has no fit: as much.
POOLED_DAYS_OF_CLIENT = 1.0


class ModelState(enum.StrEnum):
    """Whether there is a model, and if not, why."""

    FITTED = "fitted"
    NOT_ENOUGH_HISTORY = "not_enough_history"
    NOT_FITTED = "not_fitted"


class Basis(enum.IntEnum):
    """Whose purchases the money expected of a client is worked out from; the weakest part counts."""

    NONE = 0
    CHAIN = 1
    SEGMENT = 2
    OWN = 3


@dataclass(frozen=True)
class ChainModel:
    """What was learned of a chain's purchases as of a day.

    Money is in units of the chain's currency. `mean_spend` is what a purchase day brought on average;
    `mean_value_year` is the average client's expected spend over a year; `repeats_year` is how many repeat days a
    client brought a year, known only where BG/NBD found no maximum in enough history. `vip_minor` is the spend, in
    minor units, from which a client belongs to the top tenth.
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
    segments: tuple[Segment, ...] = ()
    repeats_year: float | None = None
    # Where the clients who bought stand; None where they are too few to part.
    tiers: TierScale | None = None


@dataclass(frozen=True, eq=False)
class Estimates:
    """One row per client of the book; NaN where there is no figure. `basis` holds the numbers of `Basis`."""

    alive: Floats
    purchases_year: Floats
    value_year: Floats
    basis: npt.NDArray[np.int8]


def fit(book: Book, as_of: date, *, minor_per_unit: int) -> ChainModel:
    """Fit BG/NBD (time in weeks, observed until `as_of`) and Gamma-Gamma to all clients of a chain."""
    return fit_and_estimate(book, as_of, minor_per_unit=minor_per_unit)[0]


def fit_and_estimate(book: Book, as_of: date, *, minor_per_unit: int) -> tuple[ChainModel, Estimates]:
    """Return the model of a chain and what it says of each client for a year: in one go, the same as one by one."""
    history = _history(book, as_of)
    state, notes = ModelState.FITTED, []
    bg_nbd: BgNbd | None = None
    gamma_gamma: GammaGamma | None = None
    repeats_year: float | None = None
    try:
        bg_nbd = _fit_rhythm(history.folded)
    except NotEnoughHistory as error:
        state = ModelState.NOT_ENOUGH_HISTORY
        notes.append(f"Purchase rhythm: {error}.")
    except FitDidNotConverge as error:
        state = ModelState.NOT_FITTED
        repeats_year = _repeats_year(history.rhythm)
        notes.append(f"Purchase rhythm: {error}; the chain's own average stands in.")
    try:
        gamma_gamma = _fit_spend(history, minor_per_unit)
    except (NotEnoughHistory, FitDidNotConverge) as error:
        notes.append(f"Spend per purchase: {error}.")
        if state is ModelState.FITTED:
            is_short = isinstance(error, NotEnoughHistory)
            state = ModelState.NOT_ENOUGH_HISTORY if is_short else ModelState.NOT_FITTED
    at = history.home
    home_days, total = int(history.home_days.sum()), float(book.total_minor[at].sum()) / minor_per_unit
    model = ChainModel(
        state=state,
        note=" ".join(notes[:1]),
        as_of=as_of,
        clients=len(history.rhythm),
        repeat_clients=int(np.count_nonzero(history.rhythm.frequency)),
        bg_nbd=bg_nbd,
        gamma_gamma=gamma_gamma,
        mean_spend=total / home_days if home_days and total > 0 else None,
        vip_minor=_vip_minor(book.total_minor[history.rhythm.client]),
        segments=pool_segments(
            history.first_minor, history.home_days - 1, history.repeat_minor, minor_per_unit=minor_per_unit
        ),
        repeats_year=repeats_year,
        tiers=scale_of(book),
    )
    estimates = _estimate(model, history, len(book), YEAR_WEEKS, minor_per_unit)
    known = estimates.value_year[np.isfinite(estimates.value_year)]
    return replace(model, mean_value_year=float(known.mean()) if len(known) else None), estimates


def estimate(
    model: ChainModel, book: Book, as_of: date, *, minor_per_unit: int, weeks: float = YEAR_WEEKS
) -> Estimates:
    """Return what to expect of each client in the year, or so many weeks, after `as_of`.

    A client's figures depend on her own columns and the model only, so a slice of a chain gets the chain's figures.
    """
    return _estimate(model, _history(book, as_of), len(book), weeks, minor_per_unit)


def basis_words(basis: int) -> str:
    """Return in words whose purchases a client's expected money is from."""
    return {
        Basis.OWN: "own history",
        Basis.SEGMENT: "own rhythm, spend of clients whose first purchase was about as dear",
        Basis.CHAIN: "the chain's average, where the client's own purchases say too little",
        Basis.NONE: "none",
    }[Basis(basis)]


def missing_words(model: ChainModel, basis: int) -> str:
    """Return in words which part of the model a client's figures do without, and why; empty where it has both."""
    if model.bg_nbd is None:
        return f"Purchases a year are the chain's average. {model.note}"
    if model.gamma_gamma is not None or basis == Basis.NONE:
        return ""
    stand_in = {
        Basis.OWN: "the client's own mean, drawn towards clients whose first purchase was about as dear",
        Basis.SEGMENT: "that of clients whose first purchase was about as dear",
        Basis.CHAIN: "the chain's average",
    }[Basis(basis)]
    return f"Spend per purchase is {stand_in}. {model.note}"


@dataclass(frozen=True, eq=False)
class _History:
    """What the model reads of a book: whoever bought, and of these whoever bought in the chain's currency.

    `rhythm` has rows of all purchases, whatever currency; `folded` the distinct ones. `home` are positions in the
    book, with the days on which they bought in the chain's currency, what the first brought, and what the later
    ones did.
    """

    rhythm: PurchaseSummary
    folded: "_Folded"
    home: Integers
    home_days: Integers
    first_minor: Integers
    repeat_minor: Integers


def _history(book: Book, as_of: date) -> _History:
    rhythm = summarise_columns(
        book.purchase_days, book.first_purchase, book.last_purchase, observed_until=day_number(as_of)
    )
    home = rhythm.client[book.home_days[rhythm.client] > 0]
    repeat_minor = book.home_repeat_minor[home]
    return _History(
        rhythm, _fold(rhythm), home, book.home_days[home], book.total_minor[home] - repeat_minor, repeat_minor
    )


def _fit_rhythm(folded: "_Folded") -> BgNbd:
    is_repeater = folded.frequency > 0
    clients = folded.clients.copy()
    clients[is_repeater] = thin(clients[is_repeater], MOST_HISTORIES)
    taken = clients > 0
    return BgNbd.fit(
        folded.frequency[taken], folded.recency[taken], folded.tenure[taken], clients=clients[taken]
    )


def _fit_spend(history: _History, minor_per_unit: int) -> GammaGamma:
    is_spender = (history.home_days > 1) & (history.repeat_minor > 0)
    days, minor = history.home_days[is_spender] - 1, history.repeat_minor[is_spender]
    if len(days) > MOST_HISTORIES:
        order = np.lexsort((days, minor))
        order = order[thin(np.ones(len(order)), MOST_HISTORIES) > 0]
        days, minor = days[order], minor[order]
    return GammaGamma.fit(days, minor / days / minor_per_unit)


def _repeats_year(rhythm: PurchaseSummary) -> float | None:
    weeks = float(rhythm.tenure.sum())
    return float(rhythm.frequency.sum()) / weeks * YEAR_WEEKS if weeks else None


def _vip_minor(spent: Integers) -> int | None:
    if len(spent) < LEAST_CLIENTS_FOR_VIPS:
        return None
    place = len(spent) - max(int(len(spent) * VIP_SHARE), 1)
    found = int(np.partition(spent, place)[place])
    return found if found > 0 else None


def _estimate(
    model: ChainModel, history: _History, count: int, weeks: float, minor_per_unit: int
) -> Estimates:
    alive, purchases, spend = (np.full(count, np.nan) for _ in range(3))
    basis = np.zeros(count, dtype=np.int8)
    client = history.rhythm.client
    if model.bg_nbd is not None:
        folded, of_client = history.folded, history.folded.of_client
        rows = (folded.frequency, folded.recency, folded.tenure)
        alive[client] = model.bg_nbd.probability_alive(*rows)[of_client]
        purchases[client] = model.bg_nbd.expected_purchases(weeks, *rows)[of_client]
        basis[client] = Basis.OWN
    elif model.repeats_year is not None:
        purchases[client] = model.repeats_year * weeks / YEAR_WEEKS
        basis[client] = Basis.CHAIN
    else:
        return Estimates(alive, purchases, spend, basis)
    each, of_whom = _spend(model, history, minor_per_unit)
    spend[client] = np.nan if model.mean_spend is None else model.mean_spend
    spend[history.home] = each
    spend_basis = np.full(count, Basis.CHAIN, dtype=np.int8)
    spend_basis[history.home] = of_whom
    value = purchases * spend
    basis = np.where(np.isfinite(value), np.minimum(basis, spend_basis), Basis.NONE).astype(np.int8)
    return Estimates(alive, purchases, value, basis)


def _spend(model: ChainModel, history: _History, minor_per_unit: int) -> tuple[Floats, npt.NDArray[np.int8]]:
    """Return what a purchase day of those who bought in the chain's currency brings, and whose figure that is."""
    chain = np.nan if model.mean_spend is None else model.mean_spend
    each = np.full(len(history.home), chain)
    of_whom = np.full(len(history.home), Basis.CHAIN, dtype=np.int8)
    if model.segments:
        each, says = spend_of(model.segments, history.first_minor)
        of_whom[says] = Basis.SEGMENT
    elif model.gamma_gamma is not None and np.isfinite(model.gamma_gamma.population_mean):
        each = np.full(len(history.home), model.gamma_gamma.population_mean)
    is_spender = (history.home_days > 1) & (history.repeat_minor > 0)
    days = (history.home_days[is_spender] - 1).astype(np.float64)
    mean = history.repeat_minor[is_spender] / days / minor_per_unit
    pooled = (days * mean + POOLED_DAYS_OF_CLIENT * each[is_spender]) / (days + POOLED_DAYS_OF_CLIENT)
    if model.gamma_gamma is not None:
        own = model.gamma_gamma.expected_value(days, mean)
        pooled = np.where(np.isfinite(own), own, pooled)
    each[is_spender] = pooled
    of_whom[is_spender] = np.where(np.isfinite(pooled), Basis.OWN, of_whom[is_spender])
    return each, of_whom


@dataclass(frozen=True, eq=False)
class _Folded:
    """Distinct histories in order, in weeks, how many clients have each, and which one each client has."""

    frequency: Floats
    recency: Floats
    tenure: Floats
    clients: Floats
    of_client: Integers


def _fold(rhythm: PurchaseSummary) -> _Folded:
    frequency = rhythm.frequency.astype(np.int64)
    recency, tenure = (
        np.rint(column * WEEK_DAYS).astype(np.int64) for column in (rhythm.recency, rhythm.tenure)
    )
    span = int(tenure.max(initial=0)) + 1
    # One number a history, so that a million are sorted once instead of column by column.
    key = (frequency * span + recency) * span + tenure
    _, first, of_client, clients = np.unique(key, return_index=True, return_inverse=True, return_counts=True)
    return _Folded(
        rhythm.frequency[first],
        rhythm.recency[first],
        rhythm.tenure[first],
        clients.astype(np.float64),
        of_client,
    )
