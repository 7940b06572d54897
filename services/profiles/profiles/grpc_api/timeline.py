"""Timelines on the wire."""

from datetime import datetime
from typing import Any

from carnet.profiles.v1 import profiles_pb2 as pb

from chassis.caller import current_caller
from chassis.clock import Clock
from chassis.database import Database
from chassis.errors import invalid
from chassis.paging import cut_page, decode_page_token, page_size_of
from chassis.values import proto_date_of, timestamp_of
from profiles.domain.timeline import Entry
from profiles.store import audit as audit_store
from profiles.store import timeline as timeline_store
from profiles.vocabulary import TIMELINE_KINDS


class TimelineCalls:
    """The RPC on timelines."""

    _database: Database
    _clock: Clock

    async def ListTimeline(self, request: pb.ListTimelineRequest, context: Any) -> pb.ListTimelineResponse:
        """Read a client's timeline, newest first."""
        size = page_size_of(request.page_size)
        kinds = [TIMELINE_KINDS.word(kind, f"kinds[{index}]") for index, kind in enumerate(request.kinds)]
        caller = current_caller()
        now = self._clock.now()
        async with self._database.transaction(caller.chain_id) as tx:
            client_id, found = await timeline_store.list_entries(
                tx,
                request.client_id,
                kinds=kinds,
                before=_before(request.page_token),
                limit=size + 1,
                now=now,
                include_surprises=request.include_surprises,
            )
            await audit_store.note(tx, caller, "ListTimeline", [client_id], now=now)
        page, token = cut_page(found, size, lambda entry: (entry.occurred_at.isoformat(), entry.entry_id))
        return pb.ListTimelineResponse(entries=map(_entry_message, page), next_page_token=token)


def _before(token: str) -> tuple[datetime, str] | None:
    if (key := decode_page_token(token, str, str)) is None:
        return None
    try:
        return datetime.fromisoformat(str(key[0])), str(key[1])
    except ValueError as error:
        raise invalid("page_token", "is not a token that a previous page of this list returned") from error


def _entry_message(entry: Entry) -> pb.TimelineEntry:
    return pb.TimelineEntry(
        entry_id=entry.entry_id,
        client_id=entry.client_id,
        kind=TIMELINE_KINDS.number(entry.kind),
        occur_time=timestamp_of(entry.occurred_at),
        summary=entry.summary,
        subject_id=entry.subject_id,
        surprise_for_client_id=entry.surprise.client_id,
        surprise_end_date=proto_date_of(entry.surprise.ends_on),
    )
