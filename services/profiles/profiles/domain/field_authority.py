"""Which system may overwrite what: a chain's rules, and what becomes of a value that a system offers.

Nothing that a person wrote goes without a trace: either it stays, or it is kept as a conflict.
"""

import enum
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import NamedTuple

from chassis.errors import Kind, ServiceError, invalid
from profiles.domain.clients import Client, OccasionKind, PostalAddress
from profiles.domain.import_values import ReadDay

ALL_OTHERS = "*"
FIELDS = frozenset(
    {
        "given_name", "family_name", "nickname", "language", "address", "phone", "email", "birthday", "tags",
        "associate_id", ALL_OTHERS,
    }
)  # fmt: skip


class AuthorityRule(enum.StrEnum):
    """What a system may do to a field."""

    FILL = "fill"
    OVERWRITE = "overwrite"
    IGNORE = "ignore"


class FieldRule(NamedTuple):
    """What one source may do to one field."""

    source: str
    field: str
    rule: AuthorityRule


class Writer(NamedTuple):
    """Who wrote a value last: a person, or a source."""

    name: str
    is_person: bool


class Verdict(enum.Enum):
    """What becomes of an offered value."""

    TAKEN = enum.auto()
    # Taken; the person's value is kept as a conflict.
    TAKEN_FROM_PERSON = enum.auto()
    REFUSED = enum.auto()
    IGNORED = enum.auto()


class ConflictState(enum.StrEnum):
    """What became of a conflict."""

    OPEN = "open"
    TAKEN = "taken"
    KEPT = "kept"


@dataclass(frozen=True, slots=True)
class FieldConflict:
    """A value that was not taken, as text.

    `source` offered it. With `is_persons` that was a person, whose value a system has overwritten.
    """

    field_conflict_id: str
    client_id: str
    field: str
    current_value: str
    current_writer: str
    offered_value: str
    source: str
    is_persons: bool
    state: ConflictState
    created_at: datetime
    settled_by: str = ""
    settled_at: datetime | None = None

    def require_open(self) -> None:
        """Refuse one that is settled."""
        if self.state is not ConflictState.OPEN:
            raise ServiceError(
                Kind.PRECONDITION,
                "FIELD_CONFLICT_SETTLED",
                "Somebody settled this conflict already.",
                metadata={"field_conflict_id": self.field_conflict_id},
            )


@dataclass(frozen=True)
class Authority:
    """A chain's rules; of two sources the one that stands first in them goes before the other."""

    rules: tuple[FieldRule, ...] = ()
    version: int = 0
    updated_at: datetime | None = None
    _by_field: Mapping[tuple[str, str], AuthorityRule] = field(init=False, repr=False, compare=False)
    _ranks: Mapping[str, int] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "_by_field", {(rule.source, rule.field): rule.rule for rule in self.rules})
        sources = dict.fromkeys(rule.source for rule in self.rules)
        object.__setattr__(self, "_ranks", {source: rank for rank, source in enumerate(sources)})

    @property
    def etag(self) -> str:
        """Return an opaque mark of this version."""
        return f"v{self.version}"

    def rule_of(self, source: str, name: str) -> AuthorityRule:
        """Return what a source may do to a field."""
        return (
            self._by_field.get((source, name))
            or self._by_field.get((source, ALL_OTHERS))
            or AuthorityRule.FILL
        )

    def judge(self, source: str, name: str, *, is_empty: bool, writer: Writer, is_said: bool) -> Verdict:
        """Return what becomes of a value of `source` that differs from the one that is there.

        `is_said` tells that somebody is known to have written what is there, be it that it is to be empty.
        """
        rule = self.rule_of(source, name)
        if rule is AuthorityRule.IGNORE:
            return Verdict.IGNORED
        if is_empty and not (is_said and writer.is_person):
            return Verdict.TAKEN
        if writer.is_person:
            return Verdict.TAKEN_FROM_PERSON if rule is AuthorityRule.OVERWRITE else Verdict.REFUSED
        if writer.name == source or self._rank(source) < self._rank(writer.name):
            return Verdict.TAKEN
        return Verdict.REFUSED

    def _rank(self, source: str) -> int:
        return self._ranks.get(source, len(self._ranks))


def require_rules(rules: Sequence[FieldRule]) -> tuple[FieldRule, ...]:
    """Return rules that can hold. Raises FIELD_UNKNOWN for a field that is not there and FIELD_REPEATED for one named
    twice for a source."""
    seen = set[tuple[str, str]]()
    for index, rule in enumerate(rules):
        path = f"rules[{index}].field"
        if rule.field not in FIELDS:
            raise invalid(
                path, f"{rule.field!r} is none of {', '.join(sorted(FIELDS))}", reason="FIELD_UNKNOWN"
            )
        if (rule.source, rule.field) in seen:
            raise invalid(path, f"{rule.field} has a rule for {rule.source} already", reason="FIELD_REPEATED")
        seen.add((rule.source, rule.field))
    return tuple(rules)


def writer_of(client: Client, said: Mapping[str, Writer], name: str) -> tuple[Writer, bool]:
    """Return who wrote a field of a client last, and whether that was noted: where it was not, it was whoever brought
    the client, which is a system when the client has an id there."""
    if (writer := said.get(name)) is not None:
        return writer, True
    return Writer(client.source, not client.external_id), False


class AuthorityChanged(ServiceError):
    """The etag is older than the rules."""

    def __init__(self) -> None:
        super().__init__(
            Kind.CONFLICT,
            "FIELD_AUTHORITY_CHANGED",
            "Somebody changed these rules since they were read. Read them again.",
        )


def address_text(address: PostalAddress | None) -> str:
    """Return an address as the lines of an envelope: its lines, then locality, region, postal code and country."""
    if address is None:
        return ""
    return "\n".join((*address.lines, address.locality, address.region, address.postal_code, address.country))


def address_of(text: str) -> PostalAddress | None:
    """Return the address that address_text wrote."""
    if not text:
        return None
    *lines, locality, region, postal_code, country = text.split("\n")
    return PostalAddress(tuple(lines), locality, region, postal_code, country)


def day_text(day: ReadDay | None) -> str:
    """Return a day as YYYY-MM-DD, or as --MM-DD where the year is not known."""
    if day is None:
        return ""
    return f"{day.year:04}-{day.month:02}-{day.day:02}" if day.year else f"--{day.month:02}-{day.day:02}"


def day_of_text(text: str) -> ReadDay:
    """Return the day that day_text wrote."""
    year, month, day = (text[:4], text[5:7], text[8:]) if text[0] != "-" else ("0", text[2:4], text[5:])
    return ReadDay(int(year), int(month), int(day))


def own_occasion_day(client: Client, kind: OccasionKind) -> tuple[str, ReadDay | None]:
    """Return id and day of the client's own birthday or anniversary; nothing where it is not known."""
    for occasion in client.occasions:
        if occasion.kind is kind and not occasion.for_whom and not occasion.relationship_id:
            return occasion.occasion_id, ReadDay(occasion.year, occasion.month, occasion.day)
    return "", None
