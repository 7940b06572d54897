"""How the story looks: chapters, sentences, one moving line. No colours and no movement when it goes to a file."""

from __future__ import annotations

import textwrap
import time
from typing import TextIO

_BOLD, _DIM, _RED = 1, 2, 31
_WIDTH = 100


class Teller:
    """Prints a story; decides nothing."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._is_terminal = stream.isatty()
        self._started = time.monotonic()
        self._moving = False
        self._number = 0
        self.chapter_title = "before the first step"

    def chapter(self, title: str) -> None:
        """Begin a step."""
        self._number += 1
        self.chapter_title = f"step {self._number}, {title.lower()}"
        seconds = self._paint(f"{time.monotonic() - self._started:6.1f} s", _DIM)
        self.say(f"\n{seconds}  {self._paint(f'{self._number}. {title}', _BOLD)}")

    def tell(self, text: str) -> None:
        """Say a sentence of the step."""
        self.say(textwrap.fill(text, _WIDTH, initial_indent=" " * 10, subsequent_indent=" " * 10))

    def show(self, text: str) -> None:
        """Show something as it is, such as an answer."""
        self.say(textwrap.indent(text, " " * 12))

    def progress(self, text: str) -> None:
        """Say how far something is; on a terminal in one line that moves."""
        if self._is_terminal:
            print(f"\r\x1b[K          {text}", end="", file=self._stream, flush=True)
            self._moving = True
        else:
            self.tell(text)

    def fail(self, text: str) -> None:
        """Say what went wrong."""
        self.say(self._paint(f"\nFailed at {text}", _RED))

    def say(self, text: str) -> None:
        """Print as it is."""
        if self._moving:
            print(file=self._stream)
            self._moving = False
        print(text, file=self._stream, flush=True)

    def _paint(self, text: str, code: int) -> str:
        return f"\x1b[{code}m{text}\x1b[0m" if self._is_terminal else text
