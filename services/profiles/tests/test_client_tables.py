"""What is declared of the tables that hold something of a client, against the database that the migrations make."""

from typing import Any

import pytest
from sqlalchemy import text

from profiles.client_tables import CLIENT_TABLES, TABLES_OF_NOBODY, ClientTable, Fate, table_named

by_table = pytest.mark.parametrize("table", CLIENT_TABLES, ids=lambda table: table.name)


async def columns_of(house: Any) -> dict[str, set[str]]:
    """Return the columns of every table."""
    async with house.database.platform_transaction() as connection:
        rows = await connection.execute(
            text(
                "select c.table_name, c.column_name from information_schema.columns c"
                " join information_schema.tables t using (table_schema, table_name)"
                " where c.table_schema = 'public' and t.table_type = 'BASE TABLE'"
            )
        )
        found: dict[str, set[str]] = {}
        for table, column in rows:
            found.setdefault(table, set()).add(column)
        return found


async def test_every_table_is_a_clients_or_nobodys_and_is_declared_once(house: Any) -> None:
    declared = [table.name for table in CLIENT_TABLES] + list(TABLES_OF_NOBODY)
    assert len(declared) == len(set(declared))
    # What the runtime role may not see at all is missing here; only Alembic's own table is.
    missing = set(await columns_of(house)) - set(declared)
    assert not missing, f"declare them in profiles/client_tables.py: {sorted(missing)}"
    assert not set(declared) - set(await columns_of(house)) - {"alembic_version"}


async def test_every_column_with_clients_ids_is_declared(house: Any) -> None:
    columns = await columns_of(house)
    for name, of_table in columns.items():
        holding = {column for column in of_table if column.endswith(("client_id", "client_ids"))}
        if name in TABLES_OF_NOBODY:
            others = {"last_client_id", "done_client_id"}  # how far a batch is
            # OAuth 2 calls an application a client; the others hold ids in passing.
            if name in ("connectors", "match_queue", "search_queue"):
                others |= {"client_id"}
            assert not holding - others, name
            continue
        table = table_named(name)
        assert holding == {table.owner, *table.mentions, *table.mention_lists} - {""}, name


@by_table
async def test_every_declared_column_is_there(house: Any, table: ClientTable) -> None:
    columns = (await columns_of(house))[table.name]
    assert {*table.key, *table.internal, *table.emptied, *table.hidden_words} <= columns
    if table.parent:
        assert table_named(table.parent).key[0] in columns


@by_table
def test_a_table_is_exported_or_says_why_not_and_what_stays_says_why(table: ClientTable) -> None:
    assert bool(table.section) != bool(table.why_not_exported)
    assert bool(table.basis) == (table.fate is not Fate.GONE or bool(table.stays_while))
    assert not (table.stays_while and table.fate is not Fate.GONE)
    assert bool(table.owner) != bool(table.parent)


@by_table
async def test_what_goes_with_its_parent_hangs_on_it_by_a_foreign_key(house: Any, table: ClientTable) -> None:
    if not (table.parent and table.fate is Fate.GONE):
        return
    async with house.database.platform_transaction() as connection:
        found = await connection.execute(
            text(
                "select count(*) from pg_constraint where contype = 'f' and confdeltype = 'c'"
                " and conrelid = cast(:table as regclass) and confrelid = cast(:parent as regclass)"
            ),
            {"table": table.name, "parent": table.parent},
        )
        assert found.scalar_one() == 1
