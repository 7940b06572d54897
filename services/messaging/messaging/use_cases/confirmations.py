"""Consents that count once the client has answered YES, where a chain wants it so: ask once, and take the answer."""

from datetime import datetime

from chassis.database import Transaction
from chassis.ids import new_id
from messaging.domain import CONFIRMATION, Change, Channel, PermissionEntry, Purpose, Sender
from messaging.gate import CONFIRMABLE_FOR
from messaging.store import permissions, senders
from messaging.suppression import Suppressor
from messaging.use_cases.gate_questions import OPT_IN
from messaging.use_cases.permissions import record
from messaging.use_cases.writing import write

CONFIRM_TEXT = (
    "{name}: please confirm that we may text you our news and offers. Reply YES to agree, STOP to opt out."
    " Message and data rates may apply."
)


async def ask_to_confirm(
    tx: Transaction,
    *,
    suppressor: Suppressor,
    phone: str,
    channel: Channel,
    client_id: str,
    client_zone: str,
    store_id: str,
    now: datetime,
) -> None:
    """Write the one text that asks for a YES: from the number that the client knows, else from the home store's.

    Nothing is written where neither is there: the consent then waits. The caller has locked the number.
    """
    sender = await _sender(tx, phone, channel, store_id)
    if sender is None:
        return
    await write(
        tx,
        suppressor=suppressor,
        message_id=new_id("msg"),
        sender=sender,
        phone=phone,
        client_id=client_id,
        client_zone=client_zone,
        body=CONFIRM_TEXT.format(name=sender.display_name),
        purpose=Purpose.SERVICE,
        author=OPT_IN,
        now=now,
    )


async def _sender(tx: Transaction, phone: str, channel: Channel, store_id: str) -> Sender | None:
    known = await permissions.latest_sender_id(tx, phone, channel)
    if known:
        return await senders.get(tx, known)
    return await senders.find_by_store(tx, store_id, channel) if store_id else None


async def confirm(
    tx: Transaction,
    *,
    suppressor: Suppressor,
    phone: str,
    channel: Channel,
    answer: str,
    actor: str,
    cause_id: str,
    now: datetime,
) -> list[PermissionEntry]:
    """Grant what waits for a YES, with both wordings and the question as evidence; nothing when nothing waits.

    The caller has locked the number and knows that `answer` is a yes.
    """
    waits = await permissions.deciding(tx, phone, Purpose.MARKETING, suppressor, channel)
    if waits is None or waits.change is not Change.REQUESTED or now - waits.occurred_at > CONFIRMABLE_FOR:
        return []
    question = await permissions.latest_body(tx, phone, channel, author=OPT_IN)
    if not question:
        return []  # nobody asked: the yes is to something else
    await permissions.note_verified(tx, phone, now, CONFIRMATION)
    return await record(
        tx,
        suppressor=suppressor,
        phone=phone,
        purposes=[Purpose.MARKETING],
        channels=[channel],
        change=Change.GRANTED,
        evidence=f"{waits.evidence}\nAsked: {question}\nAnswered: {answer.strip()}",
        source=CONFIRMATION,
        actor=actor,
        cause_id=cause_id,
        occurred_at=now,
        now=now,
    )
