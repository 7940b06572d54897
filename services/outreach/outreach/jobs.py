"""Work that replicas share: jobs on a work-queue stream of outreach's own, each in one replica's hands at a time.

A job stays on the stream until it is acknowledged, which happens after its effect is committed; what a killed process
had in hand comes again. So every job must be harmless when it is repeated. Must not know what a job does.
"""

import asyncio
import contextlib
import json
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import asdict, dataclass

import structlog
from nats.aio.msg import Msg
from nats.errors import TimeoutError as NatsTimeout
from nats.js import JetStreamContext
from nats.js.api import AckPolicy, ConsumerConfig, RetentionPolicy, StorageType, StreamConfig
from nats.js.errors import NotFoundError

from chassis import context as work
from chassis.broker import Broker
from chassis.errors import Kind, ServiceError, unavailable
from outreach.telemetry import JOBS

STREAM = "OUTREACH_JOBS"
_SUBJECTS = "jobs.outreach"
_KEEP_SECONDS = 24 * 3600  # a ranking of yesterday is nobody's any more
_DUPLICATE_WINDOW_SECONDS = 300
# A job that works on says so three times in this time; what a killed process had in hand comes again after it.
_ACK_WAIT_SECONDS = 15
_FETCH_SECONDS = 5
_ATTEMPTS = 8
_BACKOFF = (0.2, 1, 3, 10)
_WINDOW = 100
_TRANSIENT = (Kind.UNAVAILABLE, Kind.CONFLICT, Kind.EXHAUSTED)

_log = structlog.get_logger(__name__)


@dataclass(frozen=True)
class Job:
    """One piece of work of a chain; `subject_id` is the run it belongs to, `part` which piece of it it is."""

    chain_id: str
    subject_id: str
    part: int


Work = Callable[[Job], Awaitable[None]]


class JobQueue:
    """Puts jobs on the stream and takes them from it; `kind` is a token such as `slice`."""

    def __init__(self, broker: Broker, *, replicas: int) -> None:
        self._broker = broker
        self._replicas = replicas
        self._is_declared = False

    async def put(self, kind: str, jobs: Sequence[Job]) -> None:
        """Put jobs on the stream; one that was put within five minutes is not put again.

        Raises UNAVAILABLE while the broker is away.
        """
        try:
            async with asyncio.timeout(_FETCH_SECONDS):
                jetstream = await self._ready()
            for start in range(0, len(jobs), _WINDOW):
                await asyncio.gather(
                    *(
                        jetstream.publish(
                            f"{_SUBJECTS}.{kind}.{job.chain_id}",
                            json.dumps(asdict(job)).encode(),
                            stream=STREAM,
                            headers={"Nats-Msg-Id": f"{kind}.{job.chain_id}.{job.subject_id}.{job.part}"},
                        )
                        for job in jobs[start : start + _WINDOW]
                    )
                )
        except Exception as error:
            raise unavailable("broker") from error

    async def take(self, kind: str, handle: Work) -> None:
        """Work on jobs of a kind for ever, one at a time. Raises whatever stops it; the runtime starts it again."""
        jetstream = await self._ready()
        durable = f"outreach-{kind}"
        await jetstream.add_consumer(
            STREAM,
            ConsumerConfig(
                durable_name=durable,
                ack_policy=AckPolicy.EXPLICIT,
                ack_wait=_ACK_WAIT_SECONDS,
                max_deliver=-1,
                filter_subject=f"{_SUBJECTS}.{kind}.>",
            ),
        )
        subscription = await jetstream.pull_subscribe_bind(durable, STREAM)
        while True:
            try:
                (message,) = await subscription.fetch(1, timeout=_FETCH_SECONDS)
            except NatsTimeout:
                continue
            await self.process(kind, message, handle)

    async def process(self, kind: str, message: Msg, handle: Work) -> None:
        """Do one job and answer the broker: done, again later, or given up."""
        attempt = message.metadata.num_delivered or 1
        busy = asyncio.create_task(_say_busy(message))
        try:
            work.begin_work()
            job = Job(**json.loads(message.data))
            await handle(job)
        except asyncio.CancelledError:
            # Another replica need not wait until this one has been silent for long enough.
            with contextlib.suppress(Exception):
                await asyncio.shield(message.nak())
            raise
        except Exception as error:
            is_transient = isinstance(error, ServiceError) and error.kind in _TRANSIENT
            if attempt >= _ATTEMPTS and not is_transient:
                _log.error("job given up", kind=kind, exc_info=error)
                JOBS.labels(kind, "dropped").inc()
                await message.term()
                return
            _log.warning("job will come again", kind=kind, attempt=attempt, error=type(error).__name__,
                         exc_info=None if is_transient else error)  # fmt: skip
            JOBS.labels(kind, "again").inc()
            await message.nak(delay=_BACKOFF[min(attempt, len(_BACKOFF)) - 1])
            return
        finally:
            busy.cancel()
        JOBS.labels(kind, "done").inc()
        await message.ack()

    async def _ready(self) -> JetStreamContext:
        jetstream = await self._broker.jetstream()
        if not self._is_declared:
            try:
                await jetstream.stream_info(STREAM)
            except NotFoundError:
                await jetstream.add_stream(
                    StreamConfig(
                        name=STREAM,
                        subjects=[f"{_SUBJECTS}.>"],
                        retention=RetentionPolicy.WORK_QUEUE,
                        storage=StorageType.FILE,
                        max_age=_KEEP_SECONDS,
                        duplicate_window=_DUPLICATE_WINDOW_SECONDS,
                        num_replicas=self._replicas,
                    )
                )
            self._is_declared = True
        return jetstream


async def _say_busy(message: Msg) -> None:
    while True:
        await asyncio.sleep(_ACK_WAIT_SECONDS / 3)
        await message.in_progress()
