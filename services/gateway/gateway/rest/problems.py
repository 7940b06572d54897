"""Failures as HTTP says them (RFC 9457). The one place in the platform where a failure gets a status code.

Why these: 409 for everything that the present state of things refuses (RFC 9110 15.5.10), be it a rule, a duplicate or
a collision; the reason tells them apart. 412 only for an etag. 422 only for a reused idempotency key, as the
Idempotency-Key draft of the IETF has it. A refusal that may be repeated as it is carries Retry-After.
"""

import math
from collections.abc import Mapping
from typing import Any

import orjson
from starlette.responses import Response

from chassis.errors import Kind, ServiceError
from gateway.limits import RateLimited

STATUSES: dict[Kind, int] = {
    Kind.NOT_FOUND: 404,
    Kind.INVALID: 400,
    Kind.ALREADY_EXISTS: 409,
    Kind.PRECONDITION: 409,
    Kind.CONFLICT: 409,
    Kind.UNAUTHENTICATED: 401,
    Kind.FORBIDDEN: 403,
    Kind.EXHAUSTED: 429,
    Kind.UNAVAILABLE: 503,
    Kind.INTERNAL: 500,
}

# Where HTTP has a narrower word than the kind.
STATUSES_BY_REASON: dict[str, int] = {
    "IDEMPOTENCY_KEY_REUSED": 422,
    "REQUEST_ID_REUSED": 422,
    "METHOD_NOT_ALLOWED": 405,
    "BODY_TOO_LARGE": 413,
    "CONTENT_TYPE_UNSUPPORTED": 415,
}

MEDIA_TYPE = "application/problem+json"


def status_of(error: ServiceError) -> int:
    """Return the status code of an error; a reason that ends in _CHANGED says that an etag no longer fits."""
    if error.reason.endswith("_CHANGED") and error.kind in (Kind.CONFLICT, Kind.PRECONDITION):
        return 412
    return STATUSES_BY_REASON.get(error.reason, STATUSES[error.kind])


def document_of(error: ServiceError, correlation_id: str) -> dict[str, Any]:
    """Return the problem document of an error."""
    return {
        "type": f"/problems/{error.reason}",
        "title": error.reason.replace("_", " ").capitalize(),
        "status": status_of(error),
        "detail": error.message,
        "reason": error.reason,
        "violations": [{"field": v.field, "description": v.description} for v in error.violations],
        "metadata": error.metadata,
        "correlation_id": correlation_id,
    }


def headers_of(error: ServiceError) -> dict[str, str]:
    """Return the headers that go with an error."""
    headers: dict[str, str] = {}
    if error.retry_after is not None:
        headers["Retry-After"] = str(max(1, math.ceil(error.retry_after)))
    if error.kind is Kind.UNAUTHENTICATED:
        headers["WWW-Authenticate"] = 'Bearer realm="carnet"'
    if isinstance(error, RateLimited):
        headers |= limit_headers(
            error.allowance.limit, error.allowance.remaining, error.allowance.reset_seconds
        )
    if allow := error.metadata.get("allow"):
        headers["Allow"] = allow
    return headers


def limit_headers(limit: int, remaining: int, reset_seconds: float) -> dict[str, str]:
    """Return the RateLimit headers."""
    return {
        "RateLimit-Limit": str(limit),
        "RateLimit-Remaining": str(remaining),
        "RateLimit-Reset": str(math.ceil(reset_seconds)),
    }


def problem(error: ServiceError, correlation_id: str, headers: Mapping[str, str] | None = None) -> Response:
    """Return the response for an error."""
    return Response(
        orjson.dumps(document_of(error, correlation_id)),
        status_code=status_of(error),
        media_type=MEDIA_TYPE,
        headers={**(headers or {}), **headers_of(error)},
    )
