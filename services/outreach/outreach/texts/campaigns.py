"""A campaign's text for one client: the right language, three names filled in, nothing else. Pure.

Must not be handed anything of the client but the names: a campaign says the same to everybody.
"""

import re
from collections.abc import Sequence

from chassis.errors import invalid
from outreach.domain.campaigns import CampaignText
from outreach.texts.drafts import FALLBACK_LANGUAGE
from outreach.texts.segments import count_segments

VARIABLES = ("given_name", "associate_name", "store_name")
MOST_NAME = 60
MOST_BODY = 1600  # what messaging takes
_TYPICAL_NAME = "Alexandrine"  # what a name is counted as where no client is known yet

_VARIABLE = re.compile(r"\{([^{}]*)\}")
_LANGUAGE = re.compile(r"[a-z]{2,3}(-[a-z0-9]{2,8})*", re.IGNORECASE)


def require_texts(texts: Sequence[CampaignText]) -> None:
    """Refuse an unknown variable, a stray brace, a language said twice, and a campaign without English."""
    seen: set[str] = set()
    for position, text in enumerate(texts):
        field = f"texts[{position}]"
        tag = _tag(text.language)
        if not _LANGUAGE.fullmatch(tag):
            raise invalid(f"{field}.language", "is not a language tag such as en or pt-BR")
        if tag in seen:
            raise invalid(f"{field}.language", f"{tag} is there twice")
        seen.add(tag)
        for found in _VARIABLE.finditer(text.body):
            if found[1] not in VARIABLES:
                known = ", ".join(f"{{{name}}}" for name in VARIABLES)
                raise invalid(
                    f"{field}.body", f"{{{found[1]}}} is not a variable of texts, which are {known}"
                )
        if set("{}") & set(_VARIABLE.sub("", text.body)):
            raise invalid(f"{field}.body", "has a brace that belongs to no variable")
        if not text.body.strip():
            raise invalid(f"{field}.body", "says nothing")
        if len(_VARIABLE.sub("x" * MOST_NAME, text.body)) > MOST_BODY:
            raise invalid(f"{field}.body", f"may become longer than {MOST_BODY} characters with long names")
    if FALLBACK_LANGUAGE not in seen:
        raise invalid("texts", "needs one in English (en), for everybody whose language has none")


def text_for(texts: Sequence[CampaignText], language: str) -> CampaignText:
    """Return the text in a client's language: the exact tag, else the language, else a sibling of it, else English."""
    by_tag = {_tag(text.language): text for text in texts}
    wanted = _tag(language)
    primary = wanted.split("-")[0]
    siblings = sorted(tag for tag in by_tag if primary and tag.split("-")[0] == primary)
    for tag in (wanted, primary, *siblings):
        if tag in by_tag:
            return by_tag[tag]
    return by_tag[FALLBACK_LANGUAGE]


def fill_in(body: str, *, given_name: str, associate_name: str, store_name: str) -> str:
    """Return a text with its names; where one is missing, the sentence closes over the gap."""
    names = {"given_name": given_name, "associate_name": associate_name, "store_name": store_name}
    plain = {name: " ".join(value.split())[:MOST_NAME] for name, value in names.items()}
    filled = _VARIABLE.sub(lambda found: plain[found[1]] or "\0", body)
    if "\0" in filled:
        filled = re.sub(r"(^|[.!?\n])[ \t]*\0[ \t]*[,;:][ \t]*", r"\1 ", filled)
        filled = re.sub(r"[ \t]*\0(?=[,.;:])", "", filled)
        filled = re.sub(r"\0[ \t]?", "", filled)
        if not filled.startswith(body[:1]):
            # It began with a name that is not there.
            filled = filled.lstrip()[:1].upper() + filled.lstrip()[1:]
    return filled.strip()


def segments_of(texts: Sequence[CampaignText]) -> int:
    """Return the segments of the longest text, its names counted as eleven letters each."""
    return max(count_segments(_VARIABLE.sub(_TYPICAL_NAME, text.body)) for text in texts)


def names_associate(texts: Sequence[CampaignText]) -> bool:
    """Return whether a text says who writes, so that a client in nobody's book cannot get it."""
    return any("{associate_name}" in text.body for text in texts)


def _tag(language: str) -> str:
    return language.strip().replace("_", "-").lower()
