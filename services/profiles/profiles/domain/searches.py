"""What somebody types to find a client, read word by word. Words come in plain spelling: no accents, no capitals."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from enum import IntEnum, StrEnum

MOST_WORDS = 8
FEWEST_LETTERS = 3  # of a name that may be spelled wrong
FEWEST_DIGITS = 3  # of a phone number

_SEPARATORS = re.compile(r"[\W_]+")
_DIGITS = re.compile(r"[\d()+./-]*\d[\d()+./-]*")
_YEAR = re.compile(r"(19|20)\d\d")


class Match(StrEnum):
    """By what a word was found; the first that holds is said."""

    NAME = "name"
    NICKNAME = "nickname"
    PHONE = "phone"
    EMAIL = "email"
    TAG = "tag"
    PIECE = "piece"
    SIMILAR_NAME = "similar_name"


class Quality(IntEnum):
    """How well a client fits: the lower, the earlier."""

    AS_TYPED = 0
    BY_NICKNAME = 1
    SIMILAR = 2


@dataclass(frozen=True, slots=True)
class Word:
    """One word with what it may stand for: beginnings of kept words, and whole names."""

    beginnings: tuple[str, ...]
    nicknames: tuple[str, ...] = ()
    similar: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        """Return the word, if it could be a name; else empty."""
        first = self.beginnings[0]
        return first if len(first) >= FEWEST_LETTERS and first.isalpha() else ""


def words_of(plain: str) -> list[Word]:
    """Return the words of a query in plain spelling, the digits of a phone number as one."""
    words: list[Word] = []
    digits: list[str] = []
    pieces = plain.split()
    has_others = not all(_DIGITS.fullmatch(piece) for piece in pieces)
    for piece in [*pieces, ""]:
        if piece and _DIGITS.fullmatch(piece):
            digits.append(piece)
            continue
        if digits:
            words += _numbers(digits, has_others=has_others)
            digits = []
        if "@" in piece:
            words += [Word((address,))] if (address := piece.strip("@")) else []
        else:
            words += [Word((word,)) for word in _SEPARATORS.split(piece.replace("'", "")) if word]
    return words[:MOST_WORDS]


def _numbers(pieces: Sequence[str], *, has_others: bool) -> list[Word]:
    # Beside other words four digits such as 2024 are when something was bought.
    if has_others and any(_YEAR.fullmatch(piece) for piece in pieces):
        return (
            [word for piece in pieces for word in _numbers([piece], has_others=not _YEAR.fullmatch(piece))]
            if (len(pieces) > 1)
            else [Word((pieces[0],))]
        )
    typed = "".join(pieces)
    plain = "".join(character for character in typed if character.isdigit())
    if len(plain) < FEWEST_DIGITS:
        return [Word((plain,))]
    # Numbers are kept in E.164: without the 00 of a call abroad and without the trunk zero, as in +44 (0)20.
    number = "".join(character for character in typed.replace("(0)", "") if character.isdigit()).lstrip("0")
    beginnings = [f"+{number or plain}"]
    if len(pieces) == 1:
        beginnings.insert(0, plain)
    return [Word(tuple(beginnings))]


def with_nicknames(words: Sequence[Word], table: Mapping[str, frozenset[str]]) -> list[Word]:
    """Return the words with the names that each is short for, or that are short for it."""
    return [replace(word, nicknames=tuple(sorted(table.get(word.name, ())))) for word in words]


def is_similar(sound: str, other: str) -> bool:
    """Return whether two sounds are one, or one letter apart: missing, too many, another, or two in the wrong order."""
    if sound == other:
        return True
    short, long = sorted((sound, other), key=len)
    if len(short) < FEWEST_LETTERS or len(long) <= FEWEST_LETTERS or len(long) - len(short) > 1:
        return False
    start = 0
    while start < len(short) and short[start] == long[start]:
        start += 1
    rest, of = short[start:], long[start:]
    if len(short) < len(long):
        return rest == of[1:]
    return rest[1:] == of[1:] or (rest[:2] == of[1::-1] and rest[2:] == of[2:])
