"""The contract's side of messaging: messages to arguments, results to messages; reads go straight to the store."""

from typing import Any

from carnet.messaging.v1 import messaging_pb2 as pb
from carnet.messaging.v1 import messaging_pb2_grpc

from chassis.caller import current_caller
from chassis.database import RequestKey
from chassis.errors import invalid, not_found
from chassis.paging import cut_page, decode_page_token, page_size_of
from chassis.values import datetime_of
from messaging.domain import Message, ReviewState, SandboxOff, plain_email
from messaging.grpc_api.inbox import Inbox, reader_of
from messaging.grpc_api.rendering import (
    author_of,
    channel_of,
    conversation_state_of,
    decision_message,
    entry_message,
    message_message,
    micros_of,
    moment_of,
    phone_message,
    purpose_of,
    review_message,
    review_state_of,
    sandbox_phone_message,
    sender_message,
)
from messaging.parts import Parts
from messaging.providers.sandbox import Sandbox
from messaging.store import conversations, messages, reviews, senders
from messaging.use_cases import conversations as conversation_cases
from messaging.use_cases import messages as message_cases
from messaging.use_cases import permissions as permission_cases
from messaging.use_cases import reviews as review_cases
from messaging.use_cases import senders as sender_cases
from messaging.use_cases.media import pictures_of, uploaded
from messaging.use_cases.messages import Wanted
from messaging.use_cases.permissions import address_of

_Context = Any  # grpc.aio.ServicerContext is generic in its stubs only
_DECIDED = {
    pb.PERMISSION_REVIEW_DECISION_CONFIRM: ReviewState.CONFIRMED,
    pb.PERMISSION_REVIEW_DECISION_LIFT: ReviewState.LIFTED,
}


class MessagingServicer(messaging_pb2_grpc.MessagingServiceServicer):
    """Serves carnet.messaging.v1.MessagingService."""

    def __init__(self, parts: Parts) -> None:
        self._database = parts.database
        self._clock = parts.clock
        self._profiles = parts.profiles
        self._suppressor = parts.suppressor
        self._due = parts.due
        self._sandbox = parts.sandbox
        self._inbox = Inbox(parts)

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
            channel=channel_of(request.channel),
            email=request.email,
            brand_registration_id=request.brand_registration_id,
            messaging_service_id=request.messaging_service_id,
            segments_per_second=request.segments_per_second,
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
        message = await message_cases.send_message(
            database=self._database,
            clock=self._clock,
            profiles=self._profiles,
            suppressor=self._suppressor,
            wake=self._due,
            chain_id=caller.chain_id,
            key=RequestKey.of(request),
            wanted=Wanted(
                purpose=purpose_of(request.purpose),
                client_id=request.client_id,
                store_id=request.store_id,
                conversation_id=request.conversation_id,
                channel=channel_of(request.channel) if request.channel else None,
                body=request.body,
                subject=request.subject,
                media_ids=tuple(request.media_ids),
                template_id=request.template_id,
                values=dict(request.values),
                campaign_id=request.campaign_id,
                reminder_id=request.reminder_id,
                send_at=datetime_of(request.send_time) if request.HasField("send_time") else None,
                expires_at=datetime_of(request.expire_time) if request.HasField("expire_time") else None,
            ),
            author=author_of(caller),
            require_store=caller.require_store,
        )
        return await self._told(message)

    async def CheckMessage(self, request: pb.CheckMessageRequest, context: _Context) -> pb.GateDecision:
        caller = current_caller()
        decision = await message_cases.check_message(
            database=self._database,
            clock=self._clock,
            profiles=self._profiles,
            suppressor=self._suppressor,
            chain_id=caller.chain_id,
            wanted=Wanted(
                purpose=purpose_of(request.purpose),
                client_id=request.client_id,
                store_id=request.store_id,
                conversation_id=request.conversation_id,
                channel=channel_of(request.channel) if request.channel else None,
                body=request.body,
                template_id=request.template_id,
            ),
            author=author_of(caller),
        )
        return decision_message(decision)

    async def GetMessage(self, request: pb.GetMessageRequest, context: _Context) -> pb.Message:
        async with self._database.transaction(current_caller().chain_id) as tx:
            message = await message_cases.get_message(tx, request.message_id)
        return await self._told(message)

    async def CancelMessage(self, request: pb.CancelMessageRequest, context: _Context) -> pb.Message:
        message = await message_cases.cancel_message(
            database=self._database,
            clock=self._clock,
            chain_id=current_caller().chain_id,
            message_id=request.message_id,
        )
        return message_message(message)

    async def _told(self, message: Message) -> pb.Message:
        async with self._database.transaction(current_caller().chain_id) as tx:
            pictures = await pictures_of(tx, [message.message_id])
        return message_message(message, pictures.get(message.message_id, ()))

    async def ListConversations(
        self, request: pb.ListConversationsRequest, context: _Context
    ) -> pb.ListConversationsResponse:
        caller = current_caller()
        size = page_size_of(request.page_size)
        before = decode_page_token(request.page_token, int, str)
        wanted = conversations.Filter(
            store_id=request.store_id,
            client_id=request.client_id,
            state=conversation_state_of(request.state),
            channel=channel_of(request.channel) if request.channel else None,
            assignee_ids=await self._inbox.seen_to_by(request.assignee_id),
            is_unread=request.unread_only,
            is_unassigned=request.unassigned_only,
            is_unlinked=request.unlinked_only,
            is_waiting=request.waiting_only,
        )
        async with self._database.transaction(caller.chain_id) as tx:
            found = await conversations.page(
                tx,
                wanted,
                reader_id=reader_of(caller),
                before=(moment_of(int(before[0])), str(before[1])) if before else None,
                most=size + 1,
            )
        page, token = cut_page(
            found, size, lambda one: (micros_of(one.last_message_time), one.conversation_id)
        )
        return pb.ListConversationsResponse(
            conversations=await self._inbox.shown_all(page), next_page_token=token
        )

    async def GetConversation(self, request: pb.GetConversationRequest, context: _Context) -> pb.Conversation:
        caller = current_caller()
        async with self._database.transaction(caller.chain_id) as tx:
            conversation = await conversation_cases.get_conversation(
                tx, request.conversation_id, reader_id=reader_of(caller)
            )
        return await self._inbox.shown(conversation)

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
            pictures = await pictures_of(tx, [message.message_id for message in found])
        page, token = cut_page(found, size, lambda message: (message.position,))
        return pb.ListMessagesResponse(
            messages=[message_message(message, pictures.get(message.message_id, ())) for message in page],
            next_page_token=token,
        )

    async def MarkConversationRead(
        self, request: pb.MarkConversationReadRequest, context: _Context
    ) -> pb.Conversation:
        caller = current_caller()
        conversation = await conversation_cases.mark_read(
            database=self._database,
            clock=self._clock,
            chain_id=caller.chain_id,
            conversation_id=request.conversation_id,
            reader_id=reader_of(caller),
        )
        return await self._inbox.shown(conversation)

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
            before=(moment_of(int(before[0])), int(before[1])) if before else None,
            most=size + 1,
        )
        page, token = cut_page(found, size, lambda entry: (micros_of(entry.occurred_at), entry.position))
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
            purposes=[purpose_of(purpose) for purpose in request.purposes],
            channels=[channel_of(channel) for channel in request.channels],
            note=request.note,
            actor=author_of(caller),
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
            address=address_of(request.phone, request.email),
            purposes=[purpose_of(purpose) for purpose in request.purposes],
            channels=[channel_of(channel) for channel in request.channels],
            note=request.note,
            actor=author_of(caller),
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
                state=review_state_of(request.state),
                store_id=request.store_id,
                client_id=request.client_id,
                before=(moment_of(int(before[0])), str(before[1])) if before else None,
                most=size + 1,
            )
        page, token = cut_page(found, size, lambda review: (micros_of(review.created_at), review.review_id))
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
            actor=author_of(caller),
            require_store=caller.require_store,
        )
        return review_message(review)

    async def SimulateInbound(
        self, request: pb.SimulateInboundRequest, context: _Context
    ) -> pb.SimulateInboundResponse:
        network, chain_id = self._network(), current_caller().chain_id
        async with self._database.transaction(chain_id) as tx:
            pictures = await uploaded(tx, request.media_ids)
        provider_message_id = await network.text_from_phone(
            chain_id=chain_id,
            from_phone=request.from_phone,
            to_phone=request.to_phone,
            body=request.body,
            provider_message_id=request.provider_message_id,
            channel=channel_of(request.channel),
            pictures=[(medium.object_key, medium.content_type) for medium in pictures],
        )
        return pb.SimulateInboundResponse(provider_message_id=provider_message_id)

    async def ListSandboxPhones(
        self, request: pb.ListSandboxPhonesRequest, context: _Context
    ) -> pb.ListSandboxPhonesResponse:
        size = page_size_of(request.page_size)
        before = decode_page_token(request.page_token, int)
        found = await self._network().phones(
            chain_id=current_caller().chain_id, before=int(before[0]) if before else None, most=size + 1
        )
        page, token = cut_page(found, size, lambda message: (message.position,))
        return pb.ListSandboxPhonesResponse(
            phones=map(sandbox_phone_message, page),
            next_page_token=token,
        )

    async def ListSandboxMessages(
        self, request: pb.ListSandboxMessagesRequest, context: _Context
    ) -> pb.ListSandboxMessagesResponse:
        size = page_size_of(request.page_size)
        before = decode_page_token(request.page_token, int)
        if bool(request.phone) == bool(request.email):
            raise invalid("phone", "or email must be there, and not both")
        found = await self._network().messages_of(
            chain_id=current_caller().chain_id,
            phone=request.phone or plain_email(request.email),
            before=int(before[0]) if before else None,
            most=size + 1,
        )
        page, token = cut_page(found, size, lambda message: (message.position,))
        return pb.ListSandboxMessagesResponse(messages=map(phone_message, page), next_page_token=token)

    def _network(self) -> Sandbox:
        if self._sandbox is None:
            raise SandboxOff
        return self._sandbox
