"""Relationships on the wire."""

from typing import Any

from carnet.profiles.v1 import profiles_pb2 as pb

from chassis.caller import current_caller
from chassis.clock import Clock
from chassis.database import Database, RequestKey
from profiles.domain.relationships import Relationship
from profiles.grpc_api.client_messages import client_message
from profiles.use_cases import relationships as use_cases
from profiles.vocabulary import RELATIONSHIP_KINDS


class RelationshipCalls:
    """The RPCs on relationships."""

    _database: Database
    _clock: Clock

    async def AddRelationship(self, request: pb.AddRelationshipRequest, context: Any) -> pb.Client:
        """Say who belongs to a client."""
        said = request.relationship
        return client_message(
            await use_cases.add_relationship(
                database=self._database,
                clock=self._clock,
                caller=current_caller(),
                key=RequestKey.of(request),
                client_id=request.client_id,
                relationship=Relationship(
                    relationship_id="",
                    kind=RELATIONSHIP_KINDS.word(said.kind, "relationship.kind"),
                    related_client_id=said.related_client_id,
                    given_name=said.given_name,
                    family_name=said.family_name,
                    note=said.note,
                ),
            )
        )

    async def RemoveRelationship(self, request: pb.RemoveRelationshipRequest, context: Any) -> pb.Client:
        """Forget a relationship."""
        return client_message(
            await use_cases.remove_relationship(
                database=self._database,
                clock=self._clock,
                caller=current_caller(),
                client_id=request.client_id,
                relationship_id=request.relationship_id,
            )
        )
