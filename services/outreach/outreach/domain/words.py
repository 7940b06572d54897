"""Words as they are compared: without case, accents and needless spaces. The database does the same in `searchable`."""

import unicodedata
from functools import lru_cache

# Letters that are no letter with an accent to Unicode, as the database's dictionary writes them.
_LIGATURES = str.maketrans(
    {
        "æ": "ae",
        "œ": "oe",
        "ø": "o",
        "đ": "d",
        "ð": "d",
        "ħ": "h",
        "\u0131": "i",
        "ł": "l",
        "þ": "th",
        "ß": "ss",
        "ŋ": "n",
        "ŧ": "t",
    }
)


@lru_cache(maxsize=8192)
def fold(words: str) -> str:
    """Return words without case, accents and needless spaces."""
    bare = "".join(
        letter for letter in unicodedata.normalize("NFKD", words) if not unicodedata.combining(letter)
    )
    return " ".join(bare.lower().translate(_LIGATURES).split())


def words_of(text: str) -> list[str]:
    """Return the folded words of a text; whatever is no letter and no digit parts them."""
    return "".join(letter if letter.isalnum() else " " for letter in fold(text)).split()
