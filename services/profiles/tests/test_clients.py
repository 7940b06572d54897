"""Clients through the real server: adding, changing, finding, assigning, removing."""

import asyncio
from datetime import timedelta
from typing import Any

import pytest
from carnet.profiles.v1 import events_pb2 as ev
from carnet.profiles.v1 import profiles_pb2 as pb
from google.protobuf.field_mask_pb2 import FieldMask
from google.type.date_pb2 import Date

from chassis.errors import Kind, ServiceError
from chassis.testing import published

NO_DAY = Date(year=2026, month=2, day=29)


def phone(value: str, **fields: Any) -> pb.ContactPoint:
    return pb.ContactPoint(kind=pb.CONTACT_KIND_PHONE, value=value, **fields)


def email(value: str, **fields: Any) -> pb.ContactPoint:
    return pb.ContactPoint(kind=pb.CONTACT_KIND_EMAIL, value=value, **fields)


async def test_a_client_comes_back_as_it_was_added(house: Any) -> None:
    birthday = pb.Occasion(
        kind=pb.OCCASION_KIND_BIRTHDAY, date=Date(month=2, day=29), for_whom="her sister Ana"
    )
    added = await house.client(
        given_name="María", family_name="García", language="es", time_zone="America/Chicago",
        associate_id=house.ana, occasions=[birthday],
        contact_points=[phone("(202) 555-0101", label="mobile", is_preferred=True), email("Maria@Garcia.example")],
        preferences=[
            pb.Preference(
                kind=pb.PREFERENCE_KIND_RING_SIZE, value="6", source="client", note_date=Date(year=2026, month=1, day=2)
            )
        ],
    )  # fmt: skip
    read = await house.stub.GetClient(pb.GetClientRequest(client_id=added.client_id))
    assert read == added
    assert [contact.value for contact in read.contact_points] == ["+12025550101", "Maria@Garcia.example"]
    assert (read.occasions[0].date.year, read.occasions[0].date.day) == (0, 29)
    assert read.preferences[0].note_date.day == 2
    (created,) = await published(house.database, ev.ClientCreated, chain_id=house.chain_id)
    assert (created.client.version, created.client.associate_id) == (1, house.ana)
    assert created.client.occasions[0].date == birthday.date
    assert await house.timeline(added.client_id) == ["Became a client of the house"]


async def test_a_bad_phone_number_is_named_by_its_place(house: Any) -> None:
    with pytest.raises(ServiceError) as refused:
        await house.client(contact_points=[email("a@b.example"), phone("555-0101")])
    assert (refused.value.kind, refused.value.reason) == (Kind.INVALID, "PHONE_INVALID")
    assert [violation.field for violation in refused.value.violations] == ["contact_points[1].value"]


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({"contact_points": [email("nobody")]}, "EMAIL_INVALID"),
        ({"contact_points": [email("a@b.example"), email("A@B.example")]}, "CONTACT_POINT_TAKEN"),
        ({"home_store_id": "sto_none"}, "STORE_NOT_FOUND"),
        ({"associate_id": "asc_none"}, "ASSOCIATE_NOT_FOUND"),
        ({"time_zone": "Mars/Olympus"}, "TIME_ZONE_UNKNOWN"),
        ({"external_id": "7"}, "SOURCE_MISSING"),
        ({"occasions": [pb.Occasion(kind=pb.OCCASION_KIND_OTHER, date=NO_DAY)]}, "FIELD_INVALID"),
    ],
)  # fmt: skip
async def test_a_client_that_cannot_be_is_refused_and_leaves_nothing(
    house: Any, fields: dict[str, Any], reason: str
) -> None:
    with pytest.raises(ServiceError) as refused:
        await house.client(request_id="refused", **fields)
    assert refused.value.reason == reason
    assert await published(house.database, ev.ClientCreated, chain_id=house.chain_id) == []
    async with house.database.transaction(house.chain_id) as tx:
        assert (await tx.execute("select count(*) from clients")).scalar_one() == 0


async def test_twenty_calls_with_one_request_id_add_one_client(house: Any) -> None:
    added = await asyncio.gather(*(house.client(request_id="same", given_name="Ana") for _ in range(20)))
    assert len({client.client_id for client in added}) == 1
    assert len(await published(house.database, ev.ClientCreated, chain_id=house.chain_id)) == 1


async def test_an_external_id_names_one_client(house: Any) -> None:
    first = await house.client(source="pos", external_id="7")
    with pytest.raises(ServiceError) as refused:
        await house.client(source="pos", external_id="7")
    assert refused.value.reason == "CLIENT_EXTERNAL_ID_TAKEN"
    assert refused.value.metadata == {"client_id": first.client_id}
    await house.client(source="erp", external_id="7")


async def test_another_chain_sees_no_client(house: Any) -> None:
    client = await house.client_with_phone("+1 202 555 0101", given_name="Ana")
    house.act_as(chain_id="chn_other")
    with pytest.raises(ServiceError) as refused:
        await house.stub.GetClient(pb.GetClientRequest(client_id=client.client_id))
    assert (refused.value.kind, refused.value.reason) == (Kind.NOT_FOUND, "CLIENT_NOT_FOUND")
    for query in ("", "Ana", "5550101"):
        assert not (await house.stub.ListClients(pb.ListClientsRequest(query=query))).clients
    answer = await house.stub.BatchGetClients(pb.BatchGetClientsRequest(client_ids=[client.client_id]))
    assert not answer.clients


async def test_an_associate_writes_for_the_own_stores_only(house: Any) -> None:
    house.act_as(stores=frozenset({"sto_other"}))
    with pytest.raises(ServiceError) as refused:
        await house.client(given_name="Ana")
    assert refused.value.reason == "STORE_NOT_YOURS"


async def test_a_batch_keeps_the_order_asked_for(house: Any) -> None:
    one, two = await house.client(), await house.client()
    ids = [two.client_id, "cli_none", one.client_id, two.client_id]
    answer = await house.stub.BatchGetClients(pb.BatchGetClientsRequest(client_ids=ids))
    assert [c.client_id for c in answer.clients] == [two.client_id, one.client_id, two.client_id]


async def test_only_the_named_fields_change(house: Any) -> None:
    client = await house.client(given_name="Ana", family_name="Diaz")
    changed = await house.stub.UpdateClient(
        pb.UpdateClientRequest(
            client_id=client.client_id,
            client=pb.Client(
                given_name="Anna",
                preferences=[pb.Preference(kind=pb.PREFERENCE_KIND_METAL, value="platinum")],
            ),
            update_mask=FieldMask(paths=["given_name", "preferences"]),
            etag=client.etag,
        )
    )
    assert (changed.given_name, changed.family_name) == ("Anna", "Diaz")
    assert changed.preferences[0].value == "platinum"
    (event,) = await published(house.database, ev.ClientChanged, chain_id=house.chain_id)
    assert event.client.version == 2


async def test_of_twenty_changes_with_one_etag_one_wins(house: Any) -> None:
    client = await house.client(given_name="Ana")

    async def rename(name: str) -> str:
        request = pb.UpdateClientRequest(
            client_id=client.client_id,
            client=pb.Client(given_name=name),
            update_mask=FieldMask(paths=["given_name"]),
            etag=client.etag,
        )
        try:
            return str((await house.stub.UpdateClient(request)).given_name)
        except ServiceError as error:
            return error.reason

    outcomes = await asyncio.gather(*(rename(f"Ana {number}") for number in range(20)))
    assert outcomes.count("CLIENT_CHANGED") == 19


@pytest.mark.parametrize("paths", [["source"], ["create_time"], []])
async def test_a_field_that_cannot_be_changed_is_refused(house: Any, paths: list[str]) -> None:
    client = await house.client()
    with pytest.raises(ServiceError) as refused:
        await house.stub.UpdateClient(
            pb.UpdateClientRequest(
                client_id=client.client_id, client=pb.Client(), update_mask=FieldMask(paths=paths)
            )
        )
    assert refused.value.reason == "FIELD_UNKNOWN"


@pytest.mark.parametrize(
    ("query", "is_found"),
    [
        ("garcia", True), ("GARC", True), ("maría garcía", True), ("garcia jose", True), ("jose lopez", False),
        ("555-0101", True), ("(202) 555", True), ("0202 555", True), ("5559999", False),
        ("Jose@Garc", True), ("100%", False), ("_", False), ("\\", False),
    ],
)  # fmt: skip
async def test_clients_are_found_as_people_type(house: Any, query: str, is_found: bool) -> None:
    client = await house.client(
        given_name="José María",
        family_name="García",
        contact_points=[phone("+12025550101"), email("jose@Garcia.example")],
    )
    await house.client(given_name="Ann", family_name="Lee")
    listed = await house.stub.ListClients(pb.ListClientsRequest(query=query))
    assert [one.client_id for one in listed.clients] == ([client.client_id] if is_found else [])


async def test_search_follows_changes_of_names_and_contacts(house: Any) -> None:
    client = await house.client_with_phone("+12025550101", given_name="Ana")
    await house.stub.RemoveContactPoint(
        pb.RemoveContactPointRequest(
            client_id=client.client_id, contact_point_id=client.contact_points[0].contact_point_id
        )
    )
    assert not (await house.stub.ListClients(pb.ListClientsRequest(query="5550101"))).clients
    await house.stub.UpdateClient(
        pb.UpdateClientRequest(
            client_id=client.client_id,
            client=pb.Client(given_name="Zoë"),
            update_mask=FieldMask(paths=["given_name"]),
        )
    )
    assert (await house.stub.ListClients(pb.ListClientsRequest(query="zoe"))).clients


async def test_clients_are_listed_newest_first_in_stable_pages(house: Any) -> None:
    ids = [(await house.client(given_name=f"N{n}", associate_id=house.ana)).client_id for n in range(5)]
    await house.client(associate_id=house.ben)
    for query in ("", "n"):
        seen: list[str] = []
        token = ""
        while True:
            request = pb.ListClientsRequest(
                page_size=2, page_token=token, associate_id=house.ana, store_id=house.store_id, query=query
            )
            page = await house.stub.ListClients(request)
            seen += [client.client_id for client in page.clients]
            if not (token := page.next_page_token):
                break
        assert seen == ids[::-1]


async def test_a_client_moves_to_another_book_once(house: Any) -> None:
    client = await house.client(associate_id=house.ana)
    house.clock.advance(timedelta(seconds=1))
    request = pb.AssignClientRequest(client_id=client.client_id, associate_id=house.ben)
    assert (await house.stub.AssignClient(request)).associate_id == house.ben
    await house.stub.AssignClient(request)
    (event,) = await published(house.database, ev.ClientAssigned, chain_id=house.chain_id)
    assert (event.previous_associate_id, event.client.associate_id) == (house.ana, house.ben)
    assert await house.timeline(client.client_id) == [
        "Came into the book of Ben", "Became a client of the house",
    ]  # fmt: skip


async def test_a_departed_associate_gets_nobody(house: Any) -> None:
    client = await house.client(associate_id=house.ana)
    async with house.database.transaction(house.chain_id) as tx:
        await tx.execute(
            "update associates set is_active = false where associate_id = :ben", {"ben": house.ben}
        )
    with pytest.raises(ServiceError) as refused:
        await house.stub.AssignClient(
            pb.AssignClientRequest(client_id=client.client_id, associate_id=house.ben)
        )
    assert refused.value.reason == "ASSOCIATE_NOT_FOUND"


async def test_a_preferred_number_takes_the_mark_from_the_other(house: Any) -> None:
    client = await house.client(contact_points=[phone("+12025550101", is_preferred=True)])
    request = pb.AddContactPointRequest(
        request_id="add", client_id=client.client_id, contact_point=phone("+12025550102", is_preferred=True)
    )
    changed = await house.stub.AddContactPoint(request)
    assert [contact.is_preferred for contact in changed.contact_points] == [False, True]
    assert await house.stub.AddContactPoint(request) == changed
    with pytest.raises(ServiceError) as refused:
        await house.stub.AddContactPoint(
            pb.AddContactPointRequest(
                client_id=client.client_id, contact_point=phone("202 555 0102", label="again")
            )
        )
    assert refused.value.reason == "CONTACT_POINT_TAKEN"


async def test_a_bad_number_is_refused_where_it_is_added(house: Any) -> None:
    client = await house.client()
    with pytest.raises(ServiceError) as refused:
        await house.stub.AddContactPoint(
            pb.AddContactPointRequest(client_id=client.client_id, contact_point=phone("555"))
        )
    assert refused.value.violations[0].field == "contact_point.value"


async def test_an_occasion_is_noted_and_forgotten(house: Any) -> None:
    client = await house.client()
    request = pb.AddOccasionRequest(
        request_id="occasion",
        client_id=client.client_id,
        occasion=pb.Occasion(kind=pb.OCCASION_KIND_ANNIVERSARY, date=Date(year=2015, month=6, day=1)),
    )
    changed = await house.stub.AddOccasion(request)
    assert await house.stub.AddOccasion(request) == changed
    remove = pb.RemoveOccasionRequest(
        client_id=client.client_id, occasion_id=changed.occasions[0].occasion_id
    )
    assert not (await house.stub.RemoveOccasion(remove)).occasions
    with pytest.raises(ServiceError) as refused:
        await house.stub.RemoveOccasion(remove)
    assert refused.value.reason == "OCCASION_NOT_FOUND"


async def test_a_client_made_by_mistake_goes_with_all_traces(house: Any) -> None:
    client = await house.client_with_phone("+12025550101", given_name="Ana")
    await house.stub.DeleteClient(pb.DeleteClientRequest(client_id=client.client_id))
    with pytest.raises(ServiceError) as refused:
        await house.stub.ListTimeline(pb.ListTimelineRequest(client_id=client.client_id))
    assert refused.value.reason == "CLIENT_NOT_FOUND"
    assert not (await house.stub.ListClients(pb.ListClientsRequest(query="Ana"))).clients
    (event,) = await published(house.database, ev.ClientDeleted, chain_id=house.chain_id)
    assert event.client_id == client.client_id
