"""Wishes through the real server: added once, granted, and looking open to the one who must not know."""

import asyncio
from datetime import timedelta
from typing import Any

import pytest
from carnet.profiles.v1 import events_pb2 as ev
from carnet.profiles.v1 import profiles_pb2 as pb
from carnet.profiles.v1 import records_pb2 as rec
from google.type.date_pb2 import Date

from chassis.errors import Kind, ServiceError
from chassis.testing import published

PENDANT = pb.Piece(category="pendant", stone="sapphire", metal="platinum", brand_id="brd_1", reference="SP-1")
TODAY = Date(year=2026, month=3, day=10)
TOMORROW = Date(year=2026, month=3, day=11)


async def wish_for(house: Any, client_id: str, **fields: Any) -> rec.Wish:
    return await house.records.CreateWish(
        rec.CreateWishRequest(**{"client_id": client_id, "piece": PENDANT, **fields})
    )


async def set_state(house: Any, wish_id: str, state: str, **fields: Any) -> rec.Wish:
    return await house.records.SetWishState(
        rec.SetWishStateRequest(wish_id=wish_id, state=rec.WishState.Value(f"WISH_STATE_{state}"), **fields)
    )


async def wishes(house: Any, client_id: str, **fields: Any) -> list[rec.Wish]:
    return list((await house.records.ListWishes(rec.ListWishesRequest(client_id=client_id, **fields))).wishes)


async def lines(house: Any, client_id: str, **fields: Any) -> list[str]:
    return await house.timeline(client_id, kinds=[pb.TIMELINE_KIND_WISH], **fields)


def later(house: Any, **time: float) -> None:
    """Let time go by, and sign in again."""
    house.clock.advance(timedelta(**time))
    house.act_as()


async def test_a_wish_is_on_the_list_and_said(house: Any) -> None:
    client = (await house.client()).client_id
    wish = await wish_for(house, client, note="For the gala.", for_whom="her mother")
    assert (wish.piece, wish.note, wish.for_whom, wish.etag) == (PENDANT, "For the gala.", "her mother", "v1")
    assert wish.state == rec.WISH_STATE_WANTED
    assert await wishes(house, client) == [wish]
    assert await lines(house, client) == ["Wished for a pendant"]
    (said,) = await published(house.database, ev.WishAdded, chain_id=house.chain_id)
    assert (said.wish.wish_id, said.wish.stone, said.wish.version) == (wish.wish_id, "sapphire", 1)


async def test_a_wish_that_was_granted_as_a_surprise_looks_open_until_it_is_over(house: Any) -> None:
    wife, husband = (await house.client()).client_id, (await house.client()).client_id
    wish = await wish_for(house, wife)
    granted = await set_state(
        house, wish.wish_id, "BOUGHT_BY_SOMEBODY",
        bought_by_client_id=husband, is_surprise=True, surprise_end_date=TODAY,
    )  # fmt: skip
    assert (granted.bought_by_client_id, granted.is_surprise) == (husband, True)
    (shown,) = await wishes(house, wife)
    assert (shown.state, shown.bought_by_client_id) == (rec.WISH_STATE_WANTED, "")
    assert not shown.is_surprise
    assert not shown.HasField("surprise_end_date")
    assert await wishes(house, wife, include_surprises=True) == [granted]
    assert await lines(house, wife) == ["Wished for a pendant"]
    assert await lines(house, wife, include_surprises=True) == [
        "Somebody bought what was wished for",
        "Wished for a pendant",
    ]
    (said,) = await published(house.database, ev.WishChanged, chain_id=house.chain_id)
    assert (said.wish.is_surprise, said.wish.bought_by_client_id, said.wish.version) == (True, husband, 2)
    later(house, days=1)
    assert await wishes(house, wife) == [granted]
    assert len(await lines(house, wife)) == 2


async def test_a_surprise_without_an_end_holds_until_somebody_ends_it(house: Any) -> None:
    wife = (await house.client()).client_id
    wish = await wish_for(house, wife)
    await set_state(house, wish.wish_id, "BOUGHT_BY_SOMEBODY", is_surprise=True)
    later(house, days=4000)
    assert (await wishes(house, wife))[0].state == rec.WISH_STATE_WANTED
    await set_state(house, wish.wish_id, "BOUGHT_BY_SOMEBODY")
    assert (await wishes(house, wife))[0].state == rec.WISH_STATE_BOUGHT_BY_SOMEBODY


async def test_a_gift_that_came_back_leaves_no_line_that_tells_of_it(house: Any) -> None:
    wife = (await house.client()).client_id
    wish = await wish_for(house, wife)
    await set_state(house, wish.wish_id, "BOUGHT_BY_SOMEBODY", is_surprise=True)
    again = await set_state(house, wish.wish_id, "WANTED")
    assert again.etag == "v3"
    assert await lines(house, wife, include_surprises=True) == ["Wished for a pendant"]


async def test_what_the_client_bought_is_told_to_everybody(house: Any) -> None:
    client = (await house.client()).client_id
    wish = await wish_for(house, client, piece=pb.Piece(description="something blue"))
    later(house, hours=1)
    await set_state(house, wish.wish_id, "BOUGHT")
    assert await lines(house, client) == ["Bought what was wished for", "Wished for a piece"]


async def test_saying_it_again_changes_nothing_and_of_twenty_at_once_one_does(house: Any) -> None:
    client = (await house.client()).client_id
    wish = await wish_for(house, client)
    answers = await asyncio.gather(*(set_state(house, wish.wish_id, "BOUGHT") for _ in range(20)))
    assert {one.etag for one in answers} == {"v2"}
    assert len(await published(house.database, ev.WishChanged, chain_id=house.chain_id)) == 1


async def test_a_wish_is_added_once_however_often_it_is_sent(house: Any) -> None:
    client = (await house.client()).client_id
    sent = await asyncio.gather(*(wish_for(house, client, request_id="phone-1") for _ in range(20)))
    assert len({one.wish_id for one in sent}) == 1
    assert len(await wishes(house, client)) == 1
    assert len(await lines(house, client)) == 1
    assert len(await published(house.database, ev.WishAdded, chain_id=house.chain_id)) == 1


async def test_a_stale_etag_is_refused(house: Any) -> None:
    wish = await wish_for(house, (await house.client()).client_id)
    await set_state(house, wish.wish_id, "BOUGHT", etag="v1")
    with pytest.raises(ServiceError) as refused:
        await set_state(house, wish.wish_id, "WANTED", etag="v1")
    assert (refused.value.kind, refused.value.reason) == (Kind.CONFLICT, "WISH_CHANGED")


async def test_a_wish_that_is_taken_off_the_list_is_gone_with_its_lines(house: Any) -> None:
    client = (await house.client()).client_id
    wish = await wish_for(house, client)
    await set_state(house, wish.wish_id, "BOUGHT")
    await house.records.DeleteWish(rec.DeleteWishRequest(wish_id=wish.wish_id))
    assert await wishes(house, client) == []
    assert await lines(house, client) == []
    (said,) = await published(house.database, ev.WishRemoved, chain_id=house.chain_id)
    assert (said.wish_id, said.client_id) == (wish.wish_id, client)
    with pytest.raises(ServiceError) as gone:
        await house.records.DeleteWish(rec.DeleteWishRequest(wish_id=wish.wish_id))
    assert gone.value.reason == "WISH_NOT_FOUND"


@pytest.mark.parametrize(
    ("state", "fields", "field"),
    [
        ("UNSPECIFIED", {}, "state"),
        ("WANTED", {"is_surprise": True}, "is_surprise"),
        ("BOUGHT", {"bought_by_client_id": "cli_1"}, "bought_by_client_id"),
        ("BOUGHT_BY_SOMEBODY", {"surprise_end_date": TOMORROW}, "surprise_end_date"),
        (
            "BOUGHT_BY_SOMEBODY",
            {"is_surprise": True, "surprise_end_date": Date(year=2026, month=2, day=29)},
            "surprise_end_date",
        ),
    ],
)
async def test_a_state_that_makes_no_sense_names_the_field(
    house: Any, state: str, fields: dict[str, Any], field: str
) -> None:
    wish = await wish_for(house, (await house.client()).client_id)
    with pytest.raises(ServiceError) as refused:
        await set_state(house, wish.wish_id, state, **fields)
    assert refused.value.reason == "FIELD_INVALID"
    assert [one.field for one in refused.value.violations] == [field]


async def test_the_giver_is_a_client_and_somebody_else(house: Any) -> None:
    client = (await house.client()).client_id
    wish = await wish_for(house, client)
    with pytest.raises(ServiceError) as unknown:
        await set_state(house, wish.wish_id, "BOUGHT_BY_SOMEBODY", bought_by_client_id="cli_nobody")
    assert unknown.value.reason == "CLIENT_NOT_FOUND"
    with pytest.raises(ServiceError) as herself:
        await set_state(house, wish.wish_id, "BOUGHT_BY_SOMEBODY", bought_by_client_id=client)
    assert [one.field for one in herself.value.violations] == ["bought_by_client_id"]


async def test_wishes_are_listed_newest_first_and_paged(house: Any) -> None:
    client = (await house.client()).client_id
    made = list[str]()
    for _ in range(5):
        made.append((await wish_for(house, client)).wish_id)
        later(house, seconds=1)
    found, token = list[str](), ""
    for _ in range(3):
        page = await house.records.ListWishes(
            rec.ListWishesRequest(client_id=client, page_size=2, page_token=token)
        )
        found += [wish.wish_id for wish in page.wishes]
        token = page.next_page_token
    assert (found, token) == (made[::-1], "")


async def test_another_chains_wish_is_not_there(house: Any, other_house: Any) -> None:
    house.act_as()
    client = (await house.client()).client_id
    wish = await wish_for(house, client)
    other_house.act_as()
    for attempt, reason in (
        (set_state(house, wish.wish_id, "BOUGHT"), "WISH_NOT_FOUND"),
        (house.records.DeleteWish(rec.DeleteWishRequest(wish_id=wish.wish_id)), "WISH_NOT_FOUND"),
        (wishes(house, client), "CLIENT_NOT_FOUND"),
        (wish_for(house, client), "CLIENT_NOT_FOUND"),
    ):
        with pytest.raises(ServiceError) as refused:
            await attempt
        assert refused.value.reason == reason


async def test_a_merged_id_leads_to_the_survivors_wishes(house: Any, merged: Any, looks: Any) -> None:
    survivor = (await house.client()).client_id
    await merged(house, "cli_before", survivor)
    wish = await wish_for(house, "cli_before")
    assert wish.client_id == survivor
    assert await wishes(house, "cli_before") == [wish]
    assert "ListWishes" in {action for action, _ in await looks(house, survivor)}
