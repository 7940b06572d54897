"""Notes on a client: for everybody, or for who wrote them."""

import enum
from dataclasses import dataclass
from datetime import datetime

from chassis.errors import Kind, ServiceError, invalid
from profiles.domain.surprises import NO_SURPRISE, Surprise

NOTE_SUMMARY = "Wrote a note"


class NoteVisibility(enum.StrEnum):
    """Who sees a note."""

    SHARED = "shared"
    PRIVATE = "private"


@dataclass(frozen=True, slots=True)
class Note:
    """A note; `author` is the associate, else the user or key; `version` counts every change."""

    note_id: str
    client_id: str
    text: str
    visibility: NoteVisibility
    author: str
    created_at: datetime
    updated_at: datetime
    version: int = 1
    surprise: Surprise = NO_SURPRISE

    @property
    def etag(self) -> str:
        """Return an opaque mark of this version."""
        return f"v{self.version}"

    def is_seen_by(self, author: str) -> bool:
        """Return whether somebody sees the note: an author always, others what is shared."""
        return self.visibility is NoteVisibility.SHARED or self.author == author

    def require_author(self, author: str) -> None:
        """Refuse to let others change a note."""
        if self.author != author:
            raise NoteOfSomebodyElse(self.note_id)

    def require_etag(self, etag: str) -> None:
        """Refuse an etag of an older version; an empty one accepts any."""
        if etag and etag != self.etag:
            raise NoteChanged(self.note_id)


class NoteOfSomebodyElse(ServiceError):
    """Only who wrote a note changes it."""

    def __init__(self, note_id: str) -> None:
        super().__init__(
            Kind.FORBIDDEN,
            "NOTE_OF_SOMEBODY_ELSE",
            "Only who wrote this note can change it.",
            metadata={"note_id": note_id},
        )


class NoteChanged(ServiceError):
    """The etag is older than the note."""

    def __init__(self, note_id: str) -> None:
        super().__init__(
            Kind.CONFLICT,
            "NOTE_CHANGED",
            "The note was changed since it was read. Read it again.",
            metadata={"note_id": note_id},
        )


def require_text(text: str) -> str:
    """Return the text without blanks around it. Raises INVALID for nothing but blanks."""
    if not (stripped := text.strip()):
        raise invalid("text", "is blank")
    return stripped
