"""Covers on the wire."""

from datetime import date
from typing import Any

from carnet.profiles.v1 import profiles_pb2 as pb
from google.protobuf.empty_pb2 import Empty

from chassis.caller import current_caller
from chassis.clock import Clock
from chassis.database import Database, RequestKey
from chassis.errors import invalid
from chassis.paging import cut_page, decode_page_token, page_size_of
from chassis.values import date_of, proto_date_of, timestamp_of
from profiles.domain.covers import Cover
from profiles.store import covers as store
from profiles.store import directory as directory_store
from profiles.use_cases import covers as use_cases


class CoverCalls:
    """The RPCs on covers."""

    _database: Database
    _clock: Clock

    async def CreateCover(self, request: pb.CreateCoverRequest, context: Any) -> pb.Cover:
        """Say who covers for an associate."""
        return _cover(
            await use_cases.create_cover(
                database=self._database,
                clock=self._clock,
                caller=current_caller(),
                key=RequestKey.of(request),
                associate_id=request.associate_id,
                cover_associate_id=request.cover_associate_id,
                starts_on=date_of(request.start_date, "start_date"),
                ends_on=date_of(request.end_date, "end_date"),
            )
        )

    async def ListCovers(self, request: pb.ListCoversRequest, context: Any) -> pb.ListCoversResponse:
        """List who covers for an associate, the latest days first."""
        size = page_size_of(request.page_size)
        before = _before(request.page_token)
        async with self._database.transaction(current_caller().chain_id) as tx:
            await directory_store.get_associate(tx, request.associate_id)
            found = await store.list_covers(tx, request.associate_id, before=before, limit=size + 1)
        page, token = cut_page(found, size, lambda one: (one.starts_on.isoformat(), one.cover_id))
        return pb.ListCoversResponse(covers=map(_cover, page), next_page_token=token)

    async def DeleteCover(self, request: pb.DeleteCoverRequest, context: Any) -> Empty:
        """Take a cover back."""
        await use_cases.delete_cover(
            database=self._database,
            caller=current_caller(),
            associate_id=request.associate_id,
            cover_id=request.cover_id,
        )
        return Empty()


def _before(token: str) -> tuple[date, str] | None:
    if (key := decode_page_token(token, str, str)) is None:
        return None
    try:
        return date.fromisoformat(str(key[0])), str(key[1])
    except ValueError as error:
        raise invalid("page_token", "is not a token that a previous page of this list returned") from error


def _cover(cover: Cover) -> pb.Cover:
    return pb.Cover(
        cover_id=cover.cover_id,
        associate_id=cover.associate_id,
        cover_associate_id=cover.cover_associate_id,
        start_date=proto_date_of(cover.starts_on),
        end_date=proto_date_of(cover.ends_on),
        create_time=timestamp_of(cover.created_at),
    )
