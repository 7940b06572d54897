"""Rows of who belongs to whom: one for both sides."""

from datetime import datetime

from chassis.database import Transaction
from profiles.domain.relationships import Relationship, RelationshipExists


async def add_relationship(
    tx: Transaction, client_id: str, relationship: Relationship, *, now: datetime
) -> None:
    """Insert a relationship as `client_id` sees it. Raises RELATIONSHIP_EXISTS for a pair that is related already."""
    added = await tx.execute(
        "insert into relationships (relationship_id, chain_id, client_id, kind, related_client_id, given_name,"
        " family_name, note, created_at) values (:relationship_id, :chain_id, :client_id, :kind, :related_client_id,"
        " :given_name, :family_name, :note, :now)"
        " on conflict (chain_id, least(client_id, related_client_id), greatest(client_id, related_client_id))"
        " where related_client_id is not null do nothing",
        {
            "relationship_id": relationship.relationship_id,
            "chain_id": tx.chain_id,
            "client_id": client_id,
            "kind": relationship.kind.value,
            "related_client_id": relationship.related_client_id or None,
            "given_name": relationship.given_name,
            "family_name": relationship.family_name,
            "note": relationship.note,
            "now": now,
        },
    )
    if not added.rowcount:
        found = await tx.execute(
            "select relationship_id from relationships where chain_id = :chain_id and least(client_id,"
            " related_client_id) = least(:one, :other) and greatest(client_id, related_client_id) ="
            " greatest(:one, :other)",
            {"chain_id": tx.chain_id, "one": client_id, "other": relationship.related_client_id},
        )
        raise RelationshipExists(str(found.scalar_one()))


async def remove_relationship(tx: Transaction, client_id: str, relationship: Relationship) -> None:
    """Delete a relationship, with the occasions of a person who is no client; those of clients lose the mark."""
    parameters = {"client_id": client_id, "relationship_id": relationship.relationship_id}
    if relationship.related_client_id:
        await tx.execute(
            "update occasions set relationship_id = '' where client_id in (:client_id, :other_id)"
            " and relationship_id = :relationship_id",
            parameters | {"other_id": relationship.related_client_id},
        )
    else:
        await tx.execute(
            "delete from occasions where client_id = :client_id and relationship_id = :relationship_id",
            parameters,
        )
    await tx.execute(
        "delete from relationships where relationship_id = :relationship_id",
        {"relationship_id": relationship.relationship_id},
    )
