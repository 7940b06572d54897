"""Returns on the wire."""

from typing import Any

from carnet.profiles.v1 import records_pb2 as pb

from chassis.caller import current_caller
from chassis.clock import Clock
from chassis.database import Database, RequestKey
from chassis.paging import cut_page, decode_page_token, page_size_of
from chassis.values import date_of, minor_of, money_of, proto_date_of, timestamp_of
from profiles.domain.returns import Return, ReturnLine
from profiles.store import audit
from profiles.store import purchases as purchase_store
from profiles.store import returns as store
from profiles.use_cases import returns as use_cases


class ReturnCalls:
    """The RPCs on returns."""

    _database: Database
    _clock: Clock

    async def RecordReturn(self, request: pb.RecordReturnRequest, context: Any) -> pb.Return:
        """Record that pieces of a purchase came back."""
        amounts = [
            minor_of(line.amount, f"lines[{index}].amount") for index, line in enumerate(request.lines)
        ]
        returned = await use_cases.record_return(
            database=self._database,
            clock=self._clock,
            caller=current_caller(),
            key=RequestKey.of(request),
            purchase_id=request.purchase_id,
            store_id=request.store_id,
            returned_on=date_of(request.return_date, "return_date"),
            lines=[
                ReturnLine(line.purchase_line, line.quantity, minor)
                for line, (minor, _) in zip(request.lines, amounts, strict=True)
            ],
            currencies=[currency for _, currency in amounts],
            exchange_purchase_id=request.exchange_purchase_id,
            reason=request.reason,
        )
        return return_message(returned)

    async def ListReturns(self, request: pb.ListReturnsRequest, context: Any) -> pb.ListReturnsResponse:
        """List what came back of a purchase, oldest first."""
        caller = current_caller()
        size = page_size_of(request.page_size)
        after = decode_page_token(request.page_token, str) or ("",)
        async with self._database.transaction(caller.chain_id) as tx:
            purchase = await purchase_store.get_purchase(tx, request.purchase_id)
            found = await store.list_returns(tx, purchase.purchase_id, after=str(after[0]), limit=size + 1)
            await audit.note(
                tx,
                caller,
                "ListReturns",
                [purchase.client_id],
                now=self._clock.now(),
                subject_id=purchase.purchase_id,
            )
        page, token = cut_page(found, size, lambda one: (one.return_id,))
        return pb.ListReturnsResponse(returns=map(return_message, page), next_page_token=token)


def return_message(returned: Return) -> pb.Return:
    """Return what came back as the contract spells it."""
    return pb.Return(
        return_id=returned.return_id,
        purchase_id=returned.purchase_id,
        client_id=returned.client_id,
        store_id=returned.store_id,
        return_date=proto_date_of(returned.returned_on),
        lines=[
            pb.ReturnLine(
                purchase_line=line.purchase_line,
                quantity=line.quantity,
                amount=money_of(line.amount_minor, returned.currency_code),
            )
            for line in returned.lines
        ],
        total=money_of(returned.total_minor, returned.currency_code),
        exchange_purchase_id=returned.exchange_purchase_id,
        reason=returned.reason,
        create_time=timestamp_of(returned.created_at),
    )
