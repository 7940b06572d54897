"""What travels with a unit of work beside the caller: correlation, cause, deadline. Must stay a few variables."""

import time
from contextvars import ContextVar

import structlog

from chassis.ids import new_id

CORRELATION_KEY = "carnet-correlation"

_correlation: ContextVar[str] = ContextVar("correlation", default="")
_causation: ContextVar[str] = ContextVar("causation", default="")
_deadline: ContextVar[float | None] = ContextVar("deadline", default=None)


def begin_work(correlation_id: str = "", causation_id: str = "") -> str:
    """Start a unit of work in the current task and return its correlation id, a new one if none came along."""
    correlation_id = correlation_id or new_id("cor")
    _correlation.set(correlation_id)
    _causation.set(causation_id)
    structlog.contextvars.bind_contextvars(correlation_id=correlation_id)
    return correlation_id


def correlation_id() -> str:
    """Return the id that ties together everything one request or event led to; empty outside of work."""
    return _correlation.get()


def causation_id() -> str:
    """Return the id of the event that is being handled; empty when it is a request."""
    return _causation.get()


def set_deadline(seconds_left: float | None) -> None:
    """Say how long the caller will wait, in seconds from now; None for as long as it takes."""
    _deadline.set(None if seconds_left is None else time.monotonic() + seconds_left)


def seconds_left(most: float) -> float:
    """Return how long a call made now may take: what the caller has left, at most `most` seconds, never below zero."""
    deadline = _deadline.get()
    return most if deadline is None else max(0.0, min(most, deadline - time.monotonic()))
