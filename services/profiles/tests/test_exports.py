"""Exports: everything that every service keeps, in one archive, without what must stay a surprise."""

import asyncio
import io
import json
import zipfile
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import grpc
import pytest
import pytest_asyncio
from carnet.privacy.v1 import privacy_pb2 as privacy
from carnet.privacy.v1 import privacy_pb2_grpc
from carnet.profiles.v1 import privacy_pb2 as pb
from carnet.profiles.v1 import records_pb2 as rec
from google.type.date_pb2 import Date
from sqlalchemy import text
from whole_life import EMAIL, PHONE, PICTURE, attach, record_whole_life

from chassis.caller import CallerVerifier, current_caller
from chassis.clock import SystemClock
from chassis.errors import ServiceError, unavailable
from chassis.grpc_server import GrpcServer
from chassis.objects import FolderObjects, open_objects
from chassis.testing import NOON, Keys, channel_to, eventually
from profiles.client_tables import CLIENT_TABLES
from profiles.domain.exports import wait_after
from profiles.record_keepers import GrpcRecordKeepers
from profiles.use_cases.exports import ExportWorker

OTHERS = ("outreach", "messaging", "waitlist", "appointments")


@dataclass
class Keeper(privacy_pb2_grpc.ClientRecordsServiceServicer):
    """Another service: two records a page, of whoever is in `kept`; silent when told so."""

    service: str
    kept: dict[str, list[tuple[str, dict[str, Any]]]] = field(default_factory=dict)
    is_silent: bool = False
    calls: int = 0
    callers: set[tuple[str, str, frozenset[str]]] = field(default_factory=set)

    async def ListClientRecords(
        self, request: privacy.ListClientRecordsRequest, context: Any
    ) -> privacy.ListClientRecordsResponse:
        self.calls += 1
        caller = current_caller()
        self.callers.add((caller.actor_id, caller.chain_id, caller.scopes))
        if self.is_silent:
            raise unavailable("records")
        records = [record for client_id in request.client_ids for record in self.kept.get(client_id, [])]
        start = int(request.page_token or 0)
        response = privacy.ListClientRecordsResponse(
            next_page_token=str(start + 2) if len(records) > start + 2 else ""
        )
        for section, fields in records[start : start + 2]:
            response.records.add(section=section).fields.update(fields)
        return response


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def keepers(keys: Keys) -> AsyncIterator[dict[str, tuple[Keeper, str]]]:
    """Run the other services' part in an export as real servers, with what every server of the platform checks."""
    async with AsyncExitStack() as stack:
        running: dict[str, tuple[Keeper, str]] = {}
        for service in OTHERS:
            keeper = Keeper(service)

            def register(server: grpc.aio.Server, keeper: Keeper = keeper) -> None:
                privacy_pb2_grpc.add_ClientRecordsServiceServicer_to_server(keeper, server)

            server = GrpcServer(
                address="127.0.0.1:0",
                services=["carnet.privacy.v1.ClientRecordsService"],
                register=[register],
                verifier=CallerVerifier(keys.public, _LenientClock()),
                drain_seconds=0,
            )
            await server.start()
            stack.push_async_callback(server.stop)
            running[service] = (keeper, f"127.0.0.1:{server.port}")
        yield running


class _LenientClock(SystemClock):
    """The service under test signs by its own clock, which stands still: to the others no token is ever too old."""

    def now(self) -> datetime:
        return datetime(2020, 1, 1, tzinfo=UTC)


@pytest.fixture(scope="module")
def more_settings(keepers: dict[str, tuple[Keeper, str]]) -> dict[str, Any]:
    """Point the service at the fakes."""
    return {f"{service}_address": address for service, (_, address) in keepers.items()}


@pytest.fixture(autouse=True)
def forgetful(keepers: dict[str, tuple[Keeper, str]]) -> None:
    """Let the fakes begin each test anew."""
    for keeper, _ in keepers.values():
        keeper.kept.clear()
        keeper.callers.clear()
        keeper.is_silent, keeper.calls = False, 0


@pytest_asyncio.fixture(loop_scope="session")
async def worker(house: Any, keepers: dict[str, tuple[Keeper, str]]) -> AsyncIterator[ExportWorker]:
    """Return a worker like that of the running service, so that a test says when it works; nothing is left to do."""
    foundation = house.profiles.service.foundation
    async with house.database.platform_transaction() as connection:
        await connection.execute(text("delete from privacy_jobs"))
    async with AsyncExitStack() as stack:
        channels = {
            service: await stack.enter_async_context(channel_to(address))
            for service, (_, address) in keepers.items()
        }
        yield ExportWorker(
            house.database,
            house.clock,
            open_objects(foundation.settings),
            GrpcRecordKeepers(channels, foundation.signer),
        )


def wait(house: Any, **time: int) -> None:
    """Let time go by, and sign in again after it."""
    house.clock.advance(timedelta(**time))
    house.act_as()


async def order(house: Any, client_id: str, **fields: Any) -> pb.Export:
    return await house.privacy.CreateExport(pb.CreateExportRequest(client_id=client_id, **fields))


async def get(house: Any, export_id: str) -> pb.Export:
    return await house.privacy.GetExport(pb.GetExportRequest(export_id=export_id))


async def download(house: Any, export_id: str) -> bytes:
    call = house.privacy.DownloadExport(pb.DownloadExportRequest(export_id=export_id))
    pieces = [piece async for piece in call]
    assert {piece.content_type for piece in pieces} == {"application/zip"}
    return b"".join(piece.data for piece in pieces)


async def archive_of(
    house: Any, worker: ExportWorker, client_id: str, **fields: Any
) -> tuple[pb.Export, dict[str, Any]]:
    """Order an export, let it be gathered, and return it with the files of its archive."""
    export = await order(house, client_id, **fields)
    await worker.gather_due()
    export = await get(house, export.export_id)
    assert export.state == pb.EXPORT_STATE_READY, export.failure
    return export, files_of(await download(house, export.export_id))


def files_of(content: bytes) -> dict[str, Any]:
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        assert archive.testzip() is None
        return {
            name: json.loads(archive.read(name)) if name.endswith(".json") else archive.read(name)
            for name in archive.namelist()
        }


async def test_an_archive_has_everything_of_every_service(
    house: Any, worker: ExportWorker, keepers: dict[str, tuple[Keeper, str]]
) -> None:
    life = await record_whole_life(house)
    keepers["messaging"][0].kept[life.client_id] = [
        ("messages", {"text": f"message {n}", "n": n}) for n in range(5)
    ] + [("permission_entries", {"purpose": "service"})]
    keepers["waitlist"][0].kept[life.client_id] = [("interests", {"reference_code": "RZ1"})]
    export, files = await archive_of(house, worker, life.client_id)
    assert [one["text"] for one in files["messaging/messages.json"]] == [f"message {n}" for n in range(5)]
    assert files["messaging/permission_entries.json"] == [{"purpose": "service"}]
    assert files["waitlist/interests.json"] == [{"reference_code": "RZ1"}]
    assert {(part.service, part.is_done) for part in export.parts} == {
        (service, True) for service in ("profiles", *OTHERS)
    }
    counts = {part.service: part.record_count for part in export.parts}
    assert (counts["messaging"], counts["waitlist"], counts["appointments"]) == (6, 1, 0)
    own = [name for name in files if name.startswith("profiles/") and name.endswith(".json")]
    assert counts["profiles"] == sum(len(files[name]) for name in own)
    declared = {table.section for table in CLIENT_TABLES if table.section and not table.is_house_only}
    assert {name.removeprefix("profiles/").removesuffix(".json") for name in own} == declared
    filled = {name for name in own if files[name]}
    assert {f"profiles/{name}.json" for name in (
        "client", "contact_points", "occasions", "preferences", "relationships", "purchases", "purchase_lines",
        "purchase_payments", "returns", "return_lines", "visits", "visit_items", "consents", "repairs", "repair_moves",
        "wishes", "notes", "attachments", "timeline", "assignments", "audit_entries", "exports",
    )} <= filled  # fmt: skip
    assert {point["value"] for point in files["profiles/contact_points.json"]} == {PHONE, EMAIL}
    (attachment,) = [name for name in files if name.startswith("profiles/attachments/")]
    assert files[attachment] == PICTURE
    words = files["README.txt"].decode()
    assert "for the person" in words
    assert "messages.json: 5" in words
    assert "nothing is kept" in words
    assert export.byte_count > 1000
    assert export.expire_time.ToDatetime(tzinfo=UTC) == NOON + timedelta(days=7)


async def test_nothing_of_the_systems_own_bookkeeping_is_in_an_archive(
    house: Any, worker: ExportWorker
) -> None:
    life = await record_whole_life(house)
    _, files = await archive_of(house, worker, life.client_id)
    internal = {"chain_id", "match_key", "object_key", "changed_in", "content_hash"}
    for name, rows in files.items():
        if name.endswith(".json"):
            assert not [row for row in rows if internal & row.keys()], name


async def test_the_persons_own_copy_lacks_surprises_and_the_houses_copy_has_them_and_says_so(
    house: Any, worker: ExportWorker, keepers: dict[str, tuple[Keeper, str]]
) -> None:
    life = await record_whole_life(house)
    client_id = life.client_id
    wish = (await house.records.ListWishes(rec.ListWishesRequest(client_id=client_id))).wishes[0]
    await house.records.SetWishState(
        rec.SetWishStateRequest(
            wish_id=wish.wish_id, state=rec.WISH_STATE_BOUGHT_BY_SOMEBODY, bought_by_client_id=life.spouse_id,
            is_surprise=True, surprise_end_date=Date(year=2026, month=5, day=4),
        )
    )  # fmt: skip
    keepers["appointments"][0].kept[client_id] = [
        ("appointments", {"note": "the reveal", "surprise_for_client_id": client_id}),
        ("appointments", {"note": "was one", "surprise_for_client_id": client_id, "surprise_end_date": "2026-03-09"}),
        ("appointments", {"note": "his own", "surprise_for_client_id": life.spouse_id}),
    ]  # fmt: skip
    _, hers = await archive_of(house, worker, client_id)
    _, theirs = await archive_of(house, worker, client_id, audience=pb.EXPORT_AUDIENCE_HOUSE)
    assert {note["body"] for note in hers["profiles/notes.json"]} == {"whispered to me"}
    assert {note["body"] for note in theirs["profiles/notes.json"]} == {
        "whispered to me",
        "whispered in secret",
    }
    assert [one["state"] for one in hers["profiles/wishes.json"]] == ["wanted"]
    assert life.spouse_id not in json.dumps(hers["profiles/wishes.json"])
    assert [one["bought_by_client_id"] for one in theirs["profiles/wishes.json"]] == [life.spouse_id]
    assert {one["note"] for one in hers["appointments/appointments.json"]} == {"was one", "his own"}
    assert len(theirs["appointments/appointments.json"]) == 3
    assert len(hers["profiles/timeline.json"]) < len(theirs["profiles/timeline.json"])
    assert "profiles/cash_alerts.json" in theirs
    assert "profiles/cash_alerts.json" not in hers
    assert "STAYS IN THE HOUSE" in theirs["README.txt"].decode()
    assert "STAYS IN THE HOUSE" not in hers["README.txt"].decode()


async def test_a_surprise_that_is_over_is_in_the_persons_copy(house: Any, worker: ExportWorker) -> None:
    client = await house.client(given_name="Ada")
    for words, end in (("over", 9), ("last day", 10)):
        await house.records.CreateNote(
            rec.CreateNoteRequest(
                client_id=client.client_id, text=words, surprise_for_client_id=client.client_id,
                surprise_end_date=Date(year=2026, month=3, day=end),
            )
        )  # fmt: skip
    _, files = await archive_of(house, worker, client.client_id)
    assert [note["body"] for note in files["profiles/notes.json"]] == ["over"]


async def test_the_services_are_asked_with_former_ids_and_by_the_service_itself(
    house: Any, worker: ExportWorker, keepers: dict[str, tuple[Keeper, str]]
) -> None:
    client = await house.client(given_name="Ada")
    async with house.database.transaction(house.chain_id) as tx:
        await tx.execute(
            "insert into client_aliases (chain_id, alias_id, client_id, merge_id, created_at)"
            " values (:chain_id, 'cli_former', :client_id, 'mrg_1', now())",
            {"chain_id": house.chain_id, "client_id": client.client_id},
        )
    keepers["outreach"][0].kept |= {
        "cli_former": [("touches", {"of": "before"})],
        client.client_id: [("touches", {"of": "now"})],
    }
    export, files = await archive_of(house, worker, "cli_former")
    assert export.client_id == client.client_id
    assert {one["of"] for one in files["outreach/touches.json"]} == {"before", "now"}
    assert keepers["outreach"][0].callers == {
        ("service:profiles", house.chain_id, frozenset({"records:export"}))
    }


async def test_a_service_that_does_not_answer_is_asked_again_and_the_others_are_not(
    house: Any, worker: ExportWorker, keepers: dict[str, tuple[Keeper, str]]
) -> None:
    client = await house.client(given_name="Ada")
    silent, talking = keepers["waitlist"][0], keepers["messaging"][0]
    silent.is_silent = True
    talking.kept[client.client_id] = [("messages", {"text": "one"})]
    export = await order(house, client.client_id)
    assert await worker.gather_due() == 1
    waiting = await get(house, export.export_id)
    assert waiting.state == pb.EXPORT_STATE_RUNNING
    assert {part.service for part in waiting.parts if part.is_done} == set(OTHERS) - {"waitlist"}
    with pytest.raises(ServiceError) as refused:
        await download(house, export.export_id)
    assert refused.value.reason == "EXPORT_NOT_READY"
    assert await worker.gather_due() == 0  # not at once
    silent.is_silent = False
    asked = talking.calls
    wait(house, seconds=5)
    assert await worker.gather_due() == 1
    assert (await get(house, export.export_id)).state == pb.EXPORT_STATE_READY
    assert talking.calls == asked
    files = files_of(await download(house, export.export_id))
    assert files["messaging/messages.json"] == [{"text": "one"}]


async def test_after_a_day_without_an_answer_an_export_has_failed_with_the_reason(
    house: Any, worker: ExportWorker, keepers: dict[str, tuple[Keeper, str]]
) -> None:
    client = await house.client(given_name="Ada")
    keepers["waitlist"][0].is_silent = True
    export = await order(house, client.client_id)
    for _ in range(4):
        await worker.gather_due()
        wait(house, hours=9)
    failed = await get(house, export.export_id)
    assert failed.state == pb.EXPORT_STATE_FAILED
    assert failed.failure == "waitlist did not answer: RECORDS_UNAVAILABLE"
    with pytest.raises(ServiceError) as refused:
        await download(house, export.export_id)
    assert refused.value.reason == "EXPORT_NOT_READY"
    assert await left_to_remove(house) == 4  # what the others gave, and the place of the archive


async def test_an_archive_is_gone_after_seven_days(house: Any, worker: ExportWorker) -> None:
    client = await house.client(given_name="Ada")
    export, _ = await archive_of(house, worker, client.client_id)
    wait(house, days=7, seconds=-1)
    assert await worker.expire_due() == 0
    wait(house, seconds=1)
    assert await worker.expire_due() == 1
    assert (await get(house, export.export_id)).state == pb.EXPORT_STATE_EXPIRED
    with pytest.raises(ServiceError) as refused:
        await download(house, export.export_id)
    assert refused.value.reason == "EXPORT_EXPIRED"
    assert await left_to_remove(house) == 5  # four parts and the archive


async def test_a_worker_that_died_is_followed_by_another_one(
    house: Any, worker: ExportWorker, keepers: dict[str, tuple[Keeper, str]]
) -> None:
    client = await house.client(given_name="Ada")
    export = await order(house, client.client_id)

    class Dies:
        async def list_records(self, *_: Any) -> privacy.ListClientRecordsResponse:
            raise asyncio.CancelledError

    dying = ExportWorker(worker.database, worker.clock, worker.objects, Dies())
    with pytest.raises(asyncio.CancelledError):
        await dying.gather_due()
    assert await worker.gather_due() == 0  # the other one may still be at it
    wait(house, minutes=2)
    assert await worker.gather_due() == 1
    assert (await get(house, export.export_id)).state == pb.EXPORT_STATE_READY


async def test_twenty_workers_gather_each_export_once(
    house: Any, worker: ExportWorker, keepers: dict[str, tuple[Keeper, str]]
) -> None:
    clients = [await house.client(given_name=f"Ada {n}") for n in range(5)]
    exports = [await order(house, client.client_id) for client in clients]
    worked = await asyncio.gather(*(worker.gather_due() for _ in range(20)))
    assert sum(worked) == 5
    assert keepers["messaging"][0].calls == 5
    for export in exports:
        assert (await get(house, export.export_id)).state == pb.EXPORT_STATE_READY


async def test_an_archive_of_a_client_who_is_erased_while_it_is_written_is_not_kept(
    house: Any, worker: ExportWorker, keepers: dict[str, tuple[Keeper, str]]
) -> None:
    client = await house.client(given_name="Ada")
    export = await order(house, client.client_id)

    class ErasesMeanwhile(FolderObjects):
        async def put(self, key: str, chunks: AsyncIterator[bytes]) -> None:
            await super().put(key, chunks)
            if key.endswith(export.export_id):
                await house.privacy.EraseClient(
                    pb.EraseClientRequest(client_id=client.client_id, reason="a letter")
                )

    objects = ErasesMeanwhile(worker.objects._folder)  # type: ignore[attr-defined]
    await ExportWorker(worker.database, worker.clock, objects, worker.keepers).gather_due()
    with pytest.raises(ServiceError) as refused:
        await get(house, export.export_id)
    assert refused.value.reason == "EXPORT_NOT_FOUND"
    folder = worker.objects._folder / "exports" / house.chain_id  # type: ignore[attr-defined]
    assert [path.name for path in folder.iterdir() if path.name == export.export_id] == []


async def test_a_file_name_cannot_lead_out_of_the_archive(house: Any, worker: ExportWorker) -> None:
    client = await house.client(given_name="Ada")
    picture = await attach(house, client.client_id, file_name="..\\..//etc/pass wd.png", content=PICTURE)
    _, files = await archive_of(house, worker, client.client_id)
    (name,) = [name for name in files if name.startswith("profiles/attachments/")]
    assert name.startswith(f"profiles/attachments/{picture}_")
    assert name.count("/") == 2
    assert "\\" not in name


async def test_the_same_request_id_orders_one_archive(house: Any) -> None:
    client = await house.client(given_name="Ada")
    first = await order(house, client.client_id, request_id="req_1")
    assert await order(house, client.client_id, request_id="req_1") == first
    assert (await order(house, client.client_id)).export_id != first.export_id
    with pytest.raises(ServiceError) as refused:
        await order(house, client.client_id, request_id="req_1", audience=pb.EXPORT_AUDIENCE_HOUSE)
    assert refused.value.reason == "REQUEST_ID_REUSED"


async def test_exports_are_listed_newest_first_of_one_client_or_all(house: Any) -> None:
    ada, bo = [await house.client(given_name=name) for name in ("Ada", "Bo")]
    ids = [(await order(house, client.client_id)).export_id for client in (ada, bo, ada)]

    async def listed(**fields: Any) -> Sequence[str]:
        return [
            one.export_id
            for one in (await house.privacy.ListExports(pb.ListExportsRequest(**fields))).exports
        ]

    assert await listed() == ids[::-1]
    assert await listed(client_id=ada.client_id) == [ids[2], ids[0]]
    page = await house.privacy.ListExports(pb.ListExportsRequest(page_size=2))
    assert await listed(page_size=2, page_token=page.next_page_token) == ids[:1]


async def test_another_chains_client_and_export_are_not_there(house: Any, other_house: Any) -> None:
    house.act_as()
    client = await house.client(given_name="Ada")
    export = await order(house, client.client_id)
    other_house.act_as()
    for call, reason in (
        (order(other_house, client.client_id), "CLIENT_NOT_FOUND"),
        (get(other_house, export.export_id), "EXPORT_NOT_FOUND"),
        (download(other_house, export.export_id), "EXPORT_NOT_FOUND"),
    ):
        with pytest.raises(ServiceError) as refused:
            await call
        assert refused.value.reason == reason


async def test_the_service_gathers_by_itself(
    house: Any, worker: ExportWorker, keepers: dict[str, tuple[Keeper, str]]
) -> None:
    client = await house.client(given_name="Ada")
    export = await order(house, client.client_id)
    service = house.profiles.service
    (background,) = [part for part in service.components if part.name == "exports"]
    await background.stop()
    await background.start()  # it looks at once, and every minute from then on

    async def is_ready() -> bool:
        return (await get(house, export.export_id)).state == pb.EXPORT_STATE_READY

    await eventually(is_ready)


def test_waits_grow_and_end_at_a_quarter_of_an_hour() -> None:
    waits = [wait_after(attempts) for attempts in range(1, 40)]
    assert waits[0] == timedelta(seconds=5)
    assert waits == sorted(waits)
    assert waits[-1] == timedelta(minutes=15)


async def left_to_remove(house: Any) -> int:
    async with house.database.transaction(house.chain_id) as tx:
        rows = await tx.execute("select count(*) from object_removals")
        return int(rows.scalar_one())
