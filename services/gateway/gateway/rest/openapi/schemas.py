"""Schemas from messages, enums and fields, with the rules that the contracts set on fields."""

from collections.abc import Mapping
from typing import Any

from buf.validate import validate_pb2
from google.protobuf.descriptor import FieldDescriptor

from gateway.rest.codec import Field
from gateway.rest.openapi.comments import comments

Json = dict[str, Any]

_SIMPLE: Mapping[str, Json] = {
    "google.protobuf.Timestamp": {"type": "string", "format": "date-time"},
    "google.protobuf.FieldMask": {"type": "string", "description": "Field names, separated by commas."},
    "google.protobuf.Struct": {"type": "object"},
}
_STRING_RULES = (("min_len", "minLength"), ("max_len", "maxLength"), ("pattern", "pattern"))
_LIST_RULES = (("min_items", "minItems"), ("max_items", "maxItems"), ("unique", "uniqueItems"))


class Schemas:
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
                field.name for field in fields if (is_required(field) if is_input else not field.has_presence)
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
                "additionalProperties": plain_schema(message.fields_by_name["value"]),
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
            schema = plain_schema(field)
        schema = constrained(field, dict(schema)) if is_input else dict(schema)
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


def plain_schema(field: Field) -> Json:
    """Return the schema of a field by its type alone."""
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


def is_required(field: Field) -> bool:
    """Return whether a request without the field would be refused."""
    rules = _rules(field)
    # A request id may come as Idempotency-Key instead.
    return field.name != "request_id" and bool(
        rules.required
        or rules.string.min_len
        or rules.repeated.min_items
        or 0 in rules.enum.not_in
        or rules.string.email
    )


def constrained(field: Field, schema: Json) -> Json:
    """Return `schema` with what the rules of the field add."""
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
