"""Relationships: one row seen from both sides, people who are no clients, and their occasions."""

import asyncio
from typing import Any

import pytest
from carnet.profiles.v1 import events_pb2 as ev
from carnet.profiles.v1 import profiles_pb2 as pb
from google.protobuf.field_mask_pb2 import FieldMask
from google.type.date_pb2 import Date

from chassis.errors import Kind, ServiceError
from chassis.testing import published


async def relate(house: Any, client_id: str, *, request_id: str = "", **fields: Any) -> pb.Client:
    return await house.stub.AddRelationship(
        pb.AddRelationshipRequest(
            request_id=request_id, client_id=client_id, relationship=pb.Relationship(**fields)
        )
    )


async def read(house: Any, client_id: str) -> pb.Client:
    return await house.stub.GetClient(pb.GetClientRequest(client_id=client_id))


async def couple(house: Any) -> tuple[pb.Client, pb.Client]:
    """Return two married clients."""
    ana, leo = await house.client(given_name="Ana"), await house.client(given_name="Leo")
    changed = await relate(
        house,
        ana.client_id,
        kind=pb.RELATIONSHIP_KIND_SPOUSE,
        related_client_id=leo.client_id,
        note="since 2015",
    )
    return changed, await read(house, leo.client_id)


async def refusal(call: Any) -> ServiceError:
    with pytest.raises(ServiceError) as refused:
        await call
    return refused.value


async def test_two_clients_see_one_another(house: Any) -> None:
    ana, leo = await couple(house)
    (hers,), (his,) = ana.relationships, leo.relationships
    assert (hers.related_client_id, hers.given_name) == (leo.client_id, "Leo")
    assert (his.related_client_id, his.given_name, his.note) == (ana.client_id, "Ana", "since 2015")
    assert hers.relationship_id == his.relationship_id
    said = await published(house.database, ev.ClientChanged, chain_id=house.chain_id)
    assert {(event.client.client_id, event.client.version) for event in said} == {
        (ana.client_id, 2),
        (leo.client_id, 2),
    }


@pytest.mark.parametrize(
    ("kind", "other"),
    [
        (pb.RELATIONSHIP_KIND_CHILD, pb.RELATIONSHIP_KIND_PARENT),
        (pb.RELATIONSHIP_KIND_PARENT, pb.RELATIONSHIP_KIND_CHILD),
        (pb.RELATIONSHIP_KIND_FRIEND, pb.RELATIONSHIP_KIND_FRIEND),
    ],
)
async def test_a_child_sees_a_parent(house: Any, kind: Any, other: Any) -> None:
    one, two = await house.client(), await house.client()
    changed = await relate(house, one.client_id, kind=kind, related_client_id=two.client_id)
    assert changed.relationships[0].kind == kind
    assert (await read(house, two.client_id)).relationships[0].kind == other


async def test_the_name_is_the_others_as_it_is_there(house: Any) -> None:
    ana, leo = await couple(house)
    await house.stub.UpdateClient(
        pb.UpdateClientRequest(
            client_id=leo.client_id,
            client=pb.Client(given_name="Leon"),
            update_mask=FieldMask(paths=["given_name"]),
        )
    )
    assert (await read(house, ana.client_id)).relationships[0].given_name == "Leon"


async def test_a_person_who_is_no_client_has_a_name_and_days(house: Any) -> None:
    client = await house.client(given_name="Ana")
    changed = await relate(
        house, client.client_id, request_id="sister", kind=pb.RELATIONSHIP_KIND_SIBLING, given_name=" Eva "
    )
    again = await relate(
        house, client.client_id, request_id="sister", kind=pb.RELATIONSHIP_KIND_SIBLING, given_name=" Eva "
    )
    assert again == changed
    (sister,) = changed.relationships
    assert (sister.given_name, sister.related_client_id) == ("Eva", "")
    day = pb.Occasion(
        kind=pb.OCCASION_KIND_BIRTHDAY,
        date=Date(year=1990, month=2, day=28),
        relationship_id=sister.relationship_id,
    )
    changed = await house.stub.AddOccasion(pb.AddOccasionRequest(client_id=client.client_id, occasion=day))
    assert changed.occasions[0].relationship_id == sister.relationship_id
    said = await published(house.database, ev.ClientChanged, chain_id=house.chain_id)
    (fact,) = said[-1].client.occasions
    assert (fact.relationship_kind, fact.related_client_id) == (pb.RELATIONSHIP_KIND_SIBLING, "")
    forgotten = await house.stub.RemoveRelationship(
        pb.RemoveRelationshipRequest(client_id=client.client_id, relationship_id=sister.relationship_id)
    )
    assert (len(forgotten.relationships), len(forgotten.occasions)) == (0, 0)


async def test_either_side_forgets_for_both_and_a_clients_day_stays(house: Any) -> None:
    ana, leo = await couple(house)
    relationship_id = ana.relationships[0].relationship_id
    day = pb.Occasion(
        kind=pb.OCCASION_KIND_BIRTHDAY, date=Date(month=5, day=1), relationship_id=relationship_id
    )
    await house.stub.AddOccasion(pb.AddOccasionRequest(client_id=ana.client_id, occasion=day))
    said = await published(house.database, ev.ClientChanged, chain_id=house.chain_id)
    (fact,) = said[-1].client.occasions
    assert (fact.relationship_kind, fact.related_client_id) == (pb.RELATIONSHIP_KIND_SPOUSE, leo.client_id)
    request = pb.RemoveRelationshipRequest(client_id=leo.client_id, relationship_id=relationship_id)
    assert not (await house.stub.RemoveRelationship(request)).relationships
    ana = await read(house, ana.client_id)
    assert (len(ana.relationships), ana.occasions[0].relationship_id) == (0, "")
    assert (await refusal(house.stub.RemoveRelationship(request))).reason == "RELATIONSHIP_NOT_FOUND"


async def test_a_client_is_not_related_to_itself_nor_twice_to_one_other(house: Any) -> None:
    ana, leo = await couple(house)
    refused = await refusal(
        relate(house, ana.client_id, kind=pb.RELATIONSHIP_KIND_FRIEND, related_client_id=ana.client_id)
    )
    assert (refused.kind, refused.reason) == (Kind.INVALID, "RELATIONSHIP_WITH_ITSELF")
    assert refused.violations[0].field == "relationship.related_client_id"
    for one, other in ((ana, leo), (leo, ana)):
        refused = await refusal(
            relate(house, one.client_id, kind=pb.RELATIONSHIP_KIND_FRIEND, related_client_id=other.client_id)
        )
        assert (refused.kind, refused.reason) == (Kind.ALREADY_EXISTS, "RELATIONSHIP_EXISTS")
        assert refused.metadata == {"relationship_id": ana.relationships[0].relationship_id}


async def test_of_twenty_who_relate_two_clients_from_both_sides_one_does(house: Any) -> None:
    one, two = await house.client(), await house.client()

    async def attempt(number: int) -> str:
        first, second = (one, two) if number % 2 else (two, one)
        try:
            await relate(
                house, first.client_id, kind=pb.RELATIONSHIP_KIND_PARTNER, related_client_id=second.client_id
            )
        except ServiceError as error:
            return error.reason
        return "done"

    outcomes = await asyncio.gather(*map(attempt, range(20)))
    assert sorted(set(outcomes)) == ["RELATIONSHIP_EXISTS", "done"]
    assert outcomes.count("done") == 1
    assert len((await read(house, one.client_id)).relationships) == 1


async def test_a_person_without_a_name_is_refused(house: Any) -> None:
    client = await house.client()
    refused = await refusal(
        relate(house, client.client_id, kind=pb.RELATIONSHIP_KIND_FRIEND, given_name="  ")
    )
    assert (refused.kind, refused.violations[0].field) == (Kind.INVALID, "relationship.given_name")


async def test_an_occasion_of_somebody_elses_relationship_is_refused(house: Any) -> None:
    ana, _ = await couple(house)
    stranger = await house.client()
    day = pb.Occasion(
        kind=pb.OCCASION_KIND_BIRTHDAY,
        date=Date(month=5, day=1),
        relationship_id=ana.relationships[0].relationship_id,
    )
    call = house.stub.AddOccasion(pb.AddOccasionRequest(client_id=stranger.client_id, occasion=day))
    assert (await refusal(call)).reason == "RELATIONSHIP_NOT_FOUND"


async def test_another_chains_client_is_nobody(house: Any, other_house: Any) -> None:
    stranger = await other_house.client(given_name="Stranger")
    house.act_as()
    ana = await house.client(given_name="Ana")
    refused = await refusal(
        relate(house, ana.client_id, kind=pb.RELATIONSHIP_KIND_FRIEND, related_client_id=stranger.client_id)
    )
    assert (refused.kind, refused.reason) == (Kind.NOT_FOUND, "CLIENT_NOT_FOUND")
    changed = await relate(house, ana.client_id, kind=pb.RELATIONSHIP_KIND_FRIEND, given_name="Eva")
    other_house.act_as()
    call = house.stub.RemoveRelationship(
        pb.RemoveRelationshipRequest(
            client_id=stranger.client_id, relationship_id=changed.relationships[0].relationship_id
        )
    )
    assert (await refusal(call)).reason == "RELATIONSHIP_NOT_FOUND"


async def test_a_merged_clients_id_relates_the_survivor(house: Any) -> None:
    ana, leo = await house.client(given_name="Ana"), await house.client(given_name="Leo")
    async with house.database.transaction(house.chain_id) as tx:
        await tx.execute(
            "insert into client_aliases (chain_id, alias_id, client_id, merge_id, created_at)"
            " values (:chain, 'cli_gone', :client, 'mrg_1', now())",
            {"chain": house.chain_id, "client": leo.client_id},
        )
    kind = pb.RELATIONSHIP_KIND_FRIEND
    refused = await refusal(relate(house, leo.client_id, kind=kind, related_client_id="cli_gone"))
    assert refused.reason == "RELATIONSHIP_WITH_ITSELF"
    changed = await relate(house, ana.client_id, kind=kind, related_client_id="cli_gone")
    assert changed.relationships[0].related_client_id == leo.client_id


async def test_a_client_who_is_removed_leaves_nobody_related(house: Any) -> None:
    ana, leo = await couple(house)
    day = pb.Occasion(
        kind=pb.OCCASION_KIND_BIRTHDAY,
        date=Date(month=5, day=1),
        relationship_id=ana.relationships[0].relationship_id,
    )
    await house.stub.AddOccasion(pb.AddOccasionRequest(client_id=ana.client_id, occasion=day))
    await house.stub.DeleteClient(pb.DeleteClientRequest(client_id=leo.client_id))
    left = await read(house, ana.client_id)
    assert (len(left.relationships), left.occasions[0].relationship_id) == (0, "")
    said = await published(house.database, ev.ClientChanged, chain_id=house.chain_id)
    assert said[-1].client.client_id == ana.client_id
    assert said[-1].client.occasions[0].related_client_id == ""
