"""The words that carriers and law give a meaning to, when they are the whole message. Pure; knows no ledger.

The rule (CTIA, FCC): the whole message after trimming, without regard to case, punctuation and accents. A sentence
that contains one of the words is an ordinary message: "We have got to STOP by your store" opts nobody out.
"""

import enum
import re
import unicodedata


class Keyword(enum.StrEnum):
    """What the client wants."""

    STOP = "STOP"
    START = "START"
    HELP = "HELP"


_WORDS = {
    **dict.fromkeys(
        (
            "stop",
            "stopall",
            "stop all",
            "unsubscribe",
            "cancel",
            "end",
            "quit",
            "revoke",
            "optout",
            "opt out",
        ),
        Keyword.STOP,
    ),
    **dict.fromkeys(("start", "unstop", "yes"), Keyword.START),
    **dict.fromkeys(("help", "info"), Keyword.HELP),
}
_YES = frozenset({"yes", "y", "yes please", "si", "oui"})
_LONGEST = 60  # characters; a keyword with all its decoration is shorter, and a long text is not taken apart


_DECORATION = re.compile(r"[^\w\s]|_")


def plain(text: str) -> str:
    """Return `text` in lower case without accents, punctuation, symbols and surplus blanks."""
    letters = text if text.isascii() else unicodedata.normalize("NFKD", text)
    return " ".join(_DECORATION.sub("", letters.casefold()).split())


def keyword_of(body: str) -> Keyword | None:
    """Return the keyword that `body` is as a whole, or None for an ordinary message."""
    trimmed = body.strip()
    return None if len(trimmed) > _LONGEST else _WORDS.get(plain(trimmed))


def is_yes(body: str) -> bool:
    """Return whether `body` as a whole agrees; it counts only where the client was asked for it."""
    trimmed = body.strip()
    return len(trimmed) <= _LONGEST and plain(trimmed) in _YES
