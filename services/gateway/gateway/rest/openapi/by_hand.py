"""The entry of the one route that is no RPC: the live stream."""

from gateway.feeds.domain import SCOPE_OF_PRODUCER
from gateway.rest.openapi.failures import refusals
from gateway.rest.openapi.schemas import Json


def stream_operation() -> Json:
    """Return the entry of the live stream."""
    event = {
        "id": "evt_01kk5t0q3v8n2e4w6y7z9a1b3c",
        "type": "carnet.waitlist.offer.accepted.v1",
        "time": "2026-03-14T17:00:00Z",
        "subject": "off_01kk5t0q3v8n2e4w6y7z9a1b3c",
        "data": {"offer": {"offer_id": "off_01kk5t0q3v8n2e4w6y7z9a1b3c"}},
    }
    needs = ", ".join(f"`{scope}` for {producer}" for producer, scope in SCOPE_OF_PRODUCER.items())
    return {
        "operationId": "StreamEvents",
        "tags": ["gateway"],
        "summary": "Follow what happens in the chain, as it happens",
        "description": (
            "Server-sent events. `id` is the position: send the last one back as `Last-Event-ID` and nothing is"
            " missed within 72 hours; after longer, the event `carnet.gateway.feed.gap.v1` says that there is a gap."
            " Without it the stream begins now. A comment comes every 15 seconds. Events come for the services that"
            " the caller may read: "
            f"{needs}. The token goes into the Authorization header, never into the address."
        ),
        "parameters": [
            {
                "name": "types",
                "in": "query",
                "required": False,
                "schema": {"type": "string"},
                "description": "Beginnings of event types, separated by commas; all when left out.",
                "example": "carnet.waitlist,carnet.messaging.message",
            },
            {
                "name": "Last-Event-ID",
                "in": "header",
                "required": False,
                "schema": {"type": "string", "pattern": "^[0-9]+$"},
                "example": "42",
            },
        ],
        "responses": {
            "200": {
                "description": "The stream.",
                "content": {
                    "text/event-stream": {
                        "schema": {
                            "type": "object",
                            "properties": {
                                "id": {"type": "string"},
                                "type": {"type": "string"},
                                "time": {"type": "string", "format": "date-time"},
                                "subject": {"type": "string"},
                                "data": {"type": "object"},
                            },
                            "required": ["id", "type", "time", "subject", "data"],
                        },
                        "example": event,
                    }
                },
            },
            **refusals(("400", "401", "403", "429")),
        },
    }
