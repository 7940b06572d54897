"""What can be done with a brand's feed."""

from collections.abc import Sequence

from chassis.caller import Caller
from chassis.database import Database
from chassis.errors import Kind, ServiceError, invalid
from chassis.paging import decode_page_token, encode_page_token
from gateway.feeds import store
from gateway.feeds.domain import PartnerRow

_DEFAULT = 100


class NoBrand(ServiceError):
    """The caller speaks for no brand."""

    def __init__(self) -> None:
        super().__init__(Kind.FORBIDDEN, "NO_BRAND", "Only a partner brand's key can read its events.")


async def list_partner_events(
    *, database: Database, caller: Caller, after: str, page_size: int
) -> tuple[Sequence[PartnerRow], str]:
    """Return a brand's events after a cursor, oldest first, and the cursor to go on from, which is always set."""
    if not caller.brand_id:
        raise NoBrand
    try:
        key = decode_page_token(after, str, int)
    except ServiceError as error:
        raise invalid("after", "is not a cursor that this feed returned") from error
    if key is not None and key[0] != caller.brand_id:
        raise invalid("after", "is not a cursor of this brand's feed")
    position = int(key[1]) if key else 0
    async with database.transaction(caller.chain_id) as tx:
        rows = await store.read_partner_events(
            tx, caller.brand_id, after=position, most=page_size or _DEFAULT
        )
    return rows, encode_page_token(caller.brand_id, rows[-1].position if rows else position)
