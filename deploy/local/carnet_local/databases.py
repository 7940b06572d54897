"""One database and two roles per service; and the cloning by which each test module gets a fresh database.

Creates no table: that is the services' migrations, run as the owner.
"""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote, urlsplit, urlunsplit

import asyncpg

_IDENTIFIER = re.compile(r"[a-z][a-z0-9_]{0,62}")


@dataclass(frozen=True)
class ServiceDatabase:
    """The two ways into a service's database: the owner migrates, the runtime role serves."""

    owner_url: str
    runtime_url: str
    # Which database this is; another one at the same address has another identity.
    identity: str = ""


def database_url(url: str, database: str, *, role: str | None = None, password: str = "") -> str:
    """Point a postgresql:// URL at another database, and at another role when one is named."""
    parts = urlsplit(url)
    location = parts.netloc
    if role is not None:
        location = f"{quote(role)}:{quote(password, safe='')}@{location.rpartition('@')[2]}"
    return urlunsplit(parts._replace(netloc=location, path=f"/{database}"))


async def ensure_service_database(
    superuser_url: str,
    service: str,
    *,
    owner_password: str,
    runtime_password: str,
    database: str | None = None,
) -> ServiceDatabase:
    """Create a service's roles and database, or bring existing ones (and their passwords) to the same state.

    `database` defaults to the service's name. Safe to call again and from several processes at once.
    """
    name, owner, runtime = (_identifier(n) for n in (database or service, f"{service}_owner", service))
    async with _connected(superuser_url) as connection:
        # Roles are shared by all databases: two processes altering one at the same time fail.
        await connection.execute("SELECT pg_advisory_lock(hashtextextended('carnet ' || $1, 0))", service)
        for role, password in ((owner, owner_password), (runtime, runtime_password)):
            await _ensure_role(connection, role, password)
        if not await connection.fetchval("SELECT true FROM pg_database WHERE datname = $1", name):
            await connection.execute(f"CREATE DATABASE {name} OWNER {owner}")
        await connection.execute(f"REVOKE ALL ON DATABASE {name} FROM PUBLIC")
        await connection.execute(f"GRANT CONNECT, TEMPORARY ON DATABASE {name} TO {runtime}")
        identity = await connection.fetchval(
            "SELECT system_identifier || '/' || oid FROM pg_control_system(), pg_database WHERE datname = $1",
            name,
        )
        urls = ServiceDatabase(
            identity=identity,
            owner_url=database_url(superuser_url, name, role=owner, password=owner_password),
            runtime_url=database_url(superuser_url, name, role=runtime, password=runtime_password),
        )
        # As the owner, whose default privileges these are; inside the lock, which ends with the connection.
        async with _connected(urls.owner_url) as as_owner:
            for statement in (
                "REVOKE ALL ON SCHEMA public FROM PUBLIC",
                f"GRANT USAGE ON SCHEMA public TO {runtime}",
                f"ALTER DEFAULT PRIVILEGES GRANT SELECT, INSERT, UPDATE, DELETE ON TABLES TO {runtime}",
                f"ALTER DEFAULT PRIVILEGES GRANT USAGE, SELECT ON SEQUENCES TO {runtime}",
                f"ALTER DEFAULT PRIVILEGES GRANT EXECUTE ON FUNCTIONS TO {runtime}",
            ):
                await as_owner.execute(statement)
    return urls


async def clone_database(superuser_url: str, template: str, name: str) -> None:
    """Copy a database with its owner and its grants; nobody may be connected to the template meanwhile."""
    _identifier(template)
    _identifier(name)
    async with _connected(superuser_url) as connection:
        owner = await connection.fetchval(
            "SELECT pg_get_userbyid(datdba) FROM pg_database WHERE datname = $1", template
        )
        await connection.execute(f"CREATE DATABASE {name} TEMPLATE {template} OWNER {_identifier(owner)}")
        # Postgres copies everything except the rights on the database itself.
        await connection.execute(f"REVOKE ALL ON DATABASE {name} FROM PUBLIC")
        grantees = await connection.fetch(
            "SELECT grantee::regrole::text AS role FROM pg_database, aclexplode(datacl)"
            " WHERE datname = $1 AND privilege_type = 'CONNECT' AND grantee NOT IN (0, datdba)",
            template,
        )
        for grantee in grantees:
            await connection.execute(
                f"GRANT CONNECT, TEMPORARY ON DATABASE {name} TO {_identifier(grantee['role'])}"
            )


async def drop_database(superuser_url: str, name: str) -> None:
    """Remove a database, if it exists, with whoever is connected to it."""
    async with _connected(superuser_url) as connection:
        await connection.execute(f"DROP DATABASE IF EXISTS {_identifier(name)} WITH (FORCE)")


async def _ensure_role(connection: Any, role: str, password: str) -> None:
    exists = await connection.fetchval("SELECT true FROM pg_roles WHERE rolname = $1", role)
    secret = await connection.fetchval("SELECT quote_literal($1::text)", password)
    await connection.execute(
        f"{'ALTER' if exists else 'CREATE'} ROLE {role} LOGIN NOSUPERUSER NOBYPASSRLS NOCREATEDB NOCREATEROLE"
        f" PASSWORD {secret}"
    )


@asynccontextmanager
async def _connected(url: str) -> AsyncIterator[Any]:
    connection = await asyncpg.connect(url, timeout=10)
    try:
        yield connection
    finally:
        await connection.close()


def _identifier(name: str) -> str:
    """Let only names through that need no quoting; DDL takes no parameters."""
    if not _IDENTIFIER.fullmatch(name):
        raise ValueError(f"not a plain database or role name: {name!r}")
    return name
