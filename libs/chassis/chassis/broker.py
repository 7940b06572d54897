"""One process's connection to NATS JetStream. It comes up whenever the server does; nobody waits for it to start."""

import asyncio

import nats
import structlog
from nats.aio.client import Client
from nats.js import JetStreamContext
from nats.js.api import RetentionPolicy, StorageType, StreamConfig
from nats.js.errors import NotFoundError

_log = structlog.get_logger(__name__)

_KEEP_SECONDS = 14 * 24 * 3600  # events stay on a stream so long, for consumers that were away
_DUPLICATE_WINDOW_SECONDS = 300  # a publish that is repeated within it is stored once


class Broker:
    """Connects in the background and stays connected."""

    name = "broker"

    def __init__(self, url: str, *, client_name: str) -> None:
        self._url = url
        self._client_name = client_name
        self._client: Client | None = None
        self._connected = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        self._stopping = False

    async def start(self) -> None:
        """Begin to connect; does not wait."""
        self._task = asyncio.create_task(self._connect())

    async def _connect(self) -> None:
        async def lost() -> None:
            if not self._stopping:
                _log.warning("broker is away; events wait in the outbox")

        async def back() -> None:
            _log.warning("broker is back")

        async def report(error: Exception) -> None:
            _log.debug("broker connection has trouble", error=type(error).__name__)

        failures = 0
        while True:
            try:
                self._client = await nats.connect(
                    self._url,
                    name=self._client_name,
                    max_reconnect_attempts=-1,
                    reconnect_time_wait=0.25,
                    connect_timeout=2,
                    error_cb=report,  # repeats with every attempt; what matters is said by the other two
                    disconnected_cb=lost,
                    reconnected_cb=back,
                    pending_size=0,  # publish fails while disconnected: the outbox is the buffer
                )
                self._connected.set()
                return
            except Exception as error:
                failures += 1
                if failures == 1:
                    _log.warning("broker is not there yet", error=type(error).__name__)
                await asyncio.sleep(0.25)

    async def stop(self) -> None:
        """Leave; what was not acknowledged will be delivered again."""
        self._stopping = True
        if self._task is not None:
            self._task.cancel()
        if self._client is not None and not self._client.is_closed:
            await self._client.close()

    async def jetstream(self) -> JetStreamContext:
        """Return the JetStream context once there is a connection."""
        await self._connected.wait()
        assert self._client is not None
        return self._client.jetstream(timeout=5)

    async def declare_stream(self, name: str, *, replicas: int = 1) -> None:
        """Create this service's own stream, or leave it as it is. Raises nats errors while the server is away."""
        jetstream = await self.jetstream()
        config = StreamConfig(
            name=name,
            subjects=[f"carnet.{name.lower()}.>"],
            retention=RetentionPolicy.LIMITS,
            storage=StorageType.FILE,
            max_age=_KEEP_SECONDS,
            duplicate_window=_DUPLICATE_WINDOW_SECONDS,
            num_replicas=replicas,
        )
        try:
            await jetstream.stream_info(name)
        except NotFoundError:
            await jetstream.add_stream(config)
