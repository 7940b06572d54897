"""A record's fields to what they mean: whose it is, dates, amounts, pieces. Every fault names its field and its reason.

Runs once for every line of a file: figures in bench/import_purchases.py and bench/import_clients.py.
"""

import hashlib
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date

from profiles.domain.import_lines import Record, Refused
from profiles.domain.import_people import LIMITS, Person, PersonReader, Reading, read_day, shown
from profiles.domain.import_values import minor_units, payment_of
from profiles.domain.imports import PIECE_FIELDS, DateOrder, Fault, FileUnreadable
from profiles.domain.payments import PaymentKind

_LIMITS = LIMITS | {
    "purchase_external_id": 120, "category": 40, "description": 300, "brand_id": 40, "reference": 80, "serial": 80,
    "metal": 60, "stone": 60, "cut": 60, "style": 60, "size": 40, "certificate": 120,
}  # fmt: skip
_QUANTITY = re.compile(r"(\d{1,6})(?:[.,]0*)?", re.ASCII)
_CARAT = re.compile(r"[0-9]{1,4}([.][0-9]{1,3})?", re.ASCII)
_MOST_QUANTITY = 100_000


@dataclass(slots=True)
class Row:
    """One record of the file, understood: `last` is the last of its lines, `end` the byte behind it.

    `purchased_on` is None in a file of clients. `assumed` are (field, reason) of what could be read in several ways.
    """

    line: int
    last: int
    end: int
    person: Person
    purchase_external_id: str
    purchased_on: date | None
    amount_minor: int
    currency_code: str
    quantity: int
    payment_kind: PaymentKind | None
    piece: tuple[str, ...]
    fields: Sequence[str]
    assumed: Sequence[tuple[str, str]]

    def content_key(self, client: str) -> str:
        """Return what names the purchase when the file does not: equal for equal rows, whatever else the file holds.

        `client` is the client's id at the source, or here where the source has none.
        """
        return f"row:{client}/{self.purchased_on}/{self.amount_minor}/{self.quantity}"


def hash_of(key: str) -> int:
    """Return 64 bits of `key` as Postgres' bigint; the same in every process."""
    return int.from_bytes(hashlib.blake2b(key.encode(), digest_size=8).digest(), signed=True)


@dataclass(frozen=True)
class Customs:
    """As what a file's values are read: the store's country and currency, the file's order of dates,
    the store's day.

    `digits_of` gives the digits behind the point of a currency or None; `read_phone` gives E.164 or None.
    """

    country: str
    currency_code: str
    date_order: DateOrder | None
    today: date
    digits_of: Callable[[str], int | None]
    read_phone: Callable[[str], str | None]


class RowReader:
    """Reads records by a mapping of columns to fields.

    `decimal` is the sign that the file has before decimals. Raises FileUnreadable when `header` lacks a mapped column.
    """

    def __init__(
        self, header: Sequence[str], columns: Mapping[str, str], customs: Customs, *, decimal: str = "."
    ) -> None:
        names = [name.strip() for name in header]
        if lacking := sorted(set(columns) - set(names)):
            raise FileUnreadable(f"The header has no column {', '.join(map(repr, lacking))}.")
        if twice := sorted({name for name in columns if names.count(name) > 1}):
            raise FileUnreadable(f"The header has the column {', '.join(map(repr, twice))} twice.")
        at = {field: names.index(column) for column, field in columns.items()}
        self._width = len(names)
        self._people = PersonReader(
            at,
            date_order=customs.date_order,
            country=customs.country,
            today=customs.today,
            has_purchases="purchase_date" in at,
            read_phone=customs.read_phone,
        )
        self._purchase = at.get("purchase_external_id")
        self._date = at.get("purchase_date")
        self._amount = at.get("amount")
        self._quantity = at.get("quantity")
        self._currency = at.get("currency_code")
        self._payment = at.get("payment_kind")
        self._carat = at.get("carat")
        self.piece_fields = tuple(field for field in PIECE_FIELDS if field in at)
        self._piece = tuple(at[field] for field in self.piece_fields)
        self._limits = [(field, at[field], limit) for field, limit in _LIMITS.items() if field in at]
        self._customs = customs
        self._digits_of = customs.digits_of
        self._decimal = decimal

    def read(self, record: Record) -> Row | Refused:
        """Return the row of a record, or everything that is wrong with it."""
        line, fields, last, end = record
        if len(fields) != self._width:
            message = f"The line has {len(fields)} fields, the header {self._width}."
            return Refused([Fault(line, "", "COLUMN_COUNT", message)], last, end)
        reading = Reading(line, [], [])
        for field, index, limit in self._limits:
            if len(fields[index]) > limit:
                reading.refuse(field, "FIELD_TOO_LONG", f"It has more than {limit} characters.")
        person = self._people.read(fields, reading)
        day: date | None = None
        amount, quantity, currency, purchase = 0, 1, self._customs.currency_code, ""
        payment: PaymentKind | None = None
        if self._date is not None and self._amount is not None:
            day = self._day(fields[self._date].strip(), reading)
            if self._currency is not None:
                currency = fields[self._currency].strip().upper() or currency
            amount = self._minor(fields[self._amount].strip(), currency, reading)
            if self._quantity is not None and (value := fields[self._quantity].strip()):
                found = _QUANTITY.fullmatch(value)
                quantity = int(found[1]) if found else 0
                if not 1 <= quantity <= _MOST_QUANTITY:
                    reading.refuse(
                        "quantity", "QUANTITY_INVALID", f"{shown(value)} is not a number of pieces."
                    )
            if self._purchase is not None and not (purchase := fields[self._purchase].strip()):
                reading.refuse("purchase_external_id", "FIELD_MISSING", "It is empty.")
            if self._payment is not None and (value := fields[self._payment].strip()):
                payment, is_known = payment_of(value)
                if not is_known:
                    reading.assume("payment_kind", "PAYMENT_KIND_ASSUMED")
        piece = tuple([fields[index].strip() for index in self._piece])
        if self._carat is not None and (value := fields[self._carat].strip()):
            carat = value.replace(",", ".")
            if _CARAT.fullmatch(carat) is None:
                reading.refuse("carat", "CARAT_INVALID", f"{shown(value)} is no weight of stones.")
            elif carat != value:
                at = self.piece_fields.index("carat")
                piece = (*piece[:at], carat, *piece[at + 1 :])
        if reading.faults or person is None:
            return Refused(reading.faults, last, end)
        return Row(
            line,
            last,
            end,
            person,
            purchase,
            day,
            amount,
            currency,
            quantity,
            payment,
            piece,
            fields,
            reading.assumed,
        )

    def _day(self, said: str, reading: Reading) -> date | None:
        if not said:
            reading.refuse("purchase_date", "FIELD_MISSING", "It is empty.")
            return None
        if (read := read_day("purchase_date", said, self._customs.date_order, reading)) is None:
            return None
        day = date(read.year, read.month, read.day)
        if day > self._customs.today:
            reading.refuse("purchase_date", "DATE_IN_FUTURE", f"{shown(said)} has not come yet.")
        return day

    def _minor(self, said: str, currency: str, reading: Reading) -> int:
        digits = self._digits_of(currency)
        if digits is None:
            reading.refuse(
                "currency_code", "CURRENCY_UNKNOWN", f"{shown(currency)} is not an ISO 4217 currency."
            )
            return 0
        minor = minor_units(said, digits, decimal=self._decimal, currency=currency)
        if minor is None:
            if said:
                reading.refuse("amount", "AMOUNT_INVALID", f"{shown(said)} is no amount in {currency}.")
            else:
                reading.refuse("amount", "FIELD_MISSING", "It is empty.")
            return 0
        return minor
