"""What somebody types to find a client, read word by word. Words come in plain spelling: no accents, no capitals."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from enum import IntEnum, StrEnum

MOST_WORDS = 8
FEWEST_LETTERS = 3  # of a name that may be spelled wrong, and of a piece of an e-mail
FEWEST_DIGITS = 3  # of a phone number

_SEPARATORS = re.compile(r"[\W_]+")
_NUMBER = re.compile(r"[\d()+./-]*\d[\d()+./-]*")
_YEAR = re.compile(r"(19|20)\d\d")
_DIGIT = re.compile(r"[0-9]")


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
    """How well a client fits: the lower, the earlier. SIMILAR is a short form, a slip or a piece of an e-mail, too."""

    AS_TYPED = 0
    SIMILAR = 1


@dataclass(frozen=True, slots=True)
class Word:
    """One typed word and what it may stand for among the kept words.

    Kept words with a digit begin with #, pieces of e-mails with @, and each four digits of a phone number with +.
    """

    name: str = ""  # the word, if it has letters only
    beginnings: tuple[str, ...] = ()
    wholes: tuple[str, ...] = ()
    digits: tuple[str, ...] = ()  # of a phone number: all four in a row that are in the fragment
    loose_beginnings: tuple[str, ...] = ()  # as a piece of an e-mail, or of a reference
    nicknames: tuple[str, ...] = ()
    similar: tuple[str, ...] = ()

    @property
    def of_piece(self) -> str | None:
        """Return the pattern of the pieces that the word fits, whose words stand between blanks; None for none."""
        if self.wholes:
            return f"% {self.wholes[0].lstrip('#')} %"
        return next((f"% {word.lstrip('#')}%" for word in self.beginnings if word[0] not in "+@"), None)


def words_of(plain: str) -> list[Word]:
    """Return the words of a query in plain spelling, the digits of a phone number as one."""
    words: list[Word] = []
    digits: list[str] = []
    pieces = plain.split()
    is_number = all(_NUMBER.fullmatch(piece) for piece in pieces)
    for piece in [*pieces, ""]:
        is_year = not is_number and _YEAR.fullmatch(piece)
        if _NUMBER.fullmatch(piece) and not is_year:
            digits.append(piece)
            continue
        if digits:
            words.append(_number(digits))
            digits = []
        if is_year:
            # Beside other words, when something was bought; alone it may as well be four digits of a number.
            words.append(Word(wholes=(f"#{piece}",)))
        else:
            of_email = "@" in piece
            parts = _SEPARATORS.split(piece if of_email else piece.replace("'", ""))
            words += [Word(beginnings=(f"@{part}",)) if of_email else _word(part) for part in parts if part]
    return words[:MOST_WORDS]


def _word(word: str) -> Word:
    is_long = len(word) >= FEWEST_LETTERS
    if _DIGIT.search(word):
        # A name has its digits behind letters without the mark.
        own = (f"#{word}",) if _DIGIT.match(word) else (f"#{word}", word)
        return Word(beginnings=own, loose_beginnings=(f"@{word}",) if is_long else ())
    return Word(word, beginnings=(word,), loose_beginnings=(f"@{word}", f"#{word}") if is_long else ())


def _number(pieces: Sequence[str]) -> Word:
    typed = "".join(pieces)
    digits = "".join(_DIGIT.findall(typed))
    if len(digits) < FEWEST_DIGITS:
        return Word(beginnings=(f"#{digits}",)) if digits else Word(beginnings=(typed,))
    # Numbers are kept in E.164: without the 00 of a call abroad and without the trunk zero, as in +44 (0)20.
    number = "".join(_DIGIT.findall(typed.replace("(0)", ""))).lstrip("0")
    if len(number) < FEWEST_DIGITS:
        number = digits
    in_a_row = tuple(f"+{number[place : place + 4]}" for place in range(len(number) - 3))
    of_phone = () if in_a_row else (f"+{number}",)
    if len(pieces) > 1:
        return Word(beginnings=of_phone, digits=in_a_row)
    return Word(beginnings=(f"#{digits}", *of_phone), digits=in_a_row, loose_beginnings=(f"@{digits}",))


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
