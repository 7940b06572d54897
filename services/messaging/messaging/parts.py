"""What messaging's servicers and workers are made of; `bootstrap` fills it. Must not do anything."""

import asyncio
from dataclasses import dataclass, field

from chassis.clock import Clock
from chassis.database import Database
from chassis.objects import ObjectStore
from messaging.clients import Profiles
from messaging.config import Settings
from messaging.links import Links
from messaging.providers.sandbox import Sandbox
from messaging.staff import Staff
from messaging.suppression import Suppressor


@dataclass(frozen=True)
class Parts:
    """The parts. `due` wakes the courier, `arrived` the receiver; `sandbox` is None where the carrier is a real one."""

    settings: Settings
    database: Database
    clock: Clock
    profiles: Profiles
    staff: Staff
    suppressor: Suppressor
    objects: ObjectStore
    links: Links
    due: asyncio.Event
    sandbox: Sandbox | None = None
    arrived: asyncio.Event = field(default_factory=asyncio.Event)
