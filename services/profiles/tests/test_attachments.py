"""Attachments through the real server: announced, filled, given out, removed with their bytes, nothing by halves."""

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import grpc
import pytest
from carnet.profiles.v1 import profiles_pb2 as pb
from carnet.profiles.v1 import records_pb2 as rec
from google.protobuf.field_mask_pb2 import FieldMask
from google.type.date_pb2 import Date

from chassis.errors import Kind, ServiceError
from chassis.grpc_errors import error_of
from chassis.object_removals import sweep_objects
from chassis.objects import FolderObjects
from chassis.testing import eventually
from profiles.domain.attachments import ContentType, type_of

JPEG = b"\xff\xd8\xff\xe0\x00\x10JFIF\x00" + b"pixels" * 50_000  # 300 kB
PNG = b"\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR" + b"pixels"
WEBP = b"RIFF\x24\x00\x00\x00WEBPVP8 pixels"
HEIC = b"\x00\x00\x00\x18ftypheic\x00\x00\x00\x00mif1"
PDF = b"%PDF-1.7\n%\xe2\xe3\xcf\xd3\n"
EXE = b"MZ\x90\x00\x03\x00\x00\x00\x04\x00\x00\x00\xff\xff\x00\x00"
TODAY = Date(year=2026, month=3, day=10)


def folder_of(house: Any) -> Path:
    return Path(house.profiles.service.foundation.settings.objects_dir)


def files_of(house: Any) -> list[Path]:
    return [path for path in (folder_of(house) / "attachments" / house.chain_id).rglob("*") if path.is_file()]


async def sweep(house: Any) -> None:
    await sweep_objects(database=house.database, clock=house.clock, objects=FolderObjects(folder_of(house)))


async def announce(house: Any, client_id: str, **fields: Any) -> rec.Attachment:
    return await house.records.CreateAttachment(
        rec.CreateAttachmentRequest(
            **{"client_id": client_id, "file_name": "ring.jpg", "content_type": "image/jpeg", **fields}
        )
    )


async def messages_of(attachment_id: str, content: bytes, chunk: int = 200_000) -> AsyncIterator[Any]:
    yield rec.UploadAttachmentContentRequest(attachment_id=attachment_id)
    for start in range(0, len(content), chunk):
        yield rec.UploadAttachmentContentRequest(content=content[start : start + chunk])


async def upload(house: Any, messages: AsyncIterator[Any]) -> rec.Attachment:
    try:
        return await house.records.UploadAttachmentContent(messages)
    except grpc.aio.AioRpcError as failure:
        raise error_of(failure) from failure


async def attach(house: Any, client_id: str, content: bytes = JPEG, **fields: Any) -> rec.Attachment:
    announced = await announce(house, client_id, **fields)
    return await upload(house, messages_of(announced.attachment_id, content))


async def download(house: Any, attachment_id: str) -> tuple[str, bytes]:
    bodies = [
        body
        async for body in house.records.DownloadAttachmentContent(
            rec.DownloadAttachmentContentRequest(attachment_id=attachment_id)
        )
    ]
    return bodies[0].content_type, b"".join(body.data for body in bodies)


async def listed(house: Any, client_id: str, **fields: Any) -> list[str]:
    found = await house.records.ListAttachments(rec.ListAttachmentsRequest(client_id=client_id, **fields))
    return [one.attachment_id for one in found.attachments]


async def remove(house: Any, attachment_id: str) -> None:
    await house.records.DeleteAttachment(rec.DeleteAttachmentRequest(attachment_id=attachment_id))


async def test_a_photo_is_announced_sent_listed_and_given_out(house: Any) -> None:
    client = (await house.client()).client_id
    announced = await announce(house, client, caption="As it came in")
    assert announced.byte_count == 0
    assert await listed(house, client) == []
    filled = await upload(house, messages_of(announced.attachment_id, JPEG))
    assert (filled.byte_count, filled.caption) == (len(JPEG), "As it came in")
    assert await listed(house, client) == [filled.attachment_id]
    assert await download(house, filled.attachment_id) == ("image/jpeg", JPEG)
    (file,) = files_of(house)
    assert file.read_bytes() == JPEG
    house.clock.advance(timedelta(days=1))
    await sweep(house)
    assert files_of(house) == [file]


@pytest.mark.parametrize(
    ("content", "content_type"),
    [(JPEG, "image/jpeg"), (PNG, "image/png"), (WEBP, "image/webp"), (HEIC, "image/heic"), (PDF, "application/pdf")],
    ids=lambda value: value if isinstance(value, str) else "",
)  # fmt: skip
async def test_every_type_that_is_taken_is_known_by_its_bytes(
    house: Any, content: bytes, content_type: str
) -> None:
    client = (await house.client()).client_id
    filled = await attach(house, client, content, content_type=content_type)
    assert (await download(house, filled.attachment_id))[0] == content_type


def test_what_looks_like_a_picture_only_from_afar_is_none() -> None:
    for head in (
        b"",
        b"\xff\xd8",
        b"RIFF\x24\x00\x00\x00WAVEfmt ",
        b"\x00\x00\x00\x18ftypisom",
        EXE,
        b"<svg/>",
    ):
        assert type_of(head) is None
    assert type_of(HEIC) is ContentType.HEIC


@pytest.mark.parametrize("content_type", ["image/svg+xml", "text/html", "image/gif", "nonsense"])
async def test_a_type_that_is_not_taken_is_refused_at_once(house: Any, content_type: str) -> None:
    client = (await house.client()).client_id
    with pytest.raises(ServiceError) as refused:
        await announce(house, client, content_type=content_type)
    assert (refused.value.kind, refused.value.reason) == (Kind.INVALID, "ATTACHMENT_TYPE_REFUSED")
    assert [one.field for one in refused.value.violations] == ["content_type"]


@pytest.mark.parametrize(
    ("fields", "field"),
    [
        ({"file_name": ""}, "file_name"),
        ({"file_name": "a\r\nb"}, "file_name"),
        ({"file_name": " "}, "file_name"),
        ({"caption": "x" * 301}, "caption"),
        ({"surprise_end_date": TODAY}, "surprise_end_date"),
    ],
)
async def test_an_announcement_that_cannot_be_names_the_field(
    house: Any, fields: dict[str, Any], field: str
) -> None:
    client = (await house.client()).client_id
    with pytest.raises(ServiceError) as refused:
        await announce(house, client, **fields)
    assert [one.field for one in refused.value.violations] == [field]


@pytest.mark.parametrize(
    "content", [EXE, PNG, b"", b"\xff\xd8"], ids=["program", "png", "nothing", "too short"]
)
@pytest.mark.parametrize("chunk", [1, 200_000])
async def test_bytes_of_another_type_are_refused_and_leave_nothing(
    house: Any, content: bytes, chunk: int
) -> None:
    client = (await house.client()).client_id
    announced = await announce(house, client)
    with pytest.raises(ServiceError) as refused:
        await upload(house, messages_of(announced.attachment_id, content, chunk))
    assert (refused.value.kind, refused.value.reason) == (Kind.INVALID, "ATTACHMENT_TYPE_MISMATCH")
    assert files_of(house) == []
    assert await listed(house, client) == []
    # The announcement stands: the right file may still come.
    assert (await upload(house, messages_of(announced.attachment_id, JPEG))).byte_count == len(JPEG)


async def test_more_bytes_than_are_taken_are_refused_and_leave_nothing(house: Any) -> None:
    client = (await house.client()).client_id
    announced = await announce(house, client)
    for size in (1_000_001, 20_000_000):
        with pytest.raises(ServiceError) as refused:
            await upload(house, messages_of(announced.attachment_id, JPEG + bytes(size - len(JPEG))))
        assert (refused.value.kind, refused.value.reason) == (Kind.INVALID, "ATTACHMENT_TOO_LARGE")
        assert refused.value.metadata == {"most_bytes": "1000000"}
        assert files_of(house) == []
    exactly = JPEG + bytes(1_000_000 - len(JPEG))
    assert (await upload(house, messages_of(announced.attachment_id, exactly))).byte_count == 1_000_000


async def test_sending_the_same_again_changes_nothing_and_something_else_is_refused(house: Any) -> None:
    client = (await house.client()).client_id
    filled = await attach(house, client)
    assert await upload(house, messages_of(filled.attachment_id, JPEG)) == filled
    with pytest.raises(ServiceError) as refused:
        await upload(house, messages_of(filled.attachment_id, JPEG + b"x"))
    assert (refused.value.kind, refused.value.reason) == (Kind.CONFLICT, "ATTACHMENT_COMPLETE")
    assert (await download(house, filled.attachment_id))[1] == JPEG
    assert len(files_of(house)) == 1


async def test_of_twenty_uploads_at_once_one_is_kept_and_the_objects_of_the_others_go(house: Any) -> None:
    client = (await house.client()).client_id
    announced = await announce(house, client)

    async def send(number: int) -> bytes | None:
        content = JPEG[:50_000] + bytes([number % 2])
        try:
            await upload(house, messages_of(announced.attachment_id, content))
        except ServiceError as refused:
            assert refused.reason == "ATTACHMENT_COMPLETE"
            return None
        return content

    kept = set(await asyncio.gather(*(send(number) for number in range(20))))
    kept.discard(None)
    assert len(kept) == 1
    assert {(await download(house, announced.attachment_id))[1]} == kept
    await sweep(house)
    assert len(files_of(house)) == 1


async def test_an_interrupted_upload_leaves_nothing_that_is_seen_and_nothing_that_stays(house: Any) -> None:
    client = (await house.client()).client_id
    announced = await announce(house, client)
    began = asyncio.Event()

    async def stalls() -> AsyncIterator[Any]:
        yield rec.UploadAttachmentContentRequest(
            attachment_id=announced.attachment_id, content=JPEG[:200_000]
        )
        began.set()
        await asyncio.Event().wait()

    call = asyncio.ensure_future(house.records.UploadAttachmentContent(stalls()))
    await began.wait()
    await eventually(lambda: files_of(house))  # half of it
    call.cancel()
    await eventually(lambda: not files_of(house))
    assert await listed(house, client) == []
    with pytest.raises(ServiceError) as empty:
        await download(house, announced.attachment_id)
    assert (empty.value.kind, empty.value.reason) == (Kind.PRECONDITION, "ATTACHMENT_EMPTY")


async def test_what_a_crash_left_behind_is_swept_after_an_hour(house: Any) -> None:
    client = (await house.client()).client_id
    filled = await attach(house, client)
    (kept,) = files_of(house)
    async with house.database.transaction(house.chain_id) as tx:
        # As after a crash between the object and the row.
        await tx.execute(
            "insert into object_removals (chain_id, object_key, due_at) values (:chain_id, :key, :due_at)",
            {
                "chain_id": house.chain_id,
                "key": f"attachments/{house.chain_id}/obj_lost",
                "due_at": house.clock.now() + timedelta(hours=1),
            },
        )
    lost = kept.with_name("obj_lost")
    lost.write_bytes(b"half")
    await sweep(house)
    assert len(files_of(house)) == 2
    house.clock.advance(timedelta(hours=1))
    await sweep(house)
    assert files_of(house) == [kept]
    house.act_as()
    assert (await download(house, filled.attachment_id))[1] == JPEG


async def test_a_removed_attachment_takes_its_bytes_with_it(house: Any) -> None:
    client = (await house.client()).client_id
    filled = await attach(house, client)
    await remove(house, filled.attachment_id)
    for attempt in (download(house, filled.attachment_id), remove(house, filled.attachment_id)):
        with pytest.raises(ServiceError) as gone:
            await attempt
        assert gone.value.reason == "ATTACHMENT_NOT_FOUND"
    await sweep(house)
    assert files_of(house) == []


async def test_a_store_that_is_away_keeps_what_is_to_be_removed_in_mind(house: Any) -> None:
    class Away(FolderObjects):
        async def delete(self, key: str) -> None:
            raise ServiceError(Kind.UNAVAILABLE, "OBJECT_STORE_UNAVAILABLE", "Away.")

    filled = await attach(house, (await house.client()).client_id)
    await remove(house, filled.attachment_id)
    away = Away(folder_of(house))
    assert await sweep_objects(database=house.database, clock=house.clock, objects=away) == 0
    await sweep(house)
    assert len(files_of(house)) == 1  # it is somebody's for five minutes
    house.clock.advance(timedelta(minutes=6))
    await sweep(house)
    assert files_of(house) == []


async def test_a_removed_client_takes_all_bytes_along(house: Any) -> None:
    client = (await house.client()).client_id
    await attach(house, client)
    await house.stub.DeleteClient(pb.DeleteClientRequest(client_id=client))
    await sweep(house)
    assert files_of(house) == []


async def test_attachments_of_a_private_note_are_its_authors_and_go_with_it(house: Any) -> None:
    client = (await house.client()).client_id
    house.act_as(associate_id=house.ana)
    note = await house.records.CreateNote(
        rec.CreateNoteRequest(client_id=client, text="Mine.", visibility=rec.NOTE_VISIBILITY_PRIVATE)
    )
    filled = await attach(house, client, subject_id=note.note_id)
    assert await listed(house, client) == [filled.attachment_id]
    house.act_as(associate_id=house.ben, role="manager")
    assert await listed(house, client) == []
    for attempt in (
        download(house, filled.attachment_id),
        remove(house, filled.attachment_id),
        upload(house, messages_of(filled.attachment_id, JPEG)),
    ):
        with pytest.raises(ServiceError) as refused:
            await attempt
        assert refused.value.reason == "ATTACHMENT_NOT_FOUND"
    with pytest.raises(ServiceError) as hidden:
        await announce(house, client, subject_id=note.note_id)
    assert hidden.value.reason == "SUBJECT_NOT_FOUND"
    house.act_as(associate_id=house.ana)
    await house.records.DeleteNote(rec.DeleteNoteRequest(note_id=note.note_id))
    assert await listed(house, client) == []
    await sweep(house)
    assert files_of(house) == []


async def test_attachments_are_listed_by_what_they_belong_to(house: Any) -> None:
    client, other = (await house.client()).client_id, (await house.client()).client_id
    visit = await house.stub.RecordVisit(pb.RecordVisitRequest(client_id=client, store_id=house.store_id))
    of_visit = await attach(house, client, subject_id=visit.visit_id)
    house.clock.advance(timedelta(seconds=1))
    of_client = await attach(house, client)
    assert await listed(house, client) == [of_client.attachment_id, of_visit.attachment_id]
    assert await listed(house, client, subject_id=visit.visit_id) == [of_visit.attachment_id]
    first = await house.records.ListAttachments(rec.ListAttachmentsRequest(client_id=client, page_size=1))
    assert await listed(house, client, page_token=first.next_page_token) == [of_visit.attachment_id]
    for subject_id in ("vis_nobody", "cli_1", "x", other):
        with pytest.raises(ServiceError) as refused:
            await announce(house, client, subject_id=subject_id)
        assert refused.value.reason == "SUBJECT_NOT_FOUND"
    with pytest.raises(ServiceError) as somebody_elses:
        await announce(house, other, subject_id=visit.visit_id)
    assert somebody_elses.value.reason == "SUBJECT_NOT_FOUND"


async def test_a_photo_that_is_a_surprise_is_not_in_answers_about_the_one(house: Any) -> None:
    wife = (await house.client()).client_id
    filled = await attach(house, wife, surprise_for_client_id=wife, surprise_end_date=TODAY)
    assert await listed(house, wife) == []
    assert await listed(house, wife, include_surprises=True) == [filled.attachment_id]
    house.clock.advance(timedelta(days=1))
    house.act_as()
    assert await listed(house, wife) == [filled.attachment_id]


async def test_a_photo_of_a_surprise_is_one_too(house: Any) -> None:
    wife = (await house.client()).client_id
    repair = await house.records.CreateRepair(
        rec.CreateRepairRequest(
            client_id=wife,
            store_id=house.store_id,
            kind=rec.REPAIR_KIND_ENGRAVING,
            piece=pb.Piece(category="ring"),
            surprise_for_client_id=wife,
        )
    )
    filled = await attach(house, wife, subject_id=repair.repair_id)
    assert await listed(house, wife) == []
    assert await listed(house, wife, subject_id=repair.repair_id) == []
    assert await listed(house, wife, include_surprises=True) == [filled.attachment_id]
    assert filled.surprise_for_client_id == wife
    over = rec.UpdateRepairRequest(
        repair_id=repair.repair_id,
        repair=rec.Repair(),
        update_mask=FieldMask(paths=["surprise_for_client_id"]),
    )
    await house.records.UpdateRepair(over)
    assert await listed(house, wife) == [filled.attachment_id]
    over.repair.surprise_for_client_id = wife
    await house.records.UpdateRepair(over)
    assert await listed(house, wife) == []


async def test_an_attachment_is_announced_once_however_often_it_is_sent(house: Any) -> None:
    client = (await house.client()).client_id
    sent = await asyncio.gather(*(announce(house, client, request_id="phone-1") for _ in range(20)))
    assert len({one.attachment_id for one in sent}) == 1


async def test_an_upload_says_for_what_it_is_in_its_first_message(house: Any) -> None:
    async def nothing() -> AsyncIterator[Any]:
        for message in ():
            yield message

    for messages in (nothing(), messages_of("", JPEG)):
        with pytest.raises(ServiceError) as refused:
            await upload(house, messages)
        assert [one.field for one in refused.value.violations] == ["attachment_id"]


async def test_an_object_that_somebody_took_away_is_an_outage_and_no_empty_file(house: Any) -> None:
    filled = await attach(house, (await house.client()).client_id)
    files_of(house)[0].unlink()
    with pytest.raises(ServiceError) as refused:
        await download(house, filled.attachment_id)
    assert refused.value.reason == "OBJECT_STORE_UNAVAILABLE"


async def test_another_chains_attachment_is_not_there(house: Any, other_house: Any) -> None:
    house.act_as()
    client = (await house.client()).client_id
    filled = await attach(house, client)
    other_house.act_as()
    for attempt, reason in (
        (download(house, filled.attachment_id), "ATTACHMENT_NOT_FOUND"),
        (remove(house, filled.attachment_id), "ATTACHMENT_NOT_FOUND"),
        (upload(house, messages_of(filled.attachment_id, JPEG)), "ATTACHMENT_NOT_FOUND"),
        (announce(house, client), "CLIENT_NOT_FOUND"),
        (listed(house, client), "CLIENT_NOT_FOUND"),
    ):
        with pytest.raises(ServiceError) as refused:
            await attempt
        assert refused.value.reason == reason


async def test_who_saw_a_photo_is_written_down(house: Any, merged: Any, looks: Any) -> None:
    survivor = (await house.client()).client_id
    await merged(house, "cli_before", survivor)
    filled = await attach(house, "cli_before")
    assert filled.client_id == survivor
    assert await listed(house, "cli_before") == [filled.attachment_id]
    await download(house, filled.attachment_id)
    written = await looks(house, survivor)
    assert ("DownloadAttachmentContent", filled.attachment_id) in written
    assert "ListAttachments" in {action for action, _ in written}
