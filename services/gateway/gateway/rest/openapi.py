"""The OpenAPI 3.1 document, from the descriptors with their comments. Only its frame is written by hand."""

from collections.abc import Mapping
from functools import cache
from importlib import resources
from typing import Any

import orjson
from buf.validate import validate_pb2
from carnet.profiles.v1 import profiles_pb2
from google.protobuf import descriptor_pb2
from google.protobuf.descriptor import FieldDescriptor
from google.protobuf.empty_pb2 import Empty

from gateway.feeds.domain import SCOPE_OF_PRODUCER
from gateway.rest import upload
from gateway.rest.codec import DATE, Field, query_fields
from gateway.rest.contracts import Operation, operations
from gateway.rest.examples import example_of, example_value
from gateway.rest.problems import MEDIA_TYPE
from gateway.rest.transcoding import MOST_BYTES

Json = dict[str, Any]

_PROSE = f"""\
Everything here is derived from Carnet's contracts. JSON has the names of the contracts (snake_case); empty lists and
default values are printed; 64-bit integers are strings; times are RFC 3339; a day in a query is YYYY-MM-DD.

Send `Authorization: Bearer <session token or API key>`. Every failure is a problem document (RFC 9457) whose `reason`
is part of the contract. Changes take an `Idempotency-Key`: for 24 hours a repeat gets the first answer again, with the
header `Idempotency-Replayed: true`. Limits are told in `RateLimit-*` headers; 429 and 503 say in `Retry-After` when to
come again. Bodies have at most {MOST_BYTES} bytes, except uploads.
"""
_DESCRIPTION = "\n\n".join(" ".join(paragraph.split()) for paragraph in _PROSE.split("\n\n"))

_SIMPLE: Mapping[str, Json] = {
    "google.protobuf.Timestamp": {"type": "string", "format": "date-time"},
    "google.protobuf.FieldMask": {"type": "string", "description": "Field names, separated by commas."},
    "google.protobuf.Struct": {"type": "object"},
}
_PROBLEM_STATUSES = {
    "400": "A field or header is wrong; all wrong fields are named.",
    "401": "The token is missing, unknown, revoked or expired.",
    "403": "The caller lacks the scope, or the store is not the caller's.",
    "404": "There is no such thing, or it is another chain's.",
    "409": "The present state of things does not allow it; see the reason.",
    "412": "It was changed since the etag was read.",
    "413": "The body is too large.",
    "415": "The body is not JSON.",
    "422": "The Idempotency-Key was used for a different request.",
    "429": "Too many requests.",
    "503": "A part of the platform does not answer; nothing was changed.",
}
_COMMON = ("400", "401", "403", "404", "429", "503")
_CHANGING = ("409", "413", "415", "422")


@cache
def comments() -> Mapping[str, str]:
    """Return the leading comment of every service, method, message, field, enum and value, by full name."""
    data = resources.files("carnet").joinpath("descriptors.binpb").read_bytes()
    found: dict[str, str] = {}
    for file in descriptor_pb2.FileDescriptorSet.FromString(data).file:
        if not file.package.startswith("carnet."):
            continue
        for location in file.source_code_info.location:
            if text := location.leading_comments.strip():
                name = _name_at(file, tuple(location.path))
                found[f"{file.package}.{name}"] = " ".join(text.split())
    return found


def _name_at(file: descriptor_pb2.FileDescriptorProto, path: tuple[int, ...]) -> str:
    names, node = list[str](), file
    for number, index in zip(path[::2], path[1::2], strict=False):
        node = getattr(node, node.DESCRIPTOR.fields_by_number[number].name)[index]
        names.append(node.name)
    return ".".join(names)


def openapi_json(public_url: str) -> bytes:
    """Return the document as JSON, in a stable order."""
    return orjson.dumps(openapi(public_url), option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE)


def openapi(public_url: str) -> Json:
    """Return the document."""
    schemas = _Schemas()
    paths: dict[str, Json] = {}
    for operation in operations():
        paths.setdefault(operation.path, {})[operation.http_method.lower()] = _operation(operation, schemas)
    paths.setdefault(upload.PATH, {})["put"] = _upload(schemas)
    paths["/v1/stream"] = {"get": _live_stream()}
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
            "parameters": _header_parameters(),
            "responses": {
                f"Problem{status}": {
                    "description": description,
                    "content": {MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}}},
                }
                for status, description in _PROBLEM_STATUSES.items()
            },
            "schemas": {"Problem": _problem_schema(), **dict(sorted(schemas.made.items()))},
        },
    }


def _file_comment(service: str) -> str:
    for operation in operations():
        if operation.service == service:
            return comments().get(operation.method.containing_service.full_name, "")
    return ""


def _operation(operation: Operation, schemas: "_Schemas") -> Json:
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
    result["responses"] = _responses(operation, schemas)
    return result


def _parameters(operation: Operation) -> list[Json]:
    fields = operation.request.DESCRIPTOR.fields_by_name
    parameters = [_parameter(fields[name], "path") for name in operation.path_fields]
    if not operation.has_body:
        parameters += [
            _parameter(field, "query")
            for name, field in query_fields(operation.request.DESCRIPTOR).items()
            if name not in operation.path_fields and name != "etag"
        ]
    if operation.is_change and not operation.access.is_public:
        parameters.append({"$ref": "#/components/parameters/IdempotencyKey"})
    if "etag" in fields:
        parameters.append({"$ref": "#/components/parameters/IfMatch"})
    return parameters


def _parameter(field: Field, where: str) -> Json:
    schema = _constrained(field, _plain_schema(field))
    if field.message_type is not None and field.message_type.full_name == DATE:
        schema = {"type": "string", "format": "date"}
    parameter: Json = {
        "name": field.name,
        "in": where,
        "required": where == "path" or _is_required(field),
        "schema": schema,
        "example": "2026-03-14" if schema.get("format") == "date" else example_value(field),
    }
    if text := comments().get(field.full_name):
        parameter["description"] = text
    if field.is_repeated:
        parameter |= {"style": "form", "explode": True}
    return parameter


def _responses(operation: Operation, schemas: "_Schemas") -> Json:
    statuses = [*_COMMON, *(_CHANGING if operation.is_change else ())]
    if "etag" in operation.request.DESCRIPTOR.fields_by_name:
        statuses.append("412")
    if operation.response is Empty:
        good: Json = {"204": {"description": "Done."}}
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
    return good | {status: {"$ref": f"#/components/responses/Problem{status}"} for status in sorted(statuses)}


def _upload(schemas: "_Schemas") -> Json:
    method = profiles_pb2.DESCRIPTOR.services_by_name["ProfilesService"].methods_by_name[
        "UploadImportContent"
    ]
    summary, _, rest = comments().get(method.full_name, "").partition("; ")
    binary = {"schema": {"type": "string", "format": "binary"}}
    return {
        "operationId": "UploadImportContent",
        "tags": ["profiles"],
        "summary": summary,
        "description": f"{rest} The body is the file itself, of any size. Needs the scope `imports:write`.".strip(),
        "x-carnet-scope": "imports:write",
        "parameters": [
            {
                "name": "import_id",
                "in": "path",
                "required": True,
                "schema": {"type": "string"},
                "example": example_value(profiles_pb2.Import.DESCRIPTOR.fields_by_name["import_id"]),
            }
        ],
        "requestBody": {
            "required": True,
            "content": dict.fromkeys(
                ("text/csv", "application/x-ndjson", "application/octet-stream"), binary
            ),
        },
        "responses": {
            "200": {
                "description": "The import, worked through.",
                "content": {
                    "application/json": {
                        "schema": schemas.response(profiles_pb2.Import.DESCRIPTOR),
                        "example": example_of(profiles_pb2.Import.DESCRIPTOR),
                    }
                },
            },
            **{status: {"$ref": f"#/components/responses/Problem{status}"} for status in (*_COMMON, "409")},
        },
    }


def _live_stream() -> Json:
    event = {
        "id": "evt_01kk5t0q3v8n2e4w6y7z9a1b3c",
        "type": "carnet.waitlist.offer.accepted.v1",
        "time": "2026-03-14T17:00:00Z",
        "subject": "off_01kk5t0q3v8n2e4w6y7z9a1b3c",
        "data": {"offer": {"offer_id": "off_01kk5t0q3v8n2e4w6y7z9a1b3c"}},
    }
    needs = ", ".join(f"`{scope}` for {producer}" for producer, scope in SCOPE_OF_PRODUCER.items())
    return {
        "operationId": "StreamEvents",
        "tags": ["gateway"],
        "summary": "Follow what happens in the chain, as it happens",
        "description": (
            "Server-sent events. `id` is the position: send the last one back as `Last-Event-ID` and nothing is"
            " missed within 72 hours; after longer, the event `carnet.gateway.feed.gap.v1` says that there is a gap."
            " Without it the stream begins now. A comment comes every 15 seconds. Events come for the services that"
            " the caller may read: "
            f"{needs}. The token goes into the Authorization header, never into the address."
        ),
        "parameters": [
            {
                "name": "types",
                "in": "query",
                "required": False,
                "schema": {"type": "string"},
                "description": "Beginnings of event types, separated by commas; all when left out.",
                "example": "carnet.waitlist,carnet.messaging.message",
            },
            {
                "name": "Last-Event-ID",
                "in": "header",
                "required": False,
                "schema": {"type": "string", "pattern": "^[0-9]+$"},
                "example": "42",
            },
        ],
        "responses": {
            "200": {
                "description": "The stream.",
                "content": {
                    "text/event-stream": {
                        "schema": {
                            "type": "object",
                            "properties": {
                                "id": {"type": "string"},
                                "type": {"type": "string"},
                                "time": {"type": "string", "format": "date-time"},
                                "subject": {"type": "string"},
                                "data": {"type": "object"},
                            },
                            "required": ["id", "type", "time", "subject", "data"],
                        },
                        "example": event,
                    }
                },
            },
            **{
                status: {"$ref": f"#/components/responses/Problem{status}"}
                for status in ("400", "401", "403", "429")
            },
        },
    }


def _header_parameters() -> Json:
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


def _problem_schema() -> Json:
    text: Json = {"type": "string"}
    return {
        "type": "object",
        "description": "RFC 9457.",
        "properties": {
            "type": {"type": "string", "format": "uri-reference"},
            "title": text,
            "status": {"type": "integer"},
            "detail": text,
            "reason": {
                "type": "string",
                "description": "UPPER_SNAKE, for programs.",
                "example": "OFFER_EXPIRED",
            },
            "violations": {
                "type": "array",
                "items": {
                    "type": "object",
                    "properties": {"field": text, "description": text},
                    "required": ["field", "description"],
                },
            },
            "metadata": {"type": "object", "additionalProperties": text},
            "correlation_id": text,
        },
        "required": [
            "type",
            "title",
            "status",
            "detail",
            "reason",
            "violations",
            "metadata",
            "correlation_id",
        ],
    }


class _Schemas:
    """Makes component schemas as they are asked for. What is sent and what is answered differ in what must be there."""

    def __init__(self) -> None:
        self.made: dict[str, Json] = {}

    def response(self, descriptor: Any) -> Json:
        """Return a reference to the schema of an answer."""
        return self._message(descriptor, _component_name(descriptor.full_name), is_input=False)

    def request(self, descriptor: Any, hidden: frozenset[str]) -> Json:
        """Return a reference to the schema of a body; `hidden` fields come by the path."""
        return self._message(descriptor, _component_name(descriptor.full_name), is_input=True, hidden=hidden)

    def _message(
        self, descriptor: Any, name: str, *, is_input: bool, hidden: frozenset[str] = frozenset()
    ) -> Json:
        if name not in self.made:
            schema: Json = {"type": "object"}
            self.made[name] = schema
            if text := comments().get(descriptor.full_name):
                schema["description"] = text
            fields = [field for field in descriptor.fields if field.name not in hidden]
            schema["properties"] = {field.name: self._field(field, is_input=is_input) for field in fields}
            required = [
                field.name
                for field in fields
                if (_is_required(field) if is_input else not field.has_presence)
            ]
            if required:
                schema["required"] = required
            if is_input:
                schema["additionalProperties"] = False
        return {"$ref": f"#/components/schemas/{name}"}

    def _field(self, field: Field, *, is_input: bool) -> Json:
        message = field.message_type
        if message is not None and message.GetOptions().map_entry:
            schema: Json = {
                "type": "object",
                "additionalProperties": _plain_schema(message.fields_by_name["value"]),
            }
        elif message is not None and message.full_name not in _SIMPLE:
            # google.type messages are the same either way.
            suffix = ".Input" if is_input and message.full_name.startswith("carnet.") else ""
            one = self._message(message, _component_name(message.full_name) + suffix, is_input=bool(suffix))
            schema = {"type": "array", "items": one} if field.is_repeated else one
        elif field.enum_type is not None:
            one = self._enum(field.enum_type)
            schema = {"type": "array", "items": one} if field.is_repeated else one
        else:
            schema = _plain_schema(field)
        schema = _constrained(field, dict(schema)) if is_input else dict(schema)
        if text := comments().get(field.full_name):
            schema["description"] = text
        return schema

    def _enum(self, enum: Any) -> Json:
        name = _component_name(enum.full_name)
        if name not in self.made:
            schema: Json = {"type": "string", "enum": [value.name for value in enum.values]}
            said = [
                f"{value.name}: {text}"
                for value in enum.values
                if (text := comments().get(_value_name(enum, value.name)))
            ]
            if text := comments().get(enum.full_name):
                said.insert(0, text)
            if said:
                schema["description"] = " ".join(said)
            self.made[name] = schema
        return {"$ref": f"#/components/schemas/{name}"}


def _value_name(enum: Any, value: str) -> str:
    return f"{enum.full_name}.{value}"


def _component_name(full_name: str) -> str:
    parts = full_name.split(".")
    return f"{parts[1]}.{'.'.join(parts[3:])}" if parts[0] == "carnet" else parts[-1]


def _plain_schema(field: Field) -> Json:
    one = _scalar_schema(field)
    return {"type": "array", "items": one} if field.is_repeated else one


def _scalar_schema(field: Field) -> Json:
    if field.message_type is not None:
        return dict(_SIMPLE.get(field.message_type.full_name, {"type": "object"}))
    if field.enum_type is not None:
        return {"type": "string", "enum": [value.name for value in field.enum_type.values]}
    match field.cpp_type:
        case FieldDescriptor.CPPTYPE_BOOL:
            return {"type": "boolean"}
        case FieldDescriptor.CPPTYPE_INT32 | FieldDescriptor.CPPTYPE_UINT32:
            return {"type": "integer", "format": "int32"}
        case FieldDescriptor.CPPTYPE_INT64 | FieldDescriptor.CPPTYPE_UINT64:
            return {"type": "string", "format": "int64"}
        case FieldDescriptor.CPPTYPE_DOUBLE | FieldDescriptor.CPPTYPE_FLOAT:
            return {"type": "number", "format": "double"}
    return (
        {"type": "string", "contentEncoding": "base64"}
        if field.type == field.TYPE_BYTES
        else {"type": "string"}
    )


def _rules(field: Field) -> validate_pb2.FieldRules:
    rules: validate_pb2.FieldRules = field.GetOptions().Extensions[validate_pb2.field]
    return rules


def _is_required(field: Field) -> bool:
    rules = _rules(field)
    # A request id may come as Idempotency-Key instead.
    return field.name != "request_id" and bool(
        rules.required
        or rules.string.min_len
        or rules.repeated.min_items
        or 0 in rules.enum.not_in
        or rules.string.email
    )


_STRING_RULES = (("min_len", "minLength"), ("max_len", "maxLength"), ("pattern", "pattern"))
_LIST_RULES = (("min_items", "minItems"), ("max_items", "maxItems"), ("unique", "uniqueItems"))


def _constrained(field: Field, schema: Json) -> Json:
    rules = _rules(field)
    match rules.WhichOneof("type"):
        case "string":
            schema |= {word: value for rule, word in _STRING_RULES if (value := getattr(rules.string, rule))}
            if rules.string.email or rules.string.uri:
                schema["format"] = "email" if rules.string.email else "uri"
        case "repeated":
            schema |= {word: value for rule, word in _LIST_RULES if (value := getattr(rules.repeated, rule))}
        case "int32" | "double" as kind:
            numbers = getattr(rules, kind)
            if numbers.WhichOneof("greater_than") == "gte":
                schema["minimum"] = numbers.gte
            if numbers.WhichOneof("less_than") == "lte":
                schema["maximum"] = numbers.lte
    return schema
