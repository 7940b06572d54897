"""The gateway's own metrics, in one table."""

from prometheus_client import Counter, Gauge, Histogram

_SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30)

HTTP_SECONDS = Histogram(
    "gateway_http_request_seconds", "Time to answer a request.", ["operation", "status"], buckets=_SECONDS
)
LIMITER_FAILURES = Counter("gateway_limiter_failures", "Requests let through because Valkey did not answer.")
REPLAYED = Counter("gateway_idempotency_replays", "Requests answered from memory.")
STREAMS = Gauge("gateway_live_streams", "Open live streams.")
WEBHOOKS = Counter("gateway_webhook_attempts", "Attempts to deliver a webhook by outcome.", ["outcome"])
WEBHOOK_SECONDS = Histogram("gateway_webhook_seconds", "Time a receiver takes.", buckets=_SECONDS)
ENDPOINTS_DISABLED = Counter(
    "gateway_webhook_endpoints_disabled", "Endpoints that were given up.", ["reason"]
)
