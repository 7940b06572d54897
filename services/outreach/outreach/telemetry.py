"""What outreach counts beside the chassis' own metrics. No label may grow with the number of chains or clients."""

from prometheus_client import Counter, Gauge, Histogram

_SECONDS = (0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120)
RANKING_SECONDS = Histogram(
    "outreach_ranking_seconds",
    "Time of a part of a ranking: fit, slice, merge, or whole where one process does all of it.",
    ["part"],
    buckets=_SECONDS,
)
RANKING_SLICES = Counter(
    "outreach_ranking_slices",
    "Slices of rankings by what became of them: done, repeated, dropped.",
    ["outcome"],
)
RANKING_SLICES_WAITING = Gauge(
    "outreach_ranking_slices_waiting", "Slices that the last ranking seen here still waits for."
)
RANKED_CLIENTS = Counter("outreach_ranked_clients", "Clients looked at by rankings of whole chains.")
JOBS = Counter(
    "outreach_jobs", "Shared jobs by kind and what became of them: done, again, dropped.", ["kind", "outcome"]
)
DUE_CLIENTS = Counter("outreach_due_clients", "Clients who were looked at again in sets.")
