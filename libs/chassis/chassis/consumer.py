"""The loop that takes events from a stream and hands them to a service's handlers, each effect exactly once.

What becomes of a message stands in `Consumer.process`, in one place:

  handled, or handled before            ack
  the platform is not well (UNAVAILABLE, CONFLICT)     nak, later again, without end
  undecodable, or refused for good      kept as dead letter, then term
  an error that nobody foresaw          nak; after _ATTEMPTS deliveries kept as dead letter, then term

Events that wait may share a transaction where a service says so (`Sets`): all of its effects happen, or none, and then
each event is handled alone, by the table above.
"""

import asyncio
import json
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
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
# Asked for are as many as wait; another replica may have been given some of them.
_REST_SECONDS = 0.05
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
    `set_size` is how many events share the transaction with it.
    """

    event: Event
    envelope: Envelope
    consumer: str
    _database: Database
    set_size: int = 1
    _shared: Transaction | None = None
    _settled: bool = field(default=False, init=False)

    @property
    def chain_id(self) -> str:
        """Return the chain that the event belongs to."""
        return self.envelope.chain_id

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[Transaction]:
        """Open the transaction of the effect; the event's id is noted in it, so that it happens once."""
        if self._shared is not None:
            yield self._shared
            self._settled = True
            return
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


AroundSet = Callable[[Transaction, Sequence[tuple[Message, Envelope]]], Awaitable[None]]


@dataclass(frozen=True)
class Sets:
    """Which events may be handled several in one transaction when they wait: up to `most` of one chain.

    Only such whose handlers ask no other service and take little each, since a lock that one of them takes is kept
    until all are through. `begin` is called before the first handler, to take locks in one order, `end` after the last,
    for what needs to be written once only; both with those events that were not handled before.
    """

    events: frozenset[type[Message]]
    most: int
    begin: AroundSet | None = None
    end: AroundSet | None = None


@dataclass(frozen=True)
class Subscription:
    """What a service listens to: durable consumers called `purpose`, a handler per event message.

    `scopes` are what the service may do in other services while it handles an event. Without `sets` each event has a
    transaction of its own.
    """

    purpose: str
    handlers: Handlers
    scopes: frozenset[str] = frozenset()
    sets: Sets | None = None


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
        self._sets = subscription.sets
        # Ids of events that failed: they come again alone, so that they do not take others with them again.
        self._suspects: set[str] = set()
        self._database = database
        self._broker = broker
        self._signer = signer
        self._clock = clock

    async def run(self) -> None:
        """Consume for ever. Raises whatever stops it; the runtime starts it again."""
        jetstream = await self._broker.jetstream()
        await self._declare(jetstream)
        subscription = await jetstream.pull_subscribe_bind(self.durable, self.stream)
        # One message is asked for while others are worked on; order within the stream is kept.
        fetching = asyncio.create_task(subscription.fetch(1, timeout=_FETCH_SECONDS))
        try:
            while True:
                try:
                    messages = await fetching
                except NatsTimeout:
                    messages = []
                messages += await self._rest(subscription, messages)
                fetching = asyncio.create_task(subscription.fetch(1, timeout=_FETCH_SECONDS))
                await self._work_off(messages)
        finally:
            fetching.cancel()
            await asyncio.gather(fetching, return_exceptions=True)

    async def _rest(
        self, subscription: JetStreamContext.PullSubscription, messages: Sequence[Msg]
    ) -> Sequence[Msg]:
        """Return what waits behind a message that was fetched, as much as may be handled with it."""
        if self._sets is None or not messages:
            return []
        wanted = min(messages[-1].metadata.num_pending or 0, self._sets.most - len(messages))
        if wanted <= 0:
            return []
        try:
            return await subscription.fetch(wanted, timeout=_REST_SECONDS)
        except NatsTimeout:
            return []

    async def _work_off(self, messages: Sequence[Msg]) -> None:
        """Handle messages in their order, those that may share a transaction in sets."""
        waiting: list[tuple[Msg, Envelope]] = []
        for message in messages:
            envelope = self._shareable(message)
            if waiting and (envelope is None or envelope.chain_id != waiting[0][1].chain_id):
                await self._process_set(waiting)
                waiting = []
            if envelope is None:
                await self.process(message)
            else:
                waiting.append((message, envelope))
        await self._process_set(waiting)

    def _shareable(self, message: Msg) -> Envelope | None:
        if self._sets is None:
            return None
        try:
            envelope = unwrap(message.headers, message.data)
        except ValueError:
            return None
        kind, _ = self._messages.get(envelope.event_type, (None, None))
        may_share = kind in self._sets.events and envelope.event_id not in self._suspects
        return envelope if may_share else None

    async def _process_set(self, waiting: Sequence[tuple[Msg, Envelope]]) -> None:
        if len(waiting) > 1:
            try:
                outcomes = await self.handle_set([envelope for _, envelope in waiting])
            except Exception as error:
                if isinstance(error, ServiceError) and error.kind is Kind.UNAVAILABLE:
                    for message, envelope in waiting:
                        await self._answer_failure(
                            message, envelope, error, message.metadata.num_delivered or 1
                        )
                    return
                _log.info("events are handled one by one", consumer=self.durable, events=len(waiting),
                          error=type(error).__name__)  # fmt: skip
            else:
                for (message, envelope), outcome in zip(waiting, outcomes, strict=True):
                    await self._answer_success(message, envelope, outcome)
                return
        for message, _ in waiting:
            await self.process(message)

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
        await self._answer_success(message, envelope, outcome)

    async def _answer_success(self, message: Msg, envelope: Envelope, outcome: str) -> None:
        self._suspects.discard(envelope.event_id)
        await message.ack()
        CONSUMED.labels(self.durable, outcome).inc()
        lag = self._clock.now() - envelope.time
        CONSUMER_LAG_SECONDS.labels(self.durable).observe(max(0.0, lag.total_seconds()))

    async def _answer_failure(self, message: Msg, envelope: Envelope, error: Exception, attempt: int) -> None:
        transient = isinstance(error, ServiceError) and error.kind in _TRANSIENT
        refused = isinstance(error, (ServiceError, DecodeError)) and not transient
        self._suspects.discard(envelope.event_id)
        if refused or (not transient and attempt >= _ATTEMPTS):
            reason = error.reason if isinstance(error, ServiceError) else type(error).__name__
            _log.error("event set aside", consumer=self.durable, event_type=envelope.event_type,
                       event_id=envelope.event_id, exc_info=error)  # fmt: skip
            await self._bury(message, envelope, reason)
            return
        _log.warning("event will come again", consumer=self.durable, event_type=envelope.event_type,
                     event_id=envelope.event_id, attempt=attempt, error=type(error).__name__,
                     exc_info=None if transient else error)  # fmt: skip
        if not transient:
            self._suspects.add(envelope.event_id)
        CONSUMED.labels(self.durable, "again").inc()
        await message.nak(delay=_BACKOFF[min(attempt, len(_BACKOFF)) - 1])

    async def handle(self, envelope: Envelope) -> str:
        """Run the handler of one event; return `handled` or `duplicate`. Raises what the handler raises."""
        return await self._hand_over(envelope, set_size=1)

    async def handle_set(self, envelopes: Sequence[Envelope]) -> Sequence[str]:
        """Run the handlers of several events of one chain in one transaction; return what became of each.

        Raises what the first handler that fails raises; then none of the effects has happened.
        """
        sets = self._sets
        assert sets is not None
        work.begin_work()
        async with self._database.transaction(envelopes[0].chain_id) as tx:
            tx.memory = {}
            new = await tx.first_receipts(self.durable, [envelope.event_id for envelope in envelopes])
            fresh = [(self._decode(one)[0], one) for one in envelopes if one.event_id in new]
            if sets.begin is not None and fresh:
                await sets.begin(tx, fresh)
            outcomes: list[str] = []
            for envelope in envelopes:
                if envelope.event_id not in new:
                    outcomes.append("duplicate")
                    continue
                new.discard(envelope.event_id)
                outcomes.append(await self._hand_over(envelope, set_size=len(envelopes), shared=tx))
            if sets.end is not None and fresh:
                await sets.end(tx, fresh)
        return outcomes

    def _decode(self, envelope: Envelope) -> tuple[Message, Handler]:
        found = self._messages.get(envelope.event_type)
        if found is None:
            raise ServiceError(
                Kind.INVALID, "EVENT_TYPE_UNKNOWN", f"{envelope.event_type} has no handler here."
            )
        kind, handler = found
        return kind.FromString(envelope.body), handler

    async def _hand_over(
        self, envelope: Envelope, *, set_size: int, shared: Transaction | None = None
    ) -> str:
        event, handler = self._decode(envelope)
        work.begin_work(envelope.correlation_id, envelope.event_id)
        work.set_deadline(_ACK_WAIT_SECONDS / 2)
        set_caller(self._signer.service_caller(envelope.chain_id, self._scopes))
        delivery: Delivery[Any] = Delivery(
            event, envelope, self.durable, self._database, set_size=set_size, _shared=shared
        )
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
