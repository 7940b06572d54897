"""The directory of chains: their day, their currency, when they are ranked, and who is ranking them right now."""

from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from babel.numbers import get_currency_precision
from sqlalchemy import Row, text
from sqlalchemy.ext.asyncio import AsyncConnection

from chassis.database import Transaction


@dataclass(frozen=True)
class Chain:
    """What outreach knows of a chain; zone and currency are empty until ChainCreated has arrived."""

    chain_id: str
    time_zone: str = ""
    currency: str = ""
    replay_day: date | None = None
    replay_until: datetime | None = None

    @property
    def zone(self) -> ZoneInfo:
        """Return the chain's zone, UTC where it is not known."""
        try:
            return ZoneInfo(self.time_zone or "UTC")
        except (ZoneInfoNotFoundError, ValueError):
            return ZoneInfo("UTC")

    @property
    def minor_per_unit(self) -> int:
        """Return how many minor units make one unit of the currency."""
        return int(10 ** get_currency_precision(self.currency)) if self.currency else 100

    def today(self, now: datetime) -> date:
        """Return the day it is at the chain."""
        return now.astimezone(self.zone).date()

    def is_replaying(self, now: datetime) -> bool:
        """Return whether a ranking of an earlier day stands and is left alone."""
        return self.replay_until is not None and self.replay_day is not None and now < self.replay_until

    def queue_day(self, now: datetime) -> date:
        """Return the day that the queue is for: today, or the earlier one that is being replayed."""
        return self.replay_day if self.is_replaying(now) and self.replay_day else self.today(now)

    def next_night(self, hour: int, now: datetime) -> datetime:
        """Return the next `hour` o'clock at the chain after `now`, in UTC; one that the clock skips comes later."""
        local = now.astimezone(self.zone)
        for ahead in (0, 1):
            day = date.fromordinal(local.date().toordinal() + ahead)
            due = datetime(day.year, day.month, day.day, hour, tzinfo=self.zone).astimezone(UTC)
            if due > now:
                return due
        raise AssertionError("tomorrow's hour lies ahead of now")


async def get_chain(tx: Transaction) -> Chain:
    """Return the transaction's chain; the currency of most purchases stands in for one that is not known yet."""
    return await tx.remembered("chain", lambda: _read_chain(tx))


async def _read_chain(tx: Transaction) -> Chain:
    found = await tx.execute(
        "select chain_id, time_zone, currency_code, replay_day, replay_until from chains where chain_id = :chain_id",
        {"chain_id": tx.chain_id},
    )
    row = found.one_or_none()
    chain = _chain(row) if row is not None else Chain(tx.chain_id)
    if chain.currency:
        return chain
    usual = await tx.execute(
        "select currency_code from purchases where chain_id = :chain_id"
        " group by 1 order by count(*) desc, 1 limit 1",
        {"chain_id": tx.chain_id},
    )
    return Chain(chain.chain_id, chain.time_zone, usual.scalar() or "", chain.replay_day, chain.replay_until)


def _chain(row: Row[Any]) -> Chain:
    return Chain(row.chain_id, row.time_zone, row.currency_code, row.replay_day, row.replay_until)


async def put_chain(tx: Transaction, *, time_zone: str, currency: str, next_run_at: datetime) -> None:
    """Note a chain's zone and currency; its next night is set once."""
    await tx.execute(
        "insert into chains (chain_id, time_zone, currency_code, next_run_at)"
        " values (:chain_id, :time_zone, :currency, :next_run_at) on conflict (chain_id) do update"
        " set time_zone = excluded.time_zone, currency_code = excluded.currency_code,"
        " next_run_at = coalesce(chains.next_run_at, excluded.next_run_at)",
        {"chain_id": tx.chain_id, "time_zone": time_zone, "currency": currency, "next_run_at": next_run_at},
    )


async def take_lease(tx: Transaction, *, token: str, now: datetime, until: datetime) -> bool:
    """Reserve the chain for one ranking; False while another one holds it. A crashed one lets go at its `until`."""
    await tx.execute(
        "insert into chains (chain_id) values (:chain_id) on conflict do nothing", {"chain_id": tx.chain_id}
    )
    taken = await tx.execute(
        "update chains set scoring_token = :token, scoring_until = :until"
        " where chain_id = :chain_id and (scoring_until is null or scoring_until <= :now)",
        {"chain_id": tx.chain_id, "token": token, "now": now, "until": until},
    )
    return bool(taken.rowcount)


async def renew_lease(tx: Transaction, *, token: str, until: datetime) -> bool:
    """Keep the chain for longer; False when it was given to somebody else, whether or not our time had run out."""
    renewed = await tx.execute(
        "update chains set scoring_until = :until where chain_id = :chain_id and scoring_token = :token",
        {"chain_id": tx.chain_id, "token": token, "until": until},
    )
    return bool(renewed.rowcount)


async def holds_lease(tx: Transaction, *, token: str) -> bool:
    """Return whether the chain was given to nobody else since it was ours."""
    held = await tx.execute(
        "select 1 from chains where chain_id = :chain_id and scoring_token = :token",
        {"chain_id": tx.chain_id, "token": token},
    )
    return held.one_or_none() is not None


async def release_lease(tx: Transaction, *, token: str) -> bool:
    """Give the chain back; False when it was not ours any more. The row stays locked until the commit."""
    released = await tx.execute(
        "update chains set scoring_token = '', scoring_until = null"
        " where chain_id = :chain_id and scoring_token = :token",
        {"chain_id": tx.chain_id, "token": token},
    )
    return bool(released.rowcount)


async def set_replay(tx: Transaction, *, day: date | None, until: datetime | None) -> None:
    """Note that the queue is for an earlier day until then, or for today again."""
    await tx.execute(
        "update chains set replay_day = :day, replay_until = :until where chain_id = :chain_id",
        {"chain_id": tx.chain_id, "day": day, "until": until},
    )


async def request_scoring(tx: Transaction, *, reason: str, now: datetime) -> None:
    """Ask for a ranking of the chain in the background; one request a chain, the latest counts."""
    await tx.execute(
        "insert into scoring_requests (chain_id, requested_at, due_at, reason) values (:chain_id, :now, :now, :reason)"
        " on conflict (chain_id) do update set requested_at = excluded.requested_at, due_at = excluded.due_at,"
        " reason = excluded.reason",
        {"chain_id": tx.chain_id, "now": now, "reason": reason},
    )


async def clear_request(tx: Transaction, *, asked_by: datetime) -> None:
    """Forget the chain's request when it is not younger than `asked_by`: a ranking that began later has answered it."""
    await tx.execute(
        "delete from scoring_requests where chain_id = :chain_id and requested_at <= :asked_by",
        {"chain_id": tx.chain_id, "asked_by": asked_by},
    )


async def take_request(platform: AsyncConnection, *, now: datetime, again_at: datetime) -> str | None:
    """Return a chain that waits to be ranked, and is not replaying; it comes again at `again_at` unless cleared."""
    found = await platform.execute(
        text(
            "update scoring_requests set due_at = :again_at where chain_id = ("
            " select r.chain_id from scoring_requests r left join chains c using (chain_id)"
            " where r.due_at <= :now and (c.replay_until is null or c.replay_until <= :now)"
            " order by r.due_at, r.chain_id limit 1 for update of r skip locked) returning chain_id"
        ),
        {"now": now, "again_at": again_at},
    )
    chain_id: str | None = found.scalar()
    return chain_id


async def take_night(platform: AsyncConnection, *, hour: int, now: datetime) -> str | None:
    """Turn one chain whose night has come into a scoring request, and return it."""
    found = await platform.execute(
        text(
            "select chain_id, time_zone, currency_code, replay_day, replay_until from chains"
            " where next_run_at <= :now order by next_run_at, chain_id limit 1 for update skip locked"
        ),
        {"now": now},
    )
    row = found.one_or_none()
    if row is None:
        return None
    chain = _chain(row)
    await platform.execute(
        text("update chains set next_run_at = :next where chain_id = :chain_id"),
        {"chain_id": chain.chain_id, "next": chain.next_night(hour, now)},
    )
    await platform.execute(
        text(
            "insert into scoring_requests (chain_id, requested_at, due_at, reason)"
            " values (:chain_id, :now, :now, 'night')"
            " on conflict (chain_id) do update set requested_at = excluded.requested_at"
        ),
        {"chain_id": chain.chain_id, "now": now},
    )
    return chain.chain_id


async def put_associate(tx: Transaction, associate_id: str, store_id: str) -> None:
    """Note which store an associate belongs to."""
    await tx.execute(
        "insert into associates (chain_id, associate_id, store_id) values (:chain_id, :associate_id, :store_id)"
        " on conflict (chain_id, associate_id) do nothing",
        {"chain_id": tx.chain_id, "associate_id": associate_id, "store_id": store_id},
    )


async def put_associate_state(
    tx: Transaction, associate_id: str, store_id: str, *, is_active: bool, version: int
) -> None:
    """Note that an associate left or came back; what is older than known stays out."""
    await tx.execute(
        "insert into associates as old (chain_id, associate_id, store_id, is_active, version)"
        " values (:chain_id, :associate_id, :store_id, :is_active, :version) on conflict (chain_id, associate_id)"
        " do update set store_id = excluded.store_id, is_active = excluded.is_active, version = excluded.version"
        " where old.version < excluded.version",
        {
            "chain_id": tx.chain_id,
            "associate_id": associate_id,
            "store_id": store_id,
            "is_active": is_active,
            "version": version,
        },
    )


async def find_associate(tx: Transaction, associate_id: str) -> tuple[str, bool] | None:
    """Return an associate's store and whether the associate is with the house; None for one who is not known."""
    found = await tx.execute(
        "select store_id, is_active from associates where chain_id = :chain_id and associate_id = :associate_id",
        {"chain_id": tx.chain_id, "associate_id": associate_id},
    )
    row = found.one_or_none()
    return None if row is None else (row.store_id, row.is_active)


async def store_of_associate(tx: Transaction, associate_id: str) -> str:
    """Return an associate's store, empty for one who is not known."""
    found = await tx.execute(
        "select store_id from associates where chain_id = :chain_id and associate_id = :associate_id",
        {"chain_id": tx.chain_id, "associate_id": associate_id},
    )
    return str(found.scalar() or "")
