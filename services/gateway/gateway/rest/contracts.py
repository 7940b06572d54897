"""The contracts as REST sees them: one operation for every RPC with a google.api.http option."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from carnet.appointments.v1 import appointments_pb2
from carnet.gateway.v1 import gateway_pb2
from carnet.messaging.v1 import (
    bulk_pb2,
    conversations_pb2,
    gate_pb2,
    media_pb2,
    messaging_pb2,
    senders_pb2,
    templates_pb2,
)
from carnet.messaging.v1 import reports_pb2 as messaging_reports_pb2
from carnet.outreach.v1 import campaigns_pb2, catalogue_pb2, outreach_pb2, reports_pb2
from carnet.profiles.v1 import duplicates_pb2, privacy_pb2, profiles_pb2, records_pb2, segments_pb2, sync_pb2
from carnet.waitlist.v1 import waitlist_pb2
from google.api import annotations_pb2
from google.protobuf import message_factory
from google.protobuf.descriptor import FileDescriptor, MethodDescriptor
from google.protobuf.message import Message

from chassis.contracts import Access, access_of, most_bytes_of

FILES: Sequence[FileDescriptor] = tuple(
    module.DESCRIPTOR
    for module in (
        gateway_pb2,
        profiles_pb2,
        records_pb2,
        duplicates_pb2,
        segments_pb2,
        sync_pb2,
        privacy_pb2,
        outreach_pb2,
        catalogue_pb2,
        campaigns_pb2,
        reports_pb2,
        messaging_pb2,
        conversations_pb2,
        senders_pb2,
        templates_pb2,
        media_pb2,
        bulk_pb2,
        gate_pb2,
        messaging_reports_pb2,
        waitlist_pb2,
        appointments_pb2,
    )
)
_PARAMETER = re.compile(r"{(\w+)}")
_BYTES = "google.api.HttpBody"


@dataclass(frozen=True)
class Operation:
    """One RPC as REST: where it is, what it takes and gives."""

    method: MethodDescriptor
    http_method: str
    path: str
    path_fields: tuple[str, ...]
    has_body: bool
    # The field that the body's bytes go into, a message for each piece of it; empty for what is no upload.
    content_field: str
    # Messages are told one by one as events; or, in a download, they are the bytes of the answer.
    is_streaming: bool
    is_download: bool
    access: Access
    request: type[Message]
    response: type[Message]

    @property
    def service(self) -> str:
        """Return the short name of the service that answers, such as `waitlist`."""
        return str(self.method.full_name.split(".")[1])

    @property
    def grpc_path(self) -> str:
        """Return the path of the RPC on the wire."""
        return f"/{self.method.containing_service.full_name}/{self.method.name}"

    @property
    def is_upload(self) -> bool:
        """Return whether the body is a file instead of JSON."""
        return bool(self.content_field)

    @property
    def most_bytes(self) -> int:
        """Return how many bytes a body may have; 0 where the contract says nothing of its own."""
        return most_bytes_of(self.method)

    @property
    def naming_field(self) -> str:
        """Return the path's last field, which a file is named after; empty without one."""
        return self.path_fields[-1] if self.path_fields else ""

    @property
    def has_request_id(self) -> bool:
        """Return whether the RPC itself remembers what it did for a request id."""
        return "request_id" in self.request.DESCRIPTOR.fields_by_name

    @property
    def is_change(self) -> bool:
        """Return whether it may change something."""
        return self.http_method != "GET"


def operations() -> Sequence[Operation]:
    """Return every operation, in the order of the contracts. Raises ValueError for an option that fits not."""
    return tuple(
        operation
        for file in FILES
        for service in file.services_by_name.values()
        for method in service.methods
        if (operation := _operation(method)) is not None
    )


def _operation(method: MethodDescriptor) -> Operation | None:
    options: Any = method.GetOptions()  # the annotations ship without types
    if not options.HasExtension(annotations_pb2.http):
        return None
    rule = options.Extensions[annotations_pb2.http]
    verb = rule.WhichOneof("pattern")
    path = getattr(rule, verb)
    if verb == "custom" or rule.additional_bindings or not _fits_body(method, rule.body):
        raise ValueError(f"{method.full_name}: REST cannot follow its google.api.http option")
    path_fields = tuple(_PARAMETER.findall(path))
    if unknown := set(path_fields) - set(method.input_type.fields_by_name):
        raise ValueError(f"{method.full_name}: the path names {unknown}, which the request has not")
    return Operation(
        method=method,
        http_method=verb.upper(),
        path=path,
        path_fields=path_fields,
        has_body=rule.body == "*",
        content_field=rule.body if method.client_streaming else "",
        is_streaming=method.server_streaming and method.output_type.full_name != _BYTES,
        is_download=method.server_streaming and method.output_type.full_name == _BYTES,
        access=access_of(method),
        request=message_factory.GetMessageClass(method.input_type),
        response=message_factory.GetMessageClass(method.output_type),
    )


def _fits_body(method: MethodDescriptor, body: str) -> bool:
    if not method.client_streaming:
        return body in ("", "*")
    field: Any = method.input_type.fields_by_name.get(body)
    return field is not None and field.type == field.TYPE_BYTES and not method.server_streaming
