"""Drafts: in the client's language, with the facts that may be said, and no others."""

import pytest

from outreach.domain import SIGNALS, Signal
from outreach.texts.drafts import LANGUAGES, Draft, write_draft
from outreach.texts.segments import count_segments


def draft(signal: Signal = Signal.HIGH_INTENT, **fields: object) -> Draft:
    said = {
        "language": "en-US",
        "given_name": "Ana",
        "associate_name": "Mia",
        "store_name": "Aurum Boston",
        "is_first": True,
        **fields,
    }
    return write_draft(signal, **said)  # type: ignore[arg-type]


def test_a_first_text_says_which_store_writes():
    assert draft().body.startswith("Hello Ana, this is Mia from Aurum Boston. It was good to see you")
    assert "Aurum" not in draft(is_first=False).body


def test_a_store_without_an_associate_speaks_for_itself():
    assert draft(associate_name="").body.startswith("Hello Ana, this is Aurum Boston.")


def test_a_client_without_a_name_is_greeted_without_one():
    assert draft(given_name="").body.startswith("Hello, this is Mia")


@pytest.mark.parametrize(
    ("language", "spoken"),
    [
        ("en-US", "en"),
        ("es", "es"),
        ("es-MX", "es"),
        ("FR_ca", "fr"),
        ("de-AT", "de"),
        ("pt-BR", "en"),
        ("", "en"),
    ],
)
def test_the_language_is_the_client_s_or_english(language, spoken):
    assert draft(language=language).language == spoken


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("signal", SIGNALS)
def test_every_signal_has_words_in_every_language(language, signal):
    written = draft(signal, language=language)
    assert "Ana" in written.body
    assert "Mia" in written.body
    assert "Aurum Boston" in written.body
    assert "  " not in written.body
    assert written.segments == count_segments(written.body) <= 4


def test_english_drafts_cost_two_segments_at_most():
    assert max(draft(signal).segments for signal in SIGNALS) == 2


def test_a_name_is_said_and_never_run():
    assert draft(given_name="{{ 7 * 7 }}").body.startswith("Hello {{ 7 * 7 }},")
    assert draft(given_name="An\na " * 40).body.startswith("Hello An a An a")
