"""The contract's side of senders and brand registrations."""

from typing import Any

from carnet.messaging.v1 import messaging_pb2, senders_pb2_grpc
from carnet.messaging.v1 import senders_pb2 as pb

from chassis.caller import current_caller
from chassis.database import RequestKey
from chassis.paging import cut_page, decode_page_token, page_size_of
from chassis.values import timestamp_of
from messaging.domain.pacing import BrandRegistration
from messaging.grpc_api.rendering import sender_message
from messaging.parts import Parts
from messaging.store import pacing
from messaging.use_cases import senders as cases

_Context = Any  # grpc.aio.ServicerContext is generic in its stubs only


class SendersServicer(senders_pb2_grpc.SendersServiceServicer):
    """Serves carnet.messaging.v1.SendersService."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts

    async def CreateBrandRegistration(
        self, request: pb.CreateBrandRegistrationRequest, context: _Context
    ) -> pb.BrandRegistration:
        brand = await cases.create_brand(
            database=self._parts.database,
            clock=self._parts.clock,
            chain_id=current_caller().chain_id,
            key=RequestKey.of(request),
            display_name=request.display_name,
            provider_registration_id=request.provider_registration_id,
            segments_per_day=request.segments_per_day,
            time_zone=request.time_zone,
        )
        return _brand_message(brand)

    async def UpdateBrandRegistration(
        self, request: pb.UpdateBrandRegistrationRequest, context: _Context
    ) -> pb.BrandRegistration:
        brand = await cases.update_brand(
            database=self._parts.database,
            clock=self._parts.clock,
            chain_id=current_caller().chain_id,
            brand_registration_id=request.brand_registration_id,
            display_name=request.display_name,
            provider_registration_id=request.provider_registration_id,
            segments_per_day=request.segments_per_day,
            time_zone=request.time_zone,
        )
        return _brand_message(brand)

    async def ListBrandRegistrations(
        self, request: pb.ListBrandRegistrationsRequest, context: _Context
    ) -> pb.ListBrandRegistrationsResponse:
        size = page_size_of(request.page_size)
        after = decode_page_token(request.page_token, str)
        async with self._parts.database.transaction(current_caller().chain_id) as tx:
            found = await pacing.brands_page(tx, after=str(after[0]) if after else "", most=size + 1)
            page, token = cut_page(found, size, lambda brand: (brand.brand_registration_id,))
            brands = await pacing.with_today(tx, page, self._parts.clock.now())
        return pb.ListBrandRegistrationsResponse(
            brand_registrations=map(_brand_message, brands), next_page_token=token
        )

    async def UpdateSender(self, request: pb.UpdateSenderRequest, context: _Context) -> messaging_pb2.Sender:
        caller = current_caller()
        sender = await cases.update_sender(
            database=self._parts.database,
            chain_id=caller.chain_id,
            sender_id=request.sender_id,
            display_name=request.display_name,
            brand_registration_id=request.brand_registration_id,
            messaging_service_id=request.messaging_service_id,
            segments_per_second=request.segments_per_second,
            require_store=caller.require_store,
        )
        self._parts.due.set()
        return sender_message(sender)

    async def StopSender(self, request: pb.StopSenderRequest, context: _Context) -> messaging_pb2.Sender:
        caller = current_caller()
        sender = await cases.stop_sender(
            database=self._parts.database,
            chain_id=caller.chain_id,
            sender_id=request.sender_id,
            note=request.note,
            require_store=caller.require_store,
        )
        return sender_message(sender)

    async def ResumeSender(self, request: pb.ResumeSenderRequest, context: _Context) -> messaging_pb2.Sender:
        caller = current_caller()
        sender = await cases.resume_sender(
            database=self._parts.database,
            clock=self._parts.clock,
            wake=self._parts.due,
            chain_id=caller.chain_id,
            sender_id=request.sender_id,
            require_store=caller.require_store,
        )
        return sender_message(sender)

    async def GetSenderLoad(self, request: pb.GetSenderLoadRequest, context: _Context) -> pb.SenderLoad:
        load = await cases.get_load(
            database=self._parts.database,
            clock=self._parts.clock,
            chain_id=current_caller().chain_id,
            sender_id=request.sender_id,
        )
        return pb.SenderLoad(
            sender_id=load.sender.sender_id,
            segments_today=load.segments_today,
            brand_segments_today=0 if load.brand is None else load.brand.segments_today,
            brand_segments_per_day=0 if load.brand is None else load.brand.segments_per_day,
            waiting_messages=load.waiting_messages,
            waiting_segments=load.waiting_segments,
            drain_time=timestamp_of(load.drained_at),
        )


def _brand_message(brand: BrandRegistration) -> pb.BrandRegistration:
    return pb.BrandRegistration(
        brand_registration_id=brand.brand_registration_id,
        display_name=brand.display_name,
        provider_registration_id=brand.provider_registration_id,
        segments_per_day=brand.segments_per_day,
        time_zone=brand.time_zone,
        segments_today=brand.segments_today,
        create_time=timestamp_of(brand.created_at),
    )
