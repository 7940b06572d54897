"""What partner brands get: agreed fields of their own events, in order, signed, again until taken, or given up."""

import asyncio
import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from carnet.waitlist.v1 import events_pb2
from hypothesis import given
from hypothesis import strategies as st
from standardwebhooks import Webhook, WebhookVerificationError

from chassis.contracts import event_type_of
from chassis.ids import new_id
from chassis.testing import eventually
from gateway.consumers import EVENTS
from gateway.feeds.domain import PARTNER_RULES
from gateway.webhooks.domain import (
    GIVEN_UP_AFTER,
    JITTER,
    SCHEDULE,
    Reply,
    State,
    UrlNotAllowed,
    check_url,
    is_public_address,
    judge,
)
from gateway.webhooks.sender import resolve

Anything = Any  # the fixtures are described in conftest.py

CHAIN = "chn_webhooks"
NOW = datetime(2026, 3, 10, 17, tzinfo=UTC)


def offer(brand_id: str, number: int = 1) -> events_pb2.OfferFact:
    return events_pb2.OfferFact(
        offer_id=f"off_{number}",
        allocation_id="alc_1",
        reference_id="ref_1",
        brand_id=brand_id,
        store_id="str_1",
        piece_id="pce_1",
        serial="EX1",
        client_id="cli_secret",
        version=number,
        policy_version=3,
        reference_code="126-41",
    )


async def endpoint(api: Anything, url: str, brand_id: str, **fields: Any) -> dict[str, Any]:
    made = await api.as_admin(
        CHAIN, "POST", "/v1/webhook_endpoints", json={"url": url, "brand_id": brand_id, **fields}
    )
    assert made.status_code == 200, made.text
    return dict(made.json())


async def deliveries(api: Anything, made: dict[str, Any]) -> list[dict[str, Any]]:
    path = f"/v1/webhook_endpoints/{made['webhook_endpoint']['webhook_endpoint_id']}/deliveries"
    return list((await api.as_admin(CHAIN, "GET", path)).json()["webhook_deliveries"])


async def shown(api: Anything, made: dict[str, Any]) -> dict[str, Any]:
    listed = (await api.as_admin(CHAIN, "GET", "/v1/webhook_endpoints?page_size=200")).json()
    wanted = made["webhook_endpoint"]["webhook_endpoint_id"]
    return next(one for one in listed["webhook_endpoints"] if one["webhook_endpoint_id"] == wanted)


def test_no_partner_rule_shows_who_the_client_is_and_every_field_is_there() -> None:
    kinds = {event_type_of(kind): kind for kind in EVENTS}
    for event_type, rule in PARTNER_RULES.items():
        message = kinds[event_type].DESCRIPTOR
        if rule.inside:
            message = message.fields_by_name[rule.inside].message_type
        assert set(rule.fields) <= set(message.fields_by_name)
        assert {"brand_id", rule.subject} <= set(rule.fields)
        assert not any("client" in name for name in rule.fields)


async def test_an_event_arrives_signed_with_the_agreed_fields_only(
    api: Anything, say: Anything, receiver: Anything
) -> None:
    made = await endpoint(api, f"http://{receiver.address}/signed", "brd_signed")
    said = await say(events_pb2.OfferAccepted(offer=offer("brd_signed")), chain_id=CHAIN)
    await eventually(lambda: receiver.at("/signed"))
    got = receiver.at("/signed")[0]
    Webhook(made["secret"]).verify(got.body, got.headers)
    with pytest.raises(WebhookVerificationError):
        Webhook(made["secret"]).verify(got.body.replace(b"off_1", b"off_2"), got.headers)
    assert got.headers["webhook-id"] == said.event_id
    assert got.headers["content-type"] == "application/cloudevents+json"
    document = got.event
    assert document["specversion"] == "1.0"
    assert document["type"] == "carnet.waitlist.offer.accepted.v1"
    assert document["id"] == said.event_id
    assert document["source"] == f"carnet/{CHAIN}/waitlist"
    assert document["subject"] == "pce_1"
    assert document["data"]["serial"] == "EX1"
    assert b"cli_secret" not in got.body
    assert "policy_version" not in document["data"]


async def test_a_brand_hears_of_its_own_pieces_and_of_the_types_it_asked_for(
    api: Anything, say: Anything, receiver: Anything
) -> None:
    wanted = "carnet.waitlist.piece.sold.v1"
    await endpoint(api, f"http://{receiver.address}/mine", "brd_mine", event_types=[wanted])
    await say(events_pb2.PieceSold(offer=offer("brd_other")), chain_id=CHAIN)
    await say(events_pb2.OfferMade(offer=offer("brd_mine")), chain_id=CHAIN)
    await say(events_pb2.PieceSold(offer=offer("brd_mine")), chain_id="chn_another")
    await say(events_pb2.InterestRegistered(interest_id="int_1", brand_id="brd_mine"), chain_id=CHAIN)
    last = await say(events_pb2.PieceSold(offer=offer("brd_mine")), chain_id=CHAIN)
    await eventually(lambda: receiver.at("/mine"))
    assert [one.event["id"] for one in receiver.at("/mine")] == [last.event_id]


async def test_events_keep_their_order_while_the_receiver_fails(
    api: Anything, say: Anything, receiver: Anything
) -> None:
    receiver.answers["/ordered"] = [500, 204, 503, 302, 204]
    made = await endpoint(api, f"http://{receiver.address}/ordered", "brd_ordered")
    said = [
        await say(events_pb2.OfferMade(offer=offer("brd_ordered", number)), chain_id=CHAIN)
        for number in range(1, 6)
    ]
    await eventually(lambda: len(receiver.at("/ordered")) == 8)
    ids = [one.event["id"] for one in receiver.at("/ordered")]
    wanted = [said[0], said[0], said[1], said[1], said[1], *said[2:]]
    assert ids == [envelope.event_id for envelope in wanted]
    assert not receiver.at("/redirected")

    async def all_delivered() -> bool:
        return {one["state"] for one in await deliveries(api, made)} == {"DELIVERY_STATE_DELIVERED"}

    await eventually(all_delivered)
    newest_first = await deliveries(api, made)
    assert [one["event_id"] for one in newest_first] == [one.event_id for one in reversed(said)]
    assert [one["attempts"] for one in newest_first] == [1, 1, 1, 3, 2]
    assert newest_first[0]["last_status"] == 204


async def test_an_event_is_given_up_after_the_last_attempt_and_the_next_one_goes(
    api: Anything, say: Anything, receiver: Anything
) -> None:
    receiver.answers["/lost"] = [500] * 4
    made = await endpoint(api, f"http://{receiver.address}/lost", "brd_lost")
    await say(events_pb2.OfferMade(offer=offer("brd_lost", 1)), chain_id=CHAIN)
    await say(events_pb2.OfferAccepted(offer=offer("brd_lost", 2)), chain_id=CHAIN)

    async def both_settled() -> Any:
        states = [one["state"] for one in await deliveries(api, made)]
        return "DELIVERY_STATE_WAITING" not in states and len(states) == 2 and states

    assert await eventually(both_settled) == ["DELIVERY_STATE_DELIVERED", "DELIVERY_STATE_GIVEN_UP"]
    lost = (await deliveries(api, made))[1]
    assert (lost["attempts"], lost["last_status"]) == (4, 500)
    assert (await shown(api, made))["is_active"] is True


async def test_gone_disables_the_endpoint_at_once(api: Anything, say: Anything, receiver: Anything) -> None:
    receiver.answers["/gone"] = [410]
    made = await endpoint(api, f"http://{receiver.address}/gone", "brd_gone")
    await say(events_pb2.OfferMade(offer=offer("brd_gone", 1)), chain_id=CHAIN)
    await say(events_pb2.OfferMade(offer=offer("brd_gone", 2)), chain_id=CHAIN)

    async def disabled() -> bool:
        return not (await shown(api, made))["is_active"]

    await eventually(disabled)
    assert "410" in (await shown(api, made))["disable_reason"]
    assert len(receiver.at("/gone")) == 1
    assert {one["state"] for one in await deliveries(api, made)} == {"DELIVERY_STATE_GIVEN_UP"}


async def test_a_receiver_that_is_not_there_is_tried_again(api: Anything, say: Anything) -> None:
    made = await endpoint(api, "http://127.0.0.1:1/nobody", "brd_nobody")
    await say(events_pb2.OfferMade(offer=offer("brd_nobody")), chain_id=CHAIN)

    async def given_up() -> bool:
        return [one["state"] for one in await deliveries(api, made)] == ["DELIVERY_STATE_GIVEN_UP"]

    await eventually(given_up)
    assert "connection failed" in (await deliveries(api, made))[0]["last_error"]


async def test_the_same_event_twice_is_told_once(api: Anything, receiver: Anything, say: Anything) -> None:
    await endpoint(api, f"http://{receiver.address}/twice", "brd_twice")
    consumer = next(one for one in api.service.consumers if one.durable == "gateway-partners")
    said = await say(events_pb2.OfferMade(offer=offer("brd_twice", 1)), chain_id=CHAIN)
    await eventually(lambda: receiver.at("/twice"))
    assert await consumer.handle(said) == "duplicate"
    await say(events_pb2.OfferMade(offer=offer("brd_twice", 2)), chain_id=CHAIN)
    await eventually(lambda: len(receiver.at("/twice")) == 2)
    assert [one.event["data"]["offer_id"] for one in receiver.at("/twice")] == ["off_1", "off_2"]


async def test_a_deleted_endpoint_gets_nothing_more(api: Anything, say: Anything, receiver: Anything) -> None:
    made = await endpoint(api, f"http://{receiver.address}/deleted", "brd_deleted")
    path = f"/v1/webhook_endpoints/{made['webhook_endpoint']['webhook_endpoint_id']}"
    assert (await api.as_admin(CHAIN, "DELETE", path)).status_code == 204
    assert (await api.as_admin(CHAIN, "DELETE", path)).json()["reason"] == "WEBHOOK_ENDPOINT_NOT_FOUND"
    said = await say(events_pb2.OfferMade(offer=offer("brd_deleted")), chain_id=CHAIN)
    partner = (await api.key(CHAIN, "ROLE_PARTNER", brand_id="brd_deleted"))["secret"]

    async def told() -> Any:
        return (await api.as_token(partner, "GET", "/v1/partner/events")).json()["events"]

    assert [event["id"] for event in await eventually(told)] == [said.event_id]
    assert not receiver.at("/deleted")


async def test_a_partner_works_with_its_own_brand_only(api: Anything, receiver: Anything) -> None:
    partner = (await api.key(CHAIN, "ROLE_PARTNER", brand_id="brd_own"))["secret"]
    url = f"http://{receiver.address}/own"
    other = await api.as_token(
        partner, "POST", "/v1/webhook_endpoints", json={"url": url, "brand_id": "brd_two"}
    )
    assert (other.status_code, other.json()["reason"]) == (403, "BRAND_NOT_YOURS")
    own = await api.as_token(partner, "POST", "/v1/webhook_endpoints", json={"url": url})
    assert own.json()["webhook_endpoint"]["brand_id"] == "brd_own"
    foreign = await endpoint(api, url, "brd_two")
    listed = (await api.as_token(partner, "GET", "/v1/webhook_endpoints")).json()["webhook_endpoints"]
    assert [one["brand_id"] for one in listed] == ["brd_own"]
    path = f"/v1/webhook_endpoints/{foreign['webhook_endpoint']['webhook_endpoint_id']}"
    for method, more in (("DELETE", ""), ("GET", "/deliveries")):
        answer = await api.as_token(partner, method, path + more)
        assert answer.json()["reason"] == "WEBHOOK_ENDPOINT_NOT_FOUND"


async def test_an_admin_names_the_brand_and_types_that_partners_can_have(api: Anything) -> None:
    url = "http://127.0.0.1:1/x"
    missing = await api.as_admin(CHAIN, "POST", "/v1/webhook_endpoints", json={"url": url})
    assert missing.json()["reason"] == "BRAND_MISSING"
    wrong = await api.as_admin(
        CHAIN,
        "POST",
        "/v1/webhook_endpoints",
        json={
            "url": url,
            "brand_id": "brd_1",
            "event_types": ["carnet.waitlist.interest.registered.v1"],
        },
    )
    assert (wrong.status_code, wrong.json()["reason"]) == (400, "EVENT_TYPE_NOT_ALLOWED")


async def test_a_repeat_makes_one_endpoint_and_shows_the_secret_once(api: Anything) -> None:
    body = {"request_id": new_id("req"), "url": "http://127.0.0.1:1/x", "brand_id": "brd_r"}
    first = (await api.as_admin(CHAIN, "POST", "/v1/webhook_endpoints", json=body)).json()
    again = (await api.as_admin(CHAIN, "POST", "/v1/webhook_endpoints", json=body)).json()
    assert again["webhook_endpoint"] == first["webhook_endpoint"]
    assert (first["secret"][:6], again["secret"]) == ("whsec_", "")


async def test_the_cursor_feed_gives_the_same_documents_and_can_be_followed(
    api: Anything, say: Anything, receiver: Anything
) -> None:
    await endpoint(api, f"http://{receiver.address}/feed", "brd_feed")
    partner = (await api.key(CHAIN, "ROLE_PARTNER", brand_id="brd_feed"))["secret"]

    async def page(after: str) -> dict[str, Any]:
        answer = await api.as_token(partner, "GET", f"/v1/partner/events?after={after}&page_size=2")
        assert answer.status_code == 200, answer.text
        return dict(answer.json())

    start = await page("")
    assert start["events"] == []
    said = [
        await say(events_pb2.OfferMade(offer=offer("brd_feed", number)), chain_id=CHAIN)
        for number in range(3)
    ]
    await eventually(lambda: len(receiver.at("/feed")) == 3)
    first = await page(start["next_after"])
    second = await page(first["next_after"])
    events = first["events"] + second["events"]
    assert [event["id"] for event in events] == [one.event_id for one in said]
    assert (await page(second["next_after"])) == {"events": [], "next_after": second["next_after"]}
    for event, got in zip(events, receiver.at("/feed"), strict=True):
        assert {**event, "time": ""} == {**got.event, "time": ""}
    other = (await api.key(CHAIN, "ROLE_PARTNER", brand_id="brd_feed2"))["secret"]
    for token, after in ((partner, "made-up"), (other, second["next_after"])):
        answer = await api.as_token(token, "GET", f"/v1/partner/events?after={after}")
        assert (answer.status_code, answer.json()["violations"][0]["field"]) == (400, "after")


async def test_two_hundred_events_to_three_brands_keep_each_brands_order(
    api: Anything, say: Anything, receiver: Anything
) -> None:
    brands = ["brd_x", "brd_y", "brd_z"]
    for brand in brands:
        await endpoint(api, f"http://{receiver.address}/{brand}", brand)
    receiver.answers["/brd_y"] = [500, 204] * 10
    for number in range(60):
        await say(events_pb2.OfferMade(offer=offer(brands[number % 3], number)), chain_id=CHAIN)

    def taken(brand: str) -> list[str]:
        ids = [one.event["data"]["offer_id"] for one in receiver.at(f"/{brand}")]
        return list(dict.fromkeys(ids))

    await eventually(lambda: all(len(taken(brand)) == 20 for brand in brands), within=60)
    for index, brand in enumerate(brands):
        assert taken(brand) == [f"off_{number}" for number in range(index, 60, 3)]


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("http://partner.example/x", "https"),
        ("ftp://partner.example/x", "https"),
        ("https://user:word@partner.example/", "credentials"),
        ("https:///path", "host"),
        ("https://partner.example:99999/", "read"),
        ("https://partner.example/#top", "fragment"),
    ],
)
def test_an_address_that_is_not_plain_https_is_refused(url: str, said: str) -> None:
    with pytest.raises(UrlNotAllowed, match=said):
        check_url(url, allow_private=False)


@pytest.mark.parametrize(
    "host",
    [
        "localhost",
        "127.0.0.1",
        "127.1",
        "2130706433",
        "0.0.0.0",
        "10.0.0.8",
        "172.16.4.1",
        "192.168.1.1",
        "169.254.169.254",
        "100.64.0.1",
        "::1",
        "fe80::1",
        "fd00::1",
        "::ffff:10.0.0.1",
        "64:ff9b::a00:1",
        "2002:a00:1::",
        "224.0.0.1",
        "255.255.255.255",
    ],
)
async def test_an_address_inside_a_private_network_is_refused(host: str) -> None:
    with pytest.raises(UrlNotAllowed):
        await resolve(host, 443, allow_private=False)


@pytest.mark.parametrize("address", ["8.8.8.8", "2606:4700:4700::1111"])
def test_an_address_on_the_open_internet_is_taken(address: str) -> None:
    assert is_public_address(address)


def test_the_schedule_lasts_about_a_day() -> None:
    assert 0.9 < timedelta(seconds=sum(SCHEDULE)) / GIVEN_UP_AFTER <= 1
    assert list(SCHEDULE) == sorted(SCHEDULE)


@given(
    attempts=st.integers(1, len(SCHEDULE)),
    status=st.sampled_from([0, 301, 400, 404, 429, 500, 503]),
    jitter=st.floats(-1, 1),
    retry_after=st.none() | st.floats(0, 10**6),
)
def test_a_failure_is_tried_again_later_but_never_too_late(
    attempts: int, status: int, jitter: float, retry_after: float | None
) -> None:
    verdict = judge(
        Reply(status, retry_after=retry_after),
        attempts=attempts,
        failing_since=NOW,
        now=NOW,
        schedule=SCHEDULE,
        jitter=jitter,
    )
    assert verdict.state is State.WAITING
    assert verdict.next_attempt_time is not None
    wait = (verdict.next_attempt_time - NOW).total_seconds()
    assert SCHEDULE[attempts - 1] * (1 - JITTER) - 1e-3 <= wait
    assert wait <= max(3600, SCHEDULE[attempts - 1] * (1 + JITTER)) + 1e-3


def test_a_day_of_failures_disables_the_endpoint() -> None:
    verdict = judge(
        Reply(500),
        attempts=len(SCHEDULE) + 1,
        failing_since=NOW - timedelta(seconds=sum(SCHEDULE)),
        now=NOW,
        schedule=SCHEDULE,
        jitter=0,
    )
    assert verdict.state is State.GIVEN_UP
    assert verdict.disable_reason


async def test_the_secret_is_stored_encrypted(api: Anything) -> None:
    made = await endpoint(api, "http://127.0.0.1:1/x", "brd_secret")
    async with api.database.platform_transaction() as connection:
        rows = (await connection.exec_driver_sql("select secret from webhook_endpoints")).scalars().all()
    assert rows
    assert not any(made["secret"].encode() in bytes(row) for row in rows)
    assert json.dumps(made).count("whsec_") == 1


async def test_a_worker_that_died_in_the_middle_leads_to_a_repeat_with_the_same_id(
    api: Anything, say: Anything, receiver: Anything
) -> None:
    """Another worker leased the endpoint and never came back: after the lease the event goes out, under its own id."""
    made = await endpoint(api, f"http://{receiver.address}/crashed", "brd_crashed")
    endpoint_id = made["webhook_endpoint"]["webhook_endpoint_id"]
    async with api.database.platform_transaction() as connection:
        await connection.exec_driver_sql(
            "update webhook_endpoints set lease_id = 'lea_dead', lease_until = now() + interval '700 milliseconds'"
            f" where webhook_endpoint_id = '{endpoint_id}'"
        )
    said = await say(events_pb2.OfferMade(offer=offer("brd_crashed")), chain_id=CHAIN)
    await asyncio.wait_for(eventually(lambda: receiver.at("/crashed")), 10)
    assert receiver.at("/crashed")[0].headers["webhook-id"] == said.event_id
