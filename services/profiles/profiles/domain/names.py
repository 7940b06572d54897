"""Names as two spellings of them are compared: folded, in words, as they sound, and with what people say for them."""

import enum
import unicodedata
from functools import lru_cache

from rapidfuzz.distance import JaroWinkler

from profiles.domain.spellings import SAME_NAMES
from profiles.nicknames import FORMAL_NAMES

_LETTERS = str.maketrans(
    {"ß": "ss", "ø": "o", "ł": "l", "æ": "ae", "œ": "oe", "đ": "d", "ð": "d", "þ": "th", "\u0131": "i", "'": "",
     "\u2019": ""}
)  # fmt: skip
# Said or left out as it comes: titles, and what stands before a family name.
_NOT_NAMES: frozenset[str] = frozenset(
    word
    for line in (
        "mr mrs ms miss mx dr prof sir herr frau sr sra srta m mme mlle don dona jr ii iii",
        "de la las los del della di da do dos das du des van von der den ten ter zu zur el al bin ibn y e",
    )
    for word in line.split()
)
_SOUNDS = str.maketrans(
    {"c": "k", "q": "k", "g": "g", "z": "s", "v": "f", "w": "f", "y": "", "h": "", "a": "", "e": "", "i": "", "o": "",
     "u": "", "j": "j", "x": "s"}
)  # fmt: skip
_LONGEST_CODE = 6
# Jaro-Winkler similarities, set on lists of typos beside lists of other people's names: from SAME_BUT_TYPED on a pair
# is mostly a typo (garcia/gracia .95), below OTHER_GIVEN_NAME mostly two people (tom/tim .80).
SAME_BUT_TYPED = 0.90
SAME_IF_IT_SOUNDS_SO = 0.88
OTHER_GIVEN_NAME = 0.85
OTHER_FAMILY_NAME = 0.85
# What makes another person's name of a name: Paul and Paula, Maria and Mario, Julia and Julian.
_ENDINGS = frozenset({"a", "e", "i", "o", "n", "na", "ne"})


class Likeness(enum.IntEnum):
    """How alike two given names or two family names are; higher is more."""

    DIFFERENT = 0
    # Neither for nor against: Maria and Mario, Joan and John.
    UNCLEAR = 1
    # One of the two is not known.
    UNKNOWN = 2
    # J. and John.
    INITIAL = 3
    # A typo apart.
    ALIKE = 4
    # Bob and Robert, María José and María.
    SAID = 5
    SAME = 6


@lru_cache(maxsize=65_536)
def words_of(name: str) -> tuple[str, ...]:
    """Return the words of a name without accents, case, titles and particles; all of them if nothing else is left."""
    plain = unicodedata.normalize("NFKD", name.casefold().translate(_LETTERS))
    letters = "".join(
        character if character.isalpha() else " "
        for character in plain
        if not unicodedata.combining(character)
    )
    words = tuple(letters.split())
    return tuple(word for word in words if word not in _NOT_NAMES) or words


@lru_cache(maxsize=65_536)
def sound_of(word: str) -> str:
    """Return how a word sounds, roughly: its consonants, those alike as one, doubles once; the same for most typos."""
    told = (
        word.replace("ph", "f").replace("sch", "s").replace("ck", "k").replace("ce", "se").replace("ci", "si")
    )
    code = told.translate(_SOUNDS)
    heard = "".join(letter for index, letter in enumerate(code) if index == 0 or letter != code[index - 1])
    # A name that begins with a vowel keeps that it does: Anna is no Nina.
    first = "a" if word[:1] in "aeiouyh" else ""
    return (first + heard)[:_LONGEST_CODE]


@lru_cache(maxsize=16_384)
def formal_names(word: str) -> frozenset[str]:
    """Return the names for which a given name may be said, itself among them, each in one spelling."""
    return frozenset(SAME_NAMES.get(name, name) for name in (word, *FORMAL_NAMES.get(word, ())))


def _is_known(word: str) -> bool:
    return word in FORMAL_NAMES.get(word, ())


def given_likeness(one: tuple[str, ...], other: tuple[str, ...]) -> Likeness:
    """Compare the words of two given names."""
    if not one or not other:
        return Likeness.UNKNOWN
    if one == other:
        return Likeness.SAME
    if set(one) <= set(other) or set(other) <= set(one):
        return Likeness.SAID
    return _word_likeness(*sorted((one[0], other[0])))


def family_likeness(one: tuple[str, ...], other: tuple[str, ...]) -> Likeness:
    """Compare the words of two family names; of a double name one half is enough."""
    if not one or not other:
        return Likeness.UNKNOWN
    if one == other:
        return Likeness.SAME
    if set(one) <= set(other) or set(other) <= set(one):
        return Likeness.SAID
    alike = JaroWinkler.similarity(*sorted((" ".join(one), " ".join(other))))
    if alike >= SAME_BUT_TYPED:
        return Likeness.ALIKE
    if sound_of("".join(one)) == sound_of("".join(other)) and alike >= OTHER_FAMILY_NAME:
        return Likeness.ALIKE
    return Likeness.DIFFERENT if alike < OTHER_FAMILY_NAME else Likeness.UNCLEAR


@lru_cache(maxsize=262_144)
def _word_likeness(one: str, other: str) -> Likeness:
    if one == other or formal_names(one) & formal_names(other):
        return Likeness.SAID
    short, long = sorted((one, other), key=len)
    if len(short) == 1:
        return Likeness.INITIAL if long.startswith(short) else Likeness.DIFFERENT
    if long.startswith(short) and long[len(short) :] in _ENDINGS:
        return Likeness.UNCLEAR
    if one[:-1] == other[:-1] and {one[-1], other[-1]} <= _ENDINGS:
        return Likeness.UNCLEAR
    alike = JaroWinkler.similarity(one, other)
    if _is_known(one) and _is_known(other):
        # Alexander and Alexandra: nobody mistyped the one for the other.
        return Likeness.UNCLEAR if alike >= OTHER_GIVEN_NAME else Likeness.DIFFERENT
    if alike >= SAME_BUT_TYPED or (alike >= SAME_IF_IT_SOUNDS_SO and sound_of(one) == sound_of(other)):
        return Likeness.ALIKE
    return Likeness.DIFFERENT if alike < OTHER_GIVEN_NAME else Likeness.UNCLEAR
