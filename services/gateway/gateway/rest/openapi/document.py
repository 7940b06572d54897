"""The frame of the document, and what stands in it for all operations."""

import orjson

from gateway.rest.contracts import operations
from gateway.rest.openapi.by_hand import stream_operation
from gateway.rest.openapi.comments import comments
from gateway.rest.openapi.failures import problem_schema, shared_responses
from gateway.rest.openapi.operations import derived_operation, header_parameters
from gateway.rest.openapi.schemas import Json, Schemas
from gateway.rest.transcoding import MOST_BYTES

_PROSE = f"""\
Everything here is derived from Carnet's contracts. JSON has the names of the contracts (snake_case); empty lists and
default values are printed; 64-bit integers are strings; times are RFC 3339; a day in a query is YYYY-MM-DD.

Send `Authorization: Bearer <session token or API key>`. Every failure is a problem document (RFC 9457) whose `reason`
is part of the contract. Changes take an `Idempotency-Key`: for 24 hours a repeat gets the first answer again, with the
header `Idempotency-Replayed: true`. Limits are told in `RateLimit-*` headers; 429 and 503 say in `Retry-After` when to
come again. Bodies have at most {MOST_BYTES} bytes, except uploads and where an operation says otherwise.
"""
_DESCRIPTION = "\n\n".join(" ".join(paragraph.split()) for paragraph in _PROSE.split("\n\n"))


def openapi_json(public_url: str) -> bytes:
    """Return the document as JSON, in a stable order."""
    return orjson.dumps(openapi(public_url), option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE)


def openapi(public_url: str) -> Json:
    """Return the document."""
    schemas = Schemas()
    paths: dict[str, Json] = {}
    for operation in operations():
        paths.setdefault(operation.path, {})[operation.http_method.lower()] = derived_operation(
            operation, schemas
        )
    paths["/v1/stream"] = {"get": stream_operation()}
    services = sorted({operation.service for operation in operations()})
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Carnet",
            "version": "1",
            "description": _DESCRIPTION,
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "servers": [{"url": public_url}],
        "security": [{"bearer": []}],
        "tags": [{"name": name, "description": _file_comment(name)} for name in services],
        "paths": dict(sorted(paths.items())),
        "components": {
            "securitySchemes": {
                "bearer": {
                    "type": "http",
                    "scheme": "bearer",
                    "description": "A session token (cns_...) or an API key (cnk_...). Never in the address.",
                }
            },
            "parameters": header_parameters(),
            "responses": shared_responses(),
            "schemas": {"Problem": problem_schema(), **dict(sorted(schemas.made.items()))},
        },
    }


def _file_comment(service: str) -> str:
    for operation in operations():
        if operation.service == service:
            return comments().get(operation.method.containing_service.full_name, "")
    return ""
