"""What the network counts, at the edges where it counts differently."""
# ruff: noqa: RUF001 - curly quotes are the point

import pytest
from hypothesis import given
from hypothesis import strategies as st

from outreach.texts.segments import count_segments, is_gsm


@pytest.mark.parametrize(
    ("text", "segments"),
    [
        ("", 0),
        ("a", 1),
        ("a" * 160, 1),
        ("a" * 161, 2),
        ("a" * 306, 2),
        ("a" * 307, 3),
        ("€" * 80, 1),  # two places each
        ("€" * 81, 2),
        ("a" * 159 + "€", 2),
        # 153 places a part: the pair does not fit into the last one and is not cut
        ("a" * 152 + "€" + "a" * 152, 3),
        ("a" * 151 + "€" + "a" * 153, 2),
        ("á" * 70, 1),
        ("á" * 71, 2),
        ("á" * 134, 2),
        ("á" * 135, 3),
        ("’" + "a" * 69, 1),
        ("’" + "a" * 70, 2),  # one curly quote doubles the cost
        ("💍" * 35, 1),
        ("💍" * 36, 2),
        ("💍" * 66, 2),  # 33 pairs a part, the 67th unit stays empty
        ("💍" * 67, 3),
    ],
)
def test_segments_are_counted_as_the_network_does(text, segments):
    assert count_segments(text) == segments


@pytest.mark.parametrize(
    ("text", "gsm"), [("Hello Ñandú", False), ("Grüße, à bientôt", False), ("Grüße à 5 €", True)]
)
def test_which_texts_are_gsm_7(text, gsm):
    assert is_gsm(text) is gsm


@given(st.text(max_size=800), st.text(max_size=200))
def test_more_text_never_costs_less(text, more):
    assert count_segments(text) <= count_segments(text + more)
