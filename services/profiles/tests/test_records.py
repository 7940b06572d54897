"""Purchases, visits, walk-ins and consents through the real server."""

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from carnet.profiles.v1 import events_pb2 as ev
from carnet.profiles.v1 import profiles_pb2 as pb
from google.type.date_pb2 import Date
from google.type.money_pb2 import Money

from chassis.errors import Kind, ServiceError
from chassis.testing import NOON, published
from chassis.values import timestamp_of

WORDING = "I agree to get texts from Maison."


def line(
    units: int, *, currency: str = "USD", nanos: int = 0, quantity: int = 1, **piece: Any
) -> pb.PurchaseLine:
    return pb.PurchaseLine(
        piece=pb.Piece(**piece),
        quantity=quantity,
        amount=Money(currency_code=currency, units=units, nanos=nanos),
    )


def purchase(house: Any, client: pb.Client, **fields: Any) -> pb.RecordPurchaseRequest:
    fields = {"lines": [line(100)], "purchase_date": Date(year=2026, month=3, day=9), **fields}
    return pb.RecordPurchaseRequest(client_id=client.client_id, store_id=house.store_id, **fields)


def consent(**fields: Any) -> pb.CapturedConsent:
    return pb.CapturedConsent(
        **{
            "channel": pb.CHANNEL_SMS,
            "purposes": [pb.PURPOSE_MARKETING],
            "wording": WORDING,
            "source": "tablet",
            **fields,
        }
    )


def capture(house: Any, **fields: Any) -> pb.CaptureVisitRequest:
    return pb.CaptureVisitRequest(**{"store_id": house.store_id, **fields})


async def test_a_purchase_comes_back_as_it_was_recorded(house: Any) -> None:
    client = await house.client()
    recorded = await house.stub.RecordPurchase(
        purchase(
            house, client, associate_id=house.ana, occasion_kind=pb.OCCASION_KIND_ENGAGEMENT, for_whom="Eve",
            lines=[
                line(5000, category="ring", metal="platinum", stone="sapphire", size="6",
                     price=Money(currency_code="USD", units=5500)),
                line(-20, nanos=-500_000_000, quantity=2, reference="A1"),
            ],
        )
    )  # fmt: skip
    assert await house.stub.GetPurchase(pb.GetPurchaseRequest(purchase_id=recorded.purchase_id)) == recorded
    assert (recorded.total.units, recorded.total.nanos) == (4979, 500_000_000)
    assert recorded.lines[0].piece.price.units == 5500
    (event,) = await published(house.database, ev.PurchaseRecorded, chain_id=house.chain_id)
    assert (event.purchase.total_minor, len(event.purchase.lines)) == (497_950, 2)
    assert (await house.timeline(client.client_id))[0] == "Became a client of the house"
    assert "Bought 3 pieces for USD 4979.50" in await house.timeline(client.client_id)


@pytest.mark.parametrize("key", [{"request_id": "same"}, {"source": "pos", "external_id": "77"}])
async def test_twenty_repeats_record_one_purchase(house: Any, key: dict[str, str]) -> None:
    client = await house.client()
    request = purchase(house, client, **key)
    recorded = await asyncio.gather(*(house.stub.RecordPurchase(request) for _ in range(20)))
    assert len({one.purchase_id for one in recorded}) == 1
    assert len(await published(house.database, ev.PurchaseRecorded, chain_id=house.chain_id)) == 1
    assert len(await house.timeline(client.client_id)) == 2


async def test_a_repeat_of_a_request_that_found_an_older_purchase_finds_it_again(house: Any) -> None:
    client = await house.client()
    first = await house.stub.RecordPurchase(purchase(house, client, source="pos", external_id="77"))
    again = purchase(house, client, source="pos", external_id="77", request_id="later")
    assert await house.stub.RecordPurchase(again) == first
    assert await house.stub.RecordPurchase(again) == first


@pytest.mark.parametrize(
    ("fields", "reason", "field"),
    [
        ({"lines": [line(1), line(1, currency="EUR")]}, "CURRENCY_MIXED", "lines[1].amount.currency_code"),
        ({"lines": [line(1, currency="QQQ")]}, "FIELD_INVALID", "lines[0].amount.currency_code"),
        ({"lines": [line(1, nanos=1)]}, "FIELD_INVALID", "lines[0].amount.nanos"),
        ({"purchase_date": Date(year=2026, month=2, day=29)}, "FIELD_INVALID", "purchase_date"),
        ({"external_id": "7"}, "SOURCE_MISSING", "source"),
    ],
)
async def test_a_purchase_that_cannot_be_is_refused(
    house: Any, fields: dict[str, Any], reason: str, field: str
) -> None:
    client = await house.client()
    with pytest.raises(ServiceError) as refused:
        await house.stub.RecordPurchase(purchase(house, client, **fields))
    assert (refused.value.kind, refused.value.reason) == (Kind.INVALID, reason)
    assert [violation.field for violation in refused.value.violations] == [field]


async def test_a_purchase_needs_a_client_a_store_and_an_associate_that_are_there(house: Any) -> None:
    client = await house.client()
    for wrong, reason in (
        ({"client_id": "cli_none"}, "CLIENT_NOT_FOUND"),
        ({"store_id": "sto_none"}, "STORE_NOT_FOUND"),
        ({"associate_id": "asc_none"}, "ASSOCIATE_NOT_FOUND"),
    ):
        request = purchase(house, client)
        for name, value in wrong.items():
            setattr(request, name, value)
        with pytest.raises(ServiceError) as refused:
            await house.stub.RecordPurchase(request)
        assert refused.value.reason == reason


async def test_a_client_who_bought_something_stays(house: Any) -> None:
    client = await house.client()
    await house.stub.RecordPurchase(purchase(house, client))
    with pytest.raises(ServiceError) as refused:
        await house.stub.DeleteClient(pb.DeleteClientRequest(client_id=client.client_id))
    assert (refused.value.kind, refused.value.reason) == (Kind.PRECONDITION, "CLIENT_HAS_PURCHASES")


async def test_a_visit_is_recorded_with_what_was_looked_at(house: Any) -> None:
    client = await house.client()
    house.act_as(associate_id=house.ana)
    request = pb.RecordVisitRequest(
        request_id="visit",
        client_id=client.client_id,
        store_id=house.store_id,
        items=[
            pb.VisitItem(piece=pb.Piece(category="ring"), is_liked=True),
            pb.VisitItem(piece=pb.Piece(category="watch")),
        ],
        for_whom="his wife",
        need_by_date=Date(year=2026, month=5, day=1),
        note="prefers mornings",
    )
    visit = await house.stub.RecordVisit(request)
    assert await house.stub.RecordVisit(request) == visit
    assert (visit.associate_id, visit.visit_time) == (house.ana, timestamp_of(NOON))
    (event,) = await published(house.database, ev.VisitRecorded, chain_id=house.chain_id)
    assert (event.looked_at_count, event.liked_count, event.need_by_date.month) == (2, 1, 5)
    assert "Came in and looked at 2 pieces, liked 1" in await house.timeline(client.client_id)


async def test_a_visit_cannot_lie_in_the_future(house: Any) -> None:
    client = await house.client()
    with pytest.raises(ServiceError) as refused:
        await house.stub.RecordVisit(
            pb.RecordVisitRequest(
                client_id=client.client_id,
                store_id=house.store_id,
                visit_time=timestamp_of(NOON + timedelta(hours=1)),
            )
        )
    assert refused.value.violations[0].field == "visit_time"


async def test_a_walk_in_becomes_a_client_a_visit_and_a_consent_in_one_call(house: Any) -> None:
    house.act_as(associate_id=house.ana)
    request = capture(
        house, request_id="walk-in", given_name="Eve", phone="(202) 555-0101", consent=consent(), language="en-US",
        items=[pb.VisitItem(piece=pb.Piece(category="ring"), is_liked=True)],
    )  # fmt: skip
    captured = await house.stub.CaptureVisit(request)
    assert captured.is_new_client
    assert (captured.client.home_store_id, captured.client.associate_id) == (house.store_id, house.ana)
    assert captured.visit.client_id == captured.client.client_id
    assert (captured.consent.contact_value, captured.consent.captured_by) == ("+12025550101", house.ana)
    assert await house.stub.CaptureVisit(request) == captured
    read = await house.stub.GetConsent(pb.GetConsentRequest(consent_id=captured.consent.consent_id))
    assert (read, read.wording) == (captured.consent, WORDING)
    for kind in (ev.ClientCreated, ev.VisitRecorded, ev.ConsentCaptured):
        assert len(await published(house.database, kind, chain_id=house.chain_id)) == 1
    assert sorted(await house.timeline(captured.client.client_id)) == [
        "Agreed to texts: offers", "Became a client of the house", "Came in and looked at 1 piece, liked 1",
    ]  # fmt: skip


async def test_a_walk_in_who_is_known_by_phone_or_e_mail_is_found(house: Any) -> None:
    known = await house.client_with_phone("+12025550101", given_name="Eve")
    first = await house.stub.CaptureVisit(
        capture(house, given_name="Evelyn", phone="202-555-0101", email="Eve@b.example")
    )
    assert (first.is_new_client, first.client.client_id, first.client.given_name) == (
        False,
        known.client_id,
        "Eve",
    )
    second = await house.stub.CaptureVisit(capture(house, email="EVE@B.example"))
    assert second.client.client_id == known.client_id
    assert [contact.value for contact in second.client.contact_points] == ["+12025550101", "Eve@b.example"]
    assert len(await published(house.database, ev.ClientChanged, chain_id=house.chain_id)) == 1


async def test_a_shared_phone_is_decided_by_the_name_and_else_asked_about(house: Any) -> None:
    ana = await house.client_with_phone("+12025550101", given_name="Ana", family_name="Diaz")
    ben = await house.client_with_phone("+12025550101", given_name="Ben", family_name="Diaz")
    named = await house.stub.CaptureVisit(
        capture(house, given_name="ben", family_name="diaz", phone="+12025550101")
    )
    assert named.client.client_id == ben.client_id
    with pytest.raises(ServiceError) as refused:
        await house.stub.CaptureVisit(capture(house, given_name="Cleo", phone="+12025550101"))
    assert (refused.value.kind, refused.value.reason) == (Kind.PRECONDITION, "CLIENT_AMBIGUOUS")
    assert set(refused.value.metadata["client_ids"].split(",")) == {ana.client_id, ben.client_id}
    said = await house.stub.CaptureVisit(capture(house, client_id=ana.client_id, phone="+12025550101"))
    assert said.client.client_id == ana.client_id


async def test_twenty_captures_of_one_new_number_make_one_client(house: Any) -> None:
    captured = await asyncio.gather(
        *(house.stub.CaptureVisit(capture(house, given_name="Eve", phone="+12025550101")) for _ in range(20))
    )
    assert len({one.client.client_id for one in captured}) == 1
    assert [one.is_new_client for one in captured].count(True) == 1
    assert len({one.visit.visit_id for one in captured}) == 20


@pytest.mark.parametrize(
    ("fields", "reason", "field"),
    [
        ({}, "CAPTURE_EMPTY", "given_name"),
        ({"given_name": "  "}, "CAPTURE_EMPTY", "given_name"),
        ({"phone": "555"}, "PHONE_INVALID", "phone"),
        ({"email": "nobody"}, "EMAIL_INVALID", "email"),
        ({"given_name": "Eve", "consent": consent()}, "CONSENT_CONTACT_MISSING", "phone"),
        (
            {"phone": "+12025550101", "consent": consent(channel=pb.CHANNEL_EMAIL)},
            "CONSENT_CONTACT_MISSING",
            "email",
        ),
        ({"given_name": "Eve", "time_zone": "Mars/Olympus"}, "TIME_ZONE_UNKNOWN", "time_zone"),
        (
            {"phone": "+12025550101", "consent": consent(purposes=[pb.PURPOSE_UNSPECIFIED])},
            "FIELD_INVALID",
            "consent.purposes[0]",
        ),
    ],
)
async def test_a_capture_that_cannot_be_is_refused_and_leaves_nothing(
    house: Any, fields: dict[str, Any], reason: str, field: str
) -> None:
    with pytest.raises(ServiceError) as refused:
        await house.stub.CaptureVisit(capture(house, **fields))
    assert refused.value.reason == reason
    assert [violation.field for violation in refused.value.violations] == [field]
    assert not (await house.stub.ListClients(pb.ListClientsRequest())).clients


async def test_a_consent_can_be_to_whatsapp_which_goes_to_a_number(house: Any) -> None:
    client = await house.client_with_phone("+12025550101")
    recorded = await house.stub.RecordConsent(
        pb.RecordConsentRequest(
            client_id=client.client_id,
            channel=pb.CHANNEL_WHATSAPP,
            contact_point_id=client.contact_points[0].contact_point_id,
            purposes=[pb.PURPOSE_SERVICE],
            wording=WORDING,
        )
    )
    assert (recorded.channel, recorded.contact_value) == (pb.CHANNEL_WHATSAPP, "+12025550101")


async def test_a_consent_is_for_a_contact_point_of_the_client_that_fits(house: Any) -> None:
    client = await house.client_with_phone("+12025550101")
    other = await house.client_with_phone("+12025550102")

    def request(**fields: Any) -> pb.RecordConsentRequest:
        return pb.RecordConsentRequest(
            **{
                "request_id": "consent", "client_id": client.client_id, "channel": pb.CHANNEL_SMS,
                "contact_point_id": client.contact_points[0].contact_point_id,
                "purposes": [pb.PURPOSE_SERVICE, pb.PURPOSE_SERVICE], "wording": WORDING, **fields,
            }
        )  # fmt: skip

    recorded = await house.stub.RecordConsent(request())
    assert await house.stub.RecordConsent(request()) == recorded
    assert list(recorded.purposes) == [pb.PURPOSE_SERVICE]
    for wrong, reason in (
        ({"contact_point_id": other.contact_points[0].contact_point_id}, "CONTACT_POINT_NOT_FOUND"),
        ({"channel": pb.CHANNEL_EMAIL}, "CHANNEL_MISMATCH"),
        ({"client_id": "cli_none"}, "CLIENT_NOT_FOUND"),
    ):
        with pytest.raises(ServiceError) as refused:
            await house.stub.RecordConsent(request(request_id="", **wrong))
        assert refused.value.reason == reason
    assert len(await published(house.database, ev.ConsentCaptured, chain_id=house.chain_id)) == 1


async def test_a_timeline_is_read_in_pages_and_by_kind(house: Any) -> None:
    client = await house.client()
    for day in range(1, 6):
        await house.stub.RecordPurchase(
            purchase(house, client, lines=[line(day)], purchase_date=Date(year=2026, month=1, day=day))
        )
    seen: list[str] = []
    token = ""
    while True:
        page = await house.stub.ListTimeline(
            pb.ListTimelineRequest(
                client_id=client.client_id, kinds=[pb.TIMELINE_KIND_PURCHASE], page_size=2, page_token=token
            )
        )
        seen += [entry.summary for entry in page.entries]
        if not (token := page.next_page_token):
            break
    assert seen == [f"Bought 1 piece for USD {day}.00" for day in (5, 4, 3, 2, 1)]
    first = page.entries[0]
    assert first.occur_time == timestamp_of(datetime(2026, 1, 1, 17, tzinfo=UTC))  # noon in New York
    assert first.subject_id.startswith("pur_")
    with pytest.raises(ServiceError):
        await house.stub.ListTimeline(pb.ListTimelineRequest(client_id=client.client_id, kinds=[99]))
