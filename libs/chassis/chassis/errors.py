"""The one typed error that crosses every boundary. Must not know gRPC, HTTP or any service's reasons."""

import enum
from collections.abc import Mapping, Sequence
from dataclasses import dataclass


class Kind(enum.StrEnum):
    """What sort of failure it is; decides how each transport says it."""

    NOT_FOUND = "NOT_FOUND"
    INVALID = "INVALID"
    ALREADY_EXISTS = "ALREADY_EXISTS"
    PRECONDITION = "PRECONDITION"
    CONFLICT = "CONFLICT"
    UNAUTHENTICATED = "UNAUTHENTICATED"
    FORBIDDEN = "FORBIDDEN"
    EXHAUSTED = "EXHAUSTED"
    UNAVAILABLE = "UNAVAILABLE"
    # Only ever read from a transport: a fault inside another process, whose details stay there.
    INTERNAL = "INTERNAL"


@dataclass(frozen=True)
class Violation:
    """One field that is wrong and why; `field` is the path as the contract spells it."""

    field: str
    description: str


class ServiceError(Exception):
    """A failure that the caller may know about.

    `reason` is UPPER_SNAKE, unique in its service and part of the contract. `metadata` holds ids and figures, never
    personal data. `retry_after` is in seconds. Services derive named errors from it, beside the rule that raises them.
    """

    def __init__(
        self,
        kind: Kind,
        reason: str,
        message: str,
        *,
        metadata: Mapping[str, str] | None = None,
        violations: Sequence[Violation] = (),
        retry_after: float | None = None,
    ) -> None:
        super().__init__(message)
        self.kind = kind
        self.reason = reason
        self.message = message
        self.metadata = dict(metadata or {})
        self.violations = tuple(violations)
        self.retry_after = retry_after

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.kind}, {self.reason}, {self.message!r})"


def invalid(field: str, description: str, *, reason: str = "FIELD_INVALID") -> ServiceError:
    """Return the error for one bad field of a request."""
    return ServiceError(
        Kind.INVALID, reason, f"{field}: {description}", violations=[Violation(field, description)]
    )


def not_found(entity: str, entity_id: str) -> ServiceError:
    """Return the error for an id that is nobody's, or another chain's: <ENTITY>_NOT_FOUND."""
    return ServiceError(
        Kind.NOT_FOUND,
        f"{entity.upper()}_NOT_FOUND",
        f"There is no {entity.replace('_', ' ')} with this id.",
        metadata={f"{entity}_id": entity_id},
    )


def unavailable(what: str, *, retry_after: float = 1.0) -> ServiceError:
    """Return the error for a part of the platform that does not answer right now; seconds to wait."""
    return ServiceError(
        Kind.UNAVAILABLE,
        f"{what.upper()}_UNAVAILABLE",
        f"The {what.replace('_', ' ')} does not answer at the moment. Nothing was changed; try again.",
        retry_after=retry_after,
    )
