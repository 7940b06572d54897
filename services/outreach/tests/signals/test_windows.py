"""Signals of a window: one day inside and one day outside of every edge, and what ends each."""

from datetime import date, timedelta

import pytest
from outreach_story import TODAY, book_of, days_ago

from outreach.domain import Signal
from outreach.signals import READINGS, Finding
from outreach.signals.book import Mark
from outreach.signals.finding import day_number, day_of

NOW = day_number(TODAY)
BIRTHDAY = 1


def find(
    signal: Signal, as_of: date = TODAY, /, parameters: dict[str, float] | None = None, **facts: object
) -> Finding:
    return READINGS[signal].find(book_of(as_of, **facts), day_number(as_of), **(parameters or {}))


def holds(signal: Signal, as_of: date = TODAY, /, **facts: object) -> bool:
    return find(signal, as_of, **facts).client.tolist() == [0]


def bought(ago: int) -> list[tuple[int, date, int]]:
    return [(0, days_ago(ago), 5_000)]


def marked(mark: Mark, ago: int) -> list[tuple[int, Mark, date]]:
    return [(0, mark, days_ago(ago))]


def touched(ago: int | None) -> list[tuple[int, Mark, date]]:
    return [] if ago is None else marked(Mark.TOUCHED, ago)


@pytest.mark.parametrize(("ahead", "expected"), [(-1, False), (0, True), (21, True), (22, False)])
def test_last_years_gift_comes_round_within_three_weeks(ahead, expected):
    day = (TODAY + timedelta(days=ahead)).replace(year=TODAY.year - 1)
    gift = [(0, day, BIRTHDAY)]
    assert holds(Signal.LAST_YEARS_GIFT, gifts=gift) is expected


@pytest.mark.parametrize(("years", "expected"), [(0, False), (1, True), (2, False)])
def test_a_gift_is_remembered_for_one_year(years, expected):
    day = (TODAY + timedelta(days=5)).replace(year=TODAY.year - years) - timedelta(days=0 if years else 30)
    assert holds(Signal.LAST_YEARS_GIFT, gifts=[(0, day, BIRTHDAY)]) is expected


@pytest.mark.parametrize(
    ("given", "as_of", "ahead"),
    [
        (date(2028, 2, 29), date(2029, 2, 7), 21),  # comes round on 28 February
        (date(2028, 2, 29), date(2029, 2, 28), 0),
        (date(2028, 2, 29), date(2029, 3, 1), None),
        (date(2027, 2, 28), date(2028, 2, 28), 0),  # not on the 29th
        (date(2027, 3, 1), date(2028, 2, 29), 1),
        (date(2026, 12, 31), date(2027, 12, 10), 21),
        (date(2027, 1, 1), date(2027, 12, 12), 20),  # over the end of the year
    ],
)
def test_a_gift_s_day_comes_round_in_leap_years_and_over_the_year(given, as_of, ahead):
    found = find(Signal.LAST_YEARS_GIFT, as_of, gifts=[(0, given, BIRTHDAY)])
    assert found.figures["days_ahead"].tolist() == ([] if ahead is None else [ahead])


@pytest.mark.parametrize(("bought_ago", "expected"), [(12, True), (11, False), (0, False)])
def test_who_bought_since_the_gift_s_window_opened_is_not_reminded(bought_ago, expected):
    gift = [(0, (TODAY + timedelta(days=10)).replace(year=TODAY.year - 1), BIRTHDAY)]
    assert holds(Signal.LAST_YEARS_GIFT, gifts=gift, purchases=bought(bought_ago)) is expected


def test_the_nearest_of_several_gifts_counts_and_is_told():
    last_year = TODAY.year - 1
    gifts = [
        (0, (TODAY + timedelta(days=9)).replace(year=last_year), 2),
        (0, (TODAY + timedelta(days=3)).replace(year=last_year), BIRTHDAY),
    ]
    found = find(Signal.LAST_YEARS_GIFT, gifts=gifts)
    assert (found.figures["days_ahead"].tolist(), found.until.tolist()) == ([3], [NOW + 3])
    figures = {"kind": 2, "days_ahead": 3, "day": day_number(date(2026, 6, 14))}
    assert READINGS[Signal.LAST_YEARS_GIFT].tell(figures)[0] == (
        "Bought an anniversary gift around 14 June last year; that day comes round in 3 days."
    )


@pytest.mark.parametrize(("relationship", "own", "related"), [(0, True, False), (1, False, True)])
def test_a_day_is_the_client_s_own_or_somebody_else_s_never_both(relationship, own, related):
    soon = TODAY + timedelta(days=9)
    occasions = [(0, 1, 0, soon.month, soon.day, 0, -1, relationship)]
    assert holds(Signal.OCCASION_AHEAD, occasions=occasions) is own
    assert holds(Signal.RELATED_OCCASION, occasions=occasions) is related


@pytest.mark.parametrize(("ahead", "expected"), [(-1, False), (0, True), (21, True), (22, False)])
def test_somebody_else_s_day_comes_within_three_weeks(ahead, expected):
    day = TODAY + timedelta(days=ahead)
    occasions = [(0, 1, 0, day.month, day.day, 0, -1, 3)]
    assert holds(Signal.RELATED_OCCASION, occasions=occasions) is expected


@pytest.mark.parametrize(
    ("ring_ago", "milestone"),
    [(59, None), (60, 1), (120, 1), (121, None), (343, None), (344, 2), (365, 2), (366, None)],
)
def test_the_bands_come_after_two_to_four_months_and_the_anniversary_after_a_year(ring_ago, milestone):
    found = find(Signal.BRIDAL_MILESTONE, purchases=bought(ring_ago), marks=marked(Mark.ENGAGEMENT, ring_ago))
    assert found.figures["milestone"].tolist() == ([] if milestone is None else [milestone])


@pytest.mark.parametrize(
    ("ring_ago", "bought_ago", "expected"), [(80, 79, False), (350, 20, True), (350, 5, False)]
)
def test_who_bought_since_the_ring_or_in_its_last_weeks_has_been_served(ring_ago, bought_ago, expected):
    facts = {"purchases": bought(bought_ago), "marks": marked(Mark.ENGAGEMENT, ring_ago)}
    assert holds(Signal.BRIDAL_MILESTONE, **facts) is expected


def test_a_ring_of_29_february_has_its_year_on_the_28th():
    ring = date(2028, 2, 29)
    facts = {"purchases": [(0, ring, 100)], "marks": [(0, Mark.ENGAGEMENT, ring)]}
    assert find(Signal.BRIDAL_MILESTONE, date(2029, 2, 28), **facts).figures["days_ahead"].tolist() == [0]
    assert not holds(Signal.BRIDAL_MILESTONE, date(2029, 3, 1), **facts)


@pytest.mark.parametrize(("ahead", "expected"), [(-1, False), (0, True), (21, True), (22, False)])
def test_a_piece_is_needed_within_three_weeks(ahead, expected):
    visits = [(0, days_ago(3), TODAY + timedelta(days=ahead))]
    assert holds(Signal.NEED_BY_NEAR, visits=visits) is expected
    assert not holds(Signal.NEED_BY_NEAR, visits=visits, purchases=bought(3))


def test_what_is_needed_presses_more_as_its_day_comes_near():
    urgency = [
        float(find(Signal.NEED_BY_NEAR, visits=[(0, TODAY, TODAY + timedelta(days=ahead))]).urgency[0])
        for ahead in (21, 14, 7, 0)
    ]
    assert urgency == pytest.approx([0.5, 0.75, 1.0, 1.0])


@pytest.mark.parametrize(("ago", "expected"), [(0, False), (1, True), (7, True), (8, False)])
def test_a_visit_is_followed_up_in_its_first_week(ago, expected):
    assert holds(Signal.VISIT_FOLLOW_UP, visits=[(0, days_ago(ago))]) is expected


@pytest.mark.parametrize(
    ("touched_ago", "expected"), [(None, True), (4, True), (3, True), (2, False), (0, False)]
)
def test_a_visit_is_followed_up_unless_somebody_was_in_touch_since(touched_ago, expected):
    facts = {"visits": [(0, days_ago(3))], "marks": touched(touched_ago)}
    assert holds(Signal.VISIT_FOLLOW_UP, **facts) is expected


@pytest.mark.parametrize(("bought_ago", "expected"), [(4, True), (3, False), (1, False)])
def test_who_bought_at_the_visit_or_since_is_not_followed_up(bought_ago, expected):
    facts = {"visits": [(0, days_ago(3))], "purchases": bought(bought_ago)}
    assert holds(Signal.VISIT_FOLLOW_UP, **facts) is expected


@pytest.mark.parametrize(
    ("ago", "window"),
    [
        *[(1, None), (2, 1), (4, 1), (5, None)],
        *[(13, None), (14, 2), (16, 2), (17, None)],
        *[(59, None), (60, 3), (62, 3), (63, None)],
    ],
)
def test_two_days_two_weeks_and_two_months_have_a_short_window_each(ago, window):
    found = find(Signal.TWO_TWO_TWO, purchases=bought(ago))
    assert found.figures["window"].tolist() == ([] if window is None else [window])
    if window:
        assert found.until.tolist() == [NOW - ago + {1: 4, 2: 16, 3: 62}[window]]


@pytest.mark.parametrize(("touched_ago", "expected"), [(2, True), (1, False), (0, False), (8, True)])
def test_a_window_is_used_up_by_a_touch_in_it_and_not_by_one_before(touched_ago, expected):
    facts = {"purchases": bought(15), "marks": touched(touched_ago)}
    assert holds(Signal.TWO_TWO_TWO, **facts) is expected


@pytest.mark.parametrize(("ago", "expected"), [(29, False), (30, True), (44, True), (45, False)])
def test_a_first_purchase_is_spoken_of_after_a_month(ago, expected):
    assert holds(Signal.FIRST_PURCHASE_MONTH, purchases=bought(ago)) is expected


def test_a_second_purchase_or_a_touch_in_the_window_ends_the_first_month():
    assert not holds(Signal.FIRST_PURCHASE_MONTH, purchases=[*bought(30), *bought(35)])
    assert holds(Signal.FIRST_PURCHASE_MONTH, purchases=[*bought(30), *bought(30)])  # one day
    assert holds(Signal.FIRST_PURCHASE_MONTH, purchases=bought(35), marks=touched(6))
    assert not holds(Signal.FIRST_PURCHASE_MONTH, purchases=bought(35), marks=touched(5))


@pytest.mark.parametrize(("ready_ago", "touched_ago", "expected"), [
    (0, None, True), (400, None, True), (5, 6, True), (5, 5, False), (5, 0, False), (20, 6, False), (20, 7, True),
])  # fmt: skip
def test_a_ready_repair_is_said_once_and_again_after_a_week(ready_ago, touched_ago, expected):
    facts = {"marks": [*marked(Mark.REPAIR_READY, ready_ago), *touched(touched_ago)]}
    assert holds(Signal.REPAIR_READY, **facts) is expected


@pytest.mark.parametrize(("ago", "expected"), [(364, False), (365, True), (425, True), (426, False)])
def test_care_is_due_a_year_after_the_last_purchase_or_service(ago, expected):
    assert holds(Signal.CARE_DUE, purchases=bought(ago)) is expected
    assert holds(Signal.CARE_DUE, marks=marked(Mark.SERVICED, ago)) is expected
    assert not holds(Signal.CARE_DUE, purchases=bought(ago), marks=marked(Mark.SERVICED, 100))


@pytest.mark.parametrize(
    ("signal", "mark", "last"),
    [
        (Signal.WISH_ARRIVED, Mark.WISH_ARRIVED, 30),
        (Signal.FAVOURITE_ARRIVED, Mark.FAVOURITE_ARRIVED, 30),
        (Signal.WAITLIST_MOVED, Mark.WAITLIST_MOVED, 14),
        (Signal.APPOINTMENT_MISSED, Mark.APPOINTMENT_MISSED, 14),
        (Signal.UNANSWERED_MESSAGE, Mark.UNANSWERED, 30),
    ],
)
def test_what_happened_is_spoken_of_from_its_day_to_the_last_of_its_window(signal, mark, last):
    assert holds(signal, marks=marked(mark, 0))
    assert holds(signal, marks=marked(mark, last))
    assert not holds(signal, marks=marked(mark, last + 1))
    assert not holds(signal)
    found = find(signal, marks=marked(mark, 3))
    assert (found.until.tolist(), found.since is not None and found.since.tolist()) == (
        [NOW - 3 + last],
        [NOW - 3],
    )


@pytest.mark.parametrize(("touched_ago", "expected"), [(4, True), (3, True), (2, False)])
def test_a_missed_appointment_is_settled_by_a_touch_on_a_later_day(touched_ago, expected):
    facts = {"marks": [*marked(Mark.APPOINTMENT_MISSED, 3), *touched(touched_ago)]}
    assert holds(Signal.APPOINTMENT_MISSED, **facts) is expected


@pytest.mark.parametrize(("ago", "expected"), [(0, False), (1, True), (2, False)])
def test_thanks_are_due_on_the_day_after(ago, expected):
    assert holds(Signal.THANK_YOU, purchases=bought(ago)) is expected


def test_thanks_that_were_said_are_not_due():
    assert holds(Signal.THANK_YOU, purchases=bought(1), marks=touched(1))
    assert not holds(Signal.THANK_YOU, purchases=bought(1), marks=touched(0))


@pytest.mark.parametrize("signal", READINGS, ids=str)
def test_every_find_takes_its_parameters_and_their_built_in_values_are_its_own(signal):
    reading = READINGS[signal]
    assert reading.find.__kwdefaults__ == {one.name: one.built_in for one in reading.parameters}
    assert all(one.least <= one.built_in <= one.most for one in reading.parameters)
    for bound in ("least", "most"):
        found = reading.find(
            book_of(TODAY, purchases=bought(30), visits=[(0, days_ago(2)), (0, days_ago(4))]),
            NOW,
            **{one.name: getattr(one, bound) for one in reading.parameters},
        )
        assert ((found.urgency > 0) & (found.urgency <= 1)).all()


@pytest.mark.parametrize("signal", READINGS, ids=str)
def test_no_signal_speaks_of_nobody_s_history_or_ends_before_today(signal):
    reading = READINGS[signal]
    assert len(reading.find(book_of(TODAY), NOW).client) == 0
    assert len(reading.find(book_of(TODAY, clients=0), NOW).client) == 0
    everything = [*(mark for mark in Mark if mark is not Mark.TOUCHED)]
    for ago in range(0, 430, 7):
        gift = [(0, days_ago(ago), BIRTHDAY)]
        book = book_of(
            TODAY,
            purchases=bought(ago),
            visits=[(0, days_ago(ago), TODAY)],
            gifts=gift,
            marks=[(0, mark, days_ago(ago)) for mark in everything if mark is not Mark.NEED_BY],
        )
        found = reading.find(book, NOW)
        assert (found.until >= NOW).all()
        assert found.since is None or (found.since <= NOW).all()
        for row in range(len(found.client)):
            sentence, facts = reading.tell({name: int(column[row]) for name, column in found.figures.items()})
            assert sentence.endswith(".")
            assert facts


def test_a_day_is_told_as_the_calendar_has_it():
    assert day_of(day_number(date(2028, 2, 29))) == date(2028, 2, 29)
