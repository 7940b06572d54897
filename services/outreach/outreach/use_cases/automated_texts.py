"""Answer suggestions whose tier is written to by itself: a text from the signal's template, once, or none.

Off unless a chain says so of a tier, and looked at again when the text is due. The text goes the way of every text
for a suggestion (see `sending`), under the same send id, so that a person and this, two replicas, or a crash cannot
make two of it. What the gate defers messaging holds until the client's daytime; what it denies closes the suggestion
with its reason: asking again every night would be no better.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

import structlog

from chassis import context as work
from chassis.caller import Caller, set_caller
from chassis.clock import Clock
from chassis.database import Database, RequestKey
from chassis.errors import Kind, ServiceError
from outreach import events
from outreach.clients import Messaging, Profiles
from outreach.domain import SendDenied, SendFailed, SuggestionClosed, Tier, TierAction
from outreach.store import automated, chains, settings, suggestions
from outreach.store.automated import Automated
from outreach.texts.drafts import write_draft
from outreach.use_cases.sending import send_suggestion

SCOPES = frozenset({"clients:read", "directory:read", "messages:send"})

# Whoever wrote within so long is in a conversation, which is an associate's; whom the house wrote to rests.
CONVERSATION = timedelta(days=7)
_BATCH = 20
_CHAINS = 500
_LEASE = timedelta(seconds=60)
_FINAL = (Kind.NOT_FOUND, Kind.INVALID, Kind.PRECONDITION)

_log = structlog.get_logger(__name__)


@dataclass(frozen=True)
class AutomatedSender:
    """What sending by itself needs; `speak_for` returns this service as a signed caller of a chain."""

    database: Database
    clock: Clock
    profiles: Profiles
    messaging: Messaging
    speak_for: Callable[[str], Caller]


async def send_automated_texts(sender: AutomatedSender) -> int:
    """Send what is due in any chain; return how many texts messaging took."""
    sent, after = 0, ""
    while True:
        async with sender.database.platform_transaction() as platform:
            page = await automated.chains_after(platform, after, limit=_CHAINS)
        for chain_id in page:
            try:
                sent += await _send_for_chain(sender, chain_id)
            except ServiceError as error:
                _log.warning("automated texts go on later", chain_id=chain_id, reason=error.reason)
        if len(page) < _CHAINS:
            return sent
        after = page[-1]


async def _send_for_chain(sender: AutomatedSender, chain_id: str) -> int:
    sent = 0
    while taken := await _take(sender, chain_id):
        work.begin_work()
        caller = sender.speak_for(chain_id)
        set_caller(caller)
        for one in taken:
            sent += await _send(sender, caller, one)
    return sent


async def _take(sender: AutomatedSender, chain_id: str) -> Sequence[Automated]:
    now = sender.clock.now()
    async with sender.database.transaction(chain_id) as tx:
        if not await automated.has_automated(tx):
            return ()
        chain = await chains.get_chain(tx)
        if chain.is_replaying(now):  # a day gone by is looked at; nobody is written to for it
            return ()
        bands = (await settings.get_settings(tx)).tier_bands
        tiers = [tier for tier in Tier if bands.action(tier) is TierAction.AUTOMATED]
        await automated.leave_to_people(tx, wrote_since=now - CONVERSATION, now=now)
        return await automated.take_due(
            tx,
            tiers=tiers,
            today=chain.today(now),
            marketed_since=now - CONVERSATION,
            now=now,
            again_at=now + _LEASE,
            limit=_BATCH,
        )


async def _send(sender: AutomatedSender, caller: Caller, one: Automated) -> bool:
    try:
        names = await sender.profiles.names(
            client_id=one.client_id, associate_id=one.associate_id, store_id=one.store_id
        )
        draft = write_draft(
            one.signal,
            language=names.language or one.language,
            given_name=names.given_name,
            associate_name=names.associate_name,
            store_name=names.store_name,
            is_first=one.is_first,
        )
        await send_suggestion(
            database=sender.database,
            clock=sender.clock,
            messaging=sender.messaging,
            caller=caller,
            key=RequestKey("", f"automated {one.suggestion_id}"),
            suggestion_id=one.suggestion_id,
            body=draft.body,
        )
    except SuggestionClosed:
        return False  # somebody was quicker
    except SendDenied as denied:
        await _close(sender, caller, one, f"{denied.reason}: {denied.metadata['reasons']}")
        return False
    except SendFailed as failed:
        await _close(sender, caller, one, failed.reason)
        return False
    except ServiceError as error:
        if error.kind in _FINAL:
            await _close(sender, caller, one, error.reason)
        else:
            _log.info("automated text goes later", suggestion_id=one.suggestion_id, reason=error.reason)
        return False
    return True


async def _close(sender: AutomatedSender, caller: Caller, one: Automated, reason: str) -> None:
    """Put a suggestion away for good: messaging said for good that its text does not go out."""
    now: datetime = sender.clock.now()
    async with sender.database.transaction(caller.chain_id) as tx:
        found = await suggestions.find_written(tx, one.suggestion_id)
        if found is None:
            return
        try:
            closed = found.refused(found.attempt, now=now).dismissed(reason, now=now)
        except SuggestionClosed:
            return
        if closed is not found:
            await suggestions.save_suggestion(tx, closed)
            tx.publish(events.suggestion_dismissed(closed), entity_id=closed.suggestion_id)
