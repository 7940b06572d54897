"""Suspensions that somebody has to look at. Must not decide anything; what binds is the ledger."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Row

from chassis import identities
from chassis.database import Transaction
from messaging.domain import Likelihood, Review, ReviewState

_SELECT = """
    select r.review_id, r.phone, r.store_id, r.conversation_id, r.message_id, r.likelihood, r.finding, r.state,
        r.suspended_at, r.created_at, r.decided_by, r.note, r.decided_at, coalesce(m.body, '') as body,
        array(select distinct coalesce(a.current_id, p.client_id) from phone_clients p
            left join identity_aliases a on a.chain_id = p.chain_id and a.alias_id = p.client_id
            where p.chain_id = r.chain_id and p.phone = r.phone order by 1) as client_ids
    from permission_reviews r left join messages m on m.message_id = r.message_id
"""


async def open_or_renew(tx: Transaction, review: Review) -> None:
    """Open a review of a number, or let the one that is open show the later text. The caller has locked the number.

    That a text was clear once is not taken back by a later one that is less so.
    """
    await tx.execute(
        "insert into permission_reviews as open (review_id, chain_id, phone, store_id, conversation_id, message_id,"
        " likelihood, finding, state, suspended_at, decided_by, note, created_at) values (:review_id, :chain_id,"
        " :phone, :store_id, :conversation_id, :message_id, :likelihood, :finding, :state, :suspended_at, '', '',"
        " :created_at)"
        " on conflict (chain_id, phone) where state = 'OPEN' do update set store_id = excluded.store_id,"
        " conversation_id = excluded.conversation_id, message_id = excluded.message_id, finding = excluded.finding,"
        " suspended_at = excluded.suspended_at,"
        " likelihood = case when open.likelihood = 'CLEAR' then 'CLEAR' else excluded.likelihood end",
        {
            "review_id": review.review_id,
            "chain_id": tx.chain_id,
            "phone": review.phone,
            "store_id": review.store_id,
            "conversation_id": review.conversation_id,
            "message_id": review.message_id,
            "likelihood": review.likelihood,
            "finding": review.finding,
            "state": review.state,
            "suspended_at": review.suspended_at,
            "created_at": review.created_at,
        },
    )


async def find(tx: Transaction, review_id: str) -> Review | None:
    """Return one review."""
    found = await tx.execute(f"{_SELECT} where r.review_id = :id", {"id": review_id})
    row = found.one_or_none()
    return None if row is None else _review(row)


async def save_decision(tx: Transaction, review: Review) -> None:
    """Write down what was decided."""
    await tx.execute(
        "update permission_reviews set state = :state, decided_by = :by, note = :note, decided_at = :at"
        " where review_id = :id",
        {
            "id": review.review_id,
            "state": review.state,
            "by": review.decided_by,
            "note": review.note,
            "at": review.decided_at,
        },
    )


async def settle(
    tx: Transaction, phone: str, state: ReviewState, *, by: str, note: str, now: datetime
) -> None:
    """Note that the open review of a number, if there is one, needs nobody any more. The number is locked."""
    await tx.execute(
        "update permission_reviews set state = :state, decided_by = :by, note = :note, decided_at = :now"
        " where phone = :phone and state = 'OPEN'",
        {"phone": phone, "state": state, "by": by, "note": note, "now": now},
    )


async def page(
    tx: Transaction,
    *,
    state: ReviewState,
    store_id: str,
    client_id: str,
    before: tuple[datetime, str] | None,
    most: int,
) -> Sequence[Review]:
    """Return up to `most` reviews of a state, the latest first; empty ids stand for all."""
    conditions: dict[str, Mapping[str, Any]] = {"r.state = :state": {"state": state}}
    if store_id:
        conditions["r.store_id = :store_id"] = {"store_id": store_id}
    if client_id:
        conditions["r.phone in (select phone from phone_clients where client_id = any(:client_ids))"] = {
            "client_ids": await identities.whole(tx, [client_id])
        }
    if before is not None:
        conditions["(r.created_at, r.review_id) < (:before_time, :before_id)"] = {
            "before_time": before[0],
            "before_id": before[1],
        }
    parameters = {key: value for named in conditions.values() for key, value in named.items()}
    found = await tx.execute(
        f"{_SELECT} where {' and '.join(conditions)} order by r.created_at desc, r.review_id desc limit :most",
        {**parameters, "most": most},
    )
    return [_review(row) for row in found]


async def remove(tx: Transaction, phone: str) -> int:
    """Remove the reviews of a number; return how many there were."""
    gone = await tx.execute(
        "delete from permission_reviews where chain_id = :chain_id and phone = :phone",
        {"chain_id": tx.chain_id, "phone": phone},
    )
    return gone.rowcount


def _review(row: Row[tuple[object, ...]]) -> Review:
    changes = {
        "likelihood": Likelihood(row.likelihood),
        "state": ReviewState(row.state),
        "client_ids": tuple(row.client_ids),
    }
    return Review(**{**row._mapping, **changes})
