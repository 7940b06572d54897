"""Labelled points at which a test can end the process, as a power cut would. Must not do anything else.

For tests only: `CARNET_STOP_AT=sending.committed` kills the process when it first gets there, `sending.committed:7` at
the seventh time. No deployment sets it.
"""

import os
import signal
from collections import Counter

_label, _, _times = os.environ.get("CARNET_STOP_AT", "").partition(":")
_reached: Counter[str] = Counter()


def reach(label: str) -> None:
    """Say that a point was reached; nothing follows unless a test asked for it."""
    if label != _label:
        return
    _reached[label] += 1
    if _reached[label] == int(_times or 1):
        os.kill(os.getpid(), signal.SIGKILL)
