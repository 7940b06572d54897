"""Merges on the wire."""

from collections.abc import Iterable
from typing import Any

from carnet.profiles.v1 import duplicates_pb2 as pb

from chassis.caller import current_caller
from chassis.clock import Clock
from chassis.database import Database, RequestKey
from chassis.paging import cut_page, decode_page_token, page_size_of
from chassis.values import timestamp_of
from profiles.domain.merges import Difference, Merge
from profiles.grpc_api.client_messages import client_message
from profiles.store import audit
from profiles.store import clients as client_store
from profiles.store import merges as store
from profiles.use_cases import merges as use_cases
from profiles.vocabulary import MERGE_STATES


class MergeCalls:
    """The RPCs on merges."""

    _database: Database
    _clock: Clock

    async def PreviewMerge(self, request: pb.PreviewMergeRequest, context: Any) -> pb.PreviewMergeResponse:
        """Say what a merge would do."""
        preview = await use_cases.preview_merge(
            database=self._database,
            clock=self._clock,
            caller=current_caller(),
            surviving_client_id=request.surviving_client_id,
            merged_client_id=request.merged_client_id,
            choices=dict(request.choices),
        )
        return pb.PreviewMergeResponse(
            client=client_message(preview.client), differences=_differences(preview.differences)
        )

    async def MergeClients(self, request: pb.MergeClientsRequest, context: Any) -> pb.Merge:
        """Make two clients one."""
        return _merge(
            await use_cases.merge_clients(
                database=self._database,
                clock=self._clock,
                caller=current_caller(),
                key=RequestKey.of(request),
                surviving_client_id=request.surviving_client_id,
                merged_client_id=request.merged_client_id,
                choices=dict(request.choices),
            )
        )

    async def GetMerge(self, request: pb.GetMergeRequest, context: Any) -> pb.Merge:
        """Read one merge."""
        caller = current_caller()
        async with self._database.transaction(caller.chain_id) as tx:
            merge = await store.get_merge(tx, request.merge_id)
            await audit.note(
                tx,
                caller,
                "GetMerge",
                [merge.surviving_client_id, merge.merged_client_id],
                now=self._clock.now(),
                subject_id=merge.merge_id,
            )
            return _merge(merge)

    async def ListMerges(self, request: pb.ListMergesRequest, context: Any) -> pb.ListMergesResponse:
        """List merges, newest first."""
        caller = current_caller()
        size = page_size_of(request.page_size)
        key = decode_page_token(request.page_token, str)
        async with self._database.transaction(caller.chain_id) as tx:
            client_ids: list[str] = []
            if request.client_id:
                client = await client_store.get_client(tx, request.client_id)
                client_ids = [client.client_id, *client.former_client_ids]
            found = await store.list_merges(tx, client_ids, before=str(key[0]) if key else "", limit=size + 1)
            page, token = cut_page(found, size, lambda merge: (merge.merge_id,))
            ids = [one for merge in page for one in (merge.surviving_client_id, merge.merged_client_id)]
            await audit.note(tx, caller, "ListMerges", ids, now=self._clock.now())
        return pb.ListMergesResponse(merges=map(_merge, page), next_page_token=token)

    async def UndoMerge(self, request: pb.UndoMergeRequest, context: Any) -> pb.Merge:
        """Take a merge back."""
        return _merge(
            await use_cases.undo_merge(
                database=self._database,
                clock=self._clock,
                caller=current_caller(),
                merge_id=request.merge_id,
            )
        )


def _differences(differences: Iterable[Difference]) -> list[pb.MergeDifference]:
    return [
        pb.MergeDifference(
            field=one.field,
            surviving_value=one.surviving_value,
            merged_value=one.merged_value,
            chosen_client_id=one.chosen_client_id,
        )
        for one in differences
    ]


def _merge(merge: Merge) -> pb.Merge:
    return pb.Merge(
        merge_id=merge.merge_id,
        surviving_client_id=merge.surviving_client_id,
        merged_client_id=merge.merged_client_id,
        state=MERGE_STATES.number(merge.state),
        differences=_differences(merge.differences),
        is_automatic=merge.is_automatic,
        actor=merge.actor,
        merge_time=timestamp_of(merge.merged_at),
        undo_deadline_time=timestamp_of(merge.undo_until),
        undo_time=timestamp_of(merge.undone_at),
        kept=[
            pb.KeptItem(kind=one.kind, item_id=one.item_id, explanation=one.explanation) for one in merge.kept
        ],
    )
