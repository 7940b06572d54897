"""Look at one client again after an event, inside the transaction of the event. Must stay a few milliseconds.

Uses the chain's stored model, as of today at the chain. While an earlier day is being replayed (see `scoring`),
suggestions that the replay made stay as they are: an event of today says nothing about that day.
"""

from dataclasses import replace
from datetime import date, datetime, timedelta

from chassis.database import Transaction
from chassis.ids import new_id
from outreach import events
from outreach.domain import Suggestion, SuggestionState
from outreach.scoring.ranking import Candidate, rank
from outreach.store import books, chains, models, refresh, suggestions
from outreach.store.histories import KnownClient, Rests
from outreach.store.rules import read_rules
from outreach.use_cases.arrivals import follow_shelf
from outreach.use_cases.leaving_alone import leave_alone

# A reason that was answered is not brought up again at once. After a dismissal longer: somebody who knows the client
# said no.
REST_AFTER_SENT = timedelta(days=30)
REST_AFTER_DISMISSAL = timedelta(days=90)


def rests_at(now: datetime) -> Rests:
    """Return from when on answers keep their signals away."""
    return Rests(sent_since=now - REST_AFTER_SENT, dismissed_since=now - REST_AFTER_DISMISSAL)


async def evaluate_client(tx: Transaction, client_id: str, *, now: datetime) -> None:
    """Raise, refresh or expire the suggestion of one client as of today; says SuggestionRaised for a new one.

    However full the queue: what happened just now is worth a look today. The night cuts the queue to its best again.
    """
    chain = await chains.get_chain(tx)
    today, queue_day = chain.today(now), chain.queue_day(now)
    await refresh.hold_clients(tx, [client_id])
    await follow_shelf(tx, [client_id], today=today, now=now)
    live = await suggestions.find_live(tx, client_id)
    known = await books.read_client_book(tx, chain, client_id, as_of=today, rests=rests_at(now))
    is_replayed = live is not None and chain.is_replaying(now) and live.as_of == queue_day != today
    if live is not None and known is not None and (live.tried_bodies or is_replayed):
        if known[0].associate_id:
            await _hand_over(tx, live, known[0], now=now)
        return
    candidate: Candidate | None = None
    if known is not None:
        stored = await models.find_model(tx)
        rules = await read_rules(tx)
        found = rank(
            known[1],
            stored[0] if stored else None,
            today,
            currency=chain.currency,
            minor_per_unit=chain.minor_per_unit,
            keep=1,
            rules=rules,
        )
        candidate = found[0] if found else None
        if candidate is not None and live is None and known[0].associate_id:
            signals = [reason.signal for reason in candidate.reasons]
            share = rules.settings.holdout_share
            if await leave_alone(tx, {0: (known[0], signals)}, share=share, as_of=today, now=now):
                return
    if live is not None and live.expires_on < today:
        await suggestions.save_suggestion(tx, _expired(live, now=now))
        live = None
    if known is None or candidate is None:
        if live is not None:
            await suggestions.save_suggestion(tx, _expired(live, now=now))
        return
    suggestion = suggestion_of(candidate, known[0], now=now, as_of=today)
    if live is not None:
        await _refresh(tx, live, suggestion)
        return
    if await suggestions.add_suggestion(tx, suggestion):
        tx.publish(events.suggestion_raised(suggestion), entity_id=suggestion.suggestion_id)


def suggestion_of(candidate: Candidate, client: KnownClient, *, as_of: date, now: datetime) -> Suggestion:
    """Return the suggestion that a candidate becomes."""
    return Suggestion(
        suggestion_id=new_id("sug"),
        client_id=client.client_id,
        associate_id=client.associate_id,
        store_id=client.store_id,
        state=SuggestionState.OPEN,
        as_of=as_of,
        expires_on=candidate.expires_on,
        score=candidate.score,
        reasons=candidate.reasons,
        model_note=candidate.model_note,
        tier=candidate.tier,
        action=candidate.action,
        is_explored=candidate.is_explored,
        created_at=now,
        updated_at=now,
    )


async def _refresh(tx: Transaction, live: Suggestion, ranked: Suggestion) -> None:
    whose = live if live.reassigned_by else ranked
    refreshed = replace(
        live,
        associate_id=whose.associate_id,
        store_id=whose.store_id,
        as_of=ranked.as_of,
        expires_on=ranked.expires_on,
        score=ranked.score,
        reasons=ranked.reasons,
        model_note=ranked.model_note,
        tier=ranked.tier,
        action=whose.action,
    )
    if refreshed != live:
        await suggestions.save_suggestion(
            tx, replace(refreshed, version=live.version + 1, updated_at=ranked.updated_at)
        )


async def _hand_over(tx: Transaction, live: Suggestion, client: KnownClient, *, now: datetime) -> None:
    moved = replace(live, associate_id=client.associate_id, store_id=client.store_id)
    if moved != live and not live.reassigned_by:
        await suggestions.save_suggestion(tx, replace(moved, version=live.version + 1, updated_at=now))


def _expired(live: Suggestion, *, now: datetime) -> Suggestion:
    return replace(
        live, state=SuggestionState.EXPIRED, snoozed_until=None, version=live.version + 1, updated_at=now
    )
