"""Books on the wire: who had whom, and reassigning."""

from datetime import datetime
from typing import Any

from carnet.profiles.v1 import profiles_pb2 as pb

from chassis.caller import current_caller
from chassis.clock import Clock
from chassis.database import Database, RequestKey
from chassis.errors import invalid
from chassis.paging import cut_page, decode_page_token, encode_page_token, page_size_of
from chassis.values import timestamp_of
from profiles.domain.books import Assignment, Spreading, shares_of
from profiles.grpc_api.client_messages import client_message
from profiles.store import books as store
from profiles.store import clients as client_store
from profiles.use_cases import books as use_cases
from profiles.vocabulary import ASSIGNMENT_REASONS


class BookCalls:
    """The RPCs on books."""

    _database: Database
    _clock: Clock

    async def ListAssignments(
        self, request: pb.ListAssignmentsRequest, context: Any
    ) -> pb.ListAssignmentsResponse:
        """List who had a client, newest first."""
        size = page_size_of(request.page_size)
        before = _before(request.page_token)
        async with self._database.transaction(current_caller().chain_id) as tx:
            client = await client_store.get_client(tx, request.client_id)
            ids = [client.client_id, *client.former_client_ids]
            found = await store.list_assignments(tx, ids, before=before, limit=size + 1)
        page, token = cut_page(found, size, lambda one: (one.assigned_at.isoformat(), one.assignment_id))
        return pb.ListAssignmentsResponse(assignments=map(_assignment, page), next_page_token=token)

    async def SetSecondaryAssociate(
        self, request: pb.SetSecondaryAssociateRequest, context: Any
    ) -> pb.Client:
        """Name who stands in for a client's associate."""
        return client_message(
            await use_cases.set_secondary_associate(
                database=self._database,
                clock=self._clock,
                caller=current_caller(),
                client_id=request.client_id,
                associate_id=request.associate_id,
            )
        )

    async def PreviewReassignment(
        self, request: pb.PreviewReassignmentRequest, context: Any
    ) -> pb.PreviewReassignmentResponse:
        """Say what ReassignBook would do."""
        size = page_size_of(request.page_size)
        after, moved = decode_page_token(request.page_token, str, int) or ("", 0)
        if int(moved) < 0:
            raise invalid("page_token", "is not a token that a previous page of this list returned")
        spreading = _spreading(request)
        preview = await use_cases.preview_reassignment(
            database=self._database,
            caller=current_caller(),
            spreading=spreading,
            after=str(after),
            moved=int(moved),
            limit=size + 1,
        )
        page = preview.moves[:size]
        is_cut = len(preview.moves) > size
        return pb.PreviewReassignmentResponse(
            client_count=preview.extent.client_count,
            shares=_shares(spreading, preview.extent.client_count),
            moves=[
                pb.ReassignmentMove(
                    client_id=client.client_id,
                    given_name=client.given_name,
                    family_name=client.family_name,
                    associate_id=associate_id,
                )
                for client, associate_id in page
            ],
            next_page_token=encode_page_token(page[-1][0].client_id, int(moved) + size) if is_cut else "",
            preview_etag=preview.etag,
        )

    async def ReassignBook(self, request: pb.ReassignBookRequest, context: Any) -> pb.Reassignment:
        """Spread a book over others."""
        done = await use_cases.reassign_book(
            database=self._database,
            clock=self._clock,
            caller=current_caller(),
            key=RequestKey.of(request),
            spreading=_spreading(request),
            etag=request.preview_etag,
        )
        return pb.Reassignment(
            reassignment_id=done.reassignment_id,
            associate_id=done.spreading.associate_id,
            store_id=done.spreading.store_id,
            client_count=done.moved,
            shares=_shares(done.spreading, done.moved),
            create_time=timestamp_of(done.created_at),
        )


def _spreading(request: pb.PreviewReassignmentRequest | pb.ReassignBookRequest) -> Spreading:
    return Spreading(request.associate_id, tuple(request.target_associate_ids), request.store_id)


def _shares(spreading: Spreading, client_count: int) -> list[pb.ReassignmentShare]:
    return [
        pb.ReassignmentShare(associate_id=associate_id, client_count=count)
        for associate_id, count in shares_of(spreading, client_count)
    ]


def _before(token: str) -> tuple[datetime, str] | None:
    if (key := decode_page_token(token, str, str)) is None:
        return None
    try:
        return datetime.fromisoformat(str(key[0])), str(key[1])
    except ValueError as error:
        raise invalid("page_token", "is not a token that a previous page of this list returned") from error


def _assignment(assignment: Assignment) -> pb.Assignment:
    return pb.Assignment(
        assignment_id=assignment.assignment_id,
        client_id=assignment.client_id,
        from_associate_id=assignment.from_associate_id,
        to_associate_id=assignment.to_associate_id,
        reason=ASSIGNMENT_REASONS.number(assignment.reason),
        actor=assignment.actor,
        assign_time=timestamp_of(assignment.assigned_at),
    )
