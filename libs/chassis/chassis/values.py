"""Conversions between protobuf's well-known values and Python's. Must not know any message of a service."""

import decimal
from datetime import UTC, date, datetime

from babel.numbers import get_currency_precision, list_currencies
from google.protobuf.timestamp_pb2 import Timestamp
from google.type.date_pb2 import Date
from google.type.money_pb2 import Money

from chassis.errors import invalid

_NANOS = 1_000_000_000
_MOST_MINOR = 10**15  # keeps sums of many amounts within 64 bits
_CURRENCIES = frozenset(list_currencies())


def timestamp_of(moment: datetime | None) -> Timestamp | None:
    """Return a Timestamp for an aware datetime, None for None (which leaves a message field unset)."""
    if moment is None:
        return None
    value = Timestamp()
    value.FromDatetime(moment.astimezone(UTC))
    return value


def datetime_of(value: Timestamp, field: str = "time") -> datetime:
    """Return an aware datetime in UTC. Raises INVALID on `field` for a time before year 1 or after 9999."""
    try:
        return value.ToDatetime(tzinfo=UTC)
    except (OverflowError, ValueError) as error:
        raise invalid(field, "is outside of the years 1 to 9999") from error


def proto_date_of(day: date | None) -> Date | None:
    """Return a Date for a day, None for None."""
    return None if day is None else Date(year=day.year, month=day.month, day=day.day)


def date_of(value: Date, field: str) -> date:
    """Return the day. Raises INVALID on `field` for one that no calendar has, or without a year."""
    try:
        return date(value.year, value.month, value.day)
    except ValueError as error:
        raise invalid(
            field, f"{value.year:04}-{value.month:02}-{value.day:02} is not a day of the calendar"
        ) from error


def minor_of(value: Money, field: str) -> tuple[int, str]:
    """Return the amount in minor units and its currency.

    Raises INVALID on `field` for an unknown currency, units and nanos of different sign, and fractions of the
    minor unit.
    """
    if value.currency_code not in _CURRENCIES:
        raise invalid(f"{field}.currency_code", "is not an ISO 4217 currency")
    if abs(value.nanos) >= _NANOS or value.units * value.nanos < 0:
        raise invalid(f"{field}.nanos", "must be below one unit and have the sign of units")
    minor, rest = divmod(
        (value.units * _NANOS + value.nanos) * 10 ** get_currency_precision(value.currency_code), _NANOS
    )
    if rest:
        raise invalid(f"{field}.nanos", f"is finer than {value.currency_code} has")
    if abs(minor) > _MOST_MINOR:
        raise invalid(f"{field}.units", "is too large for an amount")
    return minor, value.currency_code


def money_of(minor: int, currency: str) -> Money:
    """Return the Money of an amount in minor units."""
    scale = 10 ** get_currency_precision(currency)
    units = abs(minor) // scale
    nanos = abs(minor) % scale * (_NANOS // scale)
    sign = -1 if minor < 0 else 1
    return Money(currency_code=currency, units=sign * units, nanos=sign * nanos)


def parse_minor(text: str, currency: str) -> int:
    """Return the minor units of a decimal number in text, such as `11.77`. Raises ValueError for anything else."""
    try:
        amount = decimal.Decimal(text.strip()).scaleb(get_currency_precision(currency))
        minor = int(amount.to_integral_exact(decimal.ROUND_HALF_UP))
    except (decimal.InvalidOperation, OverflowError, ValueError) as error:
        raise ValueError(f"{text!r} is not an amount") from error
    if abs(minor) > _MOST_MINOR:
        raise ValueError(f"{text!r} is too large for an amount")
    return minor
