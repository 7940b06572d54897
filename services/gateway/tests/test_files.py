"""Uploads and downloads, derived: bytes pass through at the pace of who takes them, and faults are told or felt."""

from typing import Any

import httpx
import protovalidate
import pytest

from chassis.testing import eventually
from gateway.rest.contracts import operations
from gateway.rest.download import file_name
from gateway.rest.upload import CHUNK_BYTES

Gateway = Any  # what the fixture `api` is; see conftest.py

CHAIN = "chn_files"


def path_of(attachment_id: str) -> str:
    return f"/v1/attachments/{attachment_id}/content"


def test_every_upload_takes_the_pieces_that_are_sent() -> None:
    uploads = [one for one in operations() if one.is_upload]
    assert {one.method.name for one in uploads} >= {"UploadImportContent", "UploadAttachmentContent"}
    for one in uploads:
        piece = one.request(**{one.content_field: b"x" * CHUNK_BYTES})
        assert not protovalidate.Validator().collect_violations(piece)


def test_a_file_is_named_by_what_cannot_harm() -> None:
    assert file_name("att_01kk5t0q3v", "image/jpeg") == "att_01kk5t0q3v.jpg"
    assert file_name('a"; x=\r\nB: ../../c', "text/csv; charset=utf-8") == "a___x___B________c.csv"
    assert file_name("x" * 500, "application/x-unknown") == "x" * 100


async def test_an_upload_has_the_fields_of_its_path(api: Gateway) -> None:
    answer = await api.as_admin(CHAIN, "PUT", path_of("att_1"), content=b"x" * 700_000)
    assert answer.status_code == 200, answer.text
    assert (answer.json()["attachment_id"], answer.json()["byte_count"]) == ("att_1", "700000")


async def test_an_upload_has_the_fields_of_its_query_in_the_first_message_only(api: Gateway) -> None:
    api.profiles.calls.clear()
    answer = await api.as_admin(CHAIN, "PUT", "/v1/imports/imp_1/content?offset=42", content=b"x" * 300_000)
    assert answer.status_code == 200, answer.text
    assert [call.offset for call in api.profiles.calls] == [42, 0, 0]
    assert [len(call.content) for call in api.profiles.calls] == [0, CHUNK_BYTES, 300_000 - CHUNK_BYTES]


@pytest.mark.parametrize(
    ("query", "field"),
    [("import_id=imp_2", "import_id"), ("content=eA==", "content"), ("offset=x", "offset"), ("no=1", "no")],
)
async def test_a_query_that_an_upload_does_not_take_is_named(api: Gateway, query: str, field: str) -> None:
    answer = await api.as_admin(CHAIN, "PUT", f"/v1/imports/imp_1/content?{query}", content=b"x")
    assert answer.status_code == 400
    assert [violation["field"] for violation in answer.json()["violations"]] == [field]


async def test_an_empty_upload_is_an_upload(api: Gateway) -> None:
    answer = await api.as_admin(CHAIN, "PUT", path_of("att_1"))
    assert (answer.status_code, answer.json()["byte_count"]) == (200, "0")


async def test_an_upload_needs_credentials_and_its_scope(api: Gateway) -> None:
    assert (await api.http.put(path_of("att_1"), content=b"x")).status_code == 401
    key = await api.key(CHAIN, "ROLE_INTEGRATION", scopes=["clients:read"])
    refused = await api.as_token(key["secret"], "PUT", path_of("att_1"), content=b"x")
    assert (refused.status_code, refused.json()["reason"]) == (403, "SCOPE_MISSING")


async def test_a_download_is_the_bytes_with_their_type_to_be_saved_and_not_shown(api: Gateway) -> None:
    answer = await api.as_admin(CHAIN, "GET", path_of("att_1"))
    assert answer.status_code == 200
    assert answer.content == b"".join(bytes([number]) * 200_000 for number in range(3))
    assert answer.headers["content-type"] == "image/jpeg"
    assert answer.headers["content-disposition"] == 'attachment; filename="att_1.jpg"'
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert answer.headers["cache-control"] == "private, no-store"
    assert answer.headers["ratelimit-limit"]


async def test_whatever_type_a_file_claims_it_runs_nowhere(api: Gateway) -> None:
    answer = await api.as_admin(CHAIN, "GET", path_of("att_odd"))
    assert answer.headers["content-disposition"].startswith("attachment")
    assert answer.headers["content-security-policy"] == "sandbox; default-src 'none'"


async def test_a_download_of_nothing_is_empty(api: Gateway) -> None:
    answer = await api.as_admin(CHAIN, "GET", path_of("att_empty"))
    assert (answer.status_code, answer.content) == (200, b"")
    assert answer.headers["content-type"] == "application/octet-stream"


async def test_a_download_that_is_refused_is_a_problem(api: Gateway) -> None:
    answer = await api.as_admin(CHAIN, "GET", path_of("att_none"))
    assert (answer.status_code, answer.json()["reason"]) == (404, "ATTACHMENT_NOT_FOUND")
    assert answer.headers["content-type"] == "application/problem+json"


async def test_a_download_that_breaks_later_is_no_whole_file(api: Gateway) -> None:
    with pytest.raises(httpx.RemoteProtocolError):
        await api.as_admin(CHAIN, "GET", path_of("att_breaks"))


async def test_a_download_goes_no_faster_than_it_is_taken_and_ends_when_nobody_takes_it(api: Gateway) -> None:
    api.records.is_cancelled = False
    headers = {"Authorization": f"Bearer {await api.token_of_admin(CHAIN)}"}
    async with api.http.stream("GET", path_of("att_endless"), headers=headers) as answer:
        taken = aiter(answer.aiter_raw(200_000))
        for _ in range(5):
            await anext(taken)
        # 400 MB are on offer. What is on its way fills the buffers of sockets and of HTTP/2, and no more.
        assert api.records.sent < 300
    assert await eventually(lambda: api.records.is_cancelled)
    assert api.records.sent < 2000
