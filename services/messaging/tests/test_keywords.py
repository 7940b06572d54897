"""Which messages are keywords, at the edge of the rule."""

# ruff: noqa: RUF001 - look-alike letters are the point

import pytest
from hypothesis import given
from hypothesis import strategies as st

from messaging.keywords import Keyword, keyword_of


@pytest.mark.parametrize(
    "body",
    [
        "STOP", "stop", " Stop. ", "\nSTOP!!!\n", '"stop"', "S.T.O.P.", "stóp", "ＳＴＯＰ", "STOP 🙏", "stop\u200b",
        "STOPALL", "stop all", "Unsubscribe", "CANCEL", "end", "Quit.", "revoke", "OPTOUT", "opt out", "opt-out",
        "OPT OUT!",
    ],
)  # fmt: skip
def test_a_stop_word_alone_is_a_stop(body: str) -> None:
    assert keyword_of(body) is Keyword.STOP


@pytest.mark.parametrize("body", ["START", "start.", "Unstop", "YES", "yes!", "Yés"])
def test_a_start_word_alone_is_a_start(body: str) -> None:
    assert keyword_of(body) is Keyword.START


@pytest.mark.parametrize("body", ["HELP", "help?", "Info", " info "])
def test_a_help_word_alone_asks_for_help(body: str) -> None:
    assert keyword_of(body) is Keyword.HELP


@pytest.mark.parametrize(
    "body",
    [
        "We have got to STOP by your store",
        "stop by",
        "STOP STOP",
        "please stop texting me",
        "Can you help me?",
        "yes please",
        "The end.",
        "nonstop",
        "stopp",
        "s t o p",
        "",
        "   ",
        "!!!",
        "👍",
        "начать",
    ],
)
def test_anything_more_than_the_word_is_an_ordinary_message(body: str) -> None:
    assert keyword_of(body) is None


def test_a_very_long_text_is_no_keyword_whatever_is_around_the_word() -> None:
    assert keyword_of("stop" + "!" * 1600) is None


@given(
    st.sampled_from(["stop", "start", "help"]), st.text(alphabet=" .,!?'\"-\n\t", max_size=20), st.booleans()
)
def test_case_blanks_and_punctuation_around_a_word_do_not_matter(word: str, around: str, upper: bool) -> None:
    assert keyword_of(around + (word.upper() if upper else word) + around) is keyword_of(word)
