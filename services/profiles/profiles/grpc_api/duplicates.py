"""Pairs that may be one person, and passes, on the wire."""

from collections.abc import Mapping, Sequence
from typing import Any

from carnet.profiles.v1 import duplicates_pb2 as pb
from carnet.profiles.v1 import profiles_pb2

from chassis.caller import current_caller
from chassis.clock import Clock
from chassis.database import Database, RequestKey, Transaction
from chassis.paging import cut_page, decode_page_token, page_size_of
from chassis.values import timestamp_of
from profiles.domain.duplicates import Duplicate, DuplicatePass, DuplicateState
from profiles.grpc_api.client_messages import client_message
from profiles.store import audit
from profiles.store import clients as client_store
from profiles.store import duplicates as store
from profiles.use_cases import duplicates as use_cases
from profiles.vocabulary import DUPLICATE_REASONS, DUPLICATE_STATES, PASS_STATES


class DuplicateCalls:
    """The RPCs on pairs and passes."""

    _database: Database
    _clock: Clock

    async def ListDuplicates(
        self, request: pb.ListDuplicatesRequest, context: Any
    ) -> pb.ListDuplicatesResponse:
        """List pairs, the likeliest first."""
        caller = current_caller()
        size = page_size_of(request.page_size)
        key = decode_page_token(request.page_token, float, str)
        async with self._database.transaction(caller.chain_id) as tx:
            client_ids: list[str] = []
            if request.client_id:
                client = await client_store.get_client(tx, request.client_id)
                client_ids = [client.client_id, *client.former_client_ids]
            found = await store.list_duplicates(
                tx,
                DUPLICATE_STATES.optional(request.state) or DuplicateState.OPEN,
                minimum_score=request.minimum_score,
                client_ids=client_ids,
                store_id=request.store_id,
                after=(float(key[0]), str(key[1])) if key else None,
                limit=size + 1,
            )
            page, token = cut_page(found, size, lambda pair: (pair.score, pair.duplicate_id))
            clients = await _clients_of(tx, page)
            await audit.note(tx, caller, "ListDuplicates", list(clients), now=self._clock.now())
        return pb.ListDuplicatesResponse(
            duplicates=[_duplicate(pair, clients) for pair in page], next_page_token=token
        )

    async def GetDuplicate(self, request: pb.GetDuplicateRequest, context: Any) -> pb.Duplicate:
        """Read one pair."""
        caller = current_caller()
        async with self._database.transaction(caller.chain_id) as tx:
            pair = await store.get_duplicate(tx, request.duplicate_id)
            clients = await _clients_of(tx, [pair])
            await audit.note(
                tx,
                caller,
                "GetDuplicate",
                [pair.first_client_id, pair.second_client_id],
                now=self._clock.now(),
                subject_id=pair.duplicate_id,
            )
        return _duplicate(pair, clients)

    async def DismissDuplicate(self, request: pb.DismissDuplicateRequest, context: Any) -> pb.Duplicate:
        """Say that a pair is two people."""
        caller = current_caller()
        pair = await use_cases.dismiss_duplicate(
            database=self._database, clock=self._clock, caller=caller, duplicate_id=request.duplicate_id
        )
        async with self._database.transaction(caller.chain_id) as tx:
            return _duplicate(pair, await _clients_of(tx, [pair]))

    async def StartDuplicatePass(
        self, request: pb.StartDuplicatePassRequest, context: Any
    ) -> pb.DuplicatePass:
        """Look through all clients in the background."""
        return _pass(
            await use_cases.start_duplicate_pass(
                database=self._database,
                clock=self._clock,
                caller=current_caller(),
                key=RequestKey.of(request),
            )
        )

    async def GetDuplicatePass(self, request: pb.GetDuplicatePassRequest, context: Any) -> pb.DuplicatePass:
        """Read how far a pass is."""
        async with self._database.transaction(current_caller().chain_id) as tx:
            return _pass(await store.get_pass(tx, request.duplicate_pass_id))


async def _clients_of(tx: Transaction, pairs: Sequence[Duplicate]) -> Mapping[str, profiles_pb2.Client]:
    ids = [client_id for pair in pairs for client_id in (pair.first_client_id, pair.second_client_id)]
    clients = await client_store.get_clients(tx, list(dict.fromkeys(ids)))
    return {client.client_id: client_message(client) for client in clients}


def _duplicate(pair: Duplicate, clients: Mapping[str, profiles_pb2.Client]) -> pb.Duplicate:
    """Return a pair as the contract spells it; of one who was merged away only the id is left."""
    first, second = (
        clients.get(client_id) or profiles_pb2.Client(client_id=client_id)
        for client_id in (pair.first_client_id, pair.second_client_id)
    )
    return pb.Duplicate(
        duplicate_id=pair.duplicate_id,
        first=first,
        second=second,
        score=pair.score,
        reasons=[
            pb.DuplicateReason(
                kind=DUPLICATE_REASONS.number(weight.reason),
                weight=weight.weight,
                explanation=weight.explanation,
            )
            for weight in pair.reasons
        ],
        state=DUPLICATE_STATES.number(pair.state),
        create_time=timestamp_of(pair.created_at),
        decided_by=pair.decided_by,
        decide_time=timestamp_of(pair.decided_at),
    )


def _pass(one: DuplicatePass) -> pb.DuplicatePass:
    return pb.DuplicatePass(
        duplicate_pass_id=one.duplicate_pass_id,
        state=PASS_STATES.number(one.state),
        clients_read=one.clients_read,
        pairs_compared=one.pairs_compared,
        duplicates_found=one.duplicates_found,
        merged_automatically=one.merged_automatically,
        failure=one.failure,
        create_time=timestamp_of(one.created_at),
        finish_time=timestamp_of(one.finished_at),
    )
