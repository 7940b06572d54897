"""Who may say what on NATS, as data; the local server and the Kubernetes manifests both follow it.

No I/O here. A denied publish is not answered by the server: the caller sees a timeout.

What a table of subjects cannot say, since a wildcard matches whole tokens only: a service may also change or
read through another's durable consumer. Deleting consumers on another's stream is therefore left to `admin`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

SERVICES = ("profiles", "outreach", "messaging", "waitlist", "appointments", "gateway")
ADMIN = "admin"

# Services whose replicas share work: a second stream, from which a message goes once it is done.
WITH_JOBS = frozenset({"outreach"})

_OWN_STREAM_VERBS = ("CREATE", "UPDATE", "DELETE", "PURGE", "MSG.DELETE")

_ANY_STREAM = (
    "$JS.API.INFO",
    "$JS.API.STREAM.NAMES",
    "$JS.API.STREAM.LIST",
    "$JS.API.STREAM.INFO.*",
    "$JS.API.STREAM.MSG.GET.*",
    "$JS.API.DIRECT.GET.>",
    "$JS.API.CONSUMER.CREATE.>",
    "$JS.API.CONSUMER.DURABLE.CREATE.>",
    "$JS.API.CONSUMER.INFO.>",
    "$JS.API.CONSUMER.NAMES.*",
    "$JS.API.CONSUMER.LIST.*",
    "$JS.API.CONSUMER.MSG.NEXT.>",
    "$JS.ACK.>",
    "$JS.FC.>",
    "_INBOX.>",
)


@dataclass(frozen=True)
class Permissions:
    """The subjects a user may publish and subscribe; everything else is denied."""

    publish: tuple[str, ...]
    subscribe: tuple[str, ...]


def stream_of(service: str) -> str:
    """Name the stream that holds a service's events."""
    return service.upper()


def streams_of(service: str) -> tuple[str, ...]:
    """Name every stream that a service keeps: its events', and its jobs' where it has any."""
    return (stream_of(service), *([f"{stream_of(service)}_JOBS"] if service in WITH_JOBS else []))


def permissions_of(service: str) -> Permissions:
    """State what a service's user may do: say its own facts and jobs, keep its own streams, consume everyone's."""
    return Permissions(
        publish=(
            f"carnet.{service}.>",
            *([f"jobs.{service}.>"] if service in WITH_JOBS else []),
            *(
                f"$JS.API.STREAM.{verb}.{stream}"
                for stream in streams_of(service)
                for verb in _OWN_STREAM_VERBS
            ),
            *(f"$JS.API.CONSUMER.DELETE.{stream}.*" for stream in streams_of(service)),
            *_ANY_STREAM,
        ),
        subscribe=("carnet.>", "_INBOX.>"),
    )


PERMISSIONS: Mapping[str, Permissions] = {service: permissions_of(service) for service in SERVICES} | {
    ADMIN: Permissions(publish=(">",), subscribe=(">",))
}
"""Every NATS user and its permissions."""
