"""Notes on the wire."""

from typing import Any

from carnet.profiles.v1 import records_pb2 as rec
from google.protobuf.empty_pb2 import Empty

from chassis.caller import current_caller
from chassis.clock import Clock
from chassis.database import Database, RequestKey
from chassis.paging import cut_page, page_size_of
from chassis.values import proto_date_of, timestamp_of
from profiles.domain.notes import Note, NoteVisibility
from profiles.grpc_api.pages import before_of
from profiles.grpc_api.surprises import surprise_of
from profiles.use_cases import notes as use_cases
from profiles.vocabulary import NOTE_VISIBILITIES


class NoteCalls:
    """The RPCs on notes."""

    _database: Database
    _clock: Clock

    async def CreateNote(self, request: rec.CreateNoteRequest, context: Any) -> rec.Note:
        """Write a note, for everybody unless it says otherwise."""
        return _note_message(
            await use_cases.create_note(
                database=self._database,
                clock=self._clock,
                caller=current_caller(),
                key=RequestKey.of(request),
                client_id=request.client_id,
                text=request.text,
                visibility=NOTE_VISIBILITIES.optional(request.visibility) or NoteVisibility.SHARED,
                surprise=surprise_of(request),
            )
        )

    async def ListNotes(self, request: rec.ListNotesRequest, context: Any) -> rec.ListNotesResponse:
        """List the notes that the caller may see, newest first."""
        size = page_size_of(request.page_size)
        found = await use_cases.list_notes(
            database=self._database,
            clock=self._clock,
            caller=current_caller(),
            client_id=request.client_id,
            include_surprises=request.include_surprises,
            before=before_of(request.page_token),
            limit=size + 1,
        )
        page, token = cut_page(found, size, lambda note: (note.created_at.isoformat(), note.note_id))
        return rec.ListNotesResponse(notes=map(_note_message, page), next_page_token=token)

    async def UpdateNote(self, request: rec.UpdateNoteRequest, context: Any) -> rec.Note:
        """Change a note."""
        return _note_message(
            await use_cases.update_note(
                database=self._database,
                clock=self._clock,
                caller=current_caller(),
                note_id=request.note_id,
                text=request.text,
                visibility=NOTE_VISIBILITIES.optional(request.visibility),
                etag=request.etag,
            )
        )

    async def DeleteNote(self, request: rec.DeleteNoteRequest, context: Any) -> Empty:
        """Remove a note."""
        await use_cases.delete_note(
            database=self._database, clock=self._clock, caller=current_caller(), note_id=request.note_id
        )
        return Empty()


def _note_message(note: Note) -> rec.Note:
    return rec.Note(
        note_id=note.note_id,
        client_id=note.client_id,
        text=note.text,
        visibility=NOTE_VISIBILITIES.number(note.visibility),
        author=note.author,
        surprise_for_client_id=note.surprise.client_id,
        surprise_end_date=proto_date_of(note.surprise.ends_on),
        create_time=timestamp_of(note.created_at),
        update_time=timestamp_of(note.updated_at),
        etag=note.etag,
    )
