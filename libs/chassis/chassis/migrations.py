"""Schema changes: plain SQL scripts in Alembic's order, and the tables that the chassis itself needs.

A service's `migrations/versions/` holds the scripts. Must not change data of a service by itself.
"""

import asyncio
from pathlib import Path

from alembic import command, op
from alembic.config import Config
from sqlalchemy.ext.asyncio import create_async_engine

_ENVIRONMENT = Path(__file__).parent / "alembic"


def configuration(versions: Path, owner_url: str) -> Config:
    """Return Alembic's configuration for one service's folder of versions."""
    config = Config()
    config.set_main_option("script_location", str(_ENVIRONMENT))
    config.set_main_option("version_locations", str(versions))
    config.set_main_option("path_separator", "newline")
    config.attributes["owner_url"] = owner_url
    return config


async def upgrade(versions: Path, owner_url: str) -> None:
    """Bring the database behind `owner_url` to the newest version; harmless when it is there."""
    engine = create_async_engine(owner_url.replace("postgresql://", "postgresql+asyncpg://", 1))
    config = configuration(versions, owner_url)
    try:
        async with engine.begin() as connection:

            def run(sync: object) -> None:
                config.attributes["connection"] = sync
                command.upgrade(config, "head")

            await connection.run_sync(run)
    finally:
        await engine.dispose()


def run_upgrade(versions: Path, owner_url: str) -> None:
    """Do the same from synchronous code."""
    asyncio.run(upgrade(versions, owner_url))


def run_sql(script: str) -> None:
    """Run a script of several statements inside the migration's transaction."""
    connection = op.get_bind().connection.dbapi_connection
    connection.run_async(lambda driver: driver.execute(script))  # type: ignore[union-attr]


def secure(*tables: str, platform: bool = False) -> None:
    """Bind each table's rows to the chain of the transaction, for its owner as well.

    `platform=True` opens the table to platform transactions too: for directories that must be read before a chain is
    known, and for nothing else.
    """
    bound = "chain_id = current_setting('carnet.chain_id', true)"
    if platform:
        bound = f"({bound} or current_setting('carnet.platform', true) = 'on')"
    for table in tables:
        run_sql(
            f"""
            alter table {table} enable row level security;
            alter table {table} force row level security;
            create policy one_chain on {table} using ({bound}) with check ({bound});
            """
        )


def append_only(*tables: str, role: str) -> None:
    """Take the right to change or delete rows of each table away from the service's role."""
    for table in tables:
        run_sql(f"revoke update, delete, truncate on {table} from {role};")


def create_mechanism_tables() -> None:
    """Create outbox, inbox, dead letters and the memory of request ids; the first step of a service's first version."""
    run_sql(
        """
        create table outbox (
            position bigint generated always as identity primary key,
            chain_id text not null,
            event_id text not null unique,
            event_type text not null,
            headers jsonb not null,
            body bytea not null,
            created_at timestamptz not null,
            published_at timestamptz
        );
        create index outbox_waiting on outbox (position) where published_at is null;
        create index outbox_published on outbox (published_at) where published_at is not null;
        create table inbox (
            chain_id text not null,
            consumer text not null,
            event_id text not null,
            received_at timestamptz not null,
            primary key (consumer, event_id)
        );
        create index inbox_received on inbox (received_at);
        create table dead_letters (
            dead_letter_id text primary key,
            chain_id text not null,
            consumer text not null,
            event_id text not null,
            event_type text not null,
            headers jsonb not null,
            body bytea not null,
            reason text not null,
            failed_at timestamptz not null,
            replayed_at timestamptz
        );
        create table requests (
            chain_id text not null,
            request_id text not null,
            fingerprint text not null,
            result_id text not null,
            created_at timestamptz not null,
            primary key (chain_id, request_id)
        );
        create index requests_created on requests (created_at);
        """
    )
    secure("outbox", "inbox", "dead_letters", "requests", platform=True)


def create_identity_tables() -> None:
    """Create what `identities` needs: merges as they were said, where ids lead, and who was forgotten."""
    run_sql(
        """
        create table identity_merges (
            chain_id text not null,
            merge_id text not null,
            kept_id text not null,
            merged_id text not null,
            is_undone boolean not null,
            primary key (chain_id, merge_id)
        );
        create index identity_merges_of_kept on identity_merges (chain_id, kept_id);
        create index identity_merges_of_merged on identity_merges (chain_id, merged_id);
        create table identity_aliases (
            chain_id text not null,
            alias_id text not null,
            current_id text not null,
            primary key (chain_id, alias_id)
        );
        create index identity_aliases_of_current on identity_aliases (chain_id, current_id);
        create table forgotten_identities (
            chain_id text not null,
            identity_id text not null,
            cause_id text not null,
            primary key (chain_id, identity_id)
        );
        create table forgetting_receipts (
            chain_id text not null,
            cause_id text not null,
            receipt bytea not null,
            primary key (chain_id, cause_id)
        );
        """
    )
    secure("identity_merges", "identity_aliases", "forgotten_identities", "forgetting_receipts")
