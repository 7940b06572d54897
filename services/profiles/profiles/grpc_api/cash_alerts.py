"""Cash alerts on the wire."""

from collections.abc import Sequence
from typing import Any

from carnet.profiles.v1 import records_pb2 as pb

from chassis.caller import current_caller
from chassis.clock import Clock
from chassis.database import Database
from chassis.paging import cut_page, decode_page_token, page_size_of
from chassis.values import money_of, proto_date_of, timestamp_of
from profiles.domain.cash_watch import CashAlert
from profiles.store import audit
from profiles.store import cash_alerts as store
from profiles.store.clients import require_client
from profiles.use_cases import cash_watch as use_cases
from profiles.vocabulary import CASH_ALERT_STATES, PAYMENT_KINDS

_MOST_ALERTS = 50  # a page, whatever is asked for: each names up to 200 payments


class CashAlertCalls:
    """The RPCs on cash alerts."""

    _database: Database
    _clock: Clock

    async def ListCashAlerts(
        self, request: pb.ListCashAlertsRequest, context: Any
    ) -> pb.ListCashAlertsResponse:
        """List what the watch on cash raised, newest first; who is bound to stores sees those stores'."""
        caller = current_caller()
        now = self._clock.now()
        size = min(page_size_of(request.page_size), _MOST_ALERTS)
        before = decode_page_token(request.page_token, str) or ("",)
        stores: Sequence[str] = sorted(caller.stores)
        if request.store_id:
            caller.require_store(request.store_id)
            stores = [request.store_id]
        async with self._database.transaction(caller.chain_id) as tx:
            client_id = request.client_id and await require_client(tx, request.client_id)
            found = await store.list_alerts(
                tx,
                state=CASH_ALERT_STATES.optional(request.state),
                client_id=client_id,
                store_ids=stores,
                before=str(before[0]),
                limit=size + 1,
            )
            page, token = cut_page(found, size, lambda alert: (alert.cash_alert_id,))
            await audit.note(tx, caller, "ListCashAlerts", [alert.client_id for alert in page], now=now)
        return pb.ListCashAlertsResponse(cash_alerts=map(cash_alert_message, page), next_page_token=token)

    async def CloseCashAlert(self, request: pb.CloseCashAlertRequest, context: Any) -> pb.CashAlert:
        """Say that an alert has been seen to, and how."""
        return cash_alert_message(
            await use_cases.close_alert(
                database=self._database,
                clock=self._clock,
                caller=current_caller(),
                cash_alert_id=request.cash_alert_id,
                note=request.note,
            )
        )


def cash_alert_message(alert: CashAlert) -> pb.CashAlert:
    """Return an alert as the contract spells it."""
    return pb.CashAlert(
        cash_alert_id=alert.cash_alert_id,
        client_id=alert.client_id,
        linked_client_ids=alert.linked_client_ids,
        country=alert.country,
        limit=money_of(alert.limit_minor, alert.currency_code),
        total=money_of(alert.total_minor, alert.currency_code),
        payments=[
            pb.CashPayment(
                purchase_id=payment.purchase_id,
                client_id=payment.client_id,
                payment_date=proto_date_of(payment.paid_on),
                kind=PAYMENT_KINDS.number(payment.kind),
                amount=money_of(payment.amount_minor, alert.currency_code),
            )
            for payment in alert.payments
        ],
        start_date=proto_date_of(alert.start_on),
        end_date=proto_date_of(alert.end_on),
        state=CASH_ALERT_STATES.number(alert.state),
        closed_by=alert.closed_by,
        closing_note=alert.closing_note,
        create_time=timestamp_of(alert.created_at),
        close_time=timestamp_of(alert.closed_at),
        store_id=alert.store_id,
    )
