"""Time of one decision of the send gate, the pure function alone: python bench/send_gate.py.

The aim is under 100 microseconds a decision. Prints the median and the slowest hundredth; needs no server.
"""

import statistics
import time
from datetime import UTC, datetime

from messaging import places
from messaging.domain import Change, Purpose
from messaging.gate import Question, decide

ROUNDS = 5000
DAY = datetime(2026, 3, 10, 18, tzinfo=UTC)
NIGHT = datetime(2026, 3, 11, 5, tzinfo=UTC)


def question(zone: str, phone: str, now: datetime) -> Question:
    """Return a question with everything in order but the hour."""
    return Question(
        purpose=Purpose.MARKETING,
        now=now,
        standing=Change.GRANTED,
        hours=places.hours_for(Purpose.MARKETING, zone, phone),
        sender_name="Maison Aurore",
        is_first_message=True,
        body="Maison Aurore: the sapphires that you asked about came in this morning.",
    )


def main() -> None:
    """Measure and print."""
    cases = {
        "allow, zone known": question("America/New_York", "+12025550123", DAY),
        "defer, zone known": question("America/New_York", "+12025550123", NIGHT),
        "allow, zone unknown": question("", "+18005550123", datetime(2026, 3, 10, 21, tzinfo=UTC)),
        "defer, zone unknown": question("", "+18005550123", NIGHT),
    }
    for name, asked in cases.items():
        times = []
        for _ in range(ROUNDS):
            started = time.perf_counter()
            decide(asked)
            times.append((time.perf_counter() - started) * 1e6)
        times.sort()
        print(f"{name:22} {statistics.median(times):7.1f} us median {times[int(ROUNDS * 0.99)]:7.1f} us p99")


if __name__ == "__main__":
    main()
