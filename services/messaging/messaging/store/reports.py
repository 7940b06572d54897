"""Sums over messages of a span of time: one statement a figure. Must not judge them."""

# ruff: noqa: S608 - what is put into statements here are constants of this module

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any

from chassis.database import Transaction
from messaging.domain import Channel, State
from messaging.domain.reports import Delivery, Failures, Period, ReplyTimes
from messaging.providers.codes import fault_of


@dataclass(frozen=True)
class Scope:
    """Which messages count: those of stores that one may see (None for all), and of what is asked for."""

    period: Period
    stores: Collection[str] | None = None
    store_id: str = ""
    channel: Channel | None = None
    campaign_id: str = ""

    @property
    def parameters(self) -> dict[str, Any]:
        """Return what the conditions compare with."""
        return {
            "begins": self.period.begins,
            "ends": self.period.ends,
            "stores": None if self.stores is None else sorted(self.stores),
            "store_id": self.store_id,
            "channel": self.channel,
            "campaign_id": self.campaign_id,
        }


_OF_STORES = (
    "(cast(:stores as text[]) is null or {row}.store_id = any(:stores))"
    " and (:store_id = '' or {row}.store_id = :store_id)"
)
_COUNTED = (
    "m.chain_id = :chain_id and m.direction = 'OUTBOUND' and m.created_at >= :begins and m.created_at < :ends"
    f" and {_OF_STORES.format(row='m')} and (cast(:channel as text) is null or m.channel = :channel)"
    " and (:campaign_id = '' or m.campaign_id = :campaign_id)"
)
# What a person wrote, and the network took; texts to many, reminders and what the software says itself are no answers.
_ANSWER = (
    "{row}.direction = 'OUTBOUND' and {row}.sent_at is not null and {row}.bulk_send_id = '' and {row}.campaign_id = ''"
    " and {row}.reminder_id = '' and {row}.author <> 'system' and {row}.author not like 'service:%'"
)


async def sum_deliveries(tx: Transaction, scope: Scope) -> Delivery:
    """Return what became of the texts that were written in a span of time."""
    found = await tx.execute(
        "select m.state, case when m.state = 'FAILED' then m.error_code else '' end as error_code,"
        " case when m.state = 'DENIED' then coalesce(m.decision -> 'reasons' -> 0 ->> 0, '') else '' end as reason,"
        " count(*) as many, coalesce(sum(m.segments) filter (where m.sent_at is not null), 0) as segments"
        f" from messages m where {_COUNTED} group by 1, 2, 3 order by 1, 2, 3",
        {"chain_id": tx.chain_id, **scope.parameters},
    )
    counts: dict[State, int] = {}
    failures: list[Failures] = []
    denied: dict[str, int] = {}
    segments = 0
    for row in found:
        state = State(row.state)
        counts[state] = counts.get(state, 0) + row.many
        segments += int(row.segments)
        if state is State.FAILED:
            failures.append(Failures(fault_of(row.error_code).name, row.error_code, row.many))
        elif state is State.DENIED:
            denied[row.reason] = row.many
    failures.sort(key=lambda one: (-one.count, one.error_class, one.error_code))
    return Delivery(counts, failures, denied, segments)


async def sum_replies(tx: Transaction, scope: Scope, *, by_associate: bool) -> Sequence[ReplyTimes]:
    """Return how long clients waited who began to wait in a span of time.

    A client begins to wait with the first text after a person's answer, or at all; a keyword such as STOP waits for
    nobody. It ends with the first text of a person that goes out. Without one it is unanswered, and its assignee's,
    unless somebody closed the conversation.
    """
    group = "coalesce(a.author, c.assignee_id)" if by_associate else "c.store_id"
    found = await tx.execute(
        "with turns as (select m.conversation_id, m.direction, m.position, m.author,"
        "  case m.direction when 'INBOUND' then m.created_at else m.sent_at end as at"
        "  from messages m where m.chain_id = :chain_id and m.conversation_id in (select i.conversation_id"
        "   from messages i where i.chain_id = :chain_id and i.direction = 'INBOUND' and i.created_at >= :begins"
        f"  and i.created_at < :ends and {_OF_STORES.format(row='i')})"
        f" and (({_ANSWER.format(row='m')}) or (m.direction = 'INBOUND' and not exists (select 1"
        "   from permission_entries e where e.chain_id = :chain_id and e.cause_id = m.message_id"
        "   and e.source = 'keyword')))),"
        # Whatever a client writes between two answers, in their order, is one wait: it ends with the second one.
        " numbered as (select *, count(*) filter (where direction = 'OUTBOUND') over (partition by conversation_id"
        "  order by at, position rows unbounded preceding) as answers from turns),"
        " begun as (select conversation_id, answers, min(at) as at from numbered where direction = 'INBOUND'"
        "  group by conversation_id, answers),"
        f" ended as (select c.conversation_state, {group} as group_id, extract(epoch from a.at - b.at) as seconds"
        "  from begun b join conversations c on c.conversation_id = b.conversation_id"
        "  left join numbered a on a.direction = 'OUTBOUND' and a.conversation_id = b.conversation_id"
        "   and a.answers = b.answers + 1"
        "  where b.at >= :begins and b.at < :ends)"
        " select group_id, count(seconds) as answered_count,"
        " count(*) filter (where seconds is null and conversation_state = 'OPEN') as unanswered_count,"
        " cast(round(percentile_cont(0.5) within group (order by seconds)) as integer) as median_seconds,"
        " cast(round(percentile_cont(0.9) within group (order by seconds)) as integer) as p90_seconds"
        " from ended where seconds is not null or conversation_state = 'OPEN' group by group_id order by group_id",
        {"chain_id": tx.chain_id, **scope.parameters},
    )
    return [ReplyTimes(**row._mapping) for row in found]
