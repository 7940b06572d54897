"""The feed of changes on the wire."""

from typing import Any

from carnet.profiles.v1 import sync_pb2 as pb

from chassis.caller import current_caller
from chassis.clock import Clock
from chassis.database import Database
from chassis.errors import ServiceError, invalid
from chassis.paging import decode_page_token, encode_page_token, page_size_of
from profiles.domain.changes import Change, Position
from profiles.grpc_api.client_messages import client_message
from profiles.grpc_api.purchases import purchase_message
from profiles.grpc_api.visits import visit_message
from profiles.use_cases import changes as use_cases
from profiles.vocabulary import CHANGE_KINDS


class ChangeCalls:
    """The RPC on changes."""

    _database: Database
    _clock: Clock

    async def ListChanges(self, request: pb.ListChangesRequest, context: Any) -> pb.ListChangesResponse:
        """Follow what changed, oldest first."""
        changes, position, has_more = await use_cases.list_changes(
            database=self._database,
            clock=self._clock,
            caller=current_caller(),
            kinds={
                CHANGE_KINDS.word(number, f"kinds[{index}]") for index, number in enumerate(request.kinds)
            },
            after=_position(request.after),
            limit=page_size_of(request.page_size),
        )
        return pb.ListChangesResponse(
            changes=map(_change, changes),
            next_cursor=encode_page_token(position.changed_in, position.kind, position.record_id)
            if position.record_id
            else "",
            has_more=has_more,
        )


def _position(cursor: str) -> Position:
    try:
        key = decode_page_token(cursor, int, str, str)
    except ServiceError as error:
        raise invalid("after", "is not a cursor that an earlier answer gave") from error
    if key is None:
        return Position(-1, "", "")
    return Position(int(key[0]), str(key[1]), str(key[2]))


def _change(change: Change) -> pb.Change:
    return pb.Change(
        kind=CHANGE_KINDS.number(change.kind),
        client_id=change.client_id,
        client=client_message(change.client) if change.client else None,
        purchase=purchase_message(change.purchase) if change.purchase else None,
        visit=visit_message(change.visit) if change.visit else None,
        successor_client_id=change.successor_id,
    )
