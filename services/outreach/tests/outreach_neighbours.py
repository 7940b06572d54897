"""Profiles and messaging as outreach meets them: real servers of their contracts with made-up answers."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from carnet.messaging.v1 import messaging_pb2, messaging_pb2_grpc
from carnet.profiles.v1 import profiles_pb2, profiles_pb2_grpc, segments_pb2, segments_pb2_grpc

from chassis.caller import CallerVerifier
from chassis.clock import Clock
from chassis.errors import Kind, ServiceError, not_found, unavailable
from chassis.grpc_server import GrpcServer
from chassis.ids import new_id
from chassis.testing import Keys
from chassis.values import timestamp_of


class FakeProfiles(profiles_pb2_grpc.ProfilesServiceServicer):
    """Knows everybody; `names` says the given name and the language of a client."""

    def __init__(self) -> None:
        self.names: dict[str, tuple[str, str]] = {}
        self.gone: set[str] = set()
        self.preferences: dict[str, list[profiles_pb2.Preference]] = {}
        self.brands: dict[str, str] = {}
        self.may_answer = asyncio.Event()
        self.may_answer.set()
        self.segments = FakeSegments()

    async def GetClient(self, request: profiles_pb2.GetClientRequest, context: Any) -> profiles_pb2.Client:
        await self.may_answer.wait()
        if request.client_id in self.gone:
            raise not_found("client", request.client_id)
        given_name, language = self.names.get(request.client_id, ("Ana", "en-US"))
        return profiles_pb2.Client(
            client_id=request.client_id,
            given_name=given_name,
            language=language,
            preferences=self.preferences.get(request.client_id, ()),
        )

    async def GetAssociate(
        self, request: profiles_pb2.GetAssociateRequest, context: Any
    ) -> profiles_pb2.Associate:
        if request.associate_id in self.gone:
            raise not_found("associate", request.associate_id)
        return profiles_pb2.Associate(associate_id=request.associate_id, display_name="Mia")

    async def ListBrands(
        self, request: profiles_pb2.ListBrandsRequest, context: Any
    ) -> profiles_pb2.ListBrandsResponse:
        return profiles_pb2.ListBrandsResponse(
            brands=[
                profiles_pb2.Brand(brand_id=brand_id, display_name=name)
                for brand_id, name in self.brands.items()
            ]
        )

    async def GetStore(self, request: profiles_pb2.GetStoreRequest, context: Any) -> profiles_pb2.Store:
        return profiles_pb2.Store(store_id=request.store_id, display_name="Aurum Boston")


class FakeSegments(segments_pb2_grpc.SegmentsServiceServicer):
    """Knows the segments of `members`, and gives two clients a page."""

    def __init__(self) -> None:
        self.members: dict[str, list[str]] = {}
        self.sizes: dict[str, int] = {}

    async def CountSegment(
        self, request: segments_pb2.CountSegmentRequest, context: Any
    ) -> segments_pb2.SegmentCount:
        if request.segment_id not in self.members:
            raise not_found("segment", request.segment_id)
        size = self.sizes.get(request.segment_id, len(self.members[request.segment_id]))
        return segments_pb2.SegmentCount(client_count=size)

    async def ListSegmentClients(
        self, request: segments_pb2.ListSegmentClientsRequest, context: Any
    ) -> segments_pb2.ListSegmentClientsResponse:
        if request.segment_id not in self.members:
            raise not_found("segment", request.segment_id)
        start = int(request.page_token or 0)
        members = self.members[request.segment_id]
        return segments_pb2.ListSegmentClientsResponse(
            clients=[segments_pb2.SegmentClient(client_id=one) for one in members[start : start + 2]],
            next_page_token=str(start + 2) if start + 2 < len(members) else "",
        )


class FakeMessaging(messaging_pb2_grpc.MessagingServiceServicer):
    """Keeps messages by request id, as messaging promises; can deny, lose its answer, refuse, or be slow."""

    def __init__(self) -> None:
        self.forget()

    def forget(self) -> None:
        """Begin anew."""
        self.messages: dict[
            tuple[str, str], tuple[messaging_pb2.SendMessageRequest, messaging_pb2.Message]
        ] = {}
        self.state = messaging_pb2.MESSAGE_STATE_QUEUED
        self.reasons: list[tuple[str, str]] = []
        self.states: dict[str, messaging_pb2.MessageState.ValueType] = {}
        self.clock: Clock | None = None
        self.loses_answers = False
        self.refusal: ServiceError | None = None
        self.arrived = asyncio.Event()
        self.may_answer = asyncio.Event()
        self.may_answer.set()

    @property
    def bodies(self) -> list[str]:
        """Return the texts that went out, denied ones not."""
        denied = messaging_pb2.MESSAGE_STATE_DENIED
        return [request.body for request, message in self.messages.values() if message.state != denied]

    async def SendMessage(
        self, request: messaging_pb2.SendMessageRequest, context: Any
    ) -> messaging_pb2.Message:
        if self.refusal is not None:
            raise self.refusal
        key = (request.client_id, request.request_id)
        if key in self.messages:
            if self.messages[key][0] != request:
                raise ServiceError(
                    Kind.CONFLICT, "REQUEST_ID_REUSED", "This request id was used for a different request."
                )
        else:
            message = messaging_pb2.Message(
                message_id=new_id("msg"),
                conversation_id="cnv_1",
                state=self.states.get(request.client_id, self.state),
                direction=messaging_pb2.DIRECTION_OUTBOUND,
                body=request.body,
                create_time=timestamp_of(self.clock.now()) if self.clock else None,
            )
            for reason, words in self.reasons:
                message.decision.reasons.add(reason=reason, message=words)
            self.messages[key] = (request, message)
        self.arrived.set()
        await self.may_answer.wait()
        if self.loses_answers:
            raise unavailable("messaging")
        return self.messages[key][1]

    async def ListConversations(
        self, request: messaging_pb2.ListConversationsRequest, context: Any
    ) -> messaging_pb2.ListConversationsResponse:
        """Give every client one conversation, named after the client."""
        conversation = messaging_pb2.Conversation(conversation_id=f"cnv of {request.client_id}")
        return messaging_pb2.ListConversationsResponse(conversations=[conversation])

    async def ListMessages(
        self, request: messaging_pb2.ListMessagesRequest, context: Any
    ) -> messaging_pb2.ListMessagesResponse:
        client_id = request.conversation_id.removeprefix("cnv of ")
        return messaging_pb2.ListMessagesResponse(
            messages=[message for (whose, _), (_, message) in self.messages.items() if whose == client_id]
        )


@asynccontextmanager
async def neighbours_running(
    keys: Keys, clock: Clock
) -> AsyncIterator[tuple[str, FakeProfiles, FakeMessaging]]:
    """Serve both contracts on one port, with the platform's own server, for the time of a with block."""
    profiles, messaging = FakeProfiles(), FakeMessaging()
    server = GrpcServer(
        address="127.0.0.1:0",
        services=[
            "carnet.profiles.v1.ProfilesService",
            "carnet.profiles.v1.SegmentsService",
            "carnet.messaging.v1.MessagingService",
        ],
        register=[
            lambda server: profiles_pb2_grpc.add_ProfilesServiceServicer_to_server(profiles, server),
            lambda server: segments_pb2_grpc.add_SegmentsServiceServicer_to_server(profiles.segments, server),
            lambda server: messaging_pb2_grpc.add_MessagingServiceServicer_to_server(messaging, server),
        ],
        verifier=CallerVerifier(keys.public, clock),
        drain_seconds=0,
    )
    await server.start()
    try:
        yield f"127.0.0.1:{server.port}", profiles, messaging
    finally:
        await server.stop()
