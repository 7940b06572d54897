"""A phone network to play with: it behaves like a carrier, with segments, receipts, STOP and error codes.

It is a party outside: its tables are its own, its transactions never the service's, and it knows no message, client or
permission. What a number's last four digits, or what an address has in front of its @, make it do stands in `MAGIC`.
"""

# ruff: noqa: S608 - what is put into statements here are constants of this module

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Row
from sqlalchemy import text as sql

from chassis.clock import Clock
from chassis.database import Database, Transaction
from chassis.ids import new_id
from chassis.objects import ObjectMissing, ObjectStore
from messaging.domain import Channel
from messaging.emails import unsubscribe_url
from messaging.keywords import Keyword, keyword_of
from messaging.links import Links
from messaging.providers import (
    Accepted,
    Found,
    InboundIntake,
    InboundText,
    MediaNotThere,
    Receipt,
    ReceiptIntake,
    Refused,
    Status,
    Text,
)
from messaging.segments import count_segments

PROVIDER = "sandbox"
_SHOWN = (
    "position, provider_message_id, from_phone, to_phone, body, segments, created_at, channel, media_ids, subject,"
    " unsubscribe_url"
)
_POLL_SECONDS = 0.2
_BATCH = 200
_OPTED_OUT = "21610"
_CONFIRMATIONS = {
    Keyword.STOP: "You are unsubscribed and will get no more messages from this number. Reply START to resubscribe.",
    Keyword.START: "You are resubscribed to messages from this number. Reply HELP for help, STOP to unsubscribe.",
}


@dataclass(frozen=True)
class Behaviour:
    """How the network treats a number."""

    error_code: str = ""
    loses_answer: bool = False
    reverses_receipts: bool = False


MAGIC: Mapping[str, Behaviour] = {
    "0104": Behaviour(error_code="30003"),  # unreachable for now
    "0105": Behaviour(error_code="30005"),  # no such number
    "0106": Behaviour(error_code="30006"),  # a landline
    "0107": Behaviour(loses_answer=True),  # takes the text, then the connection breaks
    "0108": Behaviour(reverses_receipts=True),  # says delivered before it says sent
    "nobody@": Behaviour(error_code="BOUNCE_5.1.1"),  # comes back: no such mailbox
    "full@": Behaviour(error_code="BOUNCE_5.2.2"),  # comes back: the mailbox is full
}


class AnswerLost(ConnectionError):
    """The connection broke after the text was taken."""


@dataclass(frozen=True)
class PhoneMessage:
    """A text on a phone of the sandbox."""

    position: int
    provider_message_id: str
    from_phone: str
    to_phone: str
    body: str
    segments: int
    created_at: datetime
    channel: Channel = Channel.SMS
    media_ids: tuple[str, ...] = ()
    subject: str = ""
    unsubscribe_url: str = ""


class Sandbox:
    """The network; `run` delivers its receipts."""

    def __init__(
        self,
        *,
        database: Database,
        clock: Clock,
        objects: ObjectStore,
        links: Links,
        delay_seconds: float,
        receipts: ReceiptIntake,
        inbound: InboundIntake,
    ) -> None:
        self._database = database
        self._clock = clock
        self._objects = objects
        self._links = links
        self._delay = timedelta(seconds=delay_seconds)
        self._receipts = receipts
        self._inbound = inbound

    async def send(self, text: Text) -> Accepted | Refused:
        """Take one text per reference; the same reference again is answered as the first time."""
        behaviour = _behaviour_of(text)
        async with self._database.transaction(text.chain_id) as tx:
            if (taken := await _find(tx, text.reference)) is not None:
                return taken.accepted
            if await _is_blocked(tx, sender_phone=text.from_phone, phone=text.to_phone):
                return Refused(_OPTED_OUT)
            accepted = await self._put_on_phone(tx, text, behaviour.error_code)
            await self._plan_receipts(tx, text.reference, accepted.provider_message_id, behaviour)
        if behaviour.loses_answer:
            raise AnswerLost("the connection broke")
        return accepted

    async def find(self, text: Text) -> Found | None:
        """Say what became of a text."""
        async with self._database.transaction(text.chain_id) as tx:
            return await _find(tx, text.reference)

    async def text_from_phone(
        self,
        *,
        chain_id: str,
        from_phone: str,
        to_phone: str,
        body: str,
        provider_message_id: str = "",
        channel: Channel = Channel.SMS,
        pictures: Sequence[tuple[str, str]] = (),
    ) -> str:
        """Carry a client's text to the store's number and return its id; STOP and START bind the network as well.

        `pictures` are object keys with types.
        """
        provider_message_id = provider_message_id or new_id("sbx")
        inbound = InboundText(
            chain_id, PROVIDER, provider_message_id, from_phone, to_phone, body, channel, tuple(pictures)
        )
        await self._inbound(inbound)
        keyword = keyword_of(body)
        if keyword not in _CONFIRMATIONS:
            return provider_message_id
        async with self._database.transaction(chain_id) as tx:
            is_new = await tx.execute(
                "insert into sandbox_inbound (chain_id, provider_message_id, created_at) values (:chain_id, :id, :now)"
                " on conflict do nothing",
                {"chain_id": chain_id, "id": provider_message_id, "now": self._clock.now()},
            )
            if is_new.rowcount:
                await _set_block(
                    tx, sender_phone=to_phone, phone=from_phone, is_blocked=keyword is Keyword.STOP
                )
                confirmation = Text(
                    chain_id,
                    f"carrier-{provider_message_id}",
                    to_phone,
                    from_phone,
                    _CONFIRMATIONS[keyword],
                    channel,
                )
                await self._put_on_phone(tx, confirmation, "")
        return provider_message_id

    @asynccontextmanager
    async def open_media(self, chain_id: str, url: str) -> AsyncIterator[AsyncIterator[bytes]]:
        """Open a picture of an inbound text; its address here is an object's key."""
        if url.split("/")[1:2] != [chain_id]:
            raise MediaNotThere("it is another chain's")
        try:
            yield await self._objects.get(url)
        except ObjectMissing as error:
            raise MediaNotThere("it is gone") from error

    async def messages_of(
        self, *, chain_id: str, phone: str, before: int | None, most: int
    ) -> Sequence[PhoneMessage]:
        """Return up to `most` texts that a phone has received, newest first."""
        cut = "" if before is None else "and position < :before"
        async with self._database.transaction(chain_id) as tx:
            found = await tx.execute(
                f"select {_SHOWN}"
                f" from sandbox_messages where to_phone = :phone and error_code = '' {cut}"
                " order by position desc limit :most",
                {"phone": phone, "most": most, **({} if before is None else {"before": before})},
            )
            return [_phone_message(row) for row in found]

    async def phones(self, *, chain_id: str, before: int | None, most: int) -> Sequence[PhoneMessage]:
        """Return the newest text of up to `most` phones, the latest first."""
        cut = "" if before is None else "where position < :before"
        async with self._database.transaction(chain_id) as tx:
            found = await tx.execute(
                f"select {_SHOWN} from ("
                "  select distinct on (to_phone) * from sandbox_messages where error_code = ''"
                f"  order by to_phone, position desc) as latest {cut} order by position desc limit :most",
                {"most": most, **({} if before is None else {"before": before})},
            )
            return [_phone_message(row) for row in found]

    async def forget_phones(self, chain_id: str, phones: Sequence[str]) -> None:
        """Drop the texts from and to phones, as a carrier does who is asked to; who blocked whom stays."""
        async with self._database.transaction(chain_id) as tx:
            await tx.execute(
                "delete from sandbox_receipts where provider_message_id in (select provider_message_id"
                "  from sandbox_messages where to_phone = any(:phones) or from_phone = any(:phones))",
                {"phones": list(phones)},
            )
            await tx.execute(
                "delete from sandbox_messages where to_phone = any(:phones) or from_phone = any(:phones)",
                {"phones": list(phones)},
            )

    async def run(self) -> None:
        """Deliver receipts for ever. Raises whatever stops it; the runtime starts it again."""
        while True:
            if await self.deliver_receipts() == 0:
                await asyncio.sleep(_POLL_SECONDS)

    async def deliver_receipts(self) -> int:
        """Deliver the receipts that are due and return their number; one that was not taken comes again."""
        async with self._database.platform_transaction() as connection:
            found = await connection.execute(
                sql(
                    "select receipt_id, chain_id, reference, provider_message_id, status, error_code"
                    " from sandbox_receipts where due_time <= :now order by due_time, position limit :most"
                ),
                {"now": self._clock.now(), "most": _BATCH},
            )
            due = found.all()
        for row in due:
            await self._receipts(
                Receipt(
                    row.chain_id, row.reference, row.provider_message_id, Status(row.status), row.error_code
                )
            )
            async with self._database.transaction(row.chain_id) as tx:
                await tx.execute(
                    "update sandbox_messages set status = :status"
                    " where provider_message_id = :id and status <> 'DELIVERED'",
                    {"status": row.status, "id": row.provider_message_id},
                )
                await tx.execute(
                    "delete from sandbox_receipts where receipt_id = :id", {"id": row.receipt_id}
                )
        return len(due)

    async def _put_on_phone(self, tx: Transaction, text: Text, error_code: str) -> Accepted:
        segments = count_segments(text.body) if text.channel.takes_phones else 0
        accepted = Accepted(new_id("sbx"), segments)
        await tx.execute(
            "insert into sandbox_messages (provider_message_id, chain_id, reference, from_phone, to_phone, body,"
            " segments, status, error_code, created_at, channel, media_ids, subject, unsubscribe_url) values"
            " (:id, :chain_id, :reference, :from_phone, :to_phone, :body, :segments, 'SENT', :error_code, :now,"
            " :channel, :media_ids, :subject, :unsubscribe_url)",
            {
                "id": accepted.provider_message_id,
                "chain_id": tx.chain_id,
                "reference": text.reference,
                "from_phone": text.from_phone,
                "to_phone": text.to_phone,
                "body": text.body,
                "segments": accepted.segments,
                "error_code": error_code,
                "now": self._clock.now(),
                "channel": text.channel,
                "media_ids": [picture.media_id for picture in text.pictures],
                "subject": text.subject,
                "unsubscribe_url": ""
                if text.channel.takes_phones
                else unsubscribe_url(text, self._links, self._clock.now()),
            },
        )
        return accepted

    async def _plan_receipts(
        self, tx: Transaction, reference: str, provider_message_id: str, behaviour: Behaviour
    ) -> None:
        statuses = [Status.SENT, Status.FAILED if behaviour.error_code else Status.DELIVERED]
        if behaviour.reverses_receipts:
            statuses.reverse()
        await tx.execute(
            "insert into sandbox_receipts (receipt_id, chain_id, reference, provider_message_id, status, error_code,"
            " due_time) values (:receipt_id, :chain_id, :reference, :provider_message_id, :status, :error_code,"
            " :due_time)",
            [
                {
                    "receipt_id": new_id("rcp"),
                    "chain_id": tx.chain_id,
                    "reference": reference,
                    "provider_message_id": provider_message_id,
                    "status": status,
                    "error_code": behaviour.error_code if status is Status.FAILED else "",
                    "due_time": self._clock.now() + self._delay * step,
                }
                for step, status in enumerate(statuses, start=1)
            ],
        )


def _behaviour_of(text: Text) -> Behaviour:
    if text.channel.takes_phones:
        return MAGIC.get(text.to_phone[-4:], Behaviour())
    return MAGIC.get(f"{text.to_phone.partition('@')[0]}@", Behaviour())


def _phone_message(row: Row[Any]) -> PhoneMessage:
    fields = {**row._mapping, "channel": Channel(row.channel), "media_ids": tuple(row.media_ids)}
    return PhoneMessage(**fields)


async def _find(tx: Transaction, reference: str) -> Found | None:
    found = await tx.execute(
        "select provider_message_id, segments, status, error_code from sandbox_messages where reference = :reference",
        {"reference": reference},
    )
    row = found.one_or_none()
    if row is None:
        return None
    status = Status(row.status)
    return Found(
        Accepted(row.provider_message_id, row.segments),
        status,
        row.error_code if status is Status.FAILED else "",
    )


async def _is_blocked(tx: Transaction, *, sender_phone: str, phone: str) -> bool:
    found = await tx.execute(
        "select 1 from sandbox_blocks where sender_phone = :sender_phone and phone = :phone",
        {"sender_phone": sender_phone, "phone": phone},
    )
    return found.first() is not None


async def _set_block(tx: Transaction, *, sender_phone: str, phone: str, is_blocked: bool) -> None:
    if is_blocked:
        statement = (
            "insert into sandbox_blocks (chain_id, sender_phone, phone) values (:chain_id, :sender_phone, :phone)"
            " on conflict do nothing"
        )
    else:
        statement = (
            "delete from sandbox_blocks"
            " where chain_id = :chain_id and sender_phone = :sender_phone and phone = :phone"
        )
    await tx.execute(statement, {"chain_id": tx.chain_id, "sender_phone": sender_phone, "phone": phone})
