"""Contacts that the house made. Must not judge what they led to; see `use_cases.outcomes`, which calls this.

A text is one row from two sides, in either order: whoever asked for it says what it was for, and the carrier's word
says when it went out. Until both are there it is no contact.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from chassis import identities
from chassis.database import Transaction


@dataclass(frozen=True)
class TouchRow:
    """A contact. `touch_id` is made of what it came from, so the same again is the same row."""

    touch_id: str
    client_id: str
    associate_id: str
    store_id: str
    channel: str
    # When it was; for a text, when the carrier took it, once it is known to be a contact.
    touched_at: datetime | None = None
    # When the carrier took a text of whatever kind.
    sent_at: datetime | None = None
    signals: Sequence[str] = ()
    suggestion_id: str = ""
    campaign_id: str = ""
    phrasing: str = ""


def touch_of_text(message_id: str) -> str:
    """Return the id of the contact that a text is."""
    return f"tch_{message_id}"


def touch_of_suggestion(suggestion_id: str) -> str:
    """Return the id of the contact that was logged for a suggestion."""
    return f"tch_{suggestion_id}"


async def note_touch(tx: Transaction, touch: TouchRow) -> str | None:
    """Write a contact down; the same again only changes what it says. Return whose it is, None for a forgotten one."""
    current = (await identities.resolve(tx, [touch.client_id])).get(touch.client_id)
    if current is None:
        return None
    written = await tx.execute(
        "insert into touches as old (chain_id, touch_id, client_id, original_client_id, associate_id, store_id,"
        " touched_at, sent_at, channel, signals, suggestion_id, campaign_id, phrasing) select :chain_id, :touch_id,"
        " :client_id, :original, :associate_id, :store_id, :touched_at, :sent_at, :channel, :signals, :suggestion_id,"
        " :campaign_id, :phrasing where not exists (select 1 from clients where chain_id = :chain_id"
        "  and client_id = :client_id and is_deleted) on conflict (chain_id, touch_id) do update set"
        " touched_at = coalesce(excluded.touched_at, old.touched_at, case when excluded.suggestion_id <> ''"
        "  or excluded.campaign_id <> '' or old.suggestion_id <> '' or old.campaign_id <> ''"
        "  then coalesce(excluded.sent_at, old.sent_at) end),"
        " sent_at = coalesce(excluded.sent_at, old.sent_at),"
        " associate_id = coalesce(nullif(excluded.associate_id, ''), old.associate_id),"
        " store_id = coalesce(nullif(excluded.store_id, ''), old.store_id),"
        " signals = case when excluded.signals = '{}' then old.signals else excluded.signals end,"
        " suggestion_id = coalesce(nullif(excluded.suggestion_id, ''), old.suggestion_id),"
        " campaign_id = coalesce(nullif(excluded.campaign_id, ''), old.campaign_id),"
        # The carrier's word comes without knowing what the text was for.
        " phrasing = case when excluded.suggestion_id = '' and old.suggestion_id <> '' then old.phrasing"
        "  else coalesce(nullif(excluded.phrasing, ''), old.phrasing) end",
        {
            "chain_id": tx.chain_id,
            "touch_id": touch.touch_id,
            "client_id": current,
            "original": identities.original_of(touch.client_id, current),
            "associate_id": touch.associate_id,
            "store_id": touch.store_id,
            "touched_at": touch.touched_at,
            "sent_at": touch.sent_at,
            "channel": touch.channel,
            "signals": [str(signal) for signal in touch.signals],
            "suggestion_id": touch.suggestion_id,
            "campaign_id": touch.campaign_id,
            "phrasing": touch.phrasing,
        },
    )
    return current if written.rowcount else None


async def when_touched(tx: Transaction, touch_id: str) -> datetime | None:
    """Return when a contact was, None while it is none yet."""
    found = await tx.execute(
        "select touched_at from touches where chain_id = :chain_id and touch_id = :touch_id",
        {"chain_id": tx.chain_id, "touch_id": touch_id},
    )
    touched_at: datetime | None = found.scalar()
    return touched_at


async def drop_touch(tx: Transaction, touch_id: str) -> str | None:
    """Take a contact back that was logged by mistake; return whose it was."""
    found = await tx.execute(
        "delete from touches where chain_id = :chain_id and touch_id = :touch_id returning client_id",
        {"chain_id": tx.chain_id, "touch_id": touch_id},
    )
    client_id: str | None = found.scalar_one_or_none()
    return client_id


async def follow_clients(tx: Transaction, currents: Mapping[str, str]) -> None:
    """Give contacts, outcomes and holdouts to whom their clients are now."""
    for table in ("touches", "outcomes", "holdouts"):
        await identities.move_rows(tx, table, "client_id", currents)


async def erase_clients(tx: Transaction, client_ids: Collection[str]) -> tuple[dict[str, int], set[str]]:
    """Remove what came under the ids of a person; return how many rows of which kind, and whose credits may differ."""
    parameters = {"chain_id": tx.chain_id, "ids": list(client_ids)}
    came_as = identities.came_as("client_id")
    for one, table in (("touch_id", "touches"), ("outcome_id", "outcomes")):
        await tx.execute(
            f"delete from credits where chain_id = :chain_id and {one} in"  # noqa: S608 - fixed text only
            f" (select {one} from {table} where chain_id = :chain_id and {came_as})",
            parameters,
        )
    whose: set[str] = set()
    erased: dict[str, int] = {}
    for table in ("touches", "outcomes", "holdouts"):
        gone = await tx.execute(
            f"delete from {table} where chain_id = :chain_id and {came_as} returning client_id",  # noqa: S608 - fixed
            parameters,
        )
        rows = list(gone.scalars())
        whose.update(rows)
        if rows:
            erased[table] = len(rows)
    return erased, whose
