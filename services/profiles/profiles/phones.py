"""Phone numbers in E.164, read with libphonenumber's tables. Must not know what a number is for."""

import re
from functools import lru_cache

import phonenumbers

from profiles.domain.clients import PhoneInvalid

# Three of four numbers of a North American chain are written like this, and libphonenumber takes 100 microseconds each.
_NORTH_AMERICAN = re.compile(r"(?:\+1|1)?([2-9]\d{2})([2-9]\d{2})(\d{4})", re.ASCII)
_PUNCTUATION = str.maketrans("", "", " -.()/")
_NORTH_AMERICA = frozenset(phonenumbers.COUNTRY_CODE_TO_REGION_CODE[1])


def e164(value: str, country: str) -> str | None:
    """Return `value` in E.164, or None when it is no number; without a `+` it is a number of `country` (ISO 3166-1)."""
    if country in _NORTH_AMERICA or value.startswith("+1"):
        found = _NORTH_AMERICAN.fullmatch(value.translate(_PUNCTUATION))
        if found is not None:
            area, exchange, line = found.groups()
            if _is_assigned(area, exchange):
                return f"+1{area}{exchange}{line}"
    return _e164(value, country)


@lru_cache(maxsize=65536)
def _is_assigned(area: str, exchange: str) -> bool:
    """Return whether all numbers of an exchange are valid: the United States and Canada assign them as a whole."""
    number = phonenumbers.parse(f"+1{area}{exchange}0123")
    return phonenumbers.region_code_for_number(number) in ("US", "CA")


@lru_cache(maxsize=4096)
def _e164(value: str, country: str) -> str | None:
    try:
        number = phonenumbers.parse(value, country or None)
    except phonenumbers.NumberParseException:
        return None
    if not phonenumbers.is_valid_number(number) or number.extension:
        return None
    return phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164)


def require_e164(value: str, country: str, field: str) -> str:
    """Return `value` in E.164. Raises PhoneInvalid on `field`."""
    if (number := e164(value, country)) is None:
        raise PhoneInvalid(field, country)
    return number
