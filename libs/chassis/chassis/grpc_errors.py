"""ServiceError to gRPC status and back: the one table. Must not know HTTP."""

import grpc
from google.protobuf import any_pb2
from google.protobuf.duration_pb2 import Duration
from google.rpc import code_pb2, error_details_pb2, status_pb2
from grpc_status import rpc_status

from chassis.errors import Kind, ServiceError, Violation

CODES: dict[Kind, grpc.StatusCode] = {
    Kind.NOT_FOUND: grpc.StatusCode.NOT_FOUND,
    Kind.INVALID: grpc.StatusCode.INVALID_ARGUMENT,
    Kind.ALREADY_EXISTS: grpc.StatusCode.ALREADY_EXISTS,
    Kind.PRECONDITION: grpc.StatusCode.FAILED_PRECONDITION,
    Kind.CONFLICT: grpc.StatusCode.ABORTED,
    Kind.UNAUTHENTICATED: grpc.StatusCode.UNAUTHENTICATED,
    Kind.FORBIDDEN: grpc.StatusCode.PERMISSION_DENIED,
    Kind.EXHAUSTED: grpc.StatusCode.RESOURCE_EXHAUSTED,
    Kind.UNAVAILABLE: grpc.StatusCode.UNAVAILABLE,
    Kind.INTERNAL: grpc.StatusCode.INTERNAL,
}
_KINDS = {code: kind for kind, code in CODES.items()}


def internal(correlation_id: str) -> ServiceError:
    """Return what the outside is told of a fault nobody foresaw: nothing but where to look it up."""
    return ServiceError(
        Kind.INTERNAL,
        "INTERNAL",
        "Something went wrong on our side. Quote the correlation id when you report it.",
        metadata={"correlation_id": correlation_id},
    )


def status_of(error: ServiceError) -> status_pb2.Status:
    """Return the rich status of an error: reason and metadata, field violations, time to wait."""
    status = status_pb2.Status(code=code_pb2.Code.Value(CODES[error.kind].name), message=error.message)

    def attach(
        detail: error_details_pb2.ErrorInfo | error_details_pb2.BadRequest | error_details_pb2.RetryInfo,
    ) -> None:
        packed = any_pb2.Any()
        packed.Pack(detail)
        status.details.append(packed)

    attach(error_details_pb2.ErrorInfo(reason=error.reason, domain="carnet", metadata=error.metadata))
    if error.violations:
        attach(
            error_details_pb2.BadRequest(
                field_violations=[
                    error_details_pb2.BadRequest.FieldViolation(field=v.field, description=v.description)
                    for v in error.violations
                ]
            )
        )
    if error.retry_after is not None:
        wait = Duration()
        wait.FromMilliseconds(round(error.retry_after * 1000))
        attach(error_details_pb2.RetryInfo(retry_delay=wait))
    return status


def error_of(failure: grpc.aio.AioRpcError) -> ServiceError:
    """Return the typed error behind a failed call; what no service of ours said becomes UNAVAILABLE or INTERNAL."""
    code = failure.code()
    # grpc_status is written for the synchronous Call; AioRpcError has the same three methods.
    status = rpc_status.from_call(failure) if failure.trailing_metadata() else None  # type: ignore[arg-type]
    if status is None or not status.details:  # nothing that a service of ours said: the transport failed
        if code in (grpc.StatusCode.DEADLINE_EXCEEDED, grpc.StatusCode.UNAVAILABLE):
            reason = (
                "DEADLINE_EXCEEDED" if code is grpc.StatusCode.DEADLINE_EXCEEDED else "SERVICE_UNAVAILABLE"
            )
            return ServiceError(
                Kind.UNAVAILABLE, reason, "A part of the platform did not answer in time.", retry_after=1.0
            )
        return ServiceError(_KINDS.get(code, Kind.INTERNAL), code.name, failure.details() or code.name)
    reason, metadata = code.name, dict[str, str]()
    violations: list[Violation] = []
    retry_after: float | None = None
    for detail in status.details:
        info, bad, wait = (
            error_details_pb2.ErrorInfo(),
            error_details_pb2.BadRequest(),
            error_details_pb2.RetryInfo(),
        )
        if detail.Unpack(info):
            reason, metadata = info.reason, dict(info.metadata)
        elif detail.Unpack(bad):
            violations += [Violation(v.field, v.description) for v in bad.field_violations]
        elif detail.Unpack(wait):
            retry_after = wait.retry_delay.ToTimedelta().total_seconds()
    return ServiceError(
        _KINDS.get(code, Kind.INTERNAL),
        reason,
        status.message,
        metadata=metadata,
        violations=violations,
        retry_after=retry_after,
    )
