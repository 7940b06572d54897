"""The signals: each module finds the clients that one kind of reason applies to, and says it in words.

A module has `find`, a pure function of a book of clients and a day whose parameters are its rules, `PARAMETERS`, what
a chain or a store may set them to, and `tell`, which puts the figures of one client into a sentence and facts. Must
not rank: what a reason is worth is decided in `scoring.ranking`.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import ModuleType

from outreach.domain import Signal
from outreach.signals import (
    appointment_missed,
    bridal_milestone,
    care_due,
    favourite_arrived,
    first_purchase_month,
    high_intent,
    last_years_gift,
    need_by_near,
    occasion_ahead,
    related_occasion,
    repair_ready,
    silent_one_timer,
    thank_you,
    two_two_two,
    unanswered_message,
    vip_going_quiet,
    visit_follow_up,
    waitlist_moved,
    wish_arrived,
)
from outreach.signals.finding import Figures, Finding, Parameter

Find = Callable[..., Finding]
Tell = Callable[[Figures], tuple[str, dict[str, str]]]


@dataclass(frozen=True)
class Reading:
    """How one signal is found and told.

    `prior` is the share of contacts for it that get an answer, to begin with; `source` is where its facts are from.
    What `is_service` is waited for by the client or owed to her: it is held back neither by the rest after a
    marketing text nor by fatigue nor by a tier that is left alone.
    """

    find: Find
    tell: Tell
    prior: float
    display_name: str
    description: str
    source: str
    parameters: tuple[Parameter, ...]
    is_service: bool = False


def _read(
    module: ModuleType, prior: float, display_name: str, source: str, *, is_service: bool = False
) -> Reading:
    return Reading(
        find=module.find,
        tell=module.tell,
        prior=prior,
        display_name=display_name,
        description=" ".join((module.__doc__ or "").split()),
        source=source,
        parameters=module.PARAMETERS,
        is_service=is_service,
    )


# Stated starting values, to be replaced by a chain's own outcomes. Their order matters more than their size: who
# stood in the store twice this month answers far more often than who bought once half a year ago.
READINGS: Mapping[Signal, Reading] = {
    Signal.SILENT_ONE_TIMER: _read(silent_one_timer, 0.04, "Bought once, then silent", "profiles"),
    Signal.HIGH_INTENT: _read(high_intent, 0.20, "High intent", "profiles"),
    Signal.OCCASION_AHEAD: _read(occasion_ahead, 0.12, "Occasion ahead", "profiles"),
    Signal.VIP_GOING_QUIET: _read(vip_going_quiet, 0.10, "Best client going quiet", "profiles"),
    Signal.LAST_YEARS_GIFT: _read(last_years_gift, 0.14, "Last year's gift", "profiles"),
    Signal.RELATED_OCCASION: _read(related_occasion, 0.13, "Occasion of somebody close", "profiles"),
    Signal.BRIDAL_MILESTONE: _read(bridal_milestone, 0.18, "Bridal milestone", "profiles"),
    Signal.NEED_BY_NEAR: _read(need_by_near, 0.25, "Needed by a day", "profiles"),
    Signal.VISIT_FOLLOW_UP: _read(visit_follow_up, 0.15, "Follow-up of a visit", "profiles"),
    Signal.TWO_TWO_TWO: _read(two_two_two, 0.08, "Two days, two weeks, two months", "profiles"),
    Signal.FIRST_PURCHASE_MONTH: _read(
        first_purchase_month, 0.07, "A month after the first purchase", "profiles"
    ),
    Signal.REPAIR_READY: _read(repair_ready, 0.50, "Repair ready", "profiles", is_service=True),
    Signal.CARE_DUE: _read(care_due, 0.06, "Care due", "profiles"),
    Signal.WISH_ARRIVED: _read(wish_arrived, 0.22, "Wish arrived", "catalogue"),
    Signal.FAVOURITE_ARRIVED: _read(favourite_arrived, 0.10, "Favourite brand arrived", "catalogue"),
    Signal.WAITLIST_MOVED: _read(waitlist_moved, 0.30, "Waitlist moved", "waitlist", is_service=True),
    Signal.APPOINTMENT_MISSED: _read(
        appointment_missed, 0.25, "Appointment missed", "appointments", is_service=True
    ),
    Signal.UNANSWERED_MESSAGE: _read(
        unanswered_message, 0.40, "Message without an answer", "messaging", is_service=True
    ),
    Signal.THANK_YOU: _read(thank_you, 0.10, "Thank-you", "profiles", is_service=True),
}

__all__ = ["READINGS", "Figures", "Finding", "Parameter", "Reading"]
