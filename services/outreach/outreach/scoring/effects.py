"""How well a signal works at a chain: learned from outcomes, starting from a stated prior. Must not read any table.

The answers to contacts are Binomial, the share that a signal gets is Beta before anything is known: of the stated
mean, and as sure as STRENGTH contacts would make one. The posterior's mean is (mean x STRENGTH + answers) / (STRENGTH
+ contacts), so a chain that has made few contacts stays near what is stated, and one that has made many near its own.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from outreach.domain import SIGNALS, Signal
from outreach.signals import READINGS

STRENGTH = 50.0  # contacts


@dataclass(frozen=True)
class Counts:
    """Contacts for a signal, and how many of them got an answer."""

    contacts: int = 0
    answers: int = 0


def effect(prior: float, counts: Counts, *, strength: float = STRENGTH) -> float:
    """Return the posterior mean share of contacts that get an answer, in (0, 1).

    Answers beyond the contacts, which late events can bring, count as all of them.
    """
    contacts = max(counts.contacts, 0)
    answers = min(max(counts.answers, 0), contacts)
    return (prior * strength + answers) / (strength + contacts)


def effects(counts: Mapping[Signal, Counts]) -> Mapping[Signal, float]:
    """Return the effect of every signal; the stated prior of one that was never tried."""
    return {signal: effect(READINGS[signal].prior, counts.get(signal, Counts())) for signal in SIGNALS}
