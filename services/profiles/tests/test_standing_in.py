"""Who stands in: second associates and out-of-office covers, through the real server."""

import asyncio
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from carnet.profiles.v1 import events_pb2 as ev
from carnet.profiles.v1 import profiles_pb2 as pb

from chassis.errors import ServiceError
from chassis.testing import NOON, published
from chassis.values import proto_date_of

TODAY = NOON.date()


async def set_second(house: Any, client_id: str, associate_id: str) -> pb.Client:
    return await house.stub.SetSecondaryAssociate(
        pb.SetSecondaryAssociateRequest(client_id=client_id, associate_id=associate_id)
    )


def cover(house: Any, start: date, end: date, **fields: Any) -> Any:
    fields = {"associate_id": house.ana, "cover_associate_id": house.ben} | fields
    return house.stub.CreateCover(
        pb.CreateCoverRequest(start_date=proto_date_of(start), end_date=proto_date_of(end), **fields)
    )


async def covered_by(house: Any) -> str:
    """Return who covers for Ana now, which both ways to read her must say alike."""
    house.act_as()
    read = await house.stub.GetAssociate(pb.GetAssociateRequest(associate_id=house.ana))
    listed = (await house.stub.ListAssociates(pb.ListAssociatesRequest())).associates
    assert [one for one in listed if one.associate_id == house.ana] == [read]
    return str(read.cover_associate_id)


async def refused(call: Any) -> str:
    with pytest.raises(ServiceError) as refusal:
        await call
    return refusal.value.reason


async def test_a_second_associate_is_named_once_and_taken_back(house: Any) -> None:
    client = await house.client(associate_id=house.ana)
    for _ in range(2):
        named = await set_second(house, client.client_id, house.ben)
    assert (named.associate_id, named.secondary_associate_id) == (house.ana, house.ben)
    assert len(await published(house.database, ev.ClientChanged, chain_id=house.chain_id)) == 1
    assert not (await set_second(house, client.client_id, "")).secondary_associate_id


async def test_the_second_must_be_there_and_not_be_the_first(house: Any) -> None:
    client = await house.client(associate_id=house.ana)
    assert await refused(set_second(house, client.client_id, house.ana)) == "SECONDARY_IS_PRIMARY"
    assert await refused(set_second(house, client.client_id, "asc_nobody")) == "ASSOCIATE_NOT_FOUND"
    assert await refused(set_second(house, "cli_nobody", house.ben)) == "CLIENT_NOT_FOUND"


async def test_who_becomes_the_first_is_the_second_no_more(house: Any) -> None:
    assigned, moved = [await house.client(associate_id=house.ana) for _ in range(2)]
    for client in (assigned, moved):
        await set_second(house, client.client_id, house.ben)
    given = await house.stub.AssignClient(
        pb.AssignClientRequest(client_id=assigned.client_id, associate_id=house.ben)
    )
    assert (given.associate_id, given.secondary_associate_id) == (house.ben, "")
    book = {"associate_id": house.ana, "target_associate_ids": [house.ben]}
    preview = await house.stub.PreviewReassignment(pb.PreviewReassignmentRequest(**book))
    await house.stub.ReassignBook(pb.ReassignBookRequest(preview_etag=preview.preview_etag, **book))
    read = await house.stub.GetClient(pb.GetClientRequest(client_id=moved.client_id))
    assert (read.associate_id, read.secondary_associate_id) == (house.ben, "")


async def test_a_second_associate_outlives_another_change_of_the_client(house: Any) -> None:
    client = await house.client(associate_id=house.ana)
    await set_second(house, client.client_id, house.ben)
    changed = await house.stub.UpdateClient(
        pb.UpdateClientRequest(
            client_id=client.client_id, client=pb.Client(language="es"), update_mask={"paths": ["language"]}
        )
    )
    assert changed.secondary_associate_id == house.ben


@pytest.mark.parametrize(
    ("moment", "is_covered"),
    [
        ((2026, 3, 20, 3, 59), False),  # 23:59 of the 19th in New York
        ((2026, 3, 20, 4, 0), True),
        ((2026, 3, 23, 3, 59), True),
        ((2026, 3, 23, 4, 0), False),
    ],
)
async def test_a_cover_holds_on_the_days_of_the_store(
    house: Any, moment: tuple[int, ...], is_covered: bool
) -> None:
    await cover(house, date(2026, 3, 20), date(2026, 3, 22))
    house.clock.set(datetime(*moment, tzinfo=UTC))  # type: ignore[misc, arg-type]
    assert await covered_by(house) == (house.ben if is_covered else "")


async def test_a_cover_who_left_covers_nobody(house: Any) -> None:
    await cover(house, TODAY, TODAY)
    assert await covered_by(house) == house.ben
    await house.stub.SetAssociateActive(pb.SetAssociateActiveRequest(associate_id=house.ben, is_active=False))
    assert await covered_by(house) == ""


async def test_days_are_covered_once_however_many_ask(house: Any) -> None:
    answers = await asyncio.gather(
        *(cover(house, TODAY, TODAY + timedelta(days=3)) for _ in range(20)), return_exceptions=True
    )
    assert len([one for one in answers if isinstance(one, pb.Cover)]) == 1
    assert {one.reason for one in answers if isinstance(one, ServiceError)} == {"COVER_OVERLAPS"}
    assert await refused(cover(house, TODAY - timedelta(days=5), TODAY)) == "COVER_OVERLAPS"
    assert (
        await refused(cover(house, TODAY + timedelta(days=3), TODAY + timedelta(days=9))) == "COVER_OVERLAPS"
    )
    await cover(house, TODAY + timedelta(days=4), TODAY + timedelta(days=4))


async def test_a_repeated_cover_is_the_same_and_can_be_taken_back(house: Any) -> None:
    first = await cover(house, TODAY, TODAY, request_id="away")
    assert await cover(house, TODAY, TODAY, request_id="away") == first
    request = pb.DeleteCoverRequest(associate_id=house.ana, cover_id=first.cover_id)
    await house.stub.DeleteCover(request)
    assert await covered_by(house) == ""
    assert await refused(house.stub.DeleteCover(request)) == "COVER_NOT_FOUND"


async def test_covers_are_listed_the_latest_first_in_pages(house: Any) -> None:
    for week in range(3):
        await cover(house, TODAY + timedelta(weeks=week), TODAY + timedelta(weeks=week))
    seen: list[date] = []
    token = ""
    while True:
        page = await house.stub.ListCovers(
            pb.ListCoversRequest(associate_id=house.ana, page_size=2, page_token=token)
        )
        seen += [date(one.start_date.year, one.start_date.month, one.start_date.day) for one in page.covers]
        if not (token := page.next_page_token):
            break
    assert seen == [TODAY + timedelta(weeks=week) for week in (2, 1, 0)]
    nobody = pb.ListCoversRequest(associate_id="asc_nobody")
    assert await refused(house.stub.ListCovers(nobody)) == "ASSOCIATE_NOT_FOUND"


async def test_a_cover_that_makes_no_sense_is_refused(house: Any) -> None:
    assert await refused(cover(house, TODAY, TODAY, cover_associate_id=house.ana)) == "COVER_IS_ABSENT"
    assert await refused(cover(house, TODAY, TODAY, cover_associate_id="asc_nobody")) == "ASSOCIATE_NOT_FOUND"
    assert await refused(cover(house, TODAY, TODAY - timedelta(days=1))) == "FIELD_INVALID"
    house.act_as(stores=frozenset({"sto_other"}))
    assert await refused(cover(house, TODAY, TODAY)) == "STORE_NOT_YOURS"
