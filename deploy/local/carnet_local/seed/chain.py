"""The demo chain, step by step: the house, its people, its clients and what they did, its watches, calendar and cases.

Every write carries a request id that is the same in every run, and every day counts from the day on which the chain was
opened, so that a repeat says word for word what the first run said. Passwords follow from the operator's key: every
installation has its own, and they need not be stored to be repeated.
"""

from __future__ import annotations

import asyncio
import base64
import hmac
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from functools import partial
from zoneinfo import ZoneInfo

from carnet_local.api import Api, Json, Refused, money
from carnet_local.seed.clients import enter_clients, import_purchases
from carnet_local.seed.histories import Life
from carnet_local.seed.house import (
    ADMIN,
    CHAIN,
    CURRENCY,
    HOUSES,
    House,
    NotAsWritten,
    Staff,
    Store,
    at_once,
    write,
)
from carnet_local.seed.people import store_number
from carnet_local.seed.pieces import BRANDS, PARTNER, WATCHES
from carnet_local.seed.showcase import showcase
from carnet_local.seed.templates import TEMPLATES

INTEREST_WORDING = (
    "Registering interest does not guarantee a watch. We will be glad to tell you where things stand."
)

_SETTLED_WITHIN_SECONDS = 60.0
# After a crash a key is held for a minute before it may be used again.
_PATIENCE_SECONDS = 90.0


@dataclass(frozen=True)
class SeedResult:
    """Who can sign in, each as (name, role, email, password)."""

    sign_ins: list[tuple[str, str, str, str]]


async def seed(gateway_url: str, operator_key: str) -> SeedResult:
    """Create the demo chain and return its sign-ins. Raises Refused and NotAsWritten."""
    async with Api.at(gateway_url, patience=_PATIENCE_SECONDS) as anybody:
        operator = anybody.as_caller(operator_key)
        passwords = {
            staff.email: _password(operator_key, staff.email)
            for staff in (ADMIN, *(staff for house in HOUSES for staff in house.staff))
        }
        chain = await write(
            operator,
            "/v1/chains",
            {
                "display_name": CHAIN,
                "country": "US",
                "currency_code": CURRENCY,
                "time_zone": "America/New_York",
            },
            once="seed/chain",
        )
        today = datetime.fromisoformat(chain["create_time"]).astimezone(ZoneInfo(chain["time_zone"])).date()
        admin = await _first_admin(operator, chain["chain_id"], passwords[ADMIN.email])
        stores, brands = await asyncio.gather(_stores(admin, anybody, passwords), _brands(admin))
        await asyncio.gather(*(enter_clients(store, today, brands) for store in stores))
        await asyncio.gather(
            *(import_purchases(admin, store, brands) for store in stores),
            *(_calendar(admin, store, today) for store in stores),
            _templates(admin),
        )
        partner = await _partner(admin, brands)
        await _waitlist(admin, stores, brands)
        await _facts_arrived(admin, stores)
        await _catalogue(admin, stores, brands, today)
        await admin.post("/v1/scoring:run", {})
    sign_ins = [
        (staff.name, f"{staff.role}, {place}", staff.email, passwords[staff.email])
        for place, people in [("all stores", (ADMIN,)), *((house.name, house.staff) for house in HOUSES)]
        for staff in people
    ]
    return SeedResult([*sign_ins, (PARTNER, "partner brand", "API key", partner)])


def _password(operator_key: str, email: str) -> str:
    digest = hmac.digest(operator_key.encode(), email.encode(), "sha256")
    letters = base64.b32encode(digest).decode().lower()[:15]
    return "-".join(letters[at : at + 5] for at in range(0, 15, 5))


async def _first_admin(operator: Api, chain_id: str, password: str) -> Api:
    # Refused when an earlier run came this far: then the password is the same as well.
    with suppress(Refused):
        await operator.post(
            f"/v1/chains/{chain_id}/first_admin",
            {"email": ADMIN.email, "password": password, "display_name": ADMIN.name},
        )
    return await operator.sign_in(ADMIN.email, password)


async def _brands(admin: Api) -> dict[str, str]:
    made = await asyncio.gather(
        *(
            write(admin, "/v1/brands", {"display_name": name}, once=f"seed/brand/{number}")
            for number, name in enumerate(BRANDS)
        )
    )
    return {brand["display_name"]: brand["brand_id"] for brand in made}


async def _stores(admin: Api, anybody: Api, passwords: Mapping[str, str]) -> list[Store]:
    return list(await asyncio.gather(*(_store(admin, anybody, house, passwords) for house in HOUSES)))


async def _store(admin: Api, anybody: Api, house: House, passwords: Mapping[str, str]) -> Store:
    made = await write(
        admin,
        "/v1/stores",
        {"display_name": house.name, "time_zone": house.time_zone, "country": "US"},
        once=f"seed/store/{house.city}",
    )
    store = Store(house, made["store_id"], admin)

    async def join(staff: Staff) -> str:
        associate = await write(
            admin,
            "/v1/associates",
            {"store_id": store.store_id, "display_name": staff.name, "email": staff.email},
            once=f"seed/associate/{staff.email}",
        )
        await write(
            admin,
            "/v1/users",
            {
                "email": staff.email,
                "password": passwords[staff.email],
                "display_name": staff.name,
                "role": f"ROLE_{staff.role.upper()}",
                "associate_id": associate["associate_id"],
                "store_ids": [store.store_id],
            },
            once=f"seed/user/{staff.email}",
        )
        return str(associate["associate_id"])

    store.associates = list(await asyncio.gather(*(join(staff) for staff in house.staff)))
    manager = house.staff[0]
    store.manager = await anybody.sign_in(manager.email, passwords[manager.email])
    await write(
        admin,
        "/v1/senders",
        {"store_id": store.store_id, "phone": store_number(house.city), "display_name": CHAIN},
        once=f"seed/sender/{house.city}",
    )
    await write(
        admin,
        "/v1/senders",
        {
            "store_id": store.store_id,
            "channel": "CHANNEL_EMAIL",
            "email": f"{house.city.lower().replace(' ', '-')}@maison-verrane.example",
            "display_name": CHAIN,
        },
        once=f"seed/email_sender/{house.city}",
    )
    return store


async def _templates(admin: Api) -> None:
    for number, template in enumerate(TEMPLATES):
        await write(admin, "/v1/templates", template, once=f"seed/template/{number}")


async def _catalogue(admin: Api, stores: Sequence[Store], brands: Mapping[str, str], today: date) -> None:
    """Put what lies in the stores' cases into the catalogue. The same again changes nothing."""

    def stock(quantities: Sequence[int], days_ago: int) -> list[Json]:
        day = today - timedelta(days=days_ago)
        arrived = {"year": day.year, "month": day.month, "day": day.day}
        return [
            {"store_id": store.store_id, "quantity": quantity, "arrive_date": arrived}
            for store, quantity in zip(stores, quantities, strict=True)
            if quantity
        ]

    pieces = [
        {
            "code": shown.code,
            "display_name": shown.name,
            "brand_id": brands[shown.piece.brand],
            "collection": shown.collection,
            "reference": shown.piece.reference,
            "category": shown.piece.category,
            "metal": shown.piece.metal,
            "stone": shown.piece.stone,
            "cut": shown.piece.cut,
            "style": shown.piece.style,
            "size": shown.piece.size,
            "price": money(shown.piece.price, CURRENCY),
            "stock": stock(shown.stock, shown.days_ago),
        }
        for shown in showcase(len(stores))
    ]
    await admin.post("/v1/pieces:upsert", {"pieces": pieces})


async def _calendar(admin: Api, store: Store, today: date) -> None:
    """Open the store's calendar, and book a few viewings in its next days."""
    spans = [{"weekday": weekday, "opens": "10:00", "closes": "19:00"} for weekday in range(1, 7)]
    spans.append({"weekday": 7, "opens": "12:00", "closes": "17:00"})
    path = f"/v1/stores/{store.store_id}/hours"
    await admin.put(path, {"time_zone": store.house.time_zone, "spans": spans})

    async def resource(kind: str, name: str, associate_id: str = "") -> str:
        made = await write(
            admin,
            "/v1/resources",
            {
                "store_id": store.store_id,
                "kind": f"RESOURCE_KIND_{kind}",
                "display_name": name,
                "associate_id": associate_id,
            },
            once=f"seed/resource/{associate_id or name}",
        )
        return str(made["resource_id"])

    sellers = [
        await resource("ASSOCIATE", staff.name, associate_id)
        for staff, associate_id in zip(store.house.staff, store.associates, strict=True)
    ]
    rooms = [await resource("ROOM", name) for name in store.house.rooms]
    zone = ZoneInfo(store.house.time_zone)
    minded = [client_id for life, client_id in store.clients if life.story in ("looker", "vip", "couple")]
    for number in range(6):
        # Two a day at hours that every weekday has, the first of them tomorrow.
        start = datetime.combine(today + timedelta(days=1 + number // 2), datetime.min.time(), zone)
        start = start.replace(hour=13 if number % 2 else 15)
        # After a crash and a long pause a time may have passed; then there is nothing left to book.
        with suppress(Refused):
            await write(
                admin,
                "/v1/appointments",
                {
                    "store_id": store.store_id,
                    "client_id": minded[number * 5],
                    "start_time": start.astimezone(UTC).isoformat().replace("+00:00", "Z"),
                    "minutes": 45,
                    "associate_resource_id": sellers[number % len(sellers)],
                    "room_resource_id": rooms[number % len(rooms)],
                    "note": "Private viewing",
                },
                once=f"seed/appointment/{store.house.city}/{number}",
            )


async def _partner(admin: Api, brands: Mapping[str, str]) -> str:
    """Make the partner brand's key and return its secret."""
    body = {"display_name": f"{PARTNER}, allocations", "role": "ROLE_PARTNER", "brand_id": brands[PARTNER]}
    made = await admin.post("/v1/api_keys", body, key="seed/partner_key")
    if not made["secret"]:
        # Shown once, to a run that ended before it could tell anybody: another key takes its place.
        await admin.post(f"/v1/api_keys/{made['api_key']['api_key_id']}:revoke")
        made = await admin.post("/v1/api_keys", body)
    return str(made["secret"])


async def _waitlist(admin: Api, stores: Sequence[Store], brands: Mapping[str, str]) -> None:
    """Enter the watches that people wait for, who waits, and one allocation."""
    references: dict[str, str] = {}
    for watch in WATCHES:
        made = await write(
            admin,
            "/v1/references",
            {
                "brand_id": brands[watch.brand],
                "code": watch.code,
                "display_name": watch.name,
                "price": money(watch.price, CURRENCY),
            },
            once=f"seed/reference/{watch.code}",
        )
        references[watch.code] = made["reference_id"]

    async def register(store: Store, number: int, life: Life, client_id: str) -> None:
        watch = WATCHES[(number + (life.taste.band < 3)) % len(WATCHES)]
        await write(
            admin,
            "/v1/interests",
            {
                "reference_id": references[watch.code],
                "client_id": client_id,
                "store_id": store.store_id,
                "wording": INTEREST_WORDING,
                "purpose": ("personal", "gift", "collection")[number % 3],
            },
            once=f"seed/interest/{store.house.city}/{number}",
        )

    waiting = [
        (store, number, life, client_id)
        for store in stores
        for number, (life, client_id) in enumerate(
            [each for each in store.clients if each[0].story in ("collector", "vip")][:9]
        )
    ]
    await at_once(partial(register, *each) for each in waiting)
    await write(
        admin,
        "/v1/allocations",
        {
            "reference_id": references[WATCHES[0].code],
            "store_id": stores[0].store_id,
            "serials": ["HV7310442", "HV7310443"],
        },
        once="seed/allocation",
    )


async def _facts_arrived(admin: Api, stores: Sequence[Store]) -> None:
    """Wait until outreach has heard of everybody and everything, so that the first queue misses nobody."""
    told = [life for store in stores for life, _ in store.clients]
    expected = {
        "clients": len(told),
        "purchases": sum(len(life.bought) for life in told),
        "visits": sum(len(life.looked) for life in told),
    }
    deadline = time.monotonic() + _SETTLED_WITHIN_SECONDS
    while True:
        facts = await admin.get("/v1/facts:summary")
        if all(int(facts[name]) >= count for name, count in expected.items()):
            return
        if time.monotonic() > deadline:
            raise NotAsWritten(f"outreach has heard of {facts}, not of {expected}")
        await asyncio.sleep(0.1)
