"""The house of the story, how a chapter keeps its promises, and what all chapters share."""

from __future__ import annotations

import asyncio
import secrets
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TypeVar

from carnet_local.api import Api, Json, Refused
from carnet_local.demo.telling import Teller

STORE_ZONE = "America/New_York"

Answer = TypeVar("Answer")


class Disappointed(Exception):
    """Something that the story promises did not happen; the text says what."""


def expect(holds: object, what: str) -> None:
    """Go on only if the promise holds. Raises Disappointed."""
    if not holds:
        raise Disappointed(what)


async def until(ask: Callable[[], Awaitable[Answer]], what: str, *, within: float = 60.0) -> Answer:
    """Ask again until the answer is something. Raises Disappointed after so many seconds."""
    deadline = time.monotonic() + within
    while not (answer := await ask()):
        expect(time.monotonic() < deadline, f"{what}: not within {within:.0f} seconds")
        await asyncio.sleep(0.05)
    return answer


@dataclass
class House:
    """What the chapters hand on to one another."""

    run: str
    admin: Api
    associate: Api
    store_id: str
    sender_phone: str
    associates: dict[str, str]
    seller_id: str
    client: Json = field(default_factory=dict)
    phone: str = ""
    best_client_id: str = ""

    @property
    def book_owners(self) -> list[str]:
        """The associates over whose books imported clients are spread: all but the one who has just joined."""
        return [associate_id for associate_id in self.associates if associate_id != self.seller_id]


async def open_house(teller: Teller, anybody: Api, operator_key: str) -> House:
    """Open a chain with a store, its people and its number."""
    teller.chapter("The operator opens a chain, its admin opens a store")
    run = f"{datetime.now(UTC):%Y%m%d-%H%M%S}-{secrets.token_hex(2)}"
    password = secrets.token_urlsafe(16)
    operator = anybody.as_caller(operator_key)
    chain = await operator.post(
        "/v1/chains",
        {
            "display_name": f"CDNOW {run}",
            "country": "US",
            "currency_code": "USD",
            "time_zone": STORE_ZONE,
        },
    )
    email = f"admin.{run}@example.com"
    await operator.post(
        f"/v1/chains/{chain['chain_id']}/first_admin",
        {"email": email, "password": password, "display_name": "Ada Lindqvist"},
    )
    admin = await anybody.sign_in(email, password)
    store = await admin.post(
        "/v1/stores", {"display_name": "Fifth Avenue", "time_zone": STORE_ZONE, "country": "US"}
    )
    store_id = store["store_id"]
    associates = {}
    for name in ("Noor Haddad", "Luis Ortega", "Mei Tanaka", "Kofi Mensah", "Ana Sousa"):
        made = await admin.post(
            "/v1/associates",
            {
                "store_id": store_id,
                "display_name": name,
                "email": f"{name.split()[0].lower()}.{run}@example.com",
            },
        )
        associates[made["associate_id"]] = name
    seller_id = next(iter(associates))
    seller_email = f"noor.{run}@example.com"
    await admin.post(
        "/v1/users",
        {
            "email": seller_email,
            "password": password,
            "display_name": associates[seller_id],
            "role": "ROLE_ASSOCIATE",
            "associate_id": seller_id,
            "store_ids": [store_id],
        },
    )
    associate = await anybody.sign_in(seller_email, password)
    sender_phone = await _free_number(admin, store_id)
    teller.tell(
        f"Chain {chain['display_name']} ({chain['chain_id']}), new with every run. One store, five associates, and"
        f" {sender_phone} as the store's number. {associates[seller_id]} has just joined: no book yet, and"
        " signed in with the rights of an associate."
    )
    return House(run, admin, associate, store_id, sender_phone, associates, seller_id)


async def _free_number(admin: Api, store_id: str) -> str:
    """Give the store a number; the numbers of fiction are few, and earlier runs have some of them."""
    for _ in range(50):
        phone = fictional_number()
        try:
            await admin.post(
                "/v1/senders", {"store_id": store_id, "phone": phone, "display_name": "Fifth Avenue"}
            )
        except Refused as refusal:
            if refusal.reason != "SENDER_PHONE_TAKEN":
                raise
        else:
            return phone
    raise Disappointed("no number for the store is left; `make reset` forgets earlier runs")


def fictional_number() -> str:
    """Return one of the numbers that North America keeps for fiction, in an area code that the seed leaves alone.

    All in states whose Sundays are like other days, and none with an ending that the sandbox treats in a way of its
    own: what is told must hold on any day.
    """
    area = secrets.choice(
        ("202", "206", "216", "303", "314", "404", "503", "602", "615", "702", "704", "816")
    )
    return f"+1{area}55501{secrets.choice((*range(4), *range(9, 100))):02}"


def stamp(moment: datetime) -> str:
    """Write a moment as the API takes it."""
    return moment.astimezone(UTC).isoformat().replace("+00:00", "Z")
