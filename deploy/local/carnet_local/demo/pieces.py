"""The chapters about things: a scarce watch that a brand follows, and a viewing that cannot be booked twice."""

from __future__ import annotations

import json
import secrets
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from carnet_local.api import Api, Refused, money
from carnet_local.demo.house import STORE_ZONE, Disappointed, House, expect, stamp, until
from carnet_local.demo.receiver import Receiver
from carnet_local.demo.telling import Teller

BRAND = "Halvorsen Genève"
INTEREST_WORDING = (
    "Registering interest does not guarantee a watch. We will gladly tell you where things stand."
)


async def allocate_watch(teller: Teller, anybody: Api, house: House, site: Receiver) -> None:
    """Register interest, receive, rank, offer, accept and sell, while the partner brand follows."""
    teller.chapter("A scarce watch: who gets it, and the brand follows")
    brand = await house.admin.post("/v1/brands", {"display_name": BRAND})
    reference = await house.admin.post(
        "/v1/references",
        {
            "brand_id": brand["brand_id"],
            "code": "HV-410.021",
            "display_name": "Fjordmaster 41 steel, blue dial",
            "price": money(9800),
        },
    )
    key = await house.admin.post(
        "/v1/api_keys", {"display_name": BRAND, "role": "ROLE_PARTNER", "brand_id": brand["brand_id"]}
    )
    partner = anybody.as_caller(key["secret"])
    endpoint = await partner.post("/v1/webhook_endpoints", {"url": site.url})
    site.trust(endpoint["secret"])
    teller.tell(f"{BRAND} has a key of its own and has its events posted to {site.url}.")
    names = {house.client["client_id"]: "Inés Ibáñez", house.best_client_id: "the first of the queue"}
    for client_id in names:
        await house.associate.post(
            "/v1/interests",
            {
                "reference_id": reference["reference_id"],
                "client_id": client_id,
                "store_id": house.store_id,
                "wording": INTEREST_WORDING,
                "purpose": "personal",
            },
        )
    allocation = await house.admin.post(
        "/v1/allocations",
        {
            "reference_id": reference["reference_id"],
            "store_id": house.store_id,
            "serials": [f"HV{secrets.randbelow(9_000_000) + 1_000_000}"],
        },
    )
    path = f"/v1/allocations/{allocation['allocation_id']}"
    ranked = await house.admin.get(f"{path}/candidates")
    teller.tell(
        f"Two are interested, one piece came: serial {allocation['pieces'][0]['serial']}."
        f" The candidates by policy {ranked['policy_version']}:"
    )
    for candidate in ranked["candidates"]:
        teller.show(f"{candidate['rank']}. {names[candidate['client_id']]}  score {candidate['score']:.2f}")
        for part in candidate["parts"]:
            teller.show(f"     {part['contribution']:+.2f}  {part['name']}: {part['sentence']}")
    offer = await house.admin.post(f"{path}:offer", {"hold_hours": 48})
    accepted = await house.admin.post(f"/v1/offers/{offer['offer_id']}:accept")
    expect(accepted["state"] == "OFFER_STATE_ACCEPTED", "the offer was not accepted")
    sold = await house.admin.post(f"/v1/pieces/{offer['piece_id']}:sell")
    expect(sold["state"] == "PIECE_STATE_SOLD", "the piece was not sold")
    teller.tell(
        f"Offered to {names[offer['client_id']]} and held for 48 hours, accepted, sold. What the brand heard:"
    )
    promised = ["allocation.received", "offer.made", "offer.accepted", "piece.sold"]

    async def heard() -> bool:
        return len(site.events) >= len(promised)

    await until(heard, "the partner brand did not hear of everything")
    for event in site.events:
        teller.show(f"{event['time'][11:19]}  {event['type']}  {event['subject']}  signature holds")
    order = [event["type"].removeprefix("carnet.waitlist.").removesuffix(".v1") for event in site.events]
    expect(order == promised, f"the events came as {order}")
    expect(not site.refused, f"a signature did not hold: {site.refused}")
    expect("cli_" not in json.dumps(site.events), "the brand learned who the client is")
    teller.tell("In order, signed, and without a word about who the client is.")


async def book_viewing(teller: Teller, house: House) -> None:
    """Book a viewing, and see the overlapping one refused."""
    teller.chapter("A viewing is booked, the overlapping one is refused")
    spans = [{"weekday": weekday, "opens": "10:00", "closes": "19:00"} for weekday in range(1, 8)]
    await house.admin.put(f"/v1/stores/{house.store_id}/hours", {"time_zone": STORE_ZONE, "spans": spans})

    async def resource(kind: str, name: str, associate_id: str = "") -> str:
        made = await house.admin.post(
            "/v1/resources",
            {
                "store_id": house.store_id,
                "kind": f"RESOURCE_KIND_{kind}",
                "display_name": name,
                "associate_id": associate_id,
            },
        )
        return str(made["resource_id"])

    seller = await resource("ASSOCIATE", house.associates[house.seller_id], house.seller_id)
    room = await resource("ROOM", "Salon")
    tomorrow = datetime.now(ZoneInfo(STORE_ZONE)).date() + timedelta(days=1)
    slots = (await house.associate.get(f"/v1/stores/{house.store_id}/free_slots", date=tomorrow))["slots"]
    expect(slots, f"no slot is free on {tomorrow}")
    start = datetime.fromisoformat(slots[len(slots) // 2]["start_time"])
    viewing = {
        "store_id": house.store_id,
        "client_id": house.client["client_id"],
        "start_time": stamp(start),
        "minutes": 60,
        "associate_resource_id": seller,
        "room_resource_id": room,
    }
    booked = await house.associate.post("/v1/appointments", viewing)
    local = start.astimezone(ZoneInfo(STORE_ZONE))
    teller.tell(
        f"{len(slots)} free slots on {tomorrow}; booked {local:%H:%M},"
        f" with {booked['buffer_minutes']} minutes of buffer after it."
    )
    try:
        await house.associate.post(
            "/v1/appointments",
            {
                **viewing,
                "client_id": house.best_client_id,
                "start_time": stamp(start + timedelta(minutes=30)),
            },
        )
    except Refused as refusal:
        expect(refusal.reason == "SLOT_TAKEN", f"it was refused for another reason: {refusal}")
        teller.tell("Half an hour into it, for somebody else:")
        teller.show(json.dumps(refusal.problem, indent=2, ensure_ascii=False))
    else:
        raise Disappointed("the overlapping viewing was booked as well")
