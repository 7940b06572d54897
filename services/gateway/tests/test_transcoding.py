"""REST, derived: what is sent arrives as the contract's message, what is wrong is named, what fails is a problem."""

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any

import pytest

from chassis.errors import Kind, ServiceError
from chassis.testing import eventually

Gateway = Any  # what the fixture `api` is; see conftest.py

CHAIN = "chn_transcoding"


@pytest.fixture(autouse=True)
def nothing_is_refused(api: Gateway) -> None:
    api.profiles.refusal = None
    api.profiles.hold = None


async def test_a_body_becomes_the_request_and_the_answer_its_json(api: Gateway) -> None:
    answer = await api.as_admin(
        CHAIN,
        "POST",
        "/v1/clients",
        json={
            "given_name": "Ana",
            "home_store_id": "str_1",
            "occasions": [{"kind": "OCCASION_KIND_BIRTHDAY", "date": {"year": 0, "month": 3, "day": 14}}],
        },
    )
    assert answer.status_code == 200, answer.text
    body = answer.json()
    assert body["given_name"] == "Ana"
    assert body["family_name"] == ""
    assert body["contact_points"] == []
    assert body["occasions"][0]["kind"] == "OCCASION_KIND_BIRTHDAY"
    assert answer.headers["x-correlation-id"].startswith("cor_")
    assert answer.headers["ratelimit-limit"] == "10000"
    assert api.profiles.calls[-1].occasions[0].date.month == 3


async def test_path_parameters_and_custom_verbs_become_fields(api: Gateway) -> None:
    answer = await api.as_admin(CHAIN, "POST", "/v1/clients/cli_9:assign", json={"associate_id": "aso_1"})
    assert answer.json()["client_id"] == "cli_9"
    assert answer.json()["associate_id"] == "aso_1"


async def test_an_empty_body_is_an_empty_request(api: Gateway) -> None:
    assert (
        await api.as_admin(CHAIN, "POST", "/v1/clients/cli_9:assign")
    ).status_code == 400  # the service's rule


async def test_query_parameters_become_fields(api: Gateway) -> None:
    answer = await api.as_admin(
        CHAIN,
        "GET",
        "/v1/clients/cli_9/timeline?kinds=TIMELINE_KIND_VISIT&kinds=TIMELINE_KIND_MESSAGE&page_size=7",
    )
    assert answer.status_code == 200, answer.text
    asked = api.profiles.calls[-1]
    assert (asked.client_id, list(asked.kinds), asked.page_size) == ("cli_9", [3, 5], 7)
    assert answer.json() == {"entries": [], "next_page_token": ""}


async def test_a_list_in_a_query_is_given_by_repeating_it(api: Gateway) -> None:
    answer = await api.as_admin(CHAIN, "GET", "/v1/clients:batch_get?client_ids=a&client_ids=b")
    assert [client["client_id"] for client in answer.json()["clients"]] == ["a", "b"]


async def test_an_empty_answer_is_204(api: Gateway) -> None:
    answer = await api.as_admin(CHAIN, "DELETE", "/v1/clients/cli_1")
    assert (answer.status_code, answer.content) == (204, b"")


@pytest.mark.parametrize(
    ("body", "field", "said"),
    [
        ({"surname": "Example"}, "surname", "is not a field"),
        ({"givenName": "Ana"}, "givenName", "is not a field"),
        ({"given_name": 7}, "given_name", "must be a string"),
        ({"contact_points": {}}, "contact_points", "must be a list"),
        (
            {"contact_points": [{"kind": "PHONE"}]},
            "contact_points[0].kind",
            "must be one of CONTACT_KIND_PHONE",
        ),
        ({"contact_points": [{"is_preferred": "yes"}]}, "contact_points[0].is_preferred", "true or false"),
        ({"contact_points": [{"verify_time": "noon"}]}, "contact_points[0].verify_time", "must be a time"),
        ({"occasions": [{"date": "2026-03-14"}]}, "occasions[0].date", "must be an object"),
        ({"occasions": [{"date": {"year": 2.5}}]}, "occasions[0].date.year", "whole number"),
        ({"occasions": [{"date": {"month": 3_000_000_000}}]}, "occasions[0].date.month", "must be between"),
        ([], "", "must be an object"),
    ],
)
async def test_a_wrong_field_is_named(api: Gateway, body: Any, field: str, said: str) -> None:
    answer = await api.as_admin(CHAIN, "POST", "/v1/clients", json=body)
    assert answer.status_code == 400
    assert answer.headers["content-type"] == "application/problem+json"
    problem = answer.json()
    assert problem["reason"] == "FIELD_INVALID"
    assert problem["violations"][0]["field"] == field
    assert said in problem["violations"][0]["description"]
    assert problem["correlation_id"] == answer.headers["x-correlation-id"]


async def test_all_wrong_fields_are_named_at_once(api: Gateway) -> None:
    answer = await api.as_admin(CHAIN, "POST", "/v1/clients", json={"a": 1, "given_name": 2, "language": []})
    assert [v["field"] for v in answer.json()["violations"]] == ["a", "given_name", "language"]


async def test_what_the_contract_itself_refuses_is_named_the_same_way(api: Gateway) -> None:
    answer = await api.as_admin(CHAIN, "POST", "/v1/clients", json={"given_name": "x" * 121})
    fields = {v["field"] for v in answer.json()["violations"]}
    assert (answer.status_code, fields) == (400, {"given_name", "home_store_id"})


@pytest.mark.parametrize(
    ("query", "field", "said"),
    [
        ("sort=name", "sort", "is not a parameter"),
        ("client_id=cli_2", "client_id", "is not a parameter"),
        ("page_size=many", "page_size", "whole number"),
        ("page_size=%C2%B2", "page_size", "whole number"),
        ("page_size=1&page_size=2", "page_size", "more than once"),
        ("kinds=VISIT", "kinds", "must be one of"),
    ],
)
async def test_a_wrong_query_parameter_is_named(api: Gateway, query: str, field: str, said: str) -> None:
    answer = await api.as_admin(CHAIN, "GET", f"/v1/clients/cli_1/timeline?{query}")
    assert answer.status_code == 400
    assert answer.json()["violations"][0]["field"] == field
    assert said in answer.json()["violations"][0]["description"]


async def test_a_path_and_a_body_that_disagree_are_refused(api: Gateway) -> None:
    answer = await api.as_admin(CHAIN, "POST", "/v1/clients/cli_9:assign", json={"client_id": "cli_8"})
    assert answer.json()["violations"] == [
        {"field": "client_id", "description": "is not the one in the path"}
    ]


async def test_bad_json_is_answered_with_line_and_column(api: Gateway) -> None:
    answer = await api.as_admin(
        CHAIN,
        "POST",
        "/v1/clients",
        content=b'{"given_name": "Ana",\n "language": }',
        headers={"Content-Type": "application/json"},
    )
    problem = answer.json()
    assert (answer.status_code, problem["reason"]) == (400, "BODY_NOT_JSON")
    assert problem["metadata"]["line"] == "2"
    assert "line 2, column" in problem["detail"]


async def test_another_content_type_is_refused(api: Gateway) -> None:
    answer = await api.as_admin(CHAIN, "POST", "/v1/clients", data={"given_name": "Ana"})
    assert (answer.status_code, answer.json()["reason"]) == (415, "CONTENT_TYPE_UNSUPPORTED")


@pytest.mark.parametrize("is_declared", [True, False])
async def test_a_body_over_the_limit_is_refused(api: Gateway, is_declared: bool) -> None:
    async def chunks() -> AsyncIterator[bytes]:
        for _ in range(20):
            yield b" " * 65536

    answer = await api.as_admin(
        CHAIN,
        "POST",
        "/v1/clients",
        content=b" " * (1024 * 1024 + 1) if is_declared else chunks(),
        headers={"Content-Type": "application/json"},
    )
    assert (answer.status_code, answer.json()["reason"]) == (413, "BODY_TOO_LARGE")


async def test_an_operation_that_says_so_takes_larger_bodies(api: Gateway) -> None:
    async def post(spaces: int) -> Any:
        return await api.as_admin(
            CHAIN,
            "POST",
            "/v1/bulk_sends",
            content=b" " * spaces + b'{"nothing": 1}',
            headers={"Content-Type": "application/json"},
        )

    read = await post(2 * 1024 * 1024)
    assert (read.status_code, read.json()["reason"]) == (400, "FIELD_INVALID")
    refused = await post(16 * 1024 * 1024)
    assert (refused.status_code, refused.json()["reason"]) == (413, "BODY_TOO_LARGE")
    assert refused.json()["metadata"]["most"] == str(16 * 1024 * 1024)


@pytest.mark.parametrize(
    ("method", "path", "status", "reason"),
    [
        ("GET", "/v1/nothing", 404, "ROUTE_NOT_FOUND"),
        ("GET", "/v1/clients/", 404, "ROUTE_NOT_FOUND"),
        ("POST", "/v1/offers/off_1:forget", 404, "ROUTE_NOT_FOUND"),
        ("POST", "/v1/offers/off_1:", 404, "ROUTE_NOT_FOUND"),
        ("PUT", "/v1/clients", 405, "METHOD_NOT_ALLOWED"),
    ],
)
async def test_an_unknown_route_or_method_is_a_problem(
    api: Gateway, method: str, path: str, status: int, reason: str
) -> None:
    answer = await api.http.request(method, path)
    assert (answer.status_code, answer.json()["reason"]) == (status, reason)
    if status == 405:
        assert answer.headers["allow"] == "GET, POST"


@pytest.mark.parametrize(
    ("kind", "status"),
    [
        (Kind.NOT_FOUND, 404),
        (Kind.INVALID, 400),
        (Kind.ALREADY_EXISTS, 409),
        (Kind.PRECONDITION, 409),
        (Kind.CONFLICT, 409),
        (Kind.FORBIDDEN, 403),
        (Kind.EXHAUSTED, 429),
    ],
)
async def test_a_services_refusal_keeps_its_reason_and_gets_its_status(
    api: Gateway, kind: Kind, status: int
) -> None:
    api.profiles.refusal = ServiceError(kind, "SOME_REASON", "Because.", metadata={"client_id": "cli_1"})
    answer = await api.as_admin(CHAIN, "GET", "/v1/clients/cli_1")
    problem = answer.json()
    assert answer.status_code == problem["status"] == status
    assert problem["type"] == "/problems/SOME_REASON"
    assert problem["title"] == "Some reason"
    assert problem["detail"] == "Because."
    assert problem["metadata"] == {"client_id": "cli_1"}


async def test_a_fault_inside_a_service_says_nothing_but_where_to_look(api: Gateway) -> None:
    api.profiles.refusal = RuntimeError("secret detail")
    answer = await api.as_admin(CHAIN, "GET", "/v1/clients/cli_1")
    assert (answer.status_code, answer.json()["reason"]) == (500, "INTERNAL")
    assert "secret" not in answer.text


async def test_an_outage_says_when_to_come_again(api: Gateway) -> None:
    api.profiles.refusal = ServiceError(Kind.UNAVAILABLE, "DATABASE_UNAVAILABLE", "Away.", retry_after=2.4)
    answer = await api.as_admin(CHAIN, "GET", "/v1/clients/cli_1")
    assert (answer.status_code, answer.headers["retry-after"]) == (503, "3")


async def test_a_service_that_is_not_there_is_503_with_retry_after(api: Gateway) -> None:
    answer = await api.as_admin(CHAIN, "GET", "/v1/offers")
    assert (answer.status_code, answer.json()["reason"]) == (503, "SERVICE_UNAVAILABLE")
    assert int(answer.headers["retry-after"]) >= 1


async def test_an_etag_goes_out_and_comes_back(api: Gateway) -> None:
    read = await api.as_admin(CHAIN, "GET", "/v1/clients/cli_1")
    assert read.headers["etag"] == '"7"'
    change = {"client": {"language": "es"}, "update_mask": "language,home_store_id"}
    good = await api.as_admin(
        CHAIN, "PATCH", "/v1/clients/cli_1", json=change, headers={"If-Match": read.headers["etag"]}
    )
    assert good.headers["etag"] == '"8"'
    assert list(api.profiles.calls[-1].update_mask.paths) == ["language", "home_store_id"]
    stale = await api.as_admin(CHAIN, "PATCH", "/v1/clients/cli_1", json=change, headers={"If-Match": '"6"'})
    assert (stale.status_code, stale.json()["reason"]) == (412, "CLIENT_CHANGED")


@pytest.mark.parametrize("value", ["7", 'W/"7"', '""'])
async def test_an_if_match_that_is_no_etag_is_refused(api: Gateway, value: str) -> None:
    answer = await api.as_admin(
        CHAIN, "PATCH", "/v1/clients/cli_1", json={"client": {}}, headers={"If-Match": value}
    )
    assert (answer.status_code, answer.json()["reason"]) == (400, "HEADER_INVALID")


async def test_an_if_match_that_nobody_would_check_is_refused(api: Gateway) -> None:
    answer = await api.as_admin(CHAIN, "DELETE", "/v1/clients/cli_1", headers={"If-Match": '"7"'})
    assert answer.json()["reason"] == "HEADER_INVALID"


async def test_a_correlation_id_is_taken_over_and_a_strange_one_is_not(api: Gateway) -> None:
    taken = await api.http.get("/healthz", headers={"X-Correlation-Id": "till-7-0042"})
    assert taken.headers["x-correlation-id"] == "till-7-0042"
    strange = await api.http.get("/healthz", headers={"X-Correlation-Id": "a b;c{d}"})
    assert strange.headers["x-correlation-id"].startswith("cor_")


async def test_a_streaming_rpc_becomes_server_sent_events(api: Gateway) -> None:
    answer = await api.as_admin(CHAIN, "GET", "/v1/imports/imp_1:watch")
    assert answer.headers["content-type"].startswith("text/event-stream")
    events = [block.splitlines() for block in answer.text.strip().split("\n\n")]
    assert [json.loads(block[-1].removeprefix("data: ")).get("lines_read") for block in events] == [
        "10",
        "20",
        "30",
        None,
    ]
    assert events[-1][0] == "event: end"


async def test_a_stream_that_is_refused_is_a_problem_and_one_that_breaks_ends_with_one(api: Gateway) -> None:
    refused = await api.as_admin(CHAIN, "GET", "/v1/imports/imp_none:watch")
    assert (refused.status_code, refused.json()["reason"]) == (404, "IMPORT_NOT_FOUND")
    broken = await api.as_admin(CHAIN, "GET", "/v1/imports/imp_breaks:watch")
    kind, data = broken.text.strip().split("\n\n")[-1].splitlines()
    assert kind == "event: problem"
    assert json.loads(data.removeprefix("data: "))["reason"] == "DATABASE_UNAVAILABLE"


async def test_an_upload_is_passed_on_in_chunks(api: Gateway) -> None:
    api.profiles.uploaded.clear()
    size, part = 3_000_000, 70_001

    async def content() -> AsyncIterator[bytes]:
        for start in range(0, size, part):
            yield b"x" * min(part, size - start)

    answer = await api.as_admin(CHAIN, "PUT", "/v1/imports/imp_1/content", content=content())
    assert answer.status_code == 200, answer.text
    assert answer.json()["bytes_received"] == str(size)
    assert max(api.profiles.uploaded) == 256 * 1024
    assert len(api.profiles.uploaded) <= 2 + size // (256 * 1024)


async def test_an_upload_that_is_refused_early_is_a_problem(api: Gateway) -> None:
    answer = await api.as_admin(CHAIN, "PUT", "/v1/imports/imp_none/content", content=b"x" * 100)
    assert (answer.status_code, answer.json()["reason"]) == (404, "IMPORT_NOT_FOUND")


async def test_the_same_key_gets_the_same_answer_and_works_once(api: Gateway) -> None:
    async def create() -> Any:
        return await api.as_admin(
            CHAIN,
            "POST",
            "/v1/clients",
            json={"given_name": "Once", "home_store_id": "str_1"},
            headers={"Idempotency-Key": "once"},
        )

    before = len(api.profiles.calls)
    first, again = await create(), await create()
    assert len(api.profiles.calls) == before + 1
    assert again.content == first.content
    assert again.headers["idempotency-replayed"] == "true"
    assert again.headers["etag"] == first.headers["etag"]
    assert "idempotency-replayed" not in first.headers
    assert api.profiles.calls[-1].request_id.startswith("idk_")


async def test_a_key_with_another_body_or_operation_is_refused(api: Gateway) -> None:
    headers = {"Idempotency-Key": "reused"}
    body = {"given_name": "A", "home_store_id": "str_1"}
    await api.as_admin(CHAIN, "POST", "/v1/clients", json=body, headers=headers)
    for method, path, other in (
        ("POST", "/v1/clients", {**body, "given_name": "B"}),
        ("POST", "/v1/clients/cli_1:assign", {"associate_id": "aso_1"}),
    ):
        answer = await api.as_admin(CHAIN, method, path, json=other, headers=headers)
        assert (answer.status_code, answer.json()["reason"]) == (422, "IDEMPOTENCY_KEY_REUSED")


async def test_the_order_of_fields_does_not_make_it_another_request(api: Gateway) -> None:
    headers = {"Idempotency-Key": "order"}
    await api.as_admin(
        CHAIN, "POST", "/v1/clients", json={"given_name": "A", "home_store_id": "s"}, headers=headers
    )
    again = await api.as_admin(
        CHAIN, "POST", "/v1/clients", json={"home_store_id": "s", "given_name": "A"}, headers=headers
    )
    assert again.headers["idempotency-replayed"] == "true"


async def test_a_key_belongs_to_whoever_made_it_up(api: Gateway) -> None:
    headers = {"Idempotency-Key": "mine"}
    body = {"given_name": "A", "home_store_id": "str_1"}
    await api.as_admin(CHAIN, "POST", "/v1/clients", json=body, headers=headers)
    first = api.profiles.calls[-1].request_id
    other = await api.as_admin("chn_other", "POST", "/v1/clients", json=body, headers=headers)
    assert "idempotency-replayed" not in other.headers
    assert api.profiles.calls[-1].request_id != first


async def test_of_twenty_requests_with_one_key_at_once_one_is_worked_on(api: Gateway) -> None:
    release = asyncio.Event()
    api.profiles.hold = release.wait
    before = len(api.profiles.calls)

    async def create() -> Any:
        return await api.as_admin(
            CHAIN,
            "POST",
            "/v1/clients",
            json={"home_store_id": "str_1"},
            headers={"Idempotency-Key": "race"},
        )

    tasks = [asyncio.create_task(create()) for _ in range(20)]
    await eventually(lambda: sum(task.done() for task in tasks) == 19)
    release.set()
    answers = await asyncio.gather(*tasks)
    assert sorted(answer.status_code for answer in answers) == [200] + [409] * 19
    refused = next(answer for answer in answers if answer.status_code == 409)
    assert refused.json()["reason"] == "REQUEST_IN_PROGRESS"
    assert refused.headers["retry-after"] == "1"
    assert len(api.profiles.calls) == before + 1


async def test_an_outage_is_no_final_answer(api: Gateway) -> None:
    async def create() -> Any:
        return await api.as_admin(
            CHAIN, "POST", "/v1/clients", json={"home_store_id": "s"}, headers={"Idempotency-Key": "later"}
        )

    api.profiles.refusal = ServiceError(Kind.UNAVAILABLE, "DATABASE_UNAVAILABLE", "Away.", retry_after=1)
    assert (await create()).status_code == 503
    api.profiles.refusal = None
    again = await create()
    assert again.status_code == 200
    assert "idempotency-replayed" not in again.headers


async def test_a_refusal_by_rule_is_a_final_answer(api: Gateway) -> None:
    async def assign() -> Any:
        return await api.as_admin(
            CHAIN,
            "POST",
            "/v1/clients/cli_1:assign",
            json={"associate_id": "a"},
            headers={"Idempotency-Key": "no"},
        )

    api.profiles.refusal = ServiceError(Kind.PRECONDITION, "NOT_NOW", "No.")
    first = await assign()
    api.profiles.refusal = None
    again = await assign()
    assert (first.status_code, again.status_code) == (409, 409)
    assert again.headers["content-type"] == "application/problem+json"
    assert again.headers["idempotency-replayed"] == "true"


@pytest.mark.parametrize("key", ["", "x" * 256, "caf\u00e9".encode()])
async def test_a_key_that_cannot_be_one_is_refused(api: Gateway, key: Any) -> None:
    answer = await api.as_admin(
        CHAIN, "POST", "/v1/clients", json={"home_store_id": "s"}, headers={"Idempotency-Key": key}
    )
    assert (answer.status_code, answer.json()["reason"]) == (400, "HEADER_INVALID")


async def test_what_is_kept_in_valkey_cannot_be_read_there(api: Gateway, servers: Any) -> None:
    from redis.asyncio import Redis

    await api.as_admin(
        CHAIN,
        "POST",
        "/v1/clients",
        json={"given_name": "Confidential", "home_store_id": "s"},
        headers={"Idempotency-Key": "encrypted"},
    )
    client = Redis.from_url(servers.valkey_url)
    kept = [await client.get(key) async for key in client.scan_iter("carnet:answer:*")]
    await client.aclose()
    assert kept
    assert not any(b"Confidential" in value for value in kept)
