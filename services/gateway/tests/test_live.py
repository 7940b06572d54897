"""GET /v1/stream: everything in order, nothing missed after a break, nothing that the caller may not see."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from carnet.messaging.v1 import events_pb2 as messaging
from carnet.profiles.v1 import events_pb2 as profiles
from carnet.waitlist.v1 import events_pb2 as waitlist

from chassis.clock import FixedClock
from chassis.contracts import event_type_of
from chassis.testing import NOON, eventually
from gateway.consumers import EVENTS
from gateway.feeds.domain import LISTS_LEFT_OUT, live_data
from gateway.feeds.live import GAP, drop_old_events

Anything = Any  # the fixtures are described in conftest.py


class Stream:
    """A client that follows a stream in the background."""

    def __init__(self) -> None:
        self.events: list[dict[str, Any]] = []
        self.comments = 0
        self.ended = False

    def ids(self) -> list[str]:
        return [event["data"]["id"] for event in self.events]

    def read(self, block: str) -> None:
        lines = block.splitlines()
        if lines and lines[0].startswith(":"):
            self.comments += 1
        fields = dict(line.split(": ", 1) for line in lines if ": " in line and not line.startswith(":"))
        if "data" in fields:
            self.events.append({**fields, "data": json.loads(fields["data"])})


@asynccontextmanager
async def following(api: Anything, token: str, query: str = "", **headers: str) -> AsyncIterator[Stream]:
    stream = Stream()
    opened = asyncio.Event()

    async def follow() -> None:
        async with api.http.stream(
            "GET", f"/v1/stream{query}", headers={"Authorization": f"Bearer {token}", **headers}
        ) as answer:
            assert answer.status_code == 200, await answer.aread()
            opened.set()
            rest = ""
            async for part in answer.aiter_text():
                *blocks, rest = (rest + part).split("\n\n")
                for block in blocks:
                    stream.read(block)
            stream.ended = True

    task = asyncio.create_task(follow())
    waiting = asyncio.create_task(opened.wait())
    await asyncio.wait({task, waiting}, return_when=asyncio.FIRST_COMPLETED)
    waiting.cancel()
    if task.done():
        task.result()
    try:
        yield stream
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def in_feed(api: Anything, chain_id: str) -> int:
    async with api.database.transaction(chain_id) as tx:
        return int((await tx.execute("select count(*) from feed")).scalar_one())


async def test_events_come_as_they_happen_in_order(api: Anything, say: Anything) -> None:
    token = await api.token_of_admin("chn_live")
    async with following(api, token) as stream:
        said = [
            await say(messaging.MessageReceived(message_id=f"msg_{number}"), chain_id="chn_live")
            for number in range(30)
        ]
        await eventually(lambda: len(stream.events) == 30)
    assert stream.ids() == [one.event_id for one in said]
    first = stream.events[0]
    assert first["event"] == "carnet.messaging.message.received.v1"
    assert first["data"]["data"]["message_id"] == "msg_0"
    assert [int(event["id"]) for event in stream.events] == list(range(1, 31))


async def test_after_a_break_nothing_is_missed_and_nothing_comes_twice(api: Anything, say: Anything) -> None:
    chain = "chn_break"
    token = await api.token_of_admin(chain)
    async with following(api, token) as stream:
        await say(messaging.MessageReceived(message_id="msg_0"), chain_id=chain)
        await eventually(lambda: stream.events)
    said = [
        await say(messaging.MessageReceived(message_id=f"msg_{number}"), chain_id=chain) for number in (1, 2)
    ]

    async def both_in() -> bool:
        return await in_feed(api, chain) == 3

    await eventually(both_in)
    async with following(api, token, **{"Last-Event-ID": stream.events[-1]["id"]}) as again:
        await eventually(lambda: len(again.events) == 2)
        said.append(await say(messaging.MessageReceived(message_id="msg_3"), chain_id=chain))
        await eventually(lambda: len(again.events) == 3)
    assert again.ids() == [one.event_id for one in said]


async def test_without_a_last_event_the_stream_begins_now(api: Anything, say: Anything) -> None:
    chain = "chn_now"
    token = await api.token_of_admin(chain)
    await say(messaging.MessageReceived(message_id="msg_0"), chain_id=chain)

    async def is_in() -> bool:
        return await in_feed(api, chain) == 1

    await eventually(is_in)
    async with following(api, token) as stream:
        said = await say(messaging.MessageReceived(message_id="msg_1"), chain_id=chain)
        await eventually(lambda: stream.events)
        assert stream.ids() == [said.event_id]


async def test_another_chains_events_are_not_seen(api: Anything, say: Anything) -> None:
    token = await api.token_of_admin("chn_mine")
    async with following(api, token) as stream:
        await say(messaging.MessageReceived(message_id="msg_theirs"), chain_id="chn_theirs")
        said = await say(messaging.MessageReceived(message_id="msg_mine"), chain_id="chn_mine")
        await eventually(lambda: stream.events)
        assert stream.ids() == [said.event_id]


async def test_types_choose_what_comes(api: Anything, say: Anything) -> None:
    chain = "chn_types"
    token = await api.token_of_admin(chain)
    async with following(api, token, "?types=carnet.waitlist,carnet.profiles.visit") as stream:
        await say(messaging.MessageReceived(), chain_id=chain)
        await say(profiles.ClientDeleted(client_id="cli_1"), chain_id=chain)
        await say(profiles.VisitRecorded(visit_id="vis_1"), chain_id=chain)
        await say(waitlist.OfferMade(), chain_id=chain)
        await eventually(lambda: len(stream.events) == 2)
    assert {event["event"] for event in stream.events} == {
        "carnet.profiles.visit.recorded.v1",
        "carnet.waitlist.offer.made.v1",
    }


async def test_a_key_sees_the_events_of_what_it_may_read(api: Anything, say: Anything) -> None:
    chain = "chn_scopes"
    secret = (await api.key(chain, "ROLE_INTEGRATION", scopes=["messages:read"]))["secret"]
    async with following(api, secret) as stream:
        await say(profiles.VisitRecorded(visit_id="vis_1"), chain_id=chain)
        said = await say(messaging.MessageReceived(), chain_id=chain)
        await eventually(lambda: stream.events)
        assert stream.ids() == [said.event_id]


async def test_a_partner_cannot_follow_the_chain(api: Anything) -> None:
    secret = (await api.key("chn_live", "ROLE_PARTNER", brand_id="brd_1"))["secret"]
    answer = await api.as_token(secret, "GET", "/v1/stream")
    assert (answer.status_code, answer.json()["reason"]) == (403, "SCOPE_MISSING")


@pytest.mark.parametrize(
    ("query", "headers", "reason"),
    [
        ("?types=everything", {}, "FIELD_INVALID"),
        ("?types=carnet.nothing", {}, "FIELD_INVALID"),
        ("?kinds=x", {}, "FIELD_INVALID"),
        ("", {"Last-Event-ID": "evt_1"}, "HEADER_INVALID"),
        ("", {"Last-Event-ID": "-1"}, "HEADER_INVALID"),
    ],
)
async def test_what_cannot_be_asked_of_a_stream_is_a_problem(
    api: Anything, query: str, headers: dict[str, str], reason: str
) -> None:
    answer = await api.as_admin("chn_live", "GET", f"/v1/stream{query}", headers=headers)
    assert (answer.status_code, answer.json()["reason"]) == (400, reason)


async def test_a_quiet_stream_says_that_it_is_there(api: Anything) -> None:
    async with following(api, await api.token_of_admin("chn_quiet")) as stream:
        await eventually(lambda: stream.comments >= 2)
        assert stream.events == []


async def test_a_revoked_key_ends_its_streams(api: Anything) -> None:
    made = await api.key("chn_live", "ROLE_INTEGRATION")
    async with following(api, made["secret"]) as stream:
        await api.as_admin("chn_live", "POST", f"/v1/api_keys/{made['api_key']['api_key_id']}:revoke")
        await eventually(lambda: stream.ended)


async def test_old_events_go_and_a_client_that_was_away_too_long_is_told(
    api: Anything, say: Anything
) -> None:
    chain = "chn_old"
    token = await api.token_of_admin(chain)
    for number in range(3):
        await say(messaging.MessageReceived(message_id=f"msg_{number}"), chain_id=chain)

    async def all_in() -> bool:
        return await in_feed(api, chain) == 3

    await eventually(all_in)
    async with api.database.transaction(chain) as tx:
        await tx.execute("update feed set create_time = :then where position < 3", {"then": NOON})
    await drop_old_events(database=api.database, clock=FixedClock(api.service.foundation.clock.now()))
    assert await in_feed(api, chain) == 1
    async with following(api, token, **{"Last-Event-ID": "1"}) as stream:
        await eventually(lambda: len(stream.events) == 2)
    assert [event["event"] for event in stream.events] == [GAP, "carnet.messaging.message.received.v1"]


def test_a_large_event_comes_without_its_lists() -> None:
    known = {event_type_of(event): event for event in EVENTS}
    for event_type, names in LISTS_LEFT_OUT.items():
        assert set(names) <= set(known[event_type].DESCRIPTOR.fields_by_name)
    told = live_data(
        "carnet.profiles.import_batch.landed.v1", {"import_id": "imp_1", "clients": [1, 2], "purchases": []}
    )
    assert told == {"import_id": "imp_1", "clients_count": 2, "purchases_count": 0}


async def test_the_same_event_twice_is_told_once(api: Anything, say: Anything) -> None:
    chain = "chn_twice"
    said = await say(waitlist.OfferMade(), chain_id=chain)

    async def is_in() -> bool:
        return await in_feed(api, chain) == 1

    await eventually(is_in)
    consumer = next(
        one for one in api.service.consumers if (one.durable, one.stream) == ("gateway-feed", "WAITLIST")
    )
    assert await consumer.handle(said) == "duplicate"
    assert await in_feed(api, chain) == 1
