"""Rows of payments, and what of them may count as cash."""

from collections.abc import Sequence
from datetime import date, datetime
from typing import NamedTuple

from chassis.database import Transaction
from profiles.domain.cash_watch import CashPaid
from profiles.domain.payments import CASH_KINDS, Payment, PaymentKind


class PaidPart(NamedTuple):
    """One payment of a purchase; positions of one purchase count from 0."""

    purchase_id: str
    position: int
    kind: str
    amount_minor: int
    paid_on: date


async def add_payments(tx: Transaction, parts: Sequence[PaidPart], *, now: datetime) -> None:
    """Insert payments of any number of purchases that the transaction wrote or locked, in two statements."""
    if not parts:
        return
    driver = await tx.driver()
    await driver.execute(
        "insert into purchase_payments (chain_id, purchase_id, position, kind, amount_minor, paid_on, created_at)"
        " select $1, y.*, $2 from unnest($3::text[], $4::int[], $5::text[], $6::bigint[], $7::date[]) y",
        tx.chain_id,
        now,
        *map(list, zip(*parts, strict=True)),
    )
    last_days: dict[str, date] = {}
    for part in parts:
        if part.kind in CASH_KINDS:
            last_days[part.purchase_id] = max(part.paid_on, last_days.get(part.purchase_id, date.min))
    if last_days:
        await driver.execute(
            "update purchases set last_cash_on = greatest(last_cash_on, c.paid_on)"
            " from unnest($2::text[], $3::date[]) c (purchase_id, paid_on)"
            " where purchases.chain_id = $1 and purchases.purchase_id = c.purchase_id",
            tx.chain_id,
            list(last_days),
            list(last_days.values()),
        )


async def payments_of(tx: Transaction, purchase_ids: Sequence[str]) -> dict[str, list[Payment]]:
    """Return the payments of purchases in their order, by purchase; without those that have none."""
    found = await tx.execute(
        "select purchase_id, kind, amount_minor, paid_on from purchase_payments"
        " where chain_id = :chain_id and purchase_id = any(:ids) order by purchase_id, position",
        {"chain_id": tx.chain_id, "ids": list(purchase_ids)},
    )
    payments: dict[str, list[Payment]] = {}
    for row in found:
        payments.setdefault(row.purchase_id, []).append(
            Payment(PaymentKind(row.kind), row.amount_minor, row.paid_on)
        )
    return payments


async def cash_of(tx: Transaction, client_ids: Sequence[str], *, since: date) -> list[CashPaid]:
    """Return what clients paid in cash or equivalents from a day on, oldest first; reads no purchase without it."""
    # A row that this transaction wrote carries its number: whoever asks need not say which payments are the new ones.
    # One look into an index for each client and purchase (offset 0), whatever the planner knows of a chain's size.
    found = await tx.execute(
        "select p.purchase_id, p.client_id, p.store_id, s.country, y.paid_on, y.kind, y.amount_minor, p.currency_code,"
        " y.created_at, y.xmin = cast(pg_current_xact_id() as xid) is_new"
        " from unnest(cast(:ids as text[])) named (client_id)"
        " cross join lateral (select * from purchases where chain_id = :chain_id and client_id = named.client_id"
        " and last_cash_on >= :since offset 0) p"
        " cross join lateral (select xmin, * from purchase_payments where chain_id = :chain_id"
        " and purchase_id = p.purchase_id and kind = any(:kinds) and paid_on >= :since offset 0) y"
        " join stores s on s.chain_id = p.chain_id and s.store_id = p.store_id"
        " order by y.paid_on, y.created_at, p.purchase_id, y.position",
        {"chain_id": tx.chain_id, "ids": list(client_ids), "since": since, "kinds": sorted(CASH_KINDS)},
    )
    return [
        CashPaid(
            row.purchase_id,
            row.client_id,
            row.store_id,
            row.country,
            row.paid_on,
            PaymentKind(row.kind),
            row.amount_minor,
            row.currency_code,
            row.created_at,
            row.is_new,
        )
        for row in found
    ]
