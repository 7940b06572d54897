"""What the descriptors say: which scope an RPC needs, which type an event is. Must not know any service by name."""

from collections.abc import Iterator
from dataclasses import dataclass

from carnet.options.v1 import options_pb2
from google.protobuf import descriptor_pool, message_factory
from google.protobuf.descriptor import MethodDescriptor, ServiceDescriptor
from google.protobuf.message import Message


@dataclass(frozen=True)
class Access:
    """Who may call an RPC: everybody, or callers with one scope."""

    is_public: bool
    scope: str


def service_named(full_name: str) -> ServiceDescriptor:
    """Return the descriptor of a service such as `carnet.waitlist.v1.WaitlistService`; its module must be imported."""
    return descriptor_pool.Default().FindServiceByName(full_name)


def access_of(method: MethodDescriptor) -> Access:
    """Return who may call an RPC. Raises LookupError for one that says neither a scope nor that it is public."""
    options = method.GetOptions()
    access = Access(options.Extensions[options_pb2.is_public], options.Extensions[options_pb2.scope])
    if not access.is_public and not access.scope:
        raise LookupError(f"{method.full_name} says neither a scope nor that it is public")
    return access


def most_bytes_of(method: MethodDescriptor) -> int:
    """Return how many bytes a request of an RPC may have, 0 where that is what every request may have."""
    return int(method.GetOptions().Extensions[options_pb2.most_bytes])


def event_type_of(message: type[Message]) -> str:
    """Return the event type that a message is the body of. Raises LookupError for a message that is none."""
    options = message.DESCRIPTOR.GetOptions()
    if not (event_type := options.Extensions[options_pb2.event_type]):
        raise LookupError(f"{message.DESCRIPTOR.full_name} is not an event")
    return str(event_type)


def stream_of(event_type: str) -> str:
    """Return the name of the stream that keeps a type: the producing service in upper case."""
    return event_type.split(".")[1].upper()


def events_of(package: str) -> Iterator[type[Message]]:
    """Yield the event messages of a package such as `carnet.waitlist.v1`; its events module must be imported."""
    file = descriptor_pool.Default().FindFileByName(f"{package.replace('.', '/')}/events.proto")
    for descriptor in file.message_types_by_name.values():
        if descriptor.GetOptions().Extensions[options_pb2.event_type]:
            yield message_factory.GetMessageClass(descriptor)
