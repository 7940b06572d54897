"""Which currencies there are and how fine they are, by CLDR. Must not know an amount."""

from functools import lru_cache

from babel.numbers import get_currency_precision, list_currencies

_CURRENCIES = frozenset(list_currencies())


@lru_cache(maxsize=512)
def digits_of(currency_code: str) -> int | None:
    """Return the number of digits behind the point of an ISO 4217 currency, or None for one that is none."""
    return get_currency_precision(currency_code) if currency_code in _CURRENCIES else None
