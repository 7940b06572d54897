"""Purchases on the wire."""

from typing import Any

from carnet.profiles.v1 import profiles_pb2 as pb

from chassis.caller import current_caller
from chassis.clock import Clock
from chassis.database import Database, RequestKey
from chassis.values import date_of, minor_of, money_of, proto_date_of, timestamp_of
from profiles.domain.pieces import Purchase, PurchaseLine, one_currency
from profiles.grpc_api.pieces import piece_message, piece_of
from profiles.store import purchases as store
from profiles.use_cases import purchases as use_cases
from profiles.vocabulary import OCCASION_KINDS


class PurchaseCalls:
    """The RPCs on purchases."""

    _database: Database
    _clock: Clock

    async def RecordPurchase(self, request: pb.RecordPurchaseRequest, context: Any) -> pb.Purchase:
        """Record what a client bought."""
        amounts = [
            minor_of(line.amount, f"lines[{index}].amount") for index, line in enumerate(request.lines)
        ]
        currency_code = one_currency([currency for _, currency in amounts])
        purchase = await use_cases.record_purchase(
            database=self._database,
            clock=self._clock,
            caller=current_caller(),
            key=RequestKey.of(request),
            client_id=request.client_id,
            store_id=request.store_id,
            associate_id=request.associate_id,
            purchased_on=date_of(request.purchase_date, "purchase_date"),
            currency_code=currency_code,
            lines=[
                PurchaseLine(piece_of(line.piece, f"lines[{index}].piece"), line.quantity, minor)
                for index, (line, (minor, _)) in enumerate(zip(request.lines, amounts, strict=True))
            ],
            occasion_kind=OCCASION_KINDS.optional(request.occasion_kind),
            for_whom=request.for_whom,
            source=request.source,
            external_id=request.external_id,
        )
        return purchase_message(purchase)

    async def GetPurchase(self, request: pb.GetPurchaseRequest, context: Any) -> pb.Purchase:
        """Read one purchase."""
        async with self._database.transaction(current_caller().chain_id) as tx:
            return purchase_message(await store.get_purchase(tx, request.purchase_id))


def purchase_message(purchase: Purchase) -> pb.Purchase:
    return pb.Purchase(
        purchase_id=purchase.purchase_id,
        client_id=purchase.client_id,
        store_id=purchase.store_id,
        associate_id=purchase.associate_id,
        purchase_date=proto_date_of(purchase.purchased_on),
        total=money_of(purchase.total_minor, purchase.currency_code),
        lines=[
            pb.PurchaseLine(
                piece=piece_message(line.piece),
                quantity=line.quantity,
                amount=money_of(line.amount_minor, purchase.currency_code),
            )
            for line in purchase.lines
        ],
        occasion_kind=OCCASION_KINDS.number(purchase.occasion_kind),
        for_whom=purchase.for_whom,
        source=purchase.source,
        external_id=purchase.external_id,
        create_time=timestamp_of(purchase.created_at),
    )
