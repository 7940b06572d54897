"""Rate limits that all replicas share: the generic cell rate algorithm in one round trip to Valkey.

While Valkey is away everything is let through: an outage of the limiter must not become one of the platform.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, cast

import structlog
from redis.asyncio import Redis

from chassis.errors import Kind, ServiceError
from gateway.telemetry import LIMITER_FAILURES
from gateway.valkey import VALKEY_ERRORS

_log = structlog.get_logger(__name__)

# The server's own clock, so that replicas with different clocks agree. Times are microseconds.
_SCRIPT = """
local interval, burst = tonumber(ARGV[1]), tonumber(ARGV[2])
local clock = redis.call('TIME')
local now = clock[1] * 1000000 + clock[2]
local due = tonumber(redis.call('GET', KEYS[1]) or now)
if due < now then due = now end
local room = now + interval * burst - due
if room < interval then
  return {0, 0, interval - room, due - now}
end
due = due + interval
redis.call('SET', KEYS[1], string.format('%.0f', due), 'PX', math.ceil((due - now) / 1000) + 1)
return {1, math.floor((now + interval * burst - due) / interval), 0, due - now}
"""


@dataclass(frozen=True)
class Limit:
    """So many at once, and so many a second in the long run."""

    per_second: float
    burst: int


@dataclass(frozen=True)
class Allowance:
    """What is left after one request; `reset_seconds` until all of it is there again."""

    limit: int
    remaining: int
    reset_seconds: float


class RateLimited(ServiceError):
    """Too many requests; Retry-After says when the next one is welcome."""

    def __init__(self, name: str, retry_after: float, allowance: Allowance) -> None:
        super().__init__(
            Kind.EXHAUSTED,
            "RATE_LIMITED",
            "Too many requests. Slow down and try again.",
            metadata={"limit": name},
            retry_after=retry_after,
        )
        self.allowance = allowance


class Limiter:
    """Counts what is asked for against a table of limits."""

    def __init__(self, client: Redis, limits: Mapping[str, Limit]) -> None:
        self._client = client
        self._limits = limits
        self._script = client.register_script(_SCRIPT)
        self._is_down = False

    async def take(self, name: str, key: str) -> Allowance | None:
        """Count one request of `key` against the limit called `name`; None while Valkey is away. Raises RateLimited."""
        limit = self._limits[name]
        try:
            answer = await cast(
                Any,
                self._script(
                    keys=[f"carnet:limit:{name}:{key}"], args=[round(1e6 / limit.per_second), limit.burst]
                ),
            )
        except VALKEY_ERRORS as error:
            LIMITER_FAILURES.inc()
            if not self._is_down:
                self._is_down = True
                _log.warning("rate limits are off: Valkey does not answer", error=type(error).__name__)
            return None
        if self._is_down:
            self._is_down = False
            _log.info("rate limits are on again")
        is_allowed, remaining, wait, reset = map(int, answer)
        allowance = Allowance(limit.burst, remaining, reset / 1e6)
        if not is_allowed:
            raise RateLimited(name, wait / 1e6, allowance)
        return allowance

    async def forget(self, name: str, key: str) -> None:
        """Give `key` its whole allowance back."""
        try:
            await self._client.delete(f"carnet:limit:{name}:{key}")
        except VALKEY_ERRORS:
            LIMITER_FAILURES.inc()
