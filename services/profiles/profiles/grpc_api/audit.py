"""The audit on the wire."""

from typing import Any

from carnet.profiles.v1 import privacy_pb2 as pb

from chassis.caller import current_caller
from chassis.clock import Clock
from chassis.database import Database
from chassis.errors import invalid
from chassis.paging import cut_page, decode_page_token, page_size_of
from chassis.values import datetime_of, timestamp_of
from profiles.store import audit as store


class AuditCalls:
    """The RPC on the audit."""

    _database: Database
    _clock: Clock

    async def ListAuditEntries(
        self, request: pb.ListAuditEntriesRequest, context: Any
    ) -> pb.ListAuditEntriesResponse:
        """List who read, exported, merged or erased what, newest first."""
        size = page_size_of(request.page_size)
        (before,) = decode_page_token(request.page_token, str) or ("",)
        start = datetime_of(request.start_time, "start_time") if request.HasField("start_time") else None
        end = datetime_of(request.end_time, "end_time") if request.HasField("end_time") else None
        if start is not None and end is not None and start >= end:
            raise invalid("end_time", "must be after start_time")
        async with self._database.transaction(current_caller().chain_id) as tx:
            found = await store.list_entries(
                tx,
                client_id=request.client_id,
                actor=request.actor,
                action=request.action,
                start=start,
                end=end,
                before=str(before),
                limit=size + 1,
            )
        page, token = cut_page(found, size, lambda entry: (entry.audit_entry_id,))
        return pb.ListAuditEntriesResponse(audit_entries=map(_entry, page), next_page_token=token)


def _entry(entry: store.AuditEntry) -> pb.AuditEntry:
    return pb.AuditEntry(
        audit_entry_id=entry.audit_entry_id,
        actor=entry.actor,
        role=entry.role,
        action=entry.action,
        client_ids=entry.client_ids,
        subject_id=entry.subject_id,
        create_time=timestamp_of(entry.created_at),
    )
