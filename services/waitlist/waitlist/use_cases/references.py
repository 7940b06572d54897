"""Add and read references."""

from collections.abc import Sequence

from chassis.caller import Caller
from chassis.clock import Clock
from chassis.database import Database, RequestKey
from chassis.ids import new_id
from chassis.paging import cut_page, decode_page_token
from waitlist.domain.references import Reference, require_price
from waitlist.store import references as rows


async def create_reference(
    *,
    database: Database,
    clock: Clock,
    caller: Caller,
    key: RequestKey,
    brand_id: str,
    code: str,
    display_name: str,
    price: tuple[int, str] | None,
) -> Reference:
    """Add a reference; `price` is minor units and currency. Raises ReferenceTaken."""
    if price is not None:
        require_price(price[0])
    async with database.transaction(caller.chain_id) as tx:
        reference_id, is_repeat = await tx.once(key, new_id("ref"))
        if is_repeat:
            return await rows.get(tx, reference_id)
        minor, currency = price or (None, None)
        reference = Reference(
            reference_id=reference_id,
            brand_id=brand_id,
            code=code,
            display_name=display_name,
            price_minor=minor,
            currency=currency,
            created_at=clock.now(),
        )
        await rows.add(tx, reference)
        return reference


async def get_reference(*, database: Database, caller: Caller, reference_id: str) -> Reference:
    """Read a reference. Raises NOT_FOUND."""
    async with database.transaction(caller.chain_id) as tx:
        return await rows.get(tx, reference_id)


async def list_references(
    *, database: Database, caller: Caller, brand_id: str, page_size: int, page_token: str
) -> tuple[Sequence[Reference], str]:
    """Return one page of references by code, and the token of the next."""
    after = decode_page_token(page_token, str, str)
    async with database.transaction(caller.chain_id) as tx:
        found = await rows.page(
            tx,
            brand_id=brand_id,
            after=None if after is None else (str(after[0]), str(after[1])),
            limit=page_size + 1,
        )
    return cut_page(found, page_size, lambda reference: (reference.code, reference.reference_id))
