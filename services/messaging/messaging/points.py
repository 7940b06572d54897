"""Labelled points at which a test can end the process, as a power cut would. Must not do anything else.

For tests only: `CARNET_STOP_AT=sending.committed` kills the process when it first gets there, `sending.committed:7` at
the seventh time. No deployment sets it.
"""

import os
import signal
from collections import Counter

_reached: Counter[str] = Counter()
_fatal: dict[str, int] = {}


def stop_at(point: str) -> None:
    """Have the process killed at a point; nothing for an empty one."""
    label, _, times = point.partition(":")
    _fatal.clear()
    if label:
        _fatal[label] = int(times or 1)


def reach(label: str) -> None:
    """Say that a point was reached; nothing follows unless a test asked for it."""
    if label not in _fatal:
        return
    _reached[label] += 1
    if _reached[label] == _fatal[label]:
        os.kill(os.getpid(), signal.SIGKILL)


stop_at(os.environ.get("CARNET_STOP_AT", ""))
