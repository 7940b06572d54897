"""The demo chain's house, as data: its stores and people, and how anything is written for it."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass, field

from carnet_local.api import Api, Json
from carnet_local.seed.histories import Life

CHAIN = "Maison Verrane"
CURRENCY = "USD"

# Enough, with two stores side by side, to keep two cores busy; more would only queue.
_AT_ONCE = 6


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


@dataclass
class Store:
    """One store that is there, with its signed-in manager and what came into being in it."""

    house: House
    store_id: str
    manager: Api
    associates: list[str] = field(default_factory=list)
    clients: list[tuple[Life, str]] = field(default_factory=list)


async def write(caller: Api, path: str, body: Json, *, once: str) -> Json:
    """Create something under a request id, which the service itself remembers for good."""
    return await caller.post(path, {**body, "request_id": once})


async def at_once(steps: Iterable[Callable[[], Awaitable[None]]]) -> None:
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
