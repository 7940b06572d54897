"""This service's own metrics, in one table."""

from prometheus_client import Counter, Gauge

ERASURES_OVERDUE = Gauge(
    "profiles_erasures_overdue_count", "Erasures that lack a receipt a month after they began."
)
EXPORTS = Counter("profiles_exports", "Archives by what became of them.", ["outcome"])
PURCHASES_EXPIRED = Counter(
    "profiles_purchases_expired", "Purchases of erased clients deleted after their time."
)
