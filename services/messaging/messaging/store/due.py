"""When something is to be done about a message: ids, times and whose turn it counts against, over all chains."""

# ruff: noqa: S608 - what is put into statements here are constants of this module

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from chassis.database import Transaction
from messaging.domain import Message, Purpose
from messaging.domain.pacing import ANSWERS, ASK, BULK, OFFERS, PRIORITIES, SERVICES


@dataclass(frozen=True)
class Errand:
    """That something is to be done about a message at a time; `expire_time` only while it has not gone out."""

    message_id: str
    sender_id: str
    priority: int
    segments: int
    due_time: datetime
    expire_time: datetime | None = None


def to_send(message: Message, sender_id: str, due_time: datetime) -> Errand:
    """Return that a message is to be sent, in the order of its kind: answers first, what goes to many last."""
    return Errand(
        message.message_id, sender_id, priority_of(message), message.segments, due_time, message.expires_at
    )


def to_ask(message: Message, sender_id: str, due_time: datetime) -> Errand:
    """Return that the carrier is to be asked what became of a message."""
    return Errand(message.message_id, sender_id, ASK, message.segments, due_time)


def priority_of(message: Message) -> int:
    """Return the place of a message among those that wait for one sender."""
    if message.bulk_send_id:
        return BULK
    if message.purpose is Purpose.CONVERSATIONAL:
        return ANSWERS
    return SERVICES if message.purpose is Purpose.SERVICE else OFFERS


async def put(tx: Transaction, errands: Sequence[Errand]) -> None:
    """Say what is to be done next; whatever was to be done about the same messages is replaced."""
    if not errands:
        return
    await tx.execute(
        "insert into due_messages (message_id, chain_id, sender_id, priority, segments, due_time, expire_time)"
        " select message_id, :chain_id, sender_id, priority, segments, due_time, expire_time"
        " from unnest(cast(:ids as text[]), cast(:senders as text[]), cast(:priorities as smallint[]),"
        "  cast(:segments as integer[]), cast(:times as timestamptz[]), cast(:expiries as timestamptz[]))"
        "  as given (message_id, sender_id, priority, segments, due_time, expire_time)"
        " on conflict (message_id) do update set sender_id = excluded.sender_id, priority = excluded.priority,"
        " segments = excluded.segments, due_time = excluded.due_time, expire_time = excluded.expire_time",
        {
            "chain_id": tx.chain_id,
            "ids": [one.message_id for one in errands],
            "senders": [one.sender_id for one in errands],
            "priorities": [one.priority for one in errands],
            "segments": [one.segments for one in errands],
            "times": [one.due_time for one in errands],
            "expiries": [one.expire_time for one in errands],
        },
    )


async def hasten(tx: Transaction, sender_id: str, reason: str, now: datetime) -> None:
    """Let what was deferred for a reason that has passed be looked at again now."""
    await tx.execute(
        "update due_messages d set due_time = :now from messages m where d.chain_id = :chain_id"
        f" and d.sender_id = :sender_id and d.priority > {ASK} and d.due_time > :now and m.message_id = d.message_id"
        " and m.state = 'DEFERRED' and m.decision @> jsonb_build_object('reasons',"
        "  jsonb_build_array(jsonb_build_array(cast(:reason as text))))",
        {"chain_id": tx.chain_id, "sender_id": sender_id, "reason": reason, "now": now},
    )


async def settle(tx: Transaction, message_ids: Collection[str]) -> None:
    """Say that nothing is left to be done about messages."""
    if message_ids:
        await tx.execute("delete from due_messages where message_id = any(:ids)", {"ids": list(message_ids)})


@dataclass(frozen=True)
class Waiting:
    """What waits for one sender. Times are None where nothing does; `sender_id` is empty for what nobody filed yet."""

    chain_id: str
    sender_id: str
    ask_at: datetime | None
    send_at: datetime | None

    def is_due(self, now: datetime) -> bool:
        """Return whether something can be done now."""
        return any(moment is not None and moment <= now for moment in (self.ask_at, self.send_at))


async def look(connection: AsyncConnection) -> Sequence[Waiting]:
    """Return what waits over all chains: for each sender when its next question and its next text are due.

    A text of a sender that is stopped is never due, of one that has no turn yet at its turn. One step in the index for
    each sender and kind, however many messages wait.
    """
    times = ", ".join(
        "(select min(due_time) from due_messages d where d.chain_id = owners.chain_id"
        f" and d.sender_id = owners.sender_id and d.priority = {priority})"
        for priority in PRIORITIES
    )
    found = await connection.execute(
        text(
            "with recursive owners as ("
            " (select chain_id, sender_id from due_messages order by chain_id, sender_id limit 1)"
            " union all select following.chain_id, following.sender_id from owners cross join lateral"
            "  (select d.chain_id, d.sender_id from due_messages d"
            "   where (d.chain_id, d.sender_id) > (owners.chain_id, owners.sender_id)"
            "   order by d.chain_id, d.sender_id limit 1) as following)"
            " select owners.chain_id, owners.sender_id, (select min(due_time) from due_messages d"
            "  where d.chain_id = owners.chain_id and d.sender_id = owners.sender_id"
            f"  and d.priority = {ASK}) as ask_at,"
            " case when not coalesce(t.is_stopped, false) then"
            f"  case when least({times}) is not null then greatest(least({times}), t.next_free_time) end end as send_at"
            " from owners left join sender_turns t"
            " on t.chain_id = owners.chain_id and t.sender_id = owners.sender_id"
        )
    )
    return [Waiting(row.chain_id, row.sender_id, row.ask_at, row.send_at) for row in found]


async def find(
    tx: Transaction, sender_ids: Sequence[str], priorities: Sequence[int], now: datetime, most_each: int
) -> list[str]:
    """Return up to `most_each` messages that are due of each sender and priority: by sender, in the order in which they
    may go."""
    found = await tx.execute(
        "select due.message_id from unnest(cast(:senders as text[])) with ordinality as s (sender_id, place)"
        " cross join unnest(cast(:priorities as smallint[])) as p (priority)"
        " cross join lateral (select d.message_id, d.due_time from due_messages d"
        "  where d.chain_id = :chain_id and d.sender_id = s.sender_id and d.priority = p.priority"
        "  and d.due_time <= :now order by d.due_time, d.message_id limit :most) as due"
        " order by s.place, p.priority, due.due_time, due.message_id",
        {
            "chain_id": tx.chain_id,
            "senders": list(sender_ids),
            "priorities": list(priorities),
            "now": now,
            "most": most_each,
        },
    )
    return [str(message_id) for message_id in found.scalars()]


async def expired(connection: AsyncConnection, now: datetime, most: int) -> Sequence[tuple[str, str]]:
    """Return (chain, message) of what has not gone out and is too late to."""
    found = await connection.execute(
        text(
            "select chain_id, message_id from due_messages where expire_time <= :now"
            " order by expire_time limit :most"
        ),
        {"now": now, "most": most},
    )
    return [(row.chain_id, row.message_id) for row in found]


async def waiting_for(tx: Transaction, sender_id: str, now: datetime) -> tuple[int, int]:
    """Return how many texts and segments are due and wait for a sender's turn."""
    found = await tx.execute(
        "select count(*) as messages, coalesce(sum(segments), 0) as segments from due_messages"
        " where chain_id = :chain_id"
        f" and sender_id = :sender_id and priority > {ASK} and due_time <= :now",
        {"chain_id": tx.chain_id, "sender_id": sender_id, "now": now},
    )
    row = found.one()
    return int(row.messages), int(row.segments)
