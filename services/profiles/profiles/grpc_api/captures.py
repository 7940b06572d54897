"""Captures of walk-ins on the wire."""

from typing import Any

from carnet.profiles.v1 import profiles_pb2 as pb

from chassis.caller import current_caller
from chassis.clock import Clock
from chassis.database import Database, RequestKey
from chassis.values import datetime_of
from profiles.grpc_api.client_messages import client_message
from profiles.grpc_api.consents import consent_message, purposes_of
from profiles.grpc_api.visits import visit_fields_of, visit_message
from profiles.use_cases import captures as use_cases
from profiles.use_cases.consents import ConsentFields
from profiles.vocabulary import CHANNELS


class CaptureCalls:
    """The RPC that captures."""

    _database: Database
    _clock: Clock

    async def CaptureVisit(self, request: pb.CaptureVisitRequest, context: Any) -> pb.CaptureVisitResponse:
        """Capture a walk-in in one call."""
        consent = request.consent
        capture = await use_cases.capture_visit(
            database=self._database,
            clock=self._clock,
            caller=current_caller(),
            key=RequestKey.of(request),
            store_id=request.store_id,
            client_id=request.client_id,
            given_name=request.given_name,
            family_name=request.family_name,
            phone=request.phone,
            email=request.email,
            language=request.language,
            time_zone=request.time_zone,
            visit=visit_fields_of(request),
            consent=ConsentFields(
                channel=CHANNELS.word(consent.channel, "consent.channel"),
                purposes=purposes_of(consent.purposes, "consent.purposes"),
                wording=consent.wording,
                source=consent.source,
            )
            if request.HasField("consent")
            else None,
            visited_at=datetime_of(request.visit_time) if request.HasField("visit_time") else None,
            is_new_client=request.is_new_client,
        )
        return pb.CaptureVisitResponse(
            client=client_message(capture.client),
            visit=visit_message(capture.visit),
            consent=consent_message(capture.consent) if capture.consent else None,
            is_new_client=capture.is_new_client,
            remarks=capture.remarks,
        )
