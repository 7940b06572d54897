"""Several lists told as one, page after page, every value readable: for whoever must tell all that is kept of somebody.

Must not know any list; each is an SQL query of the service that keeps it.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

from babel.numbers import get_currency_precision

from chassis.database import Transaction
from chassis.errors import invalid
from chassis.paging import decode_page_token, encode_page_token

DEFAULT_SIZE = 500


@dataclass(frozen=True)
class Section:
    """One list. `query` selects `record_key`, text that is unique in the list, and whatever else is told of a row.

    It may use `:chain_id` and what it is read with. A column `<name>_minor` is told as the amount `<name>`, with the
    column `currency` beside it.
    """

    name: str
    query: str


async def read_sections(
    tx: Transaction,
    sections: Sequence[Section],
    parameters: Mapping[str, Any],
    *,
    page_size: int,
    page_token: str,
) -> tuple[list[tuple[str, dict[str, Any]]], str]:
    """Return up to `page_size` (section, fields), in the order of sections and keys, and the token of the next page."""
    size = page_size or DEFAULT_SIZE
    name, after = decode_page_token(page_token, str, str) or (sections[0].name, "")
    names = [section.name for section in sections]
    if name not in names:
        raise invalid("page_token", "is not a token that a previous page of this list returned")
    told: list[tuple[str, dict[str, Any]]] = []
    for section in sections[names.index(str(name)) :]:
        found = await tx.execute(
            f'select * from ({section.query}) as told where record_key collate "C" > :after'  # noqa: S608 - from code
            ' order by record_key collate "C" limit :most',
            {"chain_id": tx.chain_id, **parameters, "after": after, "most": size - len(told) + 1},
        )
        for row in found:
            if len(told) == size:
                return told, encode_page_token(section.name, str(after))
            fields = dict(row._mapping)
            after = fields.pop("record_key")
            told.append((section.name, _readable(fields)))
        after = ""
    return told, ""


def _readable(fields: dict[str, Any]) -> dict[str, Any]:
    currency = str(fields.get("currency") or "")
    told: dict[str, Any] = {}
    for name, value in fields.items():
        if value is None or value in ("", [], {}):
            continue
        if name.endswith("_minor"):
            told[name.removesuffix("_minor")] = _amount(int(value), currency)
        else:
            told[name] = _value(value)
    return told


def _amount(minor: int, currency: str) -> str:
    digits = get_currency_precision(currency) if currency else 2
    return f"{Decimal(minor).scaleb(-digits):.{digits}f} {currency}".strip()


def _value(value: Any) -> Any:
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat().replace("+00:00", "Z")
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, Decimal):
        return str(value)
    if isinstance(value, Mapping):
        return {str(name): _value(part) for name, part in value.items()}
    if isinstance(value, (list, tuple)):
        return [_value(part) for part in value]
    return value
