"""Occasions on the wire."""

from dataclasses import replace
from typing import Any

from carnet.profiles.v1 import profiles_pb2 as pb

from chassis.caller import current_caller
from chassis.clock import Clock
from chassis.database import Database, RequestKey
from profiles.grpc_api.client_messages import client_message, occasion_of
from profiles.use_cases import occasions as use_cases


class OccasionCalls:
    """The RPCs on occasions."""

    _database: Database
    _clock: Clock

    async def AddOccasion(self, request: pb.AddOccasionRequest, context: Any) -> pb.Client:
        """Note a day that matters."""
        return client_message(
            await use_cases.add_occasion(
                database=self._database,
                clock=self._clock,
                caller=current_caller(),
                key=RequestKey.of(request),
                client_id=request.client_id,
                occasion=occasion_of(request.occasion, "occasion"),
            )
        )

    async def UpdateOccasion(self, request: pb.UpdateOccasionRequest, context: Any) -> pb.Client:
        """Put another content into an occasion."""
        occasion = occasion_of(request.occasion, "occasion")
        return client_message(
            await use_cases.update_occasion(
                database=self._database,
                clock=self._clock,
                caller=current_caller(),
                client_id=request.client_id,
                occasion=replace(occasion, occasion_id=request.occasion_id),
            )
        )

    async def RemoveOccasion(self, request: pb.RemoveOccasionRequest, context: Any) -> pb.Client:
        """Forget an occasion."""
        return client_message(
            await use_cases.remove_occasion(
                database=self._database,
                clock=self._clock,
                caller=current_caller(),
                client_id=request.client_id,
                occasion_id=request.occasion_id,
            )
        )
