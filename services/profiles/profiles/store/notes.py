"""Rows of notes. Every function that gives notes to people asks who reads."""

from datetime import datetime
from typing import Any

from sqlalchemy import Row

from chassis.database import Transaction
from chassis.errors import not_found
from profiles.domain.notes import Note, NoteVisibility
from profiles.domain.surprises import Surprise
from profiles.store.surprises import SHOWN, Viewer

_COLUMNS = (
    "note_id, client_id, body, visibility, author, surprise_for_client_id, surprise_ends_on, version, created_at,"
    " updated_at"
)


async def add_note(tx: Transaction, note: Note) -> None:
    """Insert a note."""
    await tx.execute(
        "insert into notes (chain_id, note_id, client_id, body, visibility, author, surprise_for_client_id,"
        " surprise_ends_on, version, created_at, updated_at) values (:chain_id, :note_id, :client_id, :body,"
        " :visibility, :author, :surprise_for_client_id, :surprise_ends_on, :version, :created_at, :updated_at)",
        {
            "chain_id": tx.chain_id,
            "note_id": note.note_id,
            "client_id": note.client_id,
            "body": note.text,
            "visibility": note.visibility.value,
            "author": note.author,
            "surprise_for_client_id": note.surprise.client_id,
            "surprise_ends_on": note.surprise.ends_on,
            "version": note.version,
            "created_at": note.created_at,
            "updated_at": note.updated_at,
        },
    )


async def get_note(tx: Transaction, note_id: str, *, reader: str, lock: bool = False) -> Note:
    """Return a note that `reader` sees; with `lock`, until the transaction ends. Raises NOTE_NOT_FOUND."""
    found = await tx.execute(
        f"select {_COLUMNS} from notes where note_id = :note_id{' for update' if lock else ''}",  # noqa: S608
        {"note_id": note_id},
    )
    row = found.one_or_none()
    if row is None or not (note := _note(row)).is_seen_by(reader):
        raise not_found("note", note_id)
    return note


async def save_note(tx: Transaction, note: Note) -> None:
    """Write a locked note."""
    await tx.execute(
        "update notes set body = :body, visibility = :visibility, version = :version, updated_at = :updated_at"
        " where note_id = :note_id",
        {
            "note_id": note.note_id,
            "body": note.text,
            "visibility": note.visibility.value,
            "version": note.version,
            "updated_at": note.updated_at,
        },
    )


async def delete_note(tx: Transaction, note_id: str) -> None:
    """Remove a locked note with what is attached to it: without the note nothing says who may see that."""
    for statement in (
        "delete from attachments where client_id = (select n.client_id from notes n where n.note_id = :note_id)"
        " and subject_id = :note_id",
        "delete from notes where note_id = :note_id",
    ):
        await tx.execute(statement, {"note_id": note_id})


async def list_notes(
    tx: Transaction,
    viewer: Viewer,
    *,
    reader: str,
    include_surprises: bool,
    before: tuple[datetime, str] | None,
    limit: int,
) -> list[Note]:
    """Return the notes on a client that `reader` sees, newest first."""
    parameters: dict[str, Any] = {
        "client_id": viewer.client_id,
        "reader": reader,
        "limit": limit,
        **viewer.parameters(include_surprises=include_surprises),
    }
    after = ""
    if before:
        after = " and (created_at, note_id) < (:before_time, :before_id)"
        parameters |= {"before_time": before[0], "before_id": before[1]}
    found = await tx.execute(
        f"select {_COLUMNS} from notes r where client_id = :client_id and (visibility = 'shared' or author = :reader)"  # noqa: S608
        f" and {SHOWN}{after} order by created_at desc, note_id desc limit :limit",
        parameters,
    )
    return [_note(row) for row in found]


def _note(row: Row[Any]) -> Note:
    return Note(
        note_id=row.note_id,
        client_id=row.client_id,
        text=row.body,
        visibility=NoteVisibility(row.visibility),
        author=row.author,
        created_at=row.created_at,
        updated_at=row.updated_at,
        version=row.version,
        surprise=Surprise(row.surprise_for_client_id, row.surprise_ends_on),
    )
