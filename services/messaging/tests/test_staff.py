"""Who covers for whom: asked of a real gRPC server, remembered for a moment, and done without when it must be."""

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any

import pytest
import pytest_asyncio
from carnet.profiles.v1 import profiles_pb2 as pb
from carnet.profiles.v1 import profiles_pb2_grpc

from chassis.caller import CallerSigner, CallerVerifier, current_caller
from chassis.clock import FixedClock, SystemClock
from chassis.errors import Kind, ServiceError, not_found, unavailable
from chassis.grpc_server import GrpcServer
from chassis.testing import Keys, SignIn, channel_to, free_port
from messaging.clients import Associate, GrpcProfiles, Newcomer
from messaging.staff import Staff


class PlayedProfiles(profiles_pb2_grpc.ProfilesServiceServicer):
    """Has 250 associates in chn_one, of whom asc_3 is away and asc_4 has left, and notes who is made."""

    def __init__(self) -> None:
        self.asked = 0
        self.is_down = False
        self.made: list[pb.CreateClientRequest] = []

    async def ListAssociates(
        self, request: pb.ListAssociatesRequest, context: Any
    ) -> pb.ListAssociatesResponse:
        current_caller().require_scope("directory:read")
        self.asked += 1
        if self.is_down:
            raise unavailable("database")
        if current_caller().chain_id != "chn_one":
            return pb.ListAssociatesResponse()
        first = int(request.page_token or 0)
        last = min(first + request.page_size, 250)
        return pb.ListAssociatesResponse(
            associates=[
                pb.Associate(
                    associate_id=f"asc_{number}",
                    is_active=number != 4,
                    cover_associate_id="asc_7" if number == 3 else "",
                )
                for number in range(first, last)
            ],
            next_page_token=str(last) if last < 250 else "",
        )

    async def GetAssociate(self, request: pb.GetAssociateRequest, context: Any) -> pb.Associate:
        current_caller().require_scope("directory:read")
        if request.associate_id != "asc_4":
            raise not_found("associate", request.associate_id)
        return pb.Associate(associate_id="asc_4", display_name="Luis", is_active=False)

    async def CreateClient(self, request: pb.CreateClientRequest, context: Any) -> pb.Client:
        current_caller().require_scope("clients:write")
        self.made.append(request)
        return pb.Client(client_id="cli_new")


@pytest.fixture
def played() -> PlayedProfiles:
    """Return what answers in profiles' place."""
    return PlayedProfiles()


@pytest_asyncio.fixture(loop_scope="session")
async def profiles(keys: Keys, sign_in: SignIn, played: PlayedProfiles) -> AsyncIterator[GrpcProfiles]:
    """Return messaging's adapter; the person behind the call may neither read nor make clients."""
    sign_in("messages:send")
    server = GrpcServer(
        address=f"127.0.0.1:{free_port()}",
        services=["carnet.profiles.v1.ProfilesService"],
        register=[lambda server: profiles_pb2_grpc.add_ProfilesServiceServicer_to_server(played, server)],
        verifier=CallerVerifier(keys.public, SystemClock()),
        drain_seconds=0,
    )
    await server.start()
    async with channel_to(f"127.0.0.1:{server.port}") as channel:
        yield GrpcProfiles(channel, CallerSigner(keys.signing["messaging"], SystemClock()))
    await server.stop()


async def test_the_whole_staff_is_read_page_by_page_once_for_all_who_ask(
    profiles: GrpcProfiles, played: PlayedProfiles, clock: FixedClock
) -> None:
    staff = Staff(profiles, clock)
    answers = await asyncio.gather(*(staff.of("chn_one") for _ in range(20)))
    assert played.asked == 2
    assert all(len(answer) == 250 for answer in answers)
    known = answers[0]
    assert (known["asc_3"].cover_associate_id, known["asc_4"].is_active) == ("asc_7", False)
    assert await staff.of("chn_two") == {}


async def test_what_is_known_is_asked_for_again_after_a_while(
    profiles: GrpcProfiles, played: PlayedProfiles, clock: FixedClock
) -> None:
    staff = Staff(profiles, clock)
    await staff.of("chn_one")
    clock.advance(timedelta(seconds=29))
    await staff.of("chn_one")
    assert played.asked == 2
    clock.advance(timedelta(seconds=2))
    await staff.of("chn_one")
    assert played.asked == 4


async def test_while_profiles_is_silent_what_was_known_holds_and_it_is_not_asked_by_everybody(
    profiles: GrpcProfiles, played: PlayedProfiles, clock: FixedClock
) -> None:
    staff = Staff(profiles, clock)
    await staff.of("chn_one")
    played.is_down = True
    clock.advance(timedelta(minutes=1))
    asked = played.asked
    for _ in range(3):
        assert len(await staff.of("chn_one")) == 250
        assert await staff.of("chn_two") == {}
    failures = played.asked - asked
    played.is_down = False
    clock.advance(timedelta(seconds=6))
    assert len(await staff.of("chn_one")) == 250
    assert played.asked > asked + failures


async def test_an_associate_who_left_is_known_as_such_and_an_unknown_one_is_not_there(
    profiles: GrpcProfiles,
) -> None:
    assert await profiles.get_associate("chn_one", "asc_4") == Associate("asc_4", "Luis", is_active=False)
    with pytest.raises(ServiceError) as refused:
        await profiles.get_associate("chn_one", "asc_5")
    assert (refused.value.kind, refused.value.reason) == (Kind.NOT_FOUND, "ASSOCIATE_NOT_FOUND")


@pytest.mark.parametrize(
    ("address", "kind"),
    [
        ({"phone": "+12025550101"}, pb.CONTACT_KIND_PHONE),
        ({"email": "ines@example.com"}, pb.CONTACT_KIND_EMAIL),
    ],
)
async def test_a_newcomer_becomes_a_client_with_one_way_to_reach_them(
    profiles: GrpcProfiles, played: PlayedProfiles, address: dict[str, str], kind: int
) -> None:
    newcomer = Newcomer("Ines", "Moreau", "sto_1", "asc_3", **address)
    assert await profiles.create_client("chn_one", "messaging-client-1", newcomer) == "cli_new"
    (request,) = played.made
    assert (request.request_id, request.given_name, request.home_store_id, request.associate_id) == (
        "messaging-client-1",
        "Ines",
        "sto_1",
        "asc_3",
    )
    ((point_kind, value),) = [(one.kind, one.value) for one in request.contact_points]
    assert (point_kind, value) == (kind, *address.values())
