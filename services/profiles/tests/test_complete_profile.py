"""The complete profile: contact points, nickname, tags, address, occasions, and the zone that follows from them."""

import asyncio
from typing import Any

import pytest
from carnet.profiles.v1 import events_pb2 as ev
from carnet.profiles.v1 import profiles_pb2 as pb
from google.protobuf.field_mask_pb2 import FieldMask
from google.type.date_pb2 import Date

from chassis.errors import Kind, ServiceError
from chassis.testing import published

NEW_YORK = pb.PostalAddress(
    lines=["1 Wall Street", "Floor 3"], locality="New York", region="NY", postal_code="10005"
)
BIRTHDAY = pb.Occasion(kind=pb.OCCASION_KIND_BIRTHDAY, date=Date(month=2, day=29))


def phone(value: str, **fields: Any) -> pb.ContactPoint:
    return pb.ContactPoint(kind=pb.CONTACT_KIND_PHONE, value=value, **fields)


def email(value: str, **fields: Any) -> pb.ContactPoint:
    return pb.ContactPoint(kind=pb.CONTACT_KIND_EMAIL, value=value, **fields)


async def change(house: Any, client_id: str, *paths: str, **fields: Any) -> pb.Client:
    return await house.stub.UpdateClient(
        pb.UpdateClientRequest(
            client_id=client_id, client=pb.Client(**fields), update_mask=FieldMask(paths=paths)
        )
    )


async def refusal(call: Any) -> ServiceError:
    with pytest.raises(ServiceError) as refused:
        await call
    return refused.value


async def seen(house: Any) -> list[tuple[str, list[str]]]:
    async with house.database.transaction(house.chain_id) as tx:
        found = await tx.execute("select action, client_ids from audit_entries order by audit_entry_id")
        return [(row.action, list(row.client_ids)) for row in found]


async def test_nickname_tags_and_address_come_back_as_they_are_kept(house: Any) -> None:
    added = await house.client(
        given_name="Robert", nickname=" Bob ", tags=[" VIP ", "bridal  2026", "vip"], address=NEW_YORK
    )
    assert (added.nickname, list(added.tags)) == ("Bob", ["VIP", "bridal 2026"])
    assert added.address == pb.PostalAddress(
        lines=["1 Wall Street", "Floor 3"],
        locality="New York",
        region="NY",
        postal_code="10005",
        country="US",
    )
    assert await house.stub.GetClient(pb.GetClientRequest(client_id=added.client_id)) == added


async def test_nickname_tags_and_address_change_by_mask_only(house: Any) -> None:
    client = await house.client(nickname="Bob", tags=["vip"], address=NEW_YORK)
    changed = await change(house, client.client_id, "tags", nickname="Rob", tags=["watches"])
    assert (changed.nickname, list(changed.tags), changed.address.locality) == (
        "Bob",
        ["watches"],
        "New York",
    )
    changed = await change(house, client.client_id, "nickname", "address", nickname="Rob")
    assert (changed.nickname, changed.HasField("address")) == ("Rob", False)
    moved = await change(
        house, client.client_id, "address", address=pb.PostalAddress(locality="Lyon", country="FR")
    )
    assert moved.address.country == "FR"


@pytest.mark.parametrize(
    ("path", "fields", "field"),
    [
        ("nickname", {"nickname": "x" * 121}, "client.nickname"),
        ("given_name", {"given_name": "x" * 121}, "client.given_name"),
        ("tags", {"tags": ["fine", "x" * 61]}, "client.tags[1]"),
        ("tags", {"tags": [f"tag {n}" for n in range(51)]}, "client.tags"),
    ],
)
async def test_words_that_are_too_long_are_named(
    house: Any, path: str, fields: dict[str, Any], field: str
) -> None:
    client = await house.client()
    refused = await refusal(change(house, client.client_id, path, **fields))
    assert (refused.kind, refused.violations[0].field) == (Kind.INVALID, field)


async def test_a_country_that_is_none_is_refused(house: Any) -> None:
    refused = await refusal(house.client(address=pb.PostalAddress(country="usa")))
    assert (refused.kind, refused.violations[0].field) == (Kind.INVALID, "address.country")


async def test_a_contact_point_has_a_type_from_the_start(house: Any) -> None:
    client = await house.client(contact_points=[phone("+12025550101", type=pb.CONTACT_TYPE_MOBILE)])
    assert client.contact_points[0].type == pb.CONTACT_TYPE_MOBILE
    added = await house.stub.AddContactPoint(
        pb.AddContactPointRequest(
            client_id=client.client_id, contact_point=email("a@b.example", type=pb.CONTACT_TYPE_WORK)
        )
    )
    assert added.contact_points[1].type == pb.CONTACT_TYPE_WORK


async def test_what_is_said_of_a_contact_point_changes_one_by_one(house: Any) -> None:
    client = await house.client(
        contact_points=[
            phone("+12025550101", is_preferred=True, label="old"),
            phone("+12025550102"),
            email("a@b.example", is_preferred=True),
        ]
    )

    async def say(**fields: Any) -> pb.Client:
        return await house.stub.UpdateContactPoint(
            pb.UpdateContactPointRequest(
                client_id=client.client_id,
                contact_point_id=client.contact_points[1].contact_point_id,
                **fields,
            )
        )

    preferred = await say(is_preferred=True)
    assert [contact.is_preferred for contact in preferred.contact_points] == [False, True, True]
    typed = await say(type=pb.CONTACT_TYPE_WORK, label=" office ")
    assert (typed.contact_points[1].type, typed.contact_points[1].label) == (pb.CONTACT_TYPE_WORK, "office")
    assert typed.contact_points[1].is_preferred
    assert typed.contact_points[0].label == "old"
    verified = await say(is_verified=True)
    assert (
        verified.contact_points[1].verify_time.ToDatetime(tzinfo=house.clock.now().tzinfo)
        == house.clock.now()
    )
    assert not (await say(is_verified=False)).contact_points[1].HasField("verify_time")
    last = await say(type=pb.CONTACT_TYPE_UNSPECIFIED)
    assert last.contact_points[1].type == pb.CONTACT_TYPE_UNSPECIFIED
    assert await say() == last  # nothing said, nothing changed: the etag too
    assert await say(label="office") == last


async def test_of_twenty_numbers_made_preferred_at_once_one_is(house: Any) -> None:
    client = await house.client(contact_points=[phone(f"+120255501{n:02}") for n in range(20)])
    await asyncio.gather(
        *(
            house.stub.UpdateContactPoint(
                pb.UpdateContactPointRequest(
                    client_id=client.client_id, contact_point_id=contact.contact_point_id, is_preferred=True
                )
            )
            for contact in client.contact_points
        )
    )
    after = await house.stub.GetClient(pb.GetClientRequest(client_id=client.client_id))
    assert sum(contact.is_preferred for contact in after.contact_points) == 1
    assert after.etag == "v21"


async def test_a_contact_point_of_somebody_else_is_not_found(house: Any) -> None:
    mine, other = await house.client(), await house.client_with_phone("+12025550101")
    contact_point_id = other.contact_points[0].contact_point_id
    call = house.stub.UpdateContactPoint(
        pb.UpdateContactPointRequest(client_id=mine.client_id, contact_point_id=contact_point_id, label="x")
    )
    assert (await refusal(call)).reason == "CONTACT_POINT_NOT_FOUND"
    house.act_as(chain_id="chn_other")
    call = house.stub.UpdateContactPoint(
        pb.UpdateContactPointRequest(client_id=other.client_id, contact_point_id=contact_point_id, label="x")
    )
    assert (await refusal(call)).reason == "CLIENT_NOT_FOUND"


@pytest.mark.parametrize(
    ("numbers", "address", "zone"),
    [
        (["+12125550101"], None, "America/New_York"),
        (["+13125550101"], None, "America/Chicago"),
        (["+12125550101", "+13105550101"], None, ""),
        (["+18005550101"], None, ""),
        ([], {"region": "CA"}, "America/Los_Angeles"),
        ([], {"region": "Tx."}, ""),
        (["+13125550101"], {"region": "TX"}, "America/Chicago"),
        (["+12125550101"], {"region": "TX"}, ""),
        ([], {"region": "AB", "country": "CA"}, "America/Edmonton"),
        ([], {"country": "FR"}, "Europe/Paris"),
        ([], {"country": "DE"}, "Europe/Berlin"),
        ([], {"country": "US"}, ""),
        (["+442079460101"], {"country": "GB"}, "Europe/London"),
        (["+442079460101"], {"country": "FR"}, ""),
        ([], None, ""),
    ],
)
async def test_a_zone_follows_from_what_address_and_numbers_agree_on(
    house: Any, numbers: list[str], address: dict[str, str] | None, zone: str
) -> None:
    client = await house.client(
        contact_points=[phone(number) for number in numbers],
        address=None if address is None else pb.PostalAddress(**address),
    )
    assert (client.derived_time_zone, client.time_zone) == (zone, "")
    (created,) = await published(house.database, ev.ClientCreated, chain_id=house.chain_id)
    assert (created.client.derived_time_zone, created.client.time_zone) == (zone, "")


async def test_a_given_zone_goes_before_a_derived_one_and_a_new_number_changes_it(house: Any) -> None:
    client = await house.client_with_phone("+12125550101", time_zone="Europe/Paris")
    assert client.derived_time_zone == ""
    assert (await change(house, client.client_id, "time_zone")).derived_time_zone == "America/New_York"
    changed = await house.stub.AddContactPoint(
        pb.AddContactPointRequest(client_id=client.client_id, contact_point=phone("+13105550101"))
    )
    assert changed.derived_time_zone == ""
    said = await published(house.database, ev.ClientChanged, chain_id=house.chain_id)
    assert [event.client.derived_time_zone for event in said] == ["America/New_York", ""]


async def test_an_occasion_says_how_often_how_early_and_for_whom_it_is_a_surprise(house: Any) -> None:
    client, wife = await house.client(), await house.client()
    day = pb.Occasion(
        kind=pb.OCCASION_KIND_ANNIVERSARY,
        date=Date(year=2026, month=9, day=1),
        lead_days=0,
        recurrence=pb.OCCASION_RECURRENCE_ONCE,
        surprise_for_client_id=wife.client_id,
    )
    changed = await house.stub.AddOccasion(pb.AddOccasionRequest(client_id=client.client_id, occasion=day))
    (kept,) = changed.occasions
    assert (kept.recurrence, kept.lead_days, kept.HasField("lead_days")) == (
        pb.OCCASION_RECURRENCE_ONCE,
        0,
        True,
    )
    assert kept.surprise_for_client_id == wife.client_id
    (said,) = await published(house.database, ev.ClientChanged, chain_id=house.chain_id)
    (fact,) = said.client.occasions
    assert (fact.recurrence, fact.lead_days) == (pb.OCCASION_RECURRENCE_ONCE, 0)
    assert fact.surprise_for_client_id == wife.client_id


async def test_a_surprise_for_the_client_stays_in_the_profile_and_is_said(house: Any) -> None:
    client = await house.client()
    occasion = pb.Occasion(
        kind=pb.OCCASION_KIND_BIRTHDAY, date=Date(month=5, day=2), surprise_for_client_id=client.client_id
    )
    changed = await house.stub.AddOccasion(
        pb.AddOccasionRequest(client_id=client.client_id, occasion=occasion)
    )
    assert changed.occasions[0].surprise_for_client_id == client.client_id
    (said,) = await published(house.database, ev.ClientChanged, chain_id=house.chain_id)
    assert said.client.occasions[0].surprise_for_client_id == client.client_id


async def test_an_occasion_gets_another_content_under_its_id(house: Any) -> None:
    client = await house.client(occasions=[BIRTHDAY])
    (before,) = client.occasions
    assert (before.recurrence, before.HasField("lead_days")) == (pb.OCCASION_RECURRENCE_YEARLY, False)
    request = pb.UpdateOccasionRequest(
        client_id=client.client_id,
        occasion_id=before.occasion_id,
        occasion=pb.Occasion(
            kind=pb.OCCASION_KIND_GRADUATION, date=Date(year=2027, month=6, day=3), lead_days=40
        ),
    )
    changed = await house.stub.UpdateOccasion(request)
    (after,) = changed.occasions
    assert (after.occasion_id, after.kind, after.lead_days) == (
        before.occasion_id,
        pb.OCCASION_KIND_GRADUATION,
        40,
    )
    assert await house.stub.UpdateOccasion(request) == changed
    request.occasion_id = "occ_none"
    assert (await refusal(house.stub.UpdateOccasion(request))).reason == "OCCASION_NOT_FOUND"


@pytest.mark.parametrize(
    ("occasion", "reason", "field"),
    [
        ({"date": Date(year=2026, month=2, day=29)}, "FIELD_INVALID", "occasion.date"),
        ({"date": Date(month=2, day=30)}, "FIELD_INVALID", "occasion.date"),
        (
            {"date": Date(month=2, day=29), "recurrence": pb.OCCASION_RECURRENCE_ONCE},
            "FIELD_INVALID",
            "occasion.date.year",
        ),
        ({"date": Date(month=2, day=2), "lead_days": 181}, None, "occasion.lead_days"),
        ({"date": Date(month=2, day=2), "surprise_for_client_id": "cli_none"}, "CLIENT_NOT_FOUND", None),
        ({"date": Date(month=2, day=2), "relationship_id": "rel_none"}, "RELATIONSHIP_NOT_FOUND", None),
    ],
)
async def test_an_occasion_that_cannot_be_is_refused_when_added_and_when_changed(
    house: Any, occasion: dict[str, Any], reason: str | None, field: str | None
) -> None:
    client = await house.client(occasions=[BIRTHDAY])
    content = pb.Occasion(kind=pb.OCCASION_KIND_BIRTHDAY, **occasion)
    for call in (
        house.stub.AddOccasion(pb.AddOccasionRequest(client_id=client.client_id, occasion=content)),
        house.stub.UpdateOccasion(
            pb.UpdateOccasionRequest(
                client_id=client.client_id, occasion_id=client.occasions[0].occasion_id, occasion=content
            )
        ),
    ):
        refused = await refusal(call)
        assert reason in (None, refused.reason)
        assert field is None or refused.violations[0].field == field


async def test_who_read_a_client_is_written_down(house: Any) -> None:
    one, two = await house.client(), await house.client()
    await house.stub.GetClient(pb.GetClientRequest(client_id=one.client_id))
    await house.stub.BatchGetClients(
        pb.BatchGetClientsRequest(client_ids=[two.client_id, one.client_id, "cli_x"])
    )
    await house.stub.ListClients(pb.ListClientsRequest(page_size=1))
    await refusal(house.stub.GetClient(pb.GetClientRequest(client_id="cli_x")))
    assert await seen(house) == [
        ("GetClient", [one.client_id]),
        ("BatchGetClients", [two.client_id, one.client_id]),
        ("ListClients", [two.client_id]),
    ]


async def test_the_id_of_a_merged_client_leads_to_the_survivor_everywhere(house: Any) -> None:
    client = await house.client_with_phone("+12125550101")
    async with house.database.transaction(house.chain_id) as tx:
        await tx.execute(
            "insert into client_aliases (chain_id, alias_id, client_id, merge_id, created_at)"
            " values (:chain, 'cli_gone', :client, 'mrg_1', now())",
            {"chain": house.chain_id, "client": client.client_id},
        )
    read = await house.stub.GetClient(pb.GetClientRequest(client_id="cli_gone"))
    assert (read.client_id, list(read.former_client_ids)) == (client.client_id, ["cli_gone"])
    changed = await house.stub.AddOccasion(pb.AddOccasionRequest(client_id="cli_gone", occasion=BIRTHDAY))
    assert (changed.client_id, len(changed.occasions)) == (client.client_id, 1)
    contact_point_id = client.contact_points[0].contact_point_id
    labelled = await house.stub.UpdateContactPoint(
        pb.UpdateContactPointRequest(client_id="cli_gone", contact_point_id=contact_point_id, label="new")
    )
    assert labelled.contact_points[0].label == "new"
    preferred = await change(
        house,
        "cli_gone",
        "preferences",
        preferences=[pb.Preference(kind=pb.PREFERENCE_KIND_METAL, value="gold")],
    )
    assert preferred.preferences[0].value == "gold"
    removed = await house.stub.RemoveContactPoint(
        pb.RemoveContactPointRequest(client_id="cli_gone", contact_point_id=contact_point_id)
    )
    assert not removed.contact_points
