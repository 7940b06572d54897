"""CANCEL in answer to a reminder: for the carrier it opts out of everything, for the client it calls something off."""

from datetime import datetime, timedelta

from chassis.database import Transaction
from chassis.ids import new_id
from messaging import events
from messaging.domain import Message, note_of
from messaging.keywords import plain
from messaging.store import conversations, messages

# So long after a reminder went out, CANCEL is taken for an answer to it.
WINDOW = timedelta(hours=48)
_ANSWER = "cancel"
_NOTE = (
    "CANCEL came in answer to a reminder ({reminder_id}). The carrier has taken it for an opt-out of all texts, and so"
    " do we: please call about what the reminder was for."
)


async def note_cancelled(tx: Transaction, answer: Message, now: datetime) -> None:
    """Tell the store when a client answers CANCEL to a reminder, beside what the keyword does; the conversation is open
    and unread already, as after any text."""
    if plain(answer.body) != _ANSWER:
        return
    reminder_id = await messages.last_reminder(tx, answer.conversation_id, since=now - WINDOW)
    conversation = await conversations.find(tx, answer.conversation_id)
    if not reminder_id or conversation is None:
        return
    await messages.add(
        tx,
        note_of(
            conversation,
            message_id=new_id("nte"),
            body=_NOTE.format(reminder_id=reminder_id),
            author="system",
            now=now,
        ),
    )
    tx.publish(events.reminder_cancelled(answer, reminder_id), entity_id=answer.message_id)
