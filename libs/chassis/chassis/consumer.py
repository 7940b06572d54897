"""The loop that takes events from a stream and hands them to a service's handlers, each effect exactly once.

What becomes of a message stands in `Consumer.process`, in one place:

  handled, or handled before            ack
  the platform is not well (UNAVAILABLE, CONFLICT)     nak, later again, without end
  undecodable, or refused for good      kept as dead letter, then term
  an error that nobody foresaw          nak; after _ATTEMPTS deliveries kept as dead letter, then term
"""

import asyncio
import json
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar

import structlog
from google.protobuf.message import DecodeError, Message
from nats.aio.msg import Msg
from nats.errors import TimeoutError as NatsTimeout
from nats.js import JetStreamContext
from nats.js.api import AckPolicy, ConsumerConfig, DeliverPolicy
from nats.js.errors import NotFoundError
from opentelemetry import propagate, trace
from sqlalchemy import text

from chassis import context as work
from chassis.broker import Broker
from chassis.caller import CallerSigner, set_caller
from chassis.clock import Clock
from chassis.contracts import event_type_of, stream_of
from chassis.database import Database, Transaction
from chassis.errors import Kind, ServiceError
from chassis.events import Envelope, unwrap
from chassis.ids import new_id
from chassis.telemetry import CONSUMED, CONSUMER_LAG_SECONDS, DEAD_LETTERS

_ATTEMPTS = 8
_BACKOFF = (0.1, 0.3, 1, 3, 10, 30)  # seconds before a message comes again, the last one from then on
# What a killed process had in hand comes again after this; a slower handler is repeated, and its repeat dropped.
_ACK_WAIT_SECONDS = 20
_FETCH_SECONDS = 5
_TRANSIENT = (Kind.UNAVAILABLE, Kind.CONFLICT, Kind.EXHAUSTED)

_log = structlog.get_logger(__name__)
_tracer = trace.get_tracer(__name__)

Event = TypeVar("Event", bound=Message)


class _AlreadyHandled(Exception):
    """Leaves the handler of an event whose effect is in the database already."""


@dataclass
class Delivery(Generic[Event]):
    """One event in a handler's hands.

    A handler asks other services first, then makes its one effect inside `transaction()`; or it says `ignore()`.
    """

    event: Event
    envelope: Envelope
    consumer: str
    _database: Database
    _settled: bool = field(default=False, init=False)

    @property
    def chain_id(self) -> str:
        """Return the chain that the event belongs to."""
        return self.envelope.chain_id

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[Transaction]:
        """Open the transaction of the effect; the event's id is noted in it, so that it happens once."""
        async with self._database.transaction(self.chain_id) as tx:
            if not await tx.first_receipt(self.consumer, self.envelope.event_id):
                raise _AlreadyHandled
            yield tx
        self._settled = True

    def ignore(self) -> None:
        """Say that this event changes nothing here."""
        self._settled = True

    @property
    def is_settled(self) -> bool:
        """Return whether the handler did one of the two."""
        return self._settled


Handler = Callable[[Delivery[Any]], Awaitable[None]]
Handlers = Mapping[type[Message], Handler]


@dataclass(frozen=True)
class Subscription:
    """What a service listens to: durable consumers called `purpose`, a handler per event message.

    `scopes` are what the service may do in other services while it handles an event.
    """

    purpose: str
    handlers: Handlers
    scopes: frozenset[str] = frozenset()


class Consumer:
    """One durable pull consumer on one producer's stream; replicas share its work."""

    def __init__(
        self,
        *,
        service: str,
        subscription: Subscription,
        stream: str,
        database: Database,
        broker: Broker,
        signer: CallerSigner,
        clock: Clock,
    ) -> None:
        self.durable = f"{service}-{subscription.purpose}"
        self.name = f"consumer {self.durable} on {stream}"
        self.stream = stream
        self._messages = {
            event_type_of(message): (message, handler)
            for message, handler in subscription.handlers.items()
            if stream_of(event_type_of(message)) == stream
        }
        self._scopes = subscription.scopes
        self._database = database
        self._broker = broker
        self._signer = signer
        self._clock = clock

    async def run(self) -> None:
        """Consume for ever. Raises whatever stops it; the runtime starts it again."""
        jetstream = await self._broker.jetstream()
        await self._declare(jetstream)
        subscription = await jetstream.pull_subscribe_bind(self.durable, self.stream)
        # One message is asked for while another is worked on; order within the stream is kept.
        fetching = asyncio.create_task(subscription.fetch(1, timeout=_FETCH_SECONDS))
        try:
            while True:
                try:
                    messages = await fetching
                except NatsTimeout:
                    messages = []
                fetching = asyncio.create_task(subscription.fetch(1, timeout=_FETCH_SECONDS))
                for message in messages:
                    await self.process(message)
        finally:
            fetching.cancel()
            await asyncio.gather(fetching, return_exceptions=True)

    async def _declare(self, jetstream: JetStreamContext) -> None:
        config = ConsumerConfig(
            durable_name=self.durable,
            ack_policy=AckPolicy.EXPLICIT,
            deliver_policy=DeliverPolicy.ALL,
            ack_wait=_ACK_WAIT_SECONDS,
            # No end on the server's side: an outage of a day must not lose what waits. _ATTEMPTS bounds real failures.
            max_deliver=-1,
            filter_subjects=[f"{event_type}.*" for event_type in sorted(self._messages)],
        )
        while True:
            try:
                await jetstream.add_consumer(self.stream, config)
                return
            except NotFoundError:  # its producer has not started yet
                await asyncio.sleep(0.2)

    async def process(self, message: Msg) -> None:
        """Handle one message and answer the broker by the table above."""
        attempt = message.metadata.num_delivered or 1
        try:
            envelope = unwrap(message.headers, message.data)
        except ValueError as error:
            envelope = Envelope(
                new_id("evt"), "undecodable", "unknown", dict(message.headers or {}), message.data
            )
            await self._bury(message, envelope, f"UNDECODABLE: {error}")
            return
        try:
            outcome = await self.handle(envelope)
        except Exception as error:
            await self._answer_failure(message, envelope, error, attempt)
            return
        await message.ack()
        CONSUMED.labels(self.durable, outcome).inc()
        lag = self._clock.now() - envelope.time
        CONSUMER_LAG_SECONDS.labels(self.durable).observe(max(0.0, lag.total_seconds()))

    async def _answer_failure(self, message: Msg, envelope: Envelope, error: Exception, attempt: int) -> None:
        transient = isinstance(error, ServiceError) and error.kind in _TRANSIENT
        refused = isinstance(error, (ServiceError, DecodeError)) and not transient
        if refused or (not transient and attempt >= _ATTEMPTS):
            reason = error.reason if isinstance(error, ServiceError) else type(error).__name__
            _log.error("event set aside", consumer=self.durable, event_type=envelope.event_type,
                       event_id=envelope.event_id, exc_info=error)  # fmt: skip
            await self._bury(message, envelope, reason)
            return
        _log.warning("event will come again", consumer=self.durable, event_type=envelope.event_type,
                     event_id=envelope.event_id, attempt=attempt, error=type(error).__name__,
                     exc_info=None if transient else error)  # fmt: skip
        CONSUMED.labels(self.durable, "again").inc()
        await message.nak(delay=_BACKOFF[min(attempt, len(_BACKOFF)) - 1])

    async def handle(self, envelope: Envelope) -> str:
        """Run the handler of one event; return `handled` or `duplicate`. Raises what the handler raises."""
        found = self._messages.get(envelope.event_type)
        if found is None:
            raise ServiceError(
                Kind.INVALID, "EVENT_TYPE_UNKNOWN", f"{envelope.event_type} has no handler here."
            )
        kind, handler = found
        event = kind.FromString(envelope.body)
        work.begin_work(envelope.correlation_id, envelope.event_id)
        work.set_deadline(_ACK_WAIT_SECONDS / 2)
        set_caller(self._signer.service_caller(envelope.chain_id, self._scopes))
        delivery: Delivery[Any] = Delivery(event, envelope, self.durable, self._database)
        with _tracer.start_as_current_span(
            f"handle {envelope.event_type}", context=propagate.extract(dict(envelope.headers))
        ):
            try:
                await handler(delivery)
            except _AlreadyHandled:
                return "duplicate"
        if not delivery.is_settled:
            raise RuntimeError(
                f"the handler of {envelope.event_type} neither made its effect nor ignored the event"
            )
        return "handled"

    async def _bury(self, message: Msg, envelope: Envelope, reason: str) -> None:
        try:
            async with self._database.platform_transaction() as connection:
                await connection.execute(
                    text(
                        "insert into dead_letters (dead_letter_id, chain_id, consumer, event_id, event_type, headers,"
                        " body, reason, failed_at) values (:dead_letter_id, :chain_id, :consumer, :event_id,"
                        " :event_type, :headers, :body, :reason, :now)"
                    ),
                    {
                        "dead_letter_id": new_id("ded"),
                        "chain_id": envelope.chain_id,
                        "consumer": self.durable,
                        "event_id": envelope.event_id,
                        "event_type": envelope.event_type,
                        "headers": json.dumps(dict(envelope.headers)),
                        "body": envelope.body,
                        "reason": reason,
                        "now": self._clock.now(),
                    },
                )
        except ServiceError:
            await message.nak(delay=_BACKOFF[-1])  # it cannot even be kept: it stays on the stream
            return
        DEAD_LETTERS.labels(self.durable, reason.split(":", maxsplit=1)[0]).inc()
        CONSUMED.labels(self.durable, "dead").inc()
        await message.term()

    async def replay(self, *, most: int = 1000) -> tuple[int, int]:
        """Handle this consumer's dead letters again; return how many went through and how many failed again."""
        async with self._database.platform_transaction() as connection:
            found = await connection.execute(
                text(
                    "select dead_letter_id, chain_id, event_id, event_type, headers, body from dead_letters"
                    " where consumer = :consumer and replayed_at is null order by failed_at limit :most"
                ),
                {"consumer": self.durable, "most": most},
            )
            letters = [row for row in found if row.event_type in self._messages]
        through = 0
        for row in letters:
            headers = json.loads(row.headers) if isinstance(row.headers, str) else row.headers
            started = time.perf_counter()
            try:
                await self.handle(Envelope(row.event_id, row.event_type, row.chain_id, headers, row.body))
            except Exception as error:
                _log.error("replay failed", event_id=row.event_id, error=type(error).__name__, exc_info=error)
                continue
            async with self._database.platform_transaction() as connection:
                await connection.execute(
                    text("update dead_letters set replayed_at = :now where dead_letter_id = :dead_letter_id"),
                    {"now": self._clock.now(), "dead_letter_id": row.dead_letter_id},
                )
            through += 1
            _log.info("replayed", event_id=row.event_id, seconds=round(time.perf_counter() - started, 4))
        return through, len(letters) - through
