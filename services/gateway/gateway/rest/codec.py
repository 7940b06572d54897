"""Between JSON and proto messages, by descriptor: every fault of a body or query is named, none is guessed away.

The JSON is proto JSON with the names of the contract (snake_case); a google.type.Date in a query is YYYY-MM-DD and a
field mask names fields as the contract does. Must not know any message by name but the well-known ones.
"""

import base64
import binascii
import datetime
import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any, cast

import orjson
from google.protobuf import json_format, message_factory
from google.protobuf.descriptor import FieldDescriptor
from google.protobuf.message import Message

from chassis.errors import Violation
from gateway.rest.errors import BodyNotJson, FieldsInvalid

_MASK = "google.protobuf.FieldMask"
DATE = "google.type.Date"
TIMESTAMP = "google.protobuf.Timestamp"
_INTEGERS = {
    FieldDescriptor.CPPTYPE_INT32: (-(2**31), 2**31 - 1),
    FieldDescriptor.CPPTYPE_UINT32: (0, 2**32 - 1),
    FieldDescriptor.CPPTYPE_INT64: (-(2**63), 2**63 - 1),
    FieldDescriptor.CPPTYPE_UINT64: (0, 2**64 - 1),
}
_REALS = (FieldDescriptor.CPPTYPE_DOUBLE, FieldDescriptor.CPPTYPE_FLOAT)
_DEPTH = 32

Field = Any  # the stubs of protobuf's two runtimes do not agree on descriptors
Report = Callable[[str, str], None]


class _Fault(Exception):
    """One value cannot be taken; the text says why."""


def render(message: Message) -> dict[str, Any]:
    """Return the JSON of a message; lists and plain fields are there even when they are empty."""
    return json_format.MessageToDict(
        message, preserving_proto_field_name=True, always_print_fields_with_no_presence=True
    )


def load_json(body: bytes) -> Any:
    """Return what a body says. Raises BodyNotJson with line and column."""
    try:
        return orjson.loads(body)
    except orjson.JSONDecodeError as error:
        # orjson counts columns from 1 but says 0 for a body that ends at once.
        message = error.msg.partition(":")[0]
        raise BodyNotJson(message, error.lineno, max(1, error.colno)) from error


def parse_body(value: Any, message: Message) -> None:
    """Put a JSON value into an empty message. Raises FieldsInvalid that names every unknown or wrong field."""
    violations: list[Violation] = []
    _fill(message, value, "", lambda field, why: violations.append(Violation(field, why)), 0)
    if violations:
        raise FieldsInvalid(violations)


def parse_query(pairs: Sequence[tuple[str, str]], message: Message, *, taken: Sequence[str] = ()) -> None:
    """Put query parameters into a message; `taken` fields are given by the path.

    Raises FieldsInvalid that names every unknown, repeated or wrong parameter.
    """
    violations: list[Violation] = []
    fields = query_fields(message.DESCRIPTOR)
    values: dict[str, list[str]] = {}
    for name, value in pairs:
        values.setdefault(name, []).append(value)
    for name, given in values.items():
        field = fields.get(name)
        if field is None or name in taken:
            violations.append(Violation(name, "is not a parameter of this operation"))
            continue
        if len(given) > 1 and not field.is_repeated:
            violations.append(Violation(name, "is given more than once"))
            continue
        for text in given:
            try:
                _put(message, field, _from_text(field, text))
            except _Fault as fault:
                violations.append(Violation(name, str(fault)))
    if violations:
        raise FieldsInvalid(violations)


def query_fields(descriptor: Any) -> dict[str, Field]:
    """Return the fields of a request that can stand in a query: plain ones, dates and times."""
    return {
        field.name: field
        for field in descriptor.fields
        if field.message_type is None or field.message_type.full_name in (DATE, TIMESTAMP)
    }


def set_text(message: Message, name: str, text: str) -> None:
    """Put a path parameter or header into a field. Raises FieldsInvalid."""
    try:
        _put(
            message,
            message.DESCRIPTOR.fields_by_name[name],
            _from_text(message.DESCRIPTOR.fields_by_name[name], text),
        )
    except _Fault as fault:
        raise FieldsInvalid([Violation(name, str(fault))]) from fault


def _put(message: Message, field: Field, value: Any) -> None:
    if field.is_repeated:
        getattr(message, field.name).append(value)
    elif field.message_type is not None:
        getattr(message, field.name).CopyFrom(value)
    else:
        setattr(message, field.name, value)


def _from_text(field: Field, text: str) -> Any:
    if field.message_type is not None:
        if field.message_type.full_name == DATE:
            return _date(field.message_type, text)
        return _well_known(field.message_type, text)
    if field.cpp_type == FieldDescriptor.CPPTYPE_BOOL:
        if text not in ("true", "false"):
            raise _Fault("must be true or false")
        return text == "true"
    if field.cpp_type in _INTEGERS:
        # Exactly the digits: int() would take blanks, underscores and other alphabets as well.
        if not text.removeprefix("-").isascii() or not text.removeprefix("-").isdigit():
            raise _Fault("must be a whole number")
        return _integer(field, int(text) if len(text) < 25 else math.inf)
    if field.cpp_type in _REALS:
        try:
            return _real(float(text))
        except ValueError as error:
            raise _Fault("must be a number") from error
    return _scalar(field, text)


def _date(descriptor: Any, text: str) -> Message:
    try:
        day = datetime.datetime.strptime(text, "%Y-%m-%d").date()
        if len(text) != len("YYYY-MM-DD"):
            raise ValueError
    except ValueError as error:
        raise _Fault("must be a day of the calendar as YYYY-MM-DD") from error
    return message_factory.GetMessageClass(descriptor)(year=day.year, month=day.month, day=day.day)


def _fill(message: Message, value: Any, path: str, report: Report, depth: int) -> None:
    if not isinstance(value, dict):
        report(path, "must be an object")
        return
    if depth > _DEPTH:
        report(path, "is nested too deeply")
        return
    descriptor = message.DESCRIPTOR
    for name, part in cast(Mapping[str, Any], value).items():
        here = f"{path}.{name}" if path else name
        field = descriptor.fields_by_name.get(name)
        if field is None:
            report(here, "is not a field of this message")
        elif part is None:
            continue  # as if it were left out
        elif _is_map(field):
            _fill_map(message, field, part, here, report, depth)
        elif field.is_repeated:
            _fill_list(message, field, part, here, report, depth)
        elif field.message_type is not None and not _is_well_known(field.message_type):
            part_message = getattr(message, name)
            part_message.SetInParent()
            _fill(part_message, part, here, report, depth + 1)
        else:
            try:
                _put(message, field, _value(field, part))
            except _Fault as fault:
                report(here, str(fault))


def _fill_list(message: Message, field: Field, value: Any, path: str, report: Report, depth: int) -> None:
    if not isinstance(value, list):
        report(path, "must be a list")
        return
    items = getattr(message, field.name)
    for index, part in enumerate(value):
        here = f"{path}[{index}]"
        if field.message_type is not None and not _is_well_known(field.message_type):
            _fill(items.add(), part, here, report, depth + 1)
            continue
        try:
            items.append(_value(field, part))
        except _Fault as fault:
            report(here, str(fault))


def _fill_map(message: Message, field: Field, value: Any, path: str, report: Report, depth: int) -> None:
    if not isinstance(value, dict):
        report(path, "must be an object")
        return
    key_field = field.message_type.fields_by_name["key"]
    value_field = field.message_type.fields_by_name["value"]
    entries = getattr(message, field.name)
    for key, part in cast(Mapping[str, Any], value).items():
        here = f'{path}["{key}"]'
        try:
            parsed = _from_text(key_field, key)
            if value_field.message_type is not None:
                _fill(entries[parsed], part, here, report, depth + 1)
            else:
                entries[parsed] = _value(value_field, part)
        except _Fault as fault:
            report(here, str(fault))


def _is_map(field: Field) -> bool:
    return field.message_type is not None and bool(field.message_type.GetOptions().map_entry)


def _is_well_known(descriptor: Any) -> bool:
    return str(descriptor.full_name).startswith("google.protobuf.")


def _value(field: Field, value: Any) -> Any:
    if field.message_type is not None:
        return _well_known(field.message_type, value)
    return _scalar(field, value)


def _well_known(descriptor: Any, value: Any) -> Message:
    message = message_factory.GetMessageClass(descriptor)()
    if descriptor.full_name == _MASK:
        # Proto JSON wants camelCase in masks; here they name fields as the contract does, like everything else.
        if not isinstance(value, str):
            raise _Fault("must be field names, separated by commas")
        cast(Any, message).paths.extend(part.strip() for part in value.split(",") if part.strip())
        return message
    try:
        json_format.ParseDict(value, message)
    except (json_format.ParseError, ValueError, TypeError, AttributeError) as error:
        if descriptor.full_name == TIMESTAMP:
            raise _Fault("must be a time with its zone, such as 2026-03-10T17:00:00Z") from error
        raise _Fault(f"is not a {descriptor.name}") from error
    return message


def _scalar(field: Field, value: Any) -> Any:
    if field.enum_type is not None:
        return _enum(field.enum_type, value)
    kind = field.cpp_type
    if kind == FieldDescriptor.CPPTYPE_BOOL:
        if not isinstance(value, bool):
            raise _Fault("must be true or false")
        return value
    if kind in _INTEGERS:
        if isinstance(value, str):
            return _from_text(field, value)
        if isinstance(value, bool) or not isinstance(value, int | float) or value != value // 1:
            raise _Fault("must be a whole number")
        return _integer(field, value)
    if kind in _REALS:
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise _Fault("must be a number")
        return _real(float(value))
    if not isinstance(value, str):
        raise _Fault("must be a string")
    if field.type == FieldDescriptor.TYPE_BYTES:
        return _bytes(value)
    if any("\ud800" <= character <= "\udfff" for character in value):
        raise _Fault("is not valid Unicode")
    return value


def _bytes(value: str) -> bytes:
    try:
        return base64.b64decode(value, validate=True)
    except binascii.Error as error:
        raise _Fault("must be base64") from error


def _enum(enum: Any, value: Any) -> int:
    found = enum.values_by_name.get(value) if isinstance(value, str) else None
    if found is None:
        names = ", ".join(name for name, known in enum.values_by_name.items() if known.number)
        raise _Fault(f"must be one of {names}")
    return int(found.number)


def _integer(field: Field, value: float) -> int:
    least, most = _INTEGERS[field.cpp_type]
    if not least <= value <= most:
        raise _Fault(f"must be between {least} and {most}")
    return int(value)


def _real(value: float) -> float:
    if not math.isfinite(value):
        raise _Fault("must be a finite number")
    return value
