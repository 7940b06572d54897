"""An import: its mapping, its progress, and the lines of it that were refused."""

import enum
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import NamedTuple

from chassis.errors import Kind, ServiceError, Violation, invalid

PIECE_FIELDS = (
    "category", "description", "brand_id", "reference", "serial", "metal", "stone", "cut", "style", "size", "carat",
    "certificate",
)  # fmt: skip
PURCHASE_FIELDS = (
    "purchase_external_id", "purchase_date", "amount", "quantity", "currency_code", "payment_kind", *PIECE_FIELDS,
)  # fmt: skip
CLIENT_FIELDS = (
    "client_external_id", "given_name", "family_name", "full_name", "nickname", "phone", "phone_2", "phone_3",
    "email", "email_2", "language", "birthday", "anniversary", "tags", "address_line_1", "address_line_2", "locality",
    "region", "postal_code", "country", "ring_size", "preferred_metal", "preferred_stone", "note", "associate_email",
)  # fmt: skip
# Without one of these a line says nobody who would be known again.
IDENTIFYING_FIELDS = ("client_external_id", "phone", "phone_2", "phone_3", "email", "email_2")
FIELDS = frozenset({*PURCHASE_FIELDS, *CLIENT_FIELDS})
MOST_FAULTS = 10_000  # rows kept; all are counted
# An upload that was not heard of for so long has lost its process; another one may begin.
UPLOAD_LEASE = timedelta(seconds=15)


class ImportFormat(enum.StrEnum):
    """How the file is written."""

    DELIMITED = "delimited"
    NDJSON = "ndjson"


class ImportState(enum.StrEnum):
    """How far it is."""

    AWAITING_CONTENT = "awaiting_content"
    RUNNING = "running"
    COMPLETED = "completed"
    FAILED = "failed"


class DateOrder(enum.StrEnum):
    """How a day written as 03/04/2024 is read."""

    DAY_FIRST = "day_first"
    MONTH_FIRST = "month_first"


@dataclass(frozen=True, slots=True)
class Fault:
    """What is wrong with a line; `field` as the mapping calls it, empty when the line as a whole is.

    A warning's line was taken all the same, with the assumption that the message states.
    """

    line: int
    field: str
    reason: str
    message: str
    is_warning: bool = False


class Assumption(NamedTuple):
    """In what sense values of a field were read, how often, and the first line with it."""

    line: int
    field: str
    reason: str
    occurrences: int
    detail: str = ""

    @property
    def fault(self) -> Fault:
        """Return the one warning that stands for all lines."""
        message = _ASSUMPTIONS[self.reason].format(count=self.occurrences, detail=self.detail)
        return Fault(self.line, self.field, self.reason, message, True)


_ASSUMPTIONS = {
    "PHONE_COUNTRY_ASSUMED": "Numbers without a country were read as numbers of {detail}: {count}, the first on this"
    " line.",
    "DAY_NUMBER_ASSUMED": "Days as numbers of a spreadsheet, which counts them from 1900: {count}, the first on this"
    " line.",
    "PAYMENT_KIND_ASSUMED": "Payments in words that are not known were taken as OTHER: {count}, the first on this"
    " line.",
    "ASSOCIATE_UNKNOWN": "Lines with an e-mail that is no active associate's: {count}, the first here. New clients"
    " among them were given out as others are.",
    "ENCODING_ASSUMED": "From this line on the file is not UTF-8. It was read as windows-1252.",
    "LAST_LINE_UNENDED": "The last line has no end. It was read as it is; if the file was cut off, send it again as a"
    " whole.",
    "ERASED_LEFT_OUT": "Lines of people who were erased were left out: {count}.",
}


@dataclass(frozen=True, slots=True)
class Progress:
    """How far the content is. Lines are without header and blank ones; `faults_kept` are those that have rows."""

    bytes_received: int = 0
    lines_read: int = 0
    lines_refused: int = 0
    clients_created: int = 0
    purchases_created: int = 0
    purchases_unchanged: int = 0
    clients_updated: int = 0
    conflicts: int = 0
    lines_suppressed: int = 0
    faults_kept: int = 0

    @property
    def is_full_of_faults(self) -> bool:
        """Return whether faults may have been left out."""
        return self.faults_kept >= MOST_FAULTS


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """Where a cut upload goes on, and what was known of the file there.

    `offset` is the byte behind the last record that was committed, `line` its last line; `encoding` is empty while
    several fit, `delimiter` and `header` are as the first line said.
    """

    offset: int = 0
    line: int = 0
    encoding: str = ""
    delimiter: str = ""
    header: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Import:
    """An announced file. `columns` maps its columns to FIELDS."""

    import_id: str
    source: str
    file_name: str
    format: ImportFormat
    delimiter: str
    columns: Mapping[str, str]
    store_id: str
    associate_ids: tuple[str, ...]
    state: ImportState
    progress: Progress
    failure: str
    created_at: datetime
    finished_at: datetime | None
    encoding: str = ""
    date_order: DateOrder | None = None
    import_mapping_id: str = ""
    checkpoint: Checkpoint = Checkpoint()

    @property
    def is_finished(self) -> bool:
        """Return whether nothing more will change by itself."""
        return self.state in (ImportState.COMPLETED, ImportState.FAILED)

    @property
    def counts_rows(self) -> bool:
        """Return whether equal lines are told apart by how many of them came before."""
        return self.has_purchases and "purchase_external_id" not in self.columns.values()

    @property
    def has_purchases(self) -> bool:
        """Return whether its lines are purchases; otherwise they are clients only."""
        return "purchase_date" in self.columns.values()


class ImportBusy(ServiceError):
    """Another upload of the same import is under way, or ended a moment ago without a word."""

    def __init__(self, import_id: str) -> None:
        super().__init__(
            Kind.CONFLICT,
            "IMPORT_BUSY",
            "The content of this import is being uploaded by somebody else. Try again later.",
            metadata={"import_id": import_id},
            retry_after=UPLOAD_LEASE.total_seconds(),
        )


class OffsetWrong(ServiceError):
    """The content would begin somewhere else than where the import goes on."""

    def __init__(self, offset: int) -> None:
        super().__init__(
            Kind.PRECONDITION,
            "IMPORT_OFFSET_WRONG",
            f"The content goes on at byte {offset}, or begins again at 0."
            if offset
            else "There is nothing to go on with: the content begins at byte 0.",
            metadata={"resume_offset": str(offset)},
            violations=[Violation("offset", f"is neither 0 nor {offset}" if offset else "is not 0")],
        )


class FileUnreadable(Exception):
    """The file as a whole cannot be read; the text says why, for people."""


def require_mapping(columns: Mapping[str, str]) -> None:
    """Refuse a mapping to fields that are not there (COLUMN_UNKNOWN), named twice (COLUMN_REPEATED), or that lacks a
    field without which no line can be read (COLUMN_MISSING)."""
    fields = list(columns.values())
    for column, field in columns.items():
        if field not in FIELDS:
            raise invalid(
                "columns", f"{column!r} is mapped to {field!r}, which is not there", reason="COLUMN_UNKNOWN"
            )
        if fields.count(field) > 1:
            raise invalid("columns", f"two columns are mapped to {field}", reason="COLUMN_REPEATED")
    missing = set[str]()
    if set(PURCHASE_FIELDS) & set(fields):
        missing |= {"purchase_date", "amount"} - set(fields)
    if not set(IDENTIFYING_FIELDS) & set(fields):
        missing.add("client_external_id, phone or email")
    if missing:
        raise invalid(
            "columns", f"no column is mapped to {', '.join(sorted(missing))}", reason="COLUMN_MISSING"
        )


def merged_columns(saved: Mapping[str, str], given: Mapping[str, str]) -> dict[str, str]:
    """Return a saved mapping with what is given for one import going before it; an empty field takes a column out."""
    fields = set(given.values())
    kept = {column: field for column, field in saved.items() if column not in given and field not in fields}
    return kept | {column: field for column, field in given.items() if field}


def require_delimiter(delimiter: str) -> str:
    """Return the delimiter. Raises INVALID for one that lines or quotes are made of."""
    if delimiter in {'"', "\n", "\r", "\0"}:
        raise invalid("delimiter", "cannot be a quote or an end of line")
    return delimiter


def spread(external_id: str, associate_ids: Sequence[str]) -> str:
    """Return the associate whose book a new client goes into: always the same one for the same client."""
    return associate_ids[zlib.crc32(external_id.encode()) % len(associate_ids)] if associate_ids else ""
