"""Objects: whole or not there, in a folder and in a bucket of a server that checks signatures as Amazon documents."""

import asyncio
import hashlib
import hmac
import os
import re
import stat
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import parse_qsl, quote

import pytest
import pytest_asyncio
from starlette.requests import Request
from starlette.responses import Response

from chassis.errors import ServiceError
from chassis.http import HttpServer
from chassis.objects import CHUNK_BYTES, FolderObjects, ObjectMissing, ObjectStore, S3Objects, object_key
from chassis.testing import free_port

BUCKET, KEY_ID, SECRET, REGION = (
    "maison-objects",
    "AKIDEXAMPLE",
    "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY",
    "eu-west-1",
)
KEY = "attachments/chn_one/obj_one"
LARGE = os.urandom(1024) * 1024 * 12  # three parts
UNKNOWN = "The signature does not match."


async def chunks_of(content: bytes, size: int = CHUNK_BYTES) -> AsyncIterator[bytes]:
    for start in range(0, len(content), size):
        yield content[start : start + size]


async def broken_after(content: bytes) -> AsyncIterator[bytes]:
    async for chunk in chunks_of(content):
        yield chunk
    raise ConnectionResetError("the sender is gone")


async def content_of(objects: ObjectStore, key: str = KEY) -> bytes:
    return b"".join([chunk async for chunk in await objects.get(key)])


def uri_encoded(text: str, *, keeps_slash: bool = False) -> str:
    return quote(text, safe="-_.~/" if keeps_slash else "-_.~")


def keyed(key: bytes, text: str) -> bytes:
    return hmac.new(key, text.encode(), hashlib.sha256).digest()


def signature_of(request: Request, body: bytes, secret: str) -> str:
    """Return the signature that a request must have: "Signature Calculations for the Authorization Header: Transferring
    Payload in a Single Chunk (AWS Signature Version 4)" in Amazon's reference of the S3 API."""
    said = re.fullmatch(
        r"AWS4-HMAC-SHA256 Credential=([^/]+)/(\d{8})/([^/]+)/s3/aws4_request,"
        r" ?SignedHeaders=([^,]+), ?Signature=\w{64}",
        request.headers["authorization"],
    )
    assert said, request.headers["authorization"]
    key_id, day, region, signed = said.groups()
    assert (key_id, region) == (KEY_ID, REGION)
    names = signed.split(";")
    assert {"host", "x-amz-content-sha256", "x-amz-date"} <= set(names)
    payload = request.headers["x-amz-content-sha256"]
    assert payload == hashlib.sha256(body).hexdigest(), "the payload is not the signed one"
    pairs = sorted(
        (uri_encoded(name), uri_encoded(value))
        for name, value in parse_qsl(request.url.query, keep_blank_values=True)
    )
    canonical = "\n".join(
        (
            request.method,
            uri_encoded(request.scope["path"], keeps_slash=True),
            "&".join(f"{name}={value}" for name, value in pairs),
            *(f"{name}:{request.headers[name].strip()}" for name in names),
            "",
            signed,
            payload,
        )
    )
    scope = f"{day}/{region}/s3/aws4_request"
    digest = hashlib.sha256(canonical.encode()).hexdigest()
    text = f"AWS4-HMAC-SHA256\n{request.headers['x-amz-date']}\n{scope}\n{digest}"
    key = keyed(keyed(keyed(keyed(b"AWS4" + secret.encode(), day), region), "s3"), "aws4_request")
    return keyed(key, text).hex()


@dataclass
class StandIn:
    """A server that keeps objects in memory and speaks as much of the S3 API as is spoken to it."""

    address: str
    objects: dict[str, bytes] = field(default_factory=dict)
    uploads: dict[str, dict[int, bytes]] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)
    is_away: bool = False

    async def __call__(self, scope, receive, send) -> None:  # type: ignore[no-untyped-def]
        if scope["type"] == "http":
            request = Request(scope, receive)
            await (await self.answer(request))(scope, receive, send)

    async def answer(self, request: Request) -> Response:
        body = await request.body()
        if self.is_away:
            return Response(status_code=503)
        if not request.headers.get("authorization", "").endswith(signature_of(request, body, SECRET)):
            return Response(self._error("SignatureDoesNotMatch", UNKNOWN), status_code=403)
        _, bucket, key = request.url.path.split("/", 2)
        assert bucket == BUCKET
        query = dict(parse_qsl(request.url.query, keep_blank_values=True))
        self.asked.append(f"{request.method} {' '.join(sorted(query))}".strip())
        if "uploads" in query:
            upload_id = f"upload-{len(self.asked)}"
            self.uploads[upload_id] = {}
            return self._xml("InitiateMultipartUploadResult", f"<UploadId>{upload_id}</UploadId>", key)
        if upload_id := query.get("uploadId", ""):
            return self._part(request, body, key, upload_id, int(query.get("partNumber", 0)))
        if request.method == "PUT":
            self.objects[key] = body
            return Response(headers={"ETag": f'"{hashlib.md5(body).hexdigest()}"'})
        if request.method == "DELETE":
            self.objects.pop(key, None)
            return Response(status_code=204)
        if key not in self.objects:
            return Response(self._error("NoSuchKey", "There is none."), status_code=404)
        return Response(
            self.objects[key],
            headers={"ETag": '"1"', "Last-Modified": "Tue, 10 Mar 2026 12:00:00 GMT"},
        )

    def _part(self, request: Request, body: bytes, key: str, upload_id: str, number: int) -> Response:
        if request.method == "DELETE":
            del self.uploads[upload_id]
            return Response(status_code=204)
        if request.method == "PUT":
            self.uploads[upload_id][number] = body
            return Response(headers={"ETag": f'"{number}"'})
        parts = self.uploads.pop(upload_id)
        assert all(len(part) >= 5 * 1024 * 1024 for number, part in parts.items() if number < max(parts))
        self.objects[key] = b"".join(part for _, part in sorted(parts.items()))
        return self._xml("CompleteMultipartUploadResult", '<ETag>"1"</ETag>', key)

    def _xml(self, name: str, inside: str, key: str) -> Response:
        text = f"<{name}><Bucket>{BUCKET}</Bucket><Key>{key}</Key>{inside}</{name}>"
        return Response(text, media_type="application/xml")

    def _error(self, code: str, message: str) -> str:
        return f"<Error><Code>{code}</Code><Message>{message}</Message></Error>"


@pytest_asyncio.fixture(loop_scope="session")
async def stand_in() -> AsyncIterator[StandIn]:
    """Run the server."""
    app = StandIn(f"127.0.0.1:{free_port()}")
    server = HttpServer("s3", app, app.address, drain_seconds=1)
    await server.start()
    yield app
    await server.stop()


def bucket_at(stand_in: StandIn, secret: str = SECRET) -> S3Objects:
    return S3Objects(
        bucket=BUCKET,
        endpoint=f"http://{stand_in.address}",
        region=REGION,
        access_key_id=KEY_ID,
        secret_access_key=secret,
    )


@pytest.fixture(params=["folder", "bucket"])
def objects(request: pytest.FixtureRequest, tmp_path: Path, stand_in: StandIn) -> ObjectStore:
    """Return a store of either kind."""
    return FolderObjects(tmp_path / "objects") if request.param == "folder" else bucket_at(stand_in)


def test_a_key_is_made_of_ids_of_this_service_only() -> None:
    assert object_key("attachments", "chn_one", "obj_one") == KEY
    for chain_id, object_id in (
        ("..", "x"),
        ("chn_one", "../x"),
        ("chn_one", ""),
        ("chn/one", "x"),
        ("c", "A"),
    ):
        with pytest.raises(ValueError, match="ids of this service"):
            object_key("attachments", chain_id, object_id)
    with pytest.raises(ValueError, match="ids of this service"):
        object_key("../etc", "chn_one", "passwd")


@pytest.mark.parametrize("content", [b"", b"small", LARGE], ids=["empty", "small", "large"])
async def test_what_is_put_is_there_until_it_is_deleted(objects: ObjectStore, content: bytes) -> None:
    await objects.put(KEY, chunks_of(content))
    assert await content_of(objects) == content
    await objects.delete(KEY)
    await objects.delete(KEY)
    with pytest.raises(ObjectMissing):
        await objects.get(KEY)


async def test_pieces_that_are_read_are_small(objects: ObjectStore) -> None:
    await objects.put(KEY, chunks_of(LARGE))
    sizes = [len(chunk) async for chunk in await objects.get(KEY)]
    assert max(sizes) <= CHUNK_BYTES


@pytest.mark.parametrize("content", [b"small", LARGE], ids=["small", "large"])
async def test_of_an_interrupted_put_nothing_is_left(
    objects: ObjectStore, content: bytes, tmp_path: Path, stand_in: StandIn
) -> None:
    with pytest.raises(ConnectionResetError):
        await objects.put(KEY, broken_after(content))
    with pytest.raises(ObjectMissing):
        await objects.get(KEY)
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == []
    assert (stand_in.objects, stand_in.uploads) == ({}, {})


async def test_a_key_that_nobody_made_reaches_no_store(objects: ObjectStore) -> None:
    for key in ("../../etc/passwd", "attachments/chn_one/../../x", "/etc/passwd", ""):
        with pytest.raises(ValueError, match="ids of this service"):
            await objects.get(key)
        with pytest.raises(ValueError, match="ids of this service"):
            await objects.put(key, chunks_of(b"x"))
        with pytest.raises(ValueError, match="ids of this service"):
            await objects.delete(key)


async def test_files_and_folders_are_this_users_only(tmp_path: Path) -> None:
    folder = tmp_path / "deep" / "objects"
    await FolderObjects(folder).put(KEY, chunks_of(b"x"))
    modes = {stat.S_IMODE(path.stat().st_mode) for path in (folder, *folder.rglob("*")) if path.is_dir()}
    assert modes == {0o700}
    assert stat.S_IMODE((folder / KEY).stat().st_mode) == 0o600


async def test_what_a_killed_process_left_goes_with_the_object(tmp_path: Path) -> None:
    objects = FolderObjects(tmp_path)
    await objects.put(KEY, chunks_of(b"x"))
    (tmp_path / f"{KEY}.0123.part").write_bytes(b"half")
    await objects.delete(KEY)
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == []


async def test_readers_see_the_old_or_the_new_object_and_never_a_part(tmp_path: Path) -> None:
    objects = FolderObjects(tmp_path)
    contents = [bytes([number]) * 600_000 for number in range(8)]
    await objects.put(KEY, chunks_of(contents[0]))

    async def write() -> None:
        for content in contents:
            await objects.put(KEY, chunks_of(content))

    async def read() -> None:
        for _ in contents:
            assert await content_of(objects) in contents

    await asyncio.gather(write(), read(), read())


async def test_a_folder_that_cannot_be_written_is_an_outage(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(ServiceError) as refused:
        await FolderObjects(tmp_path / "file").put(KEY, chunks_of(b"x"))
    assert refused.value.reason == "OBJECT_STORE_UNAVAILABLE"


async def test_a_small_object_is_one_request_and_a_large_one_comes_in_parts(stand_in: StandIn) -> None:
    objects = bucket_at(stand_in)
    await objects.put(KEY, chunks_of(b"small"))
    assert stand_in.asked == ["PUT"]
    stand_in.asked.clear()
    await objects.put(KEY, chunks_of(LARGE))
    assert stand_in.asked[0] == "POST uploads"
    assert stand_in.asked.count("PUT partNumber uploadId") == 3
    assert stand_in.asked[-1] == "POST uploadId"


async def test_another_secret_is_an_outage_that_tells_no_secret(
    stand_in: StandIn, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(ServiceError) as refused:
        await bucket_at(stand_in, secret="another").put(KEY, chunks_of(b"x"))
    assert refused.value.reason == "OBJECT_STORE_UNAVAILABLE"
    assert "Signature" not in capsys.readouterr().out


async def test_a_bucket_that_does_not_answer_is_an_outage(stand_in: StandIn) -> None:
    stand_in.is_away = True
    objects = bucket_at(stand_in)
    for attempt in (objects.put(KEY, chunks_of(b"x")), objects.get(KEY), objects.delete(KEY)):
        with pytest.raises(ServiceError) as refused:
            await attempt
        assert refused.value.reason == "OBJECT_STORE_UNAVAILABLE"
