"""What the gateway hears: every event of every service for the live feed, and the agreed ones for partner brands."""

from collections.abc import Awaitable, Callable

import orjson
from carnet.appointments.v1 import events_pb2 as appointments_events
from carnet.messaging.v1 import events_pb2 as messaging_events
from carnet.outreach.v1 import events_pb2 as outreach_events
from carnet.profiles.v1 import events_pb2 as profiles_events
from carnet.waitlist.v1 import events_pb2 as waitlist_events
from google.protobuf import json_format
from google.protobuf.message import Message

from chassis.clock import Clock
from chassis.consumer import Delivery, Handlers, Subscription
from chassis.contracts import event_type_of, events_of
from chassis.ids import new_id
from gateway.feeds import store
from gateway.feeds.domain import PARTNER_RULES, live_data, partner_data
from gateway.webhooks import store as webhooks

Wake = Callable[[], Awaitable[None]]
Tell = Callable[[str], Awaitable[None]]

_MODULES = (profiles_events, outreach_events, messaging_events, waitlist_events, appointments_events)
EVENTS: tuple[type[Message], ...] = tuple(
    message for module in _MODULES for message in events_of(module.DESCRIPTOR.package)
)


def subscriptions(*, clock: Clock, tell: Tell, wake: Wake) -> list[Subscription]:
    """Return both subscriptions: an outage of one feed must not hold up the other."""
    return [
        Subscription("feed", feed_handlers(clock=clock, tell=tell)),
        Subscription("partners", partner_handlers(clock=clock, wake=wake)),
    ]


def feed_handlers(*, clock: Clock, tell: Tell) -> Handlers:
    """Return one handler for every event there is."""

    async def on_event(delivery: Delivery[Message]) -> None:
        envelope = delivery.envelope
        document = {
            "id": envelope.event_id,
            "type": envelope.event_type,
            "time": envelope.time.isoformat().replace("+00:00", "Z"),
            "subject": envelope.entity_id,
            "data": live_data(envelope.event_type, _json(delivery.event)),
        }
        async with delivery.transaction() as tx:
            await store.add_to_feed(
                tx,
                event_id=envelope.event_id,
                event_type=envelope.event_type,
                subject=envelope.entity_id,
                body=orjson.dumps(document).decode(),
                event_time=envelope.time,
                now=clock.now(),
            )
        await tell(delivery.chain_id)

    return dict.fromkeys(EVENTS, on_event)


def partner_handlers(*, clock: Clock, wake: Wake) -> Handlers:
    """Return one handler for every event that partner brands may see."""

    async def on_partner_event(delivery: Delivery[Message]) -> None:
        envelope = delivery.envelope
        rule = PARTNER_RULES[envelope.event_type]
        data = partner_data(rule, _json(delivery.event))
        brand_id = data.get("brand_id", "")
        if not brand_id:
            delivery.ignore()  # a piece of no brand is nobody's to follow
            return
        now = clock.now()
        async with delivery.transaction() as tx:
            position = await store.add_partner_event(
                tx,
                brand_id=brand_id,
                event_id=envelope.event_id,
                event_type=envelope.event_type,
                subject=str(data.get(rule.subject, "")),
                data=data,
                event_time=envelope.time,
                now=now,
            )
            is_awaited = await webhooks.enqueue(
                tx,
                brand_id=brand_id,
                position=position,
                event_id=envelope.event_id,
                event_type=envelope.event_type,
                now=now,
                new_id=new_id("whd"),
            )
        if is_awaited:
            await wake()

    return {message: on_partner_event for message in EVENTS if event_type_of(message) in PARTNER_RULES}


def _json(event: Message) -> dict[str, object]:
    return json_format.MessageToDict(
        event, preserving_proto_field_name=True, always_print_fields_with_no_presence=True
    )
