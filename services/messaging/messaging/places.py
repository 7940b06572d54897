"""Which hours are legal where, as data, and where a number may be. Must not decide about a message.

Not legal advice: `is_verified` says whether somebody has compared a rule with its source, and until then it is what
public summaries say of it. Rules of states and countries bind solicitation (MARKETING); every other text keeps the
federal hours everywhere. Holidays are not in the table.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import time
from functools import lru_cache
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import phonenumbers
from phonenumbers import timezone

from messaging.domain import OwnHours, Purpose
from messaging.hours import LocalHours, Window, all_days, common
from messaging.postal import state_of, zones_of_address

_SATURDAY, _SUNDAY = 5, 6
_Week = tuple[Window | None, ...]

FEDERAL: _Week = all_days(8, 21)
CAUTIOUS: _Week = all_days(9, 19)  # for solicitation where no rule is known: what careful retailers keep to


@dataclass(frozen=True)
class HoursRule:
    """The hours of a purpose in a state of a country; empty for all states, and all countries, without an own rule."""

    country: str
    state: str
    purpose: Purpose
    week: _Week
    source: str
    is_verified: bool = False


def _solicitation(country: str, state: str, week: _Week, source: str) -> HoursRule:
    return HoursRule(country, state, Purpose.MARKETING, week, source)


_FCC = "47 CFR 64.1200(c)(1)"
RULES: Sequence[HoursRule] = (
    HoursRule("", "", Purpose.CONVERSATIONAL, FEDERAL, f"{_FCC}, kept everywhere"),
    HoursRule("", "", Purpose.SERVICE, FEDERAL, f"{_FCC}, kept everywhere"),
    _solicitation("", "", CAUTIOUS, "none known: what careful retailers keep to"),
    _solicitation("US", "", FEDERAL, _FCC),
    _solicitation("US", "AL", all_days(8, 20, closed=[_SUNDAY]), "Ala. Code 8-19A-14"),
    _solicitation("US", "CT", all_days(9, 20), "Conn. Gen. Stat. 42-288a"),
    _solicitation("US", "FL", all_days(8, 20), "Fla. Stat. 501.616(6)"),
    _solicitation("US", "KY", all_days(10, 21), "Ky. Rev. Stat. 367.46955"),
    _solicitation(
        "US", "LA", all_days(8, 20, closed=[_SUNDAY]), "Louisiana Public Service Commission, do not call"
    ),
    _solicitation("US", "MA", all_days(8, 20), "Mass. Gen. Laws ch. 159C"),
    _solicitation("US", "MD", all_days(8, 20), "Md. Code, Com. Law 14-4501 ff."),
    _solicitation("US", "MI", all_days(9, 21), "Mich. Comp. Laws 445.111 ff."),
    _solicitation("US", "MN", all_days(9, 21), "Minn. Stat. 325E.30"),
    _solicitation("US", "MS", all_days(8, 21, closed=[_SUNDAY]), "Miss. Code 77-3-701 ff."),
    _solicitation("US", "OK", all_days(8, 20), "Okla. Stat. tit. 15, 775C.1 ff."),
    _solicitation("US", "RI", all_days(8, 18, closed=[_SATURDAY, _SUNDAY]), "R.I. Gen. Laws 5-61-3.6"),
    _solicitation(
        "US",
        "TX",
        (*[Window(time(9), time(21))] * 6, Window(time(12), time(21))),
        "Tex. Bus. & Com. Code 301.051",
    ),
    _solicitation("US", "UT", all_days(8, 21, closed=[_SUNDAY]), "Utah Code 13-25a-103"),
    _solicitation("US", "WA", all_days(8, 20), "Wash. Rev. Code 80.36.390"),
    _solicitation(
        "CA",
        "",
        (*[Window(time(9), time(21, 30))] * 5, *[Window(time(10), time(18))] * 2),
        "CRTC Unsolicited Telecommunications Rules, part III, 23",
    ),
    _solicitation("FR", "", all_days(9, 19, closed=[_SUNDAY]), "AF2M, charte des messages commerciaux"),
)
_WEEKS: Mapping[tuple[str, str, Purpose], _Week] = {
    (rule.country, rule.state, rule.purpose): rule.week for rule in RULES
}

# Area codes of the states above. A number that moved away keeps these hours beside those of its new place.
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
        "TX": "210 214 254 281 325 346 361 409 430 432 469 512 682 713 726 737 806 817 830 832 903 915 936 940 945 956"
        " 972 979",
        "UT": "385 435 801",
        "WA": "206 253 360 425 509 564",
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


def place_of(time_zone: str, country: str, region: str, postal_code: str) -> str:
    """Return where a client is by the profile, as texts keep it: zones, and the state or the country.

    Such as "America/New_York @US-FL"; zones that are possible by an address stand side by side. The zone that somebody
    stored goes before the address.
    """
    zones = time_zone if _existing([time_zone]) else ",".join(zones_of_address(country, region, postal_code))
    state = state_of(country, region, postal_code)
    there = f"@{country}-{state}" if state else f"@{country}"
    return " ".join(filter(None, [zones, there if country else ""]))


def zones_of(place: str, number: str) -> tuple[ZoneInfo, ...]:
    """Return the zones in which the client may be: those of the profile, else the number's, else those of the whole US.

    `place` is as from `place_of`. None for a number outside of +1 that tells nothing; then no hour is known to be
    decent.
    """
    names, _ = _split(place)
    if found := _existing(names):
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


def _split(place: str) -> tuple[list[str], tuple[str, str]]:
    """Return the zones, and the country with its state, of what `place_of` said."""
    zones: list[str] = []
    country = state = ""
    for word in place.split(" "):
        if word.startswith("@"):
            country, _, state = word[1:].partition("-")
        else:
            zones += word.split(",")
    return zones, (country, state)


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
    """Return the hours that hold for a purpose by what a number says of its place."""
    if purpose is not Purpose.MARKETING:
        return _WEEKS["", "", purpose]
    country = country_of(number)
    if country == "US" and _NOWHERE.match(number):
        return CAUTIOUS
    return _week_at(purpose, country, _AREA_CODES.get(number[2:5], "") if country == "US" else "")


def country_of(number: str) -> str:
    """Return the country of a number, ISO 3166-1; empty where it does not tell."""
    try:
        return phonenumbers.region_code_for_number(phonenumbers.parse(number)) or ""
    except phonenumbers.NumberParseException:
        return ""


def _week_at(purpose: Purpose, country: str, state: str) -> _Week:
    for key in ((country, state, purpose), (country, "", purpose), ("", "", purpose)):
        if key in _WEEKS:
            return _WEEKS[key]
    return CAUTIOUS


def week_of_own(own: OwnHours) -> _Week:
    """Return a chain's own hours as a week."""
    window = Window(own.opens, own.closes)
    return tuple(None if day in own.closed_weekdays else window for day in range(7))


@lru_cache(maxsize=65536)
def hours_for(
    purpose: Purpose, place: str, number: str, own: OwnHours | None = None
) -> tuple[LocalHours, ...]:
    """Return the hours of every place in which the client may be; a text needs all of them.

    The law where the number is from and the law where the client lives both count, and with them the chain's own hours:
    they can only take hours away.
    """
    weeks = [week_of(purpose, number)]
    country, state = _split(place)[1]
    if country:
        weeks.append(_week_at(purpose, country, state))
    if own is not None:
        weeks.append(week_of_own(own))
    while len(weeks) > 1 and (both := common(weeks[0], weeks[1])) is not None:
        weeks[:2] = [both]
    zones = zones_of(place, number)
    return tuple(LocalHours(zone, week) for week in weeks for zone in zones)
