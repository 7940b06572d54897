"""The signals: each module finds the clients that one kind of reason applies to, and says it in words.

A module has `find`, a pure function of a book of clients and a day whose parameters are its rules, `PARAMETERS`, what
a chain or a store may set them to, and `tell`, which puts the figures of one client into a sentence and facts. Must
not rank: what a reason is worth is decided in `scoring.ranking`.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

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
    source: str
    parameters: tuple[Parameter, ...] = ()
    is_service: bool = False


# Stated starting values, to be replaced by a chain's own outcomes. Their order matters more than their size: who
# stood in the store twice this month answers far more often than who bought once half a year ago.
READINGS: Mapping[Signal, Reading] = {
    Signal.SILENT_ONE_TIMER: Reading(
        silent_one_timer.find,
        silent_one_timer.tell,
        0.04,
        "Bought once, then silent",
        "profiles",
        silent_one_timer.PARAMETERS,
    ),
    Signal.HIGH_INTENT: Reading(
        high_intent.find, high_intent.tell, 0.20, "High intent", "profiles", high_intent.PARAMETERS
    ),
    Signal.OCCASION_AHEAD: Reading(
        occasion_ahead.find,
        occasion_ahead.tell,
        0.12,
        "Occasion ahead",
        "profiles",
        occasion_ahead.PARAMETERS,
    ),
    Signal.VIP_GOING_QUIET: Reading(
        vip_going_quiet.find,
        vip_going_quiet.tell,
        0.10,
        "Best client going quiet",
        "profiles",
        vip_going_quiet.PARAMETERS,
    ),
    Signal.LAST_YEARS_GIFT: Reading(
        last_years_gift.find,
        last_years_gift.tell,
        0.14,
        "Last year's gift",
        "profiles",
        last_years_gift.PARAMETERS,
    ),
    Signal.RELATED_OCCASION: Reading(
        related_occasion.find,
        related_occasion.tell,
        0.13,
        "Occasion of somebody close",
        "profiles",
        related_occasion.PARAMETERS,
    ),
    Signal.BRIDAL_MILESTONE: Reading(
        bridal_milestone.find,
        bridal_milestone.tell,
        0.18,
        "Bridal milestone",
        "profiles",
        bridal_milestone.PARAMETERS,
    ),
    Signal.NEED_BY_NEAR: Reading(
        need_by_near.find, need_by_near.tell, 0.25, "Needed by a day", "profiles", need_by_near.PARAMETERS
    ),
    Signal.VISIT_FOLLOW_UP: Reading(
        visit_follow_up.find,
        visit_follow_up.tell,
        0.15,
        "Follow-up of a visit",
        "profiles",
        visit_follow_up.PARAMETERS,
    ),
    Signal.TWO_TWO_TWO: Reading(
        two_two_two.find,
        two_two_two.tell,
        0.08,
        "Two days, two weeks, two months",
        "profiles",
        two_two_two.PARAMETERS,
    ),
    Signal.FIRST_PURCHASE_MONTH: Reading(
        first_purchase_month.find,
        first_purchase_month.tell,
        0.07,
        "A month after the first purchase",
        "profiles",
        first_purchase_month.PARAMETERS,
    ),
    Signal.REPAIR_READY: Reading(
        repair_ready.find,
        repair_ready.tell,
        0.50,
        "Repair ready",
        "profiles",
        repair_ready.PARAMETERS,
        is_service=True,
    ),
    Signal.CARE_DUE: Reading(care_due.find, care_due.tell, 0.06, "Care due", "profiles", care_due.PARAMETERS),
    Signal.WISH_ARRIVED: Reading(
        wish_arrived.find, wish_arrived.tell, 0.22, "Wish arrived", "catalogue", wish_arrived.PARAMETERS
    ),
    Signal.FAVOURITE_ARRIVED: Reading(
        favourite_arrived.find,
        favourite_arrived.tell,
        0.10,
        "Favourite brand arrived",
        "catalogue",
        favourite_arrived.PARAMETERS,
    ),
    Signal.WAITLIST_MOVED: Reading(
        waitlist_moved.find,
        waitlist_moved.tell,
        0.30,
        "Waitlist moved",
        "waitlist",
        waitlist_moved.PARAMETERS,
        is_service=True,
    ),
    Signal.APPOINTMENT_MISSED: Reading(
        appointment_missed.find,
        appointment_missed.tell,
        0.25,
        "Appointment missed",
        "appointments",
        appointment_missed.PARAMETERS,
        is_service=True,
    ),
    Signal.UNANSWERED_MESSAGE: Reading(
        unanswered_message.find,
        unanswered_message.tell,
        0.40,
        "Message without an answer",
        "messaging",
        unanswered_message.PARAMETERS,
        is_service=True,
    ),
    Signal.THANK_YOU: Reading(
        thank_you.find, thank_you.tell, 0.10, "Thank-you", "profiles", thank_you.PARAMETERS, is_service=True
    ),
}

__all__ = ["READINGS", "Figures", "Finding", "Parameter", "Reading"]
