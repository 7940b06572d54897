"""Put texts into their conversations as the gate decides. Every text that goes out comes to be here."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from chassis.database import Transaction
from messaging.domain import (
    WAITING,
    Decision,
    Direction,
    Message,
    ProviderTemplate,
    Purpose,
    Sender,
    State,
    Verdict,
)
from messaging.segments import count_segments
from messaging.store import due, many, messages
from messaging.suppression import Suppressor
from messaging.use_cases.gate_questions import Outgoing, ask_gates

# After so long what a text is about has passed, unless whoever wrote it says otherwise.
EXPIRES_AFTER = timedelta(hours=72)

_STATE_BY_VERDICT = {Verdict.ALLOW: State.QUEUED, Verdict.DEFER: State.DEFERRED, Verdict.DENY: State.DENIED}


@dataclass(frozen=True)
class Draft:
    """One text that is to be written. `phone` is an e-mail address on EMAIL; not before `send_at`, not after
    `expires_at`, both of which may be left out."""

    message_id: str
    sender: Sender
    phone: str = field(repr=False)
    client_id: str
    client_zone: str
    body: str = field(repr=False)
    purpose: Purpose
    author: str
    subject: str = field(default="", repr=False)
    template_id: str = ""
    provider_template: ProviderTemplate | None = None
    campaign_id: str = ""
    bulk_send_id: str = ""
    reminder_id: str = ""
    has_media: bool = False
    send_at: datetime | None = None
    expires_at: datetime | None = None

    @property
    def segments(self) -> int:
        """Return what the network counts it as; an e-mail, or a text of WhatsApp, is one."""
        return count_segments(self.body) if self.sender.channel == "SMS" else 1

    def not_before(self, now: datetime) -> datetime:
        """Return when it may go out at the earliest."""
        return max(now, self.send_at or now)

    def outgoing(self) -> Outgoing:
        """Return it as the gate is asked about it."""
        return Outgoing(
            self.sender,
            self.phone,
            self.client_zone,
            self.purpose,
            self.body,
            self.author,
            self.campaign_id,
            has_media=self.has_media,
            has_provider_template=self.provider_template is not None,
            segments=self.segments,
            client_id=self.client_id,
        )


async def write(
    tx: Transaction,
    *,
    suppressor: Suppressor,
    message_id: str,
    sender: Sender,
    phone: str,
    client_id: str,
    client_zone: str,
    body: str,
    purpose: Purpose,
    author: str,
    now: datetime,
) -> Message:
    """Put one plain text into its conversation as the gate decides, due at once or at its hour."""
    draft = Draft(message_id, sender, phone, client_id, client_zone, body, purpose, author)
    return (await write_all(tx, [draft], suppressor=suppressor, now=now))[0]


async def write_all(
    tx: Transaction, drafts: Sequence[Draft], *, suppressor: Suppressor, now: datetime
) -> list[Message]:
    """Put texts into their conversations as the gate decides, due at once or at their hour, in a few statements.

    Several to one number are written one after the other, so that the gate sees what was written before.
    """
    await many.lock_numbers(tx, [draft.phone for draft in drafts])
    written: dict[str, Message] = {}
    waiting = list(drafts)
    while waiting:
        firsts = list({draft.phone: draft for draft in reversed(waiting)}.values())[::-1]
        waiting = [draft for draft in waiting if draft not in firsts]
        written |= await _write_round(tx, firsts, suppressor=suppressor, now=now)
    return [written[draft.message_id] for draft in drafts]


async def _write_round(
    tx: Transaction, drafts: Sequence[Draft], *, suppressor: Suppressor, now: datetime
) -> dict[str, Message]:
    conversation_ids = await many.find_or_create_conversations(
        tx, [(draft.sender, draft.phone) for draft in drafts], now
    )
    decisions: dict[str, Decision] = {}
    # The gate is asked about the hour at which a text is to go out.
    for moment in sorted({draft.not_before(now) for draft in drafts}):
        asked = [draft for draft in drafts if draft.not_before(now) == moment]
        answers = await ask_gates(
            tx, [draft.outgoing() for draft in asked], suppressor=suppressor, now=moment
        )
        decisions |= {draft.message_id: answer for draft, answer in zip(asked, answers, strict=True)}
    written = []
    for draft, conversation_id in zip(drafts, conversation_ids, strict=True):
        decision, moment = decisions[draft.message_id], draft.not_before(now)
        state = _STATE_BY_VERDICT[decision.verdict]
        if state is State.QUEUED and moment > now:
            state = State.DEFERRED
        waits_until = decision.defer_until or (moment if moment > now else None)
        written.append(
            Message(
                message_id=draft.message_id,
                conversation_id=conversation_id,
                store_id=draft.sender.store_id,
                client_id=draft.client_id,
                direction=Direction.OUTBOUND,
                body=draft.body,
                state=state,
                purpose=draft.purpose,
                segments=draft.segments,
                author=draft.author,
                created_at=now,
                updated_at=now,
                decision=decision,
                send_after=waits_until if state is State.DEFERRED else None,
                client_zone=draft.client_zone,
                channel=draft.sender.channel,
                subject=draft.subject,
                template_id=draft.template_id,
                provider_template=draft.provider_template,
                campaign_id=draft.campaign_id,
                bulk_send_id=draft.bulk_send_id,
                reminder_id=draft.reminder_id,
                expires_at=draft.expires_at or moment + EXPIRES_AFTER,
            )
        )
    await messages.add(tx, *written)
    standing = [message for message in written if message.state in WAITING]
    await many.note_outbound(
        tx, conversation_ids, [message.conversation_id for message in standing if message.is_answer], now
    )
    await due.put(
        tx,
        [
            due.to_send(message, draft.sender.sender_id, message.send_after or now)
            for draft, message in zip(drafts, written, strict=True)
            if message.state in WAITING
        ],
    )
    return {message.message_id: message for message in written}
