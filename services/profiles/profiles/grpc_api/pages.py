"""Page tokens of lists that are in the order of a time and an id."""

from datetime import datetime

from chassis.errors import invalid
from chassis.paging import decode_page_token


def before_of(token: str) -> tuple[datetime, str] | None:
    """Return the time and id that a page goes on from. Raises INVALID on `page_token` for a made-up one."""
    if (key := decode_page_token(token, str, str)) is None:
        return None
    try:
        return datetime.fromisoformat(str(key[0])), str(key[1])
    except ValueError as error:
        raise invalid("page_token", "is not a token that a previous page of this list returned") from error
