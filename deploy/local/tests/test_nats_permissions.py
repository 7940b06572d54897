"""The permission table does on a real server what it says."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable

import nats
import nats.errors
import nats.js.errors
import pytest
import pytest_asyncio
from nats.aio.client import Client
from nats.aio.msg import Msg
from nats.js import JetStreamContext
from nats.js.api import ConsumerConfig, StreamConfig

from carnet_local.nats_permissions import ADMIN, PERMISSIONS, SERVICES, streams_of
from carnet_local.servers import Servers

Eventually = Callable[..., Awaitable[None]]
SUBJECT = "carnet.profiles.client.created.v1.chn_1"
DENIED = (nats.errors.TimeoutError, nats.js.errors.NoStreamResponseError)


async def quiet(_: Exception) -> None:
    """nats-py would print the permission violations that these tests provoke."""


@contextlib.asynccontextmanager
async def connected(servers: Servers, user: str) -> AsyncIterator[Client]:
    client = await nats.connect(servers.nats_url(user), error_cb=quiet)
    try:
        yield client
    finally:
        await client.close()


@pytest_asyncio.fixture
async def streams(servers: Servers) -> AsyncIterator[None]:
    """Let profiles declare its own stream; remove it afterwards."""
    async with connected(servers, "profiles") as client:
        await client.jetstream().add_stream(StreamConfig(name="PROFILES", subjects=["carnet.profiles.>"]))
        yield
        await client.jetstream().delete_stream("PROFILES")


def short(client: Client) -> JetStreamContext:
    """Give a context that soon gives up: a denial is silence."""
    return client.jetstream(timeout=0.5)


async def test_a_service_publishes_its_own_facts(servers: Servers, streams: None) -> None:
    async with connected(servers, "profiles") as client:
        assert (await client.jetstream().publish(SUBJECT, b"fact")).stream == "PROFILES"


async def test_a_service_cannot_say_anothers_facts(servers: Servers, streams: None) -> None:
    async with connected(servers, "outreach") as client:
        with pytest.raises(DENIED):
            await short(client).publish(SUBJECT, b"forged", timeout=0.5)
    async with connected(servers, ADMIN) as admin:
        assert (await admin.jetstream().stream_info("PROFILES")).state.messages == 0


@pytest.mark.parametrize("service", [service for service in SERVICES if service != "profiles"])
async def test_a_service_consumes_anothers_stream_with_a_durable(
    servers: Servers, streams: None, eventually: Eventually, service: str
) -> None:
    async with connected(servers, "profiles") as profiles, connected(servers, service) as client:
        await profiles.jetstream().publish(SUBJECT, b"fact")
        subscription = await client.jetstream().pull_subscribe(
            "carnet.profiles.>", durable=f"{service}-facts", stream="PROFILES"
        )
        (message,) = await subscription.fetch(1, timeout=5)
        await message.ack_sync(timeout=5)
        assert message.data == b"fact"

        async def is_through() -> bool:
            info = await client.jetstream().consumer_info("PROFILES", f"{service}-facts")
            return (info.num_ack_pending, info.num_pending) == (0, 0)

        await eventually(is_through)  # the server counts after it has answered


async def test_a_service_changes_only_its_own_stream(servers: Servers, streams: None) -> None:
    async with connected(servers, "outreach") as client:
        stolen = StreamConfig(name="PROFILES", subjects=["carnet.profiles.>"], max_msgs=1)
        with pytest.raises(DENIED):
            await short(client).update_stream(stolen)
        with pytest.raises(DENIED):
            await short(client).purge_stream("PROFILES")
        with pytest.raises(DENIED):
            await short(client).delete_stream("PROFILES")
        with pytest.raises(DENIED):
            await short(client).add_stream(StreamConfig(name="WAITLIST", subjects=["carnet.waitlist.>"]))
        assert (await client.jetstream().stream_info("PROFILES")).config.max_msgs == -1


async def test_a_service_cannot_delete_anothers_consumer(servers: Servers, streams: None) -> None:
    async with connected(servers, "waitlist") as owner, connected(servers, "outreach") as client:
        await owner.jetstream().add_consumer("PROFILES", ConsumerConfig(durable_name="waitlist-facts"))
        with pytest.raises(DENIED):
            await short(client).delete_consumer("PROFILES", "waitlist-facts")


async def test_a_service_answers_requests(servers: Servers, eventually: Eventually) -> None:
    async with connected(servers, "profiles") as server, connected(servers, "profiles") as client:

        async def answer(message: Msg) -> None:
            await message.respond(b"yes")

        await server.subscribe("carnet.profiles.ping", cb=answer)
        await server.flush()

        async def is_answered() -> bool:
            try:
                return (await client.request("carnet.profiles.ping", b"?", timeout=5)).data == b"yes"
            except (
                nats.errors.NoRespondersError
            ):  # one connection's interest reaches the other a moment later
                return False

        await eventually(is_answered)


async def test_an_unknown_user_is_refused(servers: Servers) -> None:
    forged = servers.nats_url("profiles").replace("profiles:", "profiles:x")
    with pytest.raises(nats.errors.Error):
        await nats.connect(forged, error_cb=quiet, max_reconnect_attempts=0, allow_reconnect=False)


def test_every_service_has_a_user_and_streams_of_its_own() -> None:
    assert set(PERMISSIONS) == {*SERVICES, ADMIN}
    for service in SERVICES:
        writable = {s.rpartition(".")[2] for s in PERMISSIONS[service].publish if ".STREAM.DELETE." in s}
        assert writable == set(streams_of(service))
