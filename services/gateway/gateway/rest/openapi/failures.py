"""How a failure is described: the problem document, and a shared response for each status."""

from collections.abc import Iterable

from gateway.rest.openapi.schemas import Json
from gateway.rest.problems import MEDIA_TYPE

_STATUSES = {
    "400": "A field or header is wrong; all wrong fields are named.",
    "401": "The token is missing, unknown, revoked or expired.",
    "403": "The caller lacks the scope, or the store is not the caller's.",
    "404": "There is no such thing, or it is another chain's.",
    "409": "The present state of things does not allow it; see the reason.",
    "412": "It was changed since the etag was read.",
    "413": "The body is too large.",
    "415": "The body is not JSON.",
    "422": "The Idempotency-Key was used for a different request.",
    "429": "Too many requests.",
    "503": "A part of the platform does not answer; nothing was changed.",
}
COMMON = ("400", "401", "403", "404", "429", "503")
CHANGING = ("409", "413", "415", "422")


def refusals(statuses: Iterable[str]) -> Json:
    """Return references to the shared responses of some statuses, in that order."""
    return {status: {"$ref": f"#/components/responses/Problem{status}"} for status in statuses}


def shared_responses() -> Json:
    """Return the components that `refusals` refers to."""
    return {
        f"Problem{status}": {
            "description": description,
            "content": {MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}}},
        }
        for status, description in _STATUSES.items()
    }


def problem_schema() -> Json:
    """Return the schema of the problem document."""
    text: Json = {"type": "string"}
    return {
        "type": "object",
        "description": "RFC 9457.",
        "properties": {
            "type": {"type": "string", "format": "uri-reference"},
            "title": text,
            "status": {"type": "integer"},
            "detail": text,
            "reason": {
                "type": "string",
                "description": "UPPER_SNAKE, for programs.",
                "example": "OFFER_EXPIRED",
            },
            "violations": {
                "type": "array",
                "items": {
                    "type": "object",
                    "properties": {"field": text, "description": text},
                    "required": ["field", "description"],
                },
            },
            "metadata": {"type": "object", "additionalProperties": text},
            "correlation_id": text,
        },
        "required": [
            "type",
            "title",
            "status",
            "detail",
            "reason",
            "violations",
            "metadata",
            "correlation_id",
        ],
    }
