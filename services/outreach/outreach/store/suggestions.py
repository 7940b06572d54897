"""Suggestions, one at a time, for what people do. Must not know why one is there; see `ranking_results` for sets.

A row keeps the state that was last written; `SEEN` is the state it has on a day, when snoozes end and time runs out
by themselves. `queues` lists them.
"""

import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from sqlalchemy import Row
from sqlalchemy.exc import IntegrityError

from chassis import identities
from chassis.database import Transaction
from outreach.domain import ContactKind, Reason, Signal, Suggestion, SuggestionState, Tier, TierAction

SEEN = (
    "case when state in ('open', 'snoozed') and expires_on < :queue_day then 'expired'"
    " when state = 'snoozed' and snoozed_until <= :today then 'open' else state end"
)
COLUMNS = (
    "suggestion_id, client_id, associate_id, store_id, as_of, expires_on, score, reasons, model_note, version,"
    " created_at, updated_at, snoozed_until, dismiss_reason, answered_at, message_id, conversation_id,"
    " sent_fingerprint, attempt, tried_bodies, tier, action, is_explored, contact_kind, contact_note, contacted_at,"
    " reassigned_by"
)
# The day since when it waits: since it was made, or came back from being put away.
OPEN_SINCE = (
    "greatest((created_at at time zone :zone)::date, waiting_since,"
    " case when state = 'snoozed' and snoozed_until <= :today then snoozed_until end)"
)
_FACTORS = ("value", "effect", "urgency", "freshness")


@dataclass(frozen=True)
class QueueDay:
    """The day on the chain's wall, its zone, the day its queue is for, and since when what is open is overdue.

    The queue's day differs from the chain's while an earlier one is replayed. What waits since before `overdue_before`
    is overdue.
    """

    today: date
    zone: str
    queue_day: date
    overdue_before: date

    def parameters(self) -> dict[str, Any]:
        """Return them as the queries name them."""
        return {
            "today": self.today,
            "zone": self.zone,
            "queue_day": self.queue_day,
            "overdue_before": self.overdue_before,
        }


async def find_suggestion(
    tx: Transaction, suggestion_id: str, day: QueueDay, *, lock: bool = False
) -> Suggestion | None:
    """Return a suggestion as it is today; with `lock`, nobody else changes it before the commit."""
    found = await tx.execute(
        f"select {COLUMNS}, {SEEN} as state, {OPEN_SINCE} < :overdue_before as waits_long"  # noqa: S608 - fixed text
        " from suggestions where chain_id = :chain_id and suggestion_id = :suggestion_id"
        f" {'for update' if lock else ''}",
        {"chain_id": tx.chain_id, "suggestion_id": suggestion_id, **day.parameters()},
    )
    row = found.one_or_none()
    return None if row is None else suggestion_of_row(row)


async def find_written(tx: Transaction, suggestion_id: str) -> Suggestion | None:
    """Return a suggestion as it was last written, locked."""
    found = await tx.execute(
        f"select {COLUMNS}, state from suggestions"  # noqa: S608 - fixed text only
        " where chain_id = :chain_id and suggestion_id = :suggestion_id for update",
        {"chain_id": tx.chain_id, "suggestion_id": suggestion_id},
    )
    row = found.one_or_none()
    return None if row is None else suggestion_of_row(row)


async def find_live(tx: Transaction, client_id: str) -> Suggestion | None:
    """Return a client's open or snoozed suggestion as it was last written, locked."""
    found = await tx.execute(
        f"select {COLUMNS}, state from suggestions where chain_id = :chain_id and client_id = :client_id"  # noqa: S608
        " and state in ('open', 'snoozed') for update",
        {"chain_id": tx.chain_id, "client_id": client_id},
    )
    row = found.one_or_none()
    return None if row is None else suggestion_of_row(row)


async def count_open_signals(
    tx: Transaction, *, store_id: str, today: date, queue_day: date
) -> Mapping[Signal, int]:
    """Return how many suggestions are open for each signal, at a store or in the whole chain."""
    found = await tx.execute(
        "select signal, count(*) as suggestions from suggestions cross join lateral unnest(signals) as signal"
        " where chain_id = :chain_id and (:store_id = '' or store_id = :store_id) and expires_on >= :queue_day"
        " and (state = 'open' or (state = 'snoozed' and snoozed_until <= :today)) group by signal",
        {"chain_id": tx.chain_id, "store_id": store_id, "today": today, "queue_day": queue_day},
    )
    return {Signal(row.signal): row.suggestions for row in found}


async def add_suggestion(tx: Transaction, suggestion: Suggestion) -> bool:
    """Add a suggestion; False when its client has a live one already."""
    added = await tx.execute(
        "insert into suggestions (chain_id, suggestion_id, client_id, associate_id, store_id, state, as_of, expires_on,"
        " score, reasons, signals, model_note, tier, action, is_explored, version, created_at, updated_at)"
        " values (:chain_id, :suggestion_id,"
        " :client_id, :associate_id, :store_id, :state, :as_of, :expires_on, :score, cast(:reasons as jsonb), :signals,"
        " :model_note, :tier, :action, :is_explored, :version, :created_at, :updated_at)"
        " on conflict (chain_id, client_id) where state in ('open', 'snoozed') do nothing",
        {"chain_id": tx.chain_id, **_ranked(suggestion), "created_at": suggestion.created_at},
    )
    return bool(added.rowcount)


async def hand_over(tx: Transaction, client_ids: Sequence[str], *, now: datetime) -> None:
    """Put the live suggestions of clients into the queues of those whose the clients are now.

    One that somebody handed on stays with whom it was handed to.
    """
    connection = await tx.driver()
    # In one order for all, as in every other place that holds several suggestions.
    await connection.execute(
        "with held as (select suggestion_id, client_id from suggestions where chain_id = $1 and client_id = any($2)"
        "  and state in ('open', 'snoozed') order by client_id for update)"
        " update suggestions s set associate_id = c.associate_id, store_id = c.store_id, version = s.version + 1,"
        " updated_at = $3 from held, clients c where s.chain_id = $1 and s.suggestion_id = held.suggestion_id"
        " and c.chain_id = $1 and c.client_id = held.client_id and c.associate_id <> '' and s.reassigned_by = ''"
        " and (s.associate_id, s.store_id) is distinct from (c.associate_id, c.store_id)",
        tx.chain_id,
        sorted(set(client_ids)),
        now,
    )


async def withdraw(tx: Transaction, client_ids: Collection[str], *, now: datetime) -> None:
    """Take clients off the queue, whatever is being ranked or tried at the moment."""
    await tx.execute(
        "update suggestions set state = 'expired', snoozed_until = null, version = version + 1, updated_at = :now"
        " where chain_id = :chain_id and client_id = any(:client_ids) and state in ('open', 'snoozed')",
        {"chain_id": tx.chain_id, "client_ids": list(client_ids), "now": now},
    )


async def follow_clients(tx: Transaction, currents: Mapping[str, str]) -> None:
    """Give suggestions to whom their clients are now; those that are live have been withdrawn before."""
    await identities.move_rows(tx, "suggestions", "client_id", currents)


async def revive_suggestion(tx: Transaction, suggestion: Suggestion) -> bool:
    """Write a suggestion that is live again; False when a ranking gave its client another one at this moment."""
    try:
        async with tx.connection.begin_nested():
            await save_suggestion(tx, suggestion)
    except IntegrityError:
        return False
    return True


async def save_suggestion(tx: Transaction, suggestion: Suggestion) -> None:
    """Write everything of a suggestion that can change."""
    await tx.execute(
        "update suggestions set associate_id = :associate_id, store_id = :store_id, state = :state, as_of = :as_of,"
        " expires_on = :expires_on, score = :score, reasons = cast(:reasons as jsonb), signals = :signals,"
        " model_note = :model_note, tier = :tier, action = :action, is_explored = :is_explored,"
        " version = :version, updated_at = :updated_at, snoozed_until = :snoozed_until,"
        " dismiss_reason = :dismiss_reason, answered_at = :answered_at, message_id = :message_id,"
        " conversation_id = :conversation_id, sent_fingerprint = :sent_fingerprint, attempt = :attempt,"
        " tried_bodies = :tried_bodies, contact_kind = :contact_kind, contact_note = :contact_note,"
        " contacted_at = :contacted_at, reassigned_by = :reassigned_by, waiting_since = case when state = 'snoozed'"
        "  and :state = 'open' then least(snoozed_until, cast(:updated_at as timestamptz)::date)"
        "  else waiting_since end,"
        " tried_at = case when cardinality(cast(:tried_bodies as text[])) > 0 then cast(:updated_at as timestamptz) end"
        " where chain_id = :chain_id and suggestion_id = :suggestion_id",
        {
            "chain_id": tx.chain_id,
            **_ranked(suggestion),
            "snoozed_until": suggestion.snoozed_until,
            "dismiss_reason": suggestion.dismiss_reason,
            "answered_at": suggestion.answered_at,
            "message_id": suggestion.message_id,
            "conversation_id": suggestion.conversation_id,
            "sent_fingerprint": suggestion.sent_fingerprint,
            "attempt": suggestion.attempt,
            "tried_bodies": list(suggestion.tried_bodies),
            "contact_kind": suggestion.contact_kind or "",
            "contact_note": suggestion.contact_note,
            "contacted_at": suggestion.contacted_at,
            "reassigned_by": suggestion.reassigned_by,
        },
    )


def _ranked(suggestion: Suggestion) -> dict[str, Any]:
    return {
        "suggestion_id": suggestion.suggestion_id,
        "client_id": suggestion.client_id,
        "associate_id": suggestion.associate_id,
        "store_id": suggestion.store_id,
        "state": suggestion.state,
        "as_of": suggestion.as_of,
        "expires_on": suggestion.expires_on,
        "score": suggestion.score,
        "reasons": reasons_document(suggestion.reasons),
        "signals": [str(signal) for signal in suggestion.signals],
        "model_note": suggestion.model_note,
        "tier": suggestion.tier or "",
        "action": suggestion.action,
        "is_explored": suggestion.is_explored,
        "version": suggestion.version,
        "updated_at": suggestion.updated_at,
    }


def reasons_document(reasons: Sequence[Reason]) -> str:
    """Return reasons as JSON holds them; factors are value, effect, urgency and freshness."""
    return json.dumps(
        [
            {
                "signal": reason.signal,
                "sentence": reason.sentence,
                "contribution": reason.contribution,
                "facts": dict(reason.facts),
                "factors": [reason.value, reason.effect, reason.urgency, reason.freshness],
                "source": reason.source,
            }
            for reason in reasons
        ]
    )


def suggestion_of_row(row: Row[Any]) -> Suggestion:
    """Return the suggestion in a row of COLUMNS with a state, and `waits_long` or a `place` where they were asked
    for."""
    fields = row._asdict()
    fields.pop("place", None)
    reasons = fields.pop("reasons")
    state = SuggestionState(fields.pop("state"))
    snoozed_until, tier, action = fields.pop("snoozed_until"), fields.pop("tier"), fields.pop("action")
    contact_kind = fields.pop("contact_kind")
    return Suggestion(
        **{**fields, "tried_bodies": tuple(fields["tried_bodies"])},
        state=state,
        snoozed_until=snoozed_until if state is SuggestionState.SNOOZED else None,
        tier=Tier(tier) if tier else None,
        action=TierAction(action),
        contact_kind=ContactKind(contact_kind) if contact_kind else None,
        reasons=tuple(
            Reason(
                Signal(part["signal"]),
                part["sentence"],
                part["contribution"],
                part["facts"],
                **dict(zip(_FACTORS, part.get("factors", ()), strict=False)),
                source=part.get("source", ""),
            )
            for part in reasons
        ),
    )
