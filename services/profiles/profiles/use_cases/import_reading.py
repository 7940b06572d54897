"""From the bytes of a file to its rows and to the batches that are committed together. Must not write anything."""

from collections.abc import Iterator, Sequence
from datetime import date

from profiles.currencies import digits_of
from profiles.domain.import_lines import (
    BlankSeparated,
    Delimited,
    JsonLines,
    LineSplitter,
    Record,
    RecordReader,
    Refused,
)
from profiles.domain.import_rows import Customs, Row, RowReader
from profiles.domain.imports import (
    Assumption,
    Checkpoint,
    Fault,
    FileUnreadable,
    Import,
    ImportFormat,
)
from profiles.phones import e164
from profiles.use_cases.landing import Place


class Reading:
    """The file from bytes to rows, from byte `offset` on; memory for one line or one open quote."""

    def __init__(self, imported: Import, place: Place, offset: int, *, today: date) -> None:
        self.bytes_received = offset
        self.piece_fields: tuple[str, ...] = ()
        self._imported = imported
        self._assumed: list[Assumption] = []
        self._customs = Customs(
            country=place.country,
            currency_code=place.currency_code,
            date_order=imported.date_order,
            today=today,
            digits_of=digits_of,
            read_phone=lambda value: e164(value, place.country),
        )
        known = imported.checkpoint if offset else Checkpoint()
        self._splitter = LineSplitter(
            known.encoding or imported.encoding, position=known.offset, lines=known.line
        )
        self._delimited: Delimited | None = None
        self._records = self._record_reader(known.delimiter)
        self._header: tuple[str, ...] = ()
        self._rows: RowReader | None = None
        if imported.format is ImportFormat.NDJSON:
            self._rows = self._row_reader(list(imported.columns))
        elif known.header:
            self._rows = self._row_reader(known.header)

    def read(self, chunk: bytes | None) -> Iterator[Row | Refused]:
        """Yield the rows that are complete with `chunk`, None for the end. Raises FileUnreadable."""
        if chunk is not None:
            self.bytes_received += len(chunk)
        lines = self._splitter.end() if chunk is None else self._splitter.feed(chunk)
        for line in lines:
            for record in self._records.read(line):
                yield from self._row(record)
        if chunk is None:
            for record in self._records.end():
                yield from self._row(record)
            if not self.bytes_received:
                raise FileUnreadable("The file is empty.")
            if self._splitter.unended_line > 1:
                self._assumed.append(Assumption(self._splitter.unended_line, "", "LAST_LINE_UNENDED", 1))

    def take_assumptions(self) -> list[Assumption]:
        """Return in what sense the file as a whole was read, as far as it was not said before."""
        taken, self._assumed = self._assumed, []
        return taken

    def checkpoint(self, batch: "Batch") -> Checkpoint:
        """Return where to go on behind a batch, and what was known of the file there."""
        return Checkpoint(
            batch.end,
            batch.last,
            self._splitter.encoding if self._splitter.decided_line <= batch.last else "",
            self._delimited.delimiter if self._delimited else "",
            self._header,
        )

    def _row(self, record: Record | Refused) -> Iterator[Row | Refused]:
        if self._splitter.is_assumed and self._splitter.decided_line <= record.last:
            self._splitter.is_assumed = False
            self._assumed.append(Assumption(self._splitter.decided_line, "", "ENCODING_ASSUMED", 1))
        if self._rows is None:
            if isinstance(record, Refused):
                raise FileUnreadable(f"The header cannot be read. {record.faults[0].message}")
            self._rows = self._row_reader(record.fields)
        elif isinstance(record, Refused):
            yield record
        else:
            yield self._rows.read(record)

    def _row_reader(self, header: Sequence[str]) -> RowReader:
        decimal = "," if self._delimited and self._delimited.delimiter == ";" else "."
        rows = RowReader(header, self._imported.columns, self._customs, decimal=decimal)
        self._header = tuple(header)
        self.piece_fields = rows.piece_fields
        return rows

    def _record_reader(self, delimiter: str) -> RecordReader:
        if self._imported.format is ImportFormat.NDJSON:
            return JsonLines(list(self._imported.columns))
        if self._imported.delimiter == " ":
            return BlankSeparated()
        self._delimited = Delimited(delimiter or self._imported.delimiter)
        return self._delimited


class Batch:
    """Rows and faults that are committed together. Lines of one purchase that follow one another stay together."""

    def __init__(self, size: int) -> None:
        self.rows: list[Row] = []
        self.is_named = True
        self.faults: list[Fault] = []
        self.refused = 0
        self.assumptions: list[Assumption] = []
        self.last = 0
        self.end = 0
        self._size = size

    def is_full_before(self, found: Row | Refused) -> bool:
        """Return whether the batch is to be written before `found` is added."""
        count = len(self.rows) + self.refused
        if count < self._size or count >= 2 * self._size:
            return count >= self._size
        is_same_purchase = (
            isinstance(found, Row)
            and bool(self.rows)
            and bool(found.purchase_external_id)
            and found.purchase_external_id == self.rows[-1].purchase_external_id
        )
        return not is_same_purchase

    def add(self, found: Row | Refused) -> None:
        """Take in one record."""
        self.last, self.end = found.last, found.end
        if isinstance(found, Row):
            self.rows.append(found)
            self.is_named = self.is_named and bool(found.person.external_id)
        else:
            self.refused += 1
            self.faults += found.faults

    def assume(self, assumptions: Sequence[Assumption]) -> None:
        """Take in in what sense the file was read."""
        self.assumptions += assumptions
