"""Receive and read allocations; sell pieces and send them back."""

from collections.abc import Sequence

from chassis.caller import Caller
from chassis.clock import Clock
from chassis.database import Database, RequestKey
from chassis.ids import new_id
from chassis.paging import cut_page, decode_page_token
from waitlist import events
from waitlist.domain.allocations import Allocation, Piece, PieceState
from waitlist.store import allocations as rows
from waitlist.store import offers, references


async def receive_allocation(
    *,
    database: Database,
    clock: Clock,
    caller: Caller,
    key: RequestKey,
    reference_id: str,
    store_id: str,
    serials: Sequence[str],
) -> Allocation:
    """Book in pieces that a brand sent to a store. Raises SerialTaken; then nothing is booked in."""
    caller.require_store(store_id)
    async with database.transaction(caller.chain_id) as tx:
        allocation_id, is_repeat = await tx.once(key, new_id("alc"))
        if is_repeat:
            return await rows.get(tx, allocation_id)
        reference = await references.get(tx, reference_id)
        allocation = Allocation(
            allocation_id=allocation_id,
            reference_id=reference_id,
            reference_code=reference.code,
            brand_id=reference.brand_id,
            store_id=store_id,
            received_at=clock.now(),
            pieces=tuple(
                Piece(new_id("pce"), allocation_id, serial, PieceState.AVAILABLE, offer_id="", version=1)
                for serial in serials
            ),
        )
        await rows.add(tx, allocation)
        tx.publish(events.allocation_received(allocation), entity_id=allocation_id)
        return allocation


async def get_allocation(*, database: Database, caller: Caller, allocation_id: str) -> Allocation:
    """Read an allocation with its pieces. Raises NOT_FOUND."""
    async with database.transaction(caller.chain_id) as tx:
        return await rows.get(tx, allocation_id)


async def list_allocations(
    *,
    database: Database,
    caller: Caller,
    reference_id: str,
    store_id: str,
    page_size: int,
    page_token: str,
) -> tuple[Sequence[Allocation], str]:
    """Return one page of allocations, newest first, and the token of the next."""
    before = decode_page_token(page_token, str)
    async with database.transaction(caller.chain_id) as tx:
        found = await rows.page(
            tx,
            reference_id=reference_id,
            store_id=store_id,
            before=str(before[0]) if before else "",
            limit=page_size + 1,
        )
    return cut_page(found, page_size, lambda allocation: (allocation.allocation_id,))


async def sell_piece(*, database: Database, caller: Caller, piece_id: str) -> Piece:
    """Say that a promised piece was paid for; twice is harmless. Raises PieceNotPromised."""
    async with database.transaction(caller.chain_id) as tx:
        piece, allocation = await rows.lock_piece(tx, piece_id)
        caller.require_store(allocation.store_id)
        if piece.needs_sale():
            piece = await rows.move_piece(tx, piece_id, PieceState.SOLD, offer_id=piece.offer_id)
            offer = await offers.get(tx, piece.offer_id)
            tx.publish(events.piece_sold(offer, piece), entity_id=piece_id)
        return piece


async def return_piece(*, database: Database, caller: Caller, piece_id: str) -> Piece:
    """Send a free piece back to the brand; twice is harmless. Raises PieceNotAvailable."""
    async with database.transaction(caller.chain_id) as tx:
        piece, allocation = await rows.lock_piece(tx, piece_id)
        caller.require_store(allocation.store_id)
        if piece.needs_return():
            piece = await rows.move_piece(tx, piece_id, PieceState.RETURNED, offer_id="")
            tx.publish(events.piece_returned(piece, allocation), entity_id=piece_id)
        return piece
