"""Postgres, one chain at a time: a transaction is bound to its chain and row-level security does the rest.

Holds the outbox rows, the inbox check and the memory of request ids, because each must share the caller's transaction.
Must not know any table of a service.
"""

import asyncio
import hashlib
import json
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any, TypeVar

import asyncpg
from google.protobuf.message import Message
from opentelemetry import trace
from sqlalchemy import CursorResult, Executable, text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine

from chassis.clock import Clock
from chassis.errors import Kind, ServiceError, unavailable
from chassis.events import Envelope, wrap

_tracer = trace.get_tracer(__name__)

Value = TypeVar("Value")

_CONNECT_SECONDS = 3
_STATEMENT_MS = 30_000
_LOCK_MS = 5_000

# Lost connections, servers that start or stop, and too many connections: the caller may try again.
_OUTAGES = ("08", "57P", "53300")
_UNSTORABLE = "22021"  # a character that Postgres has no place for, which means NUL
_COLLISIONS = ("40001", "40P01", "55P03")  # serialization failure, deadlock, lock not available


@dataclass(frozen=True)
class RequestKey:
    """The caller's own id for a change, with a fingerprint of what it asked for; empty id: not to be remembered."""

    request_id: str
    fingerprint: str

    @classmethod
    def of(cls, request: Message) -> "RequestKey":
        """Return the key of a request message that has a `request_id` field."""
        bare = type(request)()
        bare.CopyFrom(request)
        bare.ClearField("request_id")
        digest = hashlib.sha256(
            request.DESCRIPTOR.full_name.encode() + bare.SerializeToString(deterministic=True)
        )
        return cls(request_id=getattr(request, "request_id"), fingerprint=digest.hexdigest())  # noqa: B009


class Transaction:
    """One open transaction of one chain. Made by Database.transaction only."""

    def __init__(self, connection: AsyncConnection, chain_id: str, source: str, clock: Clock) -> None:
        self.connection = connection
        self.chain_id = chain_id
        self._source = source
        self._clock = clock
        self._outgoing: list[Envelope] = []
        # Set where several events share the transaction: what their handlers keep for one another.
        self.memory: dict[str, Any] | None = None

    async def remembered(self, key: str, read: Callable[[], Awaitable[Value]]) -> Value:
        """Return what `read` returns; where several events share the transaction it is called for the first only.

        For what none of them changes.
        """
        if self.memory is None:
            return await read()
        if key not in self.memory:
            self.memory[key] = await read()
        value: Value = self.memory[key]
        return value

    async def execute(
        self,
        statement: Executable | str,
        parameters: Mapping[str, Any] | Sequence[Mapping[str, Any]] | None = None,
    ) -> CursorResult[Any]:
        """Run one statement; a string is SQL with `:name` parameters."""
        return await self.connection.execute(
            text(statement) if isinstance(statement, str) else statement, parameters
        )

    async def driver(self) -> "asyncpg.Connection[asyncpg.Record]":
        """Return asyncpg's own connection inside this transaction, for bulk work. COPY FROM needs a temporary table:
        Postgres does not let it write where row-level security holds."""
        raw = await self.connection.get_raw_connection()
        connection: asyncpg.Connection[asyncpg.Record] = raw.driver_connection
        return connection

    def publish(self, event: Message, *, entity_id: str) -> None:
        """Say `event` about `entity_id` once this transaction commits."""
        self._outgoing.append(
            wrap(
                event, source=self._source, chain_id=self.chain_id, entity_id=entity_id, now=self._clock.now()
            )
        )

    async def once(self, key: RequestKey, new_id: str) -> tuple[str, bool]:
        """Return the id under which the request is worked on, and whether it was worked on before.

        The first call with a request id gets `new_id` and False; a repeat gets the first one's id and True, after the
        first has committed. Raises CONFLICT (REQUEST_ID_REUSED) when the repeat asks for something else.
        """
        if not key.request_id:
            return new_id, False
        parameters = {
            "chain_id": self.chain_id, "request_id": key.request_id, "fingerprint": key.fingerprint, "id": new_id,
            "now": self._clock.now(),
        }  # fmt: skip
        inserted = await self.execute(
            "insert into requests (chain_id, request_id, fingerprint, result_id, created_at)"
            " values (:chain_id, :request_id, :fingerprint, :id, :now) on conflict do nothing",
            parameters,
        )
        if inserted.rowcount:
            return new_id, False
        found = await self.execute(
            "select fingerprint, result_id from requests where chain_id = :chain_id and request_id = :request_id",
            {"chain_id": self.chain_id, "request_id": key.request_id},
        )
        row = found.one()
        if row.fingerprint != key.fingerprint:
            raise ServiceError(
                Kind.CONFLICT,
                "REQUEST_ID_REUSED",
                "This request id was used for a different request.",
                metadata={"request_id": key.request_id},
            )
        return str(row.result_id), True

    async def first_receipt(self, consumer: str, event_id: str) -> bool:
        """Note that `consumer` has handled an event; False when it had before."""
        noted = await self.execute(
            "insert into inbox (chain_id, consumer, event_id, received_at)"
            " values (:chain_id, :consumer, :event_id, :now) on conflict do nothing",
            {"chain_id": self.chain_id, "consumer": consumer, "event_id": event_id, "now": self._clock.now()},
        )
        return bool(noted.rowcount)

    async def first_receipts(self, consumer: str, event_ids: Sequence[str]) -> set[str]:
        """Note that `consumer` has handled several events; return those that it had not before."""
        noted = await self.execute(
            "insert into inbox (chain_id, consumer, event_id, received_at)"
            " select :chain_id, :consumer, event_id, :now from unnest(cast(:event_ids as text[])) as u (event_id)"
            " on conflict do nothing returning event_id",
            {
                "chain_id": self.chain_id,
                "consumer": consumer,
                # In one order, so that two processes that were given the same events do not wait for each other.
                "event_ids": sorted(set(event_ids)),
                "now": self._clock.now(),
            },
        )
        return set(noted.scalars())

    async def _flush(self) -> bool:
        if not self._outgoing:
            return False
        # One statement for all: a set of clients that were looked at publishes a thousand. Their order is kept.
        await self.execute(
            "insert into outbox (chain_id, event_id, event_type, headers, body, created_at)"
            " select :chain_id, event_id, event_type, cast(headers as jsonb), body, created_at"
            " from unnest(cast(:event_ids as text[]), cast(:event_types as text[]), cast(:headers as text[]),"
            "  cast(:bodies as bytea[]), cast(:times as timestamptz[]))"
            "  with ordinality as u (event_id, event_type, headers, body, created_at, place) order by place",
            {
                "chain_id": self.chain_id,
                "event_ids": [envelope.event_id for envelope in self._outgoing],
                "event_types": [envelope.event_type for envelope in self._outgoing],
                "headers": [json.dumps(dict(envelope.headers)) for envelope in self._outgoing],
                "bodies": [envelope.body for envelope in self._outgoing],
                "times": [envelope.time for envelope in self._outgoing],
            },
        )
        return True


class Database:
    """One service's database behind one pool."""

    name = "database"

    def __init__(self, engine: AsyncEngine, *, source: str, clock: Clock) -> None:
        self.engine = engine
        self._source = source
        self._clock = clock
        # Set after a commit that published something; the relay waits on it.
        self.published = asyncio.Event()

    @asynccontextmanager
    async def transaction(self, chain_id: str) -> AsyncIterator[Transaction]:
        """Open a transaction that sees and writes one chain's rows only.

        Raises UNAVAILABLE (DATABASE_UNAVAILABLE) while Postgres cannot be reached and CONFLICT (TRY_AGAIN) when the
        transaction lost against another one; in both cases nothing was changed.
        """
        async with self._begin({"carnet.chain_id": chain_id}) as connection:
            transaction = Transaction(connection, chain_id, self._source, self._clock)
            yield transaction
            publishes = await transaction._flush()
        if publishes:
            self.published.set()

    @asynccontextmanager
    async def platform_transaction(self) -> AsyncIterator[AsyncConnection]:
        """Open a transaction over all chains, for the relay and for tables made with `secure(..., platform=True)`."""
        async with self._begin({"carnet.platform": "on"}) as connection:
            yield connection

    @asynccontextmanager
    async def _begin(self, settings: Mapping[str, str]) -> AsyncIterator[AsyncConnection]:
        with translated_outages(), _tracer.start_as_current_span("transaction"):
            async with self.engine.begin() as connection:
                for name, value in settings.items():
                    await connection.execute(
                        text("select set_config(:name, :value, true)"), {"name": name, "value": value}
                    )
                yield connection

    async def start(self) -> None:
        """Do nothing: the pool connects when it is first asked."""

    async def stop(self) -> None:
        """Close every connection."""
        await self.engine.dispose()


class translated_outages:  # noqa: N801 - reads as a verb phrase at its only kind of use
    """Turn what the driver raises for an outage or a collision into the typed error; let everything else pass."""

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        # asyncpg has one class for a lost connection and for wrong use; only the first is an outage.
        lost = isinstance(error, asyncpg.InterfaceError) and "closed" in str(error)
        if lost or isinstance(error, (OSError, PoolTimeout)):
            raise unavailable("database") from error
        state = ""
        if isinstance(error, DBAPIError):
            if error.connection_invalidated:
                raise unavailable("database") from error
            state = str(getattr(error.orig, "sqlstate", "") or "")
        elif isinstance(error, asyncpg.PostgresError):
            state = str(error.sqlstate or "")
        if state.startswith(_OUTAGES):
            raise unavailable("database") from error
        if state == _UNSTORABLE:
            raise ServiceError(
                Kind.INVALID, "FIELD_INVALID", "Text must not contain the character NUL."
            ) from error
        if state in _COLLISIONS:
            raise ServiceError(
                Kind.CONFLICT,
                "TRY_AGAIN",
                "Somebody changed the same thing at this moment. Try again.",
                retry_after=0.2,
            ) from error


def connect(url: str, *, pool_size: int, application: str) -> AsyncEngine:
    """Return an engine for `postgresql://` `url`; statements and lock waits are bounded in time."""
    return create_async_engine(
        url.replace("postgresql://", "postgresql+asyncpg://", 1),
        pool_size=pool_size,
        max_overflow=0,
        pool_timeout=5,
        pool_pre_ping=True,
        hide_parameters=True,  # an error's text ends in the log, and parameters are people's names and words
        connect_args={
            "timeout": _CONNECT_SECONDS,
            "server_settings": {
                "application_name": application,
                "statement_timeout": str(_STATEMENT_MS),
                "lock_timeout": str(_LOCK_MS),
                "idle_in_transaction_session_timeout": str(_STATEMENT_MS),
            },
        },
    )
