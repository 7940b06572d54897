"""Which hours are legal where, as data, and where a number may be. Must not decide about a message.

Sources: 47 CFR 64.1200(c)(1) for the United States; the states' own telemarketing laws. Not legal advice: verify a row
before relying on it. State rows bind solicitation (MARKETING); every other text keeps the federal hours everywhere.
"""

import re
from collections.abc import Iterable, Mapping
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import phonenumbers
from phonenumbers import timezone

from messaging.domain import Purpose
from messaging.hours import LocalHours, Window, all_days

_SATURDAY, _SUNDAY = 5, 6
_Week = tuple[Window | None, ...]

FEDERAL: _Week = all_days(8, 21)
CAUTIOUS: _Week = all_days(9, 19)  # for solicitation where no rule is known: what careful retailers keep to

# Solicitation by country; a country that is not here gets CAUTIOUS.
COUNTRIES: Mapping[str, _Week] = {"US": FEDERAL}

# Solicitation by state of the US where it is stricter than FEDERAL.
STATES: Mapping[str, _Week] = {
    "AL": all_days(8, 20, closed=[_SUNDAY]),
    "CT": all_days(9, 20),
    "FL": all_days(8, 20),
    "KY": all_days(10, 21),
    "LA": all_days(8, 20, closed=[_SUNDAY]),
    "MA": all_days(8, 20),
    "MD": all_days(8, 20),
    "MI": all_days(9, 21),
    "MN": all_days(9, 21),
    "MS": all_days(8, 21, closed=[_SUNDAY]),
    "OK": all_days(8, 20),
    "RI": all_days(8, 18, closed=[_SATURDAY, _SUNDAY]),
}

# Area codes of the states above. A number that moved away keeps the stricter hours: that errs on the quiet side.
_AREA_CODES: Mapping[str, str] = {
    code: state
    for state, codes in {
        "AL": "205 251 256 334 483 659 938",
        "CT": "203 475 860 959",
        "FL": "239 305 321 324 352 386 407 448 561 645 656 689 727 728 754 772 786 813 850 863 904 941 954",
        "KY": "270 364 502 606 859",
        "LA": "225 318 337 457 504 985",
        "MA": "339 351 413 508 617 774 781 857 978",
        "MD": "227 240 301 410 443 667",
        "MI": "231 248 269 313 517 586 616 679 734 810 906 947 989",
        "MN": "218 320 507 612 651 763 924 952",
        "MS": "228 471 601 662 769",
        "OK": "405 539 572 580 918",
        "RI": "401",
    }.items()
    for code in codes.split()
}
# Numbers of the US without a place: personal, toll-free and premium ones.
_NOWHERE = re.compile(r"\+1(5(00|2\d|33|44|66|77|88)|8(00|33|44|55|66|77|88)|900)")

# Where nothing is known of the place of a +1 number, an hour counts only if it counts in all of these: the fifty
# states, DC and Puerto Rico.
US_ZONES: tuple[str, ...] = (
    "Pacific/Honolulu",
    "America/Adak",
    "America/Anchorage",
    "America/Los_Angeles",
    "America/Phoenix",
    "America/Denver",
    "America/Chicago",
    "America/New_York",
    "America/Puerto_Rico",
)


def is_phone(number: str) -> bool:
    """Return whether an E.164 number is one that a phone can have."""
    try:
        return phonenumbers.is_valid_number(phonenumbers.parse(number))
    except phonenumbers.NumberParseException:
        return False


def takes_texts(number: str) -> bool:
    """Return whether a number may belong to a mobile phone; in many countries numbers alone do not tell."""
    try:
        kind = phonenumbers.number_type(phonenumbers.parse(number))
    except phonenumbers.NumberParseException:
        return False
    return kind != phonenumbers.PhoneNumberType.FIXED_LINE


def zones_of(stored_zone: str, number: str) -> tuple[ZoneInfo, ...]:
    """Return the zones in which the client may be: the stored one, else the number's, else those of the whole US.

    None for a number outside of +1 that tells nothing; then no hour is known to be decent.
    """
    if found := _existing([stored_zone]):
        return found
    if number.startswith("+1") and _NOWHERE.match(number):
        return _existing(US_ZONES)
    try:
        candidates = timezone.time_zones_for_number(phonenumbers.parse(number))
    except phonenumbers.NumberParseException:
        return ()
    found = _existing(candidate for candidate in candidates if candidate != "Etc/Unknown")
    if found and len(found) == len(candidates):
        return found
    return _existing(US_ZONES) if number.startswith("+1") else ()


def _existing(names: Iterable[str]) -> tuple[ZoneInfo, ...]:
    found: list[ZoneInfo] = []
    for name in names:
        try:
            if name:
                found.append(ZoneInfo(name))
        except (ZoneInfoNotFoundError, ValueError, OSError):
            continue
    return tuple(found)


def week_of(purpose: Purpose, number: str) -> _Week:
    """Return the hours that hold for a purpose and a number."""
    if purpose is not Purpose.MARKETING:
        return FEDERAL
    try:
        country = phonenumbers.region_code_for_number(phonenumbers.parse(number)) or ""
    except phonenumbers.NumberParseException:
        country = ""
    if country == "US":
        if _NOWHERE.match(number):
            return CAUTIOUS
        return STATES.get(_AREA_CODES.get(number[2:5], ""), FEDERAL)
    return COUNTRIES.get(country, CAUTIOUS)


def hours_for(purpose: Purpose, stored_zone: str, number: str) -> tuple[LocalHours, ...]:
    """Return the hours of every place in which the client may be; a text needs all of them."""
    week = week_of(purpose, number)
    return tuple(LocalHours(zone, week) for zone in zones_of(stored_zone, number))
