"""The OpenAPI document: whole, true to the contracts, with examples that the contracts take, and committed."""

import json
import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import protovalidate
import pytest
from google.protobuf import json_format
from google.protobuf.empty_pb2 import Empty

from gateway.rest.codec import parse_body, render
from gateway.rest.contracts import Operation, operations
from gateway.rest.openapi.document import openapi, openapi_json

GOLDEN = Path(__file__).parent / "golden" / "openapi.json"
PUBLIC_URL = "https://api.carnet.example"

DOCUMENT = openapi(PUBLIC_URL)
ROUTES = {"/v1/stream"}
_FILE = {"type": "string", "format": "binary"}
_VALIDATOR = protovalidate.Validator()


def said(operation: Operation) -> dict[str, Any]:
    return dict(DOCUMENT["paths"][operation.path][operation.http_method.lower()])


def references(node: Any) -> Iterator[str]:
    if isinstance(node, dict):
        if isinstance(reference := node.get("$ref"), str):
            yield reference
        for part in node.values():
            yield from references(part)
    elif isinstance(node, list):
        for part in node:
            yield from references(part)


def each_operation() -> Iterator[tuple[str, str, dict[str, Any]]]:
    for path, methods in DOCUMENT["paths"].items():
        for method, operation in methods.items():
            yield path, method, operation


def test_the_document_is_the_committed_one() -> None:
    fresh = openapi_json(PUBLIC_URL)
    if os.environ.get("CARNET_UPDATE_GOLDEN"):
        GOLDEN.parent.mkdir(exist_ok=True)
        GOLDEN.write_bytes(fresh)
    assert GOLDEN.read_bytes() == fresh, "the API changed: look at it, then run with CARNET_UPDATE_GOLDEN=1"


def test_every_operation_of_the_contracts_is_in_it_and_nothing_else() -> None:
    derived = {(operation.path, operation.http_method.lower()) for operation in operations()}
    shown = {(path, method) for path, method, _ in each_operation() if path not in ROUTES}
    assert shown == derived
    assert set(DOCUMENT["paths"]) >= ROUTES


def test_every_reference_leads_somewhere() -> None:
    for reference in set(references(DOCUMENT)):
        node: Any = DOCUMENT
        for part in reference.removeprefix("#/").split("/"):
            node = node[part]


def test_every_component_is_used() -> None:
    used = set(references(DOCUMENT))
    for kind in ("schemas", "responses", "parameters"):
        for name in DOCUMENT["components"][kind]:
            assert f"#/components/{kind}/{name}" in used, name


def test_operations_are_named_once_and_described() -> None:
    names = [operation["operationId"] for _, _, operation in each_operation()]
    assert len(names) == len(set(names))
    for _, _, operation in each_operation():
        assert operation["summary"], operation["operationId"]
        assert operation["tags"][0] in {tag["name"] for tag in DOCUMENT["tags"]}
        assert any(status.startswith("2") for status in operation["responses"])


def test_paths_and_their_parameters_agree() -> None:
    for path, _, operation in each_operation():
        declared = {one["name"] for one in operation.get("parameters", ()) if one.get("in") == "path"}
        assert declared == set(re.findall(r"{(\w+)}", path))


def test_only_public_operations_need_no_credentials() -> None:
    assert [op["operationId"] for _, _, op in each_operation() if op.get("security") == []] == [
        "CreateSession"
    ]


def test_component_names_are_what_openapi_allows() -> None:
    for name in DOCUMENT["components"]["schemas"]:
        assert re.fullmatch(r"[A-Za-z0-9._-]+", name)


@pytest.mark.parametrize("operation", operations(), ids=lambda operation: operation.method.name)
def test_every_example_of_a_request_is_one_that_the_contract_takes(operation: Operation) -> None:
    message = operation.request()
    document = said(operation)
    for parameter in document.get("parameters", ()):
        if parameter.get("in") in ("path", "query"):
            assert parameter["example"] is not None
    if operation.has_body:
        example = document["requestBody"]["content"]["application/json"]["example"]
        parse_body(example, message)
        for name in operation.path_fields:
            setattr(message, name, "id_1")
        if operation.has_request_id:
            message.request_id = "req_1"  # type: ignore[attr-defined]
        assert not _VALIDATOR.collect_violations(message)


@pytest.mark.parametrize("operation", operations(), ids=lambda operation: operation.method.name)
def test_every_example_of_an_answer_is_what_would_be_answered(operation: Operation) -> None:
    if operation.response is Empty:
        assert "204" in said(operation)["responses"]
        return
    if operation.is_download:
        assert said(operation)["responses"]["200"]["content"] == {"*/*": {"schema": _FILE}}
        return
    content = said(operation)["responses"]["200"]["content"]
    example = next(iter(content.values()))["example"]
    parsed = json_format.ParseDict(example, operation.response())
    assert json.loads(json.dumps(render(parsed))).keys() == example.keys()


async def test_the_document_and_the_page_are_served_without_other_hosts(api: Any) -> None:
    answer = await api.http.get("/openapi.json")
    assert answer.json()["servers"] == [{"url": "http://127.0.0.1"}]
    page = await api.http.get("/docs")
    assert "connect-src 'self'" in page.headers["content-security-policy"]
    assert not re.search(r"https?://|//[a-z]+\.", page.text)


async def test_a_reason_can_be_looked_up(api: Any) -> None:
    assert "AcceptOffer" not in (await api.http.get("/problems/NOTHING")).text
    assert "/v1/offers/{offer_id}:accept" in (await api.http.get("/problems/OFFER_EXPIRED")).text
