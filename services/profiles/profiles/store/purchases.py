"""Rows of purchases."""

from chassis.database import Transaction
from chassis.errors import not_found
from profiles.domain.clients import OccasionKind
from profiles.domain.pieces import Purchase, PurchaseLine
from profiles.store.pieces import PIECE_COLUMNS, PIECE_VALUES, piece_of, piece_values


async def add_purchase(tx: Transaction, purchase: Purchase) -> str:
    """Insert a purchase and return its id, or that of the one with its source and external id."""
    added = await tx.execute(
        "insert into purchases (purchase_id, chain_id, client_id, store_id, associate_id, purchased_on, total_minor,"
        " currency_code, occasion_kind, for_whom, source, external_id, created_at) values (:purchase_id, :chain_id,"
        " :client_id, :store_id, :associate_id, :purchased_on, :total_minor, :currency_code, :occasion_kind,"
        " :for_whom, :source, :external_id, :created_at)"
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
    found = await tx.execute(
        "select client_id, store_id, associate_id, purchased_on, currency_code, occasion_kind, for_whom, source,"
        " external_id, created_at from purchases where purchase_id = :purchase_id",
        {"purchase_id": purchase_id},
    )
    if (row := found.one_or_none()) is None:
        raise not_found("purchase", purchase_id)
    lines = await tx.execute(
        f"select {PIECE_COLUMNS}, quantity, amount_minor from purchase_lines"  # noqa: S608
        " where purchase_id = :purchase_id order by position",
        {"purchase_id": purchase_id},
    )
    return Purchase(
        purchase_id=purchase_id,
        client_id=row.client_id,
        store_id=row.store_id,
        associate_id=row.associate_id,
        purchased_on=row.purchased_on,
        currency_code=row.currency_code,
        lines=tuple(PurchaseLine(piece_of(line), line.quantity, line.amount_minor) for line in lines),
        occasion_kind=OccasionKind(row.occasion_kind) if row.occasion_kind else None,
        for_whom=row.for_whom,
        source=row.source,
        external_id=row.external_id,
        created_at=row.created_at,
    )
