"""The envelope around an event: CloudEvents attributes and tracing as headers, proto bytes as body.

Filled here, never by callers. Must not know any event by name.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

from google.protobuf.message import Message
from opentelemetry import propagate

from chassis import context as work
from chassis.contracts import event_type_of
from chassis.ids import new_id

SUBJECT_SEPARATOR = "."


@dataclass(frozen=True)
class Envelope:
    """An event on its way: `headers` as on the wire, `body` the proto bytes."""

    event_id: str
    event_type: str
    chain_id: str
    headers: Mapping[str, str]
    body: bytes

    @property
    def subject(self) -> str:
        """Return the NATS subject: the type with the chain as last token."""
        return f"{self.event_type}{SUBJECT_SEPARATOR}{self.chain_id}"

    @property
    def time(self) -> datetime:
        """Return when it happened, in UTC."""
        return datetime.fromisoformat(self.headers["ce-time"])

    @property
    def entity_id(self) -> str:
        """Return the id of what it happened to."""
        return self.headers.get("ce-subject", "")

    @property
    def correlation_id(self) -> str:
        """Return the id that ties together everything one request led to."""
        return self.headers.get("carnet-correlation", "")


def wrap(event: Message, *, source: str, chain_id: str, entity_id: str, now: datetime) -> Envelope:
    """Return `event` in its envelope, with the correlation and trace of the work that is going on."""
    event_id, event_type = new_id("evt"), event_type_of(type(event))
    headers = {
        "ce-specversion": "1.0",
        "ce-id": event_id,
        "ce-type": event_type,
        "ce-source": f"carnet/{source}",
        "ce-time": now.astimezone(UTC).isoformat(),
        "ce-subject": entity_id,
        "carnet-chain": chain_id,
        "carnet-correlation": work.correlation_id(),
        "carnet-causation": work.causation_id(),
    }
    propagate.inject(headers)
    return Envelope(
        event_id=event_id,
        event_type=event_type,
        chain_id=chain_id,
        headers={key: value for key, value in headers.items() if value},
        body=event.SerializeToString(),
    )


def unwrap(headers: Mapping[str, str] | None, body: bytes) -> Envelope:
    """Return the envelope of a received message. Raises ValueError when an attribute is missing."""
    try:
        found = dict(headers or {})
        return Envelope(found["ce-id"], found["ce-type"], found["carnet-chain"], found, body)
    except KeyError as error:
        raise ValueError(f"the header {error.args[0]} is missing") from error
