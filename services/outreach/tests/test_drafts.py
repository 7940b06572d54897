"""Drafts by template: in the client's language, with the facts that may be said, and no others."""

import pytest

from outreach.domain import SIGNALS, Signal
from outreach.domain.drafts import LANGUAGES
from outreach.texts.claims import fault_in, plain
from outreach.texts.drafts import Draft, Facts, PieceFact, Voice, write_draft, write_wordings
from outreach.texts.segments import cost_note, count_segments, is_gsm

PIECE = PieceFact("pce_1", "Solitaire No. 5", "Aurelia")


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


def facts(signal: Signal = Signal.HIGH_INTENT, **fields: object) -> Facts:
    return Facts(
        signal,
        **{  # type: ignore[arg-type]
            "given_name": "Ana",
            "associate_name": "Mia",
            "store_name": "Aurum Boston",
            **fields,
        },
    )


def test_a_first_text_says_which_store_writes():
    assert draft().body.startswith("Hello Ana, this is Mia from Aurum Boston. ")
    assert "Aurum" not in draft(is_first=False).body


def test_a_store_without_an_associate_speaks_for_itself():
    assert draft(associate_name="").body.startswith("Hello Ana, this is Aurum Boston.")


def test_a_client_without_a_name_is_greeted_without_one():
    assert draft(given_name="").body.startswith("Hello, this is Mia")


def test_with_no_name_at_all_there_is_still_a_text():
    body = draft(given_name="", associate_name="", store_name="").body
    assert body.startswith("Hello. ")


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
def test_every_signal_has_five_wordings_of_one_segment_or_two_in_every_language(language, signal):
    written = write_wordings(facts(signal, is_first=True), language=language, count=5)
    assert len({one.body for one in written}) == 5
    assert [one.segments for one in written] == sorted(one.segments for one in written)
    for one in written:
        assert "Ana" in one.body
        assert "Mia" in one.body
        assert "Aurum Boston" in one.body
        assert "  " not in one.body
        assert "{" not in one.body
        assert is_gsm(one.body)
        assert one.segments == count_segments(one.body) <= 2
        assert one.wording.key.startswith(f"{language}.{signal}.")


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("signal", SIGNALS)
@pytest.mark.parametrize("pieces", [(), (PieceFact("pce_1", "{piece_1}"),)], ids=["bare", "with a piece"])
def test_a_template_claims_no_more_than_a_model_may(language, signal, pieces):
    for one in write_wordings(facts(signal, pieces=pieces), language=language, count=5):
        fault = fault_in(
            plain(one.wording.middle),
            language=language,
            signal=signal,
            placeholders=["piece_1"] if pieces else [],
        )
        assert fault == "", one.wording.middle


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("signal", SIGNALS)
def test_a_piece_is_called_by_its_name_and_brand(language, signal):
    by = {"en": "by", "es": "de", "fr": "de", "de": "von"}[language]
    for one in write_wordings(facts(signal, pieces=(PIECE,)), language=language, count=3):
        assert f"Solitaire No. 5 {by} Aurelia" in one.body


def test_several_pieces_are_listed_and_a_brand_is_said_once():
    pieces = (PIECE, PieceFact("pce_2", "Aurelia Halo", "Aurelia"), PieceFact("pce_3", "Band"))
    body = write_wordings(facts(pieces=pieces), language="en")[0].body
    assert "Solitaire No. 5 by Aurelia, Aurelia Halo and Band" in body


def test_the_same_facts_give_the_same_drafts_and_clients_do_not_all_get_the_same():
    def first(seed: str) -> str:
        return write_wordings(facts(Signal.THANK_YOU), language="en", seed=seed)[0].body

    assert first("sug_1") == first("sug_1")
    assert len({first(f"sug_{number}") for number in range(30)}) == 3


def test_own_words_open_and_close_a_draft():
    voice = Voice(
        openings=["Dear {given_name}, {associate_name} here!"], closings=["Warmly, {associate_name}"]
    )
    written = write_wordings(facts(), language="en", voice=voice, count=5)
    assert written[0].body.startswith("Dear Ana, Mia here! ")
    assert len(written) == 5
    assert all(one.body.endswith(" Warmly, Mia") for one in written)


def test_own_words_that_need_a_name_nobody_knows_are_passed_over():
    voice = Voice(
        openings=["Dear {given_name}!", "Good to write to you!"], closings=["Yours, {associate_name}"]
    )
    written = write_wordings(facts(given_name="", associate_name=""), language="en", voice=voice)[0]
    assert written.wording.opening == "Good to write to you!"
    assert written.wording.closing == ""


def test_own_words_that_do_not_say_the_store_do_not_open_a_first_text():
    voice = Voice(openings=["Dear {given_name}!", "Dear {given_name}, {store_name} here."])
    first = write_wordings(facts(is_first=True), language="en", voice=voice)[0]
    assert first.wording.opening == "Dear Ana, Aurum Boston here."
    assert write_wordings(facts(), language="en", voice=voice)[0].wording.opening == "Dear Ana!"


@pytest.mark.parametrize("name", ["{{ 7 * 7 }}", "{store_name}", "{piece_1}", "{% raw %}"])
def test_a_name_is_said_and_never_run(name):
    assert draft(given_name=name).body.startswith(f"Hello {name},")


def test_names_are_kept_to_one_line_and_a_length():
    assert draft(given_name="An\na " * 40).body.startswith("Hello An a An a")
    assert draft(given_name="A\u202en\x00a").body.startswith("Hello A n a,")
    long = write_wordings(facts(pieces=(PieceFact("pce_1", "Very " * 100 + "long\n"),)), language="en")[0]
    assert len(long.body) < 300


def test_what_makes_a_text_dear_is_said():
    assert cost_note("x" * 160) == ""
    assert cost_note("María " + "x" * 60) == ""  # one segment either way
    assert (
        cost_note("It\u2019s " + "x" * 80) == '"\u2019" is not in the GSM alphabet: 2 segments instead of 1.'
    )
    assert cost_note("Hi 💍 " + "á" * 80).startswith('"á", "💍" are not in the GSM alphabet: ')
