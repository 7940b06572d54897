"""Which zones a postal address and a phone number allow. Tables only; what follows from them, the domain says.

Numbers: libphonenumber's table of prefixes, which for a mobile number knows the country at best. Countries: CLDR's
territories. Regions of the United States: 49 CFR 71 and, for Arizona, 15 USC 267; of Canada: the `northamerica` file of
the IANA time zone database. A number can be taken along to another zone: that is why what follows is marked as derived.
"""

from collections.abc import Mapping, Sequence
from functools import lru_cache

import phonenumbers
from babel.core import get_global
from phonenumbers import timezone as prefixes
from phonenumbers.tzdata import TIMEZONE_DATA

from profiles.domain.clients import Client, ContactKind
from profiles.domain.time_zones import agreed_zone, clock_of

_UNKNOWN = "Etc/Unknown"
_TERRITORIES: Mapping[str, Sequence[str]] = get_global("territory_zones")
# The few names that libphonenumber uses are those that people know.
_KNOWN_NAMES = frozenset(name for names in TIMEZONE_DATA.values() for name in names)

_EASTERN, _CENTRAL, _MOUNTAIN, _PACIFIC = (
    "America/New_York", "America/Chicago", "America/Denver", "America/Los_Angeles",
)  # fmt: skip
_REGIONS: dict[tuple[str, str], Sequence[str]] = {
    **{("US", region): (_EASTERN,) for region in (
        "CT", "DC", "DE", "GA", "MA", "MD", "ME", "NC", "NH", "NJ", "NY", "OH", "PA", "RI", "SC", "VA", "VT", "WV",
    )},
    **{("US", region): (_CENTRAL,) for region in ("AL", "AR", "IA", "IL", "LA", "MN", "MO", "MS", "OK", "WI")},
    **{("US", region): (_MOUNTAIN,) for region in ("CO", "MT", "NM", "UT", "WY")},
    **{("US", region): (_PACIFIC,) for region in ("CA", "WA")},
    **{("US", region): (_EASTERN, _CENTRAL) for region in ("FL", "IN", "KY", "MI", "TN")},
    **{("US", region): (_CENTRAL, _MOUNTAIN) for region in ("KS", "ND", "NE", "SD", "TX")},
    **{("US", region): (_MOUNTAIN, _PACIFIC) for region in ("ID", "OR")},
    ("US", "NV"): (_PACIFIC, _MOUNTAIN),
    ("US", "AZ"): ("America/Phoenix", _MOUNTAIN),
    ("US", "AK"): ("America/Anchorage", "America/Adak"),
    ("US", "HI"): ("Pacific/Honolulu",),
    ("US", "PR"): ("America/Puerto_Rico",),
    ("US", "VI"): ("America/St_Thomas",),
    ("US", "GU"): ("Pacific/Guam",),
    ("CA", "AB"): ("America/Edmonton",),
    ("CA", "MB"): ("America/Winnipeg",),
    ("CA", "NB"): ("America/Moncton",),
    ("CA", "NS"): ("America/Halifax",),
    ("CA", "PE"): ("America/Halifax",),
    ("CA", "NT"): ("America/Edmonton",),
    ("CA", "YT"): ("America/Whitehorse",),
    ("CA", "NL"): ("America/St_Johns", "America/Goose_Bay"),
    ("CA", "ON"): ("America/Toronto", "America/Winnipeg", "America/Atikokan"),
    ("CA", "QC"): ("America/Toronto", "America/Halifax", "America/Blanc-Sablon"),
    ("CA", "SK"): ("America/Regina", "America/Edmonton", "America/Winnipeg"),
    ("CA", "BC"): ("America/Vancouver", "America/Edmonton", "America/Fort_Nelson", "America/Creston"),
}  # fmt: skip


def derived_time_zone(client: Client) -> str:
    """Return the zone that a client's address and numbers agree on; empty when they do not, or when one is given."""
    if client.time_zone:
        return ""
    address = client.address
    return _derived(
        (address.country, address.region) if address else ("", ""),
        tuple(
            [
                _typical(contact.value)
                for contact in client.contact_points
                if contact.kind is ContactKind.PHONE
            ]
        ),
    )


def _typical(number: str) -> str:
    """Return a number that is where this one is, the same for many: a North American exchange is in one place."""
    return f"{number[:8]}0123" if number.startswith("+1") and len(number) == 12 else number


@lru_cache(maxsize=65536)
def _derived(place: tuple[str, str], numbers: tuple[str, ...]) -> str:
    return agreed_zone([_zones_of_place(*place), *map(_zones_of_number, numbers)])


def _zones_of_place(country: str, region: str) -> Sequence[str]:
    region = region.upper().replace(".", "").removeprefix(f"{country}-")
    return _REGIONS.get((country, region)) or _zones_of_country(country)


@lru_cache(maxsize=512)
def _zones_of_country(country: str) -> Sequence[str]:
    return sorted(_TERRITORIES.get(country, ()), key=lambda name: name not in _KNOWN_NAMES)


@lru_cache(maxsize=65536)
def _zones_of_number(number: str) -> Sequence[str]:
    parsed = phonenumbers.parse(number)
    names = [name for name in prefixes.time_zones_for_number(parsed) if name != _UNKNOWN]
    here = _zones_of_country(phonenumbers.region_code_for_number(parsed) or "")
    clocks = {clock_of(name) for name in names}
    # The country's own name of a zone goes before a neighbour's, today's before one of the past.
    return [
        *(name for name in here if name in names),
        *(name for name in here if name not in names and clock_of(name) in clocks),
        *(name for name in names if name not in here),
    ]
