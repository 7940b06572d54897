"""Rows of connectors, their runs, and the pieces of the other systems' catalogues."""

import json
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Row
from sqlalchemy.ext.asyncio import AsyncConnection
from sqlalchemy.sql import text

from chassis.database import Transaction
from chassis.errors import not_found
from profiles.domain.connectors import (
    Connector,
    ConnectorNameTaken,
    ConnectorRun,
    ConnectorState,
    Item,
    RunState,
    Tally,
)

_COLUMNS = (
    "connector_id, display_name, source, tenant_id, environment, client_id, encrypted_secret, company_id, store_id,"
    " interval_minutes, state, delta_times, next_run_at, last_failure, created_at"
)
_RUN = (
    "connector_run_id, connector_id, state, records_read, clients_created, purchases_created, records_refused,"
    " waits, failure, created_at, finished_at"
)


async def add_connector(tx: Transaction, connector: Connector) -> None:
    """Insert a connector. Raises ConnectorNameTaken."""
    added = await tx.execute(
        f"insert into connectors (chain_id, {_COLUMNS}) values (:chain_id, :connector_id, :display_name, :source,"  # noqa: S608
        " :tenant_id, :environment, :client_id, :encrypted_secret, :company_id, :store_id, :interval_minutes, :state,"
        " cast(:delta_times as jsonb), :next_run_at, :last_failure, :created_at) on conflict do nothing",
        _values(tx, connector),
    )
    if not added.rowcount:
        raise ConnectorNameTaken


async def save_connector(tx: Transaction, connector: Connector) -> None:
    """Write a locked connector. Raises ConnectorNameTaken."""
    taken = await tx.execute(
        "select 1 from connectors where chain_id = :chain_id and lower(display_name) = lower(:display_name)"
        " and connector_id <> :connector_id",
        {
            "chain_id": tx.chain_id,
            "display_name": connector.display_name,
            "connector_id": connector.connector_id,
        },
    )
    if taken.one_or_none() is not None:
        raise ConnectorNameTaken
    await tx.execute(
        "update connectors set display_name = :display_name, encrypted_secret = :encrypted_secret,"
        " company_id = :company_id, store_id = :store_id, interval_minutes = :interval_minutes, state = :state,"
        " delta_times = cast(:delta_times as jsonb), next_run_at = :next_run_at, last_failure = :last_failure"
        " where chain_id = :chain_id and connector_id = :connector_id",
        _values(tx, connector),
    )


async def get_connector(tx: Transaction, connector_id: str, *, lock: bool = False) -> Connector:
    """Return a connector, locked until the transaction ends when asked for. Raises CONNECTOR_NOT_FOUND."""
    found = await tx.execute(
        f"select {_COLUMNS} from connectors where connector_id = :connector_id{' for update' if lock else ''}",  # noqa: S608
        {"connector_id": connector_id},
    )
    if (row := found.one_or_none()) is None:
        raise not_found("connector", connector_id)
    return _connector(row)


async def list_connectors(tx: Transaction, *, after: tuple[str, str] | None, limit: int) -> list[Connector]:
    """Return connectors by name."""
    condition = " and (display_name, connector_id) > (:name, :id)" if after else ""
    found = await tx.execute(
        f"select {_COLUMNS} from connectors where chain_id = :chain_id{condition}"  # noqa: S608
        " order by display_name, connector_id limit :limit",
        {"chain_id": tx.chain_id, "limit": limit} | ({"name": after[0], "id": after[1]} if after else {}),
    )
    return [_connector(row) for row in found]


async def delete_connector(tx: Transaction, connector_id: str) -> None:
    """Remove a connector with its runs. Raises CONNECTOR_NOT_FOUND."""
    removed = await tx.execute(
        "delete from connectors where connector_id = :connector_id", {"connector_id": connector_id}
    )
    if not removed.rowcount:
        raise not_found("connector", connector_id)


async def add_run(tx: Transaction, run: ConnectorRun) -> str:
    """Insert a run that anybody may take, and return its id; the one under way when there is one."""
    added = await tx.execute(
        "insert into connector_runs (chain_id, connector_run_id, connector_id, state, leased_until, created_at)"
        " values (:chain_id, :connector_run_id, :connector_id, :state, :now, :now)"
        " on conflict (chain_id, connector_id) where state = 'running' do nothing",
        {
            "chain_id": tx.chain_id,
            "connector_run_id": run.connector_run_id,
            "connector_id": run.connector_id,
            "state": run.state.value,
            "now": run.created_at,
        },
    )
    return run.connector_run_id if added.rowcount else await latest_run(tx, run.connector_id)


async def latest_run(tx: Transaction, connector_id: str) -> str:
    """Return the id of the run under way, else of the last one. Raises CONNECTOR_RUN_NOT_FOUND."""
    found = await tx.execute(
        "select connector_run_id from connector_runs where chain_id = :chain_id and connector_id = :connector_id"
        " order by state = 'running' desc, connector_run_id desc limit 1",
        {"chain_id": tx.chain_id, "connector_id": connector_id},
    )
    if (run_id := found.scalar_one_or_none()) is None:
        raise not_found("connector_run", connector_id)
    return str(run_id)


async def find_run(tx: Transaction, connector_run_id: str) -> ConnectorRun | None:
    """Return a run, or None."""
    found = await tx.execute(
        f"select {_RUN} from connector_runs where connector_run_id = :connector_run_id",  # noqa: S608
        {"connector_run_id": connector_run_id},
    )
    row = found.one_or_none()
    return None if row is None else _run(row)


async def get_run(tx: Transaction, connector_run_id: str) -> ConnectorRun:
    """Return a run. Raises CONNECTOR_RUN_NOT_FOUND."""
    if (run := await find_run(tx, connector_run_id)) is None:
        raise not_found("connector_run", connector_run_id)
    return run


async def list_runs(tx: Transaction, connector_id: str, *, before: str, limit: int) -> list[ConnectorRun]:
    """Return a connector's runs, newest first."""
    found = await tx.execute(
        f"select {_RUN} from connector_runs where chain_id = :chain_id and connector_id = :connector_id"  # noqa: S608
        " and (:before = '' or connector_run_id < :before) order by connector_run_id desc limit :limit",
        {"chain_id": tx.chain_id, "connector_id": connector_id, "before": before, "limit": limit},
    )
    return [_run(row) for row in found]


async def due(connection: AsyncConnection, *, now: datetime) -> list[tuple[str, str]]:
    """Return chain and id of the connectors whose time has come and that do not run."""
    found = await connection.execute(
        text(
            "select chain_id, connector_id from connectors c where state = 'active' and company_id <> ''"
            " and next_run_at <= :now and not exists (select from connector_runs r where r.chain_id = c.chain_id"
            " and r.connector_id = c.connector_id and r.state = 'running') order by next_run_at limit 100"
        ),
        {"now": now},
    )
    return [(row.chain_id, row.connector_id) for row in found]


async def take_run(
    connection: AsyncConnection, *, now: datetime, until: datetime
) -> tuple[str, ConnectorRun] | None:
    """Take one run that nobody works on, until a moment, and return it with its chain."""
    found = await connection.execute(
        text(
            "update connector_runs set leased_until = :until where (chain_id, connector_run_id) in ("  # noqa: S608
            " select chain_id, connector_run_id from connector_runs where state = 'running' and leased_until <= :now"
            f" order by leased_until limit 1 for update skip locked) returning chain_id, {_RUN}"
        ),
        {"now": now, "until": until},
    )
    if (row := found.one_or_none()) is None:
        return None
    return str(row.chain_id), _run(row)


async def keep_run(tx: Transaction, connector_run_id: str, tally: Tally, *, until: datetime) -> None:
    """Write how far a run is, and hold it for longer."""
    await _write_run(tx, connector_run_id, tally, RunState.RUNNING, "", leased_until=until, finished_at=None)


async def finish_run(
    tx: Transaction, connector_run_id: str, tally: Tally, state: RunState, failure: str, *, now: datetime
) -> None:
    """Write the end of a run."""
    await _write_run(tx, connector_run_id, tally, state, failure, leased_until=now, finished_at=now)


async def _write_run(
    tx: Transaction,
    connector_run_id: str,
    tally: Tally,
    state: RunState,
    failure: str,
    *,
    leased_until: datetime,
    finished_at: datetime | None,
) -> None:
    await tx.execute(
        "update connector_runs set records_read = :records_read, clients_created = :clients_created,"
        " purchases_created = :purchases_created, records_refused = :records_refused, waits = :waits,"
        " state = :state, failure = :failure, leased_until = :leased_until, finished_at = :finished_at"
        " where connector_run_id = :connector_run_id",
        {
            "connector_run_id": connector_run_id,
            "records_read": tally.records_read,
            "clients_created": tally.clients_created,
            "purchases_created": tally.purchases_created,
            "records_refused": tally.records_refused,
            "waits": tally.waits,
            "state": state.value,
            "failure": failure,
            "leased_until": leased_until,
            "finished_at": finished_at,
        },
    )


async def save_items(tx: Transaction, connector_id: str, items: Sequence[Item]) -> None:
    """Write pieces of the other system's catalogue, new ones and those known."""
    if not items:
        return
    newest = {item.item_id: item for item in items}.values()
    await tx.execute(
        "insert into connector_items (chain_id, connector_id, item_id, number, display_name, category)"
        " select :chain_id, :connector_id, i.* from unnest(cast(:ids as text[]), cast(:numbers as text[]),"
        " cast(:names as text[]), cast(:categories as text[])) i on conflict (chain_id, connector_id, item_id)"
        " do update set number = excluded.number, display_name = excluded.display_name, category = excluded.category",
        {
            "chain_id": tx.chain_id,
            "connector_id": connector_id,
            "ids": [item.item_id for item in newest],
            "numbers": [item.number for item in newest],
            "names": [item.display_name for item in newest],
            "categories": [item.category for item in newest],
        },
    )


async def get_items(tx: Transaction, connector_id: str, item_ids: Sequence[str]) -> dict[str, Item]:
    """Return pieces of the other system's catalogue by id; unknown ones are left out."""
    found = await tx.execute(
        "select item_id, number, display_name, category from connector_items where chain_id = :chain_id"
        " and connector_id = :connector_id and item_id = any(:ids)",
        {"chain_id": tx.chain_id, "connector_id": connector_id, "ids": list(item_ids)},
    )
    return {row.item_id: Item(**row._mapping) for row in found}


def _values(tx: Transaction, connector: Connector) -> dict[str, Any]:
    return {
        "chain_id": tx.chain_id,
        "connector_id": connector.connector_id,
        "display_name": connector.display_name,
        "source": connector.source,
        "tenant_id": connector.tenant_id,
        "environment": connector.environment,
        "client_id": connector.client_id,
        "encrypted_secret": connector.encrypted_secret,
        "company_id": connector.company_id,
        "store_id": connector.store_id,
        "interval_minutes": connector.interval_minutes,
        "state": connector.state.value,
        "delta_times": json.dumps({name: time.isoformat() for name, time in connector.delta_times.items()}),
        "next_run_at": connector.next_run_at,
        "last_failure": connector.last_failure,
        "created_at": connector.created_at,
    }


def _connector(row: Row[Any]) -> Connector:
    kept: Mapping[str, str] = (
        row.delta_times if isinstance(row.delta_times, dict) else json.loads(row.delta_times)
    )
    return Connector(
        **(
            dict(row._mapping)
            | {
                "state": ConnectorState(row.state),
                "encrypted_secret": bytes(row.encrypted_secret),
                "delta_times": {name: datetime.fromisoformat(time) for name, time in kept.items()},
            }
        )
    )


def _run(row: Row[Any]) -> ConnectorRun:
    return ConnectorRun(
        row.connector_run_id,
        row.connector_id,
        RunState(row.state),
        Tally(row.records_read, row.clients_created, row.purchases_created, row.records_refused, row.waits),
        row.failure,
        row.created_at,
        row.finished_at,
    )
