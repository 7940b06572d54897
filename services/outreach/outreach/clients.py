"""Profiles and messaging, in outreach's own words. Must not decide what an answer means for a suggestion."""

import asyncio
import enum
from dataclasses import dataclass
from typing import Protocol

import grpc
from carnet.messaging.v1 import messaging_pb2, messaging_pb2_grpc
from carnet.profiles.v1 import profiles_pb2, profiles_pb2_grpc

from chassis.errors import Kind, ServiceError


@dataclass(frozen=True)
class Names:
    """Who writes to whom, for a draft; empty where there is none."""

    given_name: str
    language: str
    associate_name: str
    store_name: str


class Outcome(enum.Enum):
    """What became of a text."""

    TAKEN = "taken"
    DENIED = "denied"
    FAILED = "failed"


@dataclass(frozen=True)
class Answer:
    """What messaging says of one text; `reasons` are the gate's, as (UPPER_SNAKE, words)."""

    outcome: Outcome
    message_id: str
    conversation_id: str
    reasons: tuple[tuple[str, str], ...] = ()
    error_code: str = ""


class TextTaken(ServiceError):
    """Messaging had another text under this send id before; it was decided on then, and this one was not looked at."""


class Profiles(Protocol):
    """What outreach asks of profiles."""

    async def names(self, *, client_id: str, associate_id: str, store_id: str) -> Names: ...


class Messaging(Protocol):
    """What outreach asks of messaging."""

    async def send(self, *, send_id: str, client_id: str, store_id: str, body: str) -> Answer: ...


class GrpcProfiles:
    """Profiles behind its contract, asked on behalf of whoever is calling."""

    def __init__(self, channel: grpc.aio.Channel) -> None:
        self._stub: profiles_pb2_grpc.ProfilesServiceAsyncStub = profiles_pb2_grpc.ProfilesServiceStub(
            channel
        )

    async def names(self, *, client_id: str, associate_id: str, store_id: str) -> Names:
        """Return the names for a draft. Raises CLIENT_NOT_FOUND; a store or associate that is gone has no name."""
        client, associate_name, store_name = await asyncio.gather(
            self._client(client_id), self._associate_name(associate_id), self._store_name(store_id)
        )
        return Names(client.given_name, client.language, associate_name, store_name)

    async def _client(self, client_id: str) -> profiles_pb2.Client:
        return await self._stub.GetClient(profiles_pb2.GetClientRequest(client_id=client_id))

    async def _associate_name(self, associate_id: str) -> str:
        if not associate_id:
            return ""
        try:
            request = profiles_pb2.GetAssociateRequest(associate_id=associate_id)
            return (await self._stub.GetAssociate(request)).display_name
        except ServiceError as error:
            return _nameless(error)

    async def _store_name(self, store_id: str) -> str:
        if not store_id:
            return ""
        try:
            return (await self._stub.GetStore(profiles_pb2.GetStoreRequest(store_id=store_id))).display_name
        except ServiceError as error:
            return _nameless(error)


def _nameless(error: ServiceError) -> str:
    if error.kind is not Kind.NOT_FOUND:
        raise error
    return ""


_DENIED = messaging_pb2.MESSAGE_STATE_DENIED
_FAILED = (messaging_pb2.MESSAGE_STATE_FAILED, messaging_pb2.MESSAGE_STATE_CANCELLED)


class GrpcMessaging:
    """Messaging behind its contract, asked on behalf of whoever is calling."""

    def __init__(self, channel: grpc.aio.Channel) -> None:
        self._stub: messaging_pb2_grpc.MessagingServiceAsyncStub = messaging_pb2_grpc.MessagingServiceStub(
            channel
        )

    async def send(self, *, send_id: str, client_id: str, store_id: str, body: str) -> Answer:
        """Ask for a text to be sent; one `send_id` never gives two. Raises TextTaken when it had another body."""
        request = messaging_pb2.SendMessageRequest(
            request_id=send_id,
            client_id=client_id,
            store_id=store_id,
            body=body,
            purpose=messaging_pb2.PURPOSE_MARKETING,
        )
        try:
            message = await self._stub.SendMessage(request)
        except ServiceError as error:
            if error.reason == "REQUEST_ID_REUSED":
                raise TextTaken(error.kind, error.reason, error.message, metadata=error.metadata) from error
            raise
        if message.state == _DENIED:
            outcome = Outcome.DENIED
        else:
            outcome = Outcome.FAILED if message.state in _FAILED else Outcome.TAKEN
        return Answer(
            outcome=outcome,
            message_id=message.message_id,
            conversation_id=message.conversation_id,
            reasons=tuple((part.reason, part.message) for part in message.decision.reasons),
            error_code=message.error_code,
        )
