"""Visits on the wire."""

from collections.abc import Sequence
from datetime import date
from typing import Any

from carnet.profiles.v1 import profiles_pb2 as pb
from google.type.date_pb2 import Date

from chassis.caller import current_caller
from chassis.clock import Clock
from chassis.database import Database, RequestKey
from chassis.values import date_of, datetime_of, proto_date_of, timestamp_of
from profiles.domain.pieces import Visit, VisitItem
from profiles.grpc_api.pieces import piece_message, piece_of
from profiles.use_cases import visits as use_cases
from profiles.use_cases.visits import VisitFields


class VisitCalls:
    """The RPCs on visits."""

    _database: Database
    _clock: Clock

    async def RecordVisit(self, request: pb.RecordVisitRequest, context: Any) -> pb.Visit:
        """Record a visit of a known client."""
        visit = await use_cases.record_visit(
            database=self._database,
            clock=self._clock,
            caller=current_caller(),
            key=RequestKey.of(request),
            client_id=request.client_id,
            store_id=request.store_id,
            visited_at=datetime_of(request.visit_time) if request.HasField("visit_time") else None,
            fields=VisitFields(
                items=items_of(request.items),
                for_whom=request.for_whom,
                needed_by=optional_day(request, request.need_by_date),
                note=request.note,
            ),
        )
        return visit_message(visit)


def optional_day(request: pb.RecordVisitRequest | pb.CaptureVisitRequest, day: Date) -> date | None:
    """Return the day by which it is needed, None where nobody said."""
    return date_of(day, "need_by_date") if request.HasField("need_by_date") else None


def items_of(items: Sequence[pb.VisitItem]) -> list[VisitItem]:
    """Return what was looked at. Raises INVALID on the field."""
    return [
        VisitItem(piece_of(item.piece, f"items[{index}].piece"), item.is_liked)
        for index, item in enumerate(items)
    ]


def visit_message(visit: Visit) -> pb.Visit:
    """Return a visit as the contract spells it."""
    return pb.Visit(
        visit_id=visit.visit_id,
        client_id=visit.client_id,
        store_id=visit.store_id,
        associate_id=visit.associate_id,
        visit_time=timestamp_of(visit.visited_at),
        items=[pb.VisitItem(piece=piece_message(i.piece), is_liked=i.is_liked) for i in visit.items],
        for_whom=visit.for_whom,
        need_by_date=proto_date_of(visit.needed_by),
        note=visit.note,
        create_time=timestamp_of(visit.created_at),
    )
