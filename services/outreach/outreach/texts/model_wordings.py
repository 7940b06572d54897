"""What a language model is asked for a draft, and what of its answer is used.

It is told no name and no fact of the client: it gets the templates' own words for the signal and says them in other
ones, with placeholders where a piece stands. Greeting, introduction and closing are put around its words here. So
nobody's data leaves the house, nothing that a piece is called can instruct it, and it may claim what the templates do.
"""

import json
import re
from dataclasses import replace

from outreach.domain.drafts import fill
from outreach.texts.claims import fault_in, plain
from outreach.texts.drafts import Facts, PieceFact, piece_phrases, write_wordings
from outreach.texts.segments import count_segments

_NAMES = {"en": "English", "es": "Spanish", "fr": "French", "de": "German"}
_MOST_SEGMENTS = 3
_EXAMPLES = 3
_SPARE = 2  # wordings asked for beyond what is needed, for those that do not pass

_RULES = """You word short text messages that a sales associate of a jewelry store sends to a client.
She addresses the client formally. You are given examples. Say the same in other words, warmly and plainly, in one to
three sentences.
Add nothing: no name, number, date, price, offer, brand, place, occasion, person, link or property of a piece,
and no reason other than the examples give. No greeting and no farewell: those are put around your words.
No emoji, no quotes, no lists.
Copy every placeholder in braces, such as {piece_1}, exactly once into every wording; use no other placeholder.
Answer with JSON only: {"wordings": ["...", "..."]}"""


class Unfit(Exception):
    """A model's answer cannot be used; the text says why, and quotes nothing of it."""


def ask_for(facts: Facts, language: str, count: int) -> tuple[str, str]:
    """Return what a model is told, and what it is asked."""
    hidden = replace(
        facts,
        given_name="",
        pieces=tuple(PieceFact(piece.piece_id, f"{{{name}}}") for name, piece in _placeholders(facts)),
    )
    examples = write_wordings(hidden, language=language, count=_EXAMPLES)
    question = {
        "language": _NAMES[language],
        "wordings": count + _SPARE,
        "placeholders": [f"{{{name}}}" for name, _ in _placeholders(facts)],
        "examples": [example.wording.middle for example in examples],
    }
    return _RULES, json.dumps(question, ensure_ascii=False)


def middles_of(answer: str, facts: Facts, language: str) -> list[tuple[str, str]]:
    """Return what of an answer can stand between opening and closing, each with its key. Raises Unfit when nothing can.

    A wording that says more than it was given is left out; so is one that is there already.
    """
    names = [name for name, _ in _placeholders(facts)]
    called = dict(zip(names, piece_phrases(facts, language), strict=True))
    middles: dict[str, str] = {}
    fault = ""
    for wording in _wordings(answer):
        said = plain(wording)
        found = fault_in(said, language=language, signal=facts.signal, placeholders=names)
        if not found and count_segments(middle := fill(said, called)) <= _MOST_SEGMENTS:
            middles.setdefault(middle, "model")
        else:
            fault = fault or found or "is too long"
    if not middles:
        raise Unfit(
            f"The model's wording was not used: it {fault}." if fault else "The model answered no wording."
        )
    return list(middles.items())


def _wordings(answer: str) -> list[str]:
    """Return the wordings in an answer, which may stand in a fence of code. Raises Unfit for any other form."""
    fenced = re.fullmatch(r"\s*```(?:json)?\s*(.*?)\s*```\s*", answer, flags=re.DOTALL)
    try:
        document = json.loads(fenced[1] if fenced else answer)
    except (ValueError, RecursionError) as error:
        raise Unfit("The model did not answer with the JSON that it was asked for.") from error
    wordings = document.get("wordings") if isinstance(document, dict) else None
    if not isinstance(wordings, list) or not all(isinstance(wording, str) for wording in wordings):
        raise Unfit("The model did not answer with the JSON that it was asked for.")
    return wordings[:20]


def _placeholders(facts: Facts) -> list[tuple[str, PieceFact]]:
    return [(f"piece_{number}", piece) for number, piece in enumerate(facts.pieces, start=1)]
