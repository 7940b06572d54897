"""The signals: each module finds the clients that one kind of reason applies to, and says it in words.

A module has `find`, a pure function of a book of clients and a day whose parameters are its rules, and `tell`, which
puts the figures of one client into a sentence and facts. `PRIORS` states how often a contact for that reason is
answered, before a chain's own outcomes are known. Must not rank: what a reason is worth is decided in
`scoring.ranking`.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from outreach.domain import Signal
from outreach.signals import high_intent, occasion_ahead, silent_one_timer, vip_going_quiet
from outreach.signals.finding import Figures, Finding

Find = Callable[..., Finding]
Tell = Callable[[Figures], tuple[str, dict[str, str]]]


@dataclass(frozen=True)
class Reading:
    """How one signal is found and told; `prior` is the share of contacts for it that get an answer, to begin with."""

    find: Find
    tell: Tell
    prior: float


# Stated starting values, to be replaced by a chain's own outcomes. Their order matters more than their size: who
# stood in the store twice this month answers far more often than who bought once half a year ago.
READINGS: Mapping[Signal, Reading] = {
    Signal.SILENT_ONE_TIMER: Reading(silent_one_timer.find, silent_one_timer.tell, 0.04),
    Signal.HIGH_INTENT: Reading(high_intent.find, high_intent.tell, 0.20),
    Signal.OCCASION_AHEAD: Reading(occasion_ahead.find, occasion_ahead.tell, 0.12),
    Signal.VIP_GOING_QUIET: Reading(vip_going_quiet.find, vip_going_quiet.tell, 0.10),
}

__all__ = ["READINGS", "Figures", "Finding", "Reading"]
