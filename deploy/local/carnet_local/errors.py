"""The one error of this package; it needs no hierarchy, since every case ends as a message on a terminal."""

from __future__ import annotations

from pathlib import Path


class LocalFailure(Exception):
    """Say that a step failed for a reason the developer can act on, without a traceback."""

    @classmethod
    def with_log(cls, what: str, log: Path, *, lines: int = 15) -> LocalFailure:
        """Build a failure that carries the last lines of a log file."""
        return cls(f"{what}\nlast lines of {log}:\n{tail(log, lines)}")


def tail(log: Path, lines: int) -> str:
    """Return the last lines of a file, indented; an absent or empty file is said in words."""
    try:
        with log.open("rb") as file:
            file.seek(max(0, log.stat().st_size - 64 * 1024))
            last = file.read().decode(errors="replace").splitlines()[-lines:]
    except FileNotFoundError:
        last = []
    return "\n".join(f"    {line}" for line in last or ["(nothing)"])
