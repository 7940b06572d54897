"""A file's bytes to its records: lines, quotes, JSON. Keeps one line, or one open quote, in memory; never the file.

What is wrong with a line is a fault of that line. Must not know what the fields mean.
"""

import csv
import json
import re
from collections.abc import Iterator
from typing import NamedTuple, Protocol

from profiles.domain import import_encodings as encodings
from profiles.domain.import_encodings import UTF_8, WINDOWS_1252
from profiles.domain.imports import Fault

MOST_LINE_BYTES = 64 * 1024
_MOST_RECORD_LINES = 50  # a quote that stays open longer was never meant to be one
_DECIDING_BYTES = (
    16 * 1024
)  # looked at from the first line on that is not UTF-8, to tell a slip from another encoding
DELIMITERS = (",", ";", "\t", "|")
_SEPARATOR_LINE = re.compile(r"sep=(.)")  # Excel's own first line


class Line(NamedTuple):
    """One line of the file, counted from 1; `fault` instead of `text` when it cannot be read.

    `end` is the byte behind it.
    """

    number: int
    text: str
    end: int
    fault: Fault | None = None


class Record(NamedTuple):
    """The fields of one record, the lines that it begins and ends on, and the byte behind it."""

    line: int
    fields: list[str]
    last: int
    end: int


class Refused(NamedTuple):
    """What is wrong with a record, the last of its lines, and the byte behind it."""

    faults: list[Fault]
    last: int
    end: int


class LineSplitter:
    """Cuts chunks of bytes into decoded lines.

    `encoding` is what the file was declared as, empty for whatever its bytes say; a file that goes on at a byte begins
    with the encoding and the lines that were known there. While only ASCII was seen, `encoding` stays empty. The first
    line beyond it decides: UTF-8 when it is, else windows-1252 (`is_assumed`), unless one of the lines in the 16 KiB
    from there on can only be UTF-8. Raises FileUnreadable for a file that contradicts its declaration.
    """

    def __init__(self, encoding: str = "", *, position: int = 0, lines: int = 0) -> None:
        self.encoding = encoding
        self.is_assumed = False
        self.decided_line = 0  # by which the encoding was decided, 0 for the first bytes
        self.unended_line = 0  # the last one, when it has no end
        self._at = position  # the byte that _rest begins with
        self._count = lines
        self._rest = b""
        self._has_begun = position > 0
        self._is_overlong = False
        self._is_ending = False

    def feed(self, chunk: bytes) -> Iterator[Line]:
        """Yield the lines that end in `chunk`."""
        self._rest += chunk
        if not self._has_begun:
            if len(self._rest) < encodings.MARK_BYTES and not self._is_ending:
                return
            self._has_begun = True
            self.encoding, mark = encodings.begin(self._rest[: encodings.MARK_BYTES], self.encoding)
            self._rest, self._at = self._rest[mark:], self._at + mark
        if self.encoding in ("UTF-16LE", "UTF-16BE"):
            yield from self._wide_lines()
        else:
            yield from self._lines()

    def end(self) -> Iterator[Line]:
        """Yield what the last line, without an end, holds."""
        self._is_ending = True
        yield from self.feed(b"")
        if not self._rest and not self._is_overlong:
            return
        last = self._at + len(self._rest)
        self.unended_line = self._count + 1
        if len(self._rest) % 2 and self.encoding in ("UTF-16LE", "UTF-16BE"):
            self._rest = b""
            yield self._faulty("LINE_ENCODING", "ends in the middle of a character", last)
            return
        wide = {"UTF-16LE": b"\n\0", "UTF-16BE": b"\0\n"}
        for line in self.feed(wide.get(self.encoding, b"\n")):
            yield line._replace(end=min(line.end, last))

    def _lines(self) -> Iterator[Line]:
        *lines, self._rest = self._rest.split(b"\n")
        if self._is_overlong and lines:
            self._is_overlong = False
            self._at += len(lines[0]) + 1
            yield self._faulty("LINE_TOO_LONG", f"is longer than {MOST_LINE_BYTES} bytes", self._at)
            del lines[0]
        yield from self._decoded(lines)
        if self._is_overlong or len(self._rest) > MOST_LINE_BYTES:
            self._is_overlong = True
            self._at += len(self._rest)
            self._rest = b""

    def _decoded(self, lines: list[bytes]) -> Iterator[Line]:
        if not lines:
            return
        whole = b"\n".join(lines)
        if not self.encoding and not whole.isascii():
            first = next(index for index, line in enumerate(lines) if not line.isascii())
            yield from self._decoded(lines[:first])
            lines = lines[first:]
            if not self._decide(lines):
                return
            whole = b"\n".join(lines)
        if self.encoding in ("", UTF_8):
            try:
                # One call for all lines: decoding them one by one takes three times as long.
                texts = whole.decode().split("\n")
            except UnicodeDecodeError:
                pass
            else:
                for text, line in zip(texts, lines, strict=True):
                    self._at += len(line) + 1
                    if len(line) > MOST_LINE_BYTES or "\0" in text:
                        yield self._decoded_one(line)
                        continue
                    self._count += 1
                    yield Line(self._count, text.removesuffix("\r"), self._at)
                return
        for line in lines:
            self._at += len(line) + 1
            yield self._decoded_one(line)

    def _decide(self, lines: list[bytes]) -> bool:
        """Decide on the encoding by lines of which the first is not ASCII; False while too little is there: then they
        wait in `_rest`."""
        if encodings.is_utf_8(lines[0]):
            self.encoding, self.decided_line = UTF_8, self._count + 1
            return True
        seen = b"\n".join((*lines, self._rest))
        if len(seen) < _DECIDING_BYTES and not self._is_ending:
            self._rest = seen
            return False
        is_slip = any(
            not line.isascii() and encodings.is_utf_8(line) for line in seen[:_DECIDING_BYTES].split(b"\n")
        )
        self.encoding = UTF_8 if is_slip else WINDOWS_1252
        self.is_assumed, self.decided_line = not is_slip, self._count + 1
        return True

    def _decoded_one(self, line: bytes) -> Line:
        if len(line) > MOST_LINE_BYTES:
            return self._faulty("LINE_TOO_LONG", f"is longer than {MOST_LINE_BYTES} bytes", self._at)
        encoding = self.encoding or UTF_8
        try:
            text = line.decode(encodings.codec_of(encoding))
        except UnicodeDecodeError as error:
            return self._faulty(
                "LINE_ENCODING", f"is not {encoding} from byte {error.start + 1} on", self._at
            )
        if encoding in encodings.SINGLE_BYTE and not line.isascii() and encodings.is_utf_8(line):
            return self._faulty("LINE_ENCODING", f"is UTF-8, not {encoding} as the file", self._at)
        if "\0" in text:
            return self._faulty("LINE_ENCODING", "holds a NUL character", self._at)
        self._count += 1
        return Line(self._count, text.removesuffix("\r"), self._at)

    def _wide_lines(self) -> Iterator[Line]:
        codec = encodings.codec_of(self.encoding)
        newline = "\n".encode(codec)
        end = self._rest.rfind(newline)
        while end % 2 and end > 0:  # half of one character and half of the next
            end = self._rest.rfind(newline, 0, end + 1)
        if end >= 0 and not end % 2:
            # Halves of pairs pass here and are a fault of their line below.
            lines = self._rest[:end].decode(codec, "surrogatepass").split("\n")
            self._rest = self._rest[end + 2 :]
            for text in lines:
                self._at += len(text.encode(codec, "surrogatepass")) + 2
                yield self._checked(text)
        if self._is_overlong or len(self._rest) > 2 * MOST_LINE_BYTES:
            self._is_overlong = True
            even = len(self._rest) // 2 * 2
            self._at += even
            self._rest = self._rest[even:]

    def _checked(self, text: str) -> Line:
        if self._is_overlong or len(text) > MOST_LINE_BYTES:
            self._is_overlong = False
            return self._faulty("LINE_TOO_LONG", f"is longer than {MOST_LINE_BYTES} characters", self._at)
        if not is_storable(text):
            return self._faulty("LINE_ENCODING", "holds characters that text cannot have", self._at)
        self._count += 1
        return Line(self._count, text.removesuffix("\r"), self._at)

    def _faulty(self, reason: str, what: str, end: int) -> Line:
        self._count += 1
        return Line(self._count, "", end, Fault(self._count, "", reason, f"The line {what}."))


def guess_delimiter(header: str) -> str:
    """Return whichever of DELIMITERS a header line has most of outside of quotes; a comma when it has none."""
    bare = re.sub(r'"[^"]*"', "", header)
    return max(DELIMITERS, key=lambda delimiter: (bare.count(delimiter), -DELIMITERS.index(delimiter)))


class RecordReader(Protocol):
    """Turns lines into records."""

    def read(self, line: Line) -> Iterator[Record | Refused]:
        """Yield the records and faults that are complete with `line`."""
        ...

    def end(self) -> Iterator[Record | Refused]:
        """Yield what was still waiting for more lines."""
        ...


class BlankSeparated:
    """Fields between runs of blanks; there are no quotes."""

    def read(self, line: Line) -> Iterator[Record | Refused]:
        """Yield the record of `line`, or its fault."""
        if line.fault:
            yield _refused(line, line.fault)
        elif fields := line.text.split():
            yield Record(line.number, fields, line.number, line.end)

    def end(self) -> Iterator[Record | Refused]:
        """Yield nothing: every line is complete."""
        return iter(())


class Delimited:
    """Fields between delimiters, with quotes as the csv module reads them; a quoted field may hold line ends.

    An empty `delimiter` is decided by the first line with text in it.
    """

    def __init__(self, delimiter: str) -> None:
        self.delimiter = delimiter
        self._open: list[Line] = []

    def read(self, line: Line) -> Iterator[Record | Refused]:
        """Yield the records and faults that are complete with `line`."""
        if line.number == 1 and (said := _SEPARATOR_LINE.fullmatch(line.text)):
            self.delimiter = self.delimiter or said[1]
            return
        if not self.delimiter and line.text.strip():
            self.delimiter = guess_delimiter(line.text)
        if self._open:
            if line.fault or len(self._open) >= _MOST_RECORD_LINES:
                yield from self._give_up()
                yield from self.read(line)
                return
            self._open.append(line)
        elif line.fault:
            yield _refused(line, line.fault)
            return
        elif '"' not in line.text:
            if line.text.strip():
                yield Record(line.number, line.text.split(self.delimiter), line.number, line.end)
            return
        else:
            self._open = [line]
        first = self._open[0].number
        try:
            (fields,) = csv.reader(
                ["\n".join(part.text for part in self._open)], delimiter=self.delimiter, strict=True
            )
        except csv.Error as error:
            if str(error) == "unexpected end of data":  # the quote is open: it goes on in the next line
                return
            yield from self._give_up(str(error))
            return
        self._open = []
        yield Record(first, fields, line.number, line.end)

    def end(self) -> Iterator[Record | Refused]:
        """Yield what an open quote kept waiting."""
        while self._open:
            yield from self._give_up()

    def _give_up(self, why: str = "a quote is not closed") -> Iterator[Record | Refused]:
        """Refuse the first of the waiting lines and read the others as if it had not been there."""
        first, *others = self._open
        self._open = []
        yield _refused(first, Fault(first.number, "", "LINE_MALFORMED", f"The line cannot be read: {why}."))
        for line in others:
            yield from self.read(line)


class JsonLines:
    """One JSON object a line; its members in the order of `names`."""

    def __init__(self, names: list[str]) -> None:
        self._names = names

    def read(self, line: Line) -> Iterator[Record | Refused]:
        """Yield the record of `line`, or its fault."""
        if line.fault:
            yield _refused(line, line.fault)
            return
        if not line.text.strip():
            return
        if isinstance(fields := self._fields(line), Fault):
            yield _refused(line, fields)
        else:
            yield Record(line.number, fields, line.number, line.end)

    def _fields(self, line: Line) -> list[str] | Fault:
        def malformed(message: str) -> Fault:
            return Fault(line.number, "", "LINE_MALFORMED", message)

        if isinstance(found := json_object(line.text), str):
            return malformed(found)
        fields: list[str] = []
        for name in self._names:
            value = found.get(name)
            if value is None:
                value = ""
            if not isinstance(value, str):
                return malformed(f"The member {name!r} is neither text nor a number.")
            fields.append(value)
        if any(not is_storable(field) for field in fields):
            return Fault(line.number, "", "LINE_ENCODING", "The line holds characters that text cannot have.")
        return fields

    def end(self) -> Iterator[Record | Refused]:
        """Yield nothing: every line is complete."""
        return iter(())


def json_object(text: str) -> dict[str, object] | str:
    """Return the JSON object that a line is, numbers as the text that they were written as, or what is wrong."""
    try:
        # A float would change some amounts.
        found = json.loads(text, parse_float=str, parse_int=str, parse_constant=str)
    except (ValueError, RecursionError):
        return "The line is not JSON."
    return found if isinstance(found, dict) else "The line is not a JSON object."


def _refused(line: Line, fault: Fault) -> Refused:
    return Refused([fault], line.number, line.end)


def is_storable(text: str) -> bool:
    """Return whether Postgres takes it: JSON can spell NUL and half of a surrogate pair, UTF-16 hold them."""
    if text.isascii():
        return "\0" not in text
    try:
        return b"\0" not in text.encode()
    except UnicodeEncodeError:
        return False
