"""Conversations as a caller sees them: what the caller has not read, the last message, and who covers today."""

from collections.abc import Sequence

from carnet.messaging.v1 import messaging_pb2 as pb

from chassis.caller import Caller, current_caller
from messaging.domain import Conversation
from messaging.grpc_api.rendering import conversation_message, message_message
from messaging.parts import Parts
from messaging.store import message_words
from messaging.use_cases.media import pictures_of

# Who signs in; everything else that calls is a machine, and reads for nobody.
_PEOPLE = frozenset({"associate", "manager", "admin"})


def reader_of(caller: Caller) -> str:
    """Return who reads: the associate, or whoever is signed in; empty for a machine."""
    return caller.associate_id or (caller.actor_id if caller.role in _PEOPLE else "")


class Inbox:
    """Shows conversations of the current caller's chain."""

    def __init__(self, parts: Parts) -> None:
        self._database = parts.database
        self._staff = parts.staff

    async def seen_to_by(self, associate_id: str) -> list[str]:
        """Return the associate and those whom the associate covers for today; nobody when nobody is asked for."""
        if not associate_id:
            return []
        staff = await self._staff.of(current_caller().chain_id)
        return [
            associate_id,
            *(one.associate_id for one in staff.values() if one.cover_associate_id == associate_id),
        ]

    async def shown(self, conversation: Conversation) -> pb.Conversation:
        """Return one conversation as the contract says it."""
        return (await self.shown_all([conversation]))[0]

    async def shown_all(self, found: Sequence[Conversation]) -> list[pb.Conversation]:
        """Return conversations as the contract says them; asks for staff once at most, and for last messages once."""
        chain_id = current_caller().chain_id
        staff = await self._staff.of(chain_id) if any(one.assignee_id for one in found) else {}
        async with self._database.transaction(chain_id) as tx:
            last = await message_words.newest(tx, [one.conversation_id for one in found])
            pictures = await pictures_of(tx, [one.message_id for one in last.values()])
        shown = []
        for conversation in found:
            message = conversation_message(conversation)
            if conversation.assignee_id in staff:
                message.cover_associate_id = staff[conversation.assignee_id].cover_associate_id
            if (newest := last.get(conversation.conversation_id)) is not None:
                media = pictures.get(newest.message_id, ())
                message.last_message.CopyFrom(message_message(newest, media))
            shown.append(message)
        return shown
