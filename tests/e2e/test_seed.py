"""The demo chain: what a first `make up` leaves behind, seen through the API by those who can sign in."""

from __future__ import annotations

import asyncio
import time
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import pytest_asyncio

from carnet_local.api import Api
from carnet_local.seed import SeedResult, seed

CUT_AFTER_SECONDS = 3.0


@dataclass(frozen=True)
class Seeded:
    """The result of the first run, with the admin signed in."""

    result: SeedResult
    admin: Api
    seconds: float


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def seeded(carnet: Any, anybody: Api) -> Seeded:
    # Cut short first, as by a crash: the second run must go on where this one ended.
    with suppress(TimeoutError):
        await asyncio.wait_for(seed(carnet.api_url, carnet.operator_key), CUT_AFTER_SECONDS)
    started = time.monotonic()
    result = await seed(carnet.api_url, carnet.operator_key)
    seconds = time.monotonic() - started
    _, _, email, password = result.sign_ins[0]
    return Seeded(result, await anybody.sign_in(email, password), seconds)


async def count(api: Api, path: str, field: str) -> int:
    return len([item async for item in api.every(path, field)])


async def test_the_house_has_stores_people_clients_and_watches(seeded: Seeded, record_property: Any) -> None:
    record_property("seed_seconds", seeded.seconds)
    admin = seeded.admin
    assert await count(admin, "/v1/stores", "stores") == 2
    assert await count(admin, "/v1/associates", "associates") == 6
    assert await count(admin, "/v1/users", "users") == 7
    assert await count(admin, "/v1/clients", "clients") == 300
    assert await count(admin, "/v1/brands", "brands") == 5
    assert await count(admin, "/v1/senders", "senders") == 4
    assert await count(admin, "/v1/templates", "templates") == 4
    assert await count(admin, "/v1/references", "references") == 4
    assert await count(admin, "/v1/interests", "interests") >= 10
    assert await count(admin, "/v1/allocations", "allocations") == 1
    assert await count(admin, "/v1/appointments", "appointments") == 12
    assert await count(admin, "/v1/pieces", "pieces") == 98


async def test_there_is_something_to_show_to_whoever_is_to_be_contacted(seeded: Seeded) -> None:
    async for associate in seeded.admin.every("/v1/associates", "associates"):
        queue = await seeded.admin.get(f"/v1/associates/{associate['associate_id']}/queue")
        client_id = queue["suggestions"][0]["client_id"]
        found = await seeded.admin.get(f"/v1/clients/{client_id}/recommendations")
        assert found["recommendations"], found["note"]
        assert all(reason["sentence"] for one in found["recommendations"] for reason in one["reasons"])


async def test_everybody_can_sign_in_and_the_brand_has_its_key(seeded: Seeded, anybody: Api) -> None:
    for _, role, email, secret in seeded.result.sign_ins:
        if "partner" in role:
            assert (await anybody.as_caller(secret).get("/v1/me"))["role"] == "ROLE_PARTNER"
        else:
            caller = await (await anybody.sign_in(email, secret)).get("/v1/me")
            assert caller["role"] == f"ROLE_{role.partition(',')[0].upper()}"


async def test_every_associate_has_a_queue_with_reasons(seeded: Seeded) -> None:
    signals = set()
    async for associate in seeded.admin.every("/v1/associates", "associates"):
        queue = await seeded.admin.get(f"/v1/associates/{associate['associate_id']}/queue")
        assert queue["suggestions"], f"{associate['display_name']} has nothing to do"
        for suggestion in queue["suggestions"]:
            assert suggestion["reasons"]
            assert all(reason["sentence"] for reason in suggestion["reasons"])
            signals |= {reason["signal"] for reason in suggestion["reasons"]}
    assert signals >= {
        "SIGNAL_SILENT_ONE_TIMER",
        "SIGNAL_HIGH_INTENT",
        "SIGNAL_OCCASION_AHEAD",
        "SIGNAL_VIP_GOING_QUIET",
    }


async def test_the_purchase_model_finds_enough_history(seeded: Seeded) -> None:
    model = await seeded.admin.get("/v1/purchase_model")
    assert model["state"] == "PURCHASE_MODEL_STATE_FITTED", model["note"]


async def test_a_second_run_changes_nothing_and_says_the_same(seeded: Seeded, carnet: Any) -> None:
    before = await seeded.admin.get("/v1/facts:summary")
    again = await seed(carnet.api_url, carnet.operator_key)
    assert again == seeded.result
    after = await seeded.admin.get("/v1/facts:summary")
    assert {name: after[name] for name in ("clients", "purchases", "visits")} == {
        name: before[name] for name in ("clients", "purchases", "visits")
    }
    assert await count(seeded.admin, "/v1/appointments", "appointments") == 12
    assert await count(seeded.admin, "/v1/pieces", "pieces") == 98
