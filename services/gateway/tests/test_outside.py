"""What parties outside send goes to messaging as it came, and its answer goes back; nothing of it is read here."""

import os
from typing import Any

import httpx
import pytest

from chassis.testing import eventually
from gateway.rest.errors import MethodNotAllowed, RouteUnknown
from gateway.rest.router import Router

Gateway = Any  # what the fixture `api` is; see conftest.py


async def test_a_request_goes_on_as_it_came_and_the_answer_comes_back(api: Gateway) -> None:
    target = "/outside/twilio/inbound?a=%2B1%20x&a=2&empty=&caf%C3%A9"
    body = bytes(range(256))
    answer = await api.http.post(
        httpx.URL(f"{api.http.base_url}", raw_path=target.encode()),
        content=body,
        headers={"X-Twilio-Signature": "abc=", "Content-Type": "application/x-www-form-urlencoded"},
    )
    assert (answer.status_code, answer.content) == (202, b"<R/>")
    assert (answer.headers["content-type"], answer.headers["x-own"]) == ("text/xml", "1")
    asked = api.outside.asked[-1]
    assert (asked.method, asked.target, asked.body) == ("POST", target, body)
    assert asked.headers["x-twilio-signature"] == "abc="


async def test_whoever_signs_in_is_nobody_here(api: Gateway) -> None:
    token = await api.token_of_admin("chn_outside")
    await api.http.get("/outside/media/x", headers={"Authorization": f"Bearer {token}"})
    assert api.outside.callers[-1] is None


@pytest.mark.parametrize(
    ("method", "status"), [("GET", 202), ("HEAD", 202), ("POST", 202), ("PUT", 405), ("DELETE", 405)]
)
async def test_what_carriers_use_is_taken_and_nothing_else(api: Gateway, method: str, status: int) -> None:
    answer = await api.http.request(method, "/outside/any/thing:at/all")
    assert answer.status_code == status
    assert answer.content == b"" or method != "HEAD"


@pytest.mark.parametrize("is_told", [True, False])
async def test_more_than_a_mebibyte_is_too_large_before_it_is_read(api: Gateway, is_told: bool) -> None:
    async def pieces() -> Any:
        for _ in range(17):
            yield os.urandom(65_536)

    before = len(api.outside.asked)
    content: Any = b"".join([piece async for piece in pieces()]) if is_told else pieces()
    answer = await api.http.post("/outside/twilio/inbound", content=content)
    assert (answer.status_code, answer.json()["reason"]) == (413, "BODY_TOO_LARGE")
    assert len(api.outside.asked) == before
    assert (await api.http.post("/outside/twilio/inbound", content=bytes(1024 * 1024))).status_code == 202


async def test_an_outage_behind_it_asks_to_come_again(api: Gateway) -> None:
    answer = await api.http.post("/outside/away")
    assert (answer.status_code, answer.headers["retry-after"]) == (503, "1")


async def test_a_large_answer_comes_piece_by_piece_and_ends_with_who_takes_it(api: Gateway) -> None:
    async with api.http.stream("GET", "/outside/large") as answer:
        assert answer.headers["content-type"] == "image/png"
        async for _ in answer.aiter_bytes():
            break
    await eventually(lambda: api.outside.is_cancelled)
    assert api.outside.sent < 2000


async def test_outside_is_not_counted_with_others_and_has_room_for_a_carrier(api: Gateway) -> None:
    answer = await api.http.get("/outside/media/x")
    assert answer.headers["ratelimit-limit"] == str(api.settings.outside_burst)
    assert api.settings.outside_burst >= 1000


def test_a_path_below_a_prefix_is_answered_whatever_it_is_made_of() -> None:
    router = Router()

    async def endpoint(_: Any) -> Any:
        return None

    router.add_below("/outside", ["GET"], endpoint)
    for path in ("/outside/a", "/outside/a/b:c/d", "/outside/", "/outside//"):
        assert router.find("GET", path).template == "/outside/{rest}"
    for path in ("/outside", "/outsider/a", "/v1/outside/a"):
        with pytest.raises(RouteUnknown):
            router.find("GET", path)
    with pytest.raises(MethodNotAllowed):
        router.find("PATCH", "/outside/a")
