"""Events as profiles and messaging would tell them, with little to write where little matters."""

import asyncio
import itertools
from collections.abc import Iterable, Mapping
from datetime import date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from carnet.messaging.v1 import events_pb2 as messaging_events
from carnet.messaging.v1 import messaging_pb2
from carnet.profiles.v1 import events_pb2 as profiles_events
from google.protobuf.message import Message

from chassis.clock import FixedClock
from chassis.events import wrap
from chassis.ids import new_id
from chassis.service import Service
from chassis.testing import NOON
from chassis.values import proto_date_of, timestamp_of
from outreach.signals.book import MARKS, NEVER, Book, Histories, Mark, table
from outreach.signals.finding import day_number

TODAY = NOON.date()
ZONE = ZoneInfo("America/New_York")


def days_ago(count: int) -> date:
    return TODAY - timedelta(days=count)


def chain_created(chain_id: str, *, time_zone: str = ZONE.key, currency: str = "USD") -> Message:
    return profiles_events.ChainCreated(
        chain_id=chain_id, country="US", currency_code=currency, time_zone=time_zone
    )


def client_fact(
    client_id: str,
    *,
    version: int = 1,
    associate_id: str = "asc_1",
    store_id: str = "sto_1",
    occasions: Iterable[tuple[int, int, int, int]] = (),
) -> profiles_events.ClientFact:
    fact = profiles_events.ClientFact(
        client_id=client_id,
        home_store_id=store_id,
        associate_id=associate_id,
        language="en-US",
        time_zone=ZONE.key,
        version=version,
    )
    for number, (kind, year, month, day) in enumerate(occasions):
        occasion = fact.occasions.add(occasion_id=f"occ_{number}", kind=kind)
        occasion.date.year, occasion.date.month, occasion.date.day = year, month, day
    return fact


def client_created(client_id: str, **fields: object) -> Message:
    return profiles_events.ClientCreated(client=client_fact(client_id, **fields))


def client_changed(client_id: str, **fields: object) -> Message:
    return profiles_events.ClientChanged(client=client_fact(client_id, **fields))


def purchase_fact(
    client_id: str, day: date, *, minor: int = 50_000, purchase_id: str = "", currency: str = "USD"
) -> profiles_events.PurchaseFact:
    return profiles_events.PurchaseFact(
        purchase_id=purchase_id or new_id("pur"),
        client_id=client_id,
        store_id="sto_1",
        purchase_date=proto_date_of(day),
        total_minor=minor,
        currency_code=currency,
    )


def purchase(client_id: str, day: date, **fields: object) -> Message:
    return profiles_events.PurchaseRecorded(purchase=purchase_fact(client_id, day, **fields))


def returned(
    client_id: str,
    purchase_id: str,
    day: date,
    *,
    minor: int,
    return_id: str = "",
    currency: str = "USD",
) -> Message:
    return profiles_events.ReturnRecorded(
        return_id=return_id or new_id("ret"),
        purchase_id=purchase_id,
        client_id=client_id,
        store_id="sto_1",
        return_date=proto_date_of(day),
        total_minor=minor,
        currency_code=currency,
    )


def visit(client_id: str, day: date, *, visit_id: str = "") -> Message:
    return profiles_events.VisitRecorded(
        visit_id=visit_id or new_id("vis"),
        client_id=client_id,
        store_id="sto_1",
        visit_time=timestamp_of(datetime.combine(day, time(11), ZONE)),
    )


def message_sent(client_id: str, at: datetime, *, marketing: bool = True) -> Message:
    purpose = messaging_pb2.PURPOSE_MARKETING if marketing else messaging_pb2.PURPOSE_SERVICE
    return messaging_events.MessageSent(
        message_id=new_id("msg"),
        client_id=client_id,
        store_id="sto_1",
        purpose=purpose,
        send_time=timestamp_of(at),
    )


def message_received(client_id: str, at: datetime) -> Message:
    return messaging_events.MessageReceived(
        message_id=new_id("msg"), client_id=client_id, store_id="sto_1", receive_time=timestamp_of(at)
    )


def _source(event: Message) -> str:
    return type(event).DESCRIPTOR.full_name.split(".")[1]


class Story:
    """Tells one chain's events to the service's own consumers, as the broker would."""

    def __init__(self, service: Service, chain_id: str, clock: FixedClock) -> None:
        self.chain_id = chain_id
        self._service = service
        self._clock = clock

    async def tell(self, *events: Message) -> None:
        """Have each event handled, in this order."""
        await self.tell_at(self._clock.now(), *events)

    async def tell_at(self, said_at: datetime, *events: Message) -> None:
        """Have each event handled that was said at a moment."""
        for event in events:
            source = _source(event)
            envelope = wrap(event, source=source, chain_id=self.chain_id, entity_id="", now=said_at)
            consumer = next(part for part in self._service.consumers if part.stream == source.upper())
            # In a task of its own, as in the consumer's loop: the handler's caller must not become the test's.
            await asyncio.create_task(consumer.handle(envelope))

    async def tell_in_sets(self, *events: Message) -> None:
        """Have events handled as when they wait: those of one producer that follow each other in one transaction."""
        for source, following in itertools.groupby(events, key=_source):
            consumer = next(part for part in self._service.consumers if part.stream == source.upper())
            envelopes = [
                wrap(event, source=source, chain_id=self.chain_id, entity_id="", now=self._clock.now())
                for event in following
            ]
            await asyncio.create_task(consumer.handle_set(envelopes))

    async def open(self, **fields: object) -> None:
        """Open the chain."""
        await self.tell(chain_created(self.chain_id, **fields))


def book_of(
    as_of: date,
    *,
    purchases: Iterable[tuple[int, date, int]] = (),
    visits: Iterable[tuple[int, date] | tuple[int, date, date | None]] = (),
    occasions: Iterable[tuple[int, ...]] = (),
    texts: Iterable[tuple[int, date]] = (),
    answers: Iterable[tuple[int, date]] = (),
    rests: Iterable[tuple[int, int] | tuple[int, int, date]] = (),
    clients: int = 1,
    foreign: Iterable[tuple[int, date, int]] = (),
    gifts: Iterable[tuple[int, date, int]] = (),
    marks: Iterable[tuple[int, Mark, date]] = (),
    stores: Mapping[int, int] | None = None,
    associates: Mapping[int, int] | None = None,
) -> Book:
    """Return a book of clients 0, 1, ... who are in one associate's book unless said; money in minor units.

    An answer that rests a signal is today's unless said. A visit may say by which day a piece is needed; a gift says
    the contract's kind of occasion.
    """
    text_days, answer_days = dict(texts), dict(answers)

    def number(day: date | None) -> int:
        return NEVER if day is None else day_number(day)

    return Book.of(
        Histories(
            clients=table(
                [
                    (
                        c,
                        (associates or {}).get(c, 0),
                        number(text_days.get(c)),
                        number(answer_days.get(c)),
                        (stores or {}).get(c, -1),
                    )
                    for c in range(clients)
                ],
                5,
            ),
            purchases=table(
                [(c, day_number(day), minor, 1) for c, day, minor in purchases]
                + [(c, day_number(day), minor, 0) for c, day, minor in foreign],
                4,
            ),
            visits=table(
                [
                    (c, day_number(day), number(need_by[0] if need_by else None))
                    for c, day, *need_by in visits
                ],
                3,
            ),
            occasions=table([(*one, *(0, -1, 0)[len(one) - 5 :]) for one in occasions], 8),
            rests=table([(c, signal, day_number(day[0] if day else as_of)) for c, signal, *day in rests], 3),
            gifts=table([(c, day_number(day), kind) for c, day, kind in gifts], 3),
            marks=table([(c, MARKS.index(mark), day_number(day)) for c, mark, day in marks], 3),
        ),
        day_number(as_of),
    )
