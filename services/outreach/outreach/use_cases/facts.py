"""Take over what profiles and messaging say, and read it back. Effects run inside the transaction of their event."""

import math
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, datetime

from chassis import identities
from chassis.clock import Clock
from chassis.database import Database, Transaction
from chassis.errors import not_found
from outreach.domain import Tier
from outreach.scoring.model import Basis, ChainModel, basis_words, estimate, missing_words
from outreach.scoring.tiers import tier_of_one
from outreach.signals.book import NEVER, Mark
from outreach.signals.finding import day_of
from outreach.store import (
    books,
    chains,
    drafts,
    due_clients,
    facts,
    happenings,
    histories,
    models,
    refresh,
    settings,
    suggestions,
    tastes,
)
from outreach.store.facts import ClientRow, FactsSummary, PurchaseRow, ReturnRow, VisitRow
from outreach.store.happenings import AppointmentMove, Interest, OfferMove, RepairMove, Wish
from outreach.store.histories import ClientFigures
from outreach.store.tastes import Affinity
from outreach.use_cases import outcomes
from outreach.use_cases.attention import is_one_of_many, look_again
from outreach.use_cases.evaluation import rests_at
from outreach.use_cases.event_set import left_by


@dataclass(frozen=True)
class Facts:
    """What is known of one client, and what the model makes of it; `model_note` says why figures are missing.

    `price_band` is the middle half of what one purchase brought, in minor units; None with fewer than two.
    """

    figures: ClientFigures
    currency: str
    affinities: Sequence[Affinity] = ()
    price_band: tuple[int, int] | None = None
    marks: Mapping[Mark, date] = field(default_factory=dict)
    probability_alive: float | None = None
    expected_purchases_year: float | None = None
    expected_value_year_minor: int | None = None
    model_note: str = ""
    tier: Tier | None = None


async def open_chain(
    tx: Transaction, *, time_zone: str, currency: str, nightly_hour: int, now: datetime
) -> None:
    """Note a new chain and when its first night comes; what came before it is counted in its zone and currency."""
    chain = chains.Chain(tx.chain_id, time_zone, currency)
    await chains.put_chain(
        tx, time_zone=time_zone, currency=currency, next_run_at=chain.next_night(nightly_hour, now)
    )
    await refresh.queue_changed(tx, await chains.get_chain(tx), now=now)


async def take_client(tx: Transaction, client: ClientRow, *, now: datetime) -> None:
    """Take over a client's record, if it is newer, and look at the client again."""
    await count_and_look(tx, (await facts.put_clients(tx, [client], now=now)).values(), now=now)


async def take_book(tx: Transaction, clients: Sequence[ClientRow], *, now: datetime) -> None:
    """Take over clients who changed hands as a set; what stands in a queue follows its client.

    Nobody is looked at again: who serves a client is no reason to write to the client.
    """
    owners = await facts.put_clients(tx, clients, now=now)
    await suggestions.hand_over(tx, list(owners.values()), now=now)
    await refresh.refresh_client_facts(tx, await chains.get_chain(tx), owners.values(), now=now)


async def drop_client(tx: Transaction, client_id: str, *, now: datetime) -> None:
    """Forget a client and take the suggestion off the queue."""
    await facts.delete_client(tx, client_id, now=now)
    await drafts.delete_client(tx, client_id)
    await outcomes.erase_clients(tx, [client_id], now=now)
    await count_and_look(tx, [client_id], now=now)


async def take_purchase(tx: Transaction, purchase: PurchaseRow, *, now: datetime) -> None:
    """Take over a purchase and look at the client again."""
    await count_and_look(tx, (await facts.add_purchases(tx, [purchase], now=now)).values(), now=now)


async def take_return(tx: Transaction, returned: ReturnRow, *, now: datetime) -> None:
    """Take over what came back of a purchase and look at the client again."""
    await count_and_look(tx, await facts.add_return(tx, returned, now=now), now=now)


async def take_visit(tx: Transaction, visit: VisitRow, *, now: datetime) -> None:
    """Take over a visit and look at the client again."""
    await _count_one(tx, await facts.add_visit(tx, visit, now=now), now=now)


async def take_repair_move(tx: Transaction, move: RepairMove, *, now: datetime) -> None:
    """Take over what became of a repair and look at the client again."""
    await _count_one(tx, await happenings.add_repair_move(tx, move, now=now), now=now)


async def take_appointment_move(tx: Transaction, move: AppointmentMove, *, now: datetime) -> None:
    """Take over what became of an appointment and look at the client again."""
    await _count_one(tx, await happenings.add_appointment_move(tx, move, now=now), now=now)


async def take_wish(tx: Transaction, wish: Wish, *, is_removed: bool = False, now: datetime) -> None:
    """Take over a wish and look at the client again."""
    await _count_one(tx, await happenings.put_wish(tx, wish, is_removed=is_removed, now=now), now=now)


async def take_interest(tx: Transaction, interest: Interest, *, now: datetime) -> None:
    """Take over that a client waits for a reference, or does not any more, and look at the client again."""
    await _count_one(tx, await happenings.put_interest(tx, interest, now=now), now=now)


async def take_offer_move(tx: Transaction, move: OfferMove, *, now: datetime) -> None:
    """Take over what became of an offer and look at the client again."""
    await _count_one(tx, await happenings.add_offer_move(tx, move, now=now), now=now)


async def take_allocation(
    tx: Transaction,
    *,
    allocation_id: str,
    reference_id: str,
    brand_id: str,
    store_id: str,
    received_at: datetime,
    now: datetime,
) -> None:
    """Take over that pieces of a reference came in and look at all who wait for it."""
    waiting = await happenings.add_allocation(
        tx,
        allocation_id=allocation_id,
        reference_id=reference_id,
        brand_id=brand_id,
        store_id=store_id,
        received_at=received_at,
    )
    current = (await facts.lock_clients(tx, waiting, now=now)).values()
    await count_and_look(tx, current, tastes=False, now=now)


async def take_contact(
    tx: Transaction,
    contact_id: str,
    client_id: str,
    *,
    kind: str,
    contacted_at: datetime,
    is_by_person: bool = True,
    is_expected: bool = False,
    now: datetime,
) -> None:
    """Take over that the house and a client are in touch, for whoever sees to the queue; her facts follow.

    The arguments are those of `happenings.add_contact`.
    """
    current = await happenings.add_contact(
        tx,
        contact_id,
        client_id,
        kind=kind,
        contacted_at=contacted_at,
        is_by_person=is_by_person,
        is_expected=is_expected,
        now=now,
    )
    if current is not None:
        await refresh.refresh_client_facts(tx, await chains.get_chain(tx), [current], tastes_of=(), now=now)


async def take_message(
    tx: Transaction,
    contact_id: str,
    client_id: str,
    *,
    kind: str,
    contacted_at: datetime,
    is_by_person: bool = True,
    now: datetime,
) -> None:
    """Take over a text to or from a client and look at the client again."""
    current = await happenings.add_contact(
        tx, contact_id, client_id, kind=kind, contacted_at=contacted_at, is_by_person=is_by_person, now=now
    )
    await _count_one(tx, current, now=now)


async def drop_contact(tx: Transaction, contact_id: str, *, now: datetime) -> None:
    """Take back that the house and a client were in touch."""
    client_id = await happenings.drop_contact(tx, contact_id, now=now)
    if client_id is not None:
        await refresh.refresh_client_facts(tx, await chains.get_chain(tx), [client_id], tastes_of=(), now=now)


async def take_batch(
    tx: Transaction, clients: Sequence[ClientRow], purchases: Sequence[PurchaseRow], *, now: datetime
) -> None:
    """Take over a piece of an import as a set; its clients are counted and looked at when the import is through.

    What stands in a queue follows a client whom the file gave to somebody else.
    """
    current: set[str] = set()
    if clients:
        owners = await facts.put_clients(tx, clients, now=now)
        current.update(owners.values())
        known = [owners[one.client_id] for one in clients if one.version > 1 and one.client_id in owners]
        if known:
            await suggestions.hand_over(tx, known, now=now)
    if purchases:
        current.update((await facts.add_purchases(tx, purchases, now=now)).values())
    await refresh.queue_clients(tx, current, now=now)


async def finish_import(tx: Transaction, *, now: datetime) -> None:
    """Ask for a ranking of the chain, now that an import is through."""
    await chains.request_scoring(tx, reason="import", now=now)


async def count_and_look(
    tx: Transaction, client_ids: Collection[str], *, tastes: bool = True, now: datetime
) -> None:
    """Count clients anew about whom something was said, and look at them again; now, or soon in a set.

    Without `tastes` it does not bear on what they prefer, which is left alone.
    """
    if is_one_of_many(now=now):
        left = left_by(tx)
        if left is not None:
            left.to_look_at.update(client_ids)
            if tastes:
                left.tastes_of.update(client_ids)
            return
        await refresh.queue_clients(tx, client_ids, tastes=tastes, now=now)
        await look_again(tx, set(client_ids), now=now)
    elif client_ids:
        chain, tastes_of = await chains.get_chain(tx), client_ids if tastes else ()
        await refresh.refresh_client_facts(tx, chain, client_ids, tastes_of=tastes_of, now=now)
        await look_again(tx, set(client_ids), now=now)


async def hold_set(tx: Transaction, client_ids: Collection[str], *, now: datetime) -> None:
    """Hold all clients of events that share a transaction, in the order in which everybody does who holds several."""
    await facts.lock_clients(tx, sorted(client_ids), now=now)


async def finish_set(tx: Transaction, *, said_at: datetime, now: datetime) -> None:
    """Do what events that shared a transaction left for its end; `said_at` is when the newest was said."""
    left = left_by(tx)
    if left is not None and left.outcomes:
        await outcomes.take_all_outcomes(tx, left.outcomes, now=now)
    if left is not None and left.to_look_at:
        await refresh.queue_clients(tx, left.tastes_of, now=now)
        await refresh.queue_clients(tx, left.to_look_at - left.tastes_of, tastes=False, now=now)
        await due_clients.mark_due(tx, left.to_look_at, now=now)
    await facts.note_event(tx, said_at)


async def _count_one(tx: Transaction, client_id: str | None, *, now: datetime) -> None:
    if client_id is not None:
        await count_and_look(tx, [client_id], tastes=False, now=now)


async def get_client_facts(*, database: Database, clock: Clock, chain_id: str, client_id: str) -> Facts:
    """Return a client's facts with the model's figures. Raises CLIENT_NOT_FOUND."""
    now = clock.now()
    async with database.transaction(chain_id) as tx:
        chain = await chains.get_chain(tx)
        day = chain.queue_day(now)
        current = await identities.find_current(tx, client_id)
        figures = None if current is None else await histories.read_client_figures(tx, chain, current)
        if current is None or figures is None:
            raise not_found("client", client_id)
        known = await books.read_client_book(tx, chain, current, as_of=day, rests=rests_at(now))
        affinities = await tastes.read_affinities(tx, chain, current, as_of=day)
        price_band = await tastes.read_price_band(tx, chain, current, as_of=day)
        stored = await models.find_model(tx)
        bands = (await settings.get_settings(tx)).tier_bands
    bare = Facts(figures, chain.currency, affinities, price_band)
    if known is None:
        return replace(bare, model_note="No purchase model has been fitted yet.")
    book = known[1]
    days = {mark: int(column[0]) for mark, column in book.marks.items()}
    bare = replace(
        bare,
        marks={mark: day_of(number) for mark, number in days.items() if number != NEVER},
        tier=tier_of_one(book, stored[0].tiers if stored else None, bands),
    )
    if stored is None:
        return replace(bare, model_note="No purchase model has been fitted yet.")
    model = stored[0]
    if model.bg_nbd is None and model.repeats_year is None:
        return replace(bare, model_note=model.note)
    expected = estimate(model, book, day, minor_per_unit=chain.minor_per_unit)
    alive, purchases, value = (
        float(column[0]) for column in (expected.alive, expected.purchases_year, expected.value_year)
    )
    if math.isnan(purchases):
        return replace(bare, model_note="Not enough history: no purchase yet.")
    return replace(
        bare,
        probability_alive=alive if math.isfinite(alive) else None,
        expected_purchases_year=purchases,
        expected_value_year_minor=round(value * chain.minor_per_unit) if math.isfinite(value) else None,
        model_note=_note(model, int(expected.basis[0])),
    )


async def get_facts_summary(*, database: Database, clock: Clock, chain_id: str) -> FactsSummary:
    """Return how much has arrived for the chain."""
    now = clock.now()
    async with database.transaction(chain_id) as tx:
        chain = await chains.get_chain(tx)
        return await facts.summarise_facts(tx, today=chain.today(now), queue_day=chain.queue_day(now))


async def get_purchase_model(*, database: Database, chain_id: str) -> tuple[ChainModel, datetime] | None:
    """Return the chain's model and when it was fitted; None before the first ranking."""
    async with database.transaction(chain_id) as tx:
        return await models.find_model(tx)


def _note(model: ChainModel, basis: int) -> str:
    if basis == Basis.NONE:
        return "Not enough history: nothing was bought in the chain's currency."
    said = missing_words(model, basis)
    return said or ("" if basis == Basis.OWN else f"Worked out from {basis_words(basis)}.")
