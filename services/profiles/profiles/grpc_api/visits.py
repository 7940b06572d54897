"""Visits on the wire."""

from collections.abc import Sequence
from datetime import UTC, date, datetime
from typing import Any

from carnet.profiles.v1 import profiles_pb2 as pb
from google.type.date_pb2 import Date
from google.type.money_pb2 import Money

from chassis.caller import current_caller
from chassis.clock import Clock
from chassis.database import Database, RequestKey
from chassis.errors import invalid
from chassis.paging import cut_page, decode_page_token, page_size_of
from chassis.values import date_of, datetime_of, minor_of, money_of, proto_date_of, timestamp_of
from profiles.domain.pieces import Visit, VisitItem, require_budget
from profiles.grpc_api.pieces import piece_message, piece_of
from profiles.grpc_api.purchases import span_of
from profiles.grpc_api.surprises import surprise_of
from profiles.store import audit
from profiles.store import visits as store
from profiles.store.surprises import get_viewer
from profiles.use_cases import visits as use_cases
from profiles.use_cases.visits import VisitFields
from profiles.vocabulary import OCCASION_KINDS


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
            fields=visit_fields_of(request),
        )
        return visit_message(visit)

    async def GetVisit(self, request: pb.GetVisitRequest, context: Any) -> pb.Visit:
        """Read one visit."""
        caller = current_caller()
        async with self._database.transaction(caller.chain_id) as tx:
            visit = await store.get_visit(tx, request.visit_id)
            await audit.note(
                tx, caller, "GetVisit", [visit.client_id], now=self._clock.now(), subject_id=visit.visit_id
            )
            return visit_message(visit)

    async def ListVisits(self, request: pb.ListVisitsRequest, context: Any) -> pb.ListVisitsResponse:
        """List visits, newest first."""
        caller = current_caller()
        now = self._clock.now()
        size = page_size_of(request.page_size)
        start_on, end_on = span_of(request)
        before = _before(request.page_token)
        async with self._database.transaction(caller.chain_id) as tx:
            wanted = store.VisitFilter(
                viewer=await get_viewer(tx, request.client_id, now=now) if request.client_id else None,
                include_surprises=request.include_surprises,
                store_id=request.store_id,
                start_on=start_on,
                end_on=end_on,
            )
            found = await store.list_visits(tx, wanted, before=before, limit=size + 1)
            page, token = cut_page(found, size, lambda one: (one.visited_at.isoformat(), one.visit_id))
            read = [wanted.viewer.client_id] if wanted.viewer else [one.client_id for one in page]
            await audit.note(tx, caller, "ListVisits", read, now=now)
        return pb.ListVisitsResponse(visits=map(visit_message, page), next_page_token=token)


def _before(token: str) -> tuple[datetime, str] | None:
    if (key := decode_page_token(token, str, str)) is None:
        return None
    try:
        before = datetime.fromisoformat(str(key[0]))
    except ValueError as error:
        raise invalid("page_token", "is not a token that a previous page of this list returned") from error
    return before if before.tzinfo else before.replace(tzinfo=UTC), str(key[1])


def visit_fields_of(request: pb.RecordVisitRequest | pb.CaptureVisitRequest) -> VisitFields:
    """Return what a request says of a visit. Raises INVALID on the field, and CURRENCY_MISMATCH."""
    return VisitFields(
        items=items_of(request.items),
        for_whom=request.for_whom,
        needed_by=optional_day(request, request.need_by_date),
        note=request.note,
        occasion_kind=OCCASION_KINDS.optional(request.occasion_kind),
        budget=require_budget(
            minor_of(request.minimum_budget, "minimum_budget")
            if request.HasField("minimum_budget")
            else None,
            minor_of(request.maximum_budget, "maximum_budget")
            if request.HasField("maximum_budget")
            else None,
        ),
        companion=request.companion,
        recipient_client_id=request.recipient_client_id,
        surprise=surprise_of(request),
    )


def optional_day(request: pb.RecordVisitRequest | pb.CaptureVisitRequest, day: Date) -> date | None:
    """Return the day by which it is needed, None where nobody said."""
    return date_of(day, "need_by_date") if request.HasField("need_by_date") else None


def items_of(items: Sequence[pb.VisitItem]) -> list[VisitItem]:
    """Return what was looked at. Raises INVALID on the field."""
    return [
        VisitItem(piece_of(item.piece, f"items[{index}].piece"), item.is_liked, item.is_tried_on)
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
        items=[
            pb.VisitItem(
                piece=piece_message(item.piece), is_liked=item.is_liked, is_tried_on=item.is_tried_on
            )
            for item in visit.items
        ],
        for_whom=visit.for_whom,
        need_by_date=proto_date_of(visit.needed_by),
        note=visit.note,
        create_time=timestamp_of(visit.created_at),
        occasion_kind=OCCASION_KINDS.number(visit.occasion_kind),
        minimum_budget=_money(visit.budget.minimum_minor, visit.budget.currency_code),
        maximum_budget=_money(visit.budget.maximum_minor, visit.budget.currency_code),
        companion=visit.companion,
        recipient_client_id=visit.recipient_client_id,
        surprise_for_client_id=visit.surprise.client_id,
        surprise_end_date=proto_date_of(visit.surprise.ends_on),
    )


def _money(minor: int | None, currency_code: str) -> Money | None:
    return None if minor is None else money_of(minor, currency_code)
