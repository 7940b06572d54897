"""Messaging on real servers for the tests of one module; profiles and the phone network are played."""

import asyncio
import itertools
from collections.abc import AsyncIterator, Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any

import pytest
import pytest_asyncio
from carnet.messaging.v1 import messaging_pb2 as pb
from carnet.messaging.v1 import messaging_pb2_grpc
from carnet.privacy.v1 import privacy_pb2_grpc
from carnet.profiles.v1 import events_pb2 as profile_events
from carnet.profiles.v1 import profiles_pb2
from google.protobuf.message import Message

from chassis.clock import FixedClock
from chassis.database import Database
from chassis.errors import Kind, ServiceError, not_found, unavailable
from chassis.events import wrap
from chassis.service import Service
from chassis.testing import (
    NOON,
    Keys,
    MakeDatabase,
    ServersUnderTest,
    SignIn,
    channel_to,
    eventually,
    opened,
    running,
    settings_for,
)
from messaging.bootstrap import VERSIONS, build
from messaging.clients import Associate, Consent, Newcomer, Recipient
from messaging.config import Settings
from messaging.domain import Purpose

ALL_SCOPES = ("senders:write", "messages:read", "messages:send", "sandbox:write", "records:export")
WORDING = "Yes, Maison Aurore may text me about my pieces and offers. Reply STOP at any time."


# Of the District of Columbia, New York, New Jersey, Pennsylvania, Ohio, Virginia, North Carolina and Georgia.
AREAS = (
    "202", "212", "215", "404", "614", "646", "703", "704", "718", "804", "908", "917", "919", "201", "267",
    "330", "336", "347", "412", "419", "434", "440", "470", "484", "513", "516", "518", "540", "551", "570",
    "571", "585", "607", "609", "610", "631", "678", "706", "716", "717", "724", "732", "740", "757", "770",
    "814", "828", "845", "856", "862", "910", "912", "914", "937", "973", "980",
)  # fmt: skip


def fictional_phones() -> Iterator[str]:
    """Yield numbers from the ranges kept for fiction, all in the east of the US and none with a magic ending."""
    for area in AREAS:
        for line in (*range(100, 104), *range(109, 200)):
            yield f"+1{area}5550{line}"


PHONES = fictional_phones()
NUMBERS = itertools.count(1)


class PlayedProfiles:
    """Profiles as far as messaging asks: clients and consents by id."""

    def __init__(self) -> None:
        self.recipients: dict[str, Recipient] = {}
        self.consents: dict[str, Consent] = {}
        self.stores: set[str] = set()
        self.before_merge: dict[str, Recipient] = {}
        self.associates: dict[str, Associate] = {}
        self.newcomers: dict[str, tuple[str, Newcomer]] = {}
        self.is_down = False  # as far as staff is asked for

    async def get_recipient(self, chain_id: str, client_id: str) -> Recipient:
        if client_id not in self.recipients:
            raise not_found("client", client_id)
        return self.recipients[client_id]

    async def get_recipients(self, chain_id: str, client_ids: Sequence[str]) -> dict[str, Recipient]:
        known = {one: self.recipients[one] for one in client_ids if one in self.recipients}
        return {one: recipient for one, recipient in known.items() if recipient.client_id == one}

    async def get_consent(self, chain_id: str, consent_id: str) -> Consent:
        if consent_id not in self.consents:
            raise not_found("consent", consent_id)
        return self.consents[consent_id]

    def merge(self, surviving_id: str, merged_id: str) -> None:
        """Make two clients one: both ids answer as the survivor with the numbers of both."""
        one, other = self.recipients[surviving_id], self.recipients[merged_id]
        self.before_merge = {surviving_id: one, merged_id: other}
        both = replace(one, phones=tuple(dict.fromkeys((*one.phones, *other.phones))))
        self.recipients |= {surviving_id: both, merged_id: both}

    def unmerge(self) -> None:
        """Take the last merge back."""
        self.recipients |= self.before_merge

    async def require_store(self, chain_id: str, store_id: str) -> None:
        if store_id not in self.stores:
            raise not_found("store", store_id)

    async def get_store_name(self, chain_id: str, store_id: str) -> str:
        await self.require_store(chain_id, store_id)
        return "Maison Aurore Fifth Avenue"

    async def get_associate(self, chain_id: str, associate_id: str) -> Associate:
        if associate_id not in self.associates:
            raise not_found("associate", associate_id)
        return self.associates[associate_id]

    async def list_associates(self, chain_id: str) -> list[Associate]:
        if self.is_down:
            raise unavailable("profiles")
        return list(self.associates.values())

    async def create_client(self, chain_id: str, request_id: str, newcomer: Newcomer) -> str:
        made = self.newcomers.setdefault(request_id, (f"cli_{next(NUMBERS)}", newcomer))
        if made[1] != newcomer:
            raise ServiceError(Kind.CONFLICT, "REQUEST_ID_REUSED", "for another client")
        client_id = made[0]
        phones = (newcomer.phone,) if newcomer.phone else ()
        emails = (newcomer.email,) if newcomer.email else ()
        self.recipients[client_id] = Recipient(client_id, "", phones, emails=emails)
        return client_id


@dataclass
class House:
    """A running messaging with its stub, within one chain of its own, and short ways to fill it."""

    stub: Any
    service: Service
    database: Database
    clock: FixedClock
    profiles: PlayedProfiles
    chain_id: str
    records: Any
    sender: pb.Sender = field(default_factory=pb.Sender)

    @property
    def store_id(self) -> str:
        """Return the id of the store that has a sender."""
        return self.sender.store_id

    async def open_store(self, *, display_name: str = "Maison Aurore") -> pb.Sender:
        """Open a store with a number."""
        store_id = f"sto_{next(NUMBERS)}"
        self.profiles.stores.add(store_id)
        made: pb.Sender = await self.stub.CreateSender(
            pb.CreateSenderRequest(
                store_id=store_id, phone=next(PHONES), display_name=display_name, segments_per_second=1000
            )
        )
        return made

    def client(self, phone: str = "", *, time_zone: str = "America/New_York") -> str:
        """Add a client with one number, a new one unless given, and return the id."""
        client_id = f"cli_{next(NUMBERS)}"
        self.profiles.recipients[client_id] = Recipient(client_id, time_zone, (phone or next(PHONES),))
        return client_id

    def phone_of(self, client_id: str) -> str:
        """Return a client's number."""
        return self.profiles.recipients[client_id].phones[0]

    async def consent(self, client_id: str, *purposes: Purpose, at: datetime | None = None) -> str:
        """Let a client agree to purposes, all unless named, and let messaging hear of it."""
        event = self.captured(client_id, *purposes, at=at)
        await self.hear(event, entity_id=event.consent_id)
        return event.consent_id

    def captured(
        self, client_id: str, *purposes: Purpose, at: datetime | None = None
    ) -> profile_events.ConsentCaptured:
        """Let a client agree to purposes, and return the event that says so."""
        consent_id = f"con_{next(NUMBERS)}"
        captured_at = at or self.clock.now() - timedelta(minutes=1)
        self.profiles.consents[consent_id] = Consent(
            consent_id,
            client_id,
            self.phone_of(client_id),
            purposes or tuple(Purpose),
            WORDING,
            "asc_1",
            captured_at,
        )
        return profile_events.ConsentCaptured(
            consent_id=consent_id, client_id=client_id, channel=profiles_pb2.CHANNEL_SMS
        )

    async def hear(self, event: Message, *, entity_id: str) -> None:
        """Let messaging's consumer handle an event of profiles in this chain."""
        envelope = wrap(
            event, source="profiles", chain_id=self.chain_id, entity_id=entity_id, now=self.clock.now()
        )
        # A task of its own, because the consumer acts as the service from there on.
        stream = envelope.event_type.split(".")[1].upper()
        consumer = next(one for one in self.service.consumers if one.stream == stream)
        await asyncio.create_task(consumer.handle(envelope))

    async def send(
        self, client_id: str, body: str = "Maison Aurore: your ring is ready.", **fields: Any
    ) -> pb.Message:
        """Send a text to a client: of service, with a request id of its own, unless told otherwise."""
        request = {
            "request_id": f"req_{next(NUMBERS)}",
            "client_id": client_id,
            "store_id": self.store_id,
            "body": body,
            "purpose": pb.PURPOSE_SERVICE,
            **fields,
        }
        message: pb.Message = await self.stub.SendMessage(pb.SendMessageRequest(**request))
        return message

    async def receive(self, client_id: str, body: str, provider_message_id: str = "") -> None:
        """Let a client text the store."""
        await self.receive_from(self.phone_of(client_id), body, provider_message_id)

    async def receive_from(self, phone: str, body: str, provider_message_id: str = "") -> None:
        """Let a number text the store."""
        await self.stub.SimulateInbound(
            pb.SimulateInboundRequest(
                from_phone=phone,
                to_phone=self.sender.phone,
                body=body,
                provider_message_id=provider_message_id,
            )
        )

    async def state(self, message: pb.Message) -> "pb.MessageState.ValueType":
        """Return a message's state now."""
        return (await self.read(message)).state

    async def read(self, message: pb.Message) -> pb.Message:
        """Return a message as it is now."""
        found: pb.Message = await self.stub.GetMessage(pb.GetMessageRequest(message_id=message.message_id))
        return found

    async def becomes(self, message: pb.Message, state: "pb.MessageState.ValueType") -> pb.Message:
        """Wait until a message has a state, and return it."""

        async def reached() -> pb.Message | None:
            found = await self.read(message)
            return found if found.state == state else None

        return await eventually(reached)

    async def phone_received(self, client_id: str) -> list[str]:
        """Return the texts on a client's phone, oldest first."""
        found = await self.stub.ListSandboxMessages(
            pb.ListSandboxMessagesRequest(phone=self.phone_of(client_id), page_size=200)
        )
        return [message.body for message in reversed(found.messages)]

    def merged(
        self, surviving_id: str, merged_id: str, merge_id: str = "mrg_1"
    ) -> profile_events.ClientMerged:
        """Return the event of a merge."""
        return profile_events.ClientMerged(
            merge_id=merge_id,
            client=profile_events.ClientFact(client_id=surviving_id, version=5),
            merged_client_id=merged_id,
        )

    def unmerged(
        self, surviving_id: str, restored_id: str, merge_id: str = "mrg_1"
    ) -> profile_events.ClientUnmerged:
        """Return the event of a merge that was taken back."""
        return profile_events.ClientUnmerged(
            merge_id=merge_id,
            client=profile_events.ClientFact(client_id=surviving_id, version=6),
            restored=profile_events.ClientFact(client_id=restored_id, version=6),
        )

    async def merge(self, surviving_id: str, merged_id: str, merge_id: str = "mrg_1") -> None:
        """Make two clients one, in profiles and by its event."""
        self.profiles.merge(surviving_id, merged_id)
        await self.hear(self.merged(surviving_id, merged_id, merge_id), entity_id=surviving_id)

    async def unmerge(self, surviving_id: str, restored_id: str, merge_id: str = "mrg_1") -> None:
        """Take a merge back."""
        self.profiles.unmerge()
        await self.hear(self.unmerged(surviving_id, restored_id, merge_id), entity_id=surviving_id)

    async def erase(self, client_id: str, *former_ids: str, erasure_id: str = "ers_1") -> None:
        """Erase a client, in profiles and by its event."""
        for one in (client_id, *former_ids):
            self.profiles.recipients.pop(one, None)
        event = profile_events.ClientErased(
            erasure_id=erasure_id, client_id=client_id, former_client_ids=former_ids
        )
        await self.hear(event, entity_id=client_id)

    async def conversations(self, client_id: str = "") -> list[pb.Conversation]:
        """Return the conversations of a client, or all."""
        found = await self.stub.ListConversations(pb.ListConversationsRequest(client_id=client_id))
        return list(found.conversations)

    async def ledger(self, client_id: str) -> list[pb.PermissionEntry]:
        """Return the ledger of a client's numbers, newest first."""
        found = await self.stub.ListPermissions(pb.ListPermissionsRequest(client_id=client_id, page_size=200))
        return list(found.entries)

    async def check(self, client_id: str, purpose: "pb.Purpose.ValueType", body: str = "") -> pb.GateDecision:
        """Ask the gate."""
        decision: pb.GateDecision = await self.stub.CheckMessage(
            pb.CheckMessageRequest(client_id=client_id, store_id=self.store_id, purpose=purpose, body=body)
        )
        return decision


@dataclass(frozen=True)
class Running:
    """One messaging that serves all tests of a module."""

    service: Service
    address: str
    database: Database
    clock: FixedClock
    profiles: PlayedProfiles


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def settings(
    servers: ServersUnderTest,
    keys: Keys,
    make_database: MakeDatabase,
    tmp_path_factory: pytest.TempPathFactory,
) -> Settings:
    """Return settings on a database of the module's own, with a network that takes no time."""
    return settings_for(
        Settings,
        "messaging",
        database=await make_database("messaging", VERSIONS),
        servers=servers,
        keys=keys,
        profiles_address="127.0.0.1:1",
        suppression_key="a key of these tests, long enough",
        public_url="https://carnet.example",
        link_key="another key of these tests, long enough",
        objects_dir=str(tmp_path_factory.mktemp("objects")),
        sandbox_delay_seconds=0,
        sending_poll_seconds=0.05,
    )


@pytest.fixture(scope="module")
def left_out() -> tuple[str, ...]:
    """Return what does not run of messaging; a module that plays the courier leaves it out as well."""
    return ("broker", "outbox", "consumer")


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def started(settings: Settings, left_out: tuple[str, ...]) -> AsyncIterator[Running]:
    """Run messaging for the module."""
    clock, profiles = FixedClock(NOON), PlayedProfiles()
    service = build(settings, clock=clock, profiles=profiles)
    async with (
        running(service, without=left_out) as address,
        opened(settings.database_url, source="messaging", clock=clock) as database,
    ):
        yield Running(service, address, database, clock, profiles)


@pytest_asyncio.fixture(loop_scope="session")
async def house(started: Running, sign_in: SignIn) -> AsyncIterator[House]:
    """Return messaging within a new chain that has one store with a number; the clock stands at noon again."""
    chain_id = f"chn_{next(NUMBERS)}"
    sign_in(*ALL_SCOPES, chain_id=chain_id)
    started.clock.set(NOON)
    async with channel_to(started.address) as channel:
        stub = messaging_pb2_grpc.MessagingServiceStub(channel)
        records = privacy_pb2_grpc.ClientRecordsServiceStub(channel)
        made = House(
            stub, started.service, started.database, started.clock, started.profiles, chain_id, records
        )
        made.sender = await made.open_store()
        yield made


@pytest.fixture
def next_phone() -> Iterator[str]:
    """Return the numbers that no test has used yet."""
    return PHONES
