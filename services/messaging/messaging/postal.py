"""Where a postal code or a region is: its state and the zones that may hold there. Pure data and its lookups.

Sources: the three-digit prefixes of the United States Postal Service (Publication 65), the first letters of Canada
Post; zones by 49 CFR 71 and the `northamerica` file of the IANA time zone database. A prefix that lies on both sides of
a border of zones names both: then both must allow. Must not know which hours are legal.
"""

from collections.abc import Iterator, Mapping
from importlib import resources

_EASTERN, _CENTRAL, _MOUNTAIN, _PACIFIC = (
    "America/New_York",
    "America/Chicago",
    "America/Denver",
    "America/Los_Angeles",
)
_PHOENIX = "America/Phoenix"

# First and last three-digit prefix of a state. Those of the forces abroad (090-098, 340, 962-966) are nowhere.
_PREFIXES: Mapping[str, str] = {
    "AK": "995-999", "AL": "350-369", "AR": "716-729", "AZ": "850-865", "CA": "900-961", "CO": "800-816",
    "CT": "060-069", "DC": "200 202-205 569", "DE": "197-199", "FL": "320-339 341-342 344 346-347 349",
    "GA": "300-319 398-399", "GU": "969", "HI": "967-968", "IA": "500-528", "ID": "832-838", "IL": "600-629",
    "IN": "460-479", "KS": "660-679", "KY": "400-427", "LA": "700-714", "MA": "010-027 055", "MD": "206-219",
    "ME": "039-049", "MI": "480-499", "MN": "550-567", "MO": "630-658", "MS": "386-397", "MT": "590-599",
    "NC": "270-289", "ND": "580-588", "NE": "680-693", "NH": "030-038", "NJ": "070-089", "NM": "870-884",
    "NV": "889-898", "NY": "005 100-149", "OH": "430-459", "OK": "730-731 734-749", "OR": "970-979",
    "PA": "150-196", "PR": "006-007 009", "RI": "028-029", "SC": "290-299", "SD": "570-577", "TN": "370-385",
    "TX": "733 750-799 885", "UT": "840-847", "VA": "201 220-246", "VI": "008", "VT": "050-054 056-059",
    "WA": "980-994", "WI": "530-549", "WV": "247-268", "WY": "820-831",
}  # fmt: skip

# Zones of a state, or of some prefixes in it, which go before.
_ZONES: Mapping[str, tuple[str, ...]] = {
    name: zones
    for names, zones in (
        ("CT DC DE GA MA MD ME NC NH NJ NY OH PA RI SC VA VT WV", (_EASTERN,)),
        ("320-323 326-339 341-349 400-418 460-462 467-474 480-497 374 376-379", (_EASTERN,)),
        ("AL AR IA IL LA MN MO MS OK WI", (_CENTRAL,)),
        ("325 370-372 375 380-384 420-424 463-464 476-477 570-574 580-584 587 660-676 679", (_CENTRAL,)),
        ("680-689 733 750-797", (_CENTRAL,)),
        ("CO MT NM UT WY 577 693 799 832-834 836-837 885", (_MOUNTAIN,)),
        ("CA WA 838 970-978 889-897", (_PACIFIC,)),
        ("FL IN KY MI TN", (_EASTERN, _CENTRAL)),
        ("KS ND NE SD TX", (_CENTRAL, _MOUNTAIN)),
        ("ID OR NV", (_MOUNTAIN, _PACIFIC)),
        ("AZ", (_PHOENIX, _MOUNTAIN)),
        ("850-859 863-864", (_PHOENIX,)),
        ("AK", ("America/Anchorage", "America/Adak")),
        ("996-999", ("America/Anchorage",)),
        ("HI", ("Pacific/Honolulu",)),
        ("PR", ("America/Puerto_Rico",)),
        ("VI", ("America/St_Thomas",)),
        ("GU", ("Pacific/Guam",)),
    )
    for name in names.split()
}

_PROVINCES: Mapping[str, str] = {
    "A": "NL", "B": "NS", "C": "PE", "E": "NB", "G": "QC", "H": "QC", "J": "QC", "K": "ON", "L": "ON", "M": "ON",
    "N": "ON", "P": "ON", "R": "MB", "S": "SK", "T": "AB", "V": "BC", "Y": "YT",
}  # fmt: skip
_PROVINCE_ZONES: Mapping[str, tuple[str, ...]] = {
    "AB": ("America/Edmonton",),
    "BC": ("America/Vancouver", "America/Edmonton", "America/Fort_Nelson", "America/Creston"),
    "MB": ("America/Winnipeg",),
    "NB": ("America/Moncton",),
    "NL": ("America/St_Johns", "America/Goose_Bay"),
    "NS": ("America/Halifax",),
    "NT": ("America/Edmonton",),
    "ON": ("America/Toronto", "America/Winnipeg", "America/Atikokan"),
    "PE": ("America/Halifax",),
    "QC": ("America/Toronto", "America/Halifax", "America/Blanc-Sablon"),
    "SK": ("America/Regina", "America/Edmonton"),
    "YT": ("America/Whitehorse",),
}


def _numbers(spans: str) -> Iterator[str]:
    for span in spans.split():
        first, _, last = span.partition("-")
        yield from (f"{number:03}" for number in range(int(first), int(last or first) + 1))


_STATES = {prefix: state for state, spans in _PREFIXES.items() for prefix in _numbers(spans)}
_ZONES_OF_PREFIX = {
    prefix: zones for span, zones in _ZONES.items() if span[0].isdigit() for prefix in _numbers(span)
}


def _zones_of_countries() -> Mapping[str, tuple[str, ...]]:
    found: dict[str, list[str]] = {}
    for line in (
        (resources.files("tzdata") / "zoneinfo" / "zone.tab").read_text(encoding="utf-8").splitlines()
    ):
        if line and not line.startswith("#"):
            country, _, zone = line.split("\t")[:3]
            found.setdefault(country, []).append(zone)
    return {country: tuple(zones) for country, zones in found.items()}


_COUNTRIES = _zones_of_countries()


def state_of(country: str, region: str, postal_code: str) -> str:
    """Return the state or province, such as FL; the code tells it better than what somebody typed beside it."""
    code = postal_code.strip().upper()
    if country == "US":
        found = _STATES.get(code[:3], "") if code[:3].isdigit() else ""
    elif country == "CA":
        found = _PROVINCES.get(code[:1], "")
    else:
        found = ""
    said = region.strip().upper().replace(".", "").removeprefix(f"{country}-")
    return found or (said if len(said) == 2 and said.isalpha() else "")


def zones_of_address(country: str, region: str, postal_code: str) -> tuple[str, ...]:
    """Return the names of the zones that may hold at an address; none where it tells nothing."""
    state = state_of(country, region, postal_code)
    if country == "US":
        prefix = postal_code.strip()[:3]
        if _STATES.get(prefix) == state and prefix in _ZONES_OF_PREFIX:
            return _ZONES_OF_PREFIX[prefix]
        return _ZONES.get(state, ())
    if country == "CA" and state in _PROVINCE_ZONES:
        return _PROVINCE_ZONES[state]
    return _COUNTRIES.get(country, ())
