"""Time of one decision of the send gate, the pure function alone: python bench/send_gate.py.

The aim is under 100 microseconds a decision. Prints the median and the slowest hundredth, each also as a share of that;
processor time, so that other people's work on the machine does not count. Needs no server.
"""

import statistics
import time
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from datetime import time as clock_time

from messaging import places
from messaging.domain import Change, Channel, OwnHours, Purpose
from messaging.gate import BrandDay, Question, Reached, Talk, decide

ROUNDS = 5000
AIM_MICROSECONDS = 100
DAY = datetime(2026, 3, 10, 18, tzinfo=UTC)
NIGHT = datetime(2026, 3, 11, 5, tzinfo=UTC)
BEFORE_THE_CLOCK_CHANGE = datetime(2026, 3, 8, 4, tzinfo=UTC)
HOUR = timedelta(hours=1)
OWN = OwnHours(clock_time(10), clock_time(18), frozenset({6}))
PHRASES = tuple(f"rival number {number}" for number in range(20))


def question(zone: str, phone: str, now: datetime, own: OwnHours | None = None) -> Question:
    """Return a question with everything in order but the hour."""
    return Question(
        purpose=Purpose.MARKETING,
        now=now,
        standing=Change.GRANTED,
        hours=places.hours_for(Purpose.MARKETING, zone, phone, own),
        sender_name="Maison Aurore",
        is_first_message=True,
        body="Maison Aurore: the sapphires that you asked about came in this morning.",
    )


def main() -> None:
    """Measure and print."""
    known, unknown = ("America/New_York", "+12025550123"), ("", "+18005550123")
    allowed = question(*known, DAY)
    cases = {
        "allow, zone known": allowed,
        "defer, zone known": question(*known, NIGHT),
        "allow, zone unknown": question(*unknown, datetime(2026, 3, 10, 21, tzinfo=UTC)),
        "defer, zone unknown": question(*unknown, NIGHT),
        "defer, own hours, zone unknown": question(*unknown, NIGHT, OWN),
        "defer over a clock change": question(*known, BEFORE_THE_CLOCK_CHANGE, OWN),
        "20 forbidden phrases, 480 characters": replace(
            allowed, body=(allowed.body or "") * 7, forbidden_phrases=PHRASES
        ),
        "everything in the way": replace(
            question(*known, NIGHT, OWN),
            standing=None,
            is_dead_number=True,
            is_sender_stopped=True,
            is_campaign_paused=True,
            talk=Talk(NIGHT, NIGHT, HOUR),
            caps_reached=[Reached(1, 7, NIGHT + HOUR)],
            brand_day=BrandDay(0, NIGHT + HOUR),
            forbidden_phrases=PHRASES,
            channel=Channel.WHATSAPP,
        ),
    }
    worst = 0.0
    for name, asked in cases.items():
        times = []
        for _ in range(ROUNDS):
            started = time.thread_time()
            decide(asked)
            times.append((time.thread_time() - started) * 1e6)
        times.sort()
        median, slow = statistics.median(times), times[int(ROUNDS * 0.99)]
        worst = max(worst, median)
        print(
            f"{name:38} {median:7.1f} us median {slow:7.1f} us p99"
            f"   {median / AIM_MICROSECONDS:5.2f} and {slow / AIM_MICROSECONDS:5.2f} of the aim"
        )
    print(f"slowest median: {worst / AIM_MICROSECONDS:.2f} of the aim of {AIM_MICROSECONDS} us")


if __name__ == "__main__":
    main()
