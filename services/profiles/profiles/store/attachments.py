"""Rows of attachments. Who gives them to people says who reads: those of a private note are its author's."""

from datetime import datetime
from typing import Any

from sqlalchemy import Row

from chassis.database import Transaction
from chassis.errors import not_found
from profiles.domain.attachments import Attachment, Content, ContentType
from profiles.domain.surprises import Surprise
from profiles.store.surprises import SHOWN, Viewer

_COLUMNS = (
    "attachment_id, client_id, subject_id, file_name, content_type, caption, object_key, byte_count, content_hash,"
    " surprise_for_client_id, surprise_ends_on, created_at"
)
_SEEN = (
    "not exists (select from notes n where n.chain_id = r.chain_id and n.note_id = r.subject_id"
    " and n.visibility = 'private' and n.author <> :reader)"
)
_NOTE_SEEN = " and (visibility = 'shared' or author = :reader)"
# Which table an id of each prefix is in.
_SUBJECTS = {
    "rep": ("repairs", "repair_id"),
    "vis": ("visits", "visit_id"),
    "pur": ("purchases", "purchase_id"),
    "nte": ("notes", "note_id"),
}


async def keep_subject(tx: Transaction, client_id: str, subject_id: str, *, reader: str) -> Surprise:
    """Return for whom a repair, visit, purchase or visible note of the client is a surprise; the record stays until the
    transaction ends. Raises SUBJECT_NOT_FOUND for any other id."""
    table, key = _SUBJECTS.get(subject_id.partition("_")[0], ("", ""))
    if table:
        found = await tx.execute(
            f"select surprise_for_client_id, surprise_ends_on from {table} where {key} = :subject_id"  # noqa: S608
            " and client_id = :client_id"
            f"{_NOTE_SEEN if table == 'notes' else ''} for key share",
            {"subject_id": subject_id, "client_id": client_id}
            | ({"reader": reader} if table == "notes" else {}),
        )
        if (row := found.one_or_none()) is not None:
            return Surprise(row.surprise_for_client_id, row.surprise_ends_on)
    raise not_found("subject", subject_id)


async def follow_surprise(
    tx: Transaction, client_id: str, subject_id: str, before: Surprise, now: Surprise
) -> None:
    """Make the attachments that had a record's surprise have the one that it has now."""
    await tx.execute(
        "update attachments set surprise_for_client_id = :now_for, surprise_ends_on = :now_ends"
        " where client_id = :client_id and subject_id = :subject_id and surprise_for_client_id = :before_for"
        " and surprise_ends_on is not distinct from cast(:before_ends as date)",
        {
            "client_id": client_id,
            "subject_id": subject_id,
            "now_for": now.client_id,
            "now_ends": now.ends_on,
            "before_for": before.client_id,
            "before_ends": before.ends_on,
        },
    )


async def add_attachment(tx: Transaction, attachment: Attachment) -> None:
    """Insert an announced attachment."""
    await tx.execute(
        "insert into attachments (chain_id, attachment_id, client_id, subject_id, file_name, content_type, caption,"
        " surprise_for_client_id, surprise_ends_on, created_at) values (:chain_id, :attachment_id, :client_id,"
        " :subject_id, :file_name, :content_type, :caption, :surprise_for_client_id, :surprise_ends_on, :created_at)",
        {
            "chain_id": tx.chain_id,
            "attachment_id": attachment.attachment_id,
            "client_id": attachment.client_id,
            "subject_id": attachment.subject_id,
            "file_name": attachment.file_name,
            "content_type": attachment.content_type.value,
            "caption": attachment.caption,
            "surprise_for_client_id": attachment.surprise.client_id,
            "surprise_ends_on": attachment.surprise.ends_on,
            "created_at": attachment.created_at,
        },
    )


async def get_attachment(
    tx: Transaction, attachment_id: str, *, reader: str, lock: bool = False
) -> Attachment:
    """Return an attachment that `reader` sees; with `lock`, until the transaction ends. Raises ATTACHMENT_NOT_FOUND."""
    found = await tx.execute(
        f"select {_COLUMNS} from attachments r where attachment_id = :attachment_id and {_SEEN}"  # noqa: S608
        f"{' for update' if lock else ''}",
        {"attachment_id": attachment_id, "reader": reader},
    )
    if (row := found.one_or_none()) is None:
        raise not_found("attachment", attachment_id)
    return _attachment(row)


async def set_content(tx: Transaction, attachment_id: str, content: Content) -> None:
    """Write what came for a locked attachment."""
    await tx.execute(
        "update attachments set object_key = :object_key, byte_count = :byte_count, content_hash = :content_hash"
        " where attachment_id = :attachment_id",
        {
            "attachment_id": attachment_id,
            "object_key": content.object_key,
            "byte_count": content.byte_count,
            "content_hash": content.content_hash,
        },
    )


async def delete_attachment(tx: Transaction, attachment_id: str) -> None:
    """Remove a locked attachment; a trigger has its object removed after the commit."""
    await tx.execute(
        "delete from attachments where attachment_id = :attachment_id", {"attachment_id": attachment_id}
    )


async def list_attachments(
    tx: Transaction,
    viewer: Viewer,
    *,
    subject_id: str,
    reader: str,
    include_surprises: bool,
    before: tuple[datetime, str] | None,
    limit: int,
) -> list[Attachment]:
    """Return a client's attachments whose content is there and that `reader` sees, newest first."""
    conditions = ["r.client_id = :client_id", "r.object_key <> ''", _SEEN, SHOWN]
    parameters: dict[str, Any] = {
        "client_id": viewer.client_id,
        "reader": reader,
        "limit": limit,
        **viewer.parameters(include_surprises=include_surprises),
    }
    if subject_id:
        conditions.append("r.subject_id = :subject_id")
        parameters["subject_id"] = subject_id
    if before:
        conditions.append("(r.created_at, r.attachment_id) < (:before_time, :before_id)")
        parameters |= {"before_time": before[0], "before_id": before[1]}
    found = await tx.execute(
        f"select {_COLUMNS} from attachments r where {' and '.join(conditions)}"  # noqa: S608
        " order by r.created_at desc, r.attachment_id desc limit :limit",
        parameters,
    )
    return [_attachment(row) for row in found]


def _attachment(row: Row[Any]) -> Attachment:
    return Attachment(
        attachment_id=row.attachment_id,
        client_id=row.client_id,
        subject_id=row.subject_id,
        file_name=row.file_name,
        content_type=ContentType(row.content_type),
        caption=row.caption,
        created_at=row.created_at,
        content=Content(row.object_key, row.byte_count, row.content_hash) if row.object_key else None,
        surprise=Surprise(row.surprise_for_client_id, row.surprise_ends_on),
    )
