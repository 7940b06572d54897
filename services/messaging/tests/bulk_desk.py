"""A store with bulk sends, whose workers run when a test tells them to, and the network behind them."""

import asyncio
import itertools
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Any

from carnet.messaging.v1 import bulk_pb2 as bulk
from carnet.messaging.v1 import bulk_pb2_grpc, reports_pb2_grpc
from carnet.messaging.v1 import messaging_pb2 as pb

from chassis.ids import new_id
from chassis.testing import SignIn, channel_to
from messaging.bulk_sender import BulkSender
from messaging.config import Settings
from messaging.courier import Courier
from messaging.domain import Change, PermissionEntry, Purpose
from messaging.providers import Accepted, Found, Refused, Text
from messaging.segments import count_segments
from messaging.store import permissions
from messaging.suppression import Suppressor

BODY = "Maison Aurore: the new pieces are in the case. Reply STOP to opt out."
SCOPES = (
    "bulk_sends:write", "messages:read", "messages:send", "senders:write", "sandbox:write", "reports:read",
    "templates:write", "records:export",
)  # fmt: skip
LEFT_OUT = ("broker", "outbox", "consumer", "courier", "bulk sender", "sandbox receipts")
REQUESTS = itertools.count(1)


class Network:
    """A carrier that takes everything at once and remembers it."""

    def __init__(self) -> None:
        self.texts: list[Text] = []
        self.refusals: dict[str, str] = {}
        self.before_send: Callable[[], Awaitable[None]] | None = None

    async def send(self, text: Text) -> Accepted | Refused:
        if self.before_send is not None:
            await self.before_send()
        if code := self.refusals.get(text.to_phone):
            return Refused(code)
        self.texts.append(text)
        return Accepted(f"net_{text.reference}", count_segments(text.body))

    async def find(self, text: Text) -> Found | None:
        return None


class Desk:
    """A house with a stub for bulk sends, and workers that run when they are told to."""

    def __init__(self, house: Any, started: Any, settings: Settings, channel: Any) -> None:
        self.house, self.network = house, Network()
        self.stub = bulk_pb2_grpc.BulkSendsServiceStub(channel)
        self.reports = reports_pb2_grpc.MessagingReportsServiceStub(channel)
        self._started, self._settings = started, settings
        self.sender = self.another_sender()
        self.courier = self.another_courier()

    def another_sender(self, *, ahead_seconds: float = 60) -> BulkSender:
        """Return one more bulk sender, as another replica has one."""
        return BulkSender(
            database=self._started.database,
            clock=self._started.clock,
            profiles=self._started.profiles,
            suppressor=Suppressor(self._settings.suppression_key),
            due=asyncio.Event(),
            poll_seconds=0.05,
            ahead_seconds=ahead_seconds,
        )

    def another_courier(self) -> Courier:
        """Return one more courier."""
        return Courier(
            database=self._started.database,
            clock=self._started.clock,
            carrier=self.network,
            suppressor=Suppressor(self._settings.suppression_key),
            due=asyncio.Event(),
            poll_seconds=0.05,
            timeout_seconds=5,
            lease_seconds=60,
        )

    async def set_speed(self, segments_per_second: float) -> None:
        """Let the store's number send so fast."""
        async with self.house.database.transaction(self.house.chain_id) as tx:
            await tx.execute(
                "update senders set segments_per_second = :speed", {"speed": segments_per_second}
            )

    def sent_to(self) -> list[str]:
        """Return the numbers that got something, in order of arrival."""
        return [text.to_phone for text in self.network.texts if text.chain_id == self.house.chain_id]

    async def clients(self, count: int, *purposes: Purpose) -> list[str]:
        """Add clients who agreed to texts."""
        client_ids = [self.house.client() for _ in range(count)]
        for client_id in client_ids:
            await self.house.consent(client_id, *purposes)
        return client_ids

    async def crowd(self, count: int, *, time_zone: str = "America/New_York") -> list[str]:
        """Add many clients whose consent to marketing is written down at once."""
        house = self.house
        client_ids = [house.client(time_zone=time_zone) for _ in range(count)]
        now = house.clock.now()
        entries = [
            PermissionEntry(
                new_id("prm"),
                house.phone_of(one),
                Purpose.MARKETING,
                Change.GRANTED,
                "Yes",
                "consent",
                one,
                one,
                now,
            )
            for one in client_ids
        ]
        async with house.database.transaction(house.chain_id) as tx:
            await permissions.add(tx, entries, now)
        return client_ids

    async def create(self, client_ids: Sequence[str], **fields: Any) -> bulk.BulkSend:
        """Create a bulk send of marketing to clients."""
        request = {
            "request_id": f"bulk_{next(REQUESTS)}",
            "display_name": "News",
            "store_id": self.house.store_id,
            "purpose": pb.PURPOSE_MARKETING,
            "body": "" if "template_id" in fields else BODY,
            "recipients": [bulk.BulkRecipient(client_id=client_id) for client_id in client_ids],
            **fields,
        }
        made: bulk.BulkSend = await self.stub.CreateBulkSend(bulk.CreateBulkSendRequest(**request))
        return made

    async def revoke(self, client_id: str) -> None:
        """Let a client tell the store to stop."""
        await self.house.stub.RevokePermission(
            pb.RevokePermissionRequest(request_id=f"stop_{next(REQUESTS)}", client_id=client_id)
        )

    async def read(self, made: bulk.BulkSend) -> bulk.BulkSend:
        """Return a bulk send as it is now."""
        found: bulk.BulkSend = await self.stub.GetBulkSend(
            bulk.GetBulkSendRequest(bulk_send_id=made.bulk_send_id)
        )
        return found

    async def outcomes(self, made: bulk.BulkSend, **fields: Any) -> list[bulk.BulkRecipientOutcome]:
        """Return what became of the recipients."""
        found = await self.stub.ListBulkRecipients(
            bulk.ListBulkRecipientsRequest(bulk_send_id=made.bulk_send_id, page_size=200, **fields)
        )
        return list(found.recipients)

    async def drain(self, seconds: int = 600) -> None:
        """Let time pass with both workers at work until nothing is left to do."""
        for _ in range(seconds):
            await self.sender.run_due()
            await self.courier.run_due()
            self.house.clock.advance(timedelta(seconds=1))
            async with self.house.database.transaction(self.house.chain_id) as tx:
                found = await tx.execute("select 1 from due_bulk_sends limit 1")
                if found.first() is None:
                    return
        raise AssertionError("something is left to do")


@asynccontextmanager
async def open_desk(house: Any, started: Any, settings: Settings, sign_in: SignIn) -> AsyncIterator[Desk]:
    """Open a desk whose store sends fast."""
    sign_in(*SCOPES, chain_id=house.chain_id)
    async with channel_to(started.address) as channel:
        made = Desk(house, started, settings, channel)
        await made.set_speed(50)
        yield made
