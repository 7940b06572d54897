"""Preferences on the wire."""

from typing import Any

from carnet.profiles.v1 import profiles_pb2 as pb

from chassis.caller import current_caller
from chassis.clock import Clock
from chassis.database import Database, RequestKey
from profiles.grpc_api.client_messages import client_message, preference_of
from profiles.use_cases import preferences as use_cases


class PreferenceCalls:
    """The RPCs on preferences."""

    _database: Database
    _clock: Clock

    async def AddPreference(self, request: pb.AddPreferenceRequest, context: Any) -> pb.Client:
        """Add one preference."""
        return client_message(
            await use_cases.add_preference(
                database=self._database,
                clock=self._clock,
                caller=current_caller(),
                key=RequestKey.of(request),
                client_id=request.client_id,
                preference=preference_of(request.preference, "preference"),
            )
        )

    async def RemovePreference(self, request: pb.RemovePreferenceRequest, context: Any) -> pb.Client:
        """Forget a preference."""
        return client_message(
            await use_cases.remove_preference(
                database=self._database,
                clock=self._clock,
                caller=current_caller(),
                client_id=request.client_id,
                preference_id=request.preference_id,
            )
        )
