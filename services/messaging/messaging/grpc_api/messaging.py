"""The contract's side of messaging: messages to arguments, results to messages; reads go straight to the store."""

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any

from carnet.messaging.v1 import messaging_pb2 as pb
from carnet.messaging.v1 import messaging_pb2_grpc

from chassis.caller import Caller, current_caller
from chassis.clock import Clock
from chassis.database import Database, RequestKey
from chassis.errors import invalid, not_found
from chassis.paging import cut_page, decode_page_token, page_size_of
from chassis.values import timestamp_of
from messaging.clients import Profiles
from messaging.domain import (
    Conversation,
    Decision,
    Message,
    PermissionEntry,
    Purpose,
    Review,
    ReviewState,
    SandboxOff,
    Sender,
)
from messaging.events import purpose_number
from messaging.providers.sandbox import PhoneMessage, Sandbox
from messaging.store import conversations, messages, reviews, senders
from messaging.suppression import Suppressor
from messaging.use_cases import messages as message_cases
from messaging.use_cases import permissions as permission_cases
from messaging.use_cases import reviews as review_cases
from messaging.use_cases import senders as sender_cases

_Context = Any  # grpc.aio.ServicerContext is generic in its stubs only
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_DECIDED = {
    pb.PERMISSION_REVIEW_DECISION_CONFIRM: ReviewState.CONFIRMED,
    pb.PERMISSION_REVIEW_DECISION_LIFT: ReviewState.LIFTED,
}


class MessagingServicer(messaging_pb2_grpc.MessagingServiceServicer):
    """Serves carnet.messaging.v1.MessagingService."""

    def __init__(
        self,
        *,
        database: Database,
        clock: Clock,
        profiles: Profiles,
        suppressor: Suppressor,
        due: asyncio.Event,
        sandbox: Sandbox | None,
    ) -> None:
        self._database = database
        self._clock = clock
        self._profiles = profiles
        self._suppressor = suppressor
        self._due = due
        self._sandbox = sandbox

    async def CreateSender(self, request: pb.CreateSenderRequest, context: _Context) -> pb.Sender:
        caller = current_caller()
        caller.require_store(request.store_id)
        sender = await sender_cases.create_sender(
            database=self._database,
            clock=self._clock,
            profiles=self._profiles,
            chain_id=caller.chain_id,
            key=RequestKey.of(request),
            store_id=request.store_id,
            phone=request.phone,
            display_name=request.display_name,
        )
        return sender_message(sender)

    async def ListSenders(self, request: pb.ListSendersRequest, context: _Context) -> pb.ListSendersResponse:
        size = page_size_of(request.page_size)
        after = decode_page_token(request.page_token, str)
        async with self._database.transaction(current_caller().chain_id) as tx:
            found = await senders.page(tx, after=str(after[0]) if after else "", most=size + 1)
        page, token = cut_page(found, size, lambda sender: (sender.sender_id,))
        return pb.ListSendersResponse(senders=map(sender_message, page), next_page_token=token)

    async def SendMessage(self, request: pb.SendMessageRequest, context: _Context) -> pb.Message:
        caller = current_caller()
        caller.require_store(request.store_id)
        message = await message_cases.send_message(
            database=self._database,
            clock=self._clock,
            profiles=self._profiles,
            suppressor=self._suppressor,
            due=self._due,
            chain_id=caller.chain_id,
            key=RequestKey.of(request),
            client_id=request.client_id,
            store_id=request.store_id,
            body=request.body,
            purpose=_purpose(request.purpose),
            author=_author(caller),
        )
        return message_message(message)

    async def CheckMessage(self, request: pb.CheckMessageRequest, context: _Context) -> pb.GateDecision:
        decision = await message_cases.check_message(
            database=self._database,
            clock=self._clock,
            profiles=self._profiles,
            suppressor=self._suppressor,
            chain_id=current_caller().chain_id,
            client_id=request.client_id,
            store_id=request.store_id,
            purpose=_purpose(request.purpose),
            body=request.body or None,
        )
        return decision_message(decision)

    async def GetMessage(self, request: pb.GetMessageRequest, context: _Context) -> pb.Message:
        async with self._database.transaction(current_caller().chain_id) as tx:
            return message_message(await message_cases.get_message(tx, request.message_id))

    async def CancelMessage(self, request: pb.CancelMessageRequest, context: _Context) -> pb.Message:
        message = await message_cases.cancel_message(
            database=self._database,
            clock=self._clock,
            chain_id=current_caller().chain_id,
            message_id=request.message_id,
        )
        return message_message(message)

    async def ListConversations(
        self, request: pb.ListConversationsRequest, context: _Context
    ) -> pb.ListConversationsResponse:
        size = page_size_of(request.page_size)
        before = decode_page_token(request.page_token, int, str)
        async with self._database.transaction(current_caller().chain_id) as tx:
            found = await conversations.page(
                tx,
                store_id=request.store_id,
                client_id=request.client_id,
                unread_only=request.unread_only,
                before=(_moment(int(before[0])), str(before[1])) if before else None,
                most=size + 1,
            )
        page, token = cut_page(found, size, lambda one: (_micros(one.last_message_time), one.conversation_id))
        return pb.ListConversationsResponse(
            conversations=map(conversation_message, page), next_page_token=token
        )

    async def GetConversation(self, request: pb.GetConversationRequest, context: _Context) -> pb.Conversation:
        return await self._conversation(request.conversation_id)

    async def ListMessages(
        self, request: pb.ListMessagesRequest, context: _Context
    ) -> pb.ListMessagesResponse:
        size = page_size_of(request.page_size)
        before = decode_page_token(request.page_token, int)
        async with self._database.transaction(current_caller().chain_id) as tx:
            if await conversations.find(tx, request.conversation_id) is None:
                raise not_found("conversation", request.conversation_id)
            found = await messages.page(
                tx,
                conversation_id=request.conversation_id,
                before=int(before[0]) if before else None,
                most=size + 1,
            )
        page, token = cut_page(found, size, lambda message: (message.position,))
        return pb.ListMessagesResponse(messages=map(message_message, page), next_page_token=token)

    async def MarkConversationRead(
        self, request: pb.MarkConversationReadRequest, context: _Context
    ) -> pb.Conversation:
        async with self._database.transaction(current_caller().chain_id) as tx:
            await conversations.mark_read(tx, request.conversation_id)
        return await self._conversation(request.conversation_id)

    async def _conversation(self, conversation_id: str) -> pb.Conversation:
        async with self._database.transaction(current_caller().chain_id) as tx:
            conversation = await conversations.find(tx, conversation_id)
        if conversation is None:
            raise not_found("conversation", conversation_id)
        return conversation_message(conversation)

    async def ListPermissions(
        self, request: pb.ListPermissionsRequest, context: _Context
    ) -> pb.ListPermissionsResponse:
        size = page_size_of(request.page_size)
        before = decode_page_token(request.page_token, int, int)
        found = await permission_cases.list_permissions(
            database=self._database,
            profiles=self._profiles,
            chain_id=current_caller().chain_id,
            client_id=request.client_id,
            before=(_moment(int(before[0])), int(before[1])) if before else None,
            most=size + 1,
        )
        page, token = cut_page(found, size, lambda entry: (_micros(entry.occurred_at), entry.position))
        return pb.ListPermissionsResponse(entries=map(entry_message, page), next_page_token=token)

    async def RevokePermission(
        self, request: pb.RevokePermissionRequest, context: _Context
    ) -> pb.RevokePermissionResponse:
        caller = current_caller()
        entries = await permission_cases.revoke_permission(
            database=self._database,
            clock=self._clock,
            profiles=self._profiles,
            suppressor=self._suppressor,
            chain_id=caller.chain_id,
            key=RequestKey.of(request),
            client_id=request.client_id,
            purposes=[_purpose(purpose) for purpose in request.purposes],
            note=request.note,
            actor=_author(caller),
        )
        return pb.RevokePermissionResponse(entries=map(entry_message, entries))

    async def RevokeNumber(
        self, request: pb.RevokeNumberRequest, context: _Context
    ) -> pb.RevokeNumberResponse:
        caller = current_caller()
        entries = await permission_cases.revoke_number(
            database=self._database,
            clock=self._clock,
            suppressor=self._suppressor,
            chain_id=caller.chain_id,
            key=RequestKey.of(request),
            phone=request.phone,
            purposes=[_purpose(purpose) for purpose in request.purposes],
            note=request.note,
            actor=_author(caller),
        )
        return pb.RevokeNumberResponse(entries=map(entry_message, entries))

    async def ListPermissionReviews(
        self, request: pb.ListPermissionReviewsRequest, context: _Context
    ) -> pb.ListPermissionReviewsResponse:
        size = page_size_of(request.page_size)
        before = decode_page_token(request.page_token, int, str)
        async with self._database.transaction(current_caller().chain_id) as tx:
            found = await reviews.page(
                tx,
                state=_review_state(request.state),
                store_id=request.store_id,
                client_id=request.client_id,
                before=(_moment(int(before[0])), str(before[1])) if before else None,
                most=size + 1,
            )
        page, token = cut_page(found, size, lambda review: (_micros(review.created_at), review.review_id))
        return pb.ListPermissionReviewsResponse(
            permission_reviews=map(review_message, page), next_page_token=token
        )

    async def DecidePermissionReview(
        self, request: pb.DecidePermissionReviewRequest, context: _Context
    ) -> pb.PermissionReview:
        caller = current_caller()
        review = await review_cases.decide_review(
            database=self._database,
            clock=self._clock,
            suppressor=self._suppressor,
            chain_id=caller.chain_id,
            review_id=request.permission_review_id,
            state=_DECIDED[request.decision],
            note=request.note,
            actor=_author(caller),
            require_store=caller.require_store,
        )
        return review_message(review)

    async def SimulateInbound(
        self, request: pb.SimulateInboundRequest, context: _Context
    ) -> pb.SimulateInboundResponse:
        provider_message_id = await self._network().text_from_phone(
            chain_id=current_caller().chain_id,
            from_phone=request.from_phone,
            to_phone=request.to_phone,
            body=request.body,
            provider_message_id=request.provider_message_id,
        )
        return pb.SimulateInboundResponse(provider_message_id=provider_message_id)

    async def ListSandboxMessages(
        self, request: pb.ListSandboxMessagesRequest, context: _Context
    ) -> pb.ListSandboxMessagesResponse:
        size = page_size_of(request.page_size)
        before = decode_page_token(request.page_token, int)
        found = await self._network().messages_of(
            chain_id=current_caller().chain_id,
            phone=request.phone,
            before=int(before[0]) if before else None,
            most=size + 1,
        )
        page, token = cut_page(found, size, lambda message: (message.position,))
        return pb.ListSandboxMessagesResponse(messages=map(phone_message, page), next_page_token=token)

    def _network(self) -> Sandbox:
        if self._sandbox is None:
            raise SandboxOff
        return self._sandbox


def sender_message(sender: Sender) -> pb.Sender:
    """Return a sender as the contract says it."""
    return pb.Sender(
        sender_id=sender.sender_id,
        store_id=sender.store_id,
        phone=sender.phone,
        display_name=sender.display_name,
        create_time=timestamp_of(sender.created_at),
    )


def conversation_message(conversation: Conversation) -> pb.Conversation:
    """Return a conversation as the contract says it."""
    return pb.Conversation(
        conversation_id=conversation.conversation_id,
        store_id=conversation.store_id,
        sender_id=conversation.sender_id,
        client_id=conversation.client_id,
        client_phone=conversation.client_phone,
        is_shared_number=len(conversation.client_ids) > 1,
        unread_count=conversation.unread_count,
        last_message_time=timestamp_of(conversation.last_message_time),
        create_time=timestamp_of(conversation.created_at),
    )


def message_message(message: Message) -> pb.Message:
    """Return a text as the contract says it."""
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
        author=message.author,
        create_time=timestamp_of(message.created_at),
        update_time=timestamp_of(message.updated_at),
    )


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
        phone=entry.phone,
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
    return pb.SandboxMessage(
        provider_message_id=message.provider_message_id,
        from_phone=message.from_phone,
        to_phone=message.to_phone,
        body=message.body,
        segments=message.segments,
        create_time=timestamp_of(message.created_at),
    )


def _purpose(number: pb.Purpose.ValueType) -> Purpose:
    if number not in pb.Purpose.values() or number == pb.PURPOSE_UNSPECIFIED:
        raise invalid("purposes", "is not a purpose")
    return Purpose(pb.Purpose.Name(number).removeprefix("PURPOSE_"))


def _review_state(number: pb.PermissionReviewState.ValueType) -> ReviewState:
    if number == pb.PERMISSION_REVIEW_STATE_UNSPECIFIED:
        return ReviewState.OPEN
    return ReviewState(pb.PermissionReviewState.Name(number).removeprefix("PERMISSION_REVIEW_STATE_"))


def _author(caller: Caller) -> str:
    return caller.associate_id or caller.actor_id


def _micros(moment: datetime) -> int:
    return (moment - _EPOCH) // timedelta(microseconds=1)


def _moment(micros: int) -> datetime:
    return _EPOCH + timedelta(microseconds=micros)
