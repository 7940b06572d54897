"""A first wording for a suggestion, from a template in the client's language; the associate edits and sends it.

A draft may use four facts and no other: the client's given name, the associate's name, the store's name and which
signal it is about. Occasions are not named: they can be somebody else's surprise. Must not be handed scores, sums or
dates of the client.
"""

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files

from jinja2 import StrictUndefined
from jinja2.sandbox import ImmutableSandboxedEnvironment

from outreach.domain import Signal
from outreach.texts.segments import count_segments

FALLBACK_LANGUAGE = "en"
LANGUAGES = ("en", "es", "fr", "de")
_MOST_NAME = 60

_environment = ImmutableSandboxedEnvironment(undefined=StrictUndefined, autoescape=False)


@dataclass(frozen=True)
class Draft:
    """A wording, the language it is in, and the segments that the network will count."""

    body: str
    language: str
    segments: int


def write_draft(
    signal: Signal, *, language: str, given_name: str, associate_name: str, store_name: str, is_first: bool
) -> Draft:
    """Return a draft. A first text to a client says which store writes; `language` is BCP 47, else English."""
    spoken = language.replace("_", "-").split("-")[0].lower()
    spoken = spoken if spoken in LANGUAGES else FALLBACK_LANGUAGE
    templates = _templates(spoken)
    facts = {
        "given_name": _plain(given_name),
        "associate_name": _plain(associate_name),
        "store_name": _plain(store_name),
        "is_first": is_first,
    }
    parts = [_environment.from_string(templates[name]).render(facts) for name in ("opening", signal.value)]
    body = " ".join(part.strip() for part in parts if part.strip())
    return Draft(body, spoken, count_segments(body))


@cache
def _templates(language: str) -> Mapping[str, str]:
    found: Mapping[str, str] = tomllib.loads(
        files("outreach.texts").joinpath(f"languages/{language}.toml").read_text(encoding="utf-8")
    )
    return found


def _plain(name: str) -> str:
    return " ".join(name.split())[:_MOST_NAME]
