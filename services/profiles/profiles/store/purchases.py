"""Rows of purchases with their lines and payments."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

from sqlalchemy import Row

from chassis.database import Transaction
from chassis.errors import not_found
from profiles.domain.clients import OccasionKind
from profiles.domain.pieces import Purchase, PurchaseLine
from profiles.domain.surprises import Surprise
from profiles.store.payments import PaidPart, add_payments, payments_of
from profiles.store.pieces import PIECE_COLUMNS, PIECE_VALUES, piece_of, piece_values
from profiles.store.search import refresh_search
from profiles.store.surprises import SHOWN, Viewer

_COLUMNS = (
    "r.purchase_id, r.client_id, r.store_id, r.associate_id, r.purchased_on, r.currency_code, r.occasion_kind,"
    " r.for_whom, r.source, r.external_id, r.created_at, r.recipient_client_id, r.surprise_for_client_id,"
    " r.surprise_ends_on, r.returned_minor"
)


async def add_purchase(tx: Transaction, purchase: Purchase) -> str:
    """Insert a purchase and return its id, or that of the one with its source and external id."""
    added = await tx.execute(
        "insert into purchases (purchase_id, chain_id, client_id, store_id, associate_id, purchased_on, total_minor,"
        " currency_code, occasion_kind, for_whom, source, external_id, created_at, recipient_client_id,"
        " surprise_for_client_id, surprise_ends_on) values (:purchase_id, :chain_id,"
        " :client_id, :store_id, :associate_id, :purchased_on, :total_minor, :currency_code, :occasion_kind,"
        " :for_whom, :source, :external_id, :created_at, :recipient_client_id, :surprise_for_client_id,"
        " :surprise_ends_on)"
        " on conflict (chain_id, source, external_id) where external_id <> '' do nothing",
        {
            "purchase_id": purchase.purchase_id,
            "chain_id": tx.chain_id,
            "client_id": purchase.client_id,
            "store_id": purchase.store_id,
            "associate_id": purchase.associate_id,
            "purchased_on": purchase.purchased_on,
            "total_minor": purchase.total_minor,
            "currency_code": purchase.currency_code,
            "occasion_kind": purchase.occasion_kind.value if purchase.occasion_kind else "",
            "for_whom": purchase.for_whom,
            "source": purchase.source,
            "external_id": purchase.external_id,
            "created_at": purchase.created_at,
            "recipient_client_id": purchase.recipient_client_id,
            "surprise_for_client_id": purchase.surprise.client_id,
            "surprise_ends_on": purchase.surprise.ends_on,
        },
    )
    if not added.rowcount:
        found = await tx.execute(
            "select purchase_id from purchases where source = :source and external_id = :external_id",
            {"source": purchase.source, "external_id": purchase.external_id},
        )
        return str(found.scalar_one())
    await tx.execute(
        f"insert into purchase_lines (purchase_id, position, chain_id, quantity, amount_minor, {PIECE_COLUMNS})"  # noqa: S608
        f" values (:purchase_id, :position, :chain_id, :quantity, :amount_minor, {PIECE_VALUES})",
        [
            {
                "purchase_id": purchase.purchase_id,
                "position": position,
                "chain_id": tx.chain_id,
                "quantity": line.quantity,
                "amount_minor": line.amount_minor,
                **piece_values(line.piece),
            }
            for position, line in enumerate(purchase.lines)
        ],
    )
    await refresh_search(tx, [purchase.client_id], purchase_ids=[purchase.purchase_id])
    parts = [
        PaidPart(purchase.purchase_id, position, paid.kind.value, paid.amount_minor, paid.paid_on)
        for position, paid in enumerate(purchase.payments)
    ]
    await add_payments(tx, parts, now=purchase.created_at)
    return purchase.purchase_id


async def find_purchase(tx: Transaction, source: str, external_id: str) -> Purchase | None:
    """Return the purchase that a source calls `external_id`, if it is known."""
    found = await tx.execute(
        "select purchase_id from purchases where source = :source and external_id = :external_id"
        " and external_id <> ''",
        {"source": source, "external_id": external_id},
    )
    purchase_id = found.scalar_one_or_none()
    return None if purchase_id is None else await get_purchase(tx, purchase_id)


async def get_purchase(tx: Transaction, purchase_id: str) -> Purchase:
    """Return a purchase. Raises PURCHASE_NOT_FOUND."""
    if not (found := await get_purchases(tx, [purchase_id])):
        raise not_found("purchase", purchase_id)
    return found[0]


async def get_purchases(tx: Transaction, purchase_ids: Sequence[str]) -> list[Purchase]:
    """Return purchases in no order, in three statements; unknown ones are left out."""
    found = await tx.execute(
        f"select {_COLUMNS} from purchases r where r.chain_id = :chain_id and r.purchase_id = any(:ids)",  # noqa: S608
        {"chain_id": tx.chain_id, "ids": list(purchase_ids)},
    )
    return await _whole(tx, list(found))


async def lock_purchase(tx: Transaction, purchase_id: str) -> Purchase:
    """Return a purchase that nobody else can change until the transaction ends. Raises PURCHASE_NOT_FOUND."""
    await tx.execute(
        "select 1 from purchases where purchase_id = :purchase_id for update", {"purchase_id": purchase_id}
    )
    return await get_purchase(tx, purchase_id)


@dataclass(frozen=True, slots=True)
class PurchaseFilter:
    """Which purchases are listed: of a client, a store (empty for all), in a span of days."""

    viewer: Viewer | None = None
    include_surprises: bool = False
    store_id: str = ""
    start_on: date | None = None
    end_on: date | None = None


async def list_purchases(
    tx: Transaction, wanted: PurchaseFilter, *, before: tuple[date, str] | None, limit: int
) -> list[Purchase]:
    """Return purchases, those of the latest days first."""
    conditions = ["r.chain_id = :chain_id"]
    parameters: dict[str, Any] = {"chain_id": tx.chain_id, "limit": limit}
    if wanted.viewer:
        conditions += ["r.client_id = :client_id", SHOWN]
        parameters |= wanted.viewer.parameters(include_surprises=wanted.include_surprises)
        parameters["client_id"] = wanted.viewer.client_id
    if wanted.start_on:
        conditions.append("r.purchased_on >= :start_on")
        parameters["start_on"] = wanted.start_on
    if wanted.end_on:
        conditions.append("r.purchased_on <= :end_on")
        parameters["end_on"] = wanted.end_on
    if before:
        conditions.append("(r.purchased_on, r.purchase_id) < (:before_day, :before_id)")
        parameters |= {"before_day": before[0], "before_id": before[1]}
    if wanted.store_id:
        conditions.append("r.store_id = :store_id")
        parameters["store_id"] = wanted.store_id
    order = " order by r.purchased_on desc, r.purchase_id desc limit :limit"
    if wanted.viewer or wanted.store_id:
        page = f"select {_COLUMNS} from purchases r where {' and '.join(conditions)}{order}"  # noqa: S608
    else:
        # The newest of each store, and of those the newest: no index over the whole chain that imports would pay for.
        page = (
            f"select r.* from stores s cross join lateral (select {_COLUMNS} from purchases r"  # noqa: S608
            f" where r.store_id = s.store_id and {' and '.join(conditions)}{order}) r"
            f" where s.chain_id = :chain_id{order}"
        )
    found = await tx.execute(page, parameters)
    return await _whole(tx, list(found))


async def _whole(tx: Transaction, rows: Sequence[Row[Any]]) -> list[Purchase]:
    """Return the purchases of rows with lines and payments, each in one statement for all."""
    if not rows:
        return []
    ids = [row.purchase_id for row in rows]
    found = await tx.execute(
        f"select {PIECE_COLUMNS}, quantity, amount_minor, purchase_id from purchase_lines"  # noqa: S608
        " where chain_id = :chain_id and purchase_id = any(:ids) order by purchase_id, position",
        {"chain_id": tx.chain_id, "ids": ids},
    )
    lines: dict[str, list[PurchaseLine]] = {}
    for line in found:
        lines.setdefault(line.purchase_id, []).append(
            PurchaseLine(piece_of(line), line.quantity, line.amount_minor)
        )
    payments = await payments_of(tx, ids)
    return [
        Purchase(
            purchase_id=row.purchase_id,
            client_id=row.client_id,
            store_id=row.store_id,
            associate_id=row.associate_id,
            purchased_on=row.purchased_on,
            currency_code=row.currency_code,
            lines=tuple(lines.get(row.purchase_id, ())),
            occasion_kind=OccasionKind(row.occasion_kind) if row.occasion_kind else None,
            for_whom=row.for_whom,
            source=row.source,
            external_id=row.external_id,
            created_at=row.created_at,
            payments=tuple(payments.get(row.purchase_id, ())),
            recipient_client_id=row.recipient_client_id,
            surprise=Surprise(row.surprise_for_client_id, row.surprise_ends_on),
            returned_minor=row.returned_minor,
        )
        for row in rows
    ]
