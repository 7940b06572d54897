"""Several lists as one: every row once, in pages of any size, every value readable."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from chassis.clock import FixedClock
from chassis.database import Database
from chassis.errors import ServiceError
from chassis.sections import Section, read_sections
from chassis.testing import NOON, MakeDatabase, opened

VERSIONS = Path(__file__).parent / "versions"
SECTIONS = [
    Section(
        "belongings",
        "select belonging_id as record_key, belonging_id, price_minor, currency, got_at, original_owner_id"
        " from belongings where owner_id = any(:ids)",
    ),
    Section("nothings", "select 'x' as record_key where false"),
    Section(
        "owners",
        "select distinct owner_id as record_key, owner_id from belongings where owner_id = any(:ids)",
    ),
]


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def database(make_database: MakeDatabase) -> AsyncIterator[Database]:
    made = await make_database("waitlist", VERSIONS)
    async with opened(made.runtime_url, source="waitlist", clock=FixedClock(NOON)) as database:
        async with database.transaction("chn_one") as tx:
            for number, currency in enumerate(("USD", "JPY", "USD"), start=1):
                await tx.execute(
                    "insert into belongings (belonging_id, chain_id, owner_id, price_minor, currency, got_at)"
                    " values (:id, 'chn_one', :owner, :price, :currency, :now)",
                    {
                        "id": f"thing_{number}",
                        "owner": "ana" if number < 3 else "ben",
                        "price": 1250 * number,
                        "currency": currency,
                        "now": NOON,
                    },
                )
        yield database


async def read(
    database: Database, size: int, chain_id: str = "chn_one"
) -> list[tuple[str, dict[str, object]]]:
    told, token = [], ""
    while True:
        async with database.transaction(chain_id) as tx:
            page, token = await read_sections(
                tx, SECTIONS, {"ids": ["ana", "ben"]}, page_size=size, page_token=token
            )
        assert len(page) <= (size or 500)
        told += page
        if not token:
            return told


async def test_every_row_comes_once_whatever_the_size_of_a_page(database: Database) -> None:
    whole = await read(database, 0)
    assert [name for name, _ in whole] == ["belongings"] * 3 + ["owners"] * 2
    assert [await read(database, size) for size in (1, 2, 3, 4, 5)] == [whole] * 5


async def test_amounts_and_times_are_readable_and_nothing_is_left_out_in_silence(database: Database) -> None:
    (_, first), (_, second), *_ = await read(database, 0)
    assert first == {
        "belonging_id": "thing_1",
        "price": "12.50 USD",
        "currency": "USD",
        "got_at": "2026-03-10T16:00:00Z",
    }
    assert second["price"] == "2500 JPY"


async def test_another_chain_has_nothing(database: Database) -> None:
    assert await read(database, 0, chain_id="chn_two") == []


@pytest.mark.parametrize("token", ["made up", "WyJub25lIiwiIl0"])
async def test_a_made_up_token_is_refused(database: Database, token: str) -> None:
    with pytest.raises(ServiceError, match="page_token"):
        async with database.transaction("chn_one") as tx:
            await read_sections(tx, SECTIONS, {"ids": []}, page_size=1, page_token=token)
