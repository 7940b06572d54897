"""Count contacts and their answers for the signals behind them, each contact once. Must not judge how well that is.

A contact counts once its time to answer is over, or as soon as something is credited to it. What was counted stands
with the contact, so counting again changes nothing, and what is taken back is taken off.
"""

from collections.abc import Collection, Sequence
from datetime import datetime, timedelta

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from chassis import identities
from chassis.database import Transaction

# A sweep looks again after so long by itself, so that one that crossed a contact finds it the next time.
_AT_LEAST = timedelta(hours=1)

_IS_ANSWERED = "(reply_parts > 0 or visit_parts > 0 or appointment_parts > 0 or purchase_parts > 0)"


async def note_to_learn(tx: Transaction, touch_id: str, *, window: timedelta, now: datetime) -> None:
    """Note when a contact is to be counted: when its time to answer is over, or now if that was."""
    found = await tx.execute(
        f"update touches set learn_at = case when {_IS_ANSWERED} then :now else touched_at + :window end"  # noqa: S608
        " where chain_id = :chain_id and touch_id = :touch_id"
        " and touched_at is not null and signals <> '{}' and learned = 0 returning learn_at",
        {"chain_id": tx.chain_id, "touch_id": touch_id, "window": window, "now": now},
    )
    learn_at = found.scalar_one_or_none()
    if learn_at is not None:
        await note_due(tx, max(learn_at, now))


async def note_due(tx: Transaction, due_at: datetime) -> None:
    """Have the chain's contacts looked through by then. One row a chain, so it is only written when that is sooner."""
    found = await tx.execute(
        "select due_at from learning_sweeps where chain_id = :chain_id", {"chain_id": tx.chain_id}
    )
    known = found.scalar_one_or_none()
    if known is not None and known <= due_at:
        return
    await tx.execute(
        "insert into learning_sweeps as s (chain_id, due_at) values (:chain_id, :due_at)"
        " on conflict (chain_id) do update set due_at = excluded.due_at where s.due_at > excluded.due_at",
        {"chain_id": tx.chain_id, "due_at": due_at},
    )


async def take_due(platform: AsyncConnection, now: datetime) -> str | None:
    """Return a chain whose contacts are to be looked through; it comes again later."""
    found = await platform.execute(
        text(
            "update learning_sweeps set due_at = :again where chain_id = (select chain_id from learning_sweeps"
            " where due_at <= :now order by due_at, chain_id limit 1 for update skip locked) returning chain_id"
        ),
        {"now": now, "again": now + _AT_LEAST},
    )
    chain_id: str | None = found.scalar_one_or_none()
    return chain_id


async def count(tx: Transaction, *, window: timedelta, now: datetime, limit: int) -> int:
    """Count up to `limit` contacts that are due; return how many were looked at."""
    found = await tx.execute(
        f"""
        with due as (
            select touch_id, learned as was, case when {_IS_ANSWERED} then 2
                when touched_at + :window <= :now then 1 else 0 end as becomes
            from touches where chain_id = :chain_id and learn_at <= :now order by learn_at, touch_id limit :most
            for update skip locked
        ), counted as (
            update touches t set learned = due.becomes, learn_at = case when due.becomes = 0
                then t.touched_at + :window end
            from due where t.chain_id = :chain_id and t.touch_id = due.touch_id
            returning t.signals, due.was, due.becomes
        ), sums as (
            select signal, sum((becomes > 0)::int - (was > 0)::int) as contacts,
                sum((becomes = 2)::int - (was = 2)::int) as answers
            from counted cross join lateral unnest(signals) as listed (signal) group by signal
        ), noted as (
            insert into signal_effects as e (chain_id, signal, contacts, answers)
            select :chain_id, signal, contacts, answers from sums where contacts <> 0 or answers <> 0 order by signal
            on conflict (chain_id, signal) do update set contacts = e.contacts + excluded.contacts,
                answers = e.answers + excluded.answers
        )
        select count(*) from counted
        """,  # noqa: S608 - fixed text only
        {"chain_id": tx.chain_id, "window": window, "now": now, "most": limit},
    )
    return int(found.scalar_one())


async def next_due(tx: Transaction) -> datetime | None:
    """Return when the next contact is to be counted."""
    found = await tx.execute(
        "select min(learn_at) from touches where chain_id = :chain_id and learn_at is not null",
        {"chain_id": tx.chain_id},
    )
    due_at: datetime | None = found.scalar_one()
    return due_at


async def touches_that_came_as(tx: Transaction, client_ids: Collection[str]) -> list[str]:
    """Return the ids of contacts that came under the ids of a person."""
    found = await tx.execute(
        f"select touch_id from touches where chain_id = :chain_id and {identities.came_as('client_id')}",  # noqa: S608
        {"chain_id": tx.chain_id, "ids": list(client_ids)},
    )
    return list(found.scalars())


async def unlearn(tx: Transaction, touch_ids: Sequence[str]) -> None:
    """Take contacts off the counts."""
    if not touch_ids:
        return
    await tx.execute(
        "update signal_effects e set contacts = e.contacts - s.contacts, answers = e.answers - s.answers"
        # Held first: whoever counts them at this moment is through before, or leaves them out.
        " from (select signal, count(*) as contacts, count(*) filter (where learned = 2) as answers from ("
        "   select signals, learned from touches where chain_id = :chain_id and touch_id = any(:ids) and learned > 0"
        "   order by touch_id for update) as mine"
        "  cross join lateral unnest(signals) as listed (signal) group by signal) as s"
        " where e.chain_id = :chain_id and e.signal = s.signal",
        {"chain_id": tx.chain_id, "ids": list(touch_ids)},
    )
    await tx.execute(
        "update touches set learned = 0, learn_at = null where chain_id = :chain_id and touch_id = any(:ids)",
        {"chain_id": tx.chain_id, "ids": list(touch_ids)},
    )


async def forget_counts(tx: Transaction) -> None:
    """Have everything counted anew."""
    await tx.execute("delete from signal_effects where chain_id = :chain_id", {"chain_id": tx.chain_id})
    await tx.execute(
        "update touches set learned = 0, learn_at = touched_at where chain_id = :chain_id"
        " and touched_at is not null and signals <> '{}'",
        {"chain_id": tx.chain_id},
    )
