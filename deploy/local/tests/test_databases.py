"""A service's two roles can do what they are for, and nothing else."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from itertools import count

import asyncpg
import pytest
import pytest_asyncio

from carnet_local.databases import (
    ServiceDatabase,
    clone_database,
    database_url,
    drop_database,
    ensure_service_database,
)
from carnet_local.servers import Servers

_numbers = count()
# Needs quoting both in a URL and in SQL.
PASSWORD = "it's @ 100%/?"


async def ensure(servers: Servers, service: str, database: str) -> ServiceDatabase:
    return await ensure_service_database(
        servers.postgres_url, service, owner_password=PASSWORD, runtime_password=PASSWORD, database=database
    )


async def execute(url: str, *statements: str) -> None:
    connection = await asyncpg.connect(url)
    try:
        for statement in statements:
            await connection.execute(statement)
    finally:
        await connection.close()


async def value(url: str, query: str) -> object:
    connection = await asyncpg.connect(url)
    try:
        return await connection.fetchval(query)
    finally:
        await connection.close()


@pytest_asyncio.fixture
async def name(servers: Servers) -> AsyncIterator[str]:
    chosen = f"profiles_test_{next(_numbers)}"
    yield chosen
    await drop_database(servers.postgres_url, chosen)


@pytest_asyncio.fixture
async def database(servers: Servers, name: str) -> ServiceDatabase:
    return await ensure(servers, "profiles", name)


async def test_the_runtime_role_uses_what_the_owner_creates(database: ServiceDatabase) -> None:
    await execute(
        database.owner_url,
        "CREATE TABLE clients (id bigserial PRIMARY KEY, name text)",
        "CREATE FUNCTION twice(n int) RETURNS int LANGUAGE sql AS 'SELECT 2 * n'",
    )
    await execute(
        database.runtime_url,
        "INSERT INTO clients (name) VALUES ('Ada')",
        "UPDATE clients SET name = 'Ada L.'",
        "DELETE FROM clients WHERE id > 1",
        "SELECT currval('clients_id_seq') FROM clients WHERE false",
    )
    assert await value(database.runtime_url, "SELECT twice(21)") == 42


async def test_the_runtime_role_cannot_create_or_change_tables(database: ServiceDatabase) -> None:
    await execute(database.owner_url, "CREATE TABLE clients (id int)")
    for statement in (
        "CREATE TABLE mine (id int)",
        "DROP TABLE clients",
        "TRUNCATE clients",
        "ALTER TABLE clients DISABLE ROW LEVEL SECURITY",
        "CREATE SCHEMA mine",
        "SET ROLE profiles_owner",
    ):
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await execute(database.runtime_url, statement)


async def test_the_runtime_role_cannot_pass_row_level_security(database: ServiceDatabase) -> None:
    await execute(
        database.owner_url,
        "CREATE TABLE clients (chain_id text)",
        "INSERT INTO clients VALUES ('chn_1'), ('chn_2')",
        "ALTER TABLE clients ENABLE ROW LEVEL SECURITY",
        "CREATE POLICY one_chain ON clients USING (chain_id = current_setting('carnet.chain_id', true))",
    )
    assert await value(database.runtime_url, "SELECT count(*) FROM clients") == 0
    with pytest.raises(asyncpg.InsufficientPrivilegeError):
        await execute(database.runtime_url, "SET row_security = off", "SELECT * FROM clients")


async def test_a_service_cannot_connect_to_anothers_database(
    servers: Servers, database: ServiceDatabase
) -> None:
    other = await ensure(servers, "outreach", "outreach_test")
    for mine, theirs in ((database, other), (other, database)):
        place = theirs.runtime_url.rpartition("/")[2]
        for url in (mine.runtime_url, mine.owner_url):
            with pytest.raises(asyncpg.InsufficientPrivilegeError):
                await execute(database_url(url, place), "SELECT 1")
    await drop_database(servers.postgres_url, "outreach_test")


async def test_the_owner_installs_the_extensions_that_services_use(database: ServiceDatabase) -> None:
    await execute(
        database.owner_url,
        *(f"CREATE EXTENSION {name}" for name in ("btree_gist", "pg_trgm", "citext", "unaccent")),
    )
    assert await value(database.runtime_url, "SELECT similarity('Müller', 'Muller') > 0")
    # Case rules outside ASCII: the cluster's locale is not plain C.
    assert await value(database.runtime_url, "SELECT lower('ÉLODIE')") == "élodie"


async def test_ensuring_again_changes_the_password_and_keeps_the_data(
    servers: Servers, database: ServiceDatabase, name: str
) -> None:
    await execute(database.owner_url, "CREATE TABLE kept (id int)")
    again = await ensure_service_database(
        servers.postgres_url, "profiles", owner_password="o2", runtime_password="r2", database=name
    )
    assert await value(again.runtime_url, "SELECT count(*) FROM kept") == 0
    with pytest.raises(asyncpg.InvalidPasswordError):
        await execute(database.runtime_url, "SELECT 1")


async def test_many_at_once_do_not_disturb_one_another(servers: Servers) -> None:
    names = [f"waitlist_test_{n}" for n in range(8)]
    await asyncio.gather(*(ensure(servers, "waitlist", name) for name in names))
    for name in names:
        await drop_database(servers.postgres_url, name)


async def test_a_clone_has_the_templates_tables_and_rights(
    servers: Servers, database: ServiceDatabase, name: str
) -> None:
    await execute(database.owner_url, "CREATE TABLE clients (id int)")
    copy = f"{name}_copy"
    await clone_database(servers.postgres_url, name, copy)
    runtime_url = database_url(database.runtime_url, copy)
    await execute(runtime_url, "INSERT INTO clients VALUES (1)")
    await execute(database_url(database.owner_url, copy), "CREATE TABLE later (id int)")
    assert await value(runtime_url, "SELECT count(*) FROM later") == 0
    assert await value(database.runtime_url, "SELECT count(*) FROM clients") == 0
    other = await ensure(servers, "outreach", f"{name}_other")
    with pytest.raises(asyncpg.InsufficientPrivilegeError):
        await execute(database_url(other.runtime_url, copy), "SELECT 1")
    await drop_database(servers.postgres_url, copy)
    await drop_database(servers.postgres_url, f"{name}_other")


async def test_a_name_that_needs_quoting_is_refused(servers: Servers) -> None:
    with pytest.raises(ValueError, match="not a plain"):
        await drop_database(servers.postgres_url, 'x"; DROP ROLE profiles')
