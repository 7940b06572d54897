"""A file's bytes to its records: lines, quotes, JSON. Keeps one line, or one open quote, in memory; never the file.

What is wrong with a line is a fault of that line. Must not know what the fields mean.
"""

import csv
import json
from collections.abc import Iterator
from typing import NamedTuple, Protocol

from profiles.domain.imports import Fault

MOST_LINE_BYTES = 64 * 1024
_MOST_RECORD_LINES = 50  # a quote that stays open longer was never meant to be one
_BOM = "\ufeff"


class Line(NamedTuple):
    """One line of the file, counted from 1; `fault` instead of `text` when it cannot be read."""

    number: int
    text: str
    fault: Fault | None = None


class Record(NamedTuple):
    """The fields of one record, and the line that it begins on."""

    line: int
    fields: list[str]


class LineSplitter:
    """Cuts chunks of bytes into decoded lines."""

    def __init__(self) -> None:
        self._rest = b""
        self._is_overlong = False
        self._count = 0

    def feed(self, chunk: bytes) -> Iterator[Line]:
        """Yield the lines that end in `chunk`."""
        *lines, self._rest = (self._rest + chunk).split(b"\n")
        if self._is_overlong and lines:
            self._is_overlong = False
            yield self._faulty("LINE_TOO_LONG", f"is longer than {MOST_LINE_BYTES} bytes")
            del lines[0]
        yield from self._decoded(lines)
        if self._is_overlong or len(self._rest) > MOST_LINE_BYTES:
            self._is_overlong, self._rest = True, b""

    def end(self) -> Iterator[Line]:
        """Yield what the last line, without an end, holds."""
        if self._rest or self._is_overlong:
            yield from self.feed(b"\n")

    def _decoded(self, lines: list[bytes]) -> Iterator[Line]:
        try:
            # One call for all lines: decoding them one by one takes three times as long.
            texts = b"\n".join(lines).decode().split("\n") if lines else []
        except UnicodeDecodeError:
            for line in lines:
                yield self._decoded_one(line)
            return
        for text in texts:
            if len(text) > MOST_LINE_BYTES or "\0" in text:
                yield self._decoded_one(text.encode())
                continue
            self._count += 1
            if self._count == 1:
                text = text.removeprefix(_BOM)  # noqa: PLW2901 - the first line only
            yield Line(self._count, text.removesuffix("\r"))

    def _decoded_one(self, line: bytes) -> Line:
        if len(line) > MOST_LINE_BYTES:
            return self._faulty("LINE_TOO_LONG", f"is longer than {MOST_LINE_BYTES} bytes")
        try:
            text = line.decode()
        except UnicodeDecodeError as error:
            return self._faulty("LINE_ENCODING", f"is not UTF-8 from byte {error.start + 1} on")
        if "\0" in text:
            return self._faulty("LINE_ENCODING", "holds a NUL character")
        self._count += 1
        return Line(self._count, (text.removeprefix(_BOM) if self._count == 1 else text).removesuffix("\r"))

    def _faulty(self, reason: str, what: str) -> Line:
        self._count += 1
        return Line(self._count, "", Fault(self._count, "", reason, f"The line {what}."))


class RecordReader(Protocol):
    """Turns lines into records."""

    def read(self, line: Line) -> Iterator[Record | Fault]:
        """Yield the records and faults that are complete with `line`."""
        ...

    def end(self) -> Iterator[Record | Fault]:
        """Yield what was still waiting for more lines."""
        ...


class BlankSeparated:
    """Fields between runs of blanks; there are no quotes."""

    def read(self, line: Line) -> Iterator[Record | Fault]:
        """Yield the record of `line`, or its fault."""
        if line.fault:
            yield line.fault
        elif fields := line.text.split():
            yield Record(line.number, fields)

    def end(self) -> Iterator[Record | Fault]:
        """Yield nothing: every line is complete."""
        return iter(())


class Delimited:
    """Fields between delimiters, with quotes as the csv module reads them; a quoted field may hold line ends."""

    def __init__(self, delimiter: str) -> None:
        self._delimiter = delimiter
        self._open: list[Line] = []

    def read(self, line: Line) -> Iterator[Record | Fault]:
        """Yield the records and faults that are complete with `line`."""
        if self._open:
            if line.fault or len(self._open) >= _MOST_RECORD_LINES:
                yield from self._give_up()
                yield from self.read(line)
                return
            self._open.append(line)
        elif line.fault:
            yield line.fault
            return
        elif '"' not in line.text:
            if line.text.strip():
                yield Record(line.number, line.text.split(self._delimiter))
            return
        else:
            self._open = [line]
        first = self._open[0].number
        try:
            (fields,) = csv.reader(
                ["\n".join(part.text for part in self._open)], delimiter=self._delimiter, strict=True
            )
        except csv.Error as error:
            if str(error) == "unexpected end of data":  # the quote is open: it goes on in the next line
                return
            yield from self._give_up(str(error))
            return
        self._open = []
        yield Record(first, fields)

    def end(self) -> Iterator[Record | Fault]:
        """Yield what an open quote kept waiting."""
        while self._open:
            yield from self._give_up()

    def _give_up(self, why: str = "a quote is not closed") -> Iterator[Record | Fault]:
        """Refuse the first of the waiting lines and read the others as if it had not been there."""
        first, *others = self._open
        self._open = []
        yield Fault(first.number, "", "LINE_MALFORMED", f"The line cannot be read: {why}.")
        for line in others:
            yield from self.read(line)


class JsonLines:
    """One JSON object a line; its members in the order of `names`."""

    def __init__(self, names: list[str]) -> None:
        self._names = names

    def read(self, line: Line) -> Iterator[Record | Fault]:
        """Yield the record of `line`, or its fault."""
        if line.fault:
            yield line.fault
            return
        if not line.text.strip():
            return
        try:
            # Amounts stay the text that they were written as; a float would change some of them.
            found = json.loads(line.text, parse_float=str, parse_int=str, parse_constant=str)
        except (ValueError, RecursionError):
            yield Fault(line.number, "", "LINE_MALFORMED", "The line is not JSON.")
            return
        if not isinstance(found, dict):
            yield Fault(line.number, "", "LINE_MALFORMED", "The line is not a JSON object.")
            return
        fields: list[str] = []
        for name in self._names:
            value = found.get(name)
            if value is None:
                value = ""
            if not isinstance(value, str):
                yield Fault(
                    line.number, "", "LINE_MALFORMED", f"The member {name!r} is neither text nor a number."
                )
                return
            fields.append(value)
        if any(not _is_storable(field) for field in fields):
            yield Fault(line.number, "", "LINE_ENCODING", "The line holds characters that text cannot have.")
            return
        yield Record(line.number, fields)

    def end(self) -> Iterator[Record | Fault]:
        """Yield nothing: every line is complete."""
        return iter(())


def _is_storable(text: str) -> bool:
    """Return whether Postgres takes it: JSON can spell NUL and half of a surrogate pair."""
    if text.isascii():
        return "\0" not in text
    try:
        return b"\0" not in text.encode()
    except UnicodeEncodeError:
        return False
