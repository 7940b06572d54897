"""Events of others as the tables of facts hold them. Must only translate; effects are in `use_cases.facts`."""

import re
from collections.abc import Sequence
from datetime import date, datetime

from carnet.appointments.v1 import events_pb2 as appointments_events
from carnet.profiles.v1 import events_pb2 as profiles_events
from carnet.profiles.v1 import profiles_pb2
from carnet.waitlist.v1 import events_pb2 as waitlist_events
from google.protobuf.message import Message
from google.type.date_pb2 import Date

from chassis.values import date_of, datetime_of
from outreach.store.facts import ClientRow, OccasionRow, PurchaseRow, ReturnRow, VisitRow
from outreach.store.happenings import AppointmentMove, OfferMove, RepairMove, Wish

_LEAP_YEAR = 2000
_WORDS = re.compile(r"[^\W\d_]+")


def client_row(fact: profiles_events.ClientFact) -> ClientRow:
    """Return a client as the tables hold one."""
    return ClientRow(
        client_id=fact.client_id,
        associate_id=fact.associate_id,
        store_id=fact.home_store_id,
        language=fact.language,
        time_zone=fact.time_zone,
        occasions=_occasions(fact.occasions),
        version=fact.version,
        secondary_associate_id=fact.secondary_associate_id,
        derived_time_zone=fact.derived_time_zone,
        preferences=tuple(sorted((one.kind, one.value) for one in fact.preferences)),
    )


def purchase_row(fact: profiles_events.PurchaseFact) -> PurchaseRow:
    """Return a purchase as the tables hold one. Raises INVALID for a day that no calendar has."""
    return PurchaseRow(
        purchase_id=fact.purchase_id,
        client_id=fact.client_id,
        purchase_day=date_of(fact.purchase_date, "purchase_date"),
        total_minor=fact.total_minor,
        currency=fact.currency_code,
        recipient_client_id=fact.recipient_client_id,
        surprise_for_client_id=fact.surprise_for_client_id,
        surprise_ends_on=_day(fact, "surprise_end_date"),
        store_id=fact.store_id,
        associate_id=fact.associate_id,
        occasion_kind=fact.occasion_kind,
        is_engagement=_is_engagement(fact),
        lines=tuple(
            (
                line.brand_id,
                line.category,
                line.metal,
                line.stone,
                line.reference,
                line.quantity,
                line.amount_minor,
            )
            for line in fact.lines
        ),
    )


def visit_row(event: profiles_events.VisitRecorded) -> VisitRow:
    """Return a visit as the tables hold one."""
    return VisitRow(
        visit_id=event.visit_id,
        client_id=event.client_id,
        visited_at=datetime_of(event.visit_time),
        surprise_for_client_id=event.surprise_for_client_id,
        surprise_ends_on=_day(event, "surprise_end_date"),
        store_id=event.store_id,
        associate_id=event.associate_id,
        need_by=_day(event, "need_by_date"),
        looked_at=event.looked_at_count,
        tried_on=event.tried_on_count,
        liked=event.liked_count,
        occasion_kind=event.occasion_kind,
        recipient_client_id=event.recipient_client_id,
    )


def return_row(event: profiles_events.ReturnRecorded) -> ReturnRow:
    """Return what came back as the tables hold it."""
    return ReturnRow(
        return_id=event.return_id,
        purchase_id=event.purchase_id,
        client_id=event.client_id,
        returned_on=date_of(event.return_date, "return_date"),
        total_minor=event.total_minor,
        currency=event.currency_code,
    )


def repair_move(event: profiles_events.RepairMoved, *, moved_at: datetime) -> RepairMove:
    """Return what became of a repair."""
    return RepairMove(
        repair_id=event.repair_id,
        version=event.version,
        client_id=event.client_id,
        store_id=event.store_id,
        kind=event.kind,
        stage=event.stage,
        promised_on=_day(event, "promise_date"),
        moved_at=moved_at,
        surprise_for_client_id=event.surprise_for_client_id,
        surprise_ends_on=_day(event, "surprise_end_date"),
    )


def wish_row(fact: profiles_events.WishFact) -> Wish:
    """Return a wish as the tables hold one."""
    return Wish(
        wish_id=fact.wish_id,
        client_id=fact.client_id,
        version=fact.version,
        state=fact.state,
        brand_id=fact.brand_id,
        reference=fact.reference,
        category=fact.category,
        metal=fact.metal,
        stone=fact.stone,
        is_surprise=fact.is_surprise,
        surprise_ends_on=_day(fact, "surprise_end_date"),
        bought_by_client_id=fact.bought_by_client_id,
    )


def appointment_move(
    fact: appointments_events.AppointmentFact, state: str, *, said_at: datetime
) -> AppointmentMove:
    """Return what became of an appointment."""
    return AppointmentMove(
        appointment_id=fact.appointment_id,
        version=fact.version,
        client_id=fact.client_id,
        store_id=fact.store_id,
        state=state,
        starts_at=datetime_of(fact.start_time),
        said_at=said_at,
    )


def offer_move(fact: waitlist_events.OfferFact, state: str, *, said_at: datetime) -> OfferMove:
    """Return what became of an offer."""
    return OfferMove(
        offer_id=fact.offer_id,
        version=fact.version,
        client_id=fact.client_id,
        reference_id=fact.reference_id,
        store_id=fact.store_id,
        state=state,
        said_at=said_at,
    )


def _day(fact: Message, name: str) -> date | None:
    """Return a day that may be left out. Raises INVALID for one that no calendar has."""
    return date_of(getattr(fact, name), name) if fact.HasField(name) else None


def _is_engagement(fact: profiles_events.PurchaseFact) -> bool:
    """Return whether an engagement ring was bought: it is called so, or it is a ring for an engagement.

    What was bought for an engagement without saying which pieces, as in most imports, is taken for the ring.
    """
    categories = [line.category.lower() for line in fact.lines if line.category]
    if any("engagement" in category for category in categories):
        return True
    is_ring = any(
        word.removesuffix("s") == "ring" for category in categories for word in _WORDS.findall(category)
    )
    return fact.occasion_kind == profiles_pb2.OCCASION_KIND_ENGAGEMENT and (is_ring or not categories)


def _occasions(occasions: Sequence[profiles_events.OccasionFact]) -> tuple[OccasionRow, ...]:
    """Return the days that matter; one that never comes, such as 31 April, is left out."""
    return tuple(
        (
            occasion.kind,
            occasion.date.year,
            occasion.date.month,
            occasion.date.day,
            occasion.recurrence,
            occasion.lead_days if occasion.HasField("lead_days") else -1,
            occasion.relationship_kind,
            occasion.surprise_for_client_id,
            occasion.related_client_id,
        )
        for occasion in sorted(occasions, key=lambda occasion: occasion.occasion_id)
        if _returns(occasion.date)
    )


def _returns(day: Date) -> bool:
    try:
        date(_LEAP_YEAR, day.month, day.day)
    except ValueError:
        return False
    return True
