"""Messaging's words as the contract says them, and the contract's as ours. Must not read anything."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

from carnet.messaging.v1 import messaging_pb2 as pb

from chassis.caller import Caller
from chassis.errors import invalid
from chassis.values import timestamp_of
from messaging.domain import (
    WAITING,
    Channel,
    Conversation,
    ConversationState,
    Decision,
    Message,
    PermissionEntry,
    Purpose,
    Review,
    ReviewState,
    Sender,
)
from messaging.domain.media import Medium
from messaging.events import channel_number, purpose_number
from messaging.providers.codes import TRIED_AGAIN, advice_on
from messaging.providers.sandbox import PhoneMessage

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def sender_message(sender: Sender) -> pb.Sender:
    """Return a sender as the contract says it."""
    return pb.Sender(
        sender_id=sender.sender_id,
        store_id=sender.store_id,
        phone=sender.phone if sender.channel.takes_phones else "",
        email="" if sender.channel.takes_phones else sender.phone,
        display_name=sender.display_name,
        create_time=timestamp_of(sender.created_at),
        channel=channel_number(sender.channel),
        brand_registration_id=sender.brand_registration_id,
        messaging_service_id=sender.messaging_service_id,
        segments_per_second=sender.segments_per_second,
        state=pb.SenderState.Value(f"SENDER_STATE_{sender.state}"),
        stop_reason=sender.stop_reason,
    )


def conversation_message(conversation: Conversation) -> pb.Conversation:
    """Return a conversation as the contract says it."""
    return pb.Conversation(
        conversation_id=conversation.conversation_id,
        store_id=conversation.store_id,
        sender_id=conversation.sender_id,
        client_id=conversation.client_id,
        client_phone=conversation.client_phone if conversation.channel.takes_phones else "",
        client_email="" if conversation.channel.takes_phones else conversation.client_phone,
        client_ids=conversation.client_ids,
        channel=channel_number(conversation.channel),
        state=pb.ConversationState.Value(f"CONVERSATION_STATE_{conversation.state}"),
        assignee_id=conversation.assignee_id,
        waiting_since_time=timestamp_of(conversation.waiting_since),
        last_inbound_time=timestamp_of(conversation.last_inbound_at),
        is_shared_number=len(conversation.client_ids) > 1,
        unread_count=conversation.unread_count,
        last_message_time=timestamp_of(conversation.last_message_time),
        create_time=timestamp_of(conversation.created_at),
        session_end_time=timestamp_of(conversation.session_end),
    )


def message_message(message: Message, media: Sequence[Medium] = ()) -> pb.Message:
    """Return a text with its pictures as the contract says it."""
    return pb.Message(
        message_id=message.message_id,
        conversation_id=message.conversation_id,
        direction=pb.Direction.Value(f"DIRECTION_{message.direction}"),
        body=message.body,
        state=pb.MessageState.Value(f"MESSAGE_STATE_{message.state}"),
        purpose=purpose_number(message.purpose),
        segments=message.segments,
        decision=None if message.decision is None else decision_message(message.decision),
        send_after_time=timestamp_of(message.send_after),
        error_code=message.error_code,
        error_message=_advice_on(message),
        author=message.author,
        create_time=timestamp_of(message.created_at),
        update_time=timestamp_of(message.updated_at),
        channel=channel_number(message.channel),
        subject=message.subject,
        template_id=message.template_id,
        campaign_id=message.campaign_id,
        bulk_send_id=message.bulk_send_id,
        expire_time=timestamp_of(message.expires_at),
        send_time=timestamp_of(message.sent_at),
        deliver_time=timestamp_of(message.delivered_at),
        media=map(media_message, media),
    )


def media_message(medium: Medium) -> pb.Media:
    """Return a picture as the contract says it."""
    return pb.Media(
        media_id=medium.media_id,
        content_type=medium.content_type,
        byte_count=medium.byte_count,
        file_name=medium.file_name,
        state=pb.MediaState.Value(f"MEDIA_STATE_{medium.state}"),
        create_time=timestamp_of(medium.created_at),
    )


def _advice_on(message: Message) -> str:
    if message.error_code and message.state in WAITING:
        return TRIED_AGAIN
    return advice_on(message.error_code)


def decision_message(decision: Decision) -> pb.GateDecision:
    """Return the gate's decision as the contract says it."""
    return pb.GateDecision(
        verdict=pb.Verdict.Value(f"VERDICT_{decision.verdict}"),
        reasons=[pb.GateReason(reason=reason.reason, message=reason.message) for reason in decision.reasons],
        defer_until_time=timestamp_of(decision.defer_until),
    )


def entry_message(entry: PermissionEntry) -> pb.PermissionEntry:
    """Return a line of the ledger as the contract says it."""
    return pb.PermissionEntry(
        entry_id=entry.entry_id,
        phone=entry.phone if entry.channel.takes_phones else "",
        email="" if entry.channel.takes_phones else entry.phone,
        channel=channel_number(entry.channel),
        purpose=purpose_number(entry.purpose),
        change=pb.PermissionChange.Value(f"PERMISSION_CHANGE_{entry.change}"),
        evidence=entry.evidence,
        source=entry.source,
        actor=entry.actor,
        occur_time=timestamp_of(entry.occurred_at),
        cause_id=entry.cause_id,
    )


def review_message(review: Review) -> pb.PermissionReview:
    """Return a review as the contract says it."""
    return pb.PermissionReview(
        permission_review_id=review.review_id,
        phone=review.phone,
        client_ids=review.client_ids,
        store_id=review.store_id,
        conversation_id=review.conversation_id,
        message_id=review.message_id,
        body=review.body,
        likelihood=pb.RevocationLikelihood.Value(f"REVOCATION_LIKELIHOOD_{review.likelihood}"),
        finding=review.finding,
        state=pb.PermissionReviewState.Value(f"PERMISSION_REVIEW_STATE_{review.state}"),
        suspend_time=timestamp_of(review.suspended_at),
        decided_by=review.decided_by,
        note=review.note,
        decide_time=timestamp_of(review.decided_at),
        create_time=timestamp_of(review.created_at),
    )


def phone_message(message: PhoneMessage) -> pb.SandboxMessage:
    """Return a text on a sandbox phone as the contract says it."""
    is_phone = message.channel.takes_phones
    return pb.SandboxMessage(
        provider_message_id=message.provider_message_id,
        from_phone=message.from_phone if is_phone else "",
        to_phone=message.to_phone if is_phone else "",
        from_email="" if is_phone else message.from_phone,
        to_email="" if is_phone else message.to_phone,
        subject=message.subject,
        unsubscribe_url=message.unsubscribe_url,
        body=message.body,
        segments=message.segments,
        create_time=timestamp_of(message.created_at),
        channel=channel_number(message.channel),
        media_ids=message.media_ids,
    )


def sandbox_phone_message(latest: PhoneMessage) -> pb.SandboxPhone:
    """Return a phone or a mailbox of the sandbox, by the newest text on it, as the contract says it."""
    is_phone = latest.channel.takes_phones
    return pb.SandboxPhone(
        phone=latest.to_phone if is_phone else "",
        from_phone=latest.from_phone if is_phone else "",
        email="" if is_phone else latest.to_phone,
        from_email="" if is_phone else latest.from_phone,
        channel=channel_number(latest.channel),
        last_message_time=timestamp_of(latest.created_at),
    )


def channel_of(number: pb.Channel.ValueType) -> Channel:
    """Return a channel of ours, SMS for none."""
    if number == pb.CHANNEL_UNSPECIFIED:
        return Channel.SMS
    return Channel(pb.Channel.Name(number).removeprefix("CHANNEL_"))


def conversation_state_of(number: pb.ConversationState.ValueType) -> ConversationState | None:
    """Return a conversation's state, None for none."""
    if number == pb.CONVERSATION_STATE_UNSPECIFIED:
        return None
    return ConversationState(pb.ConversationState.Name(number).removeprefix("CONVERSATION_STATE_"))


def purpose_of(number: pb.Purpose.ValueType) -> Purpose:
    """Return a purpose of ours. Raises FIELD_INVALID."""
    if number not in pb.Purpose.values() or number == pb.PURPOSE_UNSPECIFIED:
        raise invalid("purposes", "is not a purpose")
    return Purpose(pb.Purpose.Name(number).removeprefix("PURPOSE_"))


def review_state_of(number: pb.PermissionReviewState.ValueType) -> ReviewState:
    """Return a review's state, OPEN for none."""
    if number == pb.PERMISSION_REVIEW_STATE_UNSPECIFIED:
        return ReviewState.OPEN
    return ReviewState(pb.PermissionReviewState.Name(number).removeprefix("PERMISSION_REVIEW_STATE_"))


def author_of(caller: Caller) -> str:
    """Return who writes or decides: the associate, else whoever calls."""
    return caller.associate_id or caller.actor_id


def micros_of(moment: datetime) -> int:
    """Return a moment as microseconds since 1970, for a page token."""
    return (moment - _EPOCH) // timedelta(microseconds=1)


def moment_of(micros: int) -> datetime:
    """Return the moment that `micros_of` told."""
    return _EPOCH + timedelta(microseconds=micros)
