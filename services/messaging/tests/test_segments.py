"""What a text costs, at the borders of segments."""

# ruff: noqa: RUF001 - the curly quote is the point

import pytest
from hypothesis import given
from hypothesis import strategies as st

from messaging.segments import count_segments, is_gsm


@pytest.mark.parametrize(
    ("body", "segments"),
    [
        ("a", 1),
        ("a" * 160, 1),
        ("a" * 161, 2),
        ("a" * 306, 2),
        ("a" * 307, 3),
        ("€" * 80, 1),
        ("€" * 81, 2),
        ("é" * 160, 1),
        ("’", 1),
        ("’" * 70, 1),
        ("’" * 71, 2),
        ("’" * 134, 2),
        ("’" * 135, 3),
        ("a" * 70 + "’", 2),
        ("💍" * 35, 1),
        ("💍" * 36, 2),
    ],
)
def test_segments_are_counted_as_carriers_do(body: str, segments: int) -> None:
    assert count_segments(body) == segments


def test_an_escaped_character_is_not_torn_apart_by_a_border() -> None:
    assert count_segments("a" * 152 + "€" + "a" * 151) == 2
    assert count_segments("a" * 152 + "€" + "a" * 152) == 3


def test_an_emoji_is_not_torn_apart_by_a_border() -> None:
    assert count_segments("’" * 66 + "💍" + "’" * 65) == 2
    assert count_segments("’" * 66 + "💍" + "’" * 66) == 3


def test_one_curly_quote_doubles_the_cost_of_a_long_text() -> None:
    straight = "It's here: " + "x" * 100
    assert (count_segments(straight), count_segments(straight.replace("'", "’"))) == (1, 2)


@given(st.text(min_size=1, max_size=1600), st.text(max_size=50))
def test_a_longer_text_never_costs_less(body: str, more: str) -> None:
    assert 1 <= count_segments(body) <= count_segments(body + more)


@given(st.text(alphabet=st.characters(max_codepoint=0x7E, min_codepoint=0x20), max_size=300))
def test_plain_english_fits_seven_bits_but_for_the_backtick(body: str) -> None:
    assert is_gsm(body) == ("`" not in body)
