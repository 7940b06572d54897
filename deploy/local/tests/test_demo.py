"""The demo's own parts: a clock that always finds daytime, a receiver that trusts nobody, output fit for a file."""

from __future__ import annotations

import io
import json
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import httpx
import pytest
from standardwebhooks.webhooks import Webhook

from carnet_local.demo.clients import awake_zone
from carnet_local.demo.house import Disappointed, expect, until
from carnet_local.demo.receiver import receiver
from carnet_local.demo.telling import Teller

SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"


def test_somewhere_it_is_always_daytime() -> None:
    for hours in range(0, 24 * 366, 5):
        now = datetime(2028, 1, 1, 0, 30, tzinfo=UTC) + timedelta(hours=hours)
        assert 10 <= now.astimezone(ZoneInfo(awake_zone(now))).hour < 18


def test_on_a_sunday_at_home_a_place_with_a_weekday_is_preferred_where_there_is_one() -> None:
    sunday_in_new_york = datetime(2026, 3, 15, 23, 30, tzinfo=UTC)
    zone = awake_zone(sunday_in_new_york)
    assert sunday_in_new_york.astimezone(ZoneInfo(zone)).isoweekday() == 1


def signed(body: str, *, number: str = "msg_1") -> dict[str, str]:
    now = datetime.now(UTC)
    return {
        "webhook-id": number,
        "webhook-timestamp": str(int(now.timestamp())),
        "webhook-signature": Webhook(SECRET).sign(number, now, body),
    }


def test_an_event_with_a_good_signature_counts_once() -> None:
    body = json.dumps({"type": "carnet.waitlist.offer.made.v1"})
    with receiver() as site:
        assert httpx.post(site.url, content=body, headers=signed(body), trust_env=False).status_code == 503
        site.trust(SECRET)
        for _ in range(2):
            answer = httpx.post(site.url, content=body, headers=signed(body), trust_env=False)
            assert answer.status_code == 204
        assert [event["type"] for event in site.events] == ["carnet.waitlist.offer.made.v1"]
        assert not site.refused


def test_an_event_that_was_changed_on_the_way_is_refused() -> None:
    body = json.dumps({"type": "carnet.waitlist.offer.made.v1"})
    with receiver() as site:
        site.trust(SECRET)
        changed = body.replace("made", "sold")
        assert httpx.post(site.url, content=changed, headers=signed(body), trust_env=False).status_code == 401
        assert (site.events, len(site.refused)) == ([], 1)


def test_in_a_file_nothing_moves_and_nothing_is_coloured() -> None:
    said = io.StringIO()
    teller = Teller(said)
    teller.chapter("Somebody walks in")
    teller.progress("13 %")
    teller.fail(f"{teller.chapter_title}: nobody came")
    assert "\x1b" not in said.getvalue()
    assert "\r" not in said.getvalue()
    assert "Failed at step 1, somebody walks in: nobody came" in said.getvalue()


async def test_a_broken_promise_ends_the_story_with_its_words() -> None:
    async def never() -> bool:
        return False

    with pytest.raises(Disappointed, match="the text did not arrive: not within 0 seconds"):
        await until(never, "the text did not arrive", within=0.1)
    with pytest.raises(Disappointed, match="nobody"):
        expect([], "nobody")
