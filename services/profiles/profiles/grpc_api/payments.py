"""Payments on the wire."""

from typing import Any

from carnet.profiles.v1 import profiles_pb2 as pb
from carnet.profiles.v1 import records_pb2 as rec

from chassis.caller import current_caller
from chassis.clock import Clock
from chassis.database import Database, RequestKey
from chassis.values import date_of, minor_of
from profiles.grpc_api.purchases import purchase_message
from profiles.use_cases import purchases as use_cases
from profiles.vocabulary import PAYMENT_KINDS


class PaymentCalls:
    """The RPC on payments that come after their purchase was recorded."""

    _database: Database
    _clock: Clock

    async def RecordPayment(self, request: rec.RecordPaymentRequest, context: Any) -> pb.Purchase:
        """Record a later payment of a purchase."""
        payment = request.payment
        minor, currency_code = minor_of(payment.amount, "payment.amount")
        purchase = await use_cases.record_payment(
            database=self._database,
            clock=self._clock,
            caller=current_caller(),
            key=RequestKey.of(request),
            purchase_id=request.purchase_id,
            kind=PAYMENT_KINDS.word(payment.kind, "payment.kind"),
            amount_minor=minor,
            currency_code=currency_code,
            paid_on=date_of(payment.payment_date, "payment.payment_date")
            if payment.HasField("payment_date")
            else None,
        )
        return purchase_message(purchase)
