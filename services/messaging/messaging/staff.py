"""Who works for a chain and who covers for whom today, as profiles says it; remembered for a moment.

A list of conversations asks about many people at once, so the whole chain's staff is read, and kept for half a minute.
Nothing waits for it: while profiles does not answer, what was known before holds, or nobody covers for anybody.
"""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

import structlog

from chassis.clock import Clock
from chassis.errors import ServiceError
from messaging.clients import Associate, Profiles

_KEPT_FOR = timedelta(seconds=30)
_ASKED_AGAIN_AFTER = timedelta(seconds=5)
_WAITED_SECONDS = 2.0
_MOST_CHAINS = 1000

_log = structlog.get_logger(__name__)


@dataclass(frozen=True)
class _Known:
    associates: Mapping[str, Associate]
    until: datetime


class Staff:
    """The associates of every chain, by id."""

    def __init__(self, profiles: Profiles, clock: Clock) -> None:
        self._profiles = profiles
        self._clock = clock
        self._known: dict[str, _Known] = {}
        self._reading: dict[str, asyncio.Lock] = {}

    async def of(self, chain_id: str) -> Mapping[str, Associate]:
        """Return the chain's associates, those who left included; empty when nobody could say.

        Asks over the network: not while a transaction is open.
        """
        known = self._known.get(chain_id)
        if known is not None and self._clock.now() < known.until:
            return known.associates
        async with self._reading.setdefault(chain_id, asyncio.Lock()):
            known = self._known.get(chain_id)
            if known is None or self._clock.now() >= known.until:
                known = await self._read(chain_id, known)
                if len(self._known) >= _MOST_CHAINS:
                    self._known.clear()
                self._known[chain_id] = known
        self._reading.pop(chain_id, None)
        return known.associates

    async def _read(self, chain_id: str, known: _Known | None) -> _Known:
        try:
            async with asyncio.timeout(_WAITED_SECONDS):
                found = await self._profiles.list_associates(chain_id)
        except (ServiceError, TimeoutError) as error:
            _log.warning("staff is not known", error=type(error).__name__)
            return _Known({} if known is None else known.associates, self._clock.now() + _ASKED_AGAIN_AFTER)
        return _Known({one.associate_id: one for one in found}, self._clock.now() + _KEPT_FOR)
