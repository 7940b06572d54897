"""Cursor pages: opaque tokens that hold the sort key of the last row. Must not know any table."""

import base64
import json
from collections.abc import Callable, Sequence
from typing import TypeVar

from chassis.errors import invalid

DEFAULT_PAGE_SIZE = 50

Row = TypeVar("Row")


def page_size_of(requested: int) -> int:
    """Return the number of rows to give: what was asked for, or DEFAULT_PAGE_SIZE for 0."""
    return requested or DEFAULT_PAGE_SIZE


def encode_page_token(*key: str | int | float) -> str:
    """Return an opaque token for the sort key of the last row given."""
    return base64.urlsafe_b64encode(json.dumps(key, separators=(",", ":")).encode()).decode().rstrip("=")


def decode_page_token(
    token: str, *types: type[str] | type[int] | type[float]
) -> tuple[str | int | float, ...] | None:
    """Return the sort key in `token`, or None for the first page. Raises INVALID on `page_token` for a made-up one."""
    if not token:
        return None
    try:
        key = json.loads(base64.urlsafe_b64decode(token + "=" * (-len(token) % 4)))
        if "\0" in "".join(part for part in key if isinstance(part, str)).encode().decode():
            raise ValueError("NUL")
    except (TypeError, ValueError) as error:
        raise invalid("page_token", "is not a token that a previous page returned") from error
    if not isinstance(key, list) or [type(part) for part in key] != list(types):
        raise invalid("page_token", "is not a token that a previous page of this list returned")
    return tuple(key)


def cut_page(
    rows: Sequence[Row], page_size: int, key: Callable[[Row], tuple[str | int | float, ...]]
) -> tuple[Sequence[Row], str]:
    """Return one page and the token of the next from `page_size + 1` fetched rows."""
    if len(rows) <= page_size:
        return rows, ""
    page = rows[:page_size]
    return page, encode_page_token(*key(page[-1]))
