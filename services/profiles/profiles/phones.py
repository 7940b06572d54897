"""Phone numbers in E.164, read with libphonenumber's tables. Must not know what a number is for."""

from functools import lru_cache

import phonenumbers

from profiles.domain.clients import PhoneInvalid


@lru_cache(maxsize=4096)
def e164(value: str, country: str) -> str | None:
    """Return `value` in E.164, or None when it is no number; without a `+` it is a number of `country` (ISO 3166-1)."""
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
