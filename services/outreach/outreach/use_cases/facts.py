"""Take over what profiles and messaging say, and read it back. Effects run inside the transaction of their event."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from chassis import identities
from chassis.clock import Clock
from chassis.database import Database, Transaction
from chassis.errors import not_found
from outreach.scoring.model import ChainModel, estimate
from outreach.signals.book import Book
from outreach.signals.finding import day_number
from outreach.store import chains, facts, histories, models, suggestions
from outreach.store.facts import ClientRow, FactsSummary, PurchaseRow, ReturnRow, VisitRow
from outreach.store.histories import ClientFigures
from outreach.use_cases import outcomes
from outreach.use_cases.evaluation import evaluate_client, rests_at


@dataclass(frozen=True)
class Facts:
    """What is known of one client, and what the model makes of it; `model_note` says why figures are missing."""

    figures: ClientFigures
    currency: str
    probability_alive: float | None
    expected_purchases_year: float | None
    expected_value_year_minor: int | None
    model_note: str


async def open_chain(
    tx: Transaction, *, time_zone: str, currency: str, nightly_hour: int, now: datetime
) -> None:
    """Note a new chain and when its first night comes."""
    chain = chains.Chain(tx.chain_id, time_zone, currency)
    await chains.put_chain(
        tx, time_zone=time_zone, currency=currency, next_run_at=chain.next_night(nightly_hour, now)
    )


async def take_client(tx: Transaction, client: ClientRow, *, now: datetime) -> None:
    """Take over a client's record, if it is newer, and look at the client again."""
    for current in (await facts.put_clients(tx, [client], now=now)).values():
        await evaluate_client(tx, current, now=now)


async def take_book(tx: Transaction, clients: Sequence[ClientRow], *, now: datetime) -> None:
    """Take over clients who changed hands as a set; what stands in a queue follows its client.

    Nobody is looked at again: who serves a client is no reason to write to the client.
    """
    owners = await facts.put_clients(tx, clients, now=now)
    await suggestions.hand_over(tx, list(owners.values()), now=now)


async def drop_client(tx: Transaction, client_id: str, *, now: datetime) -> None:
    """Forget a client and take the suggestion off the queue."""
    await facts.delete_client(tx, client_id, now=now)
    await outcomes.erase_clients(tx, [client_id], now=now)
    await evaluate_client(tx, client_id, now=now)


async def take_purchase(tx: Transaction, purchase: PurchaseRow, *, now: datetime) -> None:
    """Take over a purchase and look at the client again."""
    for current in (await facts.add_purchases(tx, [purchase], now=now)).values():
        await evaluate_client(tx, current, now=now)


async def take_return(tx: Transaction, returned: ReturnRow, *, now: datetime) -> None:
    """Take over what came back of a purchase and look at the client again."""
    for current in sorted(await facts.add_return(tx, returned, now=now)):
        await evaluate_client(tx, current, now=now)


async def take_visit(tx: Transaction, visit: VisitRow, *, now: datetime) -> None:
    """Take over a visit and look at the client again."""
    current = await facts.add_visit(tx, visit, now=now)
    if current is not None:
        await evaluate_client(tx, current, now=now)


async def take_batch(
    tx: Transaction, clients: Sequence[ClientRow], purchases: Sequence[PurchaseRow], *, now: datetime
) -> None:
    """Take over a piece of an import as a set; its clients are looked at when the import is through.

    What stands in a queue follows a client whom the file gave to somebody else.
    """
    if clients:
        owners = await facts.put_clients(tx, clients, now=now)
        known = [owners[one.client_id] for one in clients if one.version > 1 and one.client_id in owners]
        if known:
            await suggestions.hand_over(tx, known, now=now)
    if purchases:
        await facts.add_purchases(tx, purchases, now=now)


async def finish_import(tx: Transaction, *, now: datetime) -> None:
    """Ask for a ranking of the chain, now that an import is through."""
    await chains.request_scoring(tx, reason="import", now=now)


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
        known = await histories.read_client_history(tx, chain, current, as_of=day, rests=rests_at(now))
        stored = await models.find_model(tx)
    bare = Facts(figures, chain.currency, None, None, None, "")
    if known is None or stored is None:
        return _without_model(bare, "No purchase model has been fitted yet.")
    model = stored[0]
    if model.bg_nbd is None:
        return _without_model(bare, model.note)
    expected = estimate(model, Book.of(known[1], day_number(day)), day, minor_per_unit=chain.minor_per_unit)
    alive, purchases, value = (
        float(column[0]) for column in (expected.alive, expected.purchases_year, expected.value_year)
    )
    if math.isnan(alive):
        return _without_model(bare, "Not enough history: no purchase yet.")
    return Facts(
        figures=figures,
        currency=chain.currency,
        probability_alive=alive,
        expected_purchases_year=purchases,
        expected_value_year_minor=round(value * chain.minor_per_unit) if math.isfinite(value) else None,
        model_note=_note(model),
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


def _without_model(facts_: Facts, note: str) -> Facts:
    return Facts(facts_.figures, facts_.currency, None, None, None, note)


def _note(model: ChainModel) -> str:
    return "" if model.gamma_gamma is not None else f"Spend per purchase is the chain's average. {model.note}"
