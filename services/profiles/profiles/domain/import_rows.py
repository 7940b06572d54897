"""A record's fields to what they mean: dates, amounts, contacts. Every fault names its field and its reason.

Runs once for every line of a file: figures in bench/import_purchases.py.
"""

import hashlib
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from functools import lru_cache

from profiles.domain.clients import is_email
from profiles.domain.import_lines import Record
from profiles.domain.imports import PIECE_FIELDS, Fault, FileUnreadable

_LIMITS = {
    "client_external_id": 120, "purchase_external_id": 120, "given_name": 120, "family_name": 120, "category": 40,
    "description": 300, "brand_id": 40, "reference": 80, "serial": 80, "metal": 60, "stone": 60, "cut": 60,
    "style": 60, "size": 40,
}  # fmt: skip
_DATE = re.compile(r"(\d{4})-(\d\d)-(\d\d)|(\d{4})(\d\d)(\d\d)", re.ASCII)
_AMOUNT = re.compile(r"([+-]?)(\d{1,13})(?:\.(\d*))?", re.ASCII)
_QUANTITY = re.compile(r"\d{1,6}", re.ASCII)
_MOST_QUANTITY = 100_000
_EARLIEST_YEAR = 1900


@dataclass(slots=True)
class Row:
    """One line of the file, understood. `purchased_on` is None in a file of clients."""

    line: int
    client_external_id: str
    given_name: str
    family_name: str
    phone: str
    email: str
    purchase_external_id: str
    purchased_on: date | None
    amount_minor: int
    currency_code: str
    quantity: int
    piece: tuple[str, ...]
    fields: Sequence[str]

    @property
    def content_key(self) -> str:
        """Return what names the purchase when the file does not: equal for equal rows, whatever else the file holds."""
        return f"row:{self.client_external_id}/{self.purchased_on}/{self.amount_minor}/{self.quantity}"


def hash_of(key: str) -> int:
    """Return 64 bits of `key` as Postgres' bigint; the same in every process."""
    return int.from_bytes(hashlib.blake2b(key.encode(), digest_size=8).digest(), signed=True)


class RowReader:
    """Reads records by a mapping of columns to fields.

    `currency_code` is taken where no column says one; `digits_of` gives the digits behind the point of a currency or
    None; `read_phone` gives E.164 or None. Raises FileUnreadable when `header` lacks a mapped column.
    """

    def __init__(
        self,
        header: Sequence[str],
        columns: Mapping[str, str],
        *,
        currency_code: str,
        digits_of: Callable[[str], int | None],
        read_phone: Callable[[str], str | None],
    ) -> None:
        names = [name.strip() for name in header]
        if lacking := sorted(set(columns) - set(names)):
            raise FileUnreadable(f"The header has no column {', '.join(map(repr, lacking))}.")
        if twice := sorted({name for name in columns if names.count(name) > 1}):
            raise FileUnreadable(f"The header has the column {', '.join(map(repr, twice))} twice.")
        at = {field: names.index(column) for column, field in columns.items()}
        self._width = len(names)
        self._client = at["client_external_id"]
        self._purchase = at.get("purchase_external_id")
        self._date = at.get("purchase_date")
        self._amount = at.get("amount")
        self._quantity = at.get("quantity")
        self._currency = at.get("currency_code")
        self._given = at.get("given_name")
        self._family = at.get("family_name")
        self._phone = at.get("phone")
        self._email = at.get("email")
        self.piece_fields = tuple(field for field in PIECE_FIELDS if field in at)
        self._piece = tuple(at[field] for field in self.piece_fields)
        self._limits = [(field, at[field], limit) for field, limit in _LIMITS.items() if field in at]
        self._default_currency = currency_code
        self._digits_of = digits_of
        self._read_phone = read_phone

    def read(self, record: Record) -> Row | list[Fault]:
        """Return the row of a record, or everything that is wrong with it."""
        fields = record.fields
        line = record.line
        if len(fields) != self._width:
            return [
                Fault(
                    line, "", "COLUMN_COUNT", f"The line has {len(fields)} fields, the header {self._width}."
                )
            ]
        faults: list[Fault] = []

        def refuse(field: str, reason: str, message: str) -> None:
            faults.append(Fault(line, field, reason, message))

        for field, index, limit in self._limits:
            if len(fields[index]) > limit:
                refuse(field, "FIELD_TOO_LONG", f"It has more than {limit} characters.")
        client = fields[self._client].strip()
        if not client:
            refuse("client_external_id", "FIELD_MISSING", "It is empty.")
        phone = email = ""
        if self._phone is not None and (value := fields[self._phone].strip()):
            phone = self._read_phone(value) or ""
            if not phone:
                refuse("phone", "PHONE_INVALID", "It is not a phone number.")
        if self._email is not None and (email := fields[self._email].strip()) and not is_email(email):
            refuse("email", "EMAIL_INVALID", "It is not an e-mail address.")
        day: date | None = None
        amount, quantity, currency, purchase = 0, 1, self._default_currency, ""
        if self._date is not None and self._amount is not None:
            day = _day_of(fields[self._date].strip())
            if day is None:
                refuse(
                    "purchase_date",
                    *_missing_or(fields[self._date], "DATE_INVALID", "is no day of the calendar"),
                )
            if self._currency is not None:
                currency = fields[self._currency].strip().upper() or currency
            digits = self._digits_of(currency)
            if digits is None:
                refuse(
                    "currency_code", "CURRENCY_UNKNOWN", f"{_shown(currency)} is not an ISO 4217 currency."
                )
            elif (minor := minor_units(fields[self._amount].strip(), digits)) is None:
                refuse(
                    "amount",
                    *_missing_or(fields[self._amount], "AMOUNT_INVALID", f"is no amount in {currency}"),
                )
            else:
                amount = minor
            if self._quantity is not None and (value := fields[self._quantity].strip()):
                quantity = int(value) if _QUANTITY.fullmatch(value) else 0
                if not 1 <= quantity <= _MOST_QUANTITY:
                    refuse("quantity", "QUANTITY_INVALID", f"{_shown(value)} is not a number of pieces.")
            if self._purchase is not None and not (purchase := fields[self._purchase].strip()):
                refuse("purchase_external_id", "FIELD_MISSING", "It is empty.")
        if faults:
            return faults
        return Row(
            line,
            client,
            "" if self._given is None else fields[self._given].strip(),
            "" if self._family is None else fields[self._family].strip(),
            phone,
            email,
            purchase,
            day,
            amount,
            currency,
            quantity,
            tuple([fields[index].strip() for index in self._piece]),
            fields,
        )


def minor_units(text: str, digits: int) -> int | None:
    """Return the minor units of a decimal number with a point, or None for anything else or anything finer."""
    if (match := _AMOUNT.fullmatch(text)) is None:
        return None
    sign, whole, fraction = match.groups(default="")
    fraction = fraction.rstrip("0") if len(fraction) > digits else fraction
    if len(fraction) > digits:
        return None
    minor = int(whole + fraction.ljust(digits, "0"))
    return -minor if sign == "-" else minor


@lru_cache(maxsize=8192)
def _day_of(text: str) -> date | None:
    if (match := _DATE.fullmatch(text)) is None:
        return None
    year, month, day = (int(part) for part in match.groups() if part is not None)
    try:
        return date(year, month, day) if year >= _EARLIEST_YEAR else None
    except ValueError:
        return None


def _missing_or(value: str, reason: str, message: str) -> tuple[str, str]:
    return (reason, f"{_shown(value)} {message}.") if value.strip() else ("FIELD_MISSING", "It is empty.")


def _shown(value: str) -> str:
    return repr(value if len(value) <= 40 else value[:40] + "...")
