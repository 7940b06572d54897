"""Purchases on the wire."""

from datetime import date
from typing import Any

from carnet.profiles.v1 import profiles_pb2 as pb

from chassis.caller import current_caller
from chassis.clock import Clock
from chassis.database import Database, RequestKey
from chassis.errors import invalid
from chassis.paging import cut_page, decode_page_token, page_size_of
from chassis.values import date_of, minor_of, money_of, proto_date_of, timestamp_of
from profiles.domain.payments import Payment
from profiles.domain.pieces import Purchase, PurchaseLine, one_currency
from profiles.grpc_api.pieces import piece_message, piece_of
from profiles.grpc_api.surprises import surprise_of
from profiles.store import audit
from profiles.store import purchases as store
from profiles.store.surprises import get_viewer
from profiles.use_cases import purchases as use_cases
from profiles.use_cases.purchases import PurchaseFields
from profiles.vocabulary import OCCASION_KINDS, PAYMENT_KINDS


class PurchaseCalls:
    """The RPCs on purchases."""

    _database: Database
    _clock: Clock

    async def RecordPurchase(self, request: pb.RecordPurchaseRequest, context: Any) -> pb.Purchase:
        """Record what a client bought."""
        amounts = [
            minor_of(line.amount, f"lines[{index}].amount") for index, line in enumerate(request.lines)
        ]
        purchased_on = date_of(request.purchase_date, "purchase_date")
        paid = [
            minor_of(payment.amount, f"payments[{index}].amount")
            for index, payment in enumerate(request.payments)
        ]
        purchase = await use_cases.record_purchase(
            database=self._database,
            clock=self._clock,
            caller=current_caller(),
            key=RequestKey.of(request),
            client_id=request.client_id,
            store_id=request.store_id,
            associate_id=request.associate_id,
            purchased_on=purchased_on,
            fields=PurchaseFields(
                currency_code=one_currency([currency for _, currency in amounts]),
                lines=[
                    PurchaseLine(piece_of(line.piece, f"lines[{index}].piece"), line.quantity, minor)
                    for index, (line, (minor, _)) in enumerate(zip(request.lines, amounts, strict=True))
                ],
                payments=[
                    Payment(
                        PAYMENT_KINDS.word(payment.kind, f"payments[{index}].kind"),
                        minor,
                        date_of(payment.payment_date, f"payments[{index}].payment_date")
                        if payment.HasField("payment_date")
                        else purchased_on,
                    )
                    for index, (payment, (minor, _)) in enumerate(zip(request.payments, paid, strict=True))
                ],
                payment_currencies=[currency for _, currency in paid],
                occasion_kind=OCCASION_KINDS.optional(request.occasion_kind),
                for_whom=request.for_whom,
                recipient_client_id=request.recipient_client_id,
                surprise=surprise_of(request),
            ),
            source=request.source,
            external_id=request.external_id,
        )
        return purchase_message(purchase)

    async def GetPurchase(self, request: pb.GetPurchaseRequest, context: Any) -> pb.Purchase:
        """Read one purchase."""
        caller = current_caller()
        async with self._database.transaction(caller.chain_id) as tx:
            purchase = await store.get_purchase(tx, request.purchase_id)
            await audit.note(
                tx,
                caller,
                "GetPurchase",
                [purchase.client_id],
                now=self._clock.now(),
                subject_id=purchase.purchase_id,
            )
            return purchase_message(purchase)

    async def ListPurchases(self, request: pb.ListPurchasesRequest, context: Any) -> pb.ListPurchasesResponse:
        """List purchases, newest first."""
        caller = current_caller()
        now = self._clock.now()
        size = page_size_of(request.page_size)
        start_on, end_on = span_of(request)
        before = _before(request.page_token)
        async with self._database.transaction(caller.chain_id) as tx:
            wanted = store.PurchaseFilter(
                viewer=await get_viewer(tx, request.client_id, now=now) if request.client_id else None,
                include_surprises=request.include_surprises,
                store_id=request.store_id,
                start_on=start_on,
                end_on=end_on,
            )
            found = await store.list_purchases(tx, wanted, before=before, limit=size + 1)
            page, token = cut_page(found, size, lambda one: (one.purchased_on.isoformat(), one.purchase_id))
            read = [wanted.viewer.client_id] if wanted.viewer else [one.client_id for one in page]
            await audit.note(tx, caller, "ListPurchases", read, now=now)
        return pb.ListPurchasesResponse(purchases=map(purchase_message, page), next_page_token=token)


def _before(token: str) -> tuple[date, str] | None:
    if (key := decode_page_token(token, str, str)) is None:
        return None
    try:
        return date.fromisoformat(str(key[0])), str(key[1])
    except ValueError as error:
        raise invalid("page_token", "is not a token that a previous page of this list returned") from error


def span_of(request: pb.ListPurchasesRequest | pb.ListVisitsRequest) -> tuple[date | None, date | None]:
    """Return the first and the last day that a list is asked for. Raises INVALID for an end before the start."""
    start_on = date_of(request.start_date, "start_date") if request.HasField("start_date") else None
    end_on = date_of(request.end_date, "end_date") if request.HasField("end_date") else None
    if start_on and end_on and end_on < start_on:
        raise invalid("end_date", "is before start_date")
    return start_on, end_on


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
        payments=[
            pb.Payment(
                kind=PAYMENT_KINDS.number(payment.kind),
                amount=money_of(payment.amount_minor, purchase.currency_code),
                payment_date=proto_date_of(payment.paid_on),
            )
            for payment in purchase.payments
        ],
        recipient_client_id=purchase.recipient_client_id,
        surprise_for_client_id=purchase.surprise.client_id,
        surprise_end_date=proto_date_of(purchase.surprise.ends_on),
        returned=money_of(purchase.returned_minor, purchase.currency_code),
    )
