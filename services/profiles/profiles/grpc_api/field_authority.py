"""Field authority and its conflicts on the wire."""

from typing import Any

from carnet.profiles.v1 import sync_pb2 as pb

from chassis.caller import current_caller
from chassis.clock import Clock
from chassis.database import Database
from chassis.paging import cut_page, decode_page_token, page_size_of
from chassis.values import timestamp_of
from profiles.domain.field_authority import Authority, ConflictState, FieldConflict, FieldRule
from profiles.store import field_authority as store
from profiles.use_cases import field_authority as use_cases
from profiles.vocabulary import AUTHORITY_RULES, FIELD_CONFLICT_STATES


class FieldAuthorityCalls:
    """The RPCs on who may overwrite what."""

    _database: Database
    _clock: Clock

    async def GetFieldAuthority(
        self, request: pb.GetFieldAuthorityRequest, context: Any
    ) -> pb.FieldAuthority:
        """Read which system may overwrite what."""
        async with self._database.transaction(current_caller().chain_id) as tx:
            return _authority_message(await store.get_authority(tx))

    async def UpdateFieldAuthority(
        self, request: pb.UpdateFieldAuthorityRequest, context: Any
    ) -> pb.FieldAuthority:
        """Say which system may overwrite what."""
        authority = await use_cases.update_authority(
            database=self._database,
            clock=self._clock,
            caller=current_caller(),
            rules=[
                FieldRule(rule.source, rule.field, AUTHORITY_RULES.word(rule.rule, f"rules[{index}].rule"))
                for index, rule in enumerate(request.rules)
            ],
            etag=request.etag,
        )
        return _authority_message(authority)

    async def ListFieldConflicts(
        self, request: pb.ListFieldConflictsRequest, context: Any
    ) -> pb.ListFieldConflictsResponse:
        """List values that a system sent and that were not taken."""
        size = page_size_of(request.page_size)
        key = decode_page_token(request.page_token, str)
        found = await use_cases.list_conflicts(
            database=self._database,
            clock=self._clock,
            caller=current_caller(),
            state=FIELD_CONFLICT_STATES.optional(request.state) or ConflictState.OPEN,
            client_id=request.client_id,
            before=str(key[0]) if key else "",
            limit=size + 1,
        )
        page, token = cut_page(found, size, lambda one: (one.field_conflict_id,))
        return pb.ListFieldConflictsResponse(
            field_conflicts=map(_conflict_message, page), next_page_token=token
        )

    async def SettleFieldConflict(
        self, request: pb.SettleFieldConflictRequest, context: Any
    ) -> pb.FieldConflict:
        """Take the offered value, or keep what is there."""
        conflict = await use_cases.settle_conflict(
            database=self._database,
            clock=self._clock,
            caller=current_caller(),
            field_conflict_id=request.field_conflict_id,
            is_taken=request.is_taken,
        )
        return _conflict_message(conflict)


def _authority_message(authority: Authority) -> pb.FieldAuthority:
    return pb.FieldAuthority(
        rules=[
            pb.FieldRule(source=rule.source, field=rule.field, rule=AUTHORITY_RULES.number(rule.rule))
            for rule in authority.rules
        ],
        update_time=timestamp_of(authority.updated_at),
        etag=authority.etag,
    )


def _conflict_message(conflict: FieldConflict) -> pb.FieldConflict:
    return pb.FieldConflict(
        field_conflict_id=conflict.field_conflict_id,
        client_id=conflict.client_id,
        field=conflict.field,
        current_value=conflict.current_value,
        current_writer=conflict.current_writer,
        offered_value=conflict.offered_value,
        source=conflict.source,
        state=FIELD_CONFLICT_STATES.number(conflict.state),
        create_time=timestamp_of(conflict.created_at),
        settled_by=conflict.settled_by,
        settle_time=timestamp_of(conflict.settled_at),
    )
