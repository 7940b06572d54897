"""Books through the real server: who had whom, previews, and reassigning as a whole."""

import asyncio
from datetime import timedelta
from typing import Any

import pytest
from carnet.profiles.v1 import events_pb2 as ev
from carnet.profiles.v1 import profiles_pb2 as pb
from sqlalchemy.exc import DBAPIError

from chassis.errors import Kind, ServiceError
from chassis.testing import published
from profiles.domain import books

SMALL = 3


async def assignments(house: Any, client_id: str, **fields: Any) -> pb.ListAssignmentsResponse:
    return await house.stub.ListAssignments(pb.ListAssignmentsRequest(client_id=client_id, **fields))


async def history(house: Any, client_id: str) -> list[tuple[str, str, str]]:
    """Return from, to and reason of a client's assignments, newest first."""
    return [
        (
            one.from_associate_id,
            one.to_associate_id,
            pb.AssignmentReason.Name(one.reason).removeprefix("ASSIGNMENT_REASON_"),
        )
        for one in (await assignments(house, client_id)).assignments
    ]


async def new_associate(house: Any, name: str, store_id: str = "") -> str:
    added = await house.stub.CreateAssociate(
        pb.CreateAssociateRequest(
            store_id=store_id or house.store_id, display_name=name, email=f"{name.lower()}@maison.example"
        )
    )
    return str(added.associate_id)


async def leave(house: Any, associate_id: str) -> None:
    await house.stub.SetAssociateActive(
        pb.SetAssociateActiveRequest(associate_id=associate_id, is_active=False)
    )


async def book_of(house: Any, count: int, **fields: Any) -> list[str]:
    return [
        (await house.client(given_name=f"N{n}", associate_id=house.ana, **fields)).client_id
        for n in range(count)
    ]


async def preview(house: Any, *targets: str, **fields: Any) -> pb.PreviewReassignmentResponse:
    return await house.stub.PreviewReassignment(
        pb.PreviewReassignmentRequest(associate_id=house.ana, target_associate_ids=targets, **fields)
    )


def reassign(house: Any, etag: str, *targets: str, **fields: Any) -> Any:
    return house.stub.ReassignBook(
        pb.ReassignBookRequest(
            associate_id=house.ana, target_associate_ids=targets, preview_etag=etag, **fields
        )
    )


async def owners(house: Any, client_ids: list[str]) -> list[str]:
    found = await house.stub.BatchGetClients(pb.BatchGetClientsRequest(client_ids=client_ids))
    return [client.associate_id for client in found.clients]


async def test_a_client_remembers_who_came_when_and_by_whom(house: Any) -> None:
    house.act_as(actor_id="usr_boss")
    client = await house.client(associate_id=house.ana)
    for associate_id in (house.ben, house.ben, house.ana):
        house.clock.advance(timedelta(seconds=10))
        await house.stub.AssignClient(
            pb.AssignClientRequest(client_id=client.client_id, associate_id=associate_id)
        )
    assert await history(house, client.client_id) == [
        (house.ben, house.ana, "ASSIGNED"),
        (house.ana, house.ben, "ASSIGNED"),
        ("", house.ana, "CREATED"),
    ]
    first = await assignments(house, client.client_id, page_size=2)
    assert {one.actor for one in first.assignments} == {"usr_boss"}
    assert first.assignments[0].assign_time.ToDatetime() - first.assignments[
        1
    ].assign_time.ToDatetime() == timedelta(seconds=20)
    rest = await assignments(house, client.client_id, page_size=2, page_token=first.next_page_token)
    assert [one.from_associate_id for one in rest.assignments] == [""]
    assert not rest.next_page_token


async def test_a_client_without_an_associate_has_no_history_until_there_is_one(house: Any) -> None:
    client = await house.client()
    assert await history(house, client.client_id) == []
    await house.stub.AssignClient(pb.AssignClientRequest(client_id=client.client_id, associate_id=house.ben))
    assert await history(house, client.client_id) == [("", house.ben, "ASSIGNED")]


async def test_who_captures_a_walk_in_has_the_client_once_however_often_it_is_sent(house: Any) -> None:
    house.act_as(associate_id=house.ben)
    request = pb.CaptureVisitRequest(request_id="walk", store_id=house.store_id, given_name="Eva")
    captured = [await house.stub.CaptureVisit(request) for _ in range(2)]
    assert await history(house, captured[0].client.client_id) == [("", house.ben, "CAPTURED")]


async def test_an_import_says_who_got_whom(house: Any, upload_of: Any) -> None:
    announced = await house.stub.CreateImport(
        pb.CreateImportRequest(
            source="pos", format=pb.IMPORT_FORMAT_DELIMITED, delimiter=",", store_id=house.store_id,
            columns={"id": "client_external_id", "name": "given_name"}, associate_ids=[house.ana, house.ben],
        )
    )  # fmt: skip
    content = b"id,name\n" + b"".join(b"%d,N%d\n" % (n, n) for n in range(120))
    for _ in range(2):
        done = await house.upload(upload_of(announced.import_id, content))
    assert done.clients_created == 0
    clients = (await house.stub.ListClients(pb.ListClientsRequest(page_size=200))).clients
    assert len(clients) == 120
    for client in clients[::30]:
        assert await history(house, client.client_id) == [("", client.associate_id, "IMPORTED")]


async def test_history_cannot_be_rewritten_by_the_service(house: Any) -> None:
    await house.client(associate_id=house.ana)
    for statement in ("update assignments set actor = 'nobody'", "delete from assignments"):
        with pytest.raises(DBAPIError, match="permission denied"):
            async with house.database.transaction(house.chain_id) as tx:
                await tx.execute(statement)


async def test_the_history_of_nobody_is_not_found(house: Any) -> None:
    with pytest.raises(ServiceError) as refused:
        await assignments(house, "cli_nobody")
    assert refused.value.reason == "CLIENT_NOT_FOUND"


async def test_a_book_goes_where_the_preview_said(house: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("profiles.use_cases.books.BATCH_CLIENTS", SMALL)
    eve = await new_associate(house, "Eve")
    clients = await book_of(house, 2 * SMALL + 1)
    other = (await house.client(associate_id=house.ben)).client_id
    await leave(house, house.ana)
    house.clock.advance(timedelta(seconds=10))

    said = await preview(house, house.ben, eve, page_size=4)
    moves = [*said.moves]
    said = await preview(house, house.ben, eve, page_size=4, page_token=said.next_page_token)
    moves += said.moves
    assert not said.next_page_token
    assert [move.given_name for move in moves] == [f"N{n}" for n in range(7)]
    assert [(share.associate_id, share.client_count) for share in said.shares] == [(house.ben, 4), (eve, 3)]
    assert await owners(house, clients) == [house.ana] * 7

    before = [await house.stub.GetClient(pb.GetClientRequest(client_id=client)) for client in clients]
    done = await reassign(house, said.preview_etag, house.ben, eve, request_id="leaving")
    assert (done.client_count, done.shares) == (7, said.shares)
    assert await owners(house, clients) == [move.associate_id for move in moves]
    assert [move.client_id for move in moves] == clients
    assert await history(house, clients[0]) == [
        (house.ana, house.ben, "REASSIGNED"), ("", house.ana, "CREATED"),
    ]  # fmt: skip
    assert (await house.timeline(clients[1]))[0] == "Came into the book of Eve"
    assert await history(house, other) == [("", house.ben, "CREATED")]
    with pytest.raises(ServiceError) as stale:
        await house.stub.UpdateClient(
            pb.UpdateClientRequest(
                client_id=clients[0],
                client=pb.Client(language="es"),
                update_mask={"paths": ["language"]},
                etag=before[0].etag,
            )
        )
    assert stale.value.reason == "CLIENT_CHANGED"

    said_events = await published(house.database, ev.BookReassigned, chain_id=house.chain_id)
    assert [len(event.clients) for event in said_events] == [SMALL, SMALL, 1]
    assert {event.previous_associate_id for event in said_events} == {house.ana}
    facts = [fact for event in said_events for fact in event.clients]
    assert [(fact.client_id, fact.associate_id, fact.version) for fact in facts] == [
        (move.client_id, move.associate_id, 2) for move in moves
    ]


async def test_a_repeated_reassignment_moves_nobody_twice(house: Any) -> None:
    clients = await book_of(house, 3)
    etag = (await preview(house, house.ben)).preview_etag
    done = await reassign(house, etag, house.ben, request_id="once")
    late = await house.client(associate_id=house.ana)
    assert await reassign(house, etag, house.ben, request_id="once") == done
    assert await owners(house, [*clients, late.client_id]) == [house.ben] * 3 + [house.ana]
    with pytest.raises(ServiceError) as refused:
        await reassign(house, etag, house.ben, request_id="another")
    assert (refused.value.kind, refused.value.reason) == (Kind.CONFLICT, "BOOK_CHANGED")


async def test_twenty_calls_at_once_are_one_reassignment(house: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("profiles.use_cases.books.BATCH_CLIENTS", SMALL)
    eve = await new_associate(house, "Eve")
    clients = await book_of(house, 10)
    etag = (await preview(house, house.ben, eve)).preview_etag
    done = await asyncio.gather(
        *(reassign(house, etag, house.ben, eve, request_id="raced") for _ in range(20))
    )
    assert {one.reassignment_id for one in done} == {done[0].reassignment_id}
    assert await owners(house, clients) == [house.ben, eve] * 5
    for client in clients:
        assert len(await history(house, client)) == 2


async def test_a_reassignment_that_was_cut_off_goes_on_where_it_was(
    house: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("profiles.use_cases.books.BATCH_CLIENTS", SMALL)
    eve = await new_associate(house, "Eve")
    clients = await book_of(house, 8)
    etag = (await preview(house, house.ben, eve)).preview_etag
    real, calls = books.targets_in_turn, 0

    def cut(*args: Any, **fields: Any) -> Any:
        nonlocal calls
        calls += 1
        if calls == 2:
            raise RuntimeError("cut")
        return real(*args, **fields)

    monkeypatch.setattr("profiles.use_cases.books.targets_in_turn", cut)
    with pytest.raises(ServiceError):
        await reassign(house, etag, house.ben, eve, request_id="cut")
    assert await owners(house, clients) == [house.ben, eve, house.ben] + [house.ana] * 5
    done = await reassign(house, etag, house.ben, eve, request_id="cut")
    assert done.client_count == 8
    assert await owners(house, clients) == [house.ben, eve] * 4


async def test_a_preview_is_stale_once_somebody_left_the_book(house: Any) -> None:
    first, second = await book_of(house, 2)
    etag = (await preview(house, house.ben)).preview_etag
    await house.stub.AssignClient(pb.AssignClientRequest(client_id=first, associate_id=house.ben))
    with pytest.raises(ServiceError) as refused:
        await reassign(house, etag, house.ben, request_id="stale")
    assert refused.value.reason == "BOOK_CHANGED"
    assert await owners(house, [second]) == [house.ana]
    fresh = (await preview(house, house.ben)).preview_etag
    # The refused request was not begun, so its id is free.
    again = await reassign(house, fresh, house.ben, request_id="stale")
    assert again.client_count == 1


async def test_a_preview_is_for_its_targets_in_their_order(house: Any) -> None:
    eve = await new_associate(house, "Eve")
    await book_of(house, 1)
    etag = (await preview(house, house.ben, eve)).preview_etag
    with pytest.raises(ServiceError) as refused:
        await reassign(house, etag, eve, house.ben)
    assert refused.value.reason == "BOOK_CHANGED"


async def test_an_empty_book_is_reassigned_without_a_word(house: Any) -> None:
    said = await preview(house, house.ben)
    assert (said.client_count, len(said.moves)) == (0, 0)
    assert (await reassign(house, said.preview_etag, house.ben)).client_count == 0
    assert not await published(house.database, ev.BookReassigned, chain_id=house.chain_id)


async def test_only_clients_of_one_store_go_when_a_store_is_named(house: Any) -> None:
    store = await house.stub.CreateStore(
        pb.CreateStoreRequest(display_name="Soho", time_zone="America/New_York", country="US")
    )
    here = await book_of(house, 2)
    there = await book_of(house, 1, home_store_id=store.store_id)
    said = await preview(house, house.ben, store_id=store.store_id)
    assert [move.client_id for move in said.moves] == there
    await reassign(house, said.preview_etag, house.ben, store_id=store.store_id)
    assert await owners(house, [*here, *there]) == [house.ana, house.ana, house.ben]


async def test_targets_must_be_there_and_be_somebody_else(house: Any) -> None:
    await book_of(house, 1)
    await leave(house, house.ben)
    for target, reason in (
        (house.ben, "ASSOCIATE_NOT_FOUND"),
        ("asc_nobody", "ASSOCIATE_NOT_FOUND"),
        (house.ana, "REASSIGNMENT_TARGET_IS_SOURCE"),
    ):
        for call in (preview(house, target), reassign(house, "made up", target)):
            with pytest.raises(ServiceError) as refused:
                await call
            assert refused.value.reason == reason
    for targets in ((), (house.ben, house.ben)):
        with pytest.raises(ServiceError) as refused:
            await preview(house, *targets)
        assert refused.value.kind is Kind.INVALID


async def test_a_manager_reassigns_between_own_stores_only(house: Any) -> None:
    store = await house.stub.CreateStore(
        pb.CreateStoreRequest(display_name="Soho", time_zone="America/New_York", country="US")
    )
    far = await new_associate(house, "Eve", store.store_id)
    await book_of(house, 1)
    etags = {target: (await preview(house, target)).preview_etag for target in (far, house.ben)}
    house.act_as(stores=frozenset({house.store_id}))
    for call in (
        preview(house, far),
        reassign(house, etags[far], far),
        preview(house, house.ben, store_id=store.store_id),
    ):
        with pytest.raises(ServiceError) as refused:
            await call
        assert refused.value.reason == "STORE_NOT_YOURS"
    house.act_as(stores=frozenset({store.store_id}))
    with pytest.raises(ServiceError) as refused:
        await reassign(house, etags[far], far)
    assert refused.value.reason == "STORE_NOT_YOURS"
    house.act_as(stores=frozenset({house.store_id, store.store_id}))
    assert (await reassign(house, etags[far], far)).client_count == 1


async def test_an_associate_may_not_reassign(house: Any) -> None:
    house.act_as("clients:read", "clients:write")
    with pytest.raises(ServiceError) as refused:
        await preview(house, house.ben)
    assert refused.value.reason == "SCOPE_MISSING"


async def test_a_made_up_page_token_is_refused(house: Any) -> None:
    client = await house.client(associate_id=house.ana)
    with pytest.raises(ServiceError) as refused:
        await assignments(house, client.client_id, page_token="made up")
    assert refused.value.violations[0].field == "page_token"
    with pytest.raises(ServiceError) as refused:
        await preview(house, house.ben, page_token="made up")
    assert refused.value.violations[0].field == "page_token"
