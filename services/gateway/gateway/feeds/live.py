"""GET /v1/stream: a chain's events as they happen, resumable. Must not tell anybody what they could not read."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from datetime import timedelta

import structlog
from redis.asyncio import Redis
from starlette.requests import Request
from starlette.responses import Response

from chassis.caller import Caller, current_caller
from chassis.clock import Clock
from chassis.database import Database
from chassis.errors import Kind, ServiceError, Violation
from gateway.feeds import store
from gateway.feeds.domain import SCOPE_OF_PRODUCER, scopes_to_see
from gateway.rest.admission import Admission
from gateway.rest.errors import FieldsInvalid, HeaderInvalid
from gateway.rest.sse import COMMENT_HEARTBEAT, EventStream, event_text
from gateway.telemetry import STREAMS
from gateway.valkey import VALKEY_ERRORS

PATH = "/v1/stream"
KEPT = timedelta(hours=72)
PARTNERS_KEPT = timedelta(days=30)
_CHANNEL = "carnet:feed:"
_POLL_SECONDS = 2.0  # for wake-ups that got lost
_HEARTBEAT_SECONDS = 15.0
_BATCH = 200
GAP = "carnet.gateway.feed.gap.v1"  # told instead of events that are no longer kept

_log = structlog.get_logger(__name__)


class Wakeups:
    """Tells streams of every replica that a chain's feed grew. Lost ones cost a poll, nothing else."""

    name = "live streams"

    def __init__(self, client: Redis, listening: Redis) -> None:
        self._client = client
        self._listening = listening
        self._waiting: dict[str, asyncio.Event] = {}
        self.is_stopping = False

    async def start(self) -> None:
        """Do nothing: streams come by themselves."""

    async def stop(self) -> None:
        """End every stream, so that its client connects to another replica."""
        self.is_stopping = True
        for chain_id in list(self._waiting):
            self._wake(chain_id)

    def next(self, chain_id: str) -> asyncio.Event:
        """Return what will be set when the feed grows; to be asked for before the feed is read."""
        return self._waiting.setdefault(chain_id, asyncio.Event())

    def _wake(self, chain_id: str) -> None:
        if (event := self._waiting.pop(chain_id, None)) is not None:
            event.set()

    async def tell(self, chain_id: str) -> None:
        """Say that a chain's feed grew."""
        self._wake(chain_id)
        try:
            await self._client.publish(f"{_CHANNEL}{chain_id}", b"")
        except VALKEY_ERRORS as error:
            _log.debug("a wake-up got lost", error=type(error).__name__)

    async def listen(self) -> None:
        """Hear what other replicas say, for ever. Raises when Valkey goes away; the runtime starts it again."""
        async with self._listening.pubsub() as channel:
            await channel.psubscribe(f"{_CHANNEL}*")
            async for message in channel.listen():
                if message["type"] == "pmessage":
                    self._wake(message["channel"].decode().removeprefix(_CHANNEL))


class LiveStream:
    """The endpoint."""

    def __init__(
        self,
        database: Database,
        admission: Admission,
        wakeups: Wakeups,
        *,
        heartbeat_seconds: float = _HEARTBEAT_SECONDS,
    ) -> None:
        self._database = database
        self._admission = admission
        self._wakeups = wakeups
        self._heartbeat_seconds = heartbeat_seconds

    async def __call__(self, request: Request) -> Response:
        """Answer with the stream. Raises ServiceError before the first word."""
        await self._admission.admit(request)
        caller = current_caller()
        if not caller.scopes & set(SCOPE_OF_PRODUCER.values()):
            raise ServiceError(
                Kind.FORBIDDEN, "SCOPE_MISSING", "This needs a scope to read what the events are about."
            )
        types = _types_of(request)
        async with self._database.transaction(caller.chain_id) as tx:
            before_oldest, newest = await store.feed_ends(tx)
        after = _last_seen(request, newest)
        return EventStream(
            self._events(request, caller, types, max(after, before_oldest), after < before_oldest)
        )

    async def _events(
        self, request: Request, caller: Caller, types: Sequence[str], after: int, is_gap: bool
    ) -> AsyncIterator[str]:
        loop = asyncio.get_running_loop()
        beat_at = loop.time() + self._heartbeat_seconds
        with STREAMS.track_inprogress():
            yield "retry: 2000\n\n"
            if is_gap:
                yield event_text("{}", kind=GAP, event_id=str(after))
            while not self._wakeups.is_stopping:
                grown = self._wakeups.next(caller.chain_id)
                async with self._database.transaction(caller.chain_id) as tx:
                    rows = await store.read_feed(tx, after=after, most=_BATCH)
                for row in rows:
                    after = row.position
                    if _is_for(caller, types, row.event_type):
                        yield event_text(row.body, kind=row.event_type, event_id=str(row.position))
                if loop.time() >= beat_at:
                    if not await self._admission.still_valid(request):
                        return
                    yield COMMENT_HEARTBEAT
                    beat_at = loop.time() + self._heartbeat_seconds
                if len(rows) < _BATCH and not self._wakeups.is_stopping:
                    await _wait(grown, min(_POLL_SECONDS, max(0.0, beat_at - loop.time())))


async def _wait(event: asyncio.Event, seconds: float) -> None:
    try:
        await asyncio.wait_for(event.wait(), seconds)
    except TimeoutError:
        return


def _is_for(caller: Caller, types: Sequence[str], event_type: str) -> bool:
    return scopes_to_see(event_type) in caller.scopes and (not types or event_type.startswith(tuple(types)))


def _types_of(request: Request) -> Sequence[str]:
    """Return beginnings of event types that are asked for; `carnet.waitlist` stands for all of waitlist's."""
    if unknown := sorted(set(request.query_params) - {"types"}):
        raise FieldsInvalid([Violation(name, "is not a parameter of this operation") for name in unknown])
    asked = [part.strip() for value in request.query_params.getlist("types") for part in value.split(",")]
    violations = [
        Violation("types", f"{part!r} is the beginning of no event type")
        for part in asked
        if part and not (part.startswith("carnet.") and part.split(".")[1] in SCOPE_OF_PRODUCER)
    ]
    if violations:
        raise FieldsInvalid(violations)
    return [part for part in asked if part]


def _last_seen(request: Request, newest: int) -> int:
    value = request.headers.get("last-event-id")
    if value is None:
        return newest
    if not value.isascii() or not value.isdigit() or len(value) > 18:
        raise HeaderInvalid("Last-Event-ID", "must be the id of an event of this stream")
    # A position ahead of the feed was never given out by it: begin at its end.
    return min(int(value), newest)


async def drop_old_events(*, database: Database, clock: Clock) -> None:
    """Forget what is older than promised, chain by chain."""
    now = clock.now()
    async with database.platform_transaction() as connection:
        chains = await store.chains_with_feeds(connection)
    for chain_id in chains:
        async with database.transaction(chain_id) as tx:
            await store.drop_old(tx, feed_before=now - KEPT, partners_before=now - PARTNERS_KEPT)
