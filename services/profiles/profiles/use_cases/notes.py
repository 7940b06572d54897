"""Write, read, change and remove notes. A private note is its author's: for everybody else it is not there."""

from dataclasses import replace
from datetime import datetime

from chassis.caller import Caller
from chassis.clock import Clock
from chassis.database import Database, RequestKey, Transaction
from chassis.ids import new_id
from profiles.domain.notes import NOTE_SUMMARY, Note, NoteVisibility, require_text
from profiles.domain.surprises import Surprise
from profiles.domain.timeline import Entry, TimelineKind, entry_id_of
from profiles.store import audit
from profiles.store import clients as client_store
from profiles.store import notes as store
from profiles.store import surprises as surprise_store
from profiles.store import timeline as timeline_store


def author_of(caller: Caller) -> str:
    """Return as whom a caller writes: the associate, else the user or key."""
    return caller.associate_id or caller.actor_id


async def create_note(
    *,
    database: Database,
    clock: Clock,
    caller: Caller,
    key: RequestKey,
    client_id: str,
    text: str,
    visibility: NoteVisibility,
    surprise: Surprise,
) -> Note:
    """Write a note. Raises CLIENT_NOT_FOUND, and NOTE_NOT_FOUND for a repeat after it was removed."""
    text = require_text(text)
    author = author_of(caller)
    async with database.transaction(caller.chain_id) as tx:
        note_id, is_repeat = await tx.once(key, new_id("nte"))
        if is_repeat:
            return await store.get_note(tx, note_id, reader=author)
        now = clock.now()
        note = Note(
            note_id=note_id,
            client_id=await client_store.keep_client(tx, client_id),
            text=text,
            visibility=visibility,
            author=author,
            created_at=now,
            updated_at=now,
            surprise=await surprise_store.keep_surprise(tx, surprise),
        )
        await store.add_note(tx, note)
        await _tell(tx, note)
        return note


async def list_notes(
    *,
    database: Database,
    clock: Clock,
    caller: Caller,
    client_id: str,
    include_surprises: bool,
    before: tuple[datetime, str] | None,
    limit: int,
) -> list[Note]:
    """Return the notes on a client that the caller sees, newest first. Raises CLIENT_NOT_FOUND."""
    async with database.transaction(caller.chain_id) as tx:
        viewer = await surprise_store.get_viewer(tx, client_id, now=clock.now())
        await audit.note(tx, caller, "ListNotes", [viewer.client_id], now=clock.now())
        return await store.list_notes(
            tx,
            viewer,
            reader=author_of(caller),
            include_surprises=include_surprises,
            before=before,
            limit=limit,
        )


async def update_note(
    *,
    database: Database,
    clock: Clock,
    caller: Caller,
    note_id: str,
    text: str,
    visibility: NoteVisibility | None,
    etag: str,
) -> Note:
    """Change a note; its visibility where one is given.

    Raises NOTE_NOT_FOUND, NOTE_OF_SOMEBODY_ELSE and NOTE_CHANGED.
    """
    text = require_text(text)
    author = author_of(caller)
    async with database.transaction(caller.chain_id) as tx:
        note = await store.get_note(tx, note_id, reader=author, lock=True)
        note.require_author(author)
        note.require_etag(etag)
        now = clock.now()
        await audit.note(tx, caller, "UpdateNote", [note.client_id], now=now, subject_id=note_id)
        wanted = replace(note, text=text, visibility=visibility or note.visibility)
        if wanted == note:
            return note
        changed = replace(wanted, version=note.version + 1, updated_at=now)
        await store.save_note(tx, changed)
        if changed.visibility is not note.visibility:
            await timeline_store.remove_entries(tx, note.client_id, TimelineKind.NOTE, note_id)
            await _tell(tx, changed)
        return changed


async def delete_note(*, database: Database, clock: Clock, caller: Caller, note_id: str) -> None:
    """Remove a note, its line and what is attached to it. Raises NOTE_NOT_FOUND and NOTE_OF_SOMEBODY_ELSE."""
    author = author_of(caller)
    async with database.transaction(caller.chain_id) as tx:
        note = await store.get_note(tx, note_id, reader=author, lock=True)
        note.require_author(author)
        await audit.note(tx, caller, "DeleteNote", [note.client_id], now=clock.now(), subject_id=note_id)
        await timeline_store.remove_entries(tx, note.client_id, TimelineKind.NOTE, note_id)
        await store.delete_note(tx, note_id)


async def _tell(tx: Transaction, note: Note) -> None:
    if note.visibility is NoteVisibility.PRIVATE:
        return
    entry = Entry(
        entry_id_of(note.note_id),
        note.client_id,
        TimelineKind.NOTE,
        note.created_at,
        NOTE_SUMMARY,
        note.note_id,
        note.surprise,
    )
    await timeline_store.add_entries(tx, [entry])
