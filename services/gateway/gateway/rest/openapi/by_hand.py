"""The entries of the two routes that are no transcoded RPC: the upload of a file and the live stream."""

from carnet.profiles.v1 import profiles_pb2

from gateway.feeds.domain import SCOPE_OF_PRODUCER
from gateway.rest.examples import example_of, example_value
from gateway.rest.openapi.comments import comments
from gateway.rest.openapi.failures import COMMON, refusals
from gateway.rest.openapi.schemas import Json, Schemas


def upload_operation(schemas: Schemas) -> Json:
    """Return the entry of the upload; the schema of its answer is added to `schemas`."""
    method = profiles_pb2.DESCRIPTOR.services_by_name["ProfilesService"].methods_by_name[
        "UploadImportContent"
    ]
    summary, _, rest = comments().get(method.full_name, "").partition("; ")
    binary = {"schema": {"type": "string", "format": "binary"}}
    return {
        "operationId": "UploadImportContent",
        "tags": ["profiles"],
        "summary": summary,
        "description": f"{rest} The body is the file itself, of any size. Needs the scope `imports:write`.".strip(),
        "x-carnet-scope": "imports:write",
        "parameters": [
            {
                "name": "import_id",
                "in": "path",
                "required": True,
                "schema": {"type": "string"},
                "example": example_value(profiles_pb2.Import.DESCRIPTOR.fields_by_name["import_id"]),
            }
        ],
        "requestBody": {
            "required": True,
            "content": dict.fromkeys(
                ("text/csv", "application/x-ndjson", "application/octet-stream"), binary
            ),
        },
        "responses": {
            "200": {
                "description": "The import, worked through.",
                "content": {
                    "application/json": {
                        "schema": schemas.response(profiles_pb2.Import.DESCRIPTOR),
                        "example": example_of(profiles_pb2.Import.DESCRIPTOR),
                    }
                },
            },
            **refusals((*COMMON, "409")),
        },
    }


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
