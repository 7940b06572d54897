"""The demo chain, step by step: the house, its people, its clients and what they did, its watches, its calendar.

Every write carries a request id that is the same in every run, and every day counts from the day on which the chain was
opened, so that a repeat says word for word what the first run said. Passwords follow from the operator's key: every
installation has its own, and they need not be stored to be repeated.
"""

from __future__ import annotations

import asyncio
import base64
import hmac
import json
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from functools import partial
from zoneinfo import ZoneInfo

from carnet_local.api import Api, Json, Refused, day, money
from carnet_local.seed.histories import Life, Looked, lives
from carnet_local.seed.people import store_number
from carnet_local.seed.pieces import BRANDS, PARTNER, WATCHES, Piece

CHAIN = "Maison Verrane"
CURRENCY = "USD"
SOURCE = "till"
CONSENT_WORDING = (
    "Yes, Maison Verrane may text me at this number about pieces, services and events."
    " Agreeing is no condition of a purchase. Reply STOP to end it at any time."
)
INTEREST_WORDING = (
    "Registering interest does not guarantee a watch. We will be glad to tell you where things stand."
)

_PIECE_WORDS = (
    "category", "description", "reference", "serial", "metal", "stone", "cut", "style", "size",
)  # fmt: skip

# Enough, with two stores side by side, to keep two cores busy; more would only queue.
_AT_ONCE = 6
_SETTLED_WITHIN_SECONDS = 60.0
# After a crash a key is held for a minute before it may be used again.
_PATIENCE_SECONDS = 90.0


class NotAsWritten(Exception):
    """The API took everything and did not do all of it; the text says what is missing."""


@dataclass(frozen=True)
class Staff:
    """One member of staff with a sign-in."""

    name: str
    role: str
    email: str


@dataclass(frozen=True)
class House:
    """One store, as it is going to be."""

    city: str
    name: str
    time_zone: str
    staff: Sequence[Staff]
    rooms: Sequence[str]


ADMIN = Staff("Odile Verrane", "admin", "odile@maison-verrane.example")
HOUSES = (
    House(
        "New York",
        "Madison Avenue",
        "America/New_York",
        (
            Staff("Ingrid Solheim", "manager", "ingrid@maison-verrane.example"),
            Staff("Teo Marchetti", "associate", "teo@maison-verrane.example"),
            Staff("Zainab Bello", "associate", "zainab@maison-verrane.example"),
        ),
        ("Library", "Atelier"),
    ),
    House(
        "Los Angeles",
        "Rodeo Drive",
        "America/Los_Angeles",
        (
            Staff("Rafael Quintero", "manager", "rafael@maison-verrane.example"),
            Staff("Maëlle Dubois", "associate", "maelle@maison-verrane.example"),
            Staff("Jun Watanabe", "associate", "jun@maison-verrane.example"),
        ),
        ("Salon",),
    ),
)


@dataclass(frozen=True)
class SeedResult:
    """Who can sign in, each as (name, role, email, password)."""

    sign_ins: list[tuple[str, str, str, str]]


@dataclass
class Store:
    """One store that is there, with its signed-in manager and what came into being in it."""

    house: House
    store_id: str
    manager: Api
    associates: list[str] = field(default_factory=list)
    clients: list[tuple[Life, str]] = field(default_factory=list)


async def seed(gateway_url: str, operator_key: str) -> SeedResult:
    """Create the demo chain and return its sign-ins. Raises Refused and NotAsWritten."""
    async with Api.at(gateway_url, patience=_PATIENCE_SECONDS) as anybody:
        operator = anybody.as_caller(operator_key)
        passwords = {
            staff.email: _password(operator_key, staff.email)
            for staff in (ADMIN, *(staff for house in HOUSES for staff in house.staff))
        }
        chain = await _write(
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
        await asyncio.gather(*(_clients(store, today, brands) for store in stores))
        await asyncio.gather(
            *(_purchases(admin, store, brands) for store in stores),
            *(_calendar(admin, store, today) for store in stores),
        )
        partner = await _partner(admin, brands)
        await _waitlist(admin, stores, brands)
        await _facts_arrived(admin, stores)
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


async def _write(caller: Api, path: str, body: Json, *, once: str) -> Json:
    """Create something under a request id, which the service itself remembers for good."""
    return await caller.post(path, {**body, "request_id": once})


async def _at_once(steps: Iterable[Callable[[], Awaitable[None]]]) -> None:
    """Run steps, a few at a time; the first failure ends the rest and is raised bare."""
    turns = asyncio.Semaphore(_AT_ONCE)

    async def in_turn(step: Callable[[], Awaitable[None]]) -> None:
        async with turns:
            await step()

    try:
        async with asyncio.TaskGroup() as group:
            for step in steps:
                group.create_task(in_turn(step))
    except BaseExceptionGroup as failures:
        raise failures.exceptions[0] from None


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
            _write(admin, "/v1/brands", {"display_name": name}, once=f"seed/brand/{number}")
            for number, name in enumerate(BRANDS)
        )
    )
    return {brand["display_name"]: brand["brand_id"] for brand in made}


async def _stores(admin: Api, anybody: Api, passwords: Mapping[str, str]) -> list[Store]:
    return list(await asyncio.gather(*(_store(admin, anybody, house, passwords) for house in HOUSES)))


async def _store(admin: Api, anybody: Api, house: House, passwords: Mapping[str, str]) -> Store:
    made = await _write(
        admin,
        "/v1/stores",
        {"display_name": house.name, "time_zone": house.time_zone, "country": "US"},
        once=f"seed/store/{house.city}",
    )
    store = Store(house, made["store_id"], admin)

    async def join(staff: Staff) -> str:
        associate = await _write(
            admin,
            "/v1/associates",
            {"store_id": store.store_id, "display_name": staff.name, "email": staff.email},
            once=f"seed/associate/{staff.email}",
        )
        await _write(
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
    await _write(
        admin,
        "/v1/senders",
        {"store_id": store.store_id, "phone": store_number(house.city), "display_name": CHAIN},
        once=f"seed/sender/{house.city}",
    )
    return store


async def _clients(store: Store, today: date, brands: Mapping[str, str]) -> None:
    """Enter the clients of a store, spread over its associates' books."""
    told = lives(store.house.city, store.house.time_zone, today)
    found: list[str] = [""] * len(told)

    async def enter(number: int, life: Life) -> None:
        caller, person = store.manager, life.person
        made = await _write(
            caller,
            "/v1/clients",
            {
                "given_name": person.given_name,
                "family_name": person.family_name,
                "language": person.language,
                "time_zone": person.time_zone,
                "home_store_id": store.store_id,
                "associate_id": store.associates[number % len(store.associates)],
                "contact_points": [
                    {
                        "kind": "CONTACT_KIND_PHONE",
                        "value": person.phone,
                        "label": "mobile",
                        "is_preferred": True,
                    },
                    {"kind": "CONTACT_KIND_EMAIL", "value": person.email},
                ],
                "occasions": [
                    {
                        "kind": f"OCCASION_KIND_{each.kind}",
                        "date": day(each.on, without_year=not each.is_year_known),
                        "for_whom": each.for_whom,
                    }
                    for each in life.days
                ],
                "preferences": _preferences(life),
                "source": SOURCE,
                "external_id": _external_id(store, number),
            },
            once=f"seed/client/{_external_id(store, number)}",
        )
        found[number] = made["client_id"]
        if life.agrees:
            await _agree(caller, made, life)
        for visit_number, looked in enumerate(life.looked):
            await _write(
                caller,
                "/v1/visits",
                _visit(store, made["client_id"], looked, today, brands),
                once=f"seed/visit/{_external_id(store, number)}/{visit_number}",
            )

    await _at_once(partial(enter, number, life) for number, life in enumerate(told))
    store.clients = list(zip(told, found, strict=True))


def _external_id(store: Store, number: int) -> str:
    return f"{store.house.city[:2].upper()}-{1001 + number}"


async def _agree(caller: Api, client: Json, life: Life) -> None:
    purposes = ["PURPOSE_CONVERSATIONAL", "PURPOSE_SERVICE"]
    if life.wants_offers:
        purposes.append("PURPOSE_MARKETING")
    phone = next(point for point in client["contact_points"] if point["kind"] == "CONTACT_KIND_PHONE")
    await _write(
        caller,
        f"/v1/clients/{client['client_id']}/consents",
        {
            "contact_point_id": phone["contact_point_id"],
            "channel": "CHANNEL_SMS",
            "purposes": purposes,
            "wording": CONSENT_WORDING,
            "source": "in_store_tablet",
        },
        once=f"seed/consent/{client['client_id']}",
    )


def _preferences(life: Life) -> list[Json]:
    taste = life.taste
    said = [("METAL", taste.metal), ("STONE", taste.stone), ("STYLE", taste.style)]
    if any(bought.piece.size for bought in life.bought):
        said.append(("RING_SIZE", taste.ring_size))
    if any("ring" in bought.piece.category for bought in life.bought):
        said.append(("CUT", taste.cut))
    return [{"kind": f"PREFERENCE_KIND_{kind}", "value": value, "source": "client"} for kind, value in said]


def _visit(store: Store, client_id: str, looked: Looked, today: date, brands: Mapping[str, str]) -> Json:
    moment = datetime.combine(today, datetime.min.time(), ZoneInfo(store.house.time_zone))
    moment += timedelta(hours=looked.hour) - timedelta(days=looked.days_ago)
    body: Json = {
        "client_id": client_id,
        "store_id": store.store_id,
        "visit_time": moment.astimezone(UTC).isoformat().replace("+00:00", "Z"),
        "items": [
            {"piece": _piece(piece, brands), "is_liked": position < looked.liked}
            for position, piece in enumerate(looked.pieces)
        ],
        "for_whom": looked.for_whom,
        "note": looked.note,
    }
    if looked.need_by is not None:
        body["need_by_date"] = day(looked.need_by)
    return body


def _piece(piece: Piece, brands: Mapping[str, str]) -> Json:
    words = {name: getattr(piece, name) for name in _PIECE_WORDS}
    return {**words, "brand_id": brands[piece.brand], "price": money(piece.price, CURRENCY)}


async def _purchases(admin: Api, store: Store, brands: Mapping[str, str]) -> None:
    """Import what the till of a store has sold over the years."""
    columns = (
        "client_external_id", "purchase_external_id", "purchase_date", "amount", "quantity", "brand_id", *_PIECE_WORDS
    )  # fmt: skip
    announced = await _write(
        admin,
        "/v1/imports",
        {
            "source": SOURCE,
            "file_name": f"{store.house.city.lower().replace(' ', '-')}-sales.ndjson",
            "format": "IMPORT_FORMAT_NDJSON",
            "columns": {column: column for column in columns},
            "store_id": store.store_id,
            "associate_ids": store.associates,
        },
        once=f"seed/import/{store.house.city}",
    )

    async def lines() -> AsyncIterator[bytes]:
        for number, (life, _) in enumerate(store.clients):
            for count, bought in enumerate(life.bought):
                piece = bought.piece
                line = {
                    "client_external_id": _external_id(store, number),
                    "purchase_external_id": f"{_external_id(store, number)}/{count}",
                    "purchase_date": bought.on.isoformat(),
                    "amount": f"{piece.price}.00",
                    "quantity": "2" if piece.category == "wedding band" else "1",
                    "brand_id": brands[piece.brand],
                    **{name: getattr(piece, name) for name in _PIECE_WORDS},
                }
                yield (json.dumps(line) + "\n").encode()

    if announced["state"] == "IMPORT_STATE_COMPLETED":
        return
    done = await admin.upload(
        f"/v1/imports/{announced['import_id']}/content", lines(), "application/x-ndjson"
    )
    if int(done["lines_refused"]):
        faults = await admin.get(f"/v1/imports/{announced['import_id']}/faults", page_size=3)
        raise NotAsWritten(f"the import refused lines of the demo chain: {faults['faults']}")


async def _calendar(admin: Api, store: Store, today: date) -> None:
    """Open the store's calendar, and book a few viewings in its next days."""
    spans = [{"weekday": weekday, "opens": "10:00", "closes": "19:00"} for weekday in range(1, 7)]
    spans.append({"weekday": 7, "opens": "12:00", "closes": "17:00"})
    path = f"/v1/stores/{store.store_id}/hours"
    await admin.put(path, {"time_zone": store.house.time_zone, "spans": spans})

    async def resource(kind: str, name: str, associate_id: str = "") -> str:
        made = await _write(
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
            await _write(
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
        made = await _write(
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
        await _write(
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
    await _at_once(partial(register, *each) for each in waiting)
    await _write(
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
