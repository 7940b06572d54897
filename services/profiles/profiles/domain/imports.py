"""An import: its mapping, its progress, and the lines of it that were refused."""

import enum
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from chassis.errors import Kind, ServiceError, invalid

PIECE_FIELDS = (
    "category", "description", "brand_id", "reference", "serial", "metal", "stone", "cut", "style", "size",
)  # fmt: skip
FIELDS = frozenset(
    {
        "client_external_id", "purchase_external_id", "purchase_date", "amount", "quantity", "currency_code",
        "given_name", "family_name", "phone", "email", *PIECE_FIELDS,
    }
)  # fmt: skip
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


@dataclass(frozen=True, slots=True)
class Fault:
    """A line that was refused; `field` as the mapping calls it, empty when the line as a whole is wrong."""

    line: int
    field: str
    reason: str
    message: str


@dataclass(frozen=True, slots=True)
class Progress:
    """How far one upload of the content is. Lines are without header and blank ones."""

    bytes_received: int = 0
    lines_read: int = 0
    lines_refused: int = 0
    clients_created: int = 0
    purchases_created: int = 0
    purchases_unchanged: int = 0


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

    @property
    def is_finished(self) -> bool:
        """Return whether nothing more will change by itself."""
        return self.state in (ImportState.COMPLETED, ImportState.FAILED)

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
    needed = {"client_external_id"}
    if {"purchase_date", "amount", "quantity", "purchase_external_id"} & set(fields):
        needed |= {"purchase_date", "amount"}
    if missing := sorted(needed - set(fields)):
        raise invalid("columns", f"no column is mapped to {', '.join(missing)}", reason="COLUMN_MISSING")


def require_delimiter(delimiter: str) -> str:
    """Return the delimiter, a comma by default. Raises INVALID for one that lines or quotes are made of."""
    if delimiter in {'"', "\n", "\r", "\0"}:
        raise invalid("delimiter", "cannot be a quote or an end of line")
    return delimiter or ","


def spread(external_id: str, associate_ids: Sequence[str]) -> str:
    """Return the associate whose book a new client goes into: always the same one for the same client."""
    return associate_ids[zlib.crc32(external_id.encode()) % len(associate_ids)] if associate_ids else ""
