"""This service's own metrics, in one table."""

from prometheus_client import Counter, Gauge

QUARANTINED = Counter("messaging_quarantined_texts", "Inbound texts to a number that no sender has.")
QUARANTINE_SIZE = Gauge("messaging_quarantine_texts_count", "Inbound texts that wait for a sender.")
INBOUND_WAITING = Gauge(
    "messaging_inbound_waiting_count", "Inbound texts that were kept and not worked on yet."
)
INBOUND_FAILURES = Counter(
    "messaging_inbound_failures", "Inbound texts that could not be worked on, and are tried again."
)
OUTSIDE_REFUSED = Counter(
    "messaging_outside_refused", "Requests of parties outside that proved nothing.", ["handler"]
)
MEDIA_REFUSED = Counter("messaging_media_refused", "Pictures of clients that were not taken.", ["reason"])
SENDERS_STOPPED = Counter(
    "messaging_senders_stopped",
    "Senders that stopped, by the carrier's code; person when somebody did it.",
    ["code"],
)
