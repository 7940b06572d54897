"""The feed of changes: every record once, where it changed last, and none behind a reader's back."""

import asyncio
from typing import Any

import pytest
from carnet.profiles.v1 import duplicates_pb2, sync_pb2
from carnet.profiles.v1 import profiles_pb2 as pb

from chassis.errors import ServiceError
from chassis.ids import new_id
from chassis.testing import NOON
from chassis.values import money_of, proto_date_of


async def page(house: Any, after: str = "", **fields: Any) -> sync_pb2.ListChangesResponse:
    return await house.sync.ListChanges(sync_pb2.ListChangesRequest(after=after, **fields))


async def everything(house: Any, after: str = "", *, size: int = 2) -> tuple[list[sync_pb2.Change], str]:
    """Return all changes after a cursor, read in small pages, and where the reader is then."""
    found: list[sync_pb2.Change] = []
    while True:
        answer = await page(house, after, page_size=size)
        found += answer.changes
        after = answer.next_cursor or after
        if not answer.has_more:
            return found, after


def names(changes: list[sync_pb2.Change]) -> list[str]:
    return [change.client.given_name for change in changes if change.HasField("client")]


async def rename(house: Any, client_id: str, name: str) -> None:
    request = pb.UpdateClientRequest(client_id=client_id, client=pb.Client(given_name=name))
    request.update_mask.paths.append("given_name")
    await house.stub.UpdateClient(request)


async def buy(house: Any, client_id: str) -> pb.Purchase:
    line = pb.PurchaseLine(piece=pb.Piece(category="ring"), quantity=1, amount=money_of(100_00, "USD"))
    return await house.stub.RecordPurchase(
        pb.RecordPurchaseRequest(
            client_id=client_id,
            store_id=house.store_id,
            purchase_date=proto_date_of(NOON.date()),
            lines=[line],
        )
    )


async def test_a_reader_sees_everything_once_and_then_only_what_is_new(house: Any) -> None:
    ana = await house.client(given_name="Ana")
    await house.client(given_name="Bo")
    purchase = await buy(house, ana.client_id)
    visit = await house.stub.RecordVisit(
        pb.RecordVisitRequest(client_id=ana.client_id, store_id=house.store_id)
    )
    found, cursor = await everything(house)
    assert names(found) == ["Ana", "Bo"]
    assert [change.purchase.purchase_id for change in found if change.HasField("purchase")] == [
        purchase.purchase_id
    ]
    assert [change.visit for change in found if change.HasField("visit")] == [visit]
    again = await page(house, cursor)
    assert (again.changes[:], again.next_cursor, again.has_more) == ([], cursor, False)
    await rename(house, ana.client_id, "Anna")
    found, cursor = await everything(house, cursor)
    assert names(found) == ["Anna"]


async def test_who_begins_later_sees_each_record_where_it_changed_last(house: Any) -> None:
    ana = await house.client(given_name="Ana")
    await house.client(given_name="Bo")
    for name in ("Anne", "Anna"):
        await rename(house, ana.client_id, name)
    found, _ = await everything(house, size=1)
    assert names(found) == ["Bo", "Anna"]


async def test_kinds_are_chosen(house: Any) -> None:
    ana = await house.client(given_name="Ana")
    await buy(house, ana.client_id)
    answer = await page(house, kinds=[sync_pb2.CHANGE_KIND_PURCHASE])
    assert [change.kind for change in answer.changes] == [sync_pb2.CHANGE_KIND_PURCHASE]


async def test_a_deleted_client_is_said_to_be_gone(house: Any) -> None:
    ana = await house.client(given_name="Ana")
    _, cursor = await everything(house)
    await house.stub.DeleteClient(pb.DeleteClientRequest(client_id=ana.client_id))
    found, _ = await everything(house, cursor)
    assert [(change.kind, change.client_id) for change in found] == [
        (sync_pb2.CHANGE_KIND_CLIENT_REMOVED, ana.client_id)
    ]
    assert names((await everything(house))[0]) == []


async def test_a_merge_says_who_the_successor_is_and_an_undo_brings_the_client_back(house: Any) -> None:
    ana, anna = await house.client(given_name="Ana"), await house.client(given_name="Anna")
    _, cursor = await everything(house)
    merge = await house.duplicates.MergeClients(
        duplicates_pb2.MergeClientsRequest(
            request_id=new_id("req"),
            surviving_client_id=ana.client_id,
            merged_client_id=anna.client_id,
        )
    )
    found, cursor = await everything(house, cursor)
    merged = [change for change in found if change.kind == sync_pb2.CHANGE_KIND_CLIENT_MERGED]
    assert [(change.client_id, change.successor_client_id) for change in merged] == [
        (anna.client_id, ana.client_id)
    ]
    assert not [change for change in found if change.kind == sync_pb2.CHANGE_KIND_CLIENT_REMOVED]
    await house.duplicates.UndoMerge(duplicates_pb2.UndoMergeRequest(merge_id=merge.merge_id))
    found, _ = await everything(house, cursor)
    assert {change.client_id for change in found if change.HasField("client")} >= {anna.client_id}


async def test_what_commits_late_is_not_passed_over(house: Any) -> None:
    """A transaction that began to write first and commits last: a reader must not be beyond it by then."""
    slow = await house.client(given_name="Slow")
    _, cursor = await everything(house)
    async with house.database.transaction(house.chain_id) as tx:
        await tx.execute(
            "update clients set given_name = 'Late' where client_id = :id", {"id": slow.client_id}
        )
        await house.client(given_name="Quick")
        meanwhile, cursor = await everything(house, cursor)
        assert names(meanwhile) == []
    found, _ = await everything(house, cursor)
    assert names(found) == ["Late", "Quick"]


async def test_with_many_writers_a_reader_misses_nobody(house: Any) -> None:
    writing = asyncio.gather(*(house.client(given_name=f"Client {number}") for number in range(40)))
    seen: set[str] = set()
    cursor = ""
    while not writing.done():
        found, cursor = await everything(house, cursor, size=3)
        seen |= {change.client_id for change in found}
    made = {client.client_id for client in await writing}
    found, _ = await everything(house, cursor)
    assert seen | {change.client_id for change in found} == made


async def test_a_made_up_cursor_is_refused(house: Any) -> None:
    for cursor in ("nonsense", "WyJhIl0"):
        with pytest.raises(ServiceError) as refusal:
            await page(house, cursor)
        assert [violation.field for violation in refusal.value.violations] == ["after"]


async def test_another_chains_changes_are_not_seen(house: Any) -> None:
    await house.client(given_name="Ana")
    house.act_as("changes:read", chain_id="chn_other")
    assert not (await page(house)).changes
