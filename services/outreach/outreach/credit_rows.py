"""Events of others as contacts and outcomes. Must only translate; what is credited is in `use_cases.outcomes`."""

from datetime import datetime

from carnet.messaging.v1 import events_pb2 as messaging_events
from carnet.profiles.v1 import events_pb2 as profiles_events

from chassis.values import date_of, datetime_of
from outreach.domain.attribution import OutcomeKind
from outreach.store.outcomes import Bought, OutcomeRow, outcome_of
from outreach.use_cases.outcomes import Text


def text_of(event: messaging_events.MessageSent) -> Text:
    """Return the text that went out."""
    return Text(
        message_id=event.message_id,
        client_id=event.client_id,
        store_id=event.store_id,
        author=event.author,
        sent_at=datetime_of(event.send_time),
    )


def reply_of(event: messaging_events.MessageReceived) -> OutcomeRow:
    """Return what a client wrote."""
    return OutcomeRow(
        outcome_id=outcome_of(event.message_id),
        kind=OutcomeKind.REPLY,
        client_id=event.client_id,
        store_id=event.store_id,
        occurred_at=datetime_of(event.receive_time),
    )


def visit_of(event: profiles_events.VisitRecorded) -> OutcomeRow:
    """Return that a client came in."""
    return OutcomeRow(
        outcome_id=outcome_of(event.visit_id),
        kind=OutcomeKind.VISIT,
        client_id=event.client_id,
        store_id=event.store_id,
        associate_id=event.associate_id,
        occurred_at=datetime_of(event.visit_time),
    )


def appointment_of(*, appointment_id: str, client_id: str, store_id: str, booked_at: datetime) -> OutcomeRow:
    """Return that a client booked; what counts is when it was booked, not for when."""
    return OutcomeRow(
        outcome_id=outcome_of(appointment_id),
        kind=OutcomeKind.APPOINTMENT,
        client_id=client_id,
        store_id=store_id,
        occurred_at=booked_at,
    )


def bought(fact: profiles_events.PurchaseFact) -> Bought:
    """Return what a client bought."""
    return Bought(
        purchase_id=fact.purchase_id,
        client_id=fact.client_id,
        store_id=fact.store_id,
        associate_id=fact.associate_id,
        day=date_of(fact.purchase_date, "purchase_date"),
        total_minor=fact.total_minor,
        currency=fact.currency_code,
    )
