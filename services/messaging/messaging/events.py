"""What happened, as the contract says it: never a number, never a text."""

from collections.abc import Iterable, Mapping, Sequence

from carnet.messaging.v1 import events_pb2, messaging_pb2
from carnet.privacy.v1 import privacy_pb2

from chassis.values import timestamp_of
from messaging.domain import Change, Message, PermissionEntry, Purpose


def purpose_number(purpose: Purpose | None) -> messaging_pb2.Purpose.ValueType:
    """Return a purpose as the contract numbers it, 0 for none."""
    return messaging_pb2.Purpose.Value(f"PURPOSE_{purpose or 'UNSPECIFIED'}")


def message_received(message: Message) -> events_pb2.MessageReceived:
    """Return the fact that a client wrote."""
    return events_pb2.MessageReceived(
        message_id=message.message_id,
        conversation_id=message.conversation_id,
        client_id=message.client_id,
        store_id=message.store_id,
        receive_time=timestamp_of(message.created_at),
    )


def message_sent(message: Message) -> events_pb2.MessageSent:
    """Return the fact that the carrier took a text."""
    return events_pb2.MessageSent(
        message_id=message.message_id,
        conversation_id=message.conversation_id,
        client_id=message.client_id,
        store_id=message.store_id,
        purpose=purpose_number(message.purpose),
        segments=message.segments,
        send_time=timestamp_of(message.sent_at),
        author=message.author,
    )


def message_delivered(message: Message) -> events_pb2.MessageDelivered:
    """Return the fact that a text arrived."""
    return events_pb2.MessageDelivered(
        message_id=message.message_id,
        conversation_id=message.conversation_id,
        client_id=message.client_id,
        store_id=message.store_id,
    )


def message_failed(message: Message, error_code: str) -> events_pb2.MessageFailed:
    """Return the fact that a text will not arrive: the carrier's code, or the gate's reason."""
    return events_pb2.MessageFailed(
        message_id=message.message_id,
        conversation_id=message.conversation_id,
        client_id=message.client_id,
        store_id=message.store_id,
        error_code=error_code,
    )


def permission_changed(
    entry: PermissionEntry, client_ids: Sequence[str]
) -> events_pb2.PermissionGranted | events_pb2.PermissionRevoked:
    """Return the fact that a number's permission changed."""
    kind = events_pb2.PermissionGranted if entry.change is Change.GRANTED else events_pb2.PermissionRevoked
    return kind(entry_id=entry.entry_id, client_ids=client_ids, purpose=purpose_number(entry.purpose))


def erasure_receipt(
    *,
    erasure_id: str,
    client_id: str,
    erased: Mapping[str, int],
    retained: Iterable[tuple[str, str, int]],
) -> privacy_pb2.ErasureReceipt:
    """Return the receipt of an erasure; `retained` are (category, basis, count)."""
    return privacy_pb2.ErasureReceipt(
        erasure_id=erasure_id,
        client_id=client_id,
        erased=erased,
        retained=[
            privacy_pb2.Retention(category=category, basis=basis, count=count)
            for category, basis, count in retained
        ],
    )


def client_forgotten(receipt: privacy_pb2.ErasureReceipt) -> events_pb2.ClientForgotten:
    """Return the fact that messaging forgot a client."""
    return events_pb2.ClientForgotten(receipt=receipt)
