"""Whose turn it is, what was sent in a day, and brand registrations."""

# ruff: noqa: S608 - what is put into statements here are constants of this module

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime
from typing import Any

from sqlalchemy import Row

from chassis.database import Transaction
from messaging.domain import Sender
from messaging.domain.pacing import BrandRegistration
from messaging.store import senders

_LONG_AGO = "timestamptz '2000-01-01 00:00:00+00'"
_BRAND = (
    "brand_registration_id", "display_name", "provider_registration_id", "segments_per_day", "time_zone", "created_at",
)  # fmt: skip
_DAYS = "unnest(cast(:owners as text[]), cast(:days as date[])) as given (owner_id, day)"


@dataclass(frozen=True)
class Turn:
    """When a sender is free to send next; `brand` is whose day its segments count against."""

    sender: Sender
    free_at: datetime
    brand: BrandRegistration | None


async def open_turns(tx: Transaction, sender_ids: Sequence[str]) -> None:
    """Give senders a turn that have none yet: those of an older program."""
    await tx.execute(
        "insert into sender_turns (chain_id, sender_id, next_free_time, is_stopped)"
        f" select chain_id, sender_id, {_LONG_AGO}, state = 'STOPPED' from senders where sender_id = any(:senders)"
        " order by sender_id on conflict do nothing",
        {"senders": list(sender_ids)},
    )


async def take_turns(tx: Transaction, sender_ids: Sequence[str], now: datetime) -> dict[str, Turn]:
    """Return the turns of those senders that may send now, for this transaction alone; not of those that another
    transaction has, nor of those that are stopped."""
    columns = ", ".join(f"s.{name} as sender_{name}" for name in senders.COLUMNS)
    brand = ", ".join(f"b.{name} as brand_{name}" for name in _BRAND)
    found = await tx.execute(
        f"select t.next_free_time, {columns}, {brand} from sender_turns t"
        " join senders s on s.sender_id = t.sender_id"
        " left join brand_registrations b on b.brand_registration_id = s.brand_registration_id"
        " where t.chain_id = :chain_id and t.sender_id = any(:senders) and not t.is_stopped"
        " and t.next_free_time <= :now order by t.sender_id for update of t skip locked",
        {"chain_id": tx.chain_id, "senders": list(sender_ids), "now": now},
    )
    turns = {}
    for row in found:
        sender = senders.sender_of(row, "sender_")
        registered = None if row.brand_brand_registration_id is None else _brand(row, "brand_")
        turns[sender.sender_id] = Turn(sender, row.next_free_time, registered)
    return turns


async def save_turns(tx: Transaction, free_at: Mapping[str, datetime]) -> None:
    """Say when senders are free next, whose turns this transaction has."""
    if free_at:
        await tx.execute(
            "update sender_turns t set next_free_time = given.free_at"
            " from unnest(cast(:senders as text[]), cast(:times as timestamptz[])) as given (sender_id, free_at)"
            " where t.chain_id = :chain_id and t.sender_id = given.sender_id",
            {"chain_id": tx.chain_id, "senders": list(free_at), "times": list(free_at.values())},
        )


async def pause(tx: Transaction, until: Mapping[str, datetime]) -> None:
    """Let senders send nothing before a time."""
    for sender_id, moment in sorted(until.items()):
        await tx.execute(
            "update sender_turns set next_free_time = greatest(next_free_time, :moment)"
            " where chain_id = :chain_id and sender_id = :sender_id",
            {"chain_id": tx.chain_id, "sender_id": sender_id, "moment": moment},
        )


async def hold_turn(tx: Transaction, sender_id: str, *, is_stopped: bool) -> None:
    """Stop a sender or let it go on; first thing in whatever changes a sender, so that nothing is taken meanwhile."""
    await tx.execute(
        "insert into sender_turns (chain_id, sender_id, next_free_time, is_stopped)"
        f" values (:chain_id, :sender_id, {_LONG_AGO}, :is_stopped)"
        " on conflict (chain_id, sender_id) do update set is_stopped = excluded.is_stopped",
        {"chain_id": tx.chain_id, "sender_id": sender_id, "is_stopped": is_stopped},
    )


async def lock_turns(tx: Transaction, sender_ids: Collection[str]) -> None:
    """Keep anything from being taken for senders until this transaction ends."""
    if sender_ids:
        await tx.execute(
            "select 1 from sender_turns where chain_id = :chain_id and sender_id = any(:senders)"
            " order by sender_id for update",
            {"chain_id": tx.chain_id, "senders": list(sender_ids)},
        )


async def free_at(tx: Transaction, sender_id: str) -> datetime | None:
    """Return when a sender is free next; None when it never sent anything."""
    found = await tx.execute(
        "select next_free_time from sender_turns where chain_id = :chain_id and sender_id = :sender_id",
        {"chain_id": tx.chain_id, "sender_id": sender_id},
    )
    moment: datetime | None = found.scalar_one_or_none()
    return moment


async def lock_days(tx: Transaction, days: Collection[tuple[str, date]]) -> dict[tuple[str, date], int]:
    """Return what senders and brands sent on days so far, for this transaction alone; the last lock that it takes."""
    if not days:
        return {}
    found = await _lock_days(tx, days)
    if missing := [day for day in days if day not in found]:
        await tx.execute(
            "insert into segments_of_day (chain_id, owner_id, day, segments) select :chain_id, owner_id, day, 0"
            f" from {_DAYS} order by owner_id, day on conflict do nothing",
            {"chain_id": tx.chain_id, **_days(missing)},
        )
        found = await _lock_days(tx, days)
    return found


async def _lock_days(tx: Transaction, days: Collection[tuple[str, date]]) -> dict[tuple[str, date], int]:
    found = await tx.execute(
        f"select o.owner_id, o.day, o.segments from segments_of_day o join {_DAYS} on o.owner_id = given.owner_id"
        " and o.day = given.day where o.chain_id = :chain_id order by o.owner_id, o.day for update of o",
        {"chain_id": tx.chain_id, **_days(days)},
    )
    return {(row.owner_id, row.day): row.segments for row in found}


async def count_segments(tx: Transaction, counted: Mapping[tuple[str, date], int]) -> None:
    """Add to what was sent on days that this transaction has locked, or take from it."""
    if counted:
        await tx.execute(
            "update segments_of_day o set segments = greatest(o.segments + given.segments, 0)"
            " from unnest(cast(:owners as text[]), cast(:days as date[]), cast(:segments as integer[]))"
            " as given (owner_id, day, segments)"
            " where o.chain_id = :chain_id and o.owner_id = given.owner_id and o.day = given.day",
            {"chain_id": tx.chain_id, **_days(counted), "segments": list(counted.values())},
        )


async def sent_on(tx: Transaction, days: Collection[tuple[str, date]]) -> dict[tuple[str, date], int]:
    """Return what senders and brands sent on days; what is not in it is nothing."""
    found = await tx.execute(
        f"select o.owner_id, o.day, o.segments from segments_of_day o join {_DAYS} on o.owner_id = given.owner_id"
        " and o.day = given.day where o.chain_id = :chain_id",
        {"chain_id": tx.chain_id, **_days(days)},
    )
    return {(row.owner_id, row.day): row.segments for row in found}


def _days(days: Collection[tuple[str, date]]) -> dict[str, Any]:
    return {"owners": [owner for owner, _ in days], "days": [day for _, day in days]}


async def add_brand(tx: Transaction, brand: BrandRegistration) -> None:
    """Write a registration down."""
    await tx.execute(
        f"insert into brand_registrations (chain_id, {', '.join(_BRAND)})"
        f" values (:chain_id, {', '.join(f':{name}' for name in _BRAND)})",
        {"chain_id": tx.chain_id, **{name: getattr(brand, name) for name in _BRAND}},
    )


async def save_brand(tx: Transaction, brand: BrandRegistration) -> None:
    """Write down what can change of a registration."""
    await tx.execute(
        "update brand_registrations set display_name = :display_name, segments_per_day = :segments_per_day,"
        " provider_registration_id = :provider_registration_id, time_zone = :time_zone"
        " where brand_registration_id = :brand_registration_id",
        {name: getattr(brand, name) for name in _BRAND if name != "created_at"},
    )


async def find_brand(tx: Transaction, brand_id: str, *, lock: bool = False) -> BrandRegistration | None:
    """Return one registration, without what it sent; `lock` keeps others from changing it."""
    found = await tx.execute(
        f"select {', '.join(_BRAND)} from brand_registrations where brand_registration_id = :id"
        f" {'for update' if lock else ''}",
        {"id": brand_id},
    )
    row = found.one_or_none()
    return None if row is None else _brand(row)


async def brands_among(tx: Transaction, brand_ids: Collection[str]) -> dict[str, BrandRegistration]:
    """Return registrations by their ids, without what they sent."""
    if not any(brand_ids):
        return {}
    found = await tx.execute(
        f"select {', '.join(_BRAND)} from brand_registrations where brand_registration_id = any(:ids)",
        {"ids": list(brand_ids)},
    )
    return {row.brand_registration_id: _brand(row) for row in found}


async def brands_page(tx: Transaction, *, after: str, most: int) -> Sequence[BrandRegistration]:
    """Return up to `most` registrations in the order of their making, without what they sent."""
    found = await tx.execute(
        f"select {', '.join(_BRAND)} from brand_registrations where brand_registration_id > :after"
        " order by brand_registration_id limit :most",
        {"after": after, "most": most},
    )
    return [_brand(row) for row in found]


async def with_today(
    tx: Transaction, brands: Sequence[BrandRegistration], now: datetime
) -> list[BrandRegistration]:
    """Return registrations with what they have sent on their day."""
    days = [(brand.brand_registration_id, brand.day_of(now)) for brand in brands]
    sent = await sent_on(tx, days)
    return [replace(brand, segments_today=sent.get(day, 0)) for brand, day in zip(brands, days, strict=True)]


def _brand(row: Row[Any], prefix: str = "") -> BrandRegistration:
    return BrandRegistration(**{name: getattr(row, f"{prefix}{name}") for name in _BRAND})
