"""Segments: saved filters over what is known of clients, through the real server."""

import asyncio
from collections.abc import Sequence
from datetime import date, timedelta
from typing import Any

import pytest
from carnet.profiles.v1 import profiles_pb2 as pb
from carnet.profiles.v1 import records_pb2, segments_pb2
from hypothesis import given
from hypothesis import strategies as st

from chassis.errors import ServiceError
from chassis.ids import new_id
from chassis.testing import NOON
from chassis.values import money_of, proto_date_of
from profiles.domain.chain_settings import ChainSettings
from profiles.domain.segments import Lifecycle, Thresholds

TODAY = NOON.date()
Filter = segments_pb2.SegmentFilter


async def buy(house: Any, client_id: str, cents: int, *, days_ago: int = 10, **piece: str) -> pb.Purchase:
    return await house.stub.RecordPurchase(
        pb.RecordPurchaseRequest(
            client_id=client_id,
            store_id=house.store_id,
            purchase_date=proto_date_of(TODAY - timedelta(days=days_ago)),
            lines=[pb.PurchaseLine(piece=pb.Piece(**piece), quantity=1, amount=money_of(cents, "USD"))],
        )
    )


async def found(house: Any, **conditions: Any) -> set[str]:
    """Return the given names of whom a filter finds."""
    answer = await house.segments.PreviewSegment(
        segments_pb2.PreviewSegmentRequest(filter=Filter(**conditions), page_size=200)
    )
    names = {client.given_name for client in answer.clients}
    assert answer.count.client_count == len(answer.clients)
    return names


async def saved(house: Any, name: str = "Rings", **conditions: Any) -> segments_pb2.Segment:
    return await house.segments.CreateSegment(
        segments_pb2.CreateSegmentRequest(
            request_id=new_id("req"), display_name=name, filter=Filter(**conditions or {"has_phone": True})
        )
    )


async def refused(call: Any) -> tuple[str, Sequence[str]]:
    with pytest.raises(ServiceError) as refusal:
        await call
    return refusal.value.reason, [violation.field for violation in refusal.value.violations]


async def named(house: Any, *names: str, **fields: Any) -> list[str]:
    return [(await house.client(given_name=name, **fields)).client_id for name in names]


async def test_each_client_is_in_exactly_one_lifecycle(house: Any) -> None:
    names = ("prospect", "first_time", "one_timer", "repeat", "lapsed", "vip")
    ids = dict(zip(names, await named(house, *names), strict=True))
    await buy(house, ids["first_time"], 100_00, days_ago=180)
    await buy(house, ids["one_timer"], 100_00, days_ago=181)
    for days_ago in (900, 730):
        await buy(house, ids["repeat"], 100_00, days_ago=days_ago)
    for days_ago in (900, 731):
        await buy(house, ids["lapsed"], 9_000_00, days_ago=days_ago)
    await buy(house, ids["vip"], 10_000_00, days_ago=730)
    for lifecycle in Lifecycle:
        number = segments_pb2.Lifecycle.Value(f"LIFECYCLE_{lifecycle.name}")
        assert await found(house, lifecycles=[number]) == {lifecycle.value}
    segment = await saved(house, minimum_purchases=0)
    count = await house.segments.CountSegment(segments_pb2.CountSegmentRequest(segment_id=segment.segment_id))
    assert count.client_count == 6
    assert [one.client_count for one in count.lifecycles] == [1] * 6


@given(
    purchases=st.integers(0, 3),
    spent=st.integers(-100, 2_000_000),
    days=st.one_of(st.none(), st.integers(0, 1000)),
)
def test_every_figure_has_a_lifecycle(purchases: int, spent: int, days: int | None) -> None:
    last = None if days is None else TODAY - timedelta(days=days)
    lifecycle = Thresholds.of(ChainSettings(), TODAY).lifecycle(purchases, spent, last)
    assert (lifecycle is Lifecycle.PROSPECT) == (purchases == 0 or last is None)


async def test_who_brought_everything_back_is_a_prospect_again(house: Any) -> None:
    (client_id,) = await named(house, "Ines")
    purchase = await buy(house, client_id, 500_00)
    assert await found(house, minimum_spent_minor=50_000) == {"Ines"}
    await house.records.RecordReturn(
        records_pb2.RecordReturnRequest(
            request_id=new_id("req"),
            purchase_id=purchase.purchase_id,
            store_id=house.store_id,
            return_date=proto_date_of(TODAY),
            lines=[records_pb2.ReturnLine(purchase_line=0, quantity=1, amount=money_of(500_00, "USD"))],
        )
    )
    assert await found(house, minimum_spent_minor=1) == set()
    assert await found(house, lifecycles=[segments_pb2.LIFECYCLE_PROSPECT]) == {"Ines"}


async def test_pieces_are_compared_without_case_and_accents(house: Any) -> None:
    ana, _ = await named(house, "Ana", "Bo")
    await buy(house, ana, 100_00, stone="Émeraude", category="Ring", metal="Yellow Gold", brand_id="brd_1")
    assert await found(house, stones=["emeraude"]) == {"Ana"}
    assert await found(house, stones=["ruby", "EMERAUDE"], categories=["ring"]) == {"Ana"}
    assert await found(house, metals=["yellow gold"], brand_ids=["brd_1"]) == {"Ana"}
    assert await found(house, stones=["ruby"]) == set()
    assert await found(house, categories=["ring"], metals=["platinum"]) == set()


async def test_what_a_profile_says_is_filtered(house: Any) -> None:
    await house.client(
        given_name="Cy",
        language="fr",
        tags=["Collector"],
        associate_id=house.ana,
        occasions=[
            pb.Occasion(kind=pb.OCCASION_KIND_BIRTHDAY, date=proto_date_of(date(1990, 2, 28))),
        ],
        contact_points=[pb.ContactPoint(kind=pb.CONTACT_KIND_EMAIL, value="cy@maison.example")],
    )
    await named(house, "Dee")
    assert await found(house, languages=["FR"]) == {"Cy"}
    assert await found(house, tags=["collector"]) == {"Cy"}
    assert await found(house, associate_ids=[house.ana]) == {"Cy"}
    assert await found(house, store_ids=[house.store_id]) == {"Cy", "Dee"}
    assert await found(house, occasion_kind=pb.OCCASION_KIND_BIRTHDAY, occasion_months=[2]) == {"Cy"}
    assert await found(house, occasion_kind=pb.OCCASION_KIND_BIRTHDAY, occasion_months=[3]) == set()
    assert await found(house, has_email=True) == {"Cy"}
    assert await found(house, has_email=False) == {"Dee"}
    assert await found(house, has_phone=True) == set()


async def test_days_are_included_at_both_ends(house: Any) -> None:
    (client_id,) = await named(house, "Eve")
    await buy(house, client_id, 100_00, days_ago=10)
    await house.stub.RecordVisit(pb.RecordVisitRequest(client_id=client_id, store_id=house.store_id))
    bought, today = proto_date_of(TODAY - timedelta(days=10)), proto_date_of(TODAY)
    tomorrow = proto_date_of(TODAY + timedelta(days=1))
    assert await found(house, last_purchase_from=bought, last_purchase_until=bought) == {"Eve"}
    assert await found(house, last_visit_from=today, last_visit_until=today) == {"Eve"}
    assert await found(house, last_visit_from=tomorrow) == set()
    assert await found(house, client_since_from=today, client_since_until=today) == {"Eve"}
    assert await found(house, client_since_from=tomorrow) == set()


async def test_a_segment_is_saved_read_changed_and_forgotten(house: Any) -> None:
    segment = await saved(
        house, minimum_spent_minor=1, lifecycles=[segments_pb2.LIFECYCLE_VIP], has_wish=False
    )
    get = segments_pb2.GetSegmentRequest(segment_id=segment.segment_id)
    assert await house.segments.GetSegment(get) == segment
    change = segments_pb2.UpdateSegmentRequest(
        segment_id=segment.segment_id,
        display_name="Pearls",
        filter=Filter(stones=["pearl"]),
        etag=segment.etag,
    )
    changed = await house.segments.UpdateSegment(change)
    assert (changed.display_name, changed.filter.stones[:]) == ("Pearls", ["pearl"])
    assert (await refused(house.segments.UpdateSegment(change)))[0] == "SEGMENT_CHANGED"
    delete = segments_pb2.DeleteSegmentRequest(segment_id=segment.segment_id)
    await house.segments.DeleteSegment(delete)
    assert (await refused(house.segments.GetSegment(get)))[0] == "SEGMENT_NOT_FOUND"
    assert (await refused(house.segments.DeleteSegment(delete)))[0] == "SEGMENT_NOT_FOUND"


async def test_a_name_is_given_once_whoever_asks_at_the_same_moment(house: Any) -> None:
    outcomes = await asyncio.gather(
        *(saved(house, name) for name in ("Rings", "rings") * 10), return_exceptions=True
    )
    refusals = [outcome for outcome in outcomes if isinstance(outcome, ServiceError)]
    assert {refusal.reason for refusal in refusals} == {"SEGMENT_NAME_TAKEN"}
    assert len(refusals) == 19
    other = await saved(house, "Watches")
    change = segments_pb2.UpdateSegmentRequest(
        segment_id=other.segment_id, display_name="RINGS", filter=Filter(has_phone=True)
    )
    assert await refused(house.segments.UpdateSegment(change)) == ("SEGMENT_NAME_TAKEN", ["display_name"])


async def test_a_repeat_by_request_id_makes_one_segment(house: Any) -> None:
    request = segments_pb2.CreateSegmentRequest(
        request_id="req_1", display_name="Rings", filter=Filter(has_phone=True)
    )
    assert await house.segments.CreateSegment(request) == await house.segments.CreateSegment(request)


async def test_a_filter_that_cannot_be_meant_says_which_field(house: Any) -> None:
    assert await refused(found(house)) == ("SEGMENT_EMPTY", ["filter"])
    assert (await refused(found(house, minimum_purchases=3, maximum_purchases=2)))[1] == [
        "filter.maximum_purchases"
    ]
    assert (await refused(found(house, occasion_months=[2])))[1] == ["filter.occasion_kind"]
    assert (await refused(found(house, has_phone=True, occasion_months=[13])))[1] == [
        "filter.occasion_months[0]"
    ]
    impossible = pb.Occasion(date=proto_date_of(TODAY)).date
    impossible.month, impossible.day = 2, 30
    assert (await refused(found(house, last_visit_from=impossible)))[1] == ["filter.last_visit_from"]


async def test_pages_are_newest_first_and_lose_nobody(house: Any) -> None:
    ids = await named(house, *(f"Client {number}" for number in range(7)), language="it")
    segment = await saved(house, languages=["it"])
    seen: list[str] = []
    token = ""
    while True:
        page = await house.segments.ListSegmentClients(
            segments_pb2.ListSegmentClientsRequest(
                segment_id=segment.segment_id, page_size=3, page_token=token
            )
        )
        seen += [client.client_id for client in page.clients]
        if not (token := page.next_page_token):
            break
    assert seen == ids[::-1]


async def test_segments_are_listed_by_name_and_stay_in_their_chain(house: Any) -> None:
    for name in ("Watches", "Anniversaries", "Rings"):
        await saved(house, name)
    first = await house.segments.ListSegments(segments_pb2.ListSegmentsRequest(page_size=2))
    rest = await house.segments.ListSegments(
        segments_pb2.ListSegmentsRequest(page_size=2, page_token=first.next_page_token)
    )
    listed = [*first.segments, *rest.segments]
    assert [segment.display_name for segment in listed] == ["Anniversaries", "Rings", "Watches"]
    house.act_as("segments:read", chain_id="chn_other")
    assert not (await house.segments.ListSegments(segments_pb2.ListSegmentsRequest())).segments
    for ask, kind in (
        (house.segments.GetSegment, segments_pb2.GetSegmentRequest),
        (house.segments.CountSegment, segments_pb2.CountSegmentRequest),
        (house.segments.ListSegmentClients, segments_pb2.ListSegmentClientsRequest),
    ):
        assert (await refused(ask(kind(segment_id=listed[0].segment_id))))[0] == "SEGMENT_NOT_FOUND"
