"""The rows of offers, the decisions behind them, and the index of when they lapse."""

# ruff: noqa: S608 - what is put into statements here are constants of the code

import json
from collections.abc import Collection, Mapping
from datetime import datetime
from typing import Any

from sqlalchemy import Row, text
from sqlalchemy.ext.asyncio import AsyncConnection

from chassis import identities
from chassis.database import Transaction
from chassis.errors import not_found
from waitlist.domain.interests import InterestState
from waitlist.domain.offers import Decision, Offer, OfferState
from waitlist.domain.policies import Policy
from waitlist.domain.ranking import Candidate, Part, Ranked

_SELECT = """
    select offers.offer_id, offers.allocation_id, allocations.reference_id, code as reference_code,
        allocations.brand_id, store_id, offers.piece_id, serial, interest_id, client_id, offers.state, made_at,
        expires_at, answered_at, policy_version
    from offers
    join allocations using (allocation_id)
    join brand_references on brand_references.reference_id = allocations.reference_id
    join pieces on pieces.piece_id = offers.piece_id
"""


def _offer(row: Row[Any]) -> Offer:
    return Offer(**{**row._mapping, "state": OfferState(row.state)})


async def add(tx: Transaction, offer: Offer, decision: Decision, *, made_by: str) -> None:
    """Write an open offer with its decision and its deadline; the database refuses a second live one for the piece."""
    await tx.execute(
        "insert into offers (offer_id, chain_id, allocation_id, piece_id, interest_id, client_id, state, made_at,"
        " made_by, expires_at, policy_version, decision) values (:offer_id, :chain_id, :allocation_id, :piece_id,"
        " :interest_id, :client_id, :state, :made_at, :made_by, :expires_at, :policy_version,"
        " cast(:decision as jsonb))",
        {
            "offer_id": offer.offer_id,
            "chain_id": tx.chain_id,
            "allocation_id": offer.allocation_id,
            "piece_id": offer.piece_id,
            "interest_id": offer.interest_id,
            "client_id": offer.client_id,
            "state": offer.state,
            "made_at": offer.made_at,
            "made_by": made_by,
            "expires_at": offer.expires_at,
            "policy_version": offer.policy_version,
            "decision": json.dumps(_document(decision)),
        },
    )
    await tx.execute(
        "insert into offer_deadlines (offer_id, chain_id, expires_at) values (:offer_id, :chain_id, :expires_at)",
        {"offer_id": offer.offer_id, "chain_id": tx.chain_id, "expires_at": offer.expires_at},
    )


async def get(tx: Transaction, offer_id: str) -> Offer:
    """Read an offer. Raises NOT_FOUND."""
    return await _one(tx, offer_id, "")


async def lock(tx: Transaction, offer_id: str) -> Offer:
    """Read an offer and keep others from answering or expiring it. Raises NOT_FOUND."""
    return await _one(tx, offer_id, "for no key update of offers")


async def _one(tx: Transaction, offer_id: str, locking: str) -> Offer:
    found = await tx.execute(f"{_SELECT} where offers.offer_id = :offer_id {locking}", {"offer_id": offer_id})
    if (row := found.one_or_none()) is None:
        raise not_found("offer", offer_id)
    return _offer(row)


async def get_decision(tx: Transaction, offer_id: str) -> Decision:
    """Read why an offer went to whom. Raises NOT_FOUND."""
    found = await tx.execute("select decision from offers where offer_id = :offer_id", {"offer_id": offer_id})
    if (stored := found.scalar_one_or_none()) is None:
        raise not_found("offer", offer_id)
    return _decision(json.loads(stored) if isinstance(stored, str) else stored)


async def page(
    tx: Transaction, *, allocation_id: str, client_id: str, before: str, limit: int
) -> list[Offer]:
    """List offers, newest first, from before an id on; empty `before` for the newest."""
    found = await tx.execute(
        f"{_SELECT} where offers.chain_id = :chain_id"
        " and (:allocation_id = '' or offers.allocation_id = :allocation_id)"
        " and (:client_id = '' or client_id = :client_id) and (:before = '' or offers.offer_id < :before)"
        " order by offers.offer_id desc limit :limit",
        {
            "chain_id": tx.chain_id,
            "allocation_id": allocation_id,
            "client_id": client_id,
            "before": before,
            "limit": limit,
        },
    )
    return [_offer(row) for row in found]


async def close(
    tx: Transaction, offer_id: str, state: OfferState, *, answered_at: datetime | None, answered_by: str
) -> None:
    """Take an open offer to its final state and its deadline out of the index."""
    await tx.execute(
        "update offers set state = :state, answered_at = :answered_at, answered_by = nullif(:answered_by, '')"
        " where offer_id = :offer_id",
        {
            "offer_id": offer_id,
            "state": state,
            "answered_at": answered_at,
            "answered_by": answered_by,
        },
    )
    await tx.execute("delete from offer_deadlines where offer_id = :offer_id", {"offer_id": offer_id})


async def lock_overdue(
    tx: Transaction, now: datetime, *, allocation_id: str = "", interest_id: str = "", limit: int = 1000
) -> list[Offer]:
    """Lock and return open offers whose time is up; ones that somebody answers at this moment are passed over."""
    found = await tx.execute(
        f"{_SELECT} where offers.chain_id = :chain_id and offers.state = 'OPEN' and expires_at <= :now"
        " and (:allocation_id = '' or offers.allocation_id = :allocation_id)"
        " and (:interest_id = '' or interest_id = :interest_id)"
        " order by expires_at, offers.offer_id limit :limit for no key update of offers skip locked",
        {
            "chain_id": tx.chain_id,
            "now": now,
            "allocation_id": allocation_id,
            "interest_id": interest_id,
            "limit": limit,
        },
    )
    return [_offer(row) for row in found]


async def find_chains_with_overdue(connection: AsyncConnection, now: datetime) -> list[str]:
    """Read, in a platform transaction, which chains have offers whose time is up."""
    found = await connection.execute(
        text("select distinct chain_id from offer_deadlines where expires_at <= :now order by chain_id"),
        {"now": now},
    )
    return list(found.scalars())


async def lock_open_of_clients(tx: Transaction, client_ids: Collection[str]) -> list[Offer]:
    """Lock and return the open offers to clients, by the ids under which they came."""
    came_as = identities.came_as("client_id")
    found = await tx.execute(
        f"{_SELECT} where offers.chain_id = :chain_id and offers.state = 'OPEN' and {came_as}"
        " order by offers.offer_id for no key update of offers",
        {"chain_id": tx.chain_id, "ids": list(client_ids)},
    )
    return [_offer(row) for row in found]


async def make_nobodys(tx: Transaction, client_ids: Collection[str], nobody_id: str) -> int:
    """Put an id that leads nowhere into the place of a client's; return how many offers there were."""
    changed = await tx.execute(
        "update offers set client_id = :nobody_id, original_client_id = ''"
        f" where chain_id = :chain_id and {identities.came_as('client_id')}",
        {"chain_id": tx.chain_id, "ids": list(client_ids), "nobody_id": nobody_id},
    )
    return changed.rowcount


async def make_nobodys_in_decisions(
    tx: Transaction, client_ids: Collection[str], nobody_id: str, *, reference_ids: Collection[str]
) -> int:
    """Do the same in the decisions that a client took part in, all on references that the client waited for."""
    changed = 0
    for client_id in client_ids:
        # Ids hold no quote, and a quoted one stands for nothing but the client.
        result = await tx.execute(
            "update offers set decision = cast(replace(cast(decision as text), :quoted, :nobody) as jsonb)"
            " where chain_id = :chain_id and position(:quoted in cast(decision as text)) > 0 and allocation_id in"
            " (select allocation_id from allocations where chain_id = :chain_id and reference_id = any(:references))",
            {
                "chain_id": tx.chain_id,
                "quoted": json.dumps(client_id),
                "nobody": json.dumps(nobody_id),
                "references": list(reference_ids),
            },
        )
        changed += result.rowcount
    return changed


def _document(decision: Decision) -> dict[str, Any]:
    return {
        "formula_version": decision.formula_version,
        "policy": {**vars(decision.policy), "created_at": decision.policy.created_at.isoformat()},
        "store_id": decision.store_id,
        "decided_at": decision.decided_at.isoformat(),
        "candidates": [
            {
                "facts": {
                    **vars(ranked.candidate),
                    "registered_at": ranked.candidate.registered_at.isoformat(),
                    "last_piece_at": ranked.candidate.last_piece_at
                    and ranked.candidate.last_piece_at.isoformat(),
                },
                "score": ranked.score,
                "parts": [vars(part) for part in ranked.parts],
                "rank": ranked.rank,
                "ineligible_reason": ranked.ineligible_reason,
            }
            for ranked in decision.candidates
        ],
    }


def _decision(document: Mapping[str, Any]) -> Decision:
    policy = document["policy"]
    return Decision(
        formula_version=document["formula_version"],
        policy=Policy(**{**policy, "created_at": datetime.fromisoformat(policy["created_at"])}),
        store_id=document["store_id"],
        decided_at=datetime.fromisoformat(document["decided_at"]),
        candidates=tuple(
            Ranked(
                candidate=_candidate(stored["facts"]),
                score=stored["score"],
                parts=tuple(Part(**part) for part in stored["parts"]),
                rank=stored["rank"],
                ineligible_reason=stored["ineligible_reason"],
            )
            for stored in document["candidates"]
        ),
    )


def _candidate(facts: Mapping[str, Any]) -> Candidate:
    last_piece_at = facts["last_piece_at"]
    return Candidate(
        **{
            **facts,
            "state": InterestState(facts["state"]),
            "registered_at": datetime.fromisoformat(facts["registered_at"]),
            "last_piece_at": last_piece_at and datetime.fromisoformat(last_piece_at),
        }
    )
