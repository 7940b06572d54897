"""Which contacts an outcome is credited to, and how much of it to each. Pure; must not know where either is kept."""

import enum
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime

from outreach.domain.settings import AttributionRule, CreditShare

# Shares are whole numbers of so many parts: they add up to exactly one, which sums of fractions do not.
PARTS = 1_000_000
_HALVING_DAYS = 7
_FULL_WEIGHT = 1 << 40


class OutcomeKind(enum.StrEnum):
    """What a contact can lead to; the order is the contract's."""

    REPLY = "reply"
    VISIT = "visit"
    APPOINTMENT = "appointment"
    PURCHASE = "purchase"


def window_days(rule: AttributionRule, kind: OutcomeKind) -> int:
    """Return how many days at the chain after a contact an outcome of a kind may come, by a rule in force."""
    return {
        OutcomeKind.REPLY: rule.reply_days,
        OutcomeKind.VISIT: rule.visit_days,
        OutcomeKind.APPOINTMENT: rule.appointment_days,
        OutcomeKind.PURCHASE: rule.purchase_days,
    }[kind]


@dataclass(frozen=True)
class Contact:
    """A contact as far as credit goes: when, and on which day at the chain."""

    touch_id: str
    at: datetime
    day: date


@dataclass(frozen=True)
class Happening:
    """An outcome as far as credit goes. `after`: when the client wrote before; a reply answers what was said since."""

    kind: OutcomeKind
    at: datetime
    day: date
    amount_minor: int = 0
    after: datetime | None = None


@dataclass(frozen=True)
class Credit:
    """A contact's part of an outcome: of PARTS, and of its amount."""

    touch_id: str
    parts: int
    amount_minor: int


@dataclass(frozen=True)
class CreditedOutcome:
    """An outcome as it stands; `previous_at` is when the client wrote before, `credits` who it is credited to."""

    outcome_id: str
    kind: OutcomeKind
    client_id: str
    store_id: str
    occurred_at: datetime
    total_minor: int
    amount_minor: int
    rule_version: int
    version: int
    previous_at: datetime | None
    credits: tuple[Credit, ...]


def credits_of(rule: AttributionRule, outcome: Happening, contacts: Iterable[Contact]) -> tuple[Credit, ...]:
    """Return who is credited with an outcome, the first contact first; nobody where none lies in the window.

    The order of `contacts` does not matter. The parts add up to PARTS, the amounts to the outcome's amount.
    """
    window = window_days(rule, outcome.kind)
    eligible = sorted(
        (
            contact
            for contact in contacts
            if contact.at <= outcome.at
            and 0 <= (outcome.day - contact.day).days <= window
            and (outcome.after is None or contact.at > outcome.after)
        ),
        key=lambda contact: (contact.at, contact.touch_id),
    )
    if not eligible:
        return ()
    parts = split(PARTS, _weights(rule.share, eligible))
    amounts = split(outcome.amount_minor, parts)
    return tuple(
        Credit(contact.touch_id, part, amount)
        for contact, part, amount in zip(eligible, parts, amounts, strict=True)
        if part
    )


def split(total: int, weights: Sequence[int]) -> list[int]:
    """Return `total` in whole parts by weight (largest remainders, ties to the later); they add up to it exactly."""
    whole = sum(weights)
    parts = [total * weight // whole for weight in weights]
    by_rest = sorted(range(len(weights)), key=lambda n: (total * weights[n] % whole, n), reverse=True)
    for n in by_rest[: total - sum(parts)]:
        parts[n] += 1
    return parts


def _weights(share: CreditShare | None, eligible: Sequence[Contact]) -> list[int]:
    if share is CreditShare.EVEN:
        return [1] * len(eligible)
    if share is CreditShare.LAST:
        return [0] * (len(eligible) - 1) + [1]
    latest = eligible[-1].day
    # From the latest contact back: where all lie far back, their proportions are the same and none rounds to nothing.
    return [
        round(_FULL_WEIGHT * 0.5 ** ((latest - contact.day).days / _HALVING_DAYS)) for contact in eligible
    ]
