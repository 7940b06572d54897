"""Recipients of bulk sends, what became of them, and the numbers that they are written to at."""

# ruff: noqa: S608 - what is put into statements here are constants of this module

import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from chassis import identities
from chassis.database import Transaction
from messaging.domain.bulk_sends import CLIENT_NOT_FOUND, BulkRecipient, BulkRecipientState, Progress
from messaging.store.bulk_sends import Slice

# Rows `r` of recipients, `b` of their bulk send, `m` of their message if there is one.
_JOINED = (
    "bulk_recipients r join bulk_sends b on b.chain_id = r.chain_id and b.bulk_send_id = r.bulk_send_id"
    " left join messages m on m.message_id = r.message_id"
)
_STATE = """
    case when r.message_id <> '' then case when m.state in ('SENT', 'DELIVERED', 'DENIED', 'FAILED', 'CANCELLED',
        'EXPIRED') then m.state else 'QUEUED' end
    when r.reason <> '' then 'DENIED' when b.state = 'CANCELLED' then 'CANCELLED'
    when b.state = 'FINISHED' then 'EXPIRED' else 'FROZEN' end
"""
_GATE_REASON = "m.decision -> 'reasons' -> 0 ->> 0"


@dataclass(frozen=True)
class Outcome:
    """What became of a recipient; `reason` where nothing went out."""

    position: int
    client_id: str
    state: BulkRecipientState
    message_id: str
    reason: str


@dataclass(frozen=True)
class Written:
    """What a worker made of a recipient: a message, or a reason why there is none."""

    position: int
    message_id: str = ""
    reason: str = ""


async def add(tx: Transaction, bulk_send_id: str, recipients: Sequence[BulkRecipient]) -> None:
    """Write the recipients of a new bulk send down, in their order."""
    driver = await tx.driver()
    await driver.execute(
        "insert into bulk_recipients (chain_id, bulk_send_id, position, client_id, values)"
        " select $1, $2, place, client_id, cast(given as jsonb)"
        " from unnest(cast($3 as text[]), cast($4 as text[])) with ordinality as r (client_id, given, place)",
        tx.chain_id,
        bulk_send_id,
        [recipient.client_id for recipient in recipients],
        [json.dumps(recipient.values) if recipient.values else None for recipient in recipients],
    )


async def frozen_in(
    tx: Transaction, bulk_send_id: str, part: Slice, *, lock: bool = False
) -> Sequence[BulkRecipient]:
    """Return those of a slice of whom nothing has become yet; with `lock` nobody else writes to them meanwhile."""
    found = await tx.execute(
        "select position, client_id, cast(values as text) as given from bulk_recipients"
        " where chain_id = :chain_id and bulk_send_id = :id and position between :first and :last"
        f" and message_id = '' and reason = '' order by position {'for update' if lock else ''}",
        {
            "chain_id": tx.chain_id,
            "id": bulk_send_id,
            "first": part.first_position,
            "last": part.last_position,
        },
    )
    return [
        BulkRecipient(row.client_id, json.loads(row.given) if row.given else {}, row.position)
        for row in found
    ]


async def note_written(tx: Transaction, bulk_send_id: str, written: Sequence[Written]) -> None:
    """Note what became of recipients."""
    await tx.execute(
        "update bulk_recipients r set message_id = g.message_id, reason = g.reason"
        " from unnest(cast(:positions as integer[]), cast(:message_ids as text[]), cast(:reasons as text[]))"
        "  as g (position, message_id, reason)"
        " where r.chain_id = :chain_id and r.bulk_send_id = :id and r.position = g.position",
        {
            "chain_id": tx.chain_id,
            "id": bulk_send_id,
            "positions": [one.position for one in written],
            "message_ids": [one.message_id for one in written],
            "reasons": [one.reason for one in written],
        },
    )


async def persons_written_to(tx: Transaction, bulk_send_id: str, client_ids: Collection[str]) -> set[str]:
    """Return which of some current clients a bulk send was written to before, under whichever id."""
    found = await tx.execute(
        "select distinct coalesce(a.current_id, r.client_id) from bulk_recipients r"
        " left join identity_aliases a on a.chain_id = r.chain_id and a.alias_id = r.client_id"
        " where r.chain_id = :chain_id and r.bulk_send_id = :id and r.message_id <> '' and r.client_id <> ''"
        " and r.client_id = any(:ids)",
        {
            "chain_id": tx.chain_id,
            "id": bulk_send_id,
            "ids": await identities.whole(tx, client_ids),
        },
    )
    return {str(client_id) for client_id in found.scalars()}


async def numbers_written_to(
    tx: Transaction, bulk_send_id: str, sender_id: str, phones: Collection[str]
) -> set[str]:
    """Return which of some numbers a bulk send was written to before."""
    found = await tx.execute(
        "select c.client_phone from conversations c join messages m on m.chain_id = c.chain_id"
        " and m.bulk_send_id = :id and m.bulk_send_id <> '' and m.conversation_id = c.conversation_id"
        " where c.chain_id = :chain_id and c.sender_id = :sender_id and c.client_phone = any(:phones)",
        {"chain_id": tx.chain_id, "id": bulk_send_id, "sender_id": sender_id, "phones": list(phones)},
    )
    return {str(phone) for phone in found.scalars()}


async def learn_numbers(tx: Transaction, numbers: Mapping[str, str], now: datetime) -> None:
    """Note which clients, by number, have them, unless it is known under an id that leads to the same client."""
    await tx.execute(
        "insert into phone_clients (chain_id, phone, client_id, learned_at) select :chain_id, phone, client_id, :now"
        " from unnest(cast(:phones as text[]), cast(:client_ids as text[])) as given (phone, client_id)"
        " where not exists (select 1 from phone_clients p"
        "  left join identity_aliases a on a.chain_id = p.chain_id and a.alias_id = p.client_id"
        "  where p.chain_id = :chain_id and p.phone = given.phone"
        "  and coalesce(a.current_id, p.client_id) = given.client_id) on conflict do nothing",
        {
            "chain_id": tx.chain_id,
            "phones": list(numbers),
            "client_ids": list(numbers.values()),
            "now": now,
        },
    )


async def page(
    tx: Transaction, bulk_send_id: str, *, state: BulkRecipientState | None, after: int, most: int
) -> Sequence[Outcome]:
    """Return up to `most` recipients in their order, with what became of each."""
    found = await tx.execute(
        "select * from (select r.position, r.client_id, r.message_id,"
        f" {_STATE} as state, case when r.reason <> '' then r.reason when m.state = 'DENIED' then {_GATE_REASON}"
        "  when m.state = 'FAILED' then m.error_code else '' end as reason"
        f" from {_JOINED} where r.chain_id = :chain_id and r.bulk_send_id = :id and r.position > :after) as outcomes"
        " where cast(:state as text) is null or state = :state order by position limit :most",
        {"chain_id": tx.chain_id, "id": bulk_send_id, "state": state, "after": after, "most": most},
    )
    return [Outcome(**{**row._mapping, "state": BulkRecipientState(row.state)}) for row in found]


async def progress(tx: Transaction, bulk_send_ids: Sequence[str]) -> dict[str, Progress]:
    """Return how far bulk sends are."""
    counts: dict[str, dict[BulkRecipientState, int]] = {one: {} for one in bulk_send_ids}
    denied: dict[str, dict[str, int]] = {one: {} for one in bulk_send_ids}
    found = await tx.execute(
        f"select r.bulk_send_id, {_STATE} as state, case when r.reason <> '' then r.reason"
        f"  when m.state = 'DENIED' then coalesce({_GATE_REASON}, '') else '' end as reason, count(*) as many"
        f" from {_JOINED} where r.chain_id = :chain_id and r.bulk_send_id = any(:ids) group by 1, 2, 3",
        {"chain_id": tx.chain_id, "ids": list(bulk_send_ids)},
    )
    for row in found:
        state = BulkRecipientState(row.state)
        by_state = counts[row.bulk_send_id]
        by_state[state] = by_state.get(state, 0) + row.many
        if state is BulkRecipientState.DENIED:
            denied[row.bulk_send_id][row.reason] = row.many
    opt_outs = await tx.execute(
        "select m.bulk_send_id, count(*) as many"
        " from campaign_opt_outs o join messages m on m.message_id = o.message_id"
        " where o.chain_id = :chain_id and o.campaign_id in (select campaign_id from bulk_sends"
        "  where chain_id = :chain_id and bulk_send_id = any(:ids)) and m.bulk_send_id = any(:ids) group by 1",
        {"chain_id": tx.chain_id, "ids": list(bulk_send_ids)},
    )
    opted_out = {row.bulk_send_id: row.many for row in opt_outs}
    return {one: Progress(counts[one], denied[one], opted_out.get(one, 0)) for one in bulk_send_ids}


async def forget_clients(tx: Transaction, client_ids: Collection[str]) -> int:
    """Remove who recipients were and what was to stand in their texts; their places stay, so that sums hold. Return
    how many there were."""
    gone = await tx.execute(
        "update bulk_recipients set client_id = '', values = null, message_id = '', reason = :reason"
        " where chain_id = :chain_id and client_id <> '' and client_id = any(:client_ids)",
        {"chain_id": tx.chain_id, "client_ids": list(client_ids), "reason": CLIENT_NOT_FOUND},
    )
    return gone.rowcount


async def forget_texts(tx: Transaction, removed: Collection[tuple[str, str]]) -> None:
    """Note that texts, given as (bulk send, message), are not there any more, whoever their recipients are."""
    await tx.execute(
        "update bulk_recipients r set message_id = '', reason = :reason"
        " from unnest(cast(:bulk_send_ids as text[]), cast(:message_ids as text[])) as g (bulk_send_id, message_id)"
        " where r.chain_id = :chain_id and r.bulk_send_id = g.bulk_send_id and r.message_id = g.message_id",
        {
            "chain_id": tx.chain_id,
            "bulk_send_ids": [bulk_send_id for bulk_send_id, _ in removed],
            "message_ids": [message_id for _, message_id in removed],
            "reason": CLIENT_NOT_FOUND,
        },
    )
