"""Inbound texts as they came: kept, waiting to be worked on in the order of their number, or in quarantine."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from chassis.database import Transaction
from messaging.domain import Channel, Sender
from messaging.providers import InboundText
from messaging.store import senders


@dataclass(frozen=True)
class Kept:
    """An inbound text that was kept and answered, with the message that it is to become."""

    inbound: InboundText
    messaging_service_id: str
    message_id: str
    received_at: datetime
    attempts: int


async def chain_of(
    connection: AsyncConnection, *, channel: Channel, phone: str, messaging_service_id: str
) -> tuple[str | None, bool]:
    """Return whose text it is, and whether its number says so: the chain that has the number, else the only one that
    names the messaging service.

    A number is one chain's for sure; a service is what somebody typed in, so it decides only where no number does.
    """
    found = await connection.execute(
        text(
            "select distinct chain_id, channel = :channel and phone = :phone as by_number from sender_directory"
            " where (channel = :channel and phone = :phone)"
            " or (messaging_service_id = :service and messaging_service_id <> '')"
        ),
        {"channel": channel, "phone": phone, "service": messaging_service_id},
    )
    rows = found.all()
    if by_number := [str(row.chain_id) for row in rows if row.by_number]:
        return by_number[0], True
    return (str(rows[0].chain_id), False) if len(rows) == 1 else (None, False)


async def keep(
    tx: Transaction,
    inbound: InboundText,
    raw: Mapping[str, Any],
    *,
    message_id: str,
    lane: int,
    now: datetime,
) -> bool:
    """Keep a text as it came and put it in its lane; False when it was handed in before."""
    kept = await tx.execute(
        "with kept as (insert into inbound_texts (chain_id, provider, provider_message_id, payload, message_id,"
        "  received_at) values (:chain_id, :provider, :provider_message_id, :payload, :message_id, :now)"
        "  on conflict do nothing returning chain_id, provider, provider_message_id)"
        " insert into due_inbound (chain_id, provider, provider_message_id, lane, due_time)"
        " select chain_id, provider, provider_message_id, :lane, :now from kept",
        {
            "chain_id": tx.chain_id,
            "provider": inbound.provider,
            "provider_message_id": inbound.provider_message_id,
            "payload": json.dumps(_payload(inbound, raw)),
            "message_id": message_id,
            "lane": lane,
            "now": now,
        },
    )
    return bool(kept.rowcount)


async def due_lanes(connection: AsyncConnection, *, now: datetime, most: int) -> Sequence[tuple[str, int]]:
    """Return chain and lane of the numbers whose next text is due, the longest waiting first."""
    found = await connection.execute(
        text(
            "select chain_id, lane from (select distinct on (lane) chain_id, lane, position, due_time from due_inbound"
            " order by lane, position) as heads where due_time <= :now order by position limit :most"
        ),
        {"now": now, "most": most},
    )
    return [(row.chain_id, row.lane) for row in found]


async def take_next(tx: Transaction, lane: int, *, now: datetime) -> Kept | None:
    """Return a lane's next text when it is due; None as well when another worker is at this lane."""
    mine = await tx.execute("select pg_try_advisory_xact_lock(:lane)", {"lane": lane})
    if not mine.scalar_one():
        return None
    found = await tx.execute(
        "select d.provider, d.provider_message_id, d.attempts, d.due_time, t.payload, t.message_id, t.received_at"
        " from due_inbound d join inbound_texts t using (chain_id, provider, provider_message_id)"
        " where d.chain_id = :chain_id and d.lane = :lane order by d.position limit 1",
        {"chain_id": tx.chain_id, "lane": lane},
    )
    row = found.one_or_none()
    if row is None or row.due_time > now:
        return None
    inbound = inbound_of(
        row.payload,
        chain_id=tx.chain_id,
        provider=row.provider,
        provider_message_id=row.provider_message_id,
    )
    service = _document(row.payload).get("service", "")
    return Kept(inbound, service, row.message_id, row.received_at, row.attempts)


async def settle(tx: Transaction, inbound: InboundText) -> None:
    """Say that a text was worked on."""
    await tx.execute(
        "delete from due_inbound where chain_id = :chain_id and provider = :provider and provider_message_id = :id",
        {"chain_id": tx.chain_id, "provider": inbound.provider, "id": inbound.provider_message_id},
    )


async def postpone(tx: Transaction, lane: int, *, due_time: datetime, to_the_end: bool) -> None:
    """Have a lane's next text tried again later; `to_the_end` lets the texts behind it go first."""
    await tx.execute(
        "update due_inbound set attempts = attempts + 1, due_time = :due_time, position = case when :to_the_end"
        "  then nextval(pg_get_serial_sequence('due_inbound', 'position')) else position end"
        " where position = (select min(position) from due_inbound where chain_id = :chain_id and lane = :lane)"
        " and chain_id = :chain_id and lane = :lane",
        {"chain_id": tx.chain_id, "lane": lane, "due_time": due_time, "to_the_end": to_the_end},
    )


async def quarantine(
    connection: AsyncConnection,
    inbound: InboundText,
    raw: Mapping[str, Any],
    *,
    messaging_service_id: str,
    now: datetime,
) -> bool:
    """Keep a text that is nobody's yet; False when it was handed in before."""
    kept = await connection.execute(
        text(
            "insert into quarantined_texts (provider, provider_message_id, channel, to_phone, messaging_service_id,"
            " payload, received_at) values (:provider, :provider_message_id, :channel, :to_phone, :service, :payload,"
            " :now) on conflict do nothing"
        ),
        {
            "provider": inbound.provider,
            "provider_message_id": inbound.provider_message_id,
            "channel": inbound.channel,
            "to_phone": inbound.to_phone,
            "service": messaging_service_id,
            "payload": json.dumps(_payload(inbound, raw)),
            "now": now,
        },
    )
    return bool(kept.rowcount)


async def count_quarantined(connection: AsyncConnection) -> int:
    """Return how many texts are nobody's."""
    found = await connection.execute(text("select count(*) from quarantined_texts"))
    return int(found.scalar_one())


async def quarantined(
    connection: AsyncConnection, *, most: int
) -> Sequence[tuple[InboundText, str, Mapping[str, Any], datetime]]:
    """Return (text, service, raw, received) of texts in quarantine that some sender may be meant by, in their order."""
    found = await connection.execute(
        text(
            "select q.* from quarantined_texts q where exists (select from sender_directory d"
            " where d.channel = q.channel and d.phone = q.to_phone) or exists (select from sender_directory d"
            " where d.messaging_service_id = q.messaging_service_id and d.messaging_service_id <> '')"
            " order by q.position limit :most"
        ),
        {"most": most},
    )
    return [
        (
            inbound_of(row.payload, provider=row.provider, provider_message_id=row.provider_message_id),
            row.messaging_service_id,
            _document(row.payload)["raw"],
            row.received_at,
        )
        for row in found
    ]


async def leave_quarantine(connection: AsyncConnection, inbound: InboundText) -> None:
    """Take a text out of quarantine, once its chain has it."""
    await connection.execute(
        text("delete from quarantined_texts where provider = :provider and provider_message_id = :id"),
        {"provider": inbound.provider, "id": inbound.provider_message_id},
    )


async def find_sender(tx: Transaction, kept: Kept) -> Sender | None:
    """Return which sender of the chain was written to: by its number, else by its messaging service."""
    sender = await senders.find_by_phone(tx, kept.inbound.to_phone, kept.inbound.channel)
    if sender is not None or not kept.messaging_service_id:
        return sender
    found = await tx.execute(
        "select sender_id from senders where messaging_service_id = :service and channel = :channel"
        " order by created_at desc, sender_id desc limit 1",
        {"service": kept.messaging_service_id, "channel": kept.inbound.channel},
    )
    sender_id = found.scalar_one_or_none()
    return None if sender_id is None else await senders.get(tx, sender_id)


def inbound_of(
    payload: str | dict[str, Any], *, provider: str, provider_message_id: str, chain_id: str = ""
) -> InboundText:
    """Return a text as it was kept; without a number and words when an erasure has taken them."""
    document = _document(payload)
    return InboundText(
        chain_id,
        provider,
        provider_message_id,
        document.get("from", ""),
        document.get("to", ""),
        document.get("body", ""),
        Channel(document.get("channel", Channel.SMS)),
        tuple((url, content_type) for url, content_type in document.get("media", ())),
    )


def _document(payload: str | dict[str, Any]) -> dict[str, Any]:
    document: dict[str, Any] = json.loads(payload) if isinstance(payload, str) else payload
    return document


def _payload(inbound: InboundText, raw: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "from": inbound.from_phone,
        "to": inbound.to_phone,
        "body": inbound.body,
        "channel": inbound.channel,
        "media": [list(one) for one in inbound.media],
        "service": raw.get("MessagingServiceSid", ""),
        "raw": dict(raw),
    }


async def count_waiting(connection: AsyncConnection) -> int:
    """Return how many texts were kept and not worked on."""
    found = await connection.execute(text("select count(*) from due_inbound"))
    return int(found.scalar_one())
