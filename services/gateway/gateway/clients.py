"""What the gateway itself asks of other services, in its own words. Calls for people go through REST."""

from typing import Protocol

import grpc
from carnet.profiles.v1 import profiles_pb2, profiles_pb2_grpc

from chassis.caller import METADATA_KEY, CallerSigner

_SCOPES = frozenset({"directory:read"})


class Chains(Protocol):
    """Knows which chains there are."""

    async def require(self, chain_id: str) -> None:
        """Raise NOT_FOUND (CHAIN_NOT_FOUND) for a chain that was never opened."""
        ...


class ProfilesChains:
    """Asks profiles, as the gateway itself: the operator belongs to no chain and may not read any."""

    def __init__(self, channel: grpc.aio.Channel, signer: CallerSigner) -> None:
        self._stub = profiles_pb2_grpc.ProfilesServiceStub(channel)
        self._signer = signer

    async def require(self, chain_id: str) -> None:
        """Raise NOT_FOUND (CHAIN_NOT_FOUND) for a chain that was never opened."""
        caller = self._signer.service_caller(chain_id, _SCOPES)
        await self._stub.GetChain(
            profiles_pb2.GetChainRequest(chain_id=chain_id), metadata=((METADATA_KEY, caller.token),)
        )
