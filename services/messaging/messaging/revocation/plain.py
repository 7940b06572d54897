"""The plain form of what clients write, which patterns are written for: slips put right, decoration gone. Pure.

Lower case, no accents, apostrophes or hyphens, one blank between words, commas as words of their own, "do not" as one
word (`donot`), a word that is said again and again once.
"""

import re
import unicodedata
from collections.abc import Iterator

from messaging.revocation.spellings import DROPPED_G, KNOWN_WORDS, NOT_A_SLIP, SPELLINGS

_SIGNS = "\U0001f6d1\U0001f6ab\u26d4\u270b\U0001f645\U0001f590"  # stop sign, prohibited, no entry, hand, no-gesture
_SIGN = re.compile(f"[{_SIGNS}]")
_APOSTROPHES = re.compile("['\u2018\u2019\u02bc\u0060\u00b4\u2032]")
_ELISION = re.compile(rf"\b([dD]){_APOSTROPHES.pattern}(?=\w{{3}})")  # d'arrêter
_COURTESY = re.compile(
    r"^(?:(?:please|hi|hello|hey|ok|okay|no|nope|sorry|thanks|thank you|yes|well|so|por favor|merci|bonjour|hola) , )+"
)
_SENTENCE_ENDS = re.compile(r"[.!?;:\n\r…¿¡]+")
_DOTTED = re.compile(r"\b(?:\w[.\-_* ]){2,}\w\b")
_LONG_RUN = re.compile(r"([a-z])\1{2,}")
_SENTENCE = (
    40  # words; what has more without a stop is cut, since patterns take longer the longer a sentence is
)
_JOINED = (
    (" do not ", " donot "),
    (" any more ", " anymore "),
    (" can not ", " cannot "),
    (" did not ", " didnot "),
    (" un subscribe ", " unsubscribe "),
)


def plain_sentences(body: str) -> Iterator[str]:
    """Yield the sentences of a text in the plain form that rules are written for."""
    text = _APOSTROPHES.sub("", _ELISION.sub(r"\1 ", body))
    text = unicodedata.normalize("NFKD", text).casefold()
    text = "".join(character for character in text if not unicodedata.combining(character))
    text = _DOTTED.sub(lambda spelled: re.sub(r"[.\-_* ]", "", spelled.group()), text)
    text = _SIGN.sub(" stop ", text)
    for sentence in _SENTENCE_ENDS.split(text):
        letters = "".join(
            character if character.isalnum() else " , " if character == "," else " " for character in sentence
        )
        words = " ".join(_spelled(word) for word in letters.split()).split()
        words = [word for word, before in zip(words, ["", *words], strict=False) if word != before]
        for start in range(0, len(words), _SENTENCE):
            joined = f" {' '.join(words[start : start + _SENTENCE])} "
            for said, meant in _JOINED:
                joined = joined.replace(said, meant)
            if joined.strip(" ,"):
                yield _COURTESY.sub(lambda said: said.group().replace(" ,", ""), joined.strip())


def _spelled(word: str) -> str:
    """Return the word that is meant."""
    word = _LONG_RUN.sub(r"\1", word)
    if word in SPELLINGS:
        return SPELLINGS[word]
    if f"{word}g" in DROPPED_G:
        return f"{word}g"
    if len(word) < 6 or word in KNOWN_WORDS or word in NOT_A_SLIP:
        return word
    for known in KNOWN_WORDS:
        if known[0] == word[0] and is_slip(word, known, most=2 if len(known) > 10 else 1):
            return known
    return word


def is_slip(word: str, meant: str, *, most: int) -> bool:
    """Return whether up to `most` letters were left out, added, changed or swapped with their neighbour."""
    if abs(len(word) - len(meant)) > most:
        return False
    before: list[int] = []
    row = list(range(len(meant) + 1))
    for i, letter in enumerate(word, 1):
        previous, before_that, row = row, before, [i]
        for j, other in enumerate(meant, 1):
            cost = min(previous[j] + 1, row[j - 1] + 1, previous[j - 1] + (letter != other))
            if i > 1 and j > 1 and letter == meant[j - 2] and word[i - 2] == other:
                cost = min(cost, before_that[j - 2] + 1)
            row.append(cost)
        before = previous
    return row[-1] <= most
