"""Rows of what happened to clients: purchases, visits, consents."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Row

from chassis.database import Transaction
from chassis.errors import not_found
from profiles.domain.clients import OccasionKind
from profiles.domain.consents import Channel, Consent, Purpose
from profiles.domain.pieces import Piece, Purchase, PurchaseLine, Visit, VisitItem

_PIECE = ", ".join(Piece.__slots__)
_PIECE_VALUES = ", ".join(f":{column}" for column in Piece.__slots__)


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
        f"insert into purchase_lines (purchase_id, position, chain_id, quantity, amount_minor, {_PIECE})"  # noqa: S608
        f" values (:purchase_id, :position, :chain_id, :quantity, :amount_minor, {_PIECE_VALUES})",
        [
            {
                "purchase_id": purchase.purchase_id,
                "position": position,
                "chain_id": tx.chain_id,
                "quantity": line.quantity,
                "amount_minor": line.amount_minor,
                **_piece_values(line.piece),
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
        f"select {_PIECE}, quantity, amount_minor from purchase_lines"  # noqa: S608
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
        lines=tuple(PurchaseLine(_piece(line), line.quantity, line.amount_minor) for line in lines),
        occasion_kind=OccasionKind(row.occasion_kind) if row.occasion_kind else None,
        for_whom=row.for_whom,
        source=row.source,
        external_id=row.external_id,
        created_at=row.created_at,
    )


async def add_visit(tx: Transaction, visit: Visit) -> None:
    """Insert a visit."""
    await tx.execute(
        "insert into visits (visit_id, chain_id, client_id, store_id, associate_id, visited_at, for_whom, needed_by,"
        " note, created_at) values (:visit_id, :chain_id, :client_id, :store_id, :associate_id, :visited_at,"
        " :for_whom, :needed_by, :note, :created_at)",
        {
            "visit_id": visit.visit_id,
            "chain_id": tx.chain_id,
            "client_id": visit.client_id,
            "store_id": visit.store_id,
            "associate_id": visit.associate_id,
            "visited_at": visit.visited_at,
            "for_whom": visit.for_whom,
            "needed_by": visit.needed_by,
            "note": visit.note,
            "created_at": visit.created_at,
        },
    )
    if visit.items:
        await tx.execute(
            f"insert into visit_items (visit_id, position, chain_id, is_liked, {_PIECE})"  # noqa: S608
            f" values (:visit_id, :position, :chain_id, :is_liked, {_PIECE_VALUES})",
            [
                {
                    "visit_id": visit.visit_id,
                    "position": position,
                    "chain_id": tx.chain_id,
                    "is_liked": item.is_liked,
                    **_piece_values(item.piece),
                }
                for position, item in enumerate(visit.items)
            ],
        )


async def get_visit(tx: Transaction, visit_id: str) -> Visit:
    """Return a visit. Raises VISIT_NOT_FOUND."""
    found = await tx.execute(
        "select client_id, store_id, associate_id, visited_at, for_whom, needed_by, note, created_at from visits"
        " where visit_id = :visit_id",
        {"visit_id": visit_id},
    )
    if (row := found.one_or_none()) is None:
        raise not_found("visit", visit_id)
    items = await tx.execute(
        f"select {_PIECE}, is_liked from visit_items where visit_id = :visit_id order by position",  # noqa: S608
        {"visit_id": visit_id},
    )
    return Visit(
        visit_id=visit_id,
        client_id=row.client_id,
        store_id=row.store_id,
        associate_id=row.associate_id,
        visited_at=row.visited_at,
        items=tuple(VisitItem(_piece(item), item.is_liked) for item in items),
        for_whom=row.for_whom,
        needed_by=row.needed_by,
        note=row.note,
        created_at=row.created_at,
    )


async def add_consent(tx: Transaction, consent: Consent) -> None:
    """Insert a consent."""
    await tx.execute(
        "insert into consents (consent_id, chain_id, client_id, contact_point_id, contact_value, channel, purposes,"
        " wording, captured_by, captured_at, source) values (:consent_id, :chain_id, :client_id, :contact_point_id,"
        " :contact_value, :channel, :purposes, :wording, :captured_by, :captured_at, :source)",
        {
            "consent_id": consent.consent_id,
            "chain_id": tx.chain_id,
            "client_id": consent.client_id,
            "contact_point_id": consent.contact_point_id,
            "contact_value": consent.contact_value,
            "channel": consent.channel.value,
            "purposes": [purpose.value for purpose in consent.purposes],
            "wording": consent.wording,
            "captured_by": consent.captured_by,
            "captured_at": consent.captured_at,
            "source": consent.source,
        },
    )


async def get_consent(tx: Transaction, consent_id: str) -> Consent:
    """Return a consent. Raises CONSENT_NOT_FOUND."""
    if (consent := await find_consent(tx, consent_id)) is None:
        raise not_found("consent", consent_id)
    return consent


async def find_consent(tx: Transaction, consent_id: str) -> Consent | None:
    """Return a consent, or None."""
    found = await tx.execute(
        "select consent_id, client_id, contact_point_id, contact_value, channel, purposes, wording, captured_by,"
        " captured_at, source from consents where consent_id = :consent_id",
        {"consent_id": consent_id},
    )
    if (row := found.one_or_none()) is None:
        return None
    return Consent(
        **{
            **row._mapping,
            "channel": Channel(row.channel),
            "purposes": tuple(Purpose(purpose) for purpose in row.purposes),
        }
    )


def _piece_values(piece: Piece) -> dict[str, Any]:
    return {column: getattr(piece, column) for column in Piece.__slots__}


def _piece(row: Row[Any]) -> Piece:
    values: Sequence[Any] = row[: len(Piece.__slots__)]
    return Piece(*values)
