"""A running gateway with its HTTP side, and stand-ins for the services behind it that are real gRPC servers."""

import hashlib
import json
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from typing import Any, Protocol

import httpx
import pytest_asyncio
from argon2 import PasswordHasher
from carnet.messaging.v1 import outside_pb2, outside_pb2_grpc
from carnet.profiles.v1 import profiles_pb2, profiles_pb2_grpc, records_pb2, records_pb2_grpc
from cryptography.fernet import Fernet
from google.api.httpbody_pb2 import HttpBody
from google.protobuf.empty_pb2 import Empty
from google.protobuf.message import Message
from starlette.requests import Request
from starlette.responses import Response

from chassis.broker import Broker
from chassis.caller import CallerVerifier, find_caller
from chassis.clock import SystemClock
from chassis.contracts import event_type_of, stream_of
from chassis.database import Database
from chassis.errors import Kind, ServiceError, not_found, unavailable
from chassis.events import Envelope, wrap
from chassis.grpc_server import GrpcServer
from chassis.http import HttpServer
from chassis.service import Service
from chassis.testing import Keys, MakeDatabase, ServersUnderTest, free_port, running, settings_for
from gateway.auth.passwords import Passwords
from gateway.bootstrap import VERSIONS, build
from gateway.config import Settings

OPERATOR_KEY = "carnet_op_for-tests"
PASSWORD = "seven-lemons-42-trains"
WEBHOOK_SCHEDULE = (0.05, 0.05, 0.05)
HEARTBEAT_SECONDS = 0.3

CheapPasswords = Passwords(PasswordHasher(time_cost=1, memory_cost=1024, parallelism=1))


def bearer(token: str) -> dict[str, str]:
    """Return the header of a token."""
    return {"Authorization": f"Bearer {token}"}


class FakeProfiles(profiles_pb2_grpc.ProfilesServiceServicer):
    """Profiles as far as these tests need it, behind the platform's own server."""

    def __init__(self) -> None:
        self.chains: set[str] = set()
        self.calls: list[Any] = []
        self.refusal: Exception | None = None
        self.uploaded: list[int] = []
        self.hold: Callable[[], Any] | None = None

    async def _note(self, request: Any) -> None:
        self.calls.append(request)
        if self.hold is not None:
            await self.hold()
        if self.refusal is not None:
            raise self.refusal

    async def GetChain(self, request: Any, context: Any) -> profiles_pb2.Chain:
        if request.chain_id not in self.chains:
            raise not_found("chain", request.chain_id)
        return profiles_pb2.Chain(chain_id=request.chain_id)

    async def CreateClient(self, request: Any, context: Any) -> profiles_pb2.Client:
        await self._note(request)
        return profiles_pb2.Client(
            client_id=f"cli_{len(self.calls)}",
            given_name=request.given_name,
            family_name=request.family_name,
            contact_points=request.contact_points,
            occasions=request.occasions,
            etag="1",
        )

    async def GetClient(self, request: Any, context: Any) -> profiles_pb2.Client:
        await self._note(request)
        if request.client_id == "cli_none":
            raise not_found("client", request.client_id)
        return profiles_pb2.Client(client_id=request.client_id, given_name="Ana", etag="7")

    async def BatchGetClients(self, request: Any, context: Any) -> profiles_pb2.BatchGetClientsResponse:
        await self._note(request)
        return profiles_pb2.BatchGetClientsResponse(
            clients=[profiles_pb2.Client(client_id=one) for one in request.client_ids]
        )

    async def UpdateClient(self, request: Any, context: Any) -> profiles_pb2.Client:
        await self._note(request)
        if request.etag not in ("", "7"):
            raise ServiceError(Kind.CONFLICT, "CLIENT_CHANGED", "The client was changed meanwhile.")
        return profiles_pb2.Client(client_id=request.client_id, etag="8")

    async def AssignClient(self, request: Any, context: Any) -> profiles_pb2.Client:
        await self._note(request)
        return profiles_pb2.Client(client_id=request.client_id, associate_id=request.associate_id)

    async def DeleteClient(self, request: Any, context: Any) -> Any:
        await self._note(request)
        return Empty()

    async def ListTimeline(self, request: Any, context: Any) -> profiles_pb2.ListTimelineResponse:
        await self._note(request)
        return profiles_pb2.ListTimelineResponse()

    async def WatchImport(self, request: Any, context: Any) -> AsyncIterator[profiles_pb2.Import]:
        await self._note(request)
        if request.import_id == "imp_none":
            raise not_found("import", request.import_id)
        for lines in (10, 20, 30):
            yield profiles_pb2.Import(import_id=request.import_id, lines_read=lines)
        if request.import_id == "imp_breaks":
            raise ServiceError(Kind.UNAVAILABLE, "DATABASE_UNAVAILABLE", "Away.", retry_after=1)

    async def UploadImportContent(self, requests: Any, context: Any) -> profiles_pb2.Import:
        import_id, size = "", 0
        async for request in requests:
            import_id = import_id or request.import_id
            self.calls.append(request)
            size += len(request.content)
            self.uploaded.append(len(request.content))
            if import_id == "imp_none":
                raise not_found("import", import_id)
        return profiles_pb2.Import(import_id=import_id, bytes_received=size)


class FakeRecords(records_pb2_grpc.RecordsServiceServicer):
    """Attachments as far as these tests need them."""

    def __init__(self) -> None:
        self.sent = 0
        self.is_cancelled = False

    async def UploadAttachmentContent(self, requests: Any, context: Any) -> records_pb2.Attachment:
        attachment_id, content = "", b""
        async for request in requests:
            attachment_id = attachment_id or request.attachment_id
            content += request.content
        return records_pb2.Attachment(attachment_id=attachment_id, byte_count=len(content))

    async def DownloadAttachmentContent(self, request: Any, context: Any) -> AsyncIterator[HttpBody]:
        self.sent = 0
        match request.attachment_id:
            case "att_none":
                raise not_found("attachment", request.attachment_id)
            case "att_empty":
                return
            case "att_odd":
                yield HttpBody(content_type="text/html", data=b"<script>")
                return
        try:
            for number in range(2000 if request.attachment_id == "att_endless" else 3):
                self.sent += 1
                yield HttpBody(content_type="image/jpeg", data=bytes([number % 256]) * 200_000)
        finally:
            self.is_cancelled = True
        if request.attachment_id == "att_breaks":
            raise ServiceError(Kind.UNAVAILABLE, "OBJECT_STORE_UNAVAILABLE", "Away.", retry_after=1)


class FakeOutside(outside_pb2_grpc.OutsideServiceServicer):
    """Messaging as far as these tests need it."""

    def __init__(self) -> None:
        self.asked: list[outside_pb2.AnswerRequest] = []
        self.callers: list[Any] = []
        self.sent = 0
        self.is_cancelled = False

    async def Answer(self, request: Any, context: Any) -> AsyncIterator[outside_pb2.AnswerResponse]:
        self.asked.append(request)
        self.callers.append(find_caller())
        if request.target.startswith("/outside/away"):
            raise unavailable("database")
        if request.target.startswith("/outside/large"):
            try:
                yield outside_pb2.AnswerResponse(status=200, headers={"content-type": "image/png"})
                for self.sent in range(1, 2001):
                    yield outside_pb2.AnswerResponse(body=bytes(200_000))
            finally:
                self.is_cancelled = True
            return
        headers = {"content-type": "text/xml", "x-own": "1"}
        yield outside_pb2.AnswerResponse(status=202, headers=headers, body=b"<R")
        yield outside_pb2.AnswerResponse(body=b"/>")


@dataclass
class Gateway:
    """A running gateway, as tests see it."""

    service: Service
    settings: Settings
    profiles: FakeProfiles
    records: FakeRecords
    outside: FakeOutside
    profiles_server: GrpcServer
    http: httpx.AsyncClient
    _admins: dict[str, str] = field(default_factory=dict)

    async def as_admin(self, chain_id: str, method: str, path: str, **more: Any) -> httpx.Response:
        """Make a request as the chain's admin."""
        return await self.as_token(await self.token_of_admin(chain_id), method, path, **more)

    async def as_token(self, token: str, method: str, path: str, **more: Any) -> httpx.Response:
        """Make a request with a token."""
        headers = {**bearer(token), **more.pop("headers", {})}
        return await self.http.request(method, path, headers=headers, **more)

    @property
    def database(self) -> Database:
        """Return the gateway's database."""
        return self.service.foundation.database

    async def token_of_admin(self, chain_id: str) -> str:
        """Return a session of the chain's admin, who is made when there is none."""
        if chain_id not in self._admins:
            self.profiles.chains.add(chain_id)
            email = f"admin@{chain_id.replace('_', '-')}.example"
            made = await self.http.post(
                f"/v1/chains/{chain_id}/first_admin",
                json={"email": email, "password": PASSWORD, "display_name": "Ada Example"},
                headers=bearer(OPERATOR_KEY),
            )
            assert made.status_code == 200, made.text
            self._admins[chain_id] = await self.sign_in(email)
        return self._admins[chain_id]

    async def sign_in(self, email: str, password: str = PASSWORD) -> str:
        """Return a session's token."""
        answer = await self.http.post("/v1/sessions", json={"email": email, "password": password})
        assert answer.status_code == 200, answer.text
        return str(answer.json()["token"])

    async def user(self, chain_id: str, email: str, role: str, **fields: Any) -> str:
        """Make a person and return a session's token."""
        made = await self.http.post(
            "/v1/users",
            json={
                "email": email,
                "password": PASSWORD,
                "display_name": "Ines Example",
                "role": role,
                **fields,
            },
            headers=bearer(await self.token_of_admin(chain_id)),
        )
        assert made.status_code == 200, made.text
        return await self.sign_in(email)

    async def key(self, chain_id: str, role: str, **fields: Any) -> dict[str, Any]:
        """Make an API key and return the answer."""
        made = await self.http.post(
            "/v1/api_keys",
            json={"display_name": "Till", "role": role, **fields},
            headers=bearer(await self.token_of_admin(chain_id)),
        )
        assert made.status_code == 200, made.text
        return dict(made.json())


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def api(make_database: MakeDatabase, servers: ServersUnderTest, keys: Keys) -> AsyncIterator[Gateway]:
    """Run the gateway with every component, in front of a stand-in for profiles."""
    profiles, records, outside = FakeProfiles(), FakeRecords(), FakeOutside()
    server = GrpcServer(
        address="127.0.0.1:0",
        services=[
            "carnet.profiles.v1.ProfilesService",
            "carnet.profiles.v1.RecordsService",
            "carnet.messaging.v1.OutsideService",
        ],
        register=[
            lambda one: profiles_pb2_grpc.add_ProfilesServiceServicer_to_server(profiles, one),
            lambda one: records_pb2_grpc.add_RecordsServiceServicer_to_server(records, one),
            lambda one: outside_pb2_grpc.add_OutsideServiceServicer_to_server(outside, one),
        ],
        verifier=CallerVerifier(keys.public, SystemClock()),
        drain_seconds=0,
    )
    await server.start()
    nobody = f"127.0.0.1:{free_port()}"
    settings = settings_for(
        Settings,
        "gateway",
        database=await make_database("gateway", VERSIONS),
        servers=servers,
        keys=keys,
        http_address=f"127.0.0.1:{free_port()}",
        public_url="http://127.0.0.1",
        valkey_url=servers.valkey_url,
        encryption_key=Fernet.generate_key().decode(),
        operator_key_hash=hashlib.sha256(OPERATOR_KEY.encode()).hexdigest(),
        allow_private_webhooks=True,
        profiles_address=f"127.0.0.1:{server.port}",
        outreach_address=nobody,
        messaging_address=f"127.0.0.1:{server.port}",
        waitlist_address=nobody,
        appointments_address=nobody,
        address_rate_per_second=1000,
        address_burst=10_000,
        rate_per_second=1000,
        rate_burst=10_000,
        sign_in_burst=5,
    )
    service = build(
        settings,
        passwords=CheapPasswords,
        webhook_schedule=WEBHOOK_SCHEDULE,
        webhook_poll_seconds=0.1,
        heartbeat_seconds=HEARTBEAT_SECONDS,
    )
    async with (
        running(service),
        httpx.AsyncClient(base_url=f"http://{settings.http_address}", trust_env=False, timeout=20) as http,
    ):
        yield Gateway(service, settings, profiles, records, outside, server, http)
    await server.stop()


class Said(Protocol):
    """Says an event as its producer's relay would, and returns its envelope."""

    async def __call__(self, event: Message, *, chain_id: str, entity_id: str = ...) -> Envelope: ...


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def say(api: Gateway, servers: ServersUnderTest) -> AsyncIterator[Said]:
    """Return a function that puts events on the streams of the services that are not there."""
    brokers: dict[str, Broker] = {}
    for name in ("profiles", "outreach", "messaging", "waitlist", "appointments"):
        brokers[name] = Broker(servers.nats_url(name), client_name=name)
        await brokers[name].start()
        await brokers[name].declare_stream(name.upper())

    async def publish(event: Message, *, chain_id: str, entity_id: str = "ent_1") -> Envelope:
        producer = stream_of(event_type_of(type(event))).lower()
        envelope = wrap(
            event, source=producer, chain_id=chain_id, entity_id=entity_id, now=SystemClock().now()
        )
        jetstream = await brokers[producer].jetstream()
        await jetstream.publish(envelope.subject, envelope.body, headers=dict(envelope.headers))
        return envelope

    yield publish
    for broker in brokers.values():
        await broker.stop()


@dataclass(frozen=True)
class Received:
    """One request that a receiver got."""

    path: str
    headers: dict[str, str]
    body: bytes

    @property
    def event(self) -> dict[str, Any]:
        """Return the CloudEvents document."""
        return dict(json.loads(self.body))


class Receiver:
    """A partner's server on this machine; `answers` says what to answer by path, in turn, then 204."""

    def __init__(self, address: str) -> None:
        self.address = address
        self.received: list[Received] = []
        self.answers: dict[str, list[int]] = {}

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] != "http":
            return
        request = Request(scope, receive)
        body = await request.body()
        path = request.url.path
        waiting = self.answers.get(path, [])
        status = waiting.pop(0) if waiting else 204
        self.received.append(Received(path, dict(request.headers), body))
        headers = {"Location": f"http://{self.address}/redirected"} if status == 302 else {}
        await Response(status_code=status, headers=headers)(scope, receive, send)

    def at(self, path: str) -> list[Received]:
        """Return what came to one path."""
        return [one for one in self.received if one.path == path]


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def receiver() -> AsyncIterator[Receiver]:
    """Run a partner's server."""
    address = f"127.0.0.1:{free_port()}"
    app = Receiver(address)
    server = HttpServer("receiver", app, address, drain_seconds=1)
    await server.start()
    yield app
    await server.stop()
