"""First wordings for a suggestion, from templates in the client's language; the associate edits and sends one.

A draft may use five facts and no other: the client's given name, the associate's name, the store's name, which signal
it is about, and the pieces to be shown. Occasions are not named: they can be somebody else's surprise. Must not
be handed scores, sums or dates of the client.
"""

import hashlib
import re
import tomllib
import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any

from outreach.domain import Signal
from outreach.domain.drafts import (
    FALLBACK_LANGUAGE,
    LANGUAGES,
    Wording,
    fill,
    folded,
    one_line,
    spoken,
    variables_in,
)
from outreach.texts.segments import count_segments

__all__ = [
    "FALLBACK_LANGUAGE",
    "LANGUAGES",
    "Draft",
    "Facts",
    "PieceFact",
    "Voice",
    "write_draft",
    "write_wordings",
]

_MOST_NAME = 60
_MOST_PIECE = 80
_MOST_SHOWN = 3

# To whom there is reason to show something without being asked to; the others are about something else.
SHOWING = frozenset(
    {
        Signal.SILENT_ONE_TIMER,
        Signal.HIGH_INTENT,
        Signal.OCCASION_AHEAD,
        Signal.VIP_GOING_QUIET,
        Signal.LAST_YEARS_GIFT,
        Signal.RELATED_OCCASION,
        Signal.NEED_BY_NEAR,
        Signal.VISIT_FOLLOW_UP,
        Signal.WISH_ARRIVED,
        Signal.FAVOURITE_ARRIVED,
    }
)


@dataclass(frozen=True)
class PieceFact:
    """A piece that may be named; `brand` is empty where nobody says."""

    piece_id: str
    display_name: str
    brand: str = ""


@dataclass(frozen=True)
class Facts:
    """Everything that a draft may say, made plain: no line breaks, nothing that cannot be seen, no endless names."""

    signal: Signal
    given_name: str = ""
    associate_name: str = ""
    store_name: str = ""
    is_first: bool = False
    pieces: tuple[PieceFact, ...] = ()

    def __post_init__(self) -> None:
        for name in ("given_name", "associate_name", "store_name"):
            object.__setattr__(self, name, _plain(getattr(self, name), _MOST_NAME))
        shown = (
            PieceFact(
                piece.piece_id, _plain(piece.display_name, _MOST_PIECE), _plain(piece.brand, _MOST_NAME)
            )
            for piece in self.pieces[:_MOST_SHOWN]
        )
        object.__setattr__(self, "pieces", tuple(piece for piece in shown if piece.display_name))

    @property
    def names(self) -> Mapping[str, str]:
        """Return the variables that are known."""
        names = {
            "given_name": self.given_name,
            "associate_name": self.associate_name,
            "store_name": self.store_name,
        }
        return {name: value for name, value in names.items() if value}

    def told(self) -> Mapping[str, str]:
        """Return the facts as a caller reads them."""
        pieces = {f"piece_{number}": piece.display_name for number, piece in enumerate(self.pieces, start=1)}
        brands = {
            f"brand_{number}": piece.brand for number, piece in enumerate(self.pieces, start=1) if piece.brand
        }
        return {"signal": self.signal.value, **self.names, **pieces, **brands}


@dataclass(frozen=True)
class Voice:
    """How an associate opens and closes: templates of snippets, the one to be preferred first."""

    openings: Sequence[str] = ()
    closings: Sequence[str] = ()


NO_VOICE = Voice()


@dataclass(frozen=True)
class Draft:
    """A wording, the language it is in, and the segments that the network will count."""

    body: str
    language: str
    segments: int
    wording: Wording


def write_draft(
    signal: Signal, *, language: str, given_name: str, associate_name: str, store_name: str, is_first: bool
) -> Draft:
    """Return a draft. A first text to a client says which store writes; `language` is BCP 47, else English."""
    facts = Facts(signal, given_name, associate_name, store_name, is_first)
    return write_wordings(facts, language=language)[0]


def write_wordings(
    facts: Facts, *, language: str, voice: Voice = NO_VOICE, count: int = 1, seed: str = ""
) -> list[Draft]:
    """Return up to `count` wordings of the same facts, as `frame` orders them.

    Where several cost the same, `seed` chooses, so that clients who get a text on one day do not all get the same one.
    """
    language = spoken(language) or FALLBACK_LANGUAGE
    return frame(facts, _middles(facts, language, seed), language=language, voice=voice, count=count)


def frame(
    facts: Facts, middles: Sequence[tuple[str, str]], *, language: str, voice: Voice = NO_VOICE, count: int
) -> list[Draft]:
    """Return up to `count` texts of (middle, key) with their openings and closings.

    Those that open in the associate's own words come first, then the cheapest in segments.
    """
    closing = next((said for one in voice.closings if (said := _said(one, facts.names)) is not None), "")
    own = [
        said
        for one in voice.openings
        if (said := _said(one, facts.names)) is not None and _introduces(one, facts)
    ]
    openings = [(said, True) for said in own[:1]] + [(said, False) for said in _greetings(facts, language)]
    drafts = []
    for opening, is_own in openings:
        for middle, key in middles:
            wording = Wording(opening, middle, closing, f"{language}.{facts.signal.value}.{key}")
            drafts.append((is_own, Draft(wording.body, language, count_segments(wording.body), wording)))
    drafts.sort(key=lambda pair: (not pair[0], pair[1].segments))
    return [draft for _, draft in drafts][:count]


def piece_phrases(facts: Facts, language: str) -> list[str]:
    """Return how each piece is called in a text."""
    by = str(_templates(language)["by"])
    return [
        fill(by, {"piece": piece.display_name, "brand": piece.brand})
        if piece.brand and folded(piece.brand) not in folded(piece.display_name)
        else piece.display_name
        for piece in facts.pieces
    ]


def words_of(language: str) -> frozenset[str]:
    """Return every word of a language's templates, folded."""
    said: list[str] = []
    for name in (*Signal, "pieces"):
        said += [*_templates(language)[name]["say"], *_templates(language)[name]["ask"]]
    return frozenset(re.findall(r"\w+", folded(" ".join(said))))


def _introduces(opening: str, facts: Facts) -> bool:
    """Return whether an opening is enough of an introduction: a first text says which store writes."""
    return not (facts.is_first and facts.store_name) or "store_name" in variables_in(opening)


def _greetings(facts: Facts, language: str) -> list[str]:
    """Return how a text can open, with as many names as are known."""
    templates = _templates(language)
    who = _first_said(templates["who_first" if facts.is_first else "who_again"], facts.names)
    greetings = [_first_said(wordings, facts.names) for wordings in templates["greetings"]]
    return [f"{greeting} {who}" if who else f"{greeting[:-1]}." for greeting in greetings]


def _middles(facts: Facts, language: str, seed: str) -> list[tuple[str, str]]:
    """Return what can stand between opening and closing, each with its key, in an order that the seed chooses."""
    templates = _templates(language)
    says, asks = templates[facts.signal]["say"], templates[facts.signal]["ask"]
    pieces = _listed(piece_phrases(facts, language), templates["and"])
    middles = []
    for number, (say, ask) in enumerate(zip(says, asks, strict=True), start=1):
        if not facts.pieces:
            middles.append((f"{say} {ask}", str(number)))
            continue
        shown = fill(templates["pieces"]["say"][number - 1], {"pieces": pieces})
        then = templates["pieces"]["ask"][number - 1] if facts.signal in SHOWING else ask
        middles.append((f"{say} {shown} {then}", f"{number}.shown"))
    turn = int.from_bytes(hashlib.blake2b(seed.encode(), digest_size=2).digest(), "big") if seed else 0
    return [middles[(turn + place) % len(middles)] for place in range(len(middles))]


def _listed(phrases: Sequence[str], conjunction: str) -> str:
    if len(phrases) < 2:
        return "".join(phrases)
    return f"{', '.join(phrases[:-1])} {conjunction} {phrases[-1]}"


def _first_said(templates: Sequence[str], names: Mapping[str, str]) -> str:
    return next((said for one in templates if (said := _said(one, names)) is not None), "")


def _said(template: str, names: Mapping[str, str]) -> str | None:
    """Return a template with its names, None where one of them is not known."""
    return fill(template, names) if variables_in(template) <= names.keys() else None


@cache
def _templates(language: str) -> Mapping[str, Any]:
    return tomllib.loads(
        files("outreach.texts").joinpath(f"languages/{language}.toml").read_text(encoding="utf-8")
    )


def _plain(name: str, most: int) -> str:
    """Return a name on one line, without what cannot be seen."""
    seen = (" " if unicodedata.category(one)[0] in "CZ" else one for one in name)
    return one_line("".join(seen))[:most].strip()
