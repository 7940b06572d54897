"""What was read, and what was written, before both were kept as they are now."""

from collections.abc import Mapping
from typing import Any

from alembic import command
from sqlalchemy import text
from sqlalchemy.ext.asyncio import create_async_engine

from carnet_local.databases import drop_database, ensure_service_database
from chassis.clock import SystemClock
from chassis.ids import new_id
from chassis.migrations import configuration, upgrade
from chassis.testing import ServersUnderTest, opened
from messaging.bootstrap import VERSIONS
from messaging.store import conversations, message_words

CONVERSATION = (
    "insert into conversations (conversation_id, chain_id, store_id, sender_id, client_phone, unread_count,"
    " last_message_time, created_at) values (:id, 'chn_one', 'sto_1', 'snd_1', :phone, :unread, now(), now())"
)
MESSAGE = (
    "insert into messages (message_id, chain_id, conversation_id, store_id, client_id, direction, body, state,"
    " segments, client_zone, error_code, author, attempts, provider_message_id, created_at, updated_at)"
    " values (:id, 'chn_one', :conversation_id, 'sto_1', '', :direction, :body, 'RECEIVED', 1, '', '', '', 0, '',"
    " now(), now())"
)


async def upgrade_to(revision: str, owner_url: str) -> None:
    engine = create_async_engine(owner_url.replace("postgresql://", "postgresql+asyncpg://", 1))
    config = configuration(VERSIONS, owner_url)

    def run(sync: Any) -> None:
        config.attributes["connection"] = sync
        command.upgrade(config, revision)

    async with engine.begin() as connection:
        await connection.run_sync(run)
    await engine.dispose()


async def test_what_was_read_before_stays_read_and_what_was_written_is_found(
    servers: ServersUnderTest,
) -> None:
    name = new_id("messaging")
    made = await ensure_service_database(
        servers.postgres_url, "messaging", owner_password="owner", runtime_password="runtime", database=name
    )
    await upgrade_to("0004", made.owner_url)
    rows: list[tuple[str, Mapping[str, Any]]] = []
    for conversation_id, unread in (("cnv_read", 0), ("cnv_two", 2), ("cnv_all", 3)):
        rows.append((CONVERSATION, {"id": conversation_id, "phone": conversation_id, "unread": unread}))
        for number, direction in enumerate(("INBOUND", "INBOUND", "OUTBOUND", "INBOUND")):
            rows.append(
                (
                    MESSAGE,
                    {
                        "id": f"msg_{conversation_id}_{number}",
                        "conversation_id": conversation_id,
                        "direction": direction,
                        "body": f"Émeraude {number}",
                    },
                )
            )
    async with opened(made.runtime_url, source="messaging", clock=SystemClock()) as database:
        async with database.transaction("chn_one") as tx:
            for statement, parameters in rows:
                await tx.execute(statement, parameters)
            await tx.execute(CONVERSATION, {"id": "cnv_empty", "phone": "cnv_empty", "unread": 0})
        await upgrade(VERSIONS, made.owner_url)
        async with database.transaction("chn_one") as tx:
            for reader_id in ("asc_new", ""):
                found = await conversations.find_all(
                    tx, ["cnv_read", "cnv_two", "cnv_all", "cnv_empty"], reader_id=reader_id
                )
                unread_counts = {one.conversation_id: one.unread_count for one in found.values()}
                assert unread_counts == {"cnv_read": 0, "cnv_two": 2, "cnv_all": 3, "cnv_empty": 0}
            words = await message_words.search(
                tx, "emeraude 3", store_id="", conversation_ids=None, before=None, most=10
            )
            assert [one.conversation_id for one in words] == ["cnv_all", "cnv_two", "cnv_read"]
            # The program of before goes on beside ours for a while: what it takes in counts, and is found.
            await tx.execute(
                MESSAGE,
                {
                    "id": "msg_late",
                    "conversation_id": "cnv_empty",
                    "direction": "INBOUND",
                    "body": "Zirkon",
                },
            )
            await tx.execute(
                text("update conversations set unread_count = 1 where conversation_id = 'cnv_empty'")
            )
            late = await conversations.find(tx, "cnv_empty")
            assert late is not None
            assert late.unread_count == 1
            words = await message_words.search(
                tx, "zirkon", store_id="", conversation_ids=None, before=None, most=10
            )
            assert [one.message_id for one in words] == ["msg_late"]
    await drop_database(servers.postgres_url, name)
