"""A piece of a text around the words that somebody looked for. Pure.

Which texts are found is decided by the database, which knows more about letters; here case and accents are put aside as
far as Unicode tells, so that a text whose words look different is shown from its beginning.
"""

import re
import unicodedata

_WORD = re.compile(r"[^\W_]+")
_BEFORE, _LONGEST = 60, 200


def has_word(query: str) -> bool:
    """Return whether there is anything to look for."""
    return _WORD.search(query) is not None


def excerpt(body: str, query: str) -> str:
    """Return about 200 characters of a text in one line, with the first word of a query in them; never more."""
    line = " ".join(body.split())
    wanted = tuple(_plain(match.group()) for match in _WORD.finditer(query))
    first = next(
        (
            match.start()
            for match in _WORD.finditer(line)
            if any(_plain(match.group()).startswith(word) for word in wanted)
        ),
        0,
    )
    start = 0 if first <= _BEFORE else line.find(" ", first - _BEFORE, first) + 1 or first
    end = len(line)
    if end - start > _LONGEST:
        end = line.rfind(" ", start, start + _LONGEST)
        end = end if end > first else start + _LONGEST
    return f"{'…' if start else ''}{line[start:end]}{'…' if end < len(line) else ''}"


def _plain(word: str) -> str:
    parts = unicodedata.normalize("NFKD", word)
    return "".join(part for part in parts if not unicodedata.combining(part)).casefold()
