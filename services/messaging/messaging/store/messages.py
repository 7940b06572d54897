"""Messages, the times at which something is to be done about them, and inbound texts as they came."""

# ruff: noqa: S608 - what is put into statements here are constants of this module

import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Row

from chassis.database import Transaction
from messaging.domain import (
    Channel,
    Decision,
    Direction,
    Message,
    ProviderTemplate,
    Purpose,
    Reason,
    Sender,
    State,
    Verdict,
)
from messaging.providers import InboundText
from messaging.store import senders

_COLUMNS = (
    "m.message_id, m.conversation_id, m.store_id, m.client_id, m.direction, m.body, m.state, m.purpose, m.segments,"
    " m.author, m.created_at, m.updated_at, m.decision, m.send_after, m.error_code, m.client_zone, m.attempts,"
    " m.attempted_at, m.sent_at, m.provider_message_id, m.position,"
    " m.channel, m.subject, m.template_id, m.campaign_id, m.bulk_send_id, m.reminder_id, m.expires_at, m.delivered_at,"
    " m.provider_template"
)
_SENDER = ", ".join(f"s.{name} as sender_{name}" for name in senders.COLUMNS)


@dataclass(frozen=True)
class Addressed:
    """A message with both ends of its way."""

    message: Message
    sender: Sender
    client_phone: str


async def add(tx: Transaction, *messages: Message) -> None:
    """Write new messages down, in this order."""
    await tx.execute(
        "insert into messages (message_id, chain_id, conversation_id, store_id, client_id, direction, body, state,"
        " purpose, segments, decision, send_after, client_zone, error_code, author, attempts, attempted_at, sent_at,"
        " provider_message_id, created_at, updated_at, channel, subject, template_id, campaign_id, bulk_send_id,"
        " reminder_id, expires_at, delivered_at, provider_template)"
        " values (:message_id, :chain_id, :conversation_id, :store_id,"
        " :client_id, :direction, :body, :state, :purpose, :segments, :decision, :send_after, :client_zone,"
        " :error_code, :author, :attempts, :attempted_at, :sent_at, :provider_message_id, :created_at, :updated_at,"
        " :channel, :subject, :template_id, :campaign_id, :bulk_send_id, :reminder_id, :expires_at, :delivered_at,"
        " :provider_template)",
        [_row(tx.chain_id, message) for message in messages],
    )


def _row(chain_id: str, message: Message) -> dict[str, Any]:
    template = message.provider_template
    return {
        "chain_id": chain_id,
        "message_id": message.message_id,
        "conversation_id": message.conversation_id,
        "store_id": message.store_id,
        "client_id": message.client_id,
        "direction": message.direction,
        "body": message.body,
        "purpose": message.purpose,
        "client_zone": message.client_zone,
        "author": message.author,
        "created_at": message.created_at,
        "channel": message.channel,
        "subject": message.subject,
        "template_id": message.template_id,
        "campaign_id": message.campaign_id,
        "bulk_send_id": message.bulk_send_id,
        "reminder_id": message.reminder_id,
        "expires_at": message.expires_at,
        "provider_template": None if template is None else json.dumps(asdict(template)),
        **_changing(message),
    }


async def save(tx: Transaction, *messages: Message) -> None:
    """Write down what can change of messages."""
    if not messages:
        return
    await tx.execute(
        "update messages set state = :state, segments = :segments, decision = :decision, send_after = :send_after,"
        " error_code = :error_code, attempts = :attempts, attempted_at = :attempted_at, sent_at = :sent_at,"
        " provider_message_id = :provider_message_id, delivered_at = :delivered_at,"
        " updated_at = :updated_at where message_id = :message_id",
        [{"message_id": message.message_id, **_changing(message)} for message in messages],
    )


def _changing(message: Message) -> dict[str, Any]:
    return {
        "state": message.state,
        "segments": message.segments,
        "decision": None if message.decision is None else json.dumps(_decision_document(message.decision)),
        "send_after": message.send_after,
        "error_code": message.error_code,
        "attempts": message.attempts,
        "attempted_at": message.attempted_at,
        "sent_at": message.sent_at,
        "provider_message_id": message.provider_message_id,
        "delivered_at": message.delivered_at,
        "updated_at": message.updated_at,
    }


async def find(tx: Transaction, message_id: str) -> Message | None:
    """Return one message."""
    found = await tx.execute(
        f"select {_COLUMNS} from messages m where m.message_id = :id", {"id": message_id}
    )
    row = found.one_or_none()
    return None if row is None else _message(row)


async def find_all(tx: Transaction, message_ids: Collection[str]) -> dict[str, Message]:
    """Return messages by id."""
    found = await tx.execute(
        f"select {_COLUMNS} from messages m where m.message_id = any(:ids)", {"ids": list(message_ids)}
    )
    return {row.message_id: _message(row) for row in found}


async def lock(tx: Transaction, message_id: str) -> Addressed | None:
    """Return one message for a change, once nobody else changes it."""
    return (await lock_all(tx, [message_id])).get(message_id)


async def lock_all(tx: Transaction, message_ids: Collection[str]) -> dict[str, Addressed]:
    """Return messages for a change, once nobody else changes them."""
    return await _addressed(
        tx, "where m.message_id = any(:ids) order by m.message_id for update of m", {"ids": list(message_ids)}
    )


async def ends_of(tx: Transaction, message_ids: Collection[str]) -> dict[str, tuple[str, str]]:
    """Return the sender and the other side's number of messages, without keeping anybody from changing them."""
    found = await tx.execute(
        "select m.message_id, c.sender_id, c.client_phone from messages m"
        " join conversations c on c.conversation_id = m.conversation_id where m.message_id = any(:ids)",
        {"ids": list(message_ids)},
    )
    return {row.message_id: (row.sender_id, row.client_phone) for row in found}


async def take_due(tx: Transaction, message_ids: Collection[str], now: datetime) -> dict[str, Addressed]:
    """Return those of some messages about which something is to be done by `now`, but for what others are at."""
    return await _addressed(
        tx,
        "join due_messages d on d.message_id = m.message_id"
        " where m.message_id = any(:ids) and d.due_time <= :now for update of m, d skip locked",
        {"ids": list(message_ids), "now": now},
    )


async def take_expired(tx: Transaction, message_ids: Collection[str], now: datetime) -> dict[str, Addressed]:
    """Return those of some messages that have not gone out and are too late to, but for what others are at."""
    return await _addressed(
        tx,
        "join due_messages d on d.message_id = m.message_id"
        " where m.message_id = any(:ids) and d.expire_time <= :now for update of m, d skip locked",
        {"ids": list(message_ids), "now": now},
    )


async def _addressed(tx: Transaction, rest: str, parameters: Mapping[str, Any]) -> dict[str, Addressed]:
    found = await tx.execute(
        f"select {_COLUMNS}, c.client_phone, {_SENDER} from messages m"
        " join conversations c on c.conversation_id = m.conversation_id"
        f" join senders s on s.sender_id = c.sender_id {rest}",
        parameters,
    )
    return {
        row.message_id: Addressed(_message(row), senders.sender_of(row, "sender_"), row.client_phone)
        for row in found
    }


async def page(tx: Transaction, *, conversation_id: str, before: int | None, most: int) -> Sequence[Message]:
    """Return up to `most` messages of a conversation, newest first."""
    cut = "" if before is None else "and m.position < :before"
    found = await tx.execute(
        f"select {_COLUMNS} from messages m where m.conversation_id = :id {cut} order by m.position desc limit :most",
        {"id": conversation_id, "most": most, **({} if before is None else {"before": before})},
    )
    return [_message(row) for row in found]


async def last_reminder(tx: Transaction, conversation_id: str, *, since: datetime) -> str:
    """Return what the last reminder of a conversation that went out `since` then was about; empty for none."""
    found = await tx.execute(
        "select reminder_id from messages where chain_id = :chain_id and conversation_id = :id and reminder_id <> ''"
        " and direction = 'OUTBOUND' and attempted_at >= :since"
        " and state in ('SENDING', 'UNKNOWN', 'SENT', 'DELIVERED')"
        " order by position desc limit 1",
        {"chain_id": tx.chain_id, "id": conversation_id, "since": since},
    )
    return str(found.scalar_one_or_none() or "")


async def keep_inbound(tx: Transaction, inbound: InboundText, message_id: str, now: datetime) -> bool:
    """Keep an inbound text as it came; False when the network had handed it in before."""
    kept = await tx.execute(
        "insert into inbound_texts (chain_id, provider, provider_message_id, payload, message_id, received_at)"
        " values (:chain_id, :provider, :provider_message_id, :payload, :message_id, :now) on conflict do nothing",
        {
            "chain_id": tx.chain_id,
            "provider": inbound.provider,
            "provider_message_id": inbound.provider_message_id,
            "payload": json.dumps({"from": inbound.from_phone, "to": inbound.to_phone, "body": inbound.body}),
            "message_id": message_id,
            "now": now,
        },
    )
    return bool(kept.rowcount)


def _message(row: Row[Any]) -> Message:
    return Message(
        message_id=row.message_id,
        conversation_id=row.conversation_id,
        store_id=row.store_id,
        client_id=row.client_id,
        direction=Direction(row.direction),
        body=row.body,
        state=State(row.state),
        purpose=None if row.purpose is None else Purpose(row.purpose),
        segments=row.segments,
        author=row.author,
        created_at=row.created_at,
        updated_at=row.updated_at,
        decision=None if row.decision is None else _decision(row.decision),
        send_after=row.send_after,
        error_code=row.error_code,
        client_zone=row.client_zone,
        attempts=row.attempts,
        attempted_at=row.attempted_at,
        sent_at=row.sent_at,
        provider_message_id=row.provider_message_id,
        position=row.position,
        channel=Channel(row.channel),
        subject=row.subject,
        template_id=row.template_id,
        campaign_id=row.campaign_id,
        bulk_send_id=row.bulk_send_id,
        reminder_id=row.reminder_id,
        expires_at=row.expires_at,
        delivered_at=row.delivered_at,
        provider_template=None if row.provider_template is None else _template(row.provider_template),
    )


def _template(stored: str | dict[str, Any]) -> ProviderTemplate:
    document = json.loads(stored) if isinstance(stored, str) else stored
    return ProviderTemplate(document["provider_template_id"], document["values"])


def _decision_document(decision: Decision) -> dict[str, Any]:
    return {
        "verdict": decision.verdict,
        "reasons": [[reason.reason, reason.message] for reason in decision.reasons],
        "defer_until": None if decision.defer_until is None else decision.defer_until.isoformat(),
    }


def _decision(stored: str | dict[str, Any]) -> Decision:
    document = json.loads(stored) if isinstance(stored, str) else stored
    until = document["defer_until"]
    return Decision(
        Verdict(document["verdict"]),
        tuple(Reason(reason, message) for reason, message in document["reasons"]),
        None if until is None else datetime.fromisoformat(until),
    )
