"""Messaging's questions to profiles, asked of a real gRPC server that checks callers as profiles does."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import Any

import pytest
import pytest_asyncio
from carnet.profiles.v1 import profiles_pb2 as pb
from carnet.profiles.v1 import profiles_pb2_grpc

from chassis.caller import CallerSigner, CallerVerifier, current_caller
from chassis.clock import SystemClock
from chassis.errors import Kind, ServiceError, not_found
from chassis.grpc_server import GrpcServer
from chassis.testing import Keys, SignIn, channel_to, free_port
from messaging.clients import Consent, GrpcProfiles, Recipient
from messaging.domain import Purpose

CAPTURED = datetime(2026, 3, 1, tzinfo=UTC)


class PlayedProfiles(profiles_pb2_grpc.ProfilesServiceServicer):
    """Knows one client, one consent and one store of chn_one."""

    async def GetClient(self, request: pb.GetClientRequest, context: Any) -> pb.Client:
        if (current_caller().chain_id, request.client_id) != ("chn_one", "cli_1"):
            raise not_found("client", request.client_id)
        return pb.Client(
            client_id="cli_1",
            time_zone="America/Chicago",
            contact_points=[
                pb.ContactPoint(kind=pb.CONTACT_KIND_EMAIL, value="ana@example.com", is_preferred=True),
                pb.ContactPoint(kind=pb.CONTACT_KIND_PHONE, value="+13125550101"),
                pb.ContactPoint(kind=pb.CONTACT_KIND_PHONE, value="+13125550102", is_preferred=True),
            ],
        )

    async def GetConsent(self, request: pb.GetConsentRequest, context: Any) -> pb.Consent:
        consent = pb.Consent(
            consent_id=request.consent_id,
            client_id="cli_1",
            contact_value="+13125550102",
            channel=pb.CHANNEL_SMS,
            purposes=[pb.PURPOSE_SERVICE, pb.PURPOSE_MARKETING],
            wording="Yes, you may text me.",
            captured_by="asc_1",
        )
        consent.capture_time.FromDatetime(CAPTURED)
        return consent

    async def GetStore(self, request: pb.GetStoreRequest, context: Any) -> pb.Store:
        if request.store_id != "sto_1":
            raise not_found("store", request.store_id)
        return pb.Store(store_id="sto_1")


@pytest_asyncio.fixture(loop_scope="session")
async def profiles(keys: Keys, sign_in: SignIn) -> AsyncIterator[GrpcProfiles]:
    """Return messaging's adapter; the person behind the call may read no profiles."""
    sign_in("messages:send")
    server = GrpcServer(
        address=f"127.0.0.1:{free_port()}",
        services=["carnet.profiles.v1.ProfilesService"],
        register=[
            lambda server: profiles_pb2_grpc.add_ProfilesServiceServicer_to_server(PlayedProfiles(), server)
        ],
        verifier=CallerVerifier(keys.public, SystemClock()),
        drain_seconds=0,
    )
    await server.start()
    async with channel_to(f"127.0.0.1:{server.port}") as channel:
        yield GrpcProfiles(channel, CallerSigner(keys.signing["messaging"], SystemClock()))
    await server.stop()


async def test_a_client_is_its_phones_with_the_preferred_one_first(profiles: GrpcProfiles) -> None:
    expected = Recipient(
        "cli_1",
        "America/Chicago",
        ("+13125550102", "+13125550101"),
        True,
        ("ana@example.com",),
        True,
    )
    assert await profiles.get_recipient("chn_one", "cli_1") == expected


async def test_a_consent_comes_with_number_wording_and_purposes(profiles: GrpcProfiles) -> None:
    assert await profiles.get_consent("chn_one", "con_1") == Consent(
        "con_1",
        "cli_1",
        "+13125550102",
        (Purpose.SERVICE, Purpose.MARKETING),
        "Yes, you may text me.",
        "asc_1",
        CAPTURED,
    )


async def test_what_is_not_there_is_said_in_profiles_words(profiles: GrpcProfiles) -> None:
    for call, reason in (
        (profiles.get_recipient("chn_two", "cli_1"), "CLIENT_NOT_FOUND"),
        (profiles.require_store("chn_one", "sto_2"), "STORE_NOT_FOUND"),
    ):
        with pytest.raises(ServiceError) as refused:
            await call
        assert (refused.value.kind, refused.value.reason) == (Kind.NOT_FOUND, reason)


async def test_a_store_that_is_there_passes(profiles: GrpcProfiles) -> None:
    await profiles.require_store("chn_one", "sto_1")
