"""Segments on the wire."""

from collections.abc import Mapping, Sequence
from typing import Any

from carnet.profiles.v1 import segments_pb2 as pb
from google.protobuf.empty_pb2 import Empty

from chassis.caller import current_caller
from chassis.clock import Clock
from chassis.database import Database, RequestKey
from chassis.paging import cut_page, decode_page_token, page_size_of
from chassis.values import date_of, proto_date_of, timestamp_of
from profiles.domain.segments import Lifecycle, Segment, SegmentClient, SegmentFilter
from profiles.store import segments as store
from profiles.use_cases import segments as use_cases
from profiles.vocabulary import LIFECYCLES, OCCASION_KINDS

_LISTS = ("store_ids", "associate_ids", "tags", "languages", "brand_ids", "categories", "metals", "stones")
_FIGURES = ("minimum_spent_minor", "maximum_spent_minor", "minimum_purchases", "maximum_purchases")
_FLAGS = ("has_phone", "has_email", "has_wish")
_DAYS = (
    "last_purchase_from", "last_purchase_until", "last_visit_from", "last_visit_until",
    "client_since_from", "client_since_until",
)  # fmt: skip


class SegmentCalls:
    """The RPCs on segments."""

    _database: Database
    _clock: Clock

    async def CreateSegment(self, request: pb.CreateSegmentRequest, context: Any) -> pb.Segment:
        """Save a filter."""
        return _segment(
            await use_cases.create_segment(
                database=self._database,
                clock=self._clock,
                caller=current_caller(),
                key=RequestKey.of(request),
                display_name=request.display_name,
                wanted=_filter_of(request.filter),
            )
        )

    async def GetSegment(self, request: pb.GetSegmentRequest, context: Any) -> pb.Segment:
        """Read one segment."""
        async with self._database.transaction(current_caller().chain_id) as tx:
            return _segment(await store.get_segment(tx, request.segment_id))

    async def ListSegments(self, request: pb.ListSegmentsRequest, context: Any) -> pb.ListSegmentsResponse:
        """List segments by name."""
        size = page_size_of(request.page_size)
        key = decode_page_token(request.page_token, str, str)
        async with self._database.transaction(current_caller().chain_id) as tx:
            found = await store.list_segments(
                tx, after=(str(key[0]), str(key[1])) if key else None, limit=size + 1
            )
        page, token = cut_page(found, size, lambda one: (one.display_name, one.segment_id))
        return pb.ListSegmentsResponse(segments=map(_segment, page), next_page_token=token)

    async def UpdateSegment(self, request: pb.UpdateSegmentRequest, context: Any) -> pb.Segment:
        """Change name and filter."""
        return _segment(
            await use_cases.update_segment(
                database=self._database,
                clock=self._clock,
                caller=current_caller(),
                segment_id=request.segment_id,
                display_name=request.display_name,
                wanted=_filter_of(request.filter),
                etag=request.etag,
            )
        )

    async def DeleteSegment(self, request: pb.DeleteSegmentRequest, context: Any) -> Empty:
        """Forget a segment."""
        async with self._database.transaction(current_caller().chain_id) as tx:
            await store.delete_segment(tx, request.segment_id)
        return Empty()

    async def CountSegment(self, request: pb.CountSegmentRequest, context: Any) -> pb.SegmentCount:
        """Count a segment's clients now."""
        return _count(
            await use_cases.count_segment(
                database=self._database,
                clock=self._clock,
                caller=current_caller(),
                segment_id=request.segment_id,
            )
        )

    async def ListSegmentClients(
        self, request: pb.ListSegmentClientsRequest, context: Any
    ) -> pb.ListSegmentClientsResponse:
        """List a segment's clients."""
        size = page_size_of(request.page_size)
        key = decode_page_token(request.page_token, str)
        found = await use_cases.list_segment_clients(
            database=self._database,
            clock=self._clock,
            caller=current_caller(),
            segment_id=request.segment_id,
            before=str(key[0]) if key else "",
            limit=size + 1,
        )
        page, token = cut_page(found, size, lambda one: (one.client_id,))
        return pb.ListSegmentClientsResponse(clients=map(_client, page), next_page_token=token)

    async def PreviewSegment(
        self, request: pb.PreviewSegmentRequest, context: Any
    ) -> pb.PreviewSegmentResponse:
        """Say whom a filter would find."""
        counts, first = await use_cases.preview_segment(
            database=self._database,
            clock=self._clock,
            caller=current_caller(),
            wanted=_filter_of(request.filter),
            limit=page_size_of(request.page_size),
        )
        return pb.PreviewSegmentResponse(count=_count(counts), clients=map(_client, first))


def _filter_of(message: pb.SegmentFilter) -> SegmentFilter:
    given = {field.name for field, _ in message.ListFields()}
    values: dict[str, Any] = {name: tuple(getattr(message, name)) for name in _LISTS}
    values |= {name: getattr(message, name) for name in (*_FIGURES, *_FLAGS) if name in given}
    values |= {name: date_of(getattr(message, name), f"filter.{name}") for name in _DAYS if name in given}
    return SegmentFilter(
        lifecycles=tuple(
            LIFECYCLES.word(number, f"filter.lifecycles[{index}]")
            for index, number in enumerate(message.lifecycles)
        ),
        occasion_kind=OCCASION_KINDS.optional(message.occasion_kind),
        occasion_months=tuple(message.occasion_months),
        **values,
    )


def _filter_message(wanted: SegmentFilter) -> pb.SegmentFilter:
    values: dict[str, Any] = {name: getattr(wanted, name) for name in (*_LISTS, *_FIGURES, *_FLAGS)}
    values |= {name: proto_date_of(getattr(wanted, name)) for name in _DAYS}
    return pb.SegmentFilter(
        lifecycles=[LIFECYCLES.number(word) for word in wanted.lifecycles],
        occasion_kind=OCCASION_KINDS.number(wanted.occasion_kind),
        occasion_months=wanted.occasion_months,
        **values,
    )


def _segment(segment: Segment) -> pb.Segment:
    return pb.Segment(
        segment_id=segment.segment_id,
        display_name=segment.display_name,
        filter=_filter_message(segment.filter),
        create_time=timestamp_of(segment.created_at),
        update_time=timestamp_of(segment.updated_at),
        etag=segment.etag,
    )


def _count(counts: Mapping[Lifecycle, int]) -> pb.SegmentCount:
    ordered: Sequence[tuple[Lifecycle, int]] = store.sorted_counts(counts)
    return pb.SegmentCount(
        client_count=sum(count for _, count in ordered),
        lifecycles=[
            pb.LifecycleCount(lifecycle=LIFECYCLES.number(lifecycle), client_count=count)
            for lifecycle, count in ordered
        ],
    )


def _client(one: SegmentClient) -> pb.SegmentClient:
    return pb.SegmentClient(
        client_id=one.client_id,
        given_name=one.given_name,
        family_name=one.family_name,
        home_store_id=one.home_store_id,
        associate_id=one.associate_id,
        lifecycle=LIFECYCLES.number(one.lifecycle),
        purchase_count=one.purchases,
        spent_minor=one.spent_minor,
        last_purchase_date=proto_date_of(one.last_purchase_on),
        last_visit_date=proto_date_of(one.last_visit_on),
    )
