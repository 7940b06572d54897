"""Who is worth a contact today, in which order, and why in parts.

    contribution of a reason = value of the client x prior of the signal x urgency of its window
    score = the sum over the client's reasons

The value of a client is the expected spend over the year ahead, in units of the chain's currency: the client's own
where there are purchases, else the chain's average, said in the note; without a model every client has
ORDINAL_VALUE, so that the order still follows the reasons, and no money is claimed. Same inputs and day, same result.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date

import numpy as np
import numpy.typing as npt

from outreach.domain import SIGNALS, Reason, Signal
from outreach.scoring.model import ChainModel, estimate
from outreach.signals import READINGS, Finding
from outreach.signals.book import NEVER, Book, Integers
from outreach.signals.finding import day_number, day_of

Floats = npt.NDArray[np.float64]

ORDINAL_VALUE = 100.0
DECIMALS = 4
# Whom the house wrote to this week is left in peace, unless the client answered or came in since.
REST_AFTER_TEXT_DAYS = 7

NO_PURCHASES = "No purchases yet: ranked with the chain's average."
NO_MODEL = "Ranked by its reasons only, without expected value."


@dataclass(frozen=True)
class Candidate:
    """One client worth a contact; `client` is the client's number in the book that was ranked."""

    client: int
    associate: int
    score: float
    reasons: tuple[Reason, ...]
    expires_on: date
    model_note: str


@dataclass(frozen=True, eq=False)
class Weighed:
    """A book of clients on one day, weighed: columns of one row a client, and what the scores are made of."""

    score: Floats
    is_due: npt.NDArray[np.bool_]  # has a reason, and somebody to take it up
    until: Integers
    value: Floats
    is_average: npt.NDArray[np.bool_]
    findings: Sequence[Finding]
    contributions: Sequence[Floats]


def rank(
    book: Book,
    model: ChainModel | None,
    as_of: date,
    *,
    currency: str,
    minor_per_unit: int,
    keep: int,
    always: Integers | None = None,
) -> Sequence[Candidate]:
    """Return each associate's best `keep` clients, with all that tie with the last of them, and those of `always`.

    Clients without an associate have no queue and are left out. In order of score, highest first, then of number.
    """
    weighed = weigh(book, model, as_of, minor_per_unit=minor_per_unit)
    return tell(book, weighed, best(book, weighed, keep, always=always), model, currency=currency)


def weigh(book: Book, model: ChainModel | None, as_of: date, *, minor_per_unit: int) -> Weighed:
    """Return what each client of a book is worth a contact today; a slice of a chain gives the chain's own figures."""
    if model is not None:
        book = replace(book, vip_minor=model.vip_minor)
    today = day_number(as_of)
    value, is_average = _values(book, model, as_of, minor_per_unit)
    findings = [
        _without_rests(READINGS[signal].find(book, today), book, SIGNALS.index(signal), today)
        for signal in _read_signals()
    ]
    contributions = [
        np.round(value[finding.client] * READINGS[signal].prior * finding.urgency, DECIMALS)
        for signal, finding in zip(_read_signals(), findings, strict=True)
    ]
    score, reasons = np.zeros(len(book)), np.zeros(len(book), dtype=np.int64)
    until = np.full(len(book), NEVER, dtype=np.int64)
    for finding, contribution in zip(findings, contributions, strict=True):
        score[finding.client] += contribution
        reasons[finding.client] += 1
        until[finding.client] = np.maximum(until[finding.client], finding.until)
    return Weighed(
        score=np.round(score, DECIMALS),
        is_due=(reasons > 0) & (book.associate >= 0),
        until=until,
        value=value,
        is_average=is_average,
        findings=findings,
        contributions=contributions,
    )


def best(book: Book, weighed: Weighed, keep: int, *, always: Integers | None = None) -> Integers:
    """Return the positions of each associate's best `keep`, of all that tie with the last of them, and of `always`."""
    chosen = best_of(np.flatnonzero(weighed.is_due), weighed.score, book.associate, keep)
    if always is not None and len(always):
        chosen = np.union1d(chosen, np.flatnonzero(np.isin(book.number, always) & weighed.is_due))
    return chosen


def tell(
    book: Book, weighed: Weighed, chosen: Integers, model: ChainModel | None, *, currency: str
) -> Sequence[Candidate]:
    """Return clients at some positions with their reasons in words, the highest score first, then by number."""
    parts: dict[int, list[Reason]] = {int(at): [] for at in chosen}
    for signal, finding, contribution in zip(
        _read_signals(), weighed.findings, weighed.contributions, strict=True
    ):
        for row in np.flatnonzero(np.isin(finding.client, chosen)):
            figures = {name: int(column[row]) for name, column in finding.figures.items()}
            sentence, facts = READINGS[signal].tell(figures)
            at = int(finding.client[row])
            facts |= _basis(model, float(weighed.value[at]), bool(weighed.is_average[at]), currency)
            parts[at].append(Reason(signal, sentence, float(contribution[row]), facts))
    candidates = [
        Candidate(
            client=int(book.number[at]),
            associate=int(book.associate[at]),
            score=float(weighed.score[at]),
            reasons=tuple(sorted(parts[int(at)], key=lambda reason: -reason.contribution)),
            expires_on=day_of(weighed.until[at]),
            model_note=_note(model, is_average=bool(weighed.is_average[at])),
        )
        for at in chosen
    ]
    return sorted(candidates, key=lambda candidate: (-candidate.score, candidate.client))


def _read_signals() -> Sequence[Signal]:
    return [signal for signal in SIGNALS if signal in READINGS]


def _values(
    book: Book, model: ChainModel | None, as_of: date, minor_per_unit: int
) -> tuple[Floats, npt.NDArray[np.bool_]]:
    """Return what each client is worth, and for whom that is the chain's average."""
    if model is None or model.mean_value_year is None:
        return np.full(len(book), ORDINAL_VALUE), np.zeros(len(book), dtype=np.bool_)
    own = estimate(model, book, as_of, minor_per_unit=minor_per_unit).value_year
    is_average = ~np.isfinite(own)
    return np.where(is_average, model.mean_value_year, own), is_average


def _without_rests(finding: Finding, book: Book, position: int, as_of: int) -> Finding:
    has_come_since = (book.last_answer >= book.last_text) | (book.last_visit > book.last_text)
    is_in_peace = (as_of - book.last_text < REST_AFTER_TEXT_DAYS) & ~has_come_since
    stays = ~is_in_peace[finding.client]
    stays &= ~np.isin(finding.client, book.rest_client[book.rest_signal == position])
    if stays.all():
        return finding
    return Finding(
        client=finding.client[stays],
        urgency=finding.urgency[stays],
        until=finding.until[stays],
        figures={name: column[stays] for name, column in finding.figures.items()},
    )


def best_of(at: Integers, score: Floats, associate: Integers, keep: int) -> Integers:
    """Return the positions with the `keep` best scores of each associate, and those that tie with the last of them."""
    order = at[np.lexsort((-score[at], associate[at]))]
    owner = associate[order]
    starts = np.flatnonzero(np.diff(owner, prepend=NEVER))
    sizes = np.diff(np.append(starts, len(owner)))
    last = order[starts + np.minimum(sizes, keep) - 1] if len(starts) else order
    return np.sort(order[score[order] >= np.repeat(score[last], sizes)]) if len(order) else order


def _basis(model: ChainModel | None, value: float, is_average: bool, currency: str) -> dict[str, str]:
    if model is None or model.mean_value_year is None:
        return {"value_basis": "none"}
    return {
        "value_basis": "chain average" if is_average else "own history",
        "expected_value_year": f"{value:.2f} {currency}".strip(),
    }


def _note(model: ChainModel | None, *, is_average: bool) -> str:
    if model is None:
        return f"No purchase model has been fitted yet. {NO_MODEL}"
    if model.mean_value_year is None:
        return f"{model.note} {NO_MODEL}".strip()
    said = [NO_PURCHASES] if is_average else []
    if model.gamma_gamma is None:
        said.append(f"Spend per purchase is the chain's average. {model.note}")
    return " ".join(said)
