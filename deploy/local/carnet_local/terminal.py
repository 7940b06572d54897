"""What the developer sees: steps with elapsed times, and the services' warnings with coloured prefixes.

Only prints; decides nothing.
"""

from __future__ import annotations

import json
import sys
import time
from typing import TextIO

_COLOURS = (36, 35, 34, 33, 32, 96)
_RED, _DIM = 31, 2
_WARNINGS = frozenset({"warning", "error", "critical"})


class Terminal:
    """A line-by-line view of one run."""

    def __init__(self, stream: TextIO = sys.stdout) -> None:
        self._stream = stream
        self._started = time.monotonic()
        self._coloured = stream.isatty()
        self._prefixes: dict[str, int] = {}

    def step(self, text: str) -> None:
        """Say that something was reached, with the seconds since the start."""
        self.say(f"{self._paint(f'{time.monotonic() - self._started:6.1f} s', _DIM)}  {text}")

    def say(self, text: str) -> None:
        """Print as it is."""
        print(text, file=self._stream, flush=True)

    def trouble(self, text: str) -> None:
        """Say that something went wrong."""
        self.say(self._paint(text, _RED))

    def service(self, name: str, text: str) -> None:
        """Print a line that belongs to one service."""
        colour = self._prefixes.setdefault(name, _COLOURS[len(self._prefixes) % len(_COLOURS)])
        self.say(f"{self._paint(f'{name:>12} |', colour)} {text}")

    def log_line(self, name: str, line: str) -> None:
        """Print a service's log line if it is a JSON record of a warning or worse."""
        try:
            record = json.loads(line)
        except ValueError:
            return
        if isinstance(record, dict) and record.get("level") in _WARNINGS:
            self.service(name, f"{record['level']}: {record.get('event', '')}")

    def _paint(self, text: str, colour: int) -> str:
        return f"\x1b[{colour}m{text}\x1b[0m" if self._coloured else text
