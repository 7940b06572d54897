"""Who was known before facts were counted into rows is counted after the migration, with the last contacts."""

import shutil

from outreach_story import days_ago

from chassis.clock import FixedClock
from chassis.migrations import upgrade
from chassis.testing import NOON, opened
from outreach.bootstrap import VERSIONS
from outreach.use_cases.counting import count_waiting


async def test_who_was_known_before_is_counted_with_associate_and_last_contacts(make_database, tmp_path):
    for version in ("0001", "0002"):
        (file,) = VERSIONS.glob(f"{version}_*.py")
        shutil.copy(file, tmp_path)
    made = await make_database("outreach", tmp_path)
    clock = FixedClock(NOON)
    async with opened(made.runtime_url, source="outreach", clock=clock) as database:
        async with database.transaction("chn_1") as tx:
            driver = await tx.driver()
            await driver.execute(
                "insert into clients (chain_id, client_id, associate_id, store_id, touched_at, last_sent_at,"
                " last_received_at) values ('chn_1', 'cli_1', 'asc_1', 'sto_1', $1, $1, null),"
                " ('chn_1', 'cli_2', '', '', $1, null, $1)",
                NOON,
            )
            await driver.execute(
                "insert into purchases (chain_id, purchase_id, client_id, purchase_day, total_minor, currency_code)"
                " values ('chn_1', 'pur_1', 'cli_1', $1, 700, 'USD')",
                days_ago(3),
            )
        await upgrade(VERSIONS, made.owner_url)
        assert await count_waiting(database=database, clock=clock, chain_id="chn_1") == 2
        async with database.transaction("chn_1") as tx:
            driver = await tx.driver()
            rows = await driver.fetch(
                "select client_id, coalesce(a.name, '') as associate, coalesce(s.name, '') as store, total_minor,"
                " touched > 0 as is_touched, last_answer > 0 as has_answered from client_facts f"
                " left join numbered_names a on a.number = f.associate"
                " left join numbered_names s on s.number = f.store order by client_id"
            )
    assert [tuple(row) for row in rows] == [
        ("cli_1", "asc_1", "sto_1", 700, True, False),
        ("cli_2", "", "", 0, False, True),
    ]
