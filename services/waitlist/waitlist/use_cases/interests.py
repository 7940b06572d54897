"""Register, withdraw and list interests."""

from collections.abc import Sequence
from dataclasses import replace

from chassis import identities
from chassis.caller import Caller
from chassis.clock import Clock
from chassis.database import Database, RequestKey
from chassis.ids import new_id
from chassis.paging import cut_page, decode_page_token
from waitlist import events
from waitlist.domain.interests import Interest, InterestState
from waitlist.store import interests as rows
from waitlist.store import references
from waitlist.use_cases.clients import require_client
from waitlist.use_cases.offers import expire_overdue


async def register_interest(
    *,
    database: Database,
    clock: Clock,
    caller: Caller,
    key: RequestKey,
    reference_id: str,
    client_id: str,
    store_id: str,
    wording: str,
    purpose: str,
) -> Interest:
    """Put a client on the list for a reference. Raises InterestAlreadyRegistered and CLIENT_NOT_FOUND."""
    caller.require_store(store_id)
    async with database.transaction(caller.chain_id) as tx:
        interest_id, is_repeat = await tx.once(key, new_id("int"))
        if is_repeat:
            return await rows.get(tx, interest_id)
        client_id = await require_client(tx, client_id)
        reference = await references.get(tx, reference_id)
        interest = Interest(
            interest_id=interest_id,
            reference_id=reference_id,
            brand_id=reference.brand_id,
            client_id=client_id,
            store_id=store_id,
            state=InterestState.WAITING,
            wording=wording,
            purpose=purpose,
            registered_at=clock.now(),
        )
        await rows.add(tx, interest)
        tx.publish(events.interest_registered(interest), entity_id=interest_id)
        return interest


async def withdraw_interest(
    *, database: Database, clock: Clock, caller: Caller, interest_id: str
) -> Interest:
    """Take a client off the list; twice is harmless. Raises InterestHasOffer, InterestFulfilled, InterestMerged."""
    async with database.transaction(caller.chain_id) as tx:
        # An offer whose time is up holds nothing any more. Before the lock: answering locks the offer first, too.
        await expire_overdue(tx, clock.now(), interest_id=interest_id)
        interest = await rows.lock(tx, interest_id)
        caller.require_store(interest.store_id)
        if interest.needs_withdrawal():
            await rows.move(tx, interest_id, before=InterestState.WAITING, after=InterestState.WITHDRAWN)
            interest = replace(interest, state=InterestState.WITHDRAWN)
            tx.publish(events.interest_withdrawn(interest), entity_id=interest_id)
        return interest


async def list_interests(
    *,
    database: Database,
    caller: Caller,
    reference_id: str,
    client_id: str,
    page_size: int,
    page_token: str,
) -> tuple[Sequence[Interest], str]:
    """Return one page of interests, oldest first, and the token of the next."""
    after = decode_page_token(page_token, str)
    async with database.transaction(caller.chain_id) as tx:
        found = await rows.page(
            tx,
            reference_id=reference_id,
            client_id=await identities.find_current(tx, client_id) or client_id,
            after=str(after[0]) if after else "",
            limit=page_size + 1,
        )
    return cut_page(found, page_size, lambda interest: (interest.interest_id,))
