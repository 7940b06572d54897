"""Let batches of one file be written side by side. Must not know what they write.

A batch goes through its steps behind the one before it, so locks are taken in the order of the file: a batch may wait
for a row that the one before it holds until that is committed, and never the other way round.
"""

import asyncio
from enum import IntEnum


class Step(IntEnum):
    """What a batch does, in this order. A row that one step locks is not asked for by a later one."""

    PEOPLE = 1
    PURCHASES = 2
    TRACES = 3
    COUNTS = 4  # alerts, faults and progress, which need everything before them committed


class TurnLost(Exception):
    """The batch before was rolled back: this one has to be, too."""


class Turn:
    """A batch's place behind another one."""

    def __init__(self, before: "Turn | None" = None) -> None:
        self._before = before
        self._through = {step: asyncio.Event() for step in Step}
        self._is_lost = False

    async def begin(self, step: Step) -> None:
        """Wait until the batch before is through `step`: for the last one, until it is committed. Raises TurnLost."""
        for earlier in Step:
            if earlier < step:
                self._through[earlier].set()
        if self._before is not None:
            await self._before._through[step].wait()
            if self._before._is_lost:
                raise TurnLost

    def end(self, *, is_lost: bool) -> None:
        """Let the batch behind go on: after the commit, or after the rollback."""
        self._is_lost = is_lost
        self._before = None
        for step in Step:
            self._through[step].set()
