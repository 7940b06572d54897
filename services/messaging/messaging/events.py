"""What happened, as the contract says it: never a number, never a text."""

from collections.abc import Iterable, Mapping, Sequence

from carnet.messaging.v1 import events_pb2, messaging_pb2
from carnet.privacy.v1 import privacy_pb2

from chassis.values import timestamp_of
from messaging.domain import Change, Channel, Conversation, Message, PermissionEntry, Purpose, Sender


def purpose_number(purpose: Purpose | None) -> messaging_pb2.Purpose.ValueType:
    """Return a purpose as the contract numbers it, 0 for none."""
    return messaging_pb2.Purpose.Value(f"PURPOSE_{purpose or 'UNSPECIFIED'}")


def channel_number(channel: Channel) -> messaging_pb2.Channel.ValueType:
    """Return a channel as the contract numbers it."""
    return messaging_pb2.Channel.Value(f"CHANNEL_{channel}")


def message_received(message: Message, *, media_count: int = 0) -> events_pb2.MessageReceived:
    """Return the fact that a client wrote."""
    return events_pb2.MessageReceived(
        message_id=message.message_id,
        conversation_id=message.conversation_id,
        client_id=message.client_id,
        store_id=message.store_id,
        receive_time=timestamp_of(message.created_at),
        channel=channel_number(message.channel),
        media_count=media_count,
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
        channel=channel_number(message.channel),
        campaign_id=message.campaign_id,
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
        campaign_id=message.campaign_id,
    )


def permission_changed(
    entry: PermissionEntry, client_ids: Sequence[str]
) -> events_pb2.PermissionGranted | events_pb2.PermissionRevoked:
    """Return the fact that a number's permission changed."""
    kind = events_pb2.PermissionGranted if entry.change is Change.GRANTED else events_pb2.PermissionRevoked
    return kind(
        entry_id=entry.entry_id,
        client_ids=client_ids,
        purpose=purpose_number(entry.purpose),
        channel=channel_number(entry.channel),
    )


def conversation_assigned(
    conversation: Conversation, *, former_assignee_id: str, actor: str
) -> events_pb2.ConversationAssigned:
    """Return the fact that a conversation was given to its assignee, or to nobody."""
    return events_pb2.ConversationAssigned(
        conversation_id=conversation.conversation_id,
        client_id=conversation.client_id,
        store_id=conversation.store_id,
        assignee_id=conversation.assignee_id,
        former_assignee_id=former_assignee_id,
        actor=actor,
    )


def conversation_changed(conversation: Conversation) -> events_pb2.ConversationChanged:
    """Return the fact that a conversation was opened, closed, linked or noted in."""
    return events_pb2.ConversationChanged(
        conversation_id=conversation.conversation_id,
        client_id=conversation.client_id,
        store_id=conversation.store_id,
        state=messaging_pb2.ConversationState.Value(f"CONVERSATION_STATE_{conversation.state}"),
    )


def sender_stopped(sender: Sender, *, error_code: str) -> events_pb2.SenderStopped:
    """Return the fact that nothing goes out from a sender for now."""
    return events_pb2.SenderStopped(
        sender_id=sender.sender_id, store_id=sender.store_id, error_code=error_code
    )


def reminder_cancelled(answer: Message, reminder_id: str) -> events_pb2.ReminderCancelled:
    """Return the fact that a client answered CANCEL to a reminder; `answer` is that text."""
    return events_pb2.ReminderCancelled(
        message_id=answer.message_id,
        conversation_id=answer.conversation_id,
        client_id=answer.client_id,
        store_id=answer.store_id,
        reminder_id=reminder_id,
    )


def campaign_paused(campaign_id: str, *, sent_count: int, opt_out_count: int) -> events_pb2.CampaignPaused:
    """Return the fact that too many recipients of a campaign opted out."""
    return events_pb2.CampaignPaused(
        campaign_id=campaign_id, sent_count=sent_count, opt_out_count=opt_out_count
    )


def bulk_send_finished(
    *, bulk_send_id: str, store_id: str, sent: int, denied: int, failed: int, cancelled: int
) -> events_pb2.BulkSendFinished:
    """Return the fact that a bulk send has nothing left to do."""
    return events_pb2.BulkSendFinished(
        bulk_send_id=bulk_send_id,
        store_id=store_id,
        sent_count=sent,
        denied_count=denied,
        failed_count=failed,
        cancelled_count=cancelled,
    )


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
