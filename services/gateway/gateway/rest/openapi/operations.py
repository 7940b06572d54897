"""One entry for every operation of the contracts: parameters, body, answers."""

from google.protobuf.empty_pb2 import Empty

from gateway.rest.codec import DATE, Field, query_fields
from gateway.rest.contracts import Operation
from gateway.rest.examples import example_of, example_value
from gateway.rest.openapi.comments import comments
from gateway.rest.openapi.failures import CHANGING, COMMON, refusals
from gateway.rest.openapi.schemas import Json, Schemas, constrained, is_required, plain_schema

_FILE: Json = {"type": "string", "format": "binary"}


def derived_operation(operation: Operation, schemas: Schemas) -> Json:
    """Return the entry of an RPC; the schemas that it needs are added to `schemas`."""
    said = comments().get(operation.method.full_name, "")
    summary, _, rest = said.partition(". ")
    access = operation.access
    need = "Needs no credentials." if access.is_public else f"Needs the scope `{access.scope}`."
    result: Json = {
        "operationId": operation.method.name,
        "tags": [operation.service],
        "summary": summary.rstrip("."),
        "description": f"{rest} {need}".strip(),
        "x-carnet-rpc": operation.grpc_path,
    }
    if access.is_public:
        result["security"] = []
    else:
        result["x-carnet-scope"] = access.scope
    if parameters := _parameters(operation):
        result["parameters"] = parameters
    if operation.has_body:
        hidden = frozenset(operation.path_fields)
        result["requestBody"] = {
            "required": True,
            "content": {
                "application/json": {
                    "schema": schemas.request(operation.request.DESCRIPTOR, hidden),
                    "example": example_of(operation.request.DESCRIPTOR, without=hidden),
                }
            },
        }
        if operation.most_bytes:
            result["requestBody"]["description"] = f"At most {operation.most_bytes} bytes."
    elif operation.is_upload:
        content = {"application/octet-stream": {"schema": _FILE}}
        result["requestBody"] = {
            "required": True,
            "description": "The file itself, under any content type.",
            "content": content,
        }
    result["responses"] = _responses(operation, schemas)
    return result


def _parameters(operation: Operation) -> list[Json]:
    fields = operation.request.DESCRIPTOR.fields_by_name
    parameters = [_parameter(fields[name], "path") for name in operation.path_fields]
    if not operation.has_body:
        parameters += [
            _parameter(field, "query")
            for name, field in query_fields(operation.request.DESCRIPTOR).items()
            if name not in (*operation.path_fields, operation.content_field, "etag")
        ]
    if operation.is_change and not operation.is_upload and not operation.access.is_public:
        parameters.append({"$ref": "#/components/parameters/IdempotencyKey"})
    if "etag" in fields:
        parameters.append({"$ref": "#/components/parameters/IfMatch"})
    return parameters


def _parameter(field: Field, where: str) -> Json:
    schema = constrained(field, plain_schema(field))
    if field.message_type is not None and field.message_type.full_name == DATE:
        schema = {"type": "string", "format": "date"}
    parameter: Json = {
        "name": field.name,
        "in": where,
        "required": where == "path" or is_required(field),
        "schema": schema,
        "example": "2026-03-14" if schema.get("format") == "date" else example_value(field),
    }
    if text := comments().get(field.full_name):
        parameter["description"] = text
    if field.is_repeated:
        parameter |= {"style": "form", "explode": True}
    return parameter


def _responses(operation: Operation, schemas: Schemas) -> Json:
    statuses = [*COMMON, *(("409",) if operation.is_upload else CHANGING if operation.is_change else ())]
    if "etag" in operation.request.DESCRIPTOR.fields_by_name:
        statuses.append("412")
    if operation.response is Empty:
        good: Json = {"204": {"description": "Done."}}
    elif operation.is_download:
        disposition = {"schema": {"type": "string"}, "description": "attachment, with a name for the file."}
        good = {
            "200": {
                "description": "The file, with the content type that it has.",
                "headers": {"Content-Disposition": disposition},
                "content": {"*/*": {"schema": _FILE}},
            }
        }
    else:
        schema = schemas.response(operation.response.DESCRIPTOR)
        media = "text/event-stream" if operation.is_streaming else "application/json"
        said = (
            "Server-sent events: each `data` is one message as below; `event: end` when it is through."
            if operation.is_streaming
            else "Done."
        )
        content: Json = {"schema": schema, "example": example_of(operation.response.DESCRIPTOR)}
        good = {"200": {"description": said, "content": {media: content}}}
        if "etag" in operation.response.DESCRIPTOR.fields_by_name:
            good["200"]["headers"] = {"ETag": {"schema": {"type": "string"}, "description": "For If-Match."}}
    return good | refusals(sorted(statuses))


def header_parameters() -> Json:
    """Return the components of the headers that operations refer to."""
    return {
        "IdempotencyKey": {
            "name": "Idempotency-Key",
            "in": "header",
            "required": False,
            "schema": {"type": "string", "minLength": 1, "maxLength": 255},
            "description": "The same key with the same request gets the same answer for 24 hours.",
            "example": "6f1c2b1e-till-7-0042",
        },
        "IfMatch": {
            "name": "If-Match",
            "in": "header",
            "required": False,
            "schema": {"type": "string"},
            "description": "The ETag that was read, in quotes: refuses with 412 when it was changed since.",
            "example": '"7"',
        },
    }
