"""What the REST side itself refuses, each with its reason. Must not know status codes."""

from collections.abc import Sequence

from chassis.errors import Kind, ServiceError, Violation


class RouteUnknown(ServiceError):
    """There is nothing at this path."""

    def __init__(self, path: str) -> None:
        super().__init__(Kind.NOT_FOUND, "ROUTE_NOT_FOUND", f"There is nothing at {path}; see /openapi.json.")


class MethodNotAllowed(ServiceError):
    """The path is right, the method is not."""

    def __init__(self, method: str, allowed: str) -> None:
        super().__init__(
            Kind.INVALID,
            "METHOD_NOT_ALLOWED",
            f"This path takes {allowed}, not {method}.",
            metadata={"allow": allowed},
        )


class BodyTooLarge(ServiceError):
    """The body is longer than JSON bodies may be."""

    def __init__(self, most: int) -> None:
        super().__init__(
            Kind.INVALID, "BODY_TOO_LARGE", f"A body has at most {most} bytes.", metadata={"most": str(most)}
        )


class ContentTypeUnsupported(ServiceError):
    """The body is not said to be what this path takes."""

    def __init__(self, wanted: str) -> None:
        super().__init__(Kind.INVALID, "CONTENT_TYPE_UNSUPPORTED", f"The Content-Type must be {wanted}.")


class BodyNotJson(ServiceError):
    """The body cannot be read as JSON; says where it breaks off."""

    def __init__(self, message: str, line: int, column: int) -> None:
        super().__init__(
            Kind.INVALID,
            "BODY_NOT_JSON",
            f"The body is not JSON: {message} at line {line}, column {column}.",
            metadata={"line": str(line), "column": str(column)},
        )


class FieldsInvalid(ServiceError):
    """Fields that are unknown or of the wrong type; all of them are named."""

    def __init__(self, violations: Sequence[Violation]) -> None:
        super().__init__(
            Kind.INVALID,
            "FIELD_INVALID",
            "; ".join(f"{v.field or 'body'}: {v.description}" for v in violations),
            violations=violations,
        )


class TokenMissing(ServiceError):
    """The request says not who it is from."""

    def __init__(self, detail: str = "Send the header Authorization: Bearer <token or key>.") -> None:
        super().__init__(Kind.UNAUTHENTICATED, "TOKEN_MISSING", detail)


class HeaderInvalid(ServiceError):
    """A header cannot be taken."""

    def __init__(self, header: str, why: str) -> None:
        super().__init__(
            Kind.INVALID, "HEADER_INVALID", f"The header {header} {why}.", metadata={"header": header}
        )


class RequestInProgress(ServiceError):
    """The same idempotency key is being worked on right now."""

    def __init__(self) -> None:
        super().__init__(
            Kind.CONFLICT,
            "REQUEST_IN_PROGRESS",
            "A request with this Idempotency-Key is still being worked on.",
            retry_after=1.0,
        )


class IdempotencyKeyReused(ServiceError):
    """The same idempotency key came with another request."""

    def __init__(self) -> None:
        super().__init__(
            Kind.CONFLICT, "IDEMPOTENCY_KEY_REUSED", "This Idempotency-Key was used for a different request."
        )


class IdempotencyUnavailable(ServiceError):
    """The memory of idempotency keys is away, and this operation has no other protection against a repeat."""

    def __init__(self) -> None:
        super().__init__(
            Kind.UNAVAILABLE,
            "IDEMPOTENCY_UNAVAILABLE",
            "Idempotency keys cannot be honoured at the moment. Try again, or leave the key out.",
            retry_after=2.0,
        )
