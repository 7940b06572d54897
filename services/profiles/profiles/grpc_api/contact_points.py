"""Contact points on the wire."""

from typing import Any

from carnet.profiles.v1 import profiles_pb2 as pb

from chassis.caller import current_caller
from chassis.clock import Clock
from chassis.database import Database, RequestKey
from profiles.grpc_api.client_messages import client_message, contact_of
from profiles.use_cases import contact_points as use_cases
from profiles.vocabulary import CONTACT_TYPES


class ContactPointCalls:
    """The RPCs on contact points."""

    _database: Database
    _clock: Clock

    async def AddContactPoint(self, request: pb.AddContactPointRequest, context: Any) -> pb.Client:
        """Add a phone number or an e-mail."""
        return client_message(
            await use_cases.add_contact_point(
                database=self._database,
                clock=self._clock,
                caller=current_caller(),
                key=RequestKey.of(request),
                client_id=request.client_id,
                contact=contact_of(request.contact_point, "contact_point"),
            )
        )

    async def UpdateContactPoint(self, request: pb.UpdateContactPointRequest, context: Any) -> pb.Client:
        """Change what is said of a contact point."""
        return client_message(
            await use_cases.update_contact_point(
                database=self._database,
                clock=self._clock,
                caller=current_caller(),
                client_id=request.client_id,
                contact_point_id=request.contact_point_id,
                contact_type=CONTACT_TYPES.optional(request.type),
                is_type_given=request.HasField("type"),
                label=request.label if request.HasField("label") else None,
                is_preferred=request.is_preferred if request.HasField("is_preferred") else None,
                is_verified=request.is_verified if request.HasField("is_verified") else None,
            )
        )

    async def RemoveContactPoint(self, request: pb.RemoveContactPointRequest, context: Any) -> pb.Client:
        """Take a contact point off a client."""
        return client_message(
            await use_cases.remove_contact_point(
                database=self._database,
                clock=self._clock,
                caller=current_caller(),
                client_id=request.client_id,
                contact_point_id=request.contact_point_id,
            )
        )
