"""The columns of a file that say who somebody is, to what they mean. Knows no purchase and no table."""

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date

from profiles.domain.clients import LONGEST_TAG, MOST_TAGS, PostalAddress, is_email
from profiles.domain.import_values import (
    Ambiguous,
    ReadDay,
    country_of,
    day_of,
    language_of,
    plain_letters,
    split_name,
)
from profiles.domain.imports import CLIENT_FIELDS, DateOrder, Fault
from profiles.domain.preferences import Preference, PreferenceKind, SizeSystem, size_of

_PHONES = ("phone", "phone_2", "phone_3")
_EMAILS = ("email", "email_2")
_ADDRESS = ("address_line_1", "address_line_2", "locality", "region", "postal_code", "country")
_LIKED = {"preferred_metal": PreferenceKind.METAL, "preferred_stone": PreferenceKind.STONE}
LIMITS = {
    "client_external_id": 120, "given_name": 120, "family_name": 120, "full_name": 240, "nickname": 120,
    "address_line_1": 120, "address_line_2": 120, "locality": 120, "region": 60, "postal_code": 20,
    "preferred_metal": 120, "preferred_stone": 120, "note": 2000,
}  # fmt: skip
# Whose number of a ring is counted how; others count in millimetres as ISO 8653 does.
_RING_SIZES = {
    **dict.fromkeys(("US", "CA", "MX"), SizeSystem.US),
    **dict.fromkeys(("GB", "IE", "AU", "NZ", "ZA"), SizeSystem.UK),
    "JP": SizeSystem.JP,
}
_SYSTEMS = {
    "US": SizeSystem.US, "UK": SizeSystem.UK, "GB": SizeSystem.UK, "EU": SizeSystem.ISO, "ISO": SizeSystem.ISO,
    "JP": SizeSystem.JP,
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Person:
    """Somebody as a line names one. `key` is the client's id at the source, or stands for it where there is none."""

    external_id: str
    key: str
    given_name: str = ""
    family_name: str = ""
    nickname: str = ""
    language: str = ""
    phones: tuple[str, ...] = ()
    emails: tuple[str, ...] = ()
    birthday: ReadDay | None = None
    anniversary: ReadDay | None = None
    tags: tuple[str, ...] = ()
    address: PostalAddress | None = None
    preferences: tuple[Preference, ...] = ()
    note: str = ""
    associate_email: str = ""

    @property
    def has_details(self) -> bool:
        """Return whether anything is said beside the id."""
        return bool(
            self.given_name
            or self.family_name
            or self.phones
            or self.emails
            or self.nickname
            or self.language
            or self.birthday
            or self.anniversary
            or self.tags
            or self.address
            or self.preferences
            or self.note
            or self.associate_email
        )

    def joined(self, later: "Person") -> "Person":
        """Return what two lines say of one person: of single values the later one that is said, of several all."""
        single = (
            "given_name", "family_name", "nickname", "language", "birthday", "anniversary", "address", "note",
            "associate_email",
        )  # fmt: skip
        changes = {name: said for name in single if (said := getattr(later, name))}
        emails = {email.lower(): email for email in (*later.emails, *self.emails)}
        return replace(
            self,
            **changes,
            phones=tuple(dict.fromkeys((*self.phones, *later.phones))),
            emails=tuple(emails[key] for key in dict.fromkeys(map(str.lower, (*self.emails, *later.emails)))),
            tags=tuple({tag.casefold(): tag for tag in (*later.tags, *self.tags)}.values()),
            preferences=tuple({one.key: one for one in (*self.preferences, *later.preferences)}.values()),
        )

    @property
    def contacts(self) -> list[tuple[str, str]]:
        """Return kind and value of every contact point."""
        return [*(("phone", phone) for phone in self.phones), *(("email", email) for email in self.emails)]


@dataclass(slots=True)
class Reading:
    """What reading one line gives beside its values: faults, and assumptions as (field, reason)."""

    line: int
    faults: list[Fault]
    assumed: list[tuple[str, str]]

    def refuse(self, field: str, reason: str, message: str) -> None:
        """Add a fault of the line."""
        self.faults.append(Fault(self.line, field, reason, message))

    def assume(self, field: str, reason: str) -> None:
        """Note that a value was read in one of several senses."""
        if (field, reason) not in self.assumed:
            self.assumed.append((field, reason))


class PersonReader:
    """Reads the columns of a client. `at` says which field is in which column.

    `read_phone` gives E.164 or None; `country` is the store's, for numbers, addresses and sizes that name none.
    """

    def __init__(
        self,
        at: Mapping[str, int],
        *,
        date_order: DateOrder | None,
        country: str,
        today: date,
        has_purchases: bool,
        read_phone: Callable[[str], str | None],
    ) -> None:
        self._at = {field: at[field] for field in CLIENT_FIELDS if field in at}
        self._columns = tuple(self._at.values())
        self._id = at.get("client_external_id")
        self._is_id_only = self._columns == (self._id,)
        self._date_order = date_order
        self._country = country
        self._today = today
        self._has_purchases = has_purchases
        self._read_phone = read_phone
        # Lines of one receipt name one person in the same words.
        self._last: tuple[tuple[str, ...], Person] | None = None

    def read(self, fields: Sequence[str], reading: Reading) -> Person | None:
        """Return whom the line names, or None with faults in `reading`."""
        if self._is_id_only and self._id is not None:
            external_id = fields[self._id].strip()
            if not external_id:
                reading.refuse("client_external_id", "FIELD_MISSING", "It is empty.")
                return None
            return Person(external_id, external_id)
        values = tuple([fields[column] for column in self._columns])
        if self._last and self._last[0] == values:
            return self._last[1]
        assumptions = len(reading.assumed)
        person = self._person(dict(zip(self._at, map(str.strip, values), strict=True)), reading)
        if person and len(reading.assumed) == assumptions:
            self._last = values, person
        return person

    def _person(self, value: Mapping[str, str], reading: Reading) -> Person | None:
        before = len(reading.faults)
        phones = self._phones(value, reading)
        emails = []
        for field in _EMAILS:
            if email := value.get(field, ""):
                if is_email(email):
                    emails.append(email)
                else:
                    reading.refuse(field, "EMAIL_INVALID", "It is not an e-mail address.")
        given, family = value.get("given_name", ""), value.get("family_name", "")
        if not given and not family and (full := value.get("full_name", "")):
            given, family = split_name(full)
        language = ""
        if said := value.get("language", ""):
            language = language_of(said) or ""
            if not language:
                reading.refuse("language", "LANGUAGE_INVALID", f"{shown(said)} is no language.")
        address = self._address(value, reading)
        birthday = self._day("birthday", value, reading)
        anniversary = self._day("anniversary", value, reading)
        preferences = self._preferences(value, reading)
        tags = _several(value.get("tags", ""))
        if len(tags) > MOST_TAGS or any(len(tag) > LONGEST_TAG for tag in tags):
            reading.refuse(
                "tags", "FIELD_TOO_LONG", f"More than {MOST_TAGS}, or one above {LONGEST_TAG} characters."
            )
        external_id = value.get("client_external_id", "")
        key = external_id or self._key(given, family, phones, emails, address, birthday, reading)
        associate_email = value.get("associate_email", "")
        if associate_email and not is_email(associate_email):
            reading.refuse("associate_email", "EMAIL_INVALID", "It is not an e-mail address.")
        if len(reading.faults) > before:
            return None
        return Person(
            external_id,
            key,
            given,
            family,
            value.get("nickname", ""),
            language,
            tuple(dict.fromkeys(phones)),
            tuple({email.lower(): email for email in reversed(emails)}.values())[::-1],
            birthday,
            anniversary,
            tags,
            address,
            preferences,
            value.get("note", ""),
            associate_email.lower(),
        )

    def _phones(self, value: Mapping[str, str], reading: Reading) -> list[str]:
        phones = []
        for field in _PHONES:
            if said := value.get(field, ""):
                if (phone := self._read_phone(said)) is None:
                    reading.refuse(field, "PHONE_INVALID", "It is not a phone number.")
                    continue
                if said[0] != "+":
                    reading.assume(field, "PHONE_COUNTRY_ASSUMED")
                phones.append(phone)
        return phones

    def _address(self, value: Mapping[str, str], reading: Reading) -> PostalAddress | None:
        country = ""
        if said := value.get("country", ""):
            country = country_of(said) or ""
            if not country:
                reading.refuse("country", "COUNTRY_UNKNOWN", f"{shown(said)} is no country.")
        lines = tuple(line for field in _ADDRESS[:2] if (line := " ".join(value.get(field, "").split())))
        locality, region, postal_code = (" ".join(value.get(field, "").split()) for field in _ADDRESS[2:5])
        if not any((lines, locality, region, postal_code)):
            return None
        return PostalAddress(lines, locality, region, postal_code, country or self._country)

    def _day(self, field: str, value: Mapping[str, str], reading: Reading) -> ReadDay | None:
        if not (said := value.get(field, "")):
            return None
        day = read_day(field, said, self._date_order, reading, is_yearless_allowed=True)
        if (
            day
            and day.year
            and (day.year, day.month, day.day)
            > (
                self._today.year,
                self._today.month,
                self._today.day,
            )
        ):
            reading.refuse(field, "DATE_IN_FUTURE", f"{shown(said)} has not come yet.")
        return day

    def _preferences(self, value: Mapping[str, str], reading: Reading) -> tuple[Preference, ...]:
        found = [
            Preference(kind, liked)
            for field, kind in _LIKED.items()
            for liked in _several(value.get(field, ""))
        ]
        if said := value.get("ring_size", ""):
            system, bare = _ring_size(said, self._country)
            size = size_of(bare, system)
            if size is None:
                reading.refuse(
                    "ring_size", "SIZE_INVALID", f"{shown(said)} is no ring size ({system.upper()})."
                )
            else:
                found.append(Preference(PreferenceKind.RING_SIZE, size, size_system=system))
        return tuple(found)

    def _key(
        self,
        given: str,
        family: str,
        phones: Sequence[str],
        emails: Sequence[str],
        address: PostalAddress | None,
        birthday: ReadDay | None,
        reading: Reading,
    ) -> str:
        """Return what stands for the id of somebody who has none: equal for equal lines."""
        has_contact = bool(phones or emails)
        if not has_contact and (self._id is not None or self._has_purchases or not (given or family)):
            if not reading.faults:  # a contact that cannot be read is fault enough
                field = "client_external_id" if self._id is not None else ""
                reading.refuse(
                    field,
                    "FIELD_MISSING",
                    "It is empty." if field else "The line names nobody: no phone, no e-mail.",
                )
            return ""
        parts = [plain_letters(given), plain_letters(family), *phones, *(email.lower() for email in emails)]
        if not has_contact:
            parts += [repr(address), repr(birthday)]
        digest = hashlib.blake2b("\0".join(parts).encode(), digest_size=12).hexdigest()
        return f"row:{digest}"


def _several(said: str) -> tuple[str, ...]:
    """Return what stands between semicolons; of two spellings the first."""
    found: dict[str, str] = {}
    for part in said.split(";"):
        if words := " ".join(part.split()):
            found.setdefault(words.casefold(), words)
    return tuple(found.values())


def _ring_size(said: str, country: str) -> tuple[SizeSystem, str]:
    """Return by which system a ring size counts, said beside it or usual in a country, and the size alone."""
    words = said.upper().split()
    for word in (words[0], words[-1]):
        if len(words) > 1 and word in _SYSTEMS:
            return _SYSTEMS[word], " ".join(part for part in words if part != word)
    return _RING_SIZES.get(country, SizeSystem.ISO), said


def read_day(
    field: str, said: str, order: DateOrder | None, reading: Reading, *, is_yearless_allowed: bool = False
) -> ReadDay | None:
    """Return the day that a field says, or None with a fault; notes a spreadsheet's day number as an assumption."""
    try:
        day = day_of(said, order, is_yearless_allowed=is_yearless_allowed)
    except Ambiguous as error:
        reading.refuse(field, "DATE_AMBIGUOUS", f"{shown(said)} {error}.")
        return None
    if day is None:
        reading.refuse(field, "DATE_INVALID", f"{shown(said)} is no day of the calendar.")
    elif day.is_day_number:
        reading.assume(field, "DAY_NUMBER_ASSUMED")
    return day


def shown(value: str) -> str:
    """Return a value as a message may show it."""
    return repr(value if len(value) <= 40 else value[:40] + "...")
