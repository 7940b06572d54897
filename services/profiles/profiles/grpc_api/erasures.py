"""Erasures on the wire."""

from typing import Any

from carnet.privacy.v1 import privacy_pb2 as privacy
from carnet.profiles.v1 import privacy_pb2 as pb

from chassis.caller import current_caller
from chassis.clock import Clock
from chassis.database import Database, RequestKey
from chassis.paging import cut_page, decode_page_token, page_size_of
from chassis.values import proto_date_of, timestamp_of
from profiles.domain.erasures import Erasure, Receipt, Retention
from profiles.domain.exports import SERVICES
from profiles.store import erasures as store
from profiles.suppression import Suppressor
from profiles.use_cases import erasures as use_cases
from profiles.vocabulary import ERASURE_STATES


class ErasureCalls:
    """The RPCs on erasures."""

    _database: Database
    _clock: Clock
    _suppressor: Suppressor

    async def PreviewErasure(
        self, request: pb.PreviewErasureRequest, context: Any
    ) -> pb.PreviewErasureResponse:
        """Say what EraseClient would remove and what it must keep."""
        plan = await use_cases.preview_erasure(
            database=self._database,
            clock=self._clock,
            suppressor=self._suppressor,
            caller=current_caller(),
            client_id=request.client_id,
        )
        return pb.PreviewErasureResponse(
            erased=plan.erased,
            retained=map(_retention, plan.retained),
            open_repair_ids=plan.open_repair_ids,
        )

    async def EraseClient(self, request: pb.EraseClientRequest, context: Any) -> pb.Erasure:
        """Erase a client from every service."""
        return _erasure_message(
            await use_cases.erase_client(
                database=self._database,
                clock=self._clock,
                suppressor=self._suppressor,
                caller=current_caller(),
                key=RequestKey.of(request),
                client_id=request.client_id,
                reason=request.reason,
                is_forced=request.is_forced,
            )
        )

    async def GetErasure(self, request: pb.GetErasureRequest, context: Any) -> pb.Erasure:
        """Read an erasure with its receipts."""
        async with self._database.transaction(current_caller().chain_id) as tx:
            return _erasure_message(await store.get_erasure(tx, request.erasure_id))

    async def ListErasures(self, request: pb.ListErasuresRequest, context: Any) -> pb.ListErasuresResponse:
        """List erasures, newest first."""
        size = page_size_of(request.page_size)
        (before,) = decode_page_token(request.page_token, str) or ("",)
        async with self._database.transaction(current_caller().chain_id) as tx:
            found = await store.list_erasures(
                tx, ERASURE_STATES.optional(request.state), before=str(before), limit=size + 1
            )
        page, token = cut_page(found, size, lambda erasure: (erasure.erasure_id,))
        return pb.ListErasuresResponse(erasures=map(_erasure_message, page), next_page_token=token)


def _erasure_message(erasure: Erasure) -> pb.Erasure:
    received = {receipt.service: receipt for receipt in erasure.receipts}
    return pb.Erasure(
        erasure_id=erasure.erasure_id,
        client_id=erasure.client_id,
        state=ERASURE_STATES.number(erasure.state),
        reason=erasure.reason,
        actor=erasure.actor,
        receipts=[_receipt(service, received.get(service)) for service in SERVICES],
        create_time=timestamp_of(erasure.created_at),
        due_time=timestamp_of(erasure.due_at),
        finish_time=timestamp_of(erasure.finished_at),
    )


def _receipt(service: str, receipt: Receipt | None) -> pb.ServiceReceipt:
    if receipt is None:
        return pb.ServiceReceipt(service=service)
    return pb.ServiceReceipt(
        service=service,
        is_received=True,
        receive_time=timestamp_of(receipt.received_at),
        erased=receipt.erased,
        retained=map(_retention, receipt.retained),
    )


def _retention(kept: Retention) -> privacy.Retention:
    return privacy.Retention(
        category=kept.category,
        basis=kept.basis,
        count=kept.count,
        keep_until_date=proto_date_of(kept.keep_until),
    )
