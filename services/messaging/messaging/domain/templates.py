"""Templates: texts with variables in braces, checked when they are saved. Pure; knows no client.

`{{client.given_name}}` is one of VARIABLES and filled from what is known; a name without a dot, such as `{{piece}}`, is
a value that whoever sends gives. What is filled in is text: braces in a name stay braces.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime

from chassis.errors import Kind, ServiceError, Violation
from messaging.domain.permissions import Purpose
from messaging.domain.senders import Channel

LONGEST_BODY: Mapping[Channel, int] = {Channel.SMS: 1_600, Channel.WHATSAPP: 1_600, Channel.EMAIL: 10_000}
LONGEST_VALUE = 500


@dataclass(frozen=True)
class Variable:
    """One thing that is filled in from what is known; of nobody but the client who is written to."""

    name: str
    description: str
    example: str


VARIABLES: Mapping[str, Variable] = {
    variable.name: variable
    for variable in (
        Variable("client.given_name", "The client's given name.", "Ada"),
        Variable("client.family_name", "The client's family name.", "Okafor"),
        Variable("client.full_name", "Given name and family name.", "Ada Okafor"),
        Variable("store.name", "What the store is called in the directory.", "Maison Aurore Fifth Avenue"),
        Variable(
            "associate.name",
            "Who writes; where no associate does, the one in whose book the client is.",
            "Rosa Lind",
        ),
        Variable(
            "sender.name",
            "The name of the number or address that it goes out from, which a first message must carry.",
            "Maison Aurore",
        ),
    )
}

_BRACES = re.compile(r"\{\{\s*([a-z][a-z0-9_]*(?:\.[a-z][a-z0-9_]*)?)\s*\}\}")
_LONGEST_NAME = 60
_LANGUAGE = re.compile(r"([A-Za-z]{2,3})(?:[-_]([A-Za-z]{4}))?(?:[-_]([A-Za-z]{2}|[0-9]{3}))?")


@dataclass(frozen=True)
class TemplateText:
    """The text in one language; `provider_template_id` is the network's id of the approved text, on WhatsApp."""

    language_code: str
    body: str = field(repr=False)
    subject: str = field(default="", repr=False)
    provider_template_id: str = ""

    @property
    def variables(self) -> list[str]:
        """Return the names in braces, in the order in which they first stand in the text."""
        return list(dict.fromkeys(_BRACES.findall(f"{self.body}\n{self.subject}")))


@dataclass(frozen=True)
class Template:
    """One text that is written once and sent often, in one or several languages."""

    template_id: str
    display_name: str
    channel: Channel
    purpose: Purpose
    texts: tuple[TemplateText, ...]
    default_language_code: str
    is_reminder: bool
    created_at: datetime
    updated_at: datetime
    is_archived: bool = False
    version: int = 1

    @property
    def etag(self) -> str:
        """Return what changes with every change."""
        return str(self.version)

    @property
    def variables(self) -> list[str]:
        """Return the names in braces of all texts, in the order in which they first stand in them."""
        return list(dict.fromkeys(name for text in self.texts for name in text.variables))

    def text_for(self, language_code: str) -> TemplateText:
        """Return the text for a client's language: the same tag, else a shorter one (RFC 4647 lookup), else the
        default's."""
        by_language = {text.language_code: text for text in self.texts}
        parts = plain_language(language_code).split("-")
        for length in range(len(parts), 0, -1):
            if found := by_language.get("-".join(parts[:length])):
                return found
        return by_language[self.default_language_code]


@dataclass(frozen=True)
class Filled:
    """A text with its variables filled in. `missing` are those without a value, which stand as they were written."""

    text: TemplateText = field(repr=False)
    missing: tuple[str, ...]
    values: Mapping[str, str] = field(repr=False)


def fill(text: TemplateText, facts: Mapping[str, str], values: Mapping[str, str]) -> Filled:
    """Fill a text in: with what is known, else with what whoever sends gave. What is filled in is not read again."""
    found: dict[str, str] = {}
    for name in text.variables:
        value = _line(facts.get(name, "")) or _line(values.get(name, ""))
        if value:
            found[name] = value

    def put(written: str) -> str:
        return _BRACES.sub(lambda braces: found.get(braces[1], braces[0]), written)

    return Filled(
        text=replace(text, body=put(text.body), subject=put(text.subject)),
        missing=tuple(name for name in text.variables if name not in found),
        values=found,
    )


def _line(value: str) -> str:
    """Return a value as one line: a name with a line end in it would tear a text, or an e-mail's head, apart."""
    return " ".join(value.split())


def plain_language(code: str) -> str:
    """Return a BCP 47 tag as it is usually written, such as fr-CA; empty for what is none."""
    found = _LANGUAGE.fullmatch(code.strip())
    if found is None:
        return ""
    language, script, region = found.groups()
    parts = (language.lower(), (script or "").title(), (region or "").upper())
    return "-".join(part for part in parts if part)


class TemplateInvalid(ServiceError):
    """Something in a text cannot be used; every place is named."""

    def __init__(self, violations: Sequence[Violation]) -> None:
        first = violations[0]
        super().__init__(
            Kind.INVALID, "TEMPLATE_INVALID", f"{first.field}: {first.description}", violations=violations
        )


class TemplateAsksForKeyword(ServiceError):
    """A reminder asks for an answer that opts the client out, or in."""

    def __init__(self, asked: Mapping[str, Sequence[str]]) -> None:
        words = ", ".join(dict.fromkeys(word for found in asked.values() for word in found))
        super().__init__(
            Kind.INVALID,
            "TEMPLATE_ASKS_FOR_KEYWORD",
            f"To the carrier, an answer of {words} is about all your texts, not about what this one reminds of."
            " Ask for CONFIRM and CHANGE instead, or give a link.",
            violations=[
                Violation(place, f"asks for {', '.join(found)}: ask for CONFIRM and CHANGE, or give a link")
                for place, found in asked.items()
            ],
        )


class TemplateNameTaken(ServiceError):
    """Another template of the channel is called so."""

    def __init__(self) -> None:
        super().__init__(
            Kind.ALREADY_EXISTS, "TEMPLATE_NAME_TAKEN", "Another template of this channel has this name."
        )


class TemplateChanged(ServiceError):
    """The etag is older than the template."""

    def __init__(self, template_id: str) -> None:
        super().__init__(
            Kind.CONFLICT,
            "TEMPLATE_CHANGED",
            "Somebody changed this template meanwhile. Read it again and repeat your change on what it is now.",
            metadata={"template_id": template_id},
        )


class TemplateArchived(ServiceError):
    """The template is out of use."""

    def __init__(self, template_id: str) -> None:
        super().__init__(
            Kind.PRECONDITION,
            "TEMPLATE_ARCHIVED",
            "This template is out of use. Restore it, or choose another one.",
            metadata={"template_id": template_id},
        )


class TemplateValueMissing(ServiceError):
    """A variable has no value for this client."""

    def __init__(self, names: Sequence[str]) -> None:
        super().__init__(
            Kind.INVALID,
            "TEMPLATE_VALUE_MISSING",
            f"There is no value for {', '.join(names)}.",
            metadata={"variables": " ".join(names)},
            violations=[Violation(f"values.{name}", "has no value") for name in names],
        )


def check_texts(
    texts: Sequence[TemplateText], *, channel: Channel, default_language_code: str, field_name: str = "texts"
) -> tuple[tuple[TemplateText, ...], str]:
    """Return texts and default language as they are kept. Raises TEMPLATE_INVALID with every place that is wrong."""
    violations: list[Violation] = []
    kept: list[TemplateText] = []
    for index, text in enumerate(texts):
        place = f"{field_name}[{index}]"
        language = plain_language(text.language_code)
        if not language:
            violations.append(
                Violation(f"{place}.language_code", "is not a language tag such as en or fr-CA")
            )
        elif any(language == other.language_code for other in kept):
            violations.append(Violation(f"{place}.language_code", f"is the second text in {language}"))
        kept.append(
            replace(text, language_code=language, body=text.body.strip(), subject=_line(text.subject))
        )
        violations += check_text(kept[-1], channel=channel, place=place)
    default = plain_language(default_language_code) if default_language_code else kept[0].language_code
    if default not in {text.language_code for text in kept}:
        violations.append(Violation("default_language_code", "is a language in which there is no text"))
    if violations:
        raise TemplateInvalid(violations)
    return tuple(kept), default


def check_text(text: TemplateText, *, channel: Channel, place: str) -> list[Violation]:
    """Return what is wrong with one text, each with its place."""
    found = [
        *_braces_wrong(text.body, f"{place}.body"),
        *_braces_wrong(text.subject, f"{place}.subject"),
    ]
    if not text.body.strip():
        found.append(Violation(f"{place}.body", "says nothing"))
    if len(text.body) > LONGEST_BODY[channel]:
        found.append(
            Violation(f"{place}.body", f"has more than the {LONGEST_BODY[channel]} characters of {channel}")
        )
    if channel is Channel.EMAIL and not text.subject:
        found.append(Violation(f"{place}.subject", "is needed on e-mail"))
    if channel is not Channel.EMAIL and text.subject:
        found.append(Violation(f"{place}.subject", "is for e-mail only"))
    if channel is not Channel.WHATSAPP and text.provider_template_id:
        found.append(Violation(f"{place}.provider_template_id", "is for WhatsApp only"))
    return found


def _braces_wrong(written: str, place: str) -> Iterable[Violation]:
    """Say which braces are no variable, and where."""
    for found in _BRACES.finditer(written):
        name = found[1]
        if "." in name and name not in VARIABLES:
            known = ", ".join(VARIABLES)
            yield Violation(place, f"{{{{{name}}}}} at {_where(written, found.start())} is none of {known}")
        elif len(name) > _LONGEST_NAME:
            yield Violation(place, f"the name at {_where(written, found.start())} is too long")
    rest = _BRACES.sub(lambda found: " " * len(found[0]), written)
    for index, character in enumerate(rest):
        if character in "{}":
            yield Violation(
                place,
                f"{character} at {_where(written, index)} belongs to no variable;"
                " those are written {{client.given_name}} or {{piece}}",
            )
            return


def _where(written: str, index: int) -> str:
    line = written.count("\n", 0, index) + 1
    column = index - (written.rfind("\n", 0, index) + 1) + 1
    return f"character {column}" if "\n" not in written else f"line {line}, character {column}"
