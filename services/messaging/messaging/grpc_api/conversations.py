"""The contract's side of working on conversations."""

from typing import Any

from carnet.messaging.v1 import conversations_pb2 as pb
from carnet.messaging.v1 import conversations_pb2_grpc, messaging_pb2

from chassis.caller import current_caller
from chassis.database import RequestKey
from chassis.errors import invalid
from chassis.paging import cut_page, decode_page_token, page_size_of
from messaging import words
from messaging.domain import Conversation, ConversationState
from messaging.grpc_api.inbox import Inbox, reader_of
from messaging.grpc_api.rendering import author_of, message_message
from messaging.parts import Parts
from messaging.store import conversations, message_words
from messaging.use_cases import conversations as cases
from messaging.use_cases.media import pictures_of

_Context = Any  # grpc.aio.ServicerContext is generic in its stubs only


class ConversationsServicer(conversations_pb2_grpc.ConversationsServiceServicer):
    """Serves carnet.messaging.v1.ConversationsService."""

    def __init__(self, parts: Parts) -> None:
        self._database = parts.database
        self._clock = parts.clock
        self._profiles = parts.profiles
        self._suppressor = parts.suppressor
        self._inbox = Inbox(parts)

    async def AssignConversation(
        self, request: pb.AssignConversationRequest, context: _Context
    ) -> messaging_pb2.Conversation:
        caller = current_caller()
        conversation = await cases.assign_conversation(
            database=self._database,
            clock=self._clock,
            profiles=self._profiles,
            chain_id=caller.chain_id,
            key=RequestKey.of(request),
            conversation_id=request.conversation_id,
            assignee_id=request.assignee_id,
            note=request.note,
            actor=author_of(caller),
            reader_id=reader_of(caller),
            require_store=caller.require_store,
        )
        return await self._inbox.shown(conversation)

    async def CloseConversation(
        self, request: pb.CloseConversationRequest, context: _Context
    ) -> messaging_pb2.Conversation:
        return await self._set_state(request.conversation_id, ConversationState.CLOSED)

    async def ReopenConversation(
        self, request: pb.ReopenConversationRequest, context: _Context
    ) -> messaging_pb2.Conversation:
        return await self._set_state(request.conversation_id, ConversationState.OPEN)

    async def _set_state(self, conversation_id: str, state: ConversationState) -> messaging_pb2.Conversation:
        caller = current_caller()
        conversation = await cases.set_state(
            database=self._database,
            chain_id=caller.chain_id,
            conversation_id=conversation_id,
            state=state,
            reader_id=reader_of(caller),
            require_store=caller.require_store,
        )
        return await self._inbox.shown(conversation)

    async def AddConversationNote(
        self, request: pb.AddConversationNoteRequest, context: _Context
    ) -> messaging_pb2.Message:
        caller = current_caller()
        note = await cases.add_note(
            database=self._database,
            clock=self._clock,
            chain_id=caller.chain_id,
            key=RequestKey.of(request),
            conversation_id=request.conversation_id,
            body=request.body,
            author=author_of(caller),
            require_store=caller.require_store,
        )
        return message_message(note)

    async def MarkConversationUnread(
        self, request: pb.MarkConversationUnreadRequest, context: _Context
    ) -> messaging_pb2.Conversation:
        caller = current_caller()
        conversation = await cases.mark_unread(
            database=self._database,
            clock=self._clock,
            chain_id=caller.chain_id,
            conversation_id=request.conversation_id,
            message_id=request.message_id,
            reader_id=reader_of(caller),
        )
        return await self._inbox.shown(conversation)

    async def LinkConversation(
        self, request: pb.LinkConversationRequest, context: _Context
    ) -> messaging_pb2.Conversation:
        caller = current_caller()
        newcomer = request.new_client
        conversation = await cases.link_conversation(
            database=self._database,
            clock=self._clock,
            profiles=self._profiles,
            chain_id=caller.chain_id,
            key=RequestKey.of(request),
            conversation_id=request.conversation_id,
            client_id=request.client_id,
            newcomer=(newcomer.given_name, newcomer.family_name) if request.HasField("new_client") else None,
            associate_id=caller.associate_id,
            reader_id=reader_of(caller),
            require_store=caller.require_store,
        )
        return await self._inbox.shown(conversation)

    async def UnlinkConversation(
        self, request: pb.UnlinkConversationRequest, context: _Context
    ) -> messaging_pb2.Conversation:
        caller = current_caller()
        conversation = await cases.unlink_conversation(
            database=self._database,
            clock=self._clock,
            profiles=self._profiles,
            suppressor=self._suppressor,
            chain_id=caller.chain_id,
            conversation_id=request.conversation_id,
            client_id=request.client_id,
            is_reassigned=request.is_reassigned,
            actor=author_of(caller),
            reader_id=reader_of(caller),
            require_store=caller.require_store,
        )
        return await self._inbox.shown(conversation)

    async def SearchMessages(
        self, request: pb.SearchMessagesRequest, context: _Context
    ) -> pb.SearchMessagesResponse:
        if not words.has_word(request.query):
            raise invalid("query", "has no word in it")
        size = page_size_of(request.page_size)
        before = decode_page_token(request.page_token, int)
        async with self._database.transaction(current_caller().chain_id) as tx:
            found = await message_words.search(
                tx,
                request.query,
                store_id=request.store_id,
                conversation_ids=await cases.asked_for(
                    tx, client_id=request.client_id, conversation_id=request.conversation_id
                ),
                before=int(before[0]) if before else None,
                most=size + 1,
            )
            page, token = cut_page(found, size, lambda message: (message.position,))
            pictures = await pictures_of(tx, [message.message_id for message in page])
            within = await conversations.find_all(tx, {message.conversation_id for message in page})
        response = pb.SearchMessagesResponse(next_page_token=token)
        for message in page:
            conversation: Conversation = within[message.conversation_id]
            response.found.add(
                message=message_message(message, pictures.get(message.message_id, ())),
                store_id=message.store_id,
                client_id=conversation.client_id,
                excerpt=words.excerpt(message.body, request.query),
            )
        return response
