"""The connection to Valkey. Everything in there may be lost at any time; must hold nothing that the platform needs."""

from redis.asyncio import Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import RedisError

_SECONDS = 0.25  # a limiter that answers later than this costs more than it protects

# What any call raises while Valkey is away.
VALKEY_ERRORS = (RedisError, OSError, TimeoutError)


class Valkey:
    """One pool of connections as a component."""

    name = "valkey"

    def __init__(self, url: str) -> None:
        self.client: Redis = Redis.from_url(
            url,
            socket_timeout=_SECONDS,
            socket_connect_timeout=_SECONDS,
            retry=Retry(NoBackoff(), 1),
            max_connections=200,
        )
        # Listening means waiting: this one has no time-out of its own.
        self.listening: Redis = Redis.from_url(url, socket_connect_timeout=_SECONDS, socket_timeout=None)

    async def start(self) -> None:
        """Do nothing: connections are made when they are first needed."""

    async def stop(self) -> None:
        """Close every connection."""
        await self.client.aclose()
        await self.listening.aclose()
