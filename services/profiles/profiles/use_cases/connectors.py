"""Connect other systems, and read them: a run turns what changed there into lines of imports."""

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

import httpx
import orjson
import structlog
from cryptography.fernet import Fernet, InvalidToken

from chassis.caller import Caller
from chassis.clock import Clock
from chassis.database import Database, RequestKey
from chassis.errors import ServiceError
from chassis.ids import new_id
from profiles.connectors.business_central import Access, BusinessCentral, Company, Record, SignInFailed
from profiles.domain.connectors import (
    CANCELLED,
    CUSTOMER_FIELDS,
    DEFAULT_INTERVAL_MINUTES,
    INVOICE_FIELDS,
    CompanyMissing,
    Connector,
    ConnectorRun,
    ConnectorState,
    Item,
    RunState,
    Tally,
    customer_line,
    invoice_lines,
    item_of,
    modified_at,
)
from profiles.domain.imports import Import, ImportFormat, ImportState
from profiles.domain.returns import ReturnLine
from profiles.domain.timeline import day_at
from profiles.store import connectors as store
from profiles.store import directory as directory_store
from profiles.store import purchases as purchase_store
from profiles.suppression import Suppressor
from profiles.use_cases import imports
from profiles.use_cases.returns import record_return

_LEASE = timedelta(minutes=10)
_HEARTBEAT_SECONDS = 60.0
_CHUNK_RECORDS = 200
_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Dialling:
    """How Business Central is reached: addresses, and the key that its secrets are kept under."""

    http: httpx.AsyncClient
    api_url: str
    sign_in_url: str
    fernet: Fernet
    clock: Clock

    def to(self, connector: Connector) -> BusinessCentral:
        """Return a connector's Business Central. Raises CONNECTOR_SIGN_IN_FAILED when its secret cannot be read."""
        try:
            secret = self.fernet.decrypt(connector.encrypted_secret).decode()
        except InvalidToken as error:
            raise SignInFailed("the kept secret cannot be read; send it again") from error
        return BusinessCentral(
            self.http,
            Access(connector.tenant_id, connector.environment, connector.client_id, secret),
            api_url=self.api_url,
            sign_in_url=self.sign_in_url,
            now=self.clock.now,
        )


@dataclass(frozen=True, slots=True)
class ConnectorFields:
    """What an administrator says of a connector."""

    display_name: str
    source: str
    tenant_id: str
    environment: str
    client_id: str
    client_secret: str
    company_id: str
    store_id: str
    interval_minutes: int


async def create_connector(
    *,
    database: Database,
    clock: Clock,
    dialling: Dialling,
    caller: Caller,
    key: RequestKey,
    fields: ConnectorFields,
) -> Connector:
    """Connect a Business Central. Raises STORE_NOT_FOUND and CONNECTOR_NAME_TAKEN."""
    now = clock.now()
    async with database.transaction(caller.chain_id) as tx:
        connector_id, is_repeat = await tx.once(key, new_id("cnn"))
        if is_repeat:
            return await store.get_connector(tx, connector_id)
        await directory_store.get_store(tx, fields.store_id)
        connector = Connector(
            connector_id=connector_id,
            display_name=fields.display_name.strip(),
            source=fields.source.strip(),
            tenant_id=fields.tenant_id,
            environment=fields.environment,
            client_id=fields.client_id,
            encrypted_secret=dialling.fernet.encrypt(fields.client_secret.encode()),
            company_id=fields.company_id,
            store_id=fields.store_id,
            interval_minutes=fields.interval_minutes or DEFAULT_INTERVAL_MINUTES,
            state=ConnectorState.ACTIVE,
            delta_times={},
            next_run_at=now,
            last_failure="",
            created_at=now,
        )
        await store.add_connector(tx, connector)
        return connector


async def update_connector(
    *,
    database: Database,
    clock: Clock,
    dialling: Dialling,
    caller: Caller,
    connector_id: str,
    display_name: str,
    company_id: str,
    store_id: str,
    interval_minutes: int,
    state: ConnectorState,
    client_secret: str,
) -> Connector:
    """Change a connector; another company is read from its beginning.

    Raises CONNECTOR_NOT_FOUND, STORE_NOT_FOUND and CONNECTOR_NAME_TAKEN.
    """
    async with database.transaction(caller.chain_id) as tx:
        await directory_store.get_store(tx, store_id)
        connector = await store.get_connector(tx, connector_id, lock=True)
        changed = replace(
            connector,
            display_name=display_name.strip(),
            company_id=company_id,
            store_id=store_id,
            interval_minutes=interval_minutes,
            state=state,
            encrypted_secret=dialling.fernet.encrypt(client_secret.encode())
            if client_secret
            else connector.encrypted_secret,
            delta_times=connector.delta_times if company_id == connector.company_id else {},
            next_run_at=min(connector.next_run_at, clock.now() + timedelta(minutes=interval_minutes)),
        )
        await store.save_connector(tx, changed)
        return changed


async def list_companies(
    *, database: Database, dialling: Dialling, caller: Caller, connector_id: str
) -> Sequence[Company]:
    """Ask the other system for its companies.

    Raises CONNECTOR_NOT_FOUND, CONNECTOR_SIGN_IN_FAILED, CONNECTOR_UNAVAILABLE and CONNECTOR_ADDRESS_REFUSED.
    """
    async with database.transaction(caller.chain_id) as tx:
        connector = await store.get_connector(tx, connector_id)
    return await dialling.to(connector).companies()


async def ask_for_run(
    *, database: Database, clock: Clock, caller: Caller, key: RequestKey, connector_id: str
) -> ConnectorRun:
    """Have a connector run as soon as a worker is free; the run under way is returned when there is one.

    Raises CONNECTOR_NOT_FOUND and CONNECTOR_COMPANY_MISSING.
    """
    async with database.transaction(caller.chain_id) as tx:
        run_id, is_repeat = await tx.once(key, new_id("run"))
        if not is_repeat:
            connector = await store.get_connector(tx, connector_id, lock=True)
            if not connector.company_id:
                raise CompanyMissing(connector_id)
            run = ConnectorRun(run_id, connector_id, RunState.RUNNING, Tally(), "", clock.now(), None)
            return await store.get_run(tx, await store.add_run(tx, run))
        found = await store.find_run(tx, run_id)
        return found or await store.get_run(tx, await store.latest_run(tx, connector_id))


async def work_once(
    *,
    database: Database,
    clock: Clock,
    dialling: Dialling,
    suppressor: Suppressor,
    actor: str,
    batch_lines: int,
) -> bool:
    """Begin the runs that are due and work through one that nobody works on; return whether there was one."""
    now = clock.now()
    async with database.platform_transaction() as connection:
        waiting = await store.due(connection, now=now)
    for chain_id, connector_id in waiting:
        with suppress(ServiceError):  # deleted meanwhile
            async with database.transaction(chain_id) as tx:
                await store.get_connector(tx, connector_id, lock=True)
                run = ConnectorRun(new_id("run"), connector_id, RunState.RUNNING, Tally(), "", now, None)
                await store.add_run(tx, run)
    async with database.platform_transaction() as connection:
        taken = await store.take_run(connection, now=now, until=now + _LEASE)
    if taken is None:
        return False
    chain_id, run = taken
    caller = Caller(chain_id, actor, "service", frozenset({"imports:write"}))
    await _Run(database, clock, dialling, suppressor, caller, run, batch_lines).work()
    return True


class _Run:
    """One reading of a connector: its pieces, then its customers, then its invoices."""

    def __init__(
        self,
        database: Database,
        clock: Clock,
        dialling: Dialling,
        suppressor: Suppressor,
        caller: Caller,
        run: ConnectorRun,
        batch_lines: int,
    ) -> None:
        self._database = database
        self._clock = clock
        self._dialling = dialling
        self._suppressor = suppressor
        self._caller = caller
        self._run = run
        self._batch_lines = batch_lines
        self._tally = Tally()
        self._newest: datetime | None = None
        self._cancelled: list[str] = []

    async def work(self) -> None:
        """Read everything that changed, and write how it ended. Never raises for what the other system does."""
        heartbeat = asyncio.create_task(self._hold())
        failure = ""
        try:
            await self._read_all()
        except ServiceError as error:
            failure = error.message
            _log.warning("connector run failed", reason=error.reason, run=self._run.connector_run_id)
        finally:
            heartbeat.cancel()
            await asyncio.gather(heartbeat, return_exceptions=True)
        with suppress(ServiceError):  # the connector was deleted meanwhile, and the run with it
            await self._finish(failure)

    async def _read_all(self) -> None:
        async with self._database.transaction(self._caller.chain_id) as tx:
            connector = await store.get_connector(tx, self._run.connector_id)
        remote = self._dialling.to(connector)
        try:
            await self._read_items(remote, connector)
            await self._land(
                connector,
                "customers",
                CUSTOMER_FIELDS,
                self._customers(remote, connector),
            )
            await self._land(
                connector,
                "salesInvoices",
                INVOICE_FIELDS,
                self._invoices(remote, connector),
            )
            await self._return_cancelled(connector)
        finally:
            self._tally = replace(self._tally, waits=remote.waits)

    async def _read_items(self, remote: BusinessCentral, connector: Connector) -> None:
        async for records in self._batches(remote, connector, "items"):
            async with self._database.transaction(self._caller.chain_id) as tx:
                await store.save_items(tx, connector.connector_id, [item_of(record) for record in records])
        await self._remember("items")

    async def _customers(self, remote: BusinessCentral, connector: Connector) -> AsyncIterator[bytes]:
        async for records in self._batches(remote, connector, "customers"):
            yield _ndjson([customer_line(record) for record in records])

    async def _invoices(self, remote: BusinessCentral, connector: Connector) -> AsyncIterator[bytes]:
        async for records in self._batches(remote, connector, "salesInvoices", expand="salesInvoiceLines"):
            wanted = {
                str(line.get("itemId"))
                for record in records
                for line in record.get("salesInvoiceLines") or ()
            }
            items: Mapping[str, Item] = {}
            async with self._database.transaction(self._caller.chain_id) as tx:
                items = await store.get_items(tx, connector.connector_id, sorted(wanted))
            self._cancelled += [str(record["id"]) for record in records if record.get("status") in CANCELLED]
            yield _ndjson([line for record in records for line in invoice_lines(record, items)])

    async def _return_cancelled(self, connector: Connector) -> None:
        """Record what was sold and cancelled afterwards as returned; once, however often it is read."""
        for invoice_id in self._cancelled:
            async with self._database.transaction(self._caller.chain_id) as tx:
                sold = await purchase_store.find_purchase(tx, connector.source, invoice_id)
                if sold is None or sold.returned_minor:
                    continue
                place = await directory_store.get_store(tx, sold.store_id)
            await record_return(
                database=self._database,
                clock=self._clock,
                caller=self._caller,
                key=RequestKey(f"cancelled {connector.source} {invoice_id}", ""),
                purchase_id=sold.purchase_id,
                store_id=sold.store_id,
                returned_on=day_at(place.time_zone, now=self._clock.now()),
                lines=[
                    ReturnLine(number, line.quantity, line.amount_minor)
                    for number, line in enumerate(sold.lines)
                ],
                currencies=[sold.currency_code] * len(sold.lines),
                exchange_purchase_id="",
                reason="The invoice was cancelled",
            )

    async def _batches(
        self, remote: BusinessCentral, connector: Connector, entity: str, *, expand: str = ""
    ) -> AsyncIterator[Sequence[Record]]:
        """Yield what changed in an entity, some at a time, and note how far it was read."""
        self._newest = connector.delta_times.get(entity)
        batch: list[Record] = []
        async for record in remote.changed(
            connector.company_id, entity, since=connector.since(entity), expand=expand
        ):
            batch.append(record)
            moment = modified_at(record)
            if moment is not None and (self._newest is None or moment > self._newest):
                self._newest = moment
            if len(batch) == _CHUNK_RECORDS:
                self._count(batch)
                yield batch
                batch = []
        if batch:
            self._count(batch)
            yield batch

    def _count(self, records: Sequence[Any]) -> None:
        self._tally = replace(self._tally, records_read=self._tally.records_read + len(records))

    async def _land(
        self, connector: Connector, entity: str, fields: Sequence[str], chunks: AsyncIterator[bytes]
    ) -> None:
        """Bring an entity in as an import, whose rules for what may be overwritten hold here too."""
        announced = await imports.create_import(
            database=self._database,
            clock=self._clock,
            caller=self._caller,
            key=RequestKey(f"{self._run.connector_run_id} {entity}", ""),
            source=connector.source,
            file_name=f"{connector.display_name}: {entity}",
            file_format=ImportFormat.NDJSON,
            delimiter="",
            columns={field: field for field in fields},
            store_id=connector.store_id,
            associate_ids=(),
        )
        if announced.state is not ImportState.COMPLETED:
            self._add(
                await imports.receive_content(
                    database=self._database,
                    clock=self._clock,
                    caller=self._caller,
                    suppressor=self._suppressor,
                    import_id=announced.import_id,
                    chunks=chunks,
                    batch_lines=self._batch_lines,
                )
            )
            await self._remember(entity)

    def _add(self, landed: Import) -> None:
        progress = landed.progress
        self._tally = replace(
            self._tally,
            clients_created=self._tally.clients_created + progress.clients_created,
            purchases_created=self._tally.purchases_created + progress.purchases_created,
            records_refused=self._tally.records_refused + progress.lines_refused,
        )

    async def _remember(self, entity: str) -> None:
        """Write how far an entity was read, so that a failure later in the run does not read it again."""
        if self._newest is None:
            return
        async with self._database.transaction(self._caller.chain_id) as tx:
            connector = await store.get_connector(tx, self._run.connector_id, lock=True)
            times = {**connector.delta_times, entity: self._newest}
            await store.save_connector(tx, replace(connector, delta_times=times))

    async def _hold(self) -> None:
        while True:
            await asyncio.sleep(_HEARTBEAT_SECONDS)
            async with self._database.transaction(self._caller.chain_id) as tx:
                await store.keep_run(
                    tx, self._run.connector_run_id, self._tally, until=self._clock.now() + _LEASE
                )

    async def _finish(self, failure: str) -> None:
        now = self._clock.now()
        async with self._database.transaction(self._caller.chain_id) as tx:
            connector = await store.get_connector(tx, self._run.connector_id, lock=True)
            await store.finish_run(
                tx,
                self._run.connector_run_id,
                self._tally,
                RunState.FAILED if failure else RunState.COMPLETED,
                failure,
                now=now,
            )
            await store.save_connector(
                tx,
                replace(
                    connector,
                    last_failure=failure,
                    next_run_at=now + timedelta(minutes=connector.interval_minutes),
                ),
            )


def _ndjson(lines: Sequence[Mapping[str, str]]) -> bytes:
    return b"".join(orjson.dumps(line, option=orjson.OPT_APPEND_NEWLINE) for line in lines)
