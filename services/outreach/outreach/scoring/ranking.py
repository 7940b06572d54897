"""Who is worth a contact today, in which order, and why in parts.

    contribution of a reason = value of the client x effect of the signal x urgency of its window x freshness
    score = the sum over the client's reasons

The value of a client is the expected spend over the year ahead, in units of the chain's currency: the client's own
where there are purchases, else of clients alike or the chain's average, said in the note; without a model every client
has ORDINAL_VALUE, so that the order still follows the reasons, and no money is claimed. The effect is how often
contacts for the signal are answered here (`effects`), freshness is 1 less the fatigue of a recent touch. Factors have
DECIMALS decimals and contributions are whole ten-thousandths, so that parts add up exactly. Same inputs and day, same
result. Which of the clients that are due come on the queue is decided in `choosing`.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date

import numpy as np
import numpy.typing as npt

from outreach.domain import SIGNALS, Reason, Tier, TierAction
from outreach.scoring.choosing import best_or_drawn
from outreach.scoring.model import Basis, ChainModel, Estimates, basis_words, estimate, missing_words
from outreach.scoring.rules import Rules
from outreach.scoring.tiers import TIERS, Tiers, tiers_of
from outreach.signals import READINGS, Finding
from outreach.signals.book import NEVER, Book, Flags, Integers, Mark
from outreach.signals.finding import day_number, day_of
from outreach.signals.stores import find

Floats = npt.NDArray[np.float64]

ORDINAL_VALUE = 100.0
DECIMALS = 4
UNITS = 10**DECIMALS
# Whom the house wrote to this week is left in peace, unless the client answered or came in since.
REST_AFTER_TEXT_DAYS = 7

# Who has no figure of her own is ranked with the chain's.
_BASIS_WORDS = {int(basis): "chain average" if basis is Basis.NONE else basis_words(basis) for basis in Basis}

NO_PURCHASES = "No purchases yet: ranked with the chain's average."
NO_MODEL = "Ranked by its reasons only, without expected value."


@dataclass(frozen=True)
class Candidate:
    """One client worth a contact; `client` is the client's number in the book that was ranked.

    `queue` tells apart the queues that are filled each for itself: one of every associate, and beside it one of what is
    sent by itself to clients in that associate's book.
    """

    client: int
    associate: int
    score: float
    reasons: tuple[Reason, ...]
    expires_on: date
    model_note: str
    tier: Tier = Tier.PROSPECT
    action: TierAction = TierAction.PERSONAL
    is_explored: bool = False

    @property
    def queue(self) -> int:
        """Return the number of its queue."""
        return self.associate * 2 + (self.action is TierAction.AUTOMATED)


@dataclass(frozen=True, eq=False)
class Weighed:
    """A book of clients on one day, weighed: columns of one row a client, and what the scores are made of.

    `queue` is as in Candidate. `contributions` are in ten-thousandths.
    """

    score: Floats
    is_due: Flags  # has a reason, and somebody to take it up
    is_owed: Flags  # one of the reasons is what the house owes the client
    queue: Integers
    until: Integers
    value: Floats
    basis: npt.NDArray[np.int8]
    freshness: Floats
    findings: Sequence[Finding]
    contributions: Sequence[Integers]
    draw: Floats | None  # where the chain explores; see choosing


def rank(
    book: Book,
    model: ChainModel | None,
    as_of: date,
    *,
    currency: str,
    minor_per_unit: int,
    keep: int,
    always: Integers | None = None,
    rules: Rules | None = None,
) -> Sequence[Candidate]:
    """Return each queue's best `keep` clients, with all that tie with the last of them, and those of `always`.

    With exploration also as many that were drawn; `choosing.choose` takes what is too many away. Clients without an
    associate have no queue and are left out. In order of score, highest first, then of number.
    """
    rules = rules or Rules()
    weighed = weigh(book, model, as_of, minor_per_unit=minor_per_unit, rules=rules)
    chosen = best(book, weighed, keep, always=always)
    return tell(book, weighed, chosen, model, currency=currency, rules=rules)


def weigh(
    book: Book,
    model: ChainModel | None,
    as_of: date,
    *,
    minor_per_unit: int,
    rules: Rules | None = None,
    estimates: Estimates | None = None,
) -> Weighed:
    """Return what each client of a book is worth a contact today; a slice of a chain gives the chain's own figures.

    `estimates` of the same book, model and day are worked out unless they are at hand.
    """
    rules = rules or Rules()
    if model is not None:
        book = replace(book, vip_minor=model.vip_minor)
    today = day_number(as_of)
    value, basis = _values(book, model, as_of, minor_per_unit, estimates)
    waits = np.maximum(value, _average(model))
    freshness = _freshness(book, today, rules)
    is_held = _is_in_peace(book, today)
    is_left, is_automated = _actions(book, model, rules)
    score, reasons = np.zeros(len(book), dtype=np.int64), np.zeros(len(book), dtype=np.int64)
    until = np.full(len(book), NEVER, dtype=np.int64)
    is_owed = np.zeros(len(book), dtype=np.bool_)
    findings: list[Finding] = []
    contributions: list[Integers] = []
    for position, signal in enumerate(SIGNALS):
        reading = READINGS[signal]
        finding = find(signal, book, today, rules.settings, rules.stores)
        finding = finding.only(~_rests(finding, book, position))
        if not reading.is_service:
            finding = finding.only(~(is_held | is_left)[finding.client])
        finding = replace(finding, urgency=np.round(finding.urgency, DECIMALS))
        at = finding.client
        worth = (
            waits[at] * round(rules.effects[signal], DECIMALS) * finding.urgency
            if reading.is_service
            else value[at] * round(rules.effects[signal], DECIMALS) * finding.urgency * freshness[at]
        )
        contribution = np.rint(worth * UNITS).astype(np.int64)
        score[at] += contribution
        reasons[at] += 1
        until[at] = np.maximum(until[at], finding.until)
        if reading.is_service:
            is_owed[at] = True
        findings.append(finding)
        contributions.append(contribution)
    return Weighed(
        score=score / UNITS,
        is_due=(reasons > 0) & (book.associate >= 0),
        is_owed=is_owed,
        queue=book.associate * 2 + (is_automated & ~is_owed),
        until=until,
        value=value,
        basis=basis,
        freshness=freshness,
        findings=findings,
        contributions=contributions,
        draw=rules.draws(book.number, as_of),
    )


def without(book: Book, weighed: Weighed, numbers: Integers) -> Weighed:
    """Return it with clients left out, by number, except those who wait for the house."""
    if not len(numbers):
        return weighed
    return replace(weighed, is_due=weighed.is_due & (weighed.is_owed | ~np.isin(book.number, numbers)))


def best(book: Book, weighed: Weighed, keep: int, *, always: Integers | None = None) -> Integers:
    """Return the positions of each queue's best `keep`, of all that tie with the last of them, and of `always`.

    Where the chain explores, also of the first `keep` of each queue by their draw: whoever a draw can choose is among
    them, in whatever slices a chain is looked at.
    """
    chosen = best_or_drawn(np.flatnonzero(weighed.is_due), weighed.score, weighed.queue, weighed.draw, keep)
    if always is not None and len(always):
        chosen = np.union1d(chosen, np.flatnonzero(np.isin(book.number, always) & weighed.is_due))
    return chosen


def tell(
    book: Book,
    weighed: Weighed,
    chosen: Integers,
    model: ChainModel | None,
    *,
    currency: str,
    rules: Rules | None = None,
) -> Sequence[Candidate]:
    """Return clients at some positions with their reasons in words, the highest score first, then by number."""
    rules = rules or Rules()
    is_chosen = np.zeros(len(book), dtype=np.bool_)
    is_chosen[chosen] = True
    order = chosen.tolist()
    worth = dict(
        zip(
            order,
            zip(weighed.value[chosen].tolist(), weighed.basis[chosen].tolist(), strict=True),
            strict=True,
        )
    )
    freshness = dict(zip(order, weighed.freshness[chosen].tolist(), strict=True))
    parts: dict[int, list[Reason]] = {at: [] for at in order}
    average = _average(model)
    for signal, finding, contribution in zip(SIGNALS, weighed.findings, weighed.contributions, strict=True):
        reading, effect = READINGS[signal], round(rules.effects[signal], DECIMALS)
        rows = np.flatnonzero(is_chosen[finding.client])
        names = list(finding.figures)
        figures = zip(*(finding.figures[name][rows].tolist() for name in names), strict=True)
        for at, brought, urgency, figure in zip(
            finding.client[rows].tolist(),
            contribution[rows].tolist(),
            finding.urgency[rows].tolist(),
            figures,
            strict=True,
        ):
            sentence, facts = reading.tell(dict(zip(names, figure, strict=True)))
            value, basis = worth[at]
            if reading.is_service and value < average:
                value, basis = average, Basis.CHAIN
            facts.update(_basis(model, value, basis, currency))
            parts[at].append(
                Reason(
                    signal,
                    sentence,
                    brought / UNITS,
                    facts,
                    value=value,
                    effect=effect,
                    urgency=urgency,
                    freshness=1.0 if reading.is_service else freshness[at],
                    source=reading.source,
                )
            )
    candidates = [
        Candidate(
            client=number,
            associate=associate,
            score=score,
            reasons=tuple(sorted(parts[at], key=lambda reason: -reason.contribution)),
            expires_on=day_of(until),
            model_note=_note(model, worth[at][1]),
            tier=TIERS[tier],
            action=TierAction.AUTOMATED if queue % 2 else TierAction.PERSONAL,
        )
        for at, number, associate, score, until, queue, tier in zip(
            order,
            book.number[chosen].tolist(),
            book.associate[chosen].tolist(),
            weighed.score[chosen].tolist(),
            weighed.until[chosen].tolist(),
            weighed.queue[chosen].tolist(),
            _tiers(book, chosen, model, rules).tolist(),
            strict=True,
        )
    ]
    return sorted(candidates, key=lambda candidate: (-candidate.score, candidate.client))


def _values(
    book: Book, model: ChainModel | None, as_of: date, minor_per_unit: int, estimates: Estimates | None
) -> tuple[Floats, npt.NDArray[np.int8]]:
    """Return what each client is worth, and whose purchases that is worked out from."""
    if model is None or model.mean_value_year is None:
        return np.full(len(book), ORDINAL_VALUE), np.full(len(book), Basis.NONE, dtype=np.int8)
    found = estimates or estimate(model, book, as_of, minor_per_unit=minor_per_unit)
    is_known = np.isfinite(found.value_year)
    value = np.where(is_known, found.value_year, model.mean_value_year)
    return np.maximum(value, 0.0).round(DECIMALS), found.basis


def _average(model: ChainModel | None) -> float:
    """Return the least that one who waits for the house is worth: who wrote is not lost, whatever the model says."""
    if model is None or model.mean_value_year is None:
        return ORDINAL_VALUE
    return round(max(model.mean_value_year, 0.0), DECIMALS)


def _freshness(book: Book, today: int, rules: Rules) -> Floats:
    touched = np.maximum(book.mark(Mark.TOUCHED), book.last_text)
    fatigue = rules.settings.fatigue.in_force()
    less = (fatigue.most or 0.0) * np.clip(1.0 - (today - touched) / fatigue.days, 0.0, 1.0)
    return np.round(1.0 - less, DECIMALS)


def _is_in_peace(book: Book, today: int) -> Flags:
    has_come_since = (book.last_answer >= book.last_text) | (book.last_visit > book.last_text)
    return (today - book.last_text < REST_AFTER_TEXT_DAYS) & ~has_come_since


def _rests(finding: Finding, book: Book, position: int) -> Flags:
    """Return for which clients a signal was answered lately, and for the reason that holds now."""
    is_of = book.rest_signal == position
    answered = np.full(len(book), NEVER, dtype=np.int64)
    np.maximum.at(answered, book.rest_client[is_of], book.rest_day[is_of])
    day = answered[finding.client]
    is_resting: Flags = day >= (NEVER + 1 if finding.since is None else finding.since)
    return is_resting


def _actions(book: Book, model: ChainModel | None, rules: Rules) -> tuple[Flags, Flags]:
    """Return whose tier is left alone, and whose is written to by itself."""
    bands = rules.settings.tier_bands
    actions = [bands.action(tier) for tier in TIERS]
    if all(action is TierAction.PERSONAL for action in actions):
        nobody = np.zeros(len(book), dtype=np.bool_)
        return nobody, nobody
    tiers = _tiers(book, np.arange(len(book)), model, rules)
    left, automated = (
        np.array([action is one for action in actions]) for one in (TierAction.NONE, TierAction.AUTOMATED)
    )
    return left[tiers], automated[tiers]


def _tiers(book: Book, at: Integers, model: ChainModel | None, rules: Rules) -> Tiers:
    return tiers_of(book, at, None if model is None else model.tiers, rules.settings.tier_bands)


def _basis(model: ChainModel | None, value: float, basis: int, currency: str) -> dict[str, str]:
    if model is None or model.mean_value_year is None:
        return {"value_basis": "none"}
    return {
        "value_basis": _BASIS_WORDS[basis],
        "expected_value_year": f"{value:.2f} {currency}".strip(),
    }


def _note(model: ChainModel | None, basis: int) -> str:
    if model is None:
        return f"No purchase model has been fitted yet. {NO_MODEL}"
    if model.mean_value_year is None:
        return f"{model.note} {NO_MODEL}".strip()
    said = [NO_PURCHASES] if basis == Basis.NONE else []
    missing = missing_words(model, basis)
    return " ".join([*said, missing] if missing else said)
