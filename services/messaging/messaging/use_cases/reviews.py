"""Silence a number at once when a text may ask for it, and let a person say afterwards what was meant."""

from collections.abc import Callable
from datetime import datetime

from chassis.clock import Clock
from chassis.database import Database, Transaction
from chassis.errors import not_found
from chassis.ids import new_id
from messaging.domain import (
    PLAIN_LANGUAGE,
    REVIEW,
    Change,
    Likelihood,
    Message,
    Purpose,
    Review,
    ReviewState,
)
from messaging.revocation import Judgement, Wish
from messaging.store import conversations, reviews
from messaging.suppression import Suppressor
from messaging.use_cases.permissions import record


async def suspend(
    tx: Transaction,
    *,
    suppressor: Suppressor,
    phone: str,
    message: Message,
    judgement: Judgement,
    now: datetime,
) -> None:
    """Silence a number for all purposes because of a text, and ask a person. The caller has locked the number.

    Like a STOP it is written down for every purpose, granted or not, and even twice: a consent that was captured before
    may still be on its way.
    """
    await record(
        tx,
        suppressor=suppressor,
        phone=phone,
        purposes=list(Purpose),
        change=Change.SUSPENDED,
        evidence=judgement.reason,
        source=PLAIN_LANGUAGE,
        actor=message.client_id,
        cause_id=message.message_id,
        occurred_at=now,
        now=now,
    )
    await reviews.open_or_renew(
        tx,
        Review(
            review_id=new_id("rvw"),
            phone=phone,
            store_id=message.store_id,
            conversation_id=message.conversation_id,
            message_id=message.message_id,
            likelihood=Likelihood.CLEAR if judgement.wish is Wish.REVOKES else Likelihood.POSSIBLE,
            finding=judgement.reason,
            state=ReviewState.OPEN,
            suspended_at=now,
            created_at=now,
        ),
    )


async def decide_review(
    *,
    database: Database,
    clock: Clock,
    suppressor: Suppressor,
    chain_id: str,
    review_id: str,
    state: ReviewState,
    note: str,
    actor: str,
    require_store: Callable[[str], None],
) -> Review:
    """Confirm a revocation, or lift the suspension; the same decision again changes nothing.

    A confirmed revocation counts from when the client wrote: what the client has agreed to since then stands. Raises
    PERMISSION_REVIEW_NOT_FOUND, PERMISSION_REVIEW_DECIDED, and STORE_NOT_YOURS through `require_store`.
    """
    async with database.transaction(chain_id) as tx:
        found = await _get(tx, review_id)
        require_store(found.store_id)
        await conversations.lock_number(tx, found.phone)
        review = await _get(tx, review_id)  # as it is now that nobody else can decide
        now = clock.now()
        decided = review.decided(state, by=actor, note=note.strip(), now=now)
        if decided is review:
            return review
        # First the decision: a revocation of all purposes settles what is open.
        await reviews.save_decision(tx, decided)
        confirms = state is ReviewState.CONFIRMED
        await record(
            tx,
            suppressor=suppressor,
            phone=review.phone,
            purposes=list(Purpose),
            change=Change.REVOKED if confirms else Change.LIFTED,
            evidence=decided.note or review.finding,
            source=REVIEW,
            actor=actor,
            cause_id=review_id,
            occurred_at=review.suspended_at if confirms else now,
            now=now,
        )
        return decided


async def _get(tx: Transaction, review_id: str) -> Review:
    review = await reviews.find(tx, review_id)
    if review is None:
        raise not_found("permission_review", review_id)
    return review
