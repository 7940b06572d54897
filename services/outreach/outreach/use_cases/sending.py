"""Hand the text for a suggestion to messaging exactly once, and note what it had begun as.

Messaging is asked under a send id made of the suggestion and the attempt, and answers the same id with the same
message. So after a crash between its answer and our commit, whoever sends again, with whatever request id, gets that
message back instead of a second one. The texts of an attempt are kept until its fate is known, because only the text
that went first can learn what became of it; a new attempt begins only when messaging has refused the last one for good.
"""

from dataclasses import dataclass

from chassis.caller import Caller
from chassis.clock import Clock
from chassis.database import Database, RequestKey, Transaction
from chassis.errors import not_found
from outreach import events
from outreach.clients import Answer, Messaging, Outcome, TextTaken
from outreach.domain import (
    SendDenied,
    SendFailed,
    SendUnderWay,
    Suggestion,
    SuggestionClosed,
    SuggestionState,
)
from outreach.domain.drafts import KeptDraft
from outreach.store import drafts, suggestions
from outreach.use_cases import outcomes
from outreach.use_cases.facts import take_contact
from outreach.use_cases.queue import require_suggestion
from outreach.use_cases.snippets import note_sent


@dataclass(frozen=True)
class _Attempt:
    """A suggestion as it stood when a text was handed on, with the texts that were tried before in this attempt."""

    suggestion: Suggestion
    earlier: tuple[str, ...]
    draft: KeptDraft | None = None


async def send_suggestion(
    *,
    database: Database,
    clock: Clock,
    messaging: Messaging,
    caller: Caller,
    key: RequestKey,
    suggestion_id: str,
    body: str,
    draft_id: str = "",
) -> Suggestion:
    """Hand a text to messaging; the suggestion is sent when it was taken.

    Raises SUGGESTION_CLOSED for an answered suggestion, DRAFT_NOT_FOUND for a draft that is none of this one's,
    SEND_DENIED with the gate's reasons (it stays open), SEND_FAILED when the network refused the text, and what
    messaging refuses by itself, such as CLIENT_UNREACHABLE.
    """
    while True:
        begun = await _begin(database, clock, caller, key, suggestion_id, body, draft_id)
        if begun.suggestion.state is SuggestionState.SENT:
            return begun.suggestion
        answer, went = await _ask(messaging, begun, body)
        if answer.outcome is Outcome.TAKEN:
            is_ours = went == body
            sent = await _finish(database, clock, caller, key, begun, answer, body, is_ours=is_ours)
            if not is_ours:
                raise SuggestionClosed(suggestion_id, SuggestionState.SENT)
            return sent
        await _give_back(database, clock, caller, begun.suggestion)
        if went != body:
            continue  # an earlier text was refused; this one has not been looked at yet
        if answer.outcome is Outcome.DENIED:
            raise SendDenied(suggestion_id, answer.message_id, answer.reasons)
        raise SendFailed(suggestion_id, answer.message_id, answer.error_code)


async def _begin(
    database: Database,
    clock: Clock,
    caller: Caller,
    key: RequestKey,
    suggestion_id: str,
    body: str,
    draft_id: str,
) -> _Attempt:
    """Note the text before messaging is asked; a repeat of a request that went through gets its suggestion back."""
    now = clock.now()
    async with database.transaction(caller.chain_id) as tx:
        found = await require_suggestion(tx, caller, suggestion_id, now=now, lock=True)
        _, is_repeat = await tx.once(key, suggestion_id)
        if is_repeat and found.state is SuggestionState.SENT and found.sent_fingerprint == key.fingerprint:
            return _Attempt(found, ())
        found.require_live()
        draft = await drafts.find_draft(tx, draft_id, suggestion_id=suggestion_id) if draft_id else None
        if draft_id and draft is None:
            raise not_found("draft", draft_id)
        trying = found.trying(body, now=now)
        if trying is not found:
            await suggestions.save_suggestion(tx, trying)
        return _Attempt(trying, found.tried_bodies, draft)


async def _ask(messaging: Messaging, begun: _Attempt, body: str) -> tuple[Answer, str]:
    """Return what messaging says, and of which text: the first one that reached it in this attempt."""
    suggestion = begun.suggestion
    for text in (body, *(earlier for earlier in begun.earlier if earlier != body)):
        try:
            answer = await messaging.send(
                send_id=suggestion.send_id,
                client_id=suggestion.client_id,
                store_id=suggestion.store_id,
                body=text,
            )
        except TextTaken:
            continue
        return answer, text
    raise SendUnderWay(suggestion.suggestion_id)


async def _finish(
    database: Database,
    clock: Clock,
    caller: Caller,
    key: RequestKey,
    begun: _Attempt,
    answer: Answer,
    body: str,
    *,
    is_ours: bool,
) -> Suggestion:
    now = clock.now()
    tried = begun.suggestion
    async with database.transaction(caller.chain_id) as tx:
        # The client first, as everywhere: events of this client wait for the same rows in the same order.
        await take_contact(
            tx,
            answer.message_id,
            tried.client_id,
            kind="marketing",
            contacted_at=now,
            is_expected=True,
            now=now,
        )
        found = await _lock(tx, tried.suggestion_id)
        sent = found.sent(
            message_id=answer.message_id,
            conversation_id=answer.conversation_id,
            fingerprint=key.fingerprint if is_ours else "",
            now=now,
        )
        if sent is not found:
            await suggestions.save_suggestion(tx, sent)
            tx.publish(events.suggestion_sent(sent), entity_id=sent.suggestion_id)
            if begun.draft is not None and is_ours:
                await note_sent(tx, begun.draft, body, by=caller.associate_id, now=now)
            else:
                await drafts.drop_unsent(tx, sent.suggestion_id)
            await outcomes.expect_text(
                tx,
                sent.message_id,
                client_id=sent.client_id,
                associate_id=caller.associate_id or sent.associate_id,
                store_id=sent.store_id,
                signals=sent.signals,
                suggestion_id=sent.suggestion_id,
                # What goes out by itself is as it was drafted.
                phrasing="drafted" if caller.role == "service" else await _phrasing(tx, sent.suggestion_id),
                now=now,
            )
        return sent


async def _phrasing(tx: Transaction, suggestion_id: str) -> str:
    return (await drafts.phrasings_of(tx, [suggestion_id]))[suggestion_id].phrasing


async def _give_back(database: Database, clock: Clock, caller: Caller, tried: Suggestion) -> None:
    now = clock.now()
    async with database.transaction(caller.chain_id) as tx:
        found = await _lock(tx, tried.suggestion_id)
        await suggestions.save_suggestion(tx, found.refused(tried.attempt, now=now))


async def _lock(tx: Transaction, suggestion_id: str) -> Suggestion:
    """Return a suggestion as it was last written: its text is out or refused, whatever day it is."""
    found = await suggestions.find_written(tx, suggestion_id)
    if found is None:  # the client was erased meanwhile
        raise not_found("suggestion", suggestion_id)
    return found
