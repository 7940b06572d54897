"""A best client whose silence is long against the client's own rhythm."""

from dataclasses import replace
from datetime import date

import pytest
from outreach_story import TODAY, book_of, days_ago

from outreach.scoring.model import fit
from outreach.signals import vip_going_quiet
from outreach.signals.finding import day_number

NOW = day_number(TODAY)


def found(
    days: list[date], *, minor: int = 1_000, vip_minor: int | None = 1_000, **facts: object
) -> list[int]:
    book = book_of(TODAY, purchases=[(0, day, minor) for day in days], **facts)
    return vip_going_quiet.find(replace(book, vip_minor=vip_minor), NOW).client.tolist()


@pytest.mark.parametrize(("silent", "holds"), [(79, False), (80, True)])
def test_quiet_is_twice_the_own_mean_gap(silent, holds):
    days = [days_ago(silent + 80), days_ago(silent + 40), days_ago(silent)]
    assert found(days) == ([0] if holds else [])


@pytest.mark.parametrize(("silent", "holds"), [(29, False), (30, True)])
def test_quiet_is_30_days_at_least(silent, holds):
    assert found([days_ago(silent + 4), days_ago(silent + 2), days_ago(silent)]) == ([0] if holds else [])


def test_a_rhythm_needs_three_purchase_days():
    assert found([days_ago(300), days_ago(290)]) == []
    assert found([days_ago(300), days_ago(290), days_ago(280)]) == [0]


@pytest.mark.parametrize(("vip_minor", "holds"), [(3_000, True), (3_001, False), (None, False)])
def test_only_the_best_by_spend_count(vip_minor, holds):
    days = [days_ago(300), days_ago(290), days_ago(280)]
    assert found(days, vip_minor=vip_minor) == ([0] if holds else [])


def test_a_visit_ends_the_silence():
    assert found([days_ago(300), days_ago(290), days_ago(280)], visits=[(0, days_ago(3))]) == []


@pytest.mark.parametrize(("clients", "best"), [(9, None), (10, 1_000), (20, 1_900)])
def test_the_best_are_the_top_tenth_of_ten_clients_or_more(clients, best):
    book = book_of(
        TODAY, purchases=[(c, days_ago(9), (c + 1) * 100) for c in range(clients)], clients=clients
    )
    assert fit(book, TODAY, minor_per_unit=100).vip_minor == best


def test_it_is_told_as_an_associate_would():
    sentence, facts = vip_going_quiet.tell({"days_silent": 190, "mean_gap_days": 64, "purchase_days": 7})
    assert sentence == (
        "One of the best clients: bought on 7 days, usually every 64 days, but has not been seen for 190 days."
    )
    assert facts == {"days_silent": "190", "mean_gap_days": "64", "purchase_days": "7"}
