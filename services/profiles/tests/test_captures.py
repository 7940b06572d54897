"""Capturing walk-ins: who is meant, who may be meant, and phones that were offline."""

import asyncio
from datetime import timedelta
from typing import Any

import pytest
from carnet.profiles.v1 import duplicates_pb2 as dup
from carnet.profiles.v1 import events_pb2 as ev
from carnet.profiles.v1 import profiles_pb2 as pb

from chassis.errors import ServiceError
from chassis.testing import published
from chassis.values import timestamp_of

PHONE, OTHER_PHONE = "+12025550101", "+12025550102"


def capture(house: Any, **fields: Any) -> Any:
    return house.stub.CaptureVisit(pb.CaptureVisitRequest(**{"store_id": house.store_id, **fields}))


async def refusal(call: Any) -> ServiceError:
    with pytest.raises(ServiceError) as refused:
        await call
    return refused.value


@pytest.mark.parametrize(
    ("given_name", "family_name"),
    [
        ("Robert", "García"), ("bob", "garcia"), ("Robert", "Gracia"), ("García", "Robert"), ("Robert", "García López"),
    ],
)  # fmt: skip
async def test_somebody_who_is_likely_known_is_asked_about_before_a_second_one_is_made(
    house: Any, given_name: str, family_name: str
) -> None:
    known = await house.client_with_phone(PHONE, given_name="Robert", family_name="García")
    await house.client(given_name="Rosa", family_name="García")
    asked = {"given_name": given_name, "family_name": family_name, "phone": OTHER_PHONE}
    refused = await refusal(capture(house, **asked))
    assert (refused.reason, refused.metadata["client_ids"]) == ("CLIENT_LIKELY", known.client_id)
    assert not await published(house.database, ev.VisitRecorded, chain_id=house.chain_id)
    told = await capture(house, **asked, client_id=known.client_id)
    assert (told.client.client_id, told.is_new_client) == (known.client_id, False)
    assert OTHER_PHONE in [contact.value for contact in told.client.contact_points]


async def test_somebody_new_of_the_same_name_is_made_when_the_store_says_so(house: Any) -> None:
    known = await house.client(given_name="Robert", family_name="García")
    said = await capture(house, given_name="Robert", family_name="García", is_new_client=True)
    assert said.is_new_client
    assert said.client.client_id != known.client_id
    both = await refusal(capture(house, given_name="Robert", family_name="García"))
    assert sorted(both.metadata["client_ids"].split(",")) == sorted([known.client_id, said.client.client_id])


@pytest.mark.parametrize(
    ("given_name", "family_name"), [("Robert", ""), ("", "García"), ("Rosa", "García"), ("Robert", "Diaz")]
)
async def test_half_a_name_or_another_name_is_nobody_known(
    house: Any, given_name: str, family_name: str
) -> None:
    await house.client(given_name="Robert", family_name="García")
    captured = await capture(house, given_name=given_name, family_name=family_name)
    assert captured.is_new_client


async def test_of_a_crowd_of_one_name_those_of_the_store_are_named(house: Any) -> None:
    other = await house.stub.CreateStore(
        pb.CreateStoreRequest(display_name="Elsewhere", time_zone="America/New_York", country="US")
    )
    for _ in range(26):
        await house.client(given_name="John", family_name="Smith", home_store_id=other.store_id)
    here = await house.client(given_name="John", family_name="Smith")
    refused = await refusal(capture(house, given_name="John", family_name="Smith"))
    assert refused.metadata["client_ids"] == here.client_id


async def test_the_phone_of_one_with_the_email_of_another_is_nobody_for_certain(house: Any) -> None:
    ana = await house.client_with_phone(PHONE, given_name="Ana", family_name="Lee")
    ben = await house.client(
        given_name="Ben",
        family_name="Diaz",
        contact_points=[pb.ContactPoint(kind=pb.CONTACT_KIND_EMAIL, value="ben@b.example")],
    )
    asked = {"given_name": "Ana", "family_name": "Lee", "phone": PHONE, "email": "BEN@b.example"}
    refused = await refusal(capture(house, **asked))
    assert refused.reason == "CLIENT_AMBIGUOUS"
    assert sorted(refused.metadata["client_ids"].split(",")) == sorted([ana.client_id, ben.client_id])
    assert [len((await read(house, one)).contact_points) for one in (ana, ben)] == [1, 1]
    told = await capture(house, **asked, client_id=ana.client_id)
    assert told.client.client_id == ana.client_id


async def read(house: Any, client: pb.Client) -> pb.Client:
    return await house.stub.GetClient(pb.GetClientRequest(client_id=client.client_id))


async def test_somebody_of_the_family_on_the_same_phone_is_asked_about(house: Any) -> None:
    ana = await house.client_with_phone(PHONE, given_name="Ana", family_name="Lee")
    asked = {"given_name": "Tom", "family_name": "Lee", "phone": PHONE}
    refused = await refusal(capture(house, **asked))
    assert (refused.reason, refused.metadata["client_ids"]) == ("CLIENT_LIKELY", ana.client_id)
    said = await capture(house, **asked, is_new_client=True)
    assert said.is_new_client
    assert (await read(house, ana)).given_name == "Ana"
    # From now on the number is that of two, and the name tells them apart.
    again = await capture(house, **asked)
    assert again.client.client_id == said.client.client_id


async def test_two_captures_of_one_new_name_at_the_same_moment_make_one_client(house: Any) -> None:
    calls = [capture(house, given_name="Eve", family_name="Diaz") for _ in range(20)]
    outcomes = await asyncio.gather(*calls, return_exceptions=True)
    made = [outcome for outcome in outcomes if not isinstance(outcome, BaseException)]
    assert len(made) == 1
    assert {o.reason for o in outcomes if isinstance(o, ServiceError)} == {"CLIENT_LIKELY"}


async def test_a_number_without_a_country_is_read_as_the_stores_and_said(house: Any) -> None:
    captured = await capture(house, given_name="Eve", phone="(202) 555-0101")
    assert captured.client.contact_points[0].value == PHONE
    (remark,) = captured.remarks
    assert "US" in remark
    assert PHONE in remark
    assert not (await capture(house, given_name="Eve", phone=PHONE)).remarks


async def test_a_phone_that_was_offline_says_later_when_it_was(house: Any) -> None:
    seen = house.clock.now() - timedelta(hours=5)
    captured = await capture(
        house,
        given_name="Eve",
        phone=PHONE,
        visit_time=timestamp_of(seen),
        consent=pb.CapturedConsent(
            channel=pb.CHANNEL_SMS,
            purposes=[pb.PURPOSE_SERVICE],
            wording="May we tell you when it is ready?",
        ),
    )
    assert captured.visit.visit_time.ToDatetime(tzinfo=seen.tzinfo) == seen
    assert captured.visit.create_time.ToDatetime(tzinfo=seen.tzinfo) == house.clock.now()
    # What was revoked between the visit and now must stay revoked.
    assert captured.consent.capture_time.ToDatetime(tzinfo=seen.tzinfo) == seen


@pytest.mark.parametrize("away", [timedelta(minutes=11), timedelta(days=-30, seconds=-1)])
async def test_a_visit_ahead_or_long_ago_is_refused(house: Any, away: timedelta) -> None:
    refused = await refusal(
        capture(house, given_name="Eve", visit_time=timestamp_of(house.clock.now() + away))
    )
    assert (refused.reason, refused.violations[0].field) == ("FIELD_INVALID", "visit_time")


async def test_a_capture_sent_again_two_days_later_is_the_same_capture(house: Any) -> None:
    asked = {
        "request_id": "offline-phone",
        "given_name": "Eve",
        "phone": "202 555 0101",
        "visit_time": timestamp_of(house.clock.now() - timedelta(days=29)),
    }
    first = await capture(house, **asked)
    house.clock.advance(timedelta(days=2))
    house.act_as()
    assert await capture(house, **asked) == first
    assert len(await published(house.database, ev.VisitRecorded, chain_id=house.chain_id)) == 1


async def test_a_capture_sent_again_after_its_client_was_merged_leads_to_the_survivor(house: Any) -> None:
    survivor = await house.client(given_name="Ana")
    first = await capture(house, request_id="walk", given_name="Eve")
    await house.duplicates.MergeClients(
        dup.MergeClientsRequest(
            surviving_client_id=survivor.client_id, merged_client_id=first.client.client_id
        )
    )
    again = await capture(house, request_id="walk", given_name="Eve")
    assert (again.client.client_id, again.is_new_client) == (survivor.client_id, True)
    assert again.visit.visit_id == first.visit.visit_id
