"""A service that goes away is 503 with Retry-After, and nobody restarts the gateway when it is back."""

from typing import Any

from carnet.profiles.v1 import profiles_pb2_grpc

from chassis.caller import CallerVerifier
from chassis.clock import SystemClock
from chassis.grpc_server import GrpcServer
from chassis.testing import eventually


async def test_a_service_goes_and_comes_back(api: Any, keys: Any) -> None:
    token = await api.token_of_admin("chn_outage")
    assert (await api.as_token(token, "GET", "/v1/clients/cli_1")).status_code == 200
    address = api.settings.profiles_address
    await api.profiles_server.stop()
    refused = await api.as_token(token, "GET", "/v1/clients/cli_1")
    assert (refused.status_code, refused.json()["reason"]) == (503, "SERVICE_UNAVAILABLE")
    assert int(refused.headers["retry-after"]) >= 1
    assert (await api.as_token(token, "GET", "/v1/me")).status_code == 200  # the rest goes on
    back = GrpcServer(
        address=address,
        services=["carnet.profiles.v1.ProfilesService"],
        register=[
            lambda server: profiles_pb2_grpc.add_ProfilesServiceServicer_to_server(api.profiles, server)
        ],
        verifier=CallerVerifier(keys.public, SystemClock()),
        drain_seconds=0,
    )
    await back.start()

    async def is_back() -> bool:
        return (await api.as_token(token, "GET", "/v1/clients/cli_1")).status_code == 200

    await eventually(is_back)
    await back.stop()
