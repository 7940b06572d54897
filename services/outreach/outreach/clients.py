"""Profiles and messaging, in outreach's own words. Must not decide what an answer means for a suggestion."""

import asyncio
import enum
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

import grpc
from carnet.messaging.v1 import messaging_pb2, messaging_pb2_grpc
from carnet.profiles.v1 import profiles_pb2, profiles_pb2_grpc, segments_pb2, segments_pb2_grpc

from chassis.errors import Kind, ServiceError
from chassis.values import datetime_of, minor_of


@dataclass(frozen=True)
class Names:
    """Who writes to whom, for a draft; empty where there is none."""

    given_name: str
    language: str
    associate_name: str
    store_name: str
    # Never said; so that an associate's edit with it in is not taken for a habit.
    family_name: str = ""


@dataclass(frozen=True)
class Said:
    """What a client said that no event says; prices are (minor units or None, currency)."""

    # Value, contract's SizeSystem.
    ring_sizes: tuple[tuple[str, int], ...] = ()
    wrist_sizes: tuple[tuple[str, int], ...] = ()
    lowest: tuple[int | None, str] = (None, "")
    highest: tuple[int | None, str] = (None, "")
    dislikes: tuple[str, ...] = ()


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

    async def brands(self) -> dict[str, str]: ...

    async def said(self, client_id: str) -> Said: ...


class Naming(Protocol):
    """What is asked of profiles for many texts at once: each name by itself, so that shared ones are asked for once."""

    async def given_name(self, client_id: str) -> tuple[str, str]: ...
    async def associate_name(self, associate_id: str) -> str: ...
    async def store_name(self, store_id: str) -> str: ...


class Segments(Protocol):
    """What outreach asks of profiles' segments."""

    async def count(self, segment_id: str) -> int: ...
    async def page(self, segment_id: str, token: str) -> tuple[list[str], str]: ...


class Messaging(Protocol):
    """What outreach asks of messaging."""

    async def send(self, *, send_id: str, client_id: str, store_id: str, body: str) -> Answer: ...
    async def find(self, *, client_id: str, body: str, since: datetime) -> Answer | None: ...


class GrpcProfiles:
    """Profiles behind its contract, asked on behalf of whoever is calling."""

    def __init__(self, channel: grpc.aio.Channel) -> None:
        self._stub: profiles_pb2_grpc.ProfilesServiceAsyncStub = profiles_pb2_grpc.ProfilesServiceStub(
            channel
        )

    async def names(self, *, client_id: str, associate_id: str, store_id: str) -> Names:
        """Return the names for a draft. Raises CLIENT_NOT_FOUND; a store or associate that is gone has no name."""
        client, associate_name, store_name = await asyncio.gather(
            self._client(client_id), self.associate_name(associate_id), self.store_name(store_id)
        )
        return Names(client.given_name, client.language, associate_name, store_name, client.family_name)

    async def brands(self) -> dict[str, str]:
        """Return the names of the chain's brands by id."""
        found: dict[str, str] = {}
        token = ""
        while True:
            request = profiles_pb2.ListBrandsRequest(page_size=200, page_token=token)
            page = await self._stub.ListBrands(request)
            found |= {brand.brand_id: brand.display_name for brand in page.brands}
            token = page.next_page_token
            if not token:
                return found

    async def said(self, client_id: str) -> Said:
        """Return sizes, prices and dislikes of a client. Raises CLIENT_NOT_FOUND."""
        preferences = (await self._client(client_id)).preferences

        def sizes(kind: profiles_pb2.PreferenceKind.ValueType) -> tuple[tuple[str, int], ...]:
            return tuple((one.value, one.size_system) for one in preferences if one.kind == kind)

        lowest: tuple[int | None, str] = (None, "")
        highest = lowest
        for one in preferences:
            if one.kind == profiles_pb2.PREFERENCE_KIND_PRICE_BAND:
                lowest = (
                    minor_of(one.minimum_price, "minimum_price") if one.HasField("minimum_price") else lowest
                )
                highest = (
                    minor_of(one.maximum_price, "maximum_price") if one.HasField("maximum_price") else highest
                )
        dislike = profiles_pb2.PREFERENCE_KIND_DISLIKE
        return Said(
            ring_sizes=sizes(profiles_pb2.PREFERENCE_KIND_RING_SIZE),
            wrist_sizes=sizes(profiles_pb2.PREFERENCE_KIND_WRIST_SIZE),
            lowest=lowest,
            highest=highest,
            dislikes=tuple(one.value for one in preferences if one.kind == dislike),
        )

    async def given_name(self, client_id: str) -> tuple[str, str]:
        """Return a client's given name and language. Raises CLIENT_NOT_FOUND."""
        client = await self._client(client_id)
        return client.given_name, client.language

    async def _client(self, client_id: str) -> profiles_pb2.Client:
        return await self._stub.GetClient(profiles_pb2.GetClientRequest(client_id=client_id))

    async def associate_name(self, associate_id: str) -> str:
        """Return an associate's name, empty for one who is gone."""
        if not associate_id:
            return ""
        try:
            request = profiles_pb2.GetAssociateRequest(associate_id=associate_id)
            return (await self._stub.GetAssociate(request)).display_name
        except ServiceError as error:
            return _nameless(error)

    async def store_name(self, store_id: str) -> str:
        """Return a store's name, empty for one that is gone."""
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


class GrpcSegments:
    """Profiles' segments behind their contract, asked on behalf of whoever is calling."""

    def __init__(self, channel: grpc.aio.Channel) -> None:
        self._stub: segments_pb2_grpc.SegmentsServiceAsyncStub = segments_pb2_grpc.SegmentsServiceStub(
            channel
        )

    async def count(self, segment_id: str) -> int:
        """Return how many clients are in a segment. Raises SEGMENT_NOT_FOUND."""
        counted = await self._stub.CountSegment(segments_pb2.CountSegmentRequest(segment_id=segment_id))
        return counted.client_count

    async def page(self, segment_id: str, token: str) -> tuple[list[str], str]:
        """Return some of a segment's clients and the token of the next ones. Raises SEGMENT_NOT_FOUND."""
        page = await self._stub.ListSegmentClients(
            segments_pb2.ListSegmentClientsRequest(
                segment_id=segment_id, page_size=_LARGEST_PAGE, page_token=token
            )
        )
        return [client.client_id for client in page.clients], page.next_page_token


_LARGEST_PAGE = 200
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
        return _answer(message)

    async def find(self, *, client_id: str, body: str, since: datetime) -> Answer | None:
        """Return the newest text with these words that a client was sent since then; None where there is none.

        For a text whose answer was lost and that may not be asked for again.
        """
        conversations = await self._stub.ListConversations(
            messaging_pb2.ListConversationsRequest(client_id=client_id, page_size=_LARGEST_PAGE)
        )
        for conversation in conversations.conversations:
            messages = await self._stub.ListMessages(
                messaging_pb2.ListMessagesRequest(
                    conversation_id=conversation.conversation_id, page_size=_LARGEST_PAGE
                )
            )
            for message in messages.messages:
                is_ours = message.direction == messaging_pb2.DIRECTION_OUTBOUND and message.body == body
                if is_ours and datetime_of(message.create_time) >= since:
                    return _answer(message)
        return None


def _answer(message: messaging_pb2.Message) -> Answer:
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
