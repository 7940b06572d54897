"""The contract's side of bulk sends."""

from typing import Any

from carnet.messaging.v1 import bulk_pb2 as pb
from carnet.messaging.v1 import bulk_pb2_grpc

from chassis.caller import current_caller
from chassis.database import RequestKey
from chassis.paging import cut_page, decode_page_token, page_size_of
from chassis.values import datetime_of, timestamp_of
from messaging.domain.bulk_sends import BulkRecipient, BulkRecipientState, BulkSendState
from messaging.events import channel_number, purpose_number
from messaging.grpc_api.rendering import author_of, channel_of, purpose_of
from messaging.parts import Parts
from messaging.store.bulk_recipients import Outcome
from messaging.use_cases import bulk_sends as cases
from messaging.use_cases.bulk_sends import Order, Standing

_Context = Any  # grpc.aio.ServicerContext is generic in its stubs only


class BulkSendsServicer(bulk_pb2_grpc.BulkSendsServiceServicer):
    """Serves carnet.messaging.v1.BulkSendsService."""

    def __init__(self, parts: Parts) -> None:
        self._database = parts.database
        self._clock = parts.clock

    async def CreateBulkSend(self, request: pb.CreateBulkSendRequest, context: _Context) -> pb.BulkSend:
        caller = current_caller()
        caller.require_store(request.store_id)
        standing = await cases.create_bulk_send(
            database=self._database,
            clock=self._clock,
            chain_id=caller.chain_id,
            key=RequestKey.of(request),
            order=Order(
                display_name=request.display_name,
                store_id=request.store_id,
                purpose=purpose_of(request.purpose),
                channel=channel_of(request.channel),
                body=request.body,
                subject=request.subject,
                template_id=request.template_id,
                media_ids=tuple(request.media_ids),
                recipients=[BulkRecipient(one.client_id, dict(one.values)) for one in request.recipients],
                send_time=datetime_of(request.send_time, "send_time")
                if request.HasField("send_time")
                else None,
                expire_time=datetime_of(request.expire_time, "expire_time")
                if request.HasField("expire_time")
                else None,
                campaign_id=request.campaign_id,
            ),
            author=author_of(caller),
        )
        return _bulk_send_message(standing)

    async def GetBulkSend(self, request: pb.GetBulkSendRequest, context: _Context) -> pb.BulkSend:
        standing = await cases.read_bulk_send(
            database=self._database,
            clock=self._clock,
            caller=current_caller(),
            bulk_send_id=request.bulk_send_id,
        )
        return _bulk_send_message(standing)

    async def ListBulkSends(
        self, request: pb.ListBulkSendsRequest, context: _Context
    ) -> pb.ListBulkSendsResponse:
        size = page_size_of(request.page_size)
        before = decode_page_token(request.page_token, str)
        found = await cases.list_bulk_sends(
            database=self._database,
            clock=self._clock,
            caller=current_caller(),
            store_id=request.store_id,
            state=_state_of(request.state),
            before=str(before[0]) if before else "",
            most=size + 1,
        )
        page, token = cut_page(found, size, lambda one: (one.bulk_send.bulk_send_id,))
        return pb.ListBulkSendsResponse(bulk_sends=map(_bulk_send_message, page), next_page_token=token)

    async def ListBulkRecipients(
        self, request: pb.ListBulkRecipientsRequest, context: _Context
    ) -> pb.ListBulkRecipientsResponse:
        size = page_size_of(request.page_size)
        after = decode_page_token(request.page_token, int)
        found = await cases.list_recipients(
            database=self._database,
            caller=current_caller(),
            bulk_send_id=request.bulk_send_id,
            state=_recipient_state_of(request.state),
            after=int(after[0]) if after else 0,
            most=size + 1,
        )
        page, token = cut_page(found, size, lambda one: (one.position,))
        return pb.ListBulkRecipientsResponse(recipients=map(_outcome_message, page), next_page_token=token)

    async def PauseBulkSend(self, request: pb.PauseBulkSendRequest, context: _Context) -> pb.BulkSend:
        standing = await cases.pause_bulk_send(
            database=self._database,
            clock=self._clock,
            caller=current_caller(),
            bulk_send_id=request.bulk_send_id,
            note=request.note,
        )
        return _bulk_send_message(standing)

    async def ResumeBulkSend(self, request: pb.ResumeBulkSendRequest, context: _Context) -> pb.BulkSend:
        standing = await cases.resume_bulk_send(
            database=self._database,
            clock=self._clock,
            caller=current_caller(),
            bulk_send_id=request.bulk_send_id,
        )
        return _bulk_send_message(standing)

    async def CancelBulkSend(self, request: pb.CancelBulkSendRequest, context: _Context) -> pb.BulkSend:
        standing = await cases.cancel_bulk_send(
            database=self._database,
            clock=self._clock,
            caller=current_caller(),
            bulk_send_id=request.bulk_send_id,
        )
        return _bulk_send_message(standing)


def _bulk_send_message(standing: Standing) -> pb.BulkSend:
    bulk_send, progress = standing.bulk_send, standing.progress
    return pb.BulkSend(
        bulk_send_id=bulk_send.bulk_send_id,
        display_name=bulk_send.display_name,
        store_id=bulk_send.store_id,
        purpose=purpose_number(bulk_send.purpose),
        channel=channel_number(bulk_send.channel),
        body=bulk_send.body,
        template_id=bulk_send.template_id,
        state=pb.BulkSendState.Value(f"BULK_SEND_STATE_{bulk_send.state}"),
        pause_reason=bulk_send.pause_reason,
        recipient_count=bulk_send.recipient_count,
        counts={state.value: many for state, many in progress.counts.items()},
        denied_by_reason=progress.denied_by_reason,
        opt_out_count=progress.opt_out_count,
        send_time=timestamp_of(bulk_send.send_after),
        expire_time=timestamp_of(bulk_send.expires_at),
        finish_estimate_time=timestamp_of(standing.finish_estimate),
        author=bulk_send.author,
        campaign_id=bulk_send.campaign_id,
        create_time=timestamp_of(bulk_send.created_at),
        update_time=timestamp_of(bulk_send.updated_at),
    )


def _outcome_message(outcome: Outcome) -> pb.BulkRecipientOutcome:
    return pb.BulkRecipientOutcome(
        client_id=outcome.client_id,
        state=pb.BulkRecipientState.Value(f"BULK_RECIPIENT_STATE_{outcome.state}"),
        message_id=outcome.message_id,
        reason=outcome.reason,
    )


def _state_of(number: pb.BulkSendState.ValueType) -> BulkSendState | None:
    if number == pb.BULK_SEND_STATE_UNSPECIFIED:
        return None
    return BulkSendState(pb.BulkSendState.Name(number).removeprefix("BULK_SEND_STATE_"))


def _recipient_state_of(number: pb.BulkRecipientState.ValueType) -> BulkRecipientState | None:
    if number == pb.BULK_RECIPIENT_STATE_UNSPECIFIED:
        return None
    return BulkRecipientState(pb.BulkRecipientState.Name(number).removeprefix("BULK_RECIPIENT_STATE_"))
