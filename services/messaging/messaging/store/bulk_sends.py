"""Bulk sends, when somebody is to look after them, and the slices of recipients that workers have at the moment."""

# ruff: noqa: S608 - what is put into statements here are constants of this module

import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Row, text
from sqlalchemy.ext.asyncio import AsyncConnection

from chassis.database import Transaction
from messaging.domain import Channel, Purpose
from messaging.domain.bulk_sends import BulkSend, BulkSendState
from messaging.domain.templates import Template, TemplateText

_COLUMNS = (
    "bulk_send_id", "display_name", "store_id", "purpose", "channel", "body", "subject", "template_id", "template",
    "media_ids", "campaign_id", "author", "state", "pause_reason", "recipient_count", "segments_each", "handed_out",
    "send_after", "expires_at", "created_at", "updated_at", "finished_at",
)  # fmt: skip
_SELECT = f"select {', '.join(_COLUMNS)} from bulk_sends"

# What the gate defers every text for, whoever gets it.
_OF_ALL = ("SENDER_STOPPED", "CAMPAIGN_PAUSED", "BRAND_DAY_FULL", "BRAND_DAY_USED")


@dataclass(frozen=True)
class Slice:
    """Recipients that one worker writes to, by their positions, both included."""

    first_position: int
    last_position: int


async def add(tx: Transaction, bulk_send: BulkSend) -> None:
    """Write a new bulk send down, to be looked after at its time."""
    await tx.execute(
        f"insert into bulk_sends (chain_id, {', '.join(_COLUMNS)})"
        f" values (:chain_id, {', '.join(f':{name}' for name in _COLUMNS)})",
        {
            "chain_id": tx.chain_id,
            **{name: getattr(bulk_send, name) for name in _COLUMNS},
            "template": None if bulk_send.template is None else _template_document(bulk_send.template),
            "media_ids": list(bulk_send.media_ids),
        },
    )
    await make_due(tx, bulk_send.bulk_send_id, bulk_send.send_after)


async def save(tx: Transaction, bulk_send: BulkSend) -> None:
    """Write down what can change of a bulk send."""
    await tx.execute(
        "update bulk_sends set state = :state, pause_reason = :pause_reason, handed_out = :handed_out,"
        " updated_at = :updated_at, finished_at = :finished_at"
        " where chain_id = :chain_id and bulk_send_id = :bulk_send_id",
        {
            "chain_id": tx.chain_id,
            "bulk_send_id": bulk_send.bulk_send_id,
            "state": bulk_send.state,
            "pause_reason": bulk_send.pause_reason,
            "handed_out": bulk_send.handed_out,
            "updated_at": bulk_send.updated_at,
            "finished_at": bulk_send.finished_at,
        },
    )


async def find(tx: Transaction, bulk_send_id: str) -> BulkSend | None:
    """Return one bulk send."""
    return await _find(tx, bulk_send_id, "")


async def lock(tx: Transaction, bulk_send_id: str, *, wait: bool) -> BulkSend | None:
    """Return one bulk send for a change; without `wait` None also while somebody else changes it."""
    return await _find(tx, bulk_send_id, "for update" if wait else "for update skip locked")


async def lock_alone(tx: Transaction, bulk_send_id: str) -> BulkSend | None:
    """Return one bulk send for a change of its state, once nobody writes or hands over a text of it any more."""
    await tx.execute(
        "select pg_advisory_xact_lock(hashtextextended(:key, 0))", {"key": _key(tx, bulk_send_id)}
    )
    return await _find(tx, bulk_send_id, "for update")


async def states(tx: Transaction, bulk_send_ids: Collection[str]) -> Mapping[str, BulkSendState]:
    """Return the states of bulk sends, none of which changes until this transaction ends.

    What was paused or cancelled by a call that has been answered is seen as such. Those whose state somebody is about
    to change are left out: whoever asks may hold what that one waits for.
    """
    ids = sorted(set(bulk_send_ids))
    if not ids:
        return {}
    free = await tx.execute(
        "select id from unnest(cast(:ids as text[]), cast(:keys as text[])) as given (id, key)"
        " where pg_try_advisory_xact_lock_shared(hashtextextended(key, 0))",
        {"ids": ids, "keys": [_key(tx, bulk_send_id) for bulk_send_id in ids]},
    )
    # A statement of its own: it sees what was committed before the locks were taken.
    found = await tx.execute(
        "select bulk_send_id, state from bulk_sends where chain_id = :chain_id and bulk_send_id = any(:ids)",
        {"chain_id": tx.chain_id, "ids": list(free.scalars())},
    )
    return {row.bulk_send_id: BulkSendState(row.state) for row in found}


async def page(
    tx: Transaction,
    *,
    stores: Collection[str] | None,
    store_id: str,
    state: BulkSendState | None,
    before: str,
    most: int,
) -> Sequence[BulkSend]:
    """Return up to `most` bulk sends, newest first, of stores that one may see; None stands for all."""
    found = await tx.execute(
        f"{_SELECT} where chain_id = :chain_id and (:store_id = '' or store_id = :store_id)"
        " and (cast(:stores as text[]) is null or store_id = any(:stores))"
        " and (cast(:state as text) is null or state = :state) and (:before = '' or bulk_send_id < :before)"
        " order by bulk_send_id desc limit :most",
        {
            "chain_id": tx.chain_id,
            "store_id": store_id,
            "stores": None if stores is None else sorted(stores),
            "state": state,
            "before": before,
            "most": most,
        },
    )
    return [_bulk_send(row) for row in found]


async def of_campaign(tx: Transaction, campaign_id: str, state: BulkSendState) -> list[str]:
    """Return the ids of a campaign's bulk sends in a state, in order."""
    found = await tx.execute(
        "select bulk_send_id from bulk_sends where chain_id = :chain_id and campaign_id = :id and state = :state"
        " order by bulk_send_id",
        {"chain_id": tx.chain_id, "id": campaign_id, "state": state},
    )
    return [str(bulk_send_id) for bulk_send_id in found.scalars()]


async def make_due(tx: Transaction, bulk_send_id: str, due_time: datetime) -> None:
    """Say when somebody is to look after a bulk send next."""
    await tx.execute(
        "insert into due_bulk_sends (chain_id, bulk_send_id, due_time) values (:chain_id, :id, :due_time)"
        " on conflict (chain_id, bulk_send_id) do update set due_time = excluded.due_time",
        {"chain_id": tx.chain_id, "id": bulk_send_id, "due_time": due_time},
    )


async def make_settled(tx: Transaction, bulk_send_id: str) -> None:
    """Say that nothing is left to be done about a bulk send."""
    await tx.execute(
        "delete from due_bulk_sends where chain_id = :chain_id and bulk_send_id = :id",
        {"chain_id": tx.chain_id, "id": bulk_send_id},
    )


async def due(connection: AsyncConnection, now: datetime, most: int) -> Sequence[tuple[str, str]]:
    """Return (chain, bulk send) of those in all chains that are to be looked after by now."""
    found = await connection.execute(
        text(
            "select chain_id, bulk_send_id from due_bulk_sends where due_time <= :now order by due_time limit :most"
        ),
        {"now": now, "most": most},
    )
    return [(row.chain_id, row.bulk_send_id) for row in found]


async def add_slice(tx: Transaction, bulk_send_id: str, given: Slice, *, leased_until: datetime) -> None:
    """Note that a worker has recipients."""
    await tx.execute(
        "insert into bulk_slices (chain_id, bulk_send_id, first_position, last_position, leased_until)"
        " values (:chain_id, :id, :first, :last, :leased_until)",
        {
            "chain_id": tx.chain_id,
            "id": bulk_send_id,
            "first": given.first_position,
            "last": given.last_position,
            "leased_until": leased_until,
        },
    )


async def take_left_slice(
    tx: Transaction, bulk_send_id: str, *, now: datetime, leased_until: datetime
) -> Slice | None:
    """Take over recipients from a worker who has not been heard of for too long."""
    found = await tx.execute(
        "update bulk_slices s set leased_until = :leased_until from (select first_position from bulk_slices"
        "  where chain_id = :chain_id and bulk_send_id = :id and leased_until <= :now order by first_position limit 1"
        "  for update skip locked) as left_over"
        " where s.chain_id = :chain_id and s.bulk_send_id = :id and s.first_position = left_over.first_position"
        " returning s.first_position, s.last_position",
        {"chain_id": tx.chain_id, "id": bulk_send_id, "now": now, "leased_until": leased_until},
    )
    row = found.one_or_none()
    return None if row is None else Slice(row.first_position, row.last_position)


async def give_back(tx: Transaction, bulk_send_id: str, given: Slice, now: datetime) -> None:
    """Let somebody else take recipients over at once."""
    await tx.execute(
        "update bulk_slices set leased_until = :now"
        " where chain_id = :chain_id and bulk_send_id = :id and first_position = :first",
        {"chain_id": tx.chain_id, "id": bulk_send_id, "first": given.first_position, "now": now},
    )


async def remove_slice(tx: Transaction, bulk_send_id: str, given: Slice) -> None:
    """Note that a slice has been written."""
    await tx.execute(
        "delete from bulk_slices where chain_id = :chain_id and bulk_send_id = :id and first_position = :first",
        {"chain_id": tx.chain_id, "id": bulk_send_id, "first": given.first_position},
    )


async def remove_slices(tx: Transaction, bulk_send_id: str) -> None:
    """Note that nobody is to write any more."""
    await tx.execute(
        "delete from bulk_slices where chain_id = :chain_id and bulk_send_id = :id",
        {"chain_id": tx.chain_id, "id": bulk_send_id},
    )


async def slices_held(tx: Transaction, bulk_send_id: str) -> int:
    """Return how many recipients are with workers."""
    found = await tx.execute(
        "select coalesce(sum(last_position - first_position + 1), 0) from bulk_slices"
        " where chain_id = :chain_id and bulk_send_id = :id",
        {"chain_id": tx.chain_id, "id": bulk_send_id},
    )
    return int(found.scalar_one())


async def texts_ahead(tx: Transaction, bulk_send_id: str, until: datetime) -> int:
    """Return how many texts of a bulk send wait that could go out by a moment, or that wait for what holds up all."""
    found = await tx.execute(
        "select count(*) from messages where chain_id = :chain_id and bulk_send_id = :id and bulk_send_id <> ''"
        " and state in ('QUEUED', 'DEFERRED') and (coalesce(send_after, :until) <= :until"
        "  or decision -> 'reasons' -> 0 ->> 0 = any(:of_all))",
        {"chain_id": tx.chain_id, "id": bulk_send_id, "until": until, "of_all": list(_OF_ALL)},
    )
    return int(found.scalar_one())


async def has_texts_under_way(tx: Transaction, bulk_send_id: str) -> bool:
    """Return whether any text of a bulk send has yet to go out, or to be asked about."""
    found = await tx.execute(
        "select 1 from messages where chain_id = :chain_id and bulk_send_id = :id and bulk_send_id <> ''"
        " and state in ('QUEUED', 'DEFERRED', 'SENDING', 'UNKNOWN') limit 1",
        {"chain_id": tx.chain_id, "id": bulk_send_id},
    )
    return found.first() is not None


async def put_aside(tx: Transaction, bulk_send_id: str, message_ids: Collection[str]) -> None:
    """Let texts of a paused bulk send lie until it is resumed, or over."""
    await tx.execute(
        "update due_messages d set due_time = b.expires_at from bulk_sends b"
        " where b.chain_id = :chain_id and b.bulk_send_id = :id and d.message_id = any(:message_ids)",
        {"chain_id": tx.chain_id, "id": bulk_send_id, "message_ids": list(message_ids)},
    )


async def let_go_on(tx: Transaction, bulk_send_id: str, now: datetime) -> None:
    """Let a bulk send be looked after again, and its texts go on that were put aside."""
    await make_due(tx, bulk_send_id, now)
    await tx.execute(
        "update due_messages d set due_time = greatest(cast(:now as timestamptz), m.send_after) from messages m"
        " where m.chain_id = :chain_id and m.bulk_send_id = :id and m.bulk_send_id <> ''"
        " and m.state in ('QUEUED', 'DEFERRED') and d.message_id = m.message_id",
        {"chain_id": tx.chain_id, "id": bulk_send_id, "now": now},
    )


async def cancel_texts(
    tx: Transaction, bulk_send_id: str, now: datetime, message_ids: Collection[str] | None = None
) -> None:
    """Take back every text that waits, or some of them."""
    await tx.execute(
        "with gone as (update messages set state = 'CANCELLED', updated_at = :now"
        "  where chain_id = :chain_id and bulk_send_id = :id and bulk_send_id <> ''"
        "  and (cast(:message_ids as text[]) is null or message_id = any(:message_ids))"
        "  and state in ('QUEUED', 'DEFERRED') returning message_id)"
        " delete from due_messages where message_id in (select message_id from gone)",
        {
            "chain_id": tx.chain_id,
            "id": bulk_send_id,
            "now": now,
            "message_ids": None if message_ids is None else list(message_ids),
        },
    )


async def _find(tx: Transaction, bulk_send_id: str, rest: str) -> BulkSend | None:
    found = await tx.execute(
        f"{_SELECT} where chain_id = :chain_id and bulk_send_id = :id {rest}",
        {"chain_id": tx.chain_id, "id": bulk_send_id},
    )
    row = found.one_or_none()
    return None if row is None else _bulk_send(row)


def _key(tx: Transaction, bulk_send_id: str) -> str:
    return f"bulk send {tx.chain_id} {bulk_send_id}"


def _bulk_send(row: Row[Any]) -> BulkSend:
    return BulkSend(
        **{
            **row._mapping,
            "purpose": Purpose(row.purpose),
            "channel": Channel(row.channel),
            "state": BulkSendState(row.state),
            "media_ids": tuple(row.media_ids),
            "template": None if row.template is None else _template(row.template),
        }
    )


def _template_document(template: Template) -> str:
    return json.dumps(
        {
            "template_id": template.template_id,
            "display_name": template.display_name,
            "channel": template.channel,
            "purpose": template.purpose,
            "texts": [asdict(written) for written in template.texts],
            "default_language_code": template.default_language_code,
            "is_reminder": template.is_reminder,
            "version": template.version,
            "created_at": template.created_at.isoformat(),
            "updated_at": template.updated_at.isoformat(),
        }
    )


def _template(stored: str | dict[str, Any]) -> Template:
    document = json.loads(stored) if isinstance(stored, str) else stored
    return Template(
        **{
            **document,
            "channel": Channel(document["channel"]),
            "purpose": Purpose(document["purpose"]),
            "texts": tuple(TemplateText(**written) for written in document["texts"]),
            "created_at": datetime.fromisoformat(document["created_at"]),
            "updated_at": datetime.fromisoformat(document["updated_at"]),
        }
    )
