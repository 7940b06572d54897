"""Logs, metrics and traces of one process. Must let no phone number, e-mail, text or secret into any of them."""

import logging
import re
import sys
from collections.abc import MutableMapping
from typing import Any

import structlog
from opentelemetry import trace
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from prometheus_client import Counter, Gauge, Histogram

# Every metric of the chassis stands here; a service keeps its own in its `telemetry` module, if it has any.
_SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30)
GRPC_SECONDS = Histogram(
    "grpc_server_call_seconds", "Time to answer an RPC.", ["method", "code"], buckets=_SECONDS
)
OUTBOX_PUBLISHED = Counter("outbox_published_events", "Events handed to the broker.")
OUTBOX_WAITING = Gauge("outbox_waiting_events", "Committed events that the broker has not confirmed yet.")
OUTBOX_FAILURES = Counter("outbox_publish_failures", "Publishing rounds that failed and will be repeated.")
CONSUMED = Counter("consumer_events", "Events by what became of them.", ["consumer", "outcome"])
CONSUMER_LAG_SECONDS = Histogram(
    "consumer_lag_seconds", "From commit at the producer to handled here.", ["consumer"], buckets=_SECONDS
)
DEAD_LETTERS = Counter("consumer_dead_letters", "Events set aside for a person.", ["consumer", "reason"])
TASK_CRASHES = Counter(
    "background_task_crashes", "Background tasks that failed and were started again.", ["task"]
)

_REDACTED = "[redacted]"
_SECRET_KEYS = re.compile(
    r"phone|email|password|secret|token|authorization|body|text|name$|note|wording", re.I
)
_OPEN_KEYS = frozenset({"logger_name", "event_name"})
_ROW = re.compile(r"(DETAIL:\s*).*")
_EMAIL = re.compile(r"[\w.+-]+@[\w-]+(\.[\w-]+)+")
# Ten digits with or without separators, or eight after a plus sign; dates and decimals have fewer.
_PHONE = re.compile(r"(?<![\w.-])(?:\+(?:\d[ ()./-]{0,2}){7,}|\(?(?:\d[ ()./-]{0,2}){9,})\d(?![\w-])")


def _redact(_: Any, __: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    for key, value in event.items():
        if key not in _OPEN_KEYS and key != "event" and _SECRET_KEYS.search(key):
            event[key] = _REDACTED
        elif isinstance(value, str) and key != "timestamp":
            event[key] = redacted(value)
    return event


def redacted(text: str) -> str:
    """Return `text` without e-mail addresses, phone numbers, and rows that Postgres quotes."""
    return _PHONE.sub(_REDACTED, _EMAIL.sub(_REDACTED, _ROW.sub(rf"\1{_REDACTED}", text)))


def _add_trace(_: Any, __: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    context = trace.get_current_span().get_span_context()
    if context.is_valid:
        event["trace_id"] = format(context.trace_id, "032x")
    return event


def start_logging(*, service: str, level: str, form: str) -> None:
    """Send structlog's and the standard library's records to stdout, one JSON object a line (or text for people)."""
    shared: list[structlog.typing.Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        _add_trace,
        structlog.processors.format_exc_info,
        _redact,
    ]
    renderer: structlog.typing.Processor = (
        structlog.processors.JSONRenderer() if form == "json" else structlog.dev.ConsoleRenderer(colors=False)
    )
    structlog.configure(
        processors=[*shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=True,
    )
    handler = logging.StreamHandler(sys.stdout)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, renderer],
        )
    )
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level)
    for noisy in ("uvicorn.access", "nats", "httpx"):
        logging.getLogger(noisy).setLevel(logging.WARNING)
    structlog.contextvars.bind_contextvars(service=service)


def start_tracing(*, service: str, endpoint: str) -> None:
    """Create spans in this process and export them to the collector at `endpoint`, if one is given."""
    provider = TracerProvider(resource=Resource.create({"service.name": service}))
    if endpoint:
        from opentelemetry.exporter.otlp.proto.grpc.trace_exporter import (  # noqa: PLC0415 - slow to import
            OTLPSpanExporter,
        )

        provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter(endpoint=endpoint, insecure=True)))
    trace.set_tracer_provider(provider)
