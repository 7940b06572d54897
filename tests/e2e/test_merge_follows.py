"""Two profiles of one person are merged: every service answers under the survivor's id, and gives it all back after."""

from __future__ import annotations

import itertools
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
import pytest_asyncio

from carnet_local.api import Json, Refused, money
from carnet_local.demo.clients import awake_zone
from carnet_local.demo.house import STORE_ZONE, House, stamp, until

WORDING = "Registering interest does not guarantee a watch."
_NUMBERS = itertools.count(181)


class Person:
    """A client of whom every service comes to know something."""

    def __init__(self, house: House, client: Json, phone: str) -> None:
        self._house = house
        self.client_id: str = client["client_id"]
        self.phone = phone

    async def write(self, body: str = "Good afternoon") -> None:
        """Text the store."""
        await self._house.associate.post(
            "/v1/sandbox/inbound",
            {"from_phone": self.phone, "to_phone": self._house.sender_phone, "body": body},
        )

    async def seen(self) -> dict[str, Any]:
        """Return what each service answers for the client's id: how much, and whose it says it is."""
        house, client_id = self._house, self.client_id
        facts = await house.admin.get(f"/v1/clients/{client_id}/facts")
        conversations = await house.admin.get("/v1/conversations", client_id=client_id)
        interests = await house.admin.get("/v1/interests", client_id=client_id)
        viewings = await house.admin.get("/v1/appointments", client_id=client_id)
        return {
            "purchases": facts.get("purchases", 0),
            "facts of": facts["client_id"],
            "phones": sorted(one["client_phone"] for one in conversations.get("conversations", [])),
            "conversations of": {one.get("client_id", "") for one in conversations.get("conversations", [])},
            "interests": sorted(
                one["state"].removeprefix("INTEREST_STATE_") for one in interests.get("interests", [])
            ),
            "interests of": {one["client_id"] for one in interests.get("interests", [])},
            "viewings": len(viewings.get("appointments", [])),
        }

    async def allowed(self, purpose: str = "PURPOSE_SERVICE") -> str:
        """Return what the gate says."""
        decision = await self._house.associate.post(
            "/v1/messages:check",
            {"client_id": self.client_id, "store_id": self._house.store_id, "purpose": purpose},
        )
        return str(decision["verdict"])


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def references(house: House) -> list[str]:
    """Two references that one can wait for."""
    brand = await house.admin.post("/v1/brands", {"display_name": "Isolde & Brack"})
    made = [
        await house.admin.post(
            "/v1/references", {"brand_id": brand["brand_id"], "code": code, "display_name": code}
        )
        for code in ("M-1", "M-2")
    ]
    return [reference["reference_id"] for reference in made]


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def seller(house: House) -> str:
    """Somebody with whom viewings can be booked."""
    spans = [{"weekday": weekday, "opens": "10:00", "closes": "19:00"} for weekday in range(1, 8)]
    await house.admin.put(f"/v1/stores/{house.store_id}/hours", {"time_zone": STORE_ZONE, "spans": spans})
    made = await house.admin.post(
        "/v1/resources",
        {
            "store_id": house.store_id,
            "kind": "RESOURCE_KIND_ASSOCIATE",
            "display_name": "Seller",
            "associate_id": house.seller_id,
        },
    )
    return str(made["resource_id"])


async def meet(house: House, given_name: str, references: list[str], seller: str, *, hour: int) -> Person:
    """Make a client who bought, texts, waits for references and comes to see something."""
    phone = f"+12025550{next(_NUMBERS)}"
    client = await house.associate.post(
        "/v1/clients",
        {
            "given_name": given_name,
            "family_name": "Vandermeer",
            "home_store_id": house.store_id,
            "time_zone": awake_zone(datetime.now(UTC)),
            "contact_points": [{"kind": "CONTACT_KIND_PHONE", "value": phone}],
        },
    )
    person = Person(house, client, phone)
    await house.associate.post(
        f"/v1/clients/{person.client_id}/consents",
        {
            "contact_point_id": client["contact_points"][0]["contact_point_id"],
            "channel": "CHANNEL_SMS",
            "purposes": ["PURPOSE_SERVICE"],
            "wording": "Yes, you may text me about my pieces.",
        },
    )
    await house.associate.post(
        "/v1/purchases",
        {
            "client_id": person.client_id,
            "store_id": house.store_id,
            "purchase_date": {"year": 2026, "month": 1, "day": 5},
            "lines": [{"piece": {"category": "ring"}, "quantity": 1, "amount": money(900)}],
        },
    )
    await until(
        lambda: _is(person.allowed, "VERDICT_ALLOW"), "messaging has not heard of the consent", within=30
    )
    await person.write()
    for reference_id in references:
        await house.associate.post(
            "/v1/interests",
            {
                "reference_id": reference_id,
                "client_id": person.client_id,
                "store_id": house.store_id,
                "wording": WORDING,
            },
        )
    tomorrow = datetime.now(ZoneInfo(STORE_ZONE)) + timedelta(days=2)
    await house.associate.post(
        "/v1/appointments",
        {
            "store_id": house.store_id,
            "client_id": person.client_id,
            "start_time": stamp(tomorrow.replace(hour=hour, minute=0, second=0, microsecond=0)),
            "associate_resource_id": seller,
        },
    )
    return person


async def _is(ask: Any, wanted: Any) -> bool:
    try:
        return bool(await ask() == wanted)
    except Refused as refused:
        if refused.status != 404:
            raise
        return False  # outreach has not heard of the client yet


def own(person: Person, interests: int) -> dict[str, Any]:
    """Return what every service answers for a client who is nobody else."""
    return {
        "purchases": 1,
        "facts of": person.client_id,
        "phones": [person.phone],
        "conversations of": {person.client_id},
        "interests": ["WAITING"] * interests,
        "interests of": {person.client_id},
        "viewings": 1,
    }


async def test_every_service_follows_a_merge_and_its_undo(
    house: House, references: list[str], seller: str
) -> None:
    one = await meet(house, "Margarethe", references, seller, hour=11)
    other = await meet(house, "Grete", references[:1], seller, hour=15)
    await until(lambda: _is(one.seen, own(one, 2)), "not everybody knows the first one", within=30)
    await until(lambda: _is(other.seen, own(other, 1)), "not everybody knows the second one", within=30)
    await other.write("STOP")

    merge = await house.admin.post(
        "/v1/merges", {"surviving_client_id": one.client_id, "merged_client_id": other.client_id}
    )
    united = {
        "purchases": 2,
        "facts of": one.client_id,
        "phones": sorted([one.phone, other.phone]),
        "conversations of": {one.client_id},
        "interests": ["MERGED", "WAITING", "WAITING"],
        "interests of": {one.client_id},
        "viewings": 2,
    }
    for person in (one, other):
        await until(lambda person=person: _is(person.seen, united), f"{united} of {person.client_id}")
    # A number that asked for silence stays silent, whoever has it; the other one may still be written to.
    entries = (await house.admin.get(f"/v1/clients/{one.client_id}/permissions"))["entries"]
    revoked = {entry["phone"] for entry in entries if entry["change"] == "PERMISSION_CHANGE_REVOKED"}
    assert revoked == {other.phone}
    # What comes in between is the survivor's, under either id.
    since = await house.associate.post(
        "/v1/purchases",
        {
            "client_id": other.client_id,
            "store_id": house.store_id,
            "purchase_date": {"year": 2026, "month": 2, "day": 5},
            "lines": [{"piece": {"category": "chain"}, "quantity": 1, "amount": money(100)}],
        },
    )
    assert since["client_id"] == one.client_id
    await until(lambda: _is(one.seen, {**united, "purchases": 3}), "the purchase since is not known")

    undone = await house.admin.post(f"/v1/merges/{merge['merge_id']}:undo")
    assert undone["state"] == "MERGE_STATE_UNDONE"
    await until(
        lambda: _is(one.seen, {**own(one, 2), "purchases": 2}), "the survivor does not have her own again"
    )
    await until(lambda: _is(other.seen, own(other, 1)), "the other one does not have her own again")
    assert await one.allowed() == "VERDICT_ALLOW"
    assert await other.allowed() == "VERDICT_DENY"


async def test_another_chain_s_clients_cannot_be_merged_into_ours(
    house: House, new_house: Any, add_client: Any
) -> None:
    ours, stranger = await add_client(house, "Ours"), await new_house()
    theirs = await add_client(stranger, "Theirs")
    with pytest.raises(Refused) as refused:
        await house.admin.post(
            "/v1/merges",
            {"surviving_client_id": ours["client_id"], "merged_client_id": theirs["client_id"]},
        )
    assert refused.value.status == 404
