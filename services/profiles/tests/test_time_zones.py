"""Which zone follows from what address and numbers allow."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from profiles.domain.time_zones import agreed_zone
from profiles.time_zones import _REGIONS, _zones_of_number

ZONES = [
    "America/New_York",
    "America/Chicago",
    "America/Denver",
    "America/Phoenix",
    "Europe/London",
    "Europe/Paris",
]


@pytest.mark.parametrize(
    ("evidence", "zone"),
    [
        ([], ""),
        ([[]], ""),
        ([["America/New_York"]], "America/New_York"),
        ([["America/New_York", "America/Chicago"]], ""),
        ([["America/New_York", "America/Chicago"], ["America/Chicago"]], "America/Chicago"),
        ([["America/New_York"], [], ["America/Detroit"]], "America/New_York"),
        ([["America/New_York"], ["America/Chicago"]], ""),
        ([["America/Phoenix"], ["America/Denver"]], ""),
        ([["Europe/London", "Europe/Jersey"]], "Europe/London"),
    ],
)
def test_a_zone_is_what_all_evidence_allows(evidence: list[list[str]], zone: str) -> None:
    assert agreed_zone(evidence) == zone


@given(st.lists(st.lists(st.sampled_from(ZONES), max_size=3), max_size=4))
def test_a_derived_zone_is_allowed_by_every_piece_of_evidence(evidence: list[list[str]]) -> None:
    if zone := agreed_zone(evidence):
        assert all(zone in names for names in evidence if names)


@given(st.lists(st.lists(st.sampled_from(ZONES), max_size=3), max_size=4), st.sampled_from(ZONES))
def test_more_evidence_never_swaps_one_zone_for_another(evidence: list[list[str]], more: str) -> None:
    zone = agreed_zone(evidence)
    assert agreed_zone([*evidence, [more]]) in (zone, "") or not zone


def test_every_region_names_zones_that_there_are() -> None:
    assert len(_REGIONS) > 60
    for zones in _REGIONS.values():
        agreed_zone([zones])  # raises for a name that is nobody's


@pytest.mark.parametrize(
    ("number", "first"),
    [
        ("+442079460101", "Europe/London"),
        ("+919876543210", "Asia/Kolkata"),
        ("+541145678901", "America/Argentina/Buenos_Aires"),
    ],
)
def test_a_zone_has_its_countrys_name_of_today(number: str, first: str) -> None:
    assert _zones_of_number(number)[0] == first
