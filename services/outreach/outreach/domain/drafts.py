"""Snippets, drafts and what an associate's edits teach. Must not know languages, SQL or any transport."""

import enum
import re
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from difflib import SequenceMatcher

from chassis.errors import Kind, ServiceError, invalid

VARIABLES = ("given_name", "associate_name", "store_name")
LANGUAGES = ("en", "es", "fr", "de")
FALLBACK_LANGUAGE = "en"

# How often the same edit must have been made, to different clients, before it is taken for a habit.
TEACHES_AFTER = 3
_LONGEST_PHRASE = 160
# How many words of a draft must stand in a row for its border with what surrounds it to be known.
_ANCHOR_WORDS = 3

# Zero-width joiners make emoji of emoji; what else cannot be seen has no place in a text.
_UNSEEN = frozenset({"Cc", "Cs", "Co", "Cn"})
_VARIABLE = re.compile(r"\{([^{}]*)\}")


class SnippetPlace(enum.StrEnum):
    """Where in a text a snippet stands, a phrase anywhere; the order is the contract's."""

    OPENING = "opening"
    CLOSING = "closing"
    PHRASE = "phrase"


class SnippetShortcutTaken(ServiceError):
    """One shortcut puts in one phrase."""

    def __init__(self) -> None:
        super().__init__(
            Kind.ALREADY_EXISTS,
            "SNIPPET_SHORTCUT_TAKEN",
            "Another phrase has this shortcut. Delete it first.",
        )


class DraftSource(enum.StrEnum):
    """Where a draft is from; the order is the contract's."""

    TEMPLATE = "template"
    MODEL = "model"


class Phrasing(enum.StrEnum):
    """How a text that went out began."""

    DRAFTED = "drafted"
    EDITED = "edited"
    BY_HAND = "by_hand"


class PieceWithheld(ServiceError):
    """Somebody keeps the piece as a surprise for the client, whom a text about it would tell."""

    def __init__(self, piece_id: str) -> None:
        super().__init__(
            Kind.PRECONDITION,
            "PIECE_WITHHELD",
            "This piece is a surprise for this client. Choose another one.",
            metadata={"piece_id": piece_id},
        )


@dataclass(frozen=True)
class Snippet:
    """A text that drafts or associates use; `associate_id` is empty for the chain's, which everybody uses."""

    snippet_id: str
    associate_id: str
    place: SnippetPlace
    language: str
    body: str
    is_learned: bool
    created_at: datetime
    shortcut: str = ""


@dataclass(frozen=True)
class Wording:
    """A text in its parts, of which opening and closing may be empty, and the key of the wording it was made from."""

    opening: str
    middle: str
    closing: str
    key: str

    @property
    def body(self) -> str:
        """Return the whole text."""
        return " ".join(part for part in (self.opening, self.middle, self.closing) if part)


@dataclass(frozen=True)
class KeptDraft:
    """A draft as it was given to an associate; the names are those that its text may hold."""

    draft_id: str
    suggestion_id: str
    client_id: str
    associate_id: str
    language: str
    source: DraftSource
    wording: Wording
    given_name: str
    family_name: str
    associate_name: str
    store_name: str
    created_at: datetime


@dataclass(frozen=True)
class Edits:
    """What an associate put in place of opening and closing: None for nothing, empty where one was taken out."""

    opening: str | None = None
    closing: str | None = None


def spoken(language: str) -> str | None:
    """Return the language of drafts that a BCP 47 tag means, None for one that drafts are not written in."""
    primary = language.strip().replace("_", "-").split("-")[0].lower()
    return primary if primary in LANGUAGES else None


def checked_snippet(body: str) -> str:
    """Return a snippet's text with its white space put in order. Raises FIELD_INVALID on `body`."""
    if any(unicodedata.category(one) in _UNSEEN for one in body if one not in "\n\t"):
        raise invalid("body", "holds a character that cannot be seen")
    body = one_line(body)
    if not body:
        raise invalid("body", "holds no words")
    for name in _VARIABLE.findall(body):
        if name not in VARIABLES:
            known = ", ".join(f"{{{variable}}}" for variable in VARIABLES)
            raise invalid("body", f"{{{name}}} is not a variable of drafts; those are {known}")
    if "{" in (rest := _VARIABLE.sub("", body)) or "}" in rest:
        raise invalid("body", "has a brace without its other half")
    return body


def fill(template: str, values: Mapping[str, str]) -> str:
    """Return a template with its variables said; a value is never looked at for variables again."""
    return _VARIABLE.sub(lambda found: values[found[1]], template)


def variables_in(template: str) -> set[str]:
    """Return the names in braces."""
    return set(_VARIABLE.findall(template))


def one_line(text: str) -> str:
    """Return a text with every run of white space as one space."""
    return " ".join(text.split())


def phrasing_of(draft: Wording, sent: str) -> Phrasing:
    """Return whether a text went out as it was drafted."""
    return Phrasing.DRAFTED if one_line(sent) == one_line(draft.body) else Phrasing.EDITED


def edits_of(draft: KeptDraft, sent: str) -> Edits:
    """Return what was put in place of a draft's opening and closing, with names as variables again.

    What stands before the draft's own first words is the opening, what stands after its last ones the closing. Where
    those words were changed, nobody can say where one ends, and nothing is learned; neither is it from a phrase that
    holds a digit, an address or a name of the client that no variable says.
    """
    words, meant = one_line(sent).split(" "), one_line(draft.wording.middle).split(" ")
    blocks = [
        block
        for block in SequenceMatcher(None, meant, words, autojunk=False).get_matching_blocks()
        if block.size >= min(_ANCHOR_WORDS, len(meant))
    ]
    if not blocks:
        return Edits()
    first, last = blocks[0], blocks[-1]
    opening = " ".join(words[: first.b]) if first.a == 0 else None
    ends = last.a + last.size == len(meant)
    closing = " ".join(words[last.b + last.size :]) if ends else None
    return Edits(
        opening=_habit(opening, one_line(draft.wording.opening), draft),
        closing=_habit(closing, one_line(draft.wording.closing), draft),
    )


def _habit(phrase: str | None, drafted: str, draft: KeptDraft) -> str | None:
    """Return a phrase as a snippet would say it, None where there is nothing to learn from it."""
    if phrase is None or phrase == drafted:
        return None
    for name, variable in (
        (draft.given_name, "given_name"),
        (draft.associate_name, "associate_name"),
        (draft.store_name, "store_name"),
    ):
        if name := one_line(name):
            phrase = re.sub(
                rf"(?<!\w){re.escape(name)}(?!\w)", f"{{{variable}}}", phrase, flags=re.IGNORECASE
            )
    said = _VARIABLE.sub(" ", phrase)
    if (
        len(phrase) > _LONGEST_PHRASE
        or variables_in(phrase) - set(VARIABLES)
        or any(character.isnumeric() or character in "{}@/\\" for character in said)
        or re.search(r"[\w}]\.[\w{]", phrase)
        or _tokens(said) & _tokens(f"{draft.given_name} {draft.family_name}")
        or _tokens(draft.given_name) & _tokens(f"{draft.associate_name} {draft.store_name}")
    ):
        return None
    return phrase


def _tokens(text: str) -> set[str]:
    return {token for token in re.findall(r"\w+", folded(text)) if len(token) > 1}


def folded(text: str) -> str:
    """Return a text without case and accents, to compare by."""
    spread = unicodedata.normalize("NFKD", text.casefold())
    return "".join(one for one in spread if not unicodedata.combining(one))
