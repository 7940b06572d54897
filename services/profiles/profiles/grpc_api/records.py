"""Purchases, visits, captures, consents and timelines on the wire."""

from collections.abc import Sequence
from datetime import date, datetime
from typing import Any

from carnet.profiles.v1 import profiles_pb2 as pb
from google.type.date_pb2 import Date

from chassis.caller import current_caller
from chassis.clock import Clock
from chassis.database import Database, RequestKey
from chassis.errors import invalid
from chassis.paging import cut_page, decode_page_token, page_size_of
from chassis.values import date_of, datetime_of, minor_of, money_of, proto_date_of, timestamp_of
from profiles.domain.consents import Consent, Purpose
from profiles.domain.pieces import Piece, Purchase, PurchaseLine, Visit, VisitItem, one_currency
from profiles.domain.timeline import Entry
from profiles.grpc_api.clients import client_message
from profiles.store import clients as client_store
from profiles.store import records as store
from profiles.store import timeline as timeline_store
from profiles.use_cases import records as use_cases
from profiles.use_cases.records import ConsentFields, VisitFields
from profiles.vocabulary import CHANNELS, OCCASION_KINDS, PURPOSES, TIMELINE_KINDS


class RecordCalls:
    """The RPCs on what happened to clients."""

    _database: Database
    _clock: Clock

    async def RecordPurchase(self, request: pb.RecordPurchaseRequest, context: Any) -> pb.Purchase:
        """Record what a client bought."""
        amounts = [
            minor_of(line.amount, f"lines[{index}].amount") for index, line in enumerate(request.lines)
        ]
        currency_code = one_currency([currency for _, currency in amounts])
        purchase = await use_cases.record_purchase(
            database=self._database,
            clock=self._clock,
            caller=current_caller(),
            key=RequestKey.of(request),
            client_id=request.client_id,
            store_id=request.store_id,
            associate_id=request.associate_id,
            purchased_on=date_of(request.purchase_date, "purchase_date"),
            currency_code=currency_code,
            lines=[
                PurchaseLine(_piece(line.piece, f"lines[{index}].piece"), line.quantity, minor)
                for index, (line, (minor, _)) in enumerate(zip(request.lines, amounts, strict=True))
            ],
            occasion_kind=OCCASION_KINDS.optional(request.occasion_kind),
            for_whom=request.for_whom,
            source=request.source,
            external_id=request.external_id,
        )
        return _purchase_message(purchase)

    async def GetPurchase(self, request: pb.GetPurchaseRequest, context: Any) -> pb.Purchase:
        """Read one purchase."""
        async with self._database.transaction(current_caller().chain_id) as tx:
            return _purchase_message(await store.get_purchase(tx, request.purchase_id))

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
                items=_items(request.items),
                for_whom=request.for_whom,
                needed_by=_optional_day(request, request.need_by_date),
                note=request.note,
            ),
        )
        return _visit_message(visit)

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
            visit=VisitFields(
                items=_items(request.items),
                for_whom=request.for_whom,
                needed_by=_optional_day(request, request.need_by_date),
                note=request.note,
            ),
            consent=ConsentFields(
                channel=CHANNELS.word(consent.channel, "consent.channel"),
                purposes=_purposes(consent.purposes, "consent.purposes"),
                wording=consent.wording,
                source=consent.source,
            )
            if request.HasField("consent")
            else None,
        )
        return pb.CaptureVisitResponse(
            client=client_message(capture.client),
            visit=_visit_message(capture.visit),
            consent=_consent_message(capture.consent) if capture.consent else None,
            is_new_client=capture.is_new_client,
        )

    async def RecordConsent(self, request: pb.RecordConsentRequest, context: Any) -> pb.Consent:
        """Record what a client agreed to."""
        consent = await use_cases.record_consent(
            database=self._database,
            clock=self._clock,
            caller=current_caller(),
            key=RequestKey.of(request),
            client_id=request.client_id,
            contact_point_id=request.contact_point_id,
            fields=ConsentFields(
                channel=CHANNELS.word(request.channel, "channel"),
                purposes=_purposes(request.purposes, "purposes"),
                wording=request.wording,
                source=request.source,
            ),
        )
        return _consent_message(consent)

    async def GetConsent(self, request: pb.GetConsentRequest, context: Any) -> pb.Consent:
        """Read one consent."""
        async with self._database.transaction(current_caller().chain_id) as tx:
            return _consent_message(await store.get_consent(tx, request.consent_id))

    async def ListTimeline(self, request: pb.ListTimelineRequest, context: Any) -> pb.ListTimelineResponse:
        """Read a client's timeline, newest first."""
        size = page_size_of(request.page_size)
        kinds = [TIMELINE_KINDS.word(kind, f"kinds[{index}]") for index, kind in enumerate(request.kinds)]
        async with self._database.transaction(current_caller().chain_id) as tx:
            await client_store.require_client(tx, request.client_id)
            found = await timeline_store.list_entries(
                tx, request.client_id, kinds=kinds, before=_before(request.page_token), limit=size + 1
            )
        page, token = cut_page(found, size, lambda entry: (entry.occurred_at.isoformat(), entry.entry_id))
        return pb.ListTimelineResponse(entries=map(_entry_message, page), next_page_token=token)


def _before(token: str) -> tuple[datetime, str] | None:
    if (key := decode_page_token(token, str, str)) is None:
        return None
    try:
        return datetime.fromisoformat(str(key[0])), str(key[1])
    except ValueError as error:
        raise invalid("page_token", "is not a token that a previous page of this list returned") from error


def _optional_day(request: pb.RecordVisitRequest | pb.CaptureVisitRequest, day: Date) -> date | None:
    return date_of(day, "need_by_date") if request.HasField("need_by_date") else None


def _purposes(purposes: Sequence[int], field: str) -> list[Purpose]:
    return [PURPOSES.word(purpose, f"{field}[{index}]") for index, purpose in enumerate(purposes)]


def _items(items: Sequence[pb.VisitItem]) -> list[VisitItem]:
    return [
        VisitItem(_piece(item.piece, f"items[{index}].piece"), item.is_liked)
        for index, item in enumerate(items)
    ]


def _piece(piece: pb.Piece, field: str) -> Piece:
    price_minor, price_currency = (
        minor_of(piece.price, f"{field}.price") if piece.HasField("price") else (None, "")
    )
    return Piece(
        brand_id=piece.brand_id,
        reference=piece.reference,
        serial=piece.serial,
        category=piece.category,
        description=piece.description,
        metal=piece.metal,
        stone=piece.stone,
        cut=piece.cut,
        style=piece.style,
        size=piece.size,
        price_minor=price_minor,
        price_currency=price_currency,
    )


def _piece_message(piece: Piece) -> pb.Piece:
    return pb.Piece(
        brand_id=piece.brand_id,
        reference=piece.reference,
        serial=piece.serial,
        category=piece.category,
        description=piece.description,
        metal=piece.metal,
        stone=piece.stone,
        cut=piece.cut,
        style=piece.style,
        size=piece.size,
        price=None if piece.price_minor is None else money_of(piece.price_minor, piece.price_currency),
    )


def _purchase_message(purchase: Purchase) -> pb.Purchase:
    return pb.Purchase(
        purchase_id=purchase.purchase_id,
        client_id=purchase.client_id,
        store_id=purchase.store_id,
        associate_id=purchase.associate_id,
        purchase_date=proto_date_of(purchase.purchased_on),
        total=money_of(purchase.total_minor, purchase.currency_code),
        lines=[
            pb.PurchaseLine(
                piece=_piece_message(line.piece),
                quantity=line.quantity,
                amount=money_of(line.amount_minor, purchase.currency_code),
            )
            for line in purchase.lines
        ],
        occasion_kind=OCCASION_KINDS.number(purchase.occasion_kind),
        for_whom=purchase.for_whom,
        source=purchase.source,
        external_id=purchase.external_id,
        create_time=timestamp_of(purchase.created_at),
    )


def _visit_message(visit: Visit) -> pb.Visit:
    return pb.Visit(
        visit_id=visit.visit_id,
        client_id=visit.client_id,
        store_id=visit.store_id,
        associate_id=visit.associate_id,
        visit_time=timestamp_of(visit.visited_at),
        items=[pb.VisitItem(piece=_piece_message(i.piece), is_liked=i.is_liked) for i in visit.items],
        for_whom=visit.for_whom,
        need_by_date=proto_date_of(visit.needed_by),
        note=visit.note,
        create_time=timestamp_of(visit.created_at),
    )


def _consent_message(consent: Consent) -> pb.Consent:
    return pb.Consent(
        consent_id=consent.consent_id,
        client_id=consent.client_id,
        contact_point_id=consent.contact_point_id,
        contact_value=consent.contact_value,
        channel=CHANNELS.number(consent.channel),
        purposes=[PURPOSES.number(purpose) for purpose in consent.purposes],
        wording=consent.wording,
        captured_by=consent.captured_by,
        capture_time=timestamp_of(consent.captured_at),
        source=consent.source,
    )


def _entry_message(entry: Entry) -> pb.TimelineEntry:
    return pb.TimelineEntry(
        entry_id=entry.entry_id,
        client_id=entry.client_id,
        kind=TIMELINE_KINDS.number(entry.kind),
        occur_time=timestamp_of(entry.occurred_at),
        summary=entry.summary,
        subject_id=entry.subject_id,
    )
