"""One person, two profiles: the floor is asked, the list says why, the two become one, and two again."""

from __future__ import annotations

from typing import Any

import pytest

from carnet_local.api import Refused
from carnet_local.demo.house import House
from chassis.testing import eventually

PHONE = "+12025550161"


async def test_a_capture_says_that_somebody_is_likely_known_instead_of_making_a_second_one(
    house: House,
) -> None:
    known = await house.associate.post(
        "/v1/clients",
        {
            "given_name": "Robert",
            "family_name": "Marchetti",
            "home_store_id": house.store_id,
            "contact_points": [{"kind": "CONTACT_KIND_PHONE", "value": "+12025550171"}],
        },
    )
    walk_in: dict[str, Any] = {
        "request_id": "offline-phone-1",
        "store_id": house.store_id,
        "given_name": "Bob",
        "family_name": "Marcheti",
        "phone": "202 555 0172",
    }
    with pytest.raises(Refused) as asked:
        await house.associate.post("/v1/visits:capture", walk_in)
    assert asked.value.reason == "CLIENT_LIKELY"
    assert asked.value.problem["metadata"]["client_ids"] == known["client_id"]

    told = {**walk_in, "request_id": "offline-phone-2", "client_id": known["client_id"]}
    captured = [await house.associate.post("/v1/visits:capture", told) for _ in range(2)]
    assert captured[0] == captured[1]
    assert captured[0]["client"]["client_id"] == known["client_id"]
    assert "+12025550172" in captured[0]["remarks"][0]


async def test_a_pair_is_reviewed_merged_and_taken_apart_again(house: House) -> None:
    first, second = [
        await house.associate.post(
            "/v1/clients",
            {
                "given_name": given_name,
                "family_name": "Okafor",
                "home_store_id": house.store_id,
                "contact_points": [{"kind": "CONTACT_KIND_PHONE", "value": PHONE}],
            },
        )
        for given_name in ("Katherine", "Kate")
    ]
    visit = await house.associate.post(
        "/v1/visits", {"client_id": second["client_id"], "store_id": house.store_id}
    )

    async def listed() -> Any:
        return (await house.associate.get(f"/v1/duplicates?client_id={first['client_id']}")).get("duplicates")

    (pair,) = await eventually(listed)
    assert {reason["kind"] for reason in pair["reasons"]} == {
        "DUPLICATE_REASON_KIND_SAME_PHONE",
        "DUPLICATE_REASON_KIND_SIMILAR_NAME",
    }
    body = {
        "surviving_client_id": first["client_id"],
        "merged_client_id": second["client_id"],
        "choices": {"given_name": second["client_id"]},
    }
    preview = await house.admin.post("/v1/merges:preview", body)
    assert preview["client"]["given_name"] == "Kate"
    assert (await house.associate.get(f"/v1/clients/{first['client_id']}"))["given_name"] == "Katherine"

    merge = await house.admin.post("/v1/merges", {**body, "request_id": "one-person"})
    assert await house.admin.post("/v1/merges", {**body, "request_id": "one-person"}) == merge
    one = await house.associate.get(f"/v1/clients/{second['client_id']}")
    assert (one["client_id"], one["given_name"]) == (first["client_id"], "Kate")
    assert (await house.associate.get(f"/v1/visits/{visit['visit_id']}"))["client_id"] == first["client_id"]
    with pytest.raises(Refused) as again:
        await house.admin.post("/v1/merges", body)
    assert again.value.reason == "CLIENT_MERGED"

    later = await house.associate.post(
        "/v1/visits", {"client_id": second["client_id"], "store_id": house.store_id}
    )
    undone = await house.admin.post(f"/v1/merges/{merge['merge_id']}:undo", {})
    assert [(item["kind"], item["item_id"]) for item in undone["kept"]] == [("visit", later["visit_id"])]
    names = [
        (await house.associate.get(f"/v1/clients/{client['client_id']}"))["given_name"]
        for client in (first, second)
    ]
    assert names == ["Katherine", "Kate"]
    owner = (await house.associate.get(f"/v1/visits/{visit['visit_id']}"))["client_id"]
    assert owner == second["client_id"]
    assert not await listed()  # who takes a merge back says that they are two


async def test_all_clients_of_a_chain_are_looked_through_on_request(house: House) -> None:
    started = await house.admin.post("/v1/duplicate_passes", {"request_id": "look-through"})

    async def is_over() -> Any:
        one = await house.admin.get(f"/v1/duplicate_passes/{started['duplicate_pass_id']}")
        return one if one["state"] != "PASS_STATE_RUNNING" else None

    done = await eventually(is_over, within=30)
    assert done["state"] == "PASS_STATE_COMPLETED"
    assert int(done["clients_read"]) >= 1
