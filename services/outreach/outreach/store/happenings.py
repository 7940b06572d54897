"""What repairs, wishes, waitlists, appointments and contacts say of clients: as `facts`, harmless when repeated.

Things that move keep every version with its moment, so that what a day knew can be counted again whatever came late.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime

from chassis import identities
from chassis.database import Transaction
from outreach.store import facts

# How the ids of people begin, as messaging names the author of a text.
PEOPLE = ("asc_", "usr_")


@dataclass(frozen=True)
class RepairMove:
    """A repair as an event says it is now; `stage` and `kind` are the contract's."""

    repair_id: str
    version: int
    client_id: str
    store_id: str
    kind: int
    stage: int
    promised_on: date | None
    moved_at: datetime
    surprise_for_client_id: str = ""
    surprise_ends_on: date | None = None


@dataclass(frozen=True)
class AppointmentMove:
    """An appointment as an event says it is now."""

    appointment_id: str
    version: int
    client_id: str
    store_id: str
    state: str
    starts_at: datetime
    said_at: datetime


@dataclass(frozen=True)
class Wish:
    """A wish as an event says it is now; `state` is the contract's."""

    wish_id: str
    client_id: str
    version: int
    state: int
    brand_id: str = ""
    reference: str = ""
    category: str = ""
    metal: str = ""
    stone: str = ""
    is_surprise: bool = False
    surprise_ends_on: date | None = None
    bought_by_client_id: str = ""


@dataclass(frozen=True)
class Interest:
    """A client's interest in a reference, or its end: one of the two moments."""

    interest_id: str
    client_id: str
    reference_id: str
    brand_id: str
    store_id: str
    registered_at: datetime | None = None
    withdrawn_at: datetime | None = None


@dataclass(frozen=True)
class OfferMove:
    """An offer as an event says it is now."""

    offer_id: str
    version: int
    client_id: str
    reference_id: str
    store_id: str
    state: str
    said_at: datetime


async def add_repair_move(tx: Transaction, move: RepairMove, *, now: datetime) -> str | None:
    """Add what became of a repair; return whose it is now, None for a deleted or erased client."""
    current = await _current(tx, move.client_id, now=now)
    if current is not None:
        await _insert(
            tx,
            "repair_moves",
            repair_id=move.repair_id,
            version=move.version,
            client_id=current,
            original_client_id=identities.original_of(move.client_id, current),
            store_id=move.store_id,
            kind=move.kind,
            stage=move.stage,
            promised_on=move.promised_on,
            moved_at=move.moved_at,
            surprise_for_client_id=move.surprise_for_client_id,
            surprise_ends_on=move.surprise_ends_on,
        )
    return current


async def add_appointment_move(tx: Transaction, move: AppointmentMove, *, now: datetime) -> str | None:
    """Add what became of an appointment; return whose it is now, None for a deleted or erased client."""
    current = await _current(tx, move.client_id, now=now)
    if current is not None:
        await _insert(
            tx,
            "appointment_moves",
            appointment_id=move.appointment_id,
            version=move.version,
            client_id=current,
            original_client_id=identities.original_of(move.client_id, current),
            store_id=move.store_id,
            state=move.state,
            starts_at=move.starts_at,
            said_at=move.said_at,
        )
    return current


async def add_offer_move(tx: Transaction, move: OfferMove, *, now: datetime) -> str | None:
    """Add what became of an offer; return whose it is now, None for a deleted or erased client."""
    current = await _current(tx, move.client_id, now=now)
    if current is not None:
        await _insert(
            tx,
            "offers",
            offer_id=move.offer_id,
            version=move.version,
            client_id=current,
            original_client_id=identities.original_of(move.client_id, current),
            reference_id=move.reference_id,
            store_id=move.store_id,
            state=move.state,
            said_at=move.said_at,
        )
    return current


async def put_wish(tx: Transaction, wish: Wish, *, is_removed: bool = False, now: datetime) -> str | None:
    """Take over a wish, if it is newer; one that was removed stays so. Return whose it is now."""
    current = await _current(tx, wish.client_id, now=now)
    if current is not None:
        await _insert(
            tx,
            "wishes",
            "(chain_id, wish_id) do update set state = excluded.state, version = excluded.version,"
            " brand_id = excluded.brand_id, reference = excluded.reference, category = excluded.category,"
            " metal = excluded.metal, stone = excluded.stone, is_surprise = excluded.is_surprise,"
            " surprise_ends_on = excluded.surprise_ends_on, bought_by_client_id = excluded.bought_by_client_id,"
            " is_removed = excluded.is_removed"
            " where not wishes.is_removed and (excluded.is_removed or excluded.version > wishes.version)",
            wish_id=wish.wish_id,
            client_id=current,
            original_client_id=identities.original_of(wish.client_id, current),
            version=wish.version,
            state=wish.state,
            brand_id=wish.brand_id,
            reference=wish.reference,
            category=wish.category,
            metal=wish.metal,
            stone=wish.stone,
            is_surprise=wish.is_surprise,
            surprise_ends_on=wish.surprise_ends_on,
            bought_by_client_id=wish.bought_by_client_id,
            is_removed=is_removed,
        )
    return current


async def put_interest(tx: Transaction, interest: Interest, *, now: datetime) -> str | None:
    """Note the beginning or the end of an interest, whichever is heard of first; return whose it is now."""
    current = await _current(tx, interest.client_id, now=now)
    if current is not None:
        await _insert(
            tx,
            "interests",
            "(chain_id, interest_id) do update set"
            " registered_at = coalesce(interests.registered_at, excluded.registered_at),"
            " withdrawn_at = coalesce(interests.withdrawn_at, excluded.withdrawn_at)",
            interest_id=interest.interest_id,
            client_id=current,
            original_client_id=identities.original_of(interest.client_id, current),
            reference_id=interest.reference_id,
            brand_id=interest.brand_id,
            store_id=interest.store_id,
            registered_at=interest.registered_at,
            withdrawn_at=interest.withdrawn_at,
        )
    return current


async def add_allocation(
    tx: Transaction,
    *,
    allocation_id: str,
    reference_id: str,
    brand_id: str,
    store_id: str,
    received_at: datetime,
) -> Sequence[str]:
    """Note that pieces of a reference came in; return who waits for it, in order."""
    await identities.hold(tx)
    await _insert(
        tx,
        "allocations",
        allocation_id=allocation_id,
        reference_id=reference_id,
        brand_id=brand_id,
        store_id=store_id,
        received_at=received_at,
    )
    found = await tx.execute(
        "select distinct client_id from interests where chain_id = :chain_id and reference_id = :reference_id"
        " and withdrawn_at is null order by client_id",
        {"chain_id": tx.chain_id, "reference_id": reference_id},
    )
    return list(found.scalars())


async def add_contact(
    tx: Transaction,
    contact_id: str,
    client_id: str,
    *,
    kind: str,
    contacted_at: datetime,
    is_by_person: bool = True,
    is_expected: bool = False,
    now: datetime,
) -> str | None:
    """Note that the house and a client were in touch; return who the client is now, None for an erased one.

    `kind` is sent (a text that is no marketing), marketing, received, call, visit, email or other. What a person sent
    answers the client; what the system sent does not. `is_expected`: handed over, and not yet said by the carrier.
    """
    current = await _current(tx, client_id, now=now)
    if current is not None:
        await _insert(
            tx,
            "contacts",
            # What the carrier says of a text is nearer to the truth than what was expected when it was handed over.
            "(chain_id, contact_id) do update set kind = excluded.kind, contacted_at = excluded.contacted_at,"
            " is_by_person = excluded.is_by_person, is_expected = false"
            " where contacts.is_expected and not excluded.is_expected",
            contact_id=contact_id,
            client_id=current,
            original_client_id=identities.original_of(client_id, current),
            kind=kind,
            contacted_at=contacted_at,
            is_by_person=is_by_person,
            is_expected=is_expected,
        )
    return current


async def drop_contact(tx: Transaction, contact_id: str, *, now: datetime) -> str | None:
    """Take a contact back that somebody noted by mistake; return whose it was."""
    await identities.hold(tx)
    parameters = {"chain_id": tx.chain_id, "contact_id": contact_id}
    found = await tx.execute(
        "select client_id from contacts where chain_id = :chain_id and contact_id = :contact_id", parameters
    )
    client_id: str | None = found.scalar_one_or_none()
    if client_id is not None:
        await facts.touch_clients(tx, [client_id], now=now)
        await tx.execute(
            "delete from contacts where chain_id = :chain_id and contact_id = :contact_id", parameters
        )
    return client_id


async def _current(tx: Transaction, client_id: str, *, now: datetime) -> str | None:
    return (await facts.lock_clients(tx, [client_id], now=now)).get(client_id)


async def _insert(tx: Transaction, table: str, conflict: str = "do nothing", **fields: object) -> None:
    names, values = ", ".join(fields), ", ".join(f":{name}" for name in fields)
    await tx.execute(
        f"insert into {table} (chain_id, {names}) values (:chain_id, {values}) on conflict {conflict}",  # noqa: S608
        {"chain_id": tx.chain_id, **fields},
    )
