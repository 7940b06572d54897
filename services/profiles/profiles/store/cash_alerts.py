"""Rows of cash alerts, and whose payments are added to whose."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from datetime import date, datetime
from typing import Any

from chassis.database import Transaction
from chassis.errors import not_found
from profiles.domain.cash_watch import (
    LINKING_KINDS,
    CashAlert,
    CashAlertClosed,
    CashAlertState,
    CashFacts,
    CashPayment,
)
from profiles.domain.payments import PaymentKind

_SELECT = """
    select cash_alert_id, client_id, linked_client_ids, store_id, country, currency_code, limit_minor, total_minor,
        payments, start_on, end_on, state, closed_by, closing_note, created_at, closed_at
    from cash_alerts
"""


async def links_of(tx: Transaction, client_ids: Sequence[str]) -> dict[str, set[str]]:
    """Return for each client those directly linked, by a relationship of either side."""
    found = await tx.execute(
        "select client_id, related_client_id from relationships where chain_id = :chain_id and kind = any(:kinds)"
        " and related_client_id is not null and client_id = any(:ids)"
        " union select related_client_id, client_id from relationships where chain_id = :chain_id"
        " and kind = any(:kinds) and related_client_id = any(:ids)",
        {"chain_id": tx.chain_id, "kinds": sorted(LINKING_KINDS), "ids": list(client_ids)},
    )
    links: dict[str, set[str]] = {client_id: set() for client_id in client_ids}
    for row in found:
        links[row.client_id].add(row.related_client_id)
    return links


async def lock_open_alerts(tx: Transaction, client_ids: Sequence[str]) -> list[CashAlert]:
    """Return the open alerts of clients; nobody can close them until the transaction ends."""
    found = await tx.execute(
        f"{_SELECT} where chain_id = :chain_id and state = 'open' and client_id = any(:ids)"
        " order by cash_alert_id for update",
        {"chain_id": tx.chain_id, "ids": list(client_ids)},
    )
    return [_alert(row) for row in found]


async def last_closed(tx: Transaction, client_ids: Sequence[str]) -> Mapping[tuple[str, str], datetime]:
    """Return when the last alert of these clients that told of a client's cash in a country was closed."""
    found = await tx.execute(
        "select told client_id, country, max(closed_at) closed_at"
        " from cash_alerts cross join unnest(array_append(linked_client_ids, client_id)) told"
        " where chain_id = :chain_id and state = 'closed' and client_id = any(:ids) group by told, country",
        {"chain_id": tx.chain_id, "ids": list(client_ids)},
    )
    return {(row.client_id, row.country): row.closed_at for row in found}


async def add_alert(tx: Transaction, alert: CashAlert) -> None:
    """Insert an open alert."""
    await tx.execute(
        "insert into cash_alerts (chain_id, cash_alert_id, client_id, linked_client_ids, store_id, country,"
        " currency_code, limit_minor, total_minor, payments, start_on, end_on, state, created_at) values (:chain_id,"
        " :cash_alert_id, :client_id, :linked_client_ids, :store_id, :country, :currency_code, :limit_minor,"
        " :total_minor, cast(:payments as jsonb), :start_on, :end_on, 'open', :created_at)",
        {
            "chain_id": tx.chain_id,
            "cash_alert_id": alert.cash_alert_id,
            "client_id": alert.client_id,
            "linked_client_ids": list(alert.linked_client_ids),
            "store_id": alert.store_id,
            "country": alert.country,
            "currency_code": alert.currency_code,
            "limit_minor": alert.limit_minor,
            "total_minor": alert.total_minor,
            "payments": _payments_json(alert.payments),
            "start_on": alert.start_on,
            "end_on": alert.end_on,
            "created_at": alert.created_at,
        },
    )


async def save_facts(tx: Transaction, cash_alert_id: str, facts: CashFacts) -> None:
    """Put the facts of today in the place of those of an open, locked alert."""
    await tx.execute(
        "update cash_alerts set linked_client_ids = :linked_client_ids, currency_code = :currency_code,"
        " limit_minor = :limit_minor, total_minor = :total_minor, payments = cast(:payments as jsonb),"
        " start_on = :start_on, end_on = :end_on where chain_id = :chain_id and cash_alert_id = :cash_alert_id",
        {
            "chain_id": tx.chain_id,
            "cash_alert_id": cash_alert_id,
            "linked_client_ids": list(facts.linked_client_ids),
            "currency_code": facts.limit.currency_code,
            "limit_minor": facts.limit.amount_minor,
            "total_minor": facts.total_minor,
            "payments": _payments_json(facts.payments),
            "start_on": facts.start_on,
            "end_on": facts.end_on,
        },
    )


async def lock_alert(tx: Transaction, cash_alert_id: str) -> CashAlert:
    """Return an open alert that nobody else can change. Raises CASH_ALERT_NOT_FOUND and CASH_ALERT_CLOSED."""
    found = await tx.execute(
        f"{_SELECT} where chain_id = :chain_id and cash_alert_id = :cash_alert_id for update",
        {"chain_id": tx.chain_id, "cash_alert_id": cash_alert_id},
    )
    if (row := found.one_or_none()) is None:
        raise not_found("cash_alert", cash_alert_id)
    alert = _alert(row)
    if alert.state is CashAlertState.CLOSED:
        raise CashAlertClosed(cash_alert_id)
    return alert


async def close_alert(tx: Transaction, cash_alert_id: str, *, by: str, note: str, now: datetime) -> None:
    """Close a locked alert."""
    await tx.execute(
        "update cash_alerts set state = 'closed', closed_by = :by, closing_note = :note, closed_at = :now"
        " where chain_id = :chain_id and cash_alert_id = :cash_alert_id",
        {"chain_id": tx.chain_id, "cash_alert_id": cash_alert_id, "by": by, "note": note, "now": now},
    )


async def list_alerts(
    tx: Transaction,
    *,
    state: CashAlertState | None,
    client_id: str,
    store_ids: Sequence[str],
    before: str,
    limit: int,
) -> list[CashAlert]:
    """Return alerts, newest first, of the given state, client and stores, or of all."""
    conditions = ["chain_id = :chain_id"]
    parameters: dict[str, Any] = {"chain_id": tx.chain_id, "limit": limit}
    if state is not None:
        conditions.append("state = :state")
        parameters["state"] = state.value
    if client_id:
        conditions.append("client_id = :client_id")
        parameters["client_id"] = client_id
    if store_ids:
        conditions.append("store_id = any(:store_ids)")
        parameters["store_ids"] = list(store_ids)
    if before:
        conditions.append("cash_alert_id < :before")
        parameters["before"] = before
    found = await tx.execute(
        f"{_SELECT} where {' and '.join(conditions)} order by cash_alert_id desc limit :limit",
        parameters,
    )
    return [_alert(row) for row in found]


def _payments_json(payments: Sequence[CashPayment]) -> str:
    return json.dumps([{**asdict(payment), "paid_on": payment.paid_on.isoformat()} for payment in payments])


def _alert(row: Any) -> CashAlert:
    payments = row.payments if isinstance(row.payments, list) else json.loads(row.payments)
    return CashAlert(
        cash_alert_id=row.cash_alert_id,
        client_id=row.client_id,
        store_id=row.store_id,
        country=row.country,
        limit_minor=row.limit_minor,
        currency_code=row.currency_code,
        total_minor=row.total_minor,
        payments=tuple(
            CashPayment(
                one["purchase_id"],
                one["client_id"],
                date.fromisoformat(one["paid_on"]),
                PaymentKind(one["kind"]),
                one["amount_minor"],
            )
            for one in payments
        ),
        linked_client_ids=tuple(row.linked_client_ids),
        start_on=row.start_on,
        end_on=row.end_on,
        state=CashAlertState(row.state),
        created_at=row.created_at,
        closed_by=row.closed_by,
        closing_note=row.closing_note,
        closed_at=row.closed_at,
    )
