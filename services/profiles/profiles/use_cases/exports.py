"""Order an archive of everything that is kept of a client, gather it in the background, give it out, let it go.

Each service's part is gathered by itself and kept beside the archive, so that one service that does not answer makes
nobody ask the others again. No transaction is open while a service or the store of objects is asked.
"""

import re
from collections import Counter
from collections.abc import AsyncGenerator, AsyncIterator, Mapping, Sequence
from contextlib import aclosing
from dataclasses import dataclass, field
from typing import Any

import orjson
import structlog
from google.protobuf.json_format import MessageToDict

from chassis.caller import Caller
from chassis.clock import Clock
from chassis.database import Database, RequestKey
from chassis.errors import ServiceError
from chassis.ids import new_id
from chassis.objects import ObjectMissing, ObjectStore, object_key
from profiles.archive import Entry, zipped
from profiles.domain.exports import (
    GIVEN_UP_AFTER,
    KEPT_FOR,
    OTHER_SERVICES,
    SERVICES,
    Export,
    ExportAudience,
    ExportExpired,
    ExportPart,
    ExportState,
    wait_after,
)
from profiles.record_keepers import RecordKeepers
from profiles.store import audit, privacy_jobs
from profiles.store import client_records as records_store
from profiles.store import clients as client_store
from profiles.store import exports as store
from profiles.store import surprises as surprise_store
from profiles.store.privacy_jobs import LEASE, Job, JobKind
from profiles.store.surprises import Viewer
from profiles.telemetry import EXPORTS

_log = structlog.get_logger(__name__)
_NO_NAME = re.compile(r"[^a-z0-9_]+")
_NO_FILE = re.compile(r"[^\w. -]+")


async def create_export(
    *,
    database: Database,
    clock: Clock,
    caller: Caller,
    key: RequestKey,
    client_id: str,
    audience: ExportAudience,
) -> Export:
    """Order an archive. Raises CLIENT_NOT_FOUND."""
    now = clock.now()
    async with database.transaction(caller.chain_id) as tx:
        export_id, is_repeat = await tx.once(key, new_id("exp"))
        if is_repeat:
            return await store.get_export(tx, export_id)
        client_id = await client_store.keep_client(tx, client_id)
        export = Export(
            export_id=export_id,
            client_id=client_id,
            audience=audience,
            state=ExportState.RUNNING,
            actor=caller.associate_id or caller.actor_id,
            object_key=object_key("exports", caller.chain_id, export_id),
            created_at=now,
            parts=tuple(ExportPart(service) for service in SERVICES),
        )
        await store.add_export(tx, export)
        await privacy_jobs.add(tx, JobKind.EXPORT, export_id, due_at=now)
        await audit.note(tx, caller, "CreateExport", [client_id], now=now, subject_id=export_id)
        return await store.get_export(tx, export_id)


async def open_archive(
    *, database: Database, clock: Clock, objects: ObjectStore, caller: Caller, export_id: str
) -> AsyncIterator[bytes]:
    """Write down that the archive is read, and return its bytes. Raises EXPORT_NOT_READY and EXPORT_EXPIRED."""
    async with database.transaction(caller.chain_id) as tx:
        export = await store.get_export(tx, export_id)
        export.require_ready()
        await audit.note(
            tx, caller, "DownloadExport", [export.client_id], now=clock.now(), subject_id=export_id
        )
    try:
        return await objects.get(export.object_key)
    except ObjectMissing as error:
        raise ExportExpired(export_id) from error


@dataclass(frozen=True)
class ExportWorker:
    """Gathers the exports that were ordered, and deletes archives after their time; replicas share the work."""

    database: Database
    clock: Clock
    objects: ObjectStore
    keepers: RecordKeepers

    async def gather_due(self) -> int:
        """Work on every export that is due; return how many there were."""
        worked = 0
        while job := await privacy_jobs.take(self.database, JobKind.EXPORT, now=self.clock.now()):
            await self._work_on(job)
            worked += 1
        return worked

    async def expire_due(self) -> int:
        """Let every archive go that is past its time; return how many."""
        gone = 0
        while job := await privacy_jobs.take(self.database, JobKind.EXPORT_EXPIRY, now=self.clock.now()):
            async with self.database.transaction(job.chain_id) as tx:
                await store.expire_export(tx, job.subject_id)
                await store.drop_objects(tx, job.subject_id, with_archive=True, now=self.clock.now())
                await privacy_jobs.remove(tx, JobKind.EXPORT_EXPIRY, job.subject_id)
            EXPORTS.labels("expired").inc()
            gone += 1
        return gone

    async def _work_on(self, job: Job) -> None:
        async with self.database.transaction(job.chain_id) as tx:
            export = await store.find_export(tx, job.subject_id)
            viewer: Viewer | None = None
            if export is not None and export.state is ExportState.RUNNING:
                try:
                    viewer = await surprise_store.get_viewer(tx, export.client_id, now=self.clock.now())
                except ServiceError:  # deleted meanwhile; an erased client's exports are gone themselves
                    await store.fail_export(tx, export.export_id, "the client is gone", now=self.clock.now())
            if export is None or viewer is None:
                await privacy_jobs.remove(tx, JobKind.EXPORT, job.subject_id)
                return
        gathering = _Gathering(self, job, export, viewer)
        failure = ""
        for part in export.parts:
            if part.service in OTHER_SERVICES and not part.is_done:
                failure = (
                    await self._attempt(f"{part.service} did not answer", gathering.gather(part.service))
                    or failure
                )
        if not failure:
            failure = await self._attempt("the archive could not be written", gathering.finish())
        if failure:
            await self._try_later(job, export, failure)

    async def _attempt(self, what: str, work: Any) -> str:
        """Return what went wrong, in words without anybody's data; empty when nothing did."""
        try:
            await work
        except ServiceError as error:
            return f"{what}: {error.reason}"
        except Exception as error:
            _log.error("an export failed unexpectedly", exc_info=error)
            return f"{what}: {type(error).__name__}"
        return ""

    async def _try_later(self, job: Job, export: Export, failure: str) -> None:
        now = self.clock.now()
        async with self.database.transaction(job.chain_id) as tx:
            if now - export.created_at < GIVEN_UP_AFTER:
                _log.warning(
                    "an export waits", export_id=export.export_id, failure=failure, attempts=job.attempts
                )
                await privacy_jobs.move(
                    tx, JobKind.EXPORT, job.subject_id, due_at=now + wait_after(job.attempts)
                )
                return
            await store.fail_export(tx, export.export_id, failure, now=now)
            await store.drop_objects(tx, export.export_id, with_archive=True, now=now)
            await privacy_jobs.remove(tx, JobKind.EXPORT, job.subject_id)
        _log.error("an export was given up", export_id=export.export_id, failure=failure)
        EXPORTS.labels("failed").inc()


@dataclass
class _Gathering:
    """One attempt at one export."""

    worker: ExportWorker
    job: Job
    export: Export
    viewer: Viewer
    own: Counter[str] = field(default_factory=Counter)
    byte_count: int = 0

    @property
    def is_for_client(self) -> bool:
        return self.export.audience is ExportAudience.CLIENT

    async def gather(self, service: str) -> None:
        """Ask one service for everything, and keep what it gave, a record a line."""
        key = object_key("exports", self.job.chain_id, f"{self.export.export_id}_{service}")
        sections: Counter[str] = Counter()
        await self.worker.objects.put(key, self._lines(service, sections))
        async with self.worker.database.transaction(self.job.chain_id) as tx:
            await store.finish_part(tx, self.export.export_id, service, sections=sections, object_key=key)

    async def _lines(self, service: str, sections: Counter[str]) -> AsyncIterator[bytes]:
        token = ""
        while True:
            page = await self.worker.keepers.list_records(service, self.job.chain_id, self.viewer.hers, token)
            for record in page.records:
                fields = MessageToDict(record)["fields"] if record.HasField("fields") else {}
                if self.is_for_client and _is_secret(fields, self.viewer):
                    continue
                section = _NO_NAME.sub("_", record.section) or "records"
                sections[section] += 1
                yield orjson.dumps([section, fields]) + b"\n"
            await self._keep()
            if not (token := page.next_page_token):
                return

    async def finish(self) -> None:
        """Write the archive, and say that it can be had; take it back when the client was erased meanwhile."""
        async with self.worker.database.transaction(self.job.chain_id) as tx:
            export = await store.find_export(tx, self.export.export_id)
        if export is None:
            return
        self.export = export
        made_at = self.worker.clock.now()
        await self.worker.objects.put(
            export.object_key, self._counted(zipped(self._entries(), made_at=made_at))
        )
        now = self.worker.clock.now()
        async with self.worker.database.transaction(self.job.chain_id) as tx:
            expires_at = now + KEPT_FOR
            is_ready = await store.finish_export(
                tx, export.export_id, byte_count=self.byte_count, now=now, expires_at=expires_at
            )
            if is_ready:
                await store.finish_part(tx, export.export_id, "profiles", sections=self.own, object_key="")
                await store.drop_objects(tx, export.export_id, with_archive=False, now=now)
                await privacy_jobs.add(tx, JobKind.EXPORT_EXPIRY, export.export_id, due_at=expires_at)
            await privacy_jobs.remove(tx, JobKind.EXPORT, export.export_id)
        if is_ready:
            EXPORTS.labels("ready").inc()
            return
        for key in (export.object_key, *(part.object_key for part in export.parts if part.object_key)):
            await self.worker.objects.delete(key)

    async def _counted(self, chunks: AsyncGenerator[bytes, None]) -> AsyncIterator[bytes]:
        self.byte_count = 0
        async with aclosing(chunks):
            async for chunk in chunks:
                self.byte_count += len(chunk)
                yield chunk

    async def _entries(self) -> AsyncIterator[Entry]:
        chain_id, hers = self.job.chain_id, self.viewer.hers
        self.own.clear()
        for table in records_store.sections_for(is_for_client=self.is_for_client):
            async with self.worker.database.transaction(chain_id) as tx:
                rows = await records_store.list_section(
                    tx, table, hers, as_of=self.viewer.today, is_for_client=self.is_for_client
                )
                await privacy_jobs.move(
                    tx, JobKind.EXPORT, self.export.export_id, due_at=self.worker.clock.now() + LEASE
                )
            self.own[table.section] = len(rows)
            yield Entry(f"profiles/{table.section}.json", _array(_each(rows)))
        async with self.worker.database.transaction(chain_id) as tx:
            files = await records_store.list_objects(
                tx, hers, as_of=self.viewer.today, is_for_client=self.is_for_client
            )
        for attachment_id, file_name, key in files:
            path = f"profiles/attachments/{attachment_id}_{_NO_FILE.sub('_', file_name)}"
            yield Entry(path, self._file(key), is_packed=True)
        for part in self.export.parts:
            for section in sorted(part.sections or ()) if part.object_key else ():
                yield Entry(f"{part.service}/{section}.json", _array(self._section(part.object_key, section)))
        yield Entry("README.txt", _each_bytes([self._read_me().encode()]))

    async def _file(self, key: str) -> AsyncIterator[bytes]:
        try:
            async for chunk in await self.worker.objects.get(key):
                yield chunk
        except ObjectMissing:  # removed while the archive is written
            return
        await self._keep()

    async def _section(self, key: str, section: str) -> AsyncIterator[bytes]:
        """Return the records of one section out of a part; a part is read once a section, so that none is held."""
        rest = b""
        async for chunk in await self.worker.objects.get(key):
            *lines, rest = (rest + chunk).split(b"\n")
            for line in lines:
                name, fields = orjson.loads(line)
                if name == section:
                    yield orjson.dumps(fields)
        await self._keep()

    async def _keep(self) -> None:
        """Keep the job from being taken by another worker."""
        async with self.worker.database.transaction(self.job.chain_id) as tx:
            await privacy_jobs.move(
                tx, JobKind.EXPORT, self.export.export_id, due_at=self.worker.clock.now() + LEASE
            )

    def _read_me(self) -> str:
        counts: dict[str, Mapping[str, int]] = {"profiles": self.own}
        counts |= {
            part.service: part.sections or {} for part in self.export.parts if part.service != "profiles"
        }
        return read_me(self.export, self.viewer.client_id, counts)


def read_me(export: Export, client_id: str, counts: Mapping[str, Mapping[str, int]]) -> str:
    """Return the text that tells a reader of the archive what is what."""
    told = {
        ExportAudience.CLIENT: (
            "This copy is for the person. What is still a surprise for the person is left out, and so are the house's\n"
            "records on payments in cash, which it may have to keep to itself."
        ),
        ExportAudience.HOUSE: (
            "THIS COPY STAYS IN THE HOUSE: it holds surprises that the person must not learn of yet."
        ),
    }[export.audience]
    lines = [
        "Everything that is kept of one client of this house.",
        "",
        f"Client {client_id}, export {export.export_id}, ordered {export.created_at:%Y-%m-%d %H:%M} UTC.",
        "",
        told,
        "",
        "One folder for each part of the system, one file for each kind of record: JSON in UTF-8, an array of records.",
        "Times are UTC (ISO 8601). Names that end in _minor are amounts in the smallest unit of the currency beside",
        "them: 1250 with USD is 12.50 dollars. Names that end in _id are references between the records.",
        "Photos and documents are in profiles/attachments, listed in profiles/attachments.json.",
        "",
    ]
    for service in SERVICES:
        lines += [f"{service}:"]
        sections = counts.get(service, {})
        lines += [f"  {section}.json: {count}" for section, count in sorted(sections.items())] or [
            "  nothing is kept"
        ]
    return "\n".join(lines) + "\n"


def _is_secret(fields: Mapping[str, Any], viewer: Viewer) -> bool:
    if fields.get("surprise_for_client_id") not in viewer.hers:
        return False
    ends = fields.get("surprise_end_date") or fields.get("surprise_ends_on") or ""
    return not isinstance(ends, str) or not ends or ends >= viewer.today.isoformat()


async def _each(rows: Sequence[str]) -> AsyncIterator[bytes]:
    for row in rows:
        yield row.encode()


async def _each_bytes(chunks: Sequence[bytes]) -> AsyncIterator[bytes]:
    for chunk in chunks:
        yield chunk


async def _array(records: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    before = b"[\n"
    async for record in records:
        yield before + record
        before = b",\n"
    yield b"[]\n" if before == b"[\n" else b"\n]\n"
