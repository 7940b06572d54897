"""What a wording claims beyond what it was given: the check that stands between a model, or a habit, and a client.

It errs on the side of no: a wording that is refused costs a template's words, one that lies costs a client. Words
that claim something stand in `languages/claims/<language>.toml`, by topic; a topic is open only to the signals that are
about it. Must not quote what it refuses: its answer is shown and logged.
"""

import re
import tomllib
import unicodedata
from collections.abc import Collection, Mapping
from functools import cache
from importlib.resources import files

from outreach.domain import Signal
from outreach.domain.drafts import LANGUAGES, folded, one_line
from outreach.texts.drafts import words_of

# What each topic is called when it is refused, and the signals that may speak of it.
_TOPICS: Mapping[str, tuple[str, frozenset[Signal]]] = {
    "numbers": ("a number", frozenset()),
    "offers": ("a price, a discount or an offer", frozenset()),
    "promises": ("a promise or scarcity", frozenset()),
    "times": ("a day or an hour", frozenset()),
    "occasions": ("an occasion", frozenset()),
    "people": ("another person", frozenset()),
    "silences": ("how long the client was away", frozenset()),
    "materials": ("what a piece is like", frozenset()),
    "brands": ("a brand", frozenset()),
    "scores": ("how the client is judged", frozenset()),
    "openings": ("a greeting or a farewell of its own", frozenset()),
    "purchases": (
        "a purchase",
        frozenset(
            {
                Signal.SILENT_ONE_TIMER,
                Signal.TWO_TWO_TWO,
                Signal.FIRST_PURCHASE_MONTH,
                Signal.BRIDAL_MILESTONE,
                Signal.REPAIR_READY,
                Signal.CARE_DUE,
                Signal.THANK_YOU,
            }
        ),
    ),
    "visits": (
        "a visit",
        frozenset({Signal.HIGH_INTENT, Signal.VISIT_FOLLOW_UP, Signal.APPOINTMENT_MISSED, Signal.THANK_YOU}),
    ),
    "gifts": (
        "a present",
        frozenset({Signal.OCCASION_AHEAD, Signal.LAST_YEARS_GIFT, Signal.RELATED_OCCASION}),
    ),
    "repairs": ("a repair", frozenset({Signal.REPAIR_READY, Signal.CARE_DUE, Signal.FIRST_PURCHASE_MONTH})),
    "care": (
        "care for a piece",
        frozenset(
            {Signal.SILENT_ONE_TIMER, Signal.CARE_DUE, Signal.FIRST_PURCHASE_MONTH, Signal.TWO_TWO_TWO}
        ),
    ),
    "wishes": ("a wish", frozenset({Signal.WISH_ARRIVED, Signal.TWO_TWO_TWO})),
    "favourites": ("a favourite", frozenset({Signal.FIRST_PURCHASE_MONTH, Signal.FAVOURITE_ARRIVED})),
    "arrivals": (
        "an arrival",
        frozenset({Signal.WISH_ARRIVED, Signal.FAVOURITE_ARRIVED, Signal.WAITLIST_MOVED}),
    ),
    "waitlists": ("a waiting list", frozenset({Signal.WAITLIST_MOVED})),
    "misses": ("an appointment", frozenset({Signal.APPOINTMENT_MISSED})),
    "messages": ("a message of the client's", frozenset({Signal.UNANSWERED_MESSAGE})),
}

# Of which houses a model speaks when nobody asked; the chain's own are refused as names.
_BRANDS = (
    "rolex,cartier,tiffany,omega,patek,philippe,audemars,piguet,bulgari,bvlgari,chopard,breitling,tudor,pandora,swarovski,"
    "hublot,iwc,heuer,piaget,graff,winston,arpels,boucheron,mikimoto,longines,panerai,zenith,tissot,chanel,dior,hermes,"
    "gucci,vacheron,jaeger,lange,blancpain,chaumet,messika,pomellato,wempe"
)

# GSM-7's own punctuation and what is commonly used beside it; no @, #, %, currency, slash, bracket or underscore.
_PUNCTUATION = frozenset(" .,;:!?¿¡'\"()-\u00ab\u00bb")
_TYPOGRAPHY = str.maketrans(
    {
        "\u2019": "'", "\u2018": "'", "\u201c": '"', "\u201d": '"', "\u201e": '"', "\u2013": "-", "\u2014": "-",
        "\u2026": "...", "\u00a0": " ", "\u202f": " ",
    }
)  # fmt: skip
_PLACEHOLDER = "\ue000"  # stands for a name while a text is looked at: private, so no text holds it

_IN_ANY_LANGUAGE = frozenset({"offers", "promises", "materials"})
_FOREIGN_LETTERS = 7
_LEAST_LETTERS = 12
_LEAST_SHARE = 0.2
_WORD = re.compile(r"\w+")
_SENTENCE = re.compile(r"[.!?:;]+['\")\u00bb]*\s+|^\s*|(?<=[\u00bf\u00a1\"(\u00ab])")


def plain(text: str) -> str:
    """Return a text on one line, with the quotes and dashes that cost nothing."""
    return one_line(text.translate(_TYPOGRAPHY))


def fault_in(text: str, *, language: str, signal: Signal, placeholders: Collection[str]) -> str:
    """Return in words what a text says that it was not given, empty where nothing. `text` went through `plain`.

    `placeholders` are those that it must hold, each once; it may hold no other.
    """
    if _PLACEHOLDER in text:
        return "holds a character that cannot be seen"
    found = re.findall(r"\{([^{}]*)\}", text)
    if set(found) - set(placeholders):
        return "holds a placeholder that does not exist"
    if missing := [name for name in placeholders if found.count(name) != 1]:
        return f"does not hold {{{missing[0]}}} once"
    bare = re.sub(r"\{[^{}]*\}", _PLACEHOLDER, text)
    if fault := _fault_of_letters(bare):
        return fault
    claims = [topic for topic, (_, signals) in _TOPICS.items() if signal not in signals]
    if fault := _fault_of_words(bare, claims, language):
        return fault
    if _names_somebody(bare, language):
        return "says a name that it was not given"
    if not _is_in(bare, language):
        return "is in another language than asked for"
    return ""


def says_too_much(phrase: str | None, language: str) -> bool:
    """Return whether a phrase, names as variables, claims what cannot be said to everybody."""
    if not phrase:
        return False
    bare = re.sub(r"\{[^{}]*\}", _PLACEHOLDER, plain(phrase))
    claims = [topic for topic in _TOPICS if topic != "openings"]
    return bool(_fault_of_words(bare, claims, language))


def _fault_of_letters(bare: str) -> str:
    letters = 0
    for one in bare:
        if unicodedata.category(one)[0] == "C" and one != _PLACEHOLDER:
            return "holds a character that cannot be seen"
        if unicodedata.category(one)[0] == "N":
            return "says a number that it was not given"
        if one.isalpha():
            letters += 1
            if not unicodedata.name(one, "").startswith("LATIN"):
                return "is in another script than asked for"
        elif one not in _PUNCTUATION and one != _PLACEHOLDER:
            return "holds a sign that texts do without"
    if re.search(r"\w\.\w", bare):
        return "holds an address"
    return "" if letters >= _LEAST_LETTERS else "says nothing"


def _fault_of_words(bare: str, topics: Collection[str], language: str) -> str:
    said = " ".join(_WORD.findall(folded(bare)))
    for topic in topics:
        # A word of another language is a claim too where one was mixed in; short ones mean other things here.
        for spoken in LANGUAGES if topic in _IN_ANY_LANGUAGE else (language,):
            claims = _claims(spoken, 1 if spoken == language else _FOREIGN_LETTERS).get(topic)
            if claims and claims.search(said):
                return f"speaks of {_TOPICS[topic][0]}, which it was not given"
    return ""


def _names_somebody(bare: str, language: str) -> bool:
    """Return whether a capital stands where no word of the language has one, or begins a word that is not known."""
    known = words_of(language) | _words(language, "common")
    always = _words(language, "capitals")
    starts = {found.end() for found in _SENTENCE.finditer(bare)}
    for found in re.finditer(r"[^\W\d_]+", bare):
        word = found[0]
        if not any(letter.isupper() for letter in word) or folded(word) in always:
            continue
        if (
            found.start() not in starts
            or (not word[1:].islower() and len(word) > 1)
            or folded(word) not in known
        ):
            return True
    return False


def _is_in(bare: str, language: str) -> bool:
    words = _WORD.findall(folded(bare.replace(_PLACEHOLDER, " ")))
    shares = {one: sum(word in _words(one, "common") for word in words) / len(words) for one in LANGUAGES}
    return shares[language] >= _LEAST_SHARE and shares[language] == max(shares.values())


@cache
def _document(language: str) -> Mapping[str, str]:
    found: Mapping[str, str] = tomllib.loads(
        files("outreach.texts").joinpath(f"languages/claims/{language}.toml").read_text(encoding="utf-8")
    )
    return found


@cache
def _words(language: str, name: str) -> frozenset[str]:
    return frozenset(_WORD.findall(folded(_document(language)[name])))


@cache
def _claims(language: str, least_letters: int) -> Mapping[str, re.Pattern[str]]:
    """Return a pattern for each topic: entries between commas, a star for any ending, short ones left out."""
    lists = {topic: words for topic, words in _document(language).items() if topic in _TOPICS}
    patterns = {}
    for topic, words in {**lists, "brands": _BRANDS}.items():
        entries = [" ".join(re.findall(r"\w+\*?", folded(entry))) for entry in words.split(",")]
        kept = [entry for entry in entries if len(entry) >= least_letters]
        if kept:
            said = "|".join(re.escape(entry).replace(r"\*", r"\w*") for entry in kept)
            patterns[topic] = re.compile(rf"(?<!\w)(?:{said})(?!\w)")
    return patterns
