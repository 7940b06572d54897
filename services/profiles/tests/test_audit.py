"""The audit: who read, exported, merged or erased what; written with the deed, changed by nobody."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from carnet.profiles.v1 import privacy_pb2 as pb
from carnet.profiles.v1 import profiles_pb2 as profiles
from google.protobuf.timestamp_pb2 import Timestamp

from chassis.clock import FixedClock
from chassis.errors import ServiceError
from chassis.testing import NOON, opened
from profiles.store.audit import MOST_CLIENTS, note


async def entries(house: Any, **fields: Any) -> list[pb.AuditEntry]:
    answer = await house.privacy.ListAuditEntries(pb.ListAuditEntriesRequest(**fields))
    return list(answer.audit_entries)


async def look_at(house: Any, client_id: str) -> None:
    await house.stub.GetClient(profiles.GetClientRequest(client_id=client_id))


def at(moment: datetime) -> Timestamp:
    value = Timestamp()
    value.FromDatetime(moment)
    return value


async def test_a_look_is_written_down_with_who_and_when(house: Any) -> None:
    client = await house.client(given_name="Ada")
    house.act_as(associate_id=house.ben, role="associate")
    await look_at(house, client.client_id)
    house.act_as()
    (entry,) = await entries(house, action="GetClient")
    assert (entry.actor, entry.role, entry.client_ids) == (house.ben, "associate", [client.client_id])
    assert entry.create_time.ToDatetime(tzinfo=UTC) == NOON


async def test_exports_and_erasures_are_written_down_with_their_ids(house: Any) -> None:
    client = await house.client(given_name="Ada")
    export = await house.privacy.CreateExport(pb.CreateExportRequest(client_id=client.client_id))
    await house.privacy.PreviewErasure(pb.PreviewErasureRequest(client_id=client.client_id))
    erasure = await house.privacy.EraseClient(
        pb.EraseClientRequest(client_id=client.client_id, reason="a letter")
    )
    done = [(one.action, one.subject_id) for one in await entries(house, client_id=client.client_id)]
    assert done == [
        ("EraseClient", erasure.erasure_id), ("PreviewErasure", ""), ("CreateExport", export.export_id),
    ]  # fmt: skip


async def test_entries_outlive_the_client_with_ids_only(house: Any) -> None:
    client = await house.client_with_phone("+12025550171", given_name="Ada")
    await look_at(house, client.client_id)
    await house.privacy.EraseClient(pb.EraseClientRequest(client_id=client.client_id, reason="a letter"))
    found = await entries(house, client_id=client.client_id)
    assert {one.action for one in found} >= {"GetClient", "EraseClient"}
    assert "Ada" not in str(found)


async def test_entries_are_found_by_client_actor_action_and_time(house: Any) -> None:
    ada, bo = [await house.client(given_name=name) for name in ("Ada", "Bo")]
    await look_at(house, ada.client_id)
    house.clock.advance(timedelta(seconds=30))
    house.act_as(actor_id="usr_other")
    await look_at(house, bo.client_id)
    house.act_as()
    found = {
        "client": await entries(house, client_id=ada.client_id),
        "actor": await entries(house, actor="usr_other"),
        "early": await entries(house, end_time=at(NOON + timedelta(seconds=30)), action="GetClient"),
        "late": await entries(house, start_time=at(NOON + timedelta(seconds=30)), action="GetClient"),
        "none": await entries(house, client_id=ada.client_id, actor="usr_other"),
    }
    assert {name: [list(one.client_ids) for one in those] for name, those in found.items()} == {
        "client": [[ada.client_id]], "actor": [[bo.client_id]], "early": [[ada.client_id]], "late": [[bo.client_id]],
        "none": [],
    }  # fmt: skip


async def test_entries_about_a_merged_client_are_the_survivors_as_well(house: Any) -> None:
    former, client = [await house.client(given_name=name) for name in ("Ada", "Adda")]
    await look_at(house, former.client_id)
    async with house.database.transaction(house.chain_id) as tx:
        await tx.execute(
            "insert into client_aliases (chain_id, alias_id, client_id, merge_id, created_at)"
            " values (:chain_id, :alias_id, :client_id, 'mrg_1', now())",
            {"chain_id": house.chain_id, "alias_id": former.client_id, "client_id": client.client_id},
        )
    assert [one.action for one in await entries(house, client_id=client.client_id)] == ["GetClient"]


async def test_pages_give_every_entry_once_newest_first(house: Any) -> None:
    clients = [await house.client(given_name=f"Ada {n}") for n in range(5)]
    for client in clients:
        await look_at(house, client.client_id)
    found: list[str] = []
    token = ""
    while True:
        page = await house.privacy.ListAuditEntries(
            pb.ListAuditEntriesRequest(action="GetClient", page_size=2, page_token=token)
        )
        found += [one.client_ids[0] for one in page.audit_entries]
        if not (token := page.next_page_token):
            break
    assert found == [client.client_id for client in reversed(clients)]


async def test_one_entry_names_at_most_two_hundred_clients_and_none_is_written_for_nobody(
    house: Any, sign_in: Any
) -> None:
    caller = sign_in("clients:read", chain_id=house.chain_id, clock=house.clock)
    async with house.database.transaction(house.chain_id) as tx:
        await note(tx, caller, "ListClients", [f"cli_{n}" for n in range(300)] * 2, now=NOON)
        await note(tx, caller, "ListClients", [], now=NOON)
    house.act_as()
    (entry,) = await entries(house, action="ListClients")
    assert len(entry.client_ids) == MOST_CLIENTS


@pytest.mark.parametrize(
    "statement",
    [
        "update audit_entries set actor = 'nobody'",
        "delete from audit_entries",
        "truncate audit_entries",
        "update erasure_receipts set erased = '{}'",
        "delete from erasure_receipts",
    ],
)
async def test_nobody_but_the_owner_of_the_tables_can_change_what_was_written(
    house: Any, statement: str
) -> None:
    client = await house.client(given_name="Ada")
    await look_at(house, client.client_id)
    with pytest.raises(Exception, match="permission denied"):
        async with house.database.transaction(house.chain_id) as tx:
            await tx.execute(statement)
    assert await entries(house, action="GetClient")


async def test_another_chains_entries_are_not_shown(house: Any, other_house: Any) -> None:
    house.act_as()
    client = await house.client(given_name="Ada")
    await look_at(house, client.client_id)
    other_house.act_as()
    assert not await entries(other_house, client_id=client.client_id)


async def test_the_audit_needs_its_own_scope(house: Any) -> None:
    house.act_as("clients:read", "privacy:write")
    with pytest.raises(ServiceError) as refused:
        await entries(house)
    assert refused.value.metadata["scope"] == "audit:read"


@pytest.mark.parametrize(
    ("fields", "field"),
    [
        ({"start_time": at(NOON), "end_time": at(NOON)}, "end_time"),
        ({"start_time": Timestamp(seconds=2**62)}, "start_time"),
        ({"page_token": "made up"}, "page_token"),
        ({"page_size": 500}, "page_size"),
    ],
)
async def test_bad_filters_are_refused_by_their_field(house: Any, fields: Any, field: str) -> None:
    with pytest.raises(ServiceError) as refused:
        await entries(house, **fields)
    assert [one.field for one in refused.value.violations] == [field]


async def test_what_fails_is_not_written_down(house: Any) -> None:
    with pytest.raises(ServiceError):
        await look_at(house, "cli_nobody")
    assert not await entries(house)


async def test_the_owner_of_the_tables_is_bound_to_a_chain_as_well(house: Any) -> None:
    client = await house.client(given_name="Ada")
    await look_at(house, client.client_id)
    async with (
        opened(house.profiles.owner_url, source="tests", clock=FixedClock(NOON)) as owner,
        owner.transaction("chn_other") as tx,
    ):
        assert (await tx.execute("select count(*) from audit_entries")).scalar_one() == 0
