"""Which texts ask for silence in plain words: two sets of what clients write, and the rules' edges."""

# ruff: noqa: RUF001 - curly quotes are the point

import csv
import os
import re
import time
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

import messaging.revocation
from messaging.revocation import Wish, judge
from messaging.revocation.look_alikes import LOOK_ALIKES
from messaging.revocation.plain import is_slip, plain_sentences
from messaging.revocation.rules import RULES
from messaging.revocation.ways import WAYS
from messaging.revocation.weighing import document_of, learn, weights_of

DATA = Path(__file__).parent / "data"
WEIGHTS_FILE = Path(messaging.revocation.__file__).parent / "weights.json"
SILENT = frozenset({Wish.KEYWORD_STOP, Wish.REVOKES, Wish.MAYBE_REVOKES})


def phrases(name: str, expected: str) -> list[str]:
    with (DATA / name).open(encoding="utf-8", newline="") as file:
        return [row["text"] for row in csv.DictReader(file) if row["expected"] == expected]


def all_phrases(name: str) -> list[tuple[str, str]]:
    with (DATA / name).open(encoding="utf-8", newline="") as file:
        return [(row["text"], row["expected"]) for row in csv.DictReader(file)]


def silenced(texts: list[str]) -> list[str]:
    return [text for text in texts if judge(text).wish in SILENT]


def test_the_set_is_large_and_half_of_it_only_looks_like_a_revocation() -> None:
    revocations, look_alikes = phrases("revocations.csv", "revokes"), phrases("revocations.csv", "nothing")
    assert len(revocations) >= 150
    assert len(look_alikes) >= 150
    assert len({*revocations, *look_alikes}) == len(revocations) + len(look_alikes)


def test_no_clear_revocation_is_missed() -> None:
    revocations = phrases("revocations.csv", "revokes")
    assert set(revocations) - set(silenced(revocations)) == set()


def test_at_most_two_in_a_hundred_look_alikes_silence_anybody() -> None:
    look_alikes = phrases("revocations.csv", "nothing")
    assert len(silenced(look_alikes)) <= len(look_alikes) * 0.02, silenced(look_alikes)


def test_phrases_that_no_rule_was_made_for_are_found_as_often_as_was_measured_once() -> None:
    revocations = phrases("revocations_held_out.csv", "revokes")
    look_alikes = phrases("revocations_held_out.csv", "nothing")
    assert (len(revocations), len(look_alikes)) == (71, 93)
    # 71 of 76 (93 %) and 3 of 96 (3 %) on the day the set was written; the eight that were wrong were taken into the
    # other set then, and rules were made for them. A change that makes this worse must say why; a rule that is made
    # for a phrase of this set takes the phrase into the other set.
    assert set(revocations) - set(silenced(revocations)) == set()
    assert silenced(look_alikes) == []


def test_the_held_out_set_has_nothing_of_the_other_one() -> None:
    known = {text.casefold() for kind in ("revokes", "nothing") for text in phrases("revocations.csv", kind)}
    kinds = ("revokes", "nothing", "indirect")
    held_out = {text.casefold() for kind in kinds for text in phrases("revocations_held_out.csv", kind)}
    assert known & held_out == set()


def test_the_weights_are_those_of_the_set_that_the_rules_were_made_with() -> None:
    learned = learn(
        [
            (list(plain_sentences(text)), kind == "revokes")
            for text, kind in all_phrases("revocations.csv")
            if kind in ("revokes", "nothing")
        ]
    )
    if os.environ.get("CARNET_UPDATE_GOLDEN"):
        WEIGHTS_FILE.write_text(document_of(learned), encoding="utf-8")
    stored = weights_of(WEIGHTS_FILE.read_text(encoding="utf-8"))
    assert abs(stored.bias - learned.bias) < 0.01
    different = {*stored.of, *learned.of}
    assert all(abs(stored.of.get(one, 0.15) - learned.of.get(one, 0.15)) < 0.31 for one in different)
    assert sum(stored.of.get(one) != learned.of.get(one) for one in different) < len(different) / 100


@pytest.mark.parametrize(
    ("body", "wish"),
    [
        ("STOP", Wish.KEYWORD_STOP),
        ("yes!", Wish.KEYWORD_START),
        ("Help", Wish.KEYWORD_HELP),
        ("plese stop texting", Wish.REVOKES),
        ("We have got to STOP by your store", Wish.NOTHING),
        ("We stop by on Monday. But please stop texting me.", Wish.REVOKES),
        ("Stop sending me offers, but do text me when my ring is ready", Wish.MAYBE_REVOKES),
        ("unsubscribe from the newsletter but keep texting", Wish.NOTHING),
        ("STOP 🛑 texting", Wish.REVOKES),
        ("🛑", Wish.MAYBE_REVOKES),
        ("don’t stop texting me", Wish.NOTHING),
        ("don’t text me", Wish.REVOKES),
        ("If you don't stop texting me I will sue", Wish.REVOKES),
        ("", Wish.NOTHING),
        ("👍", Wish.NOTHING),
        ("начать", Wish.NOTHING),
    ],
)
def test_the_edges_of_the_rules(body: str, wish: Wish) -> None:
    assert judge(body).wish is wish


def test_a_judgement_names_its_rule_and_the_words() -> None:
    judgement = judge("Hi Maria!\nPLEASE don’t text me any more 🙏")
    assert judgement.reason == "do not text: “donot text me”"
    assert judge("I'll stop by on Saturday").reason == "a visit: “stop by on saturday”"
    assert judge("Thank you").reason == "no phrase that asks for silence"


def test_every_rule_and_every_look_alike_is_met_by_a_phrase_of_the_set() -> None:
    met = [
        sentence
        for expected in ("revokes", "nothing")
        for text in phrases("revocations.csv", expected)
        for sentence in plain_sentences(text)
    ]
    patterns = [(one.name, one.pattern) for one in (*RULES, *WAYS, *LOOK_ALIKES)]
    assert [name for name, pattern in patterns if not any(re.search(pattern, one) for one in met)] == []


@given(st.text(max_size=400))
def test_whatever_is_written_is_judged(body: str) -> None:
    assert judge(body).reason


@given(
    st.sampled_from(["please stop texting me", "take me off your list", "do not contact me"]),
    st.text(alphabet=" .!\n🙏❤️\t", max_size=20),
    st.booleans(),
)
def test_case_blanks_and_signs_around_a_wish_do_not_matter(wish: str, around: str, upper: bool) -> None:
    assert judge(around + (wish.upper() if upper else wish) + around).wish is Wish.REVOKES


@pytest.mark.parametrize(
    "unit",
    [
        "stop ",
        "stop sending ",
        "stop sending me the ",
        "no ",
        "do not want to ",
        "my wife said ",
        "s.t.",
        "!?",
        "a",
    ],
)
def test_no_text_takes_long(unit: str) -> None:
    started = time.process_time()
    judge(unit * (100_000 // len(unit)))
    assert time.process_time() - started < 2


def test_a_slip_is_a_letter_left_out_added_changed_or_swapped() -> None:
    assert all(is_slip(word, "texting", most=1) for word in ("txting", "textting", "texring", "tetxing"))
    assert not is_slip("testings", "texting", most=1)


def test_the_plain_form_has_one_way_to_say_things() -> None:
    assert list(plain_sentences("PLEASE don’t…  texT-me, EVER")) == ["please donot", "text me , ever"]
