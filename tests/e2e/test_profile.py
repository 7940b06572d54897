"""A complete profile: an associate writes down all about a couple, and the house decides what holds for everybody."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from carnet_local.api import Refused
from carnet_local.demo.house import House

AddClient = Callable[..., Awaitable[dict[str, Any]]]


async def test_an_associate_completes_the_profiles_of_a_couple(house: House, add_client: AddClient) -> None:
    associate = house.associate
    robert = await add_client(
        house,
        "Robert",
        nickname="Bob",
        tags=["bridal", " Bridal "],
        address={"lines": ["1 Wall Street"], "locality": "New York", "region": "NY", "postal_code": "10005"},
        contact_points=[
            {"kind": "CONTACT_KIND_PHONE", "value": "(212) 555-0171", "type": "CONTACT_TYPE_MOBILE"},
            {"kind": "CONTACT_KIND_EMAIL", "value": "bob@couple.example", "is_preferred": True},
        ],
        preferences=[
            {
                "kind": "PREFERENCE_KIND_RING_SIZE",
                "value": "10 1/2",
                "finger": "FINGER_LEFT_RING",
                "size_system": "SIZE_SYSTEM_US",
            }
        ],
    )
    path = f"/v1/clients/{robert['client_id']}"
    assert (robert["nickname"], robert["tags"]) == ("Bob", ["bridal"])
    assert robert["address"]["country"] == "US"
    assert (robert["time_zone"], robert["derived_time_zone"]) == ("", "America/New_York")
    assert [(size["value"], size["source"]) for size in robert["preferences"]] == [("10.5", "associate")]

    mobile = robert["contact_points"][0]
    confirmed = await associate.call(
        "PATCH",
        f"{path}/contact_points/{mobile['contact_point_id']}",
        body={"is_preferred": True, "is_verified": True},
    )
    assert confirmed["contact_points"][0]["verify_time"]
    assert [contact["is_preferred"] for contact in confirmed["contact_points"]] == [True, True]

    maria = await add_client(house, "María")
    married = await associate.post(
        f"{path}/relationships",
        {"relationship": {"kind": "RELATIONSHIP_KIND_SPOUSE", "related_client_id": maria["client_id"]}},
    )
    (hers,) = (await associate.get(f"/v1/clients/{maria['client_id']}"))["relationships"]
    assert (hers["given_name"], hers["kind"]) == ("Robert", "RELATIONSHIP_KIND_SPOUSE")
    surprised = await associate.post(
        f"{path}/occasions",
        {
            "occasion": {
                "kind": "OCCASION_KIND_BIRTHDAY",
                "date": {"month": 2, "day": 29},
                "lead_days": 45,
                "relationship_id": married["relationships"][0]["relationship_id"],
                "surprise_for_client_id": maria["client_id"],
            }
        },
    )
    (birthday,) = surprised["occasions"]
    assert (birthday["lead_days"], birthday["surprise_for_client_id"]) == (45, maria["client_id"])

    band = {
        "kind": "PREFERENCE_KIND_PRICE_BAND",
        "minimum_price": {"currency_code": "USD", "units": "5000"},
        "maximum_price": {"currency_code": "USD", "units": "9000"},
    }
    priced = await associate.post(f"{path}/preferences", {"preference": band})
    assert priced["preferences"][1]["maximum_price"]["units"] == "9000"
    forgotten = await associate.delete(f"{path}/preferences/{priced['preferences'][1]['preference_id']}")
    assert len(forgotten["preferences"]) == 1

    moved = await associate.call(
        "PATCH",
        path,
        body={"client": {"address": {"region": "CA"}}, "update_mask": "address", "etag": forgotten["etag"]},
    )
    assert moved["derived_time_zone"] == ""  # a New York number, a Californian address
    with pytest.raises(Refused) as refused:
        await associate.post(
            f"{path}/preferences",
            {
                "preference": {
                    "kind": "PREFERENCE_KIND_RING_SIZE",
                    "value": "Q",
                    "size_system": "SIZE_SYSTEM_US",
                }
            },
        )
    assert (refused.value.status, refused.value.reason) == (400, "SIZE_INVALID")


async def test_the_house_decides_what_holds_for_its_clients(
    house: House, new_house: Callable[[], Awaitable[House]]
) -> None:
    settings = await house.admin.get("/v1/chain_settings")
    assert (settings["one_timer_days"], settings["vip_amount"]["currency_code"]) == (180, "USD")
    decided = {**settings, "occasion_lead_days": 30, "merges_automatically": True}
    with pytest.raises(Refused) as refused:
        await house.associate.put("/v1/chain_settings", {"settings": decided, "etag": settings["etag"]})
    assert refused.value.status == 403
    changed = await house.admin.put("/v1/chain_settings", {"settings": decided, "etag": settings["etag"]})
    assert (changed["occasion_lead_days"], changed["merges_automatically"]) == (30, True)
    with pytest.raises(Refused) as stale:
        await house.admin.put("/v1/chain_settings", {"settings": decided, "etag": settings["etag"]})
    assert (stale.value.status, stale.value.reason) == (412, "CHAIN_SETTINGS_CHANGED")
    stranger = await new_house()
    assert (await stranger.admin.get("/v1/chain_settings"))["occasion_lead_days"] == 21
