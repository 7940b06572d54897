"""Bulk sends: taken whole, written in slices, each recipient once; what becomes of recipients is told."""

from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, timedelta
from typing import Any

import pytest
import pytest_asyncio
from bulk_desk import BODY, LEFT_OUT, Desk, open_desk
from carnet.messaging.v1 import bulk_pb2 as bulk
from carnet.messaging.v1 import events_pb2
from carnet.messaging.v1 import messaging_pb2 as pb
from google.protobuf.timestamp_pb2 import Timestamp
from test_client_records import told

from chassis.errors import Kind, ServiceError
from chassis.testing import SignIn, published
from messaging.config import Settings
from messaging.domain import Purpose


@pytest.fixture(scope="module")
def left_out() -> tuple[str, ...]:
    return LEFT_OUT


@pytest_asyncio.fixture(loop_scope="session")
async def desk(house: Any, started: Any, settings: Settings, sign_in: SignIn) -> AsyncIterator[Desk]:
    async with open_desk(house, started, settings, sign_in) as made:
        yield made


def after(desk: Desk, **span: float) -> Timestamp:
    """Return a time after now."""
    moment = Timestamp()
    moment.FromDatetime(desk.house.clock.now() + timedelta(**span))
    return moment


async def test_everybody_gets_it_once(desk: Desk) -> None:
    client_ids = await desk.clients(5)
    made = await desk.create(client_ids)
    assert (made.state, made.recipient_count) == (bulk.BULK_SEND_STATE_RUNNING, 5)
    assert (dict(made.counts), made.campaign_id) == ({"FROZEN": 5}, made.bulk_send_id)
    await desk.drain()
    assert sorted(desk.sent_to()) == sorted(map(desk.house.phone_of, client_ids))
    done = await desk.read(made)
    assert (done.state, dict(done.counts)) == (bulk.BULK_SEND_STATE_FINISHED, {"SENT": 5})
    assert not done.HasField("finish_estimate_time")
    [said] = await published(desk.house.database, events_pb2.BulkSendFinished, chain_id=desk.house.chain_id)
    assert (said.bulk_send_id, said.store_id, said.sent_count) == (made.bulk_send_id, desk.house.store_id, 5)
    outcomes = await desk.outcomes(made)
    assert [one.client_id for one in outcomes] == client_ids
    sent = await desk.house.stub.GetMessage(pb.GetMessageRequest(message_id=outcomes[0].message_id))
    assert (sent.bulk_send_id, sent.campaign_id) == (made.bulk_send_id, made.bulk_send_id)


async def test_a_repeat_of_the_request_is_the_same_bulk_send(desk: Desk) -> None:
    client_ids = await desk.clients(2)
    made = await desk.create(client_ids, request_id="the same")
    again = await desk.create(client_ids, request_id="the same")
    assert again == made
    with pytest.raises(ServiceError) as refused:
        await desk.create(client_ids[:1], request_id="the same")
    assert refused.value.reason == "REQUEST_ID_REUSED"
    await desk.drain()
    assert len(desk.sent_to()) == 2


@pytest.mark.parametrize(
    ("fields", "reason", "field"),
    [
        ({"purpose": pb.PURPOSE_CONVERSATIONAL}, "PURPOSE_PERSONAL", "purpose"),
        ({"body": " "}, "FIELD_INVALID", "body"),
        ({"body": BODY, "template_id": "tpl_1"}, "FIELD_INVALID", "body"),
        ({"body": "x" * 1601}, "FIELD_INVALID", "body"),
        ({"display_name": "  "}, "FIELD_INVALID", "display_name"),
        ({"template_id": "tpl_none", "body": ""}, "TEMPLATE_NOT_FOUND", ""),
        ({"store_id": "sto_none"}, "SENDER_MISSING", ""),
        ({"media_ids": ["med_none"]}, "MEDIA_NOT_FOUND", ""),
        ({"subject": "News"}, "FIELD_INVALID", "subject"),
        ({"recipients": []}, "FIELD_INVALID", "recipients"),
        ({"channel": pb.CHANNEL_EMAIL}, "SENDER_MISSING", ""),
    ],
)
async def test_what_cannot_be_sent_is_refused_with_its_field(
    desk: Desk, fields: dict[str, Any], reason: str, field: str
) -> None:
    with pytest.raises(ServiceError) as refused:
        await desk.create([desk.house.client()], **fields)
    assert refused.value.reason == reason
    assert [one.field for one in refused.value.violations] == ([field] if field else [])
    async with desk.house.database.transaction(desk.house.chain_id) as tx:
        assert (await tx.execute("select count(*) from bulk_recipients")).scalar_one() == 0


async def test_times_that_leave_no_time_are_refused(desk: Desk) -> None:
    client_id = desk.house.client()
    for fields, field in (
        ({"expire_time": after(desk, hours=-1)}, "expire_time"),
        ({"send_time": after(desk, hours=2), "expire_time": after(desk, hours=1)}, "expire_time"),
        ({"send_time": after(desk, days=400)}, "send_time"),
    ):
        with pytest.raises(ServiceError) as refused:
            await desk.create([client_id], **fields)
        assert [one.field for one in refused.value.violations] == [field]


async def test_a_recipient_who_is_there_twice_is_named(desk: Desk) -> None:
    one, other = desk.house.client(), desk.house.client()
    with pytest.raises(ServiceError) as refused:
        await desk.create([one, other, one])
    assert (refused.value.reason, refused.value.metadata["client_id"]) == ("RECIPIENT_TWICE", one)
    assert [violation.field for violation in refused.value.violations] == ["recipients[2].client_id"]


async def test_values_that_are_none_are_named(desk: Desk) -> None:
    one, other = desk.house.client(), desk.house.client()
    for value in ("x" * 501, "a\0b"):
        with pytest.raises(ServiceError) as refused:
            await desk.create(
                [],
                recipients=[
                    bulk.BulkRecipient(client_id=one, values={"piece": "the ring"}),
                    bulk.BulkRecipient(client_id=other, values={"piece": value}),
                ],
            )
        assert [violation.field for violation in refused.value.violations] == ["recipients[1].values"]


async def test_a_repeat_after_its_time_is_the_first_answer_still(desk: Desk) -> None:
    client_ids = await desk.clients(1)
    times = {"send_time": after(desk, hours=1), "expire_time": after(desk, hours=2)}
    made = await desk.create(client_ids, request_id="late", **times)
    desk.house.clock.advance(timedelta(hours=3))
    again = await desk.create(client_ids, request_id="late", **times)
    assert again.bulk_send_id == made.bulk_send_id


async def test_nothing_goes_out_before_its_time(desk: Desk) -> None:
    made = await desk.create(await desk.clients(2), send_time=after(desk, minutes=10))
    for _ in range(9):
        assert await desk.sender.run_due() == 0
        desk.house.clock.advance(timedelta(minutes=1))
    assert dict((await desk.read(made)).counts) == {"FROZEN": 2}
    desk.house.clock.advance(timedelta(minutes=1))
    await desk.drain()
    assert len(desk.sent_to()) == 2


async def test_what_is_too_late_expires(desk: Desk) -> None:
    await desk.set_speed(0.01)
    made = await desk.create(await desk.clients(3), expire_time=after(desk, minutes=1))
    await desk.drain()
    done = await desk.read(made)
    assert done.state == bulk.BULK_SEND_STATE_FINISHED
    assert done.counts["SENT"] + done.counts["EXPIRED"] == 3
    assert 1 <= done.counts["EXPIRED"] == 3 - len(desk.sent_to())
    [said] = await published(desk.house.database, events_pb2.BulkSendFinished, chain_id=desk.house.chain_id)
    assert said.failed_count == done.counts["EXPIRED"]


async def test_recipients_who_cannot_be_written_to_are_told_with_the_reason(desk: Desk) -> None:
    [agreed] = await desk.clients(1)
    silent = desk.house.client()
    unreachable = desk.house.client()
    recipients = desk.house.profiles.recipients
    recipients[unreachable] = replace(recipients[unreachable], phones=())
    made = await desk.create([agreed, silent, unreachable, "cli_nobody"])
    await desk.drain()
    reasons = {one.client_id: (one.state, one.reason) for one in await desk.outcomes(made)}
    assert reasons == {
        agreed: (bulk.BULK_RECIPIENT_STATE_SENT, ""),
        silent: (bulk.BULK_RECIPIENT_STATE_DENIED, "NO_PERMISSION"),
        unreachable: (bulk.BULK_RECIPIENT_STATE_DENIED, "CLIENT_UNREACHABLE"),
        "cli_nobody": (bulk.BULK_RECIPIENT_STATE_DENIED, "CLIENT_NOT_FOUND"),
    }
    done = await desk.read(made)
    assert dict(done.counts) == {"SENT": 1, "DENIED": 3}
    assert dict(done.denied_by_reason) == {
        "NO_PERMISSION": 1,
        "CLIENT_UNREACHABLE": 1,
        "CLIENT_NOT_FOUND": 1,
    }
    only = await desk.outcomes(made, state=bulk.BULK_RECIPIENT_STATE_SENT)
    assert [one.client_id for one in only] == [agreed]


async def test_a_number_gets_it_once_whoever_has_it(desk: Desk) -> None:
    house = desk.house
    [one] = await desk.clients(1)
    other = house.client(house.phone_of(one))
    made = await desk.create([one, other])
    await desk.drain()
    assert desk.sent_to() == [house.phone_of(one)]
    assert [(each.state, each.reason) for each in await desk.outcomes(made)] == [
        (bulk.BULK_RECIPIENT_STATE_SENT, ""),
        (bulk.BULK_RECIPIENT_STATE_DENIED, "DUPLICATE_NUMBER"),
    ]


async def test_two_recipients_who_became_one_person_get_it_once(desk: Desk) -> None:
    one, other = await desk.clients(2)
    made = await desk.create([one, other])
    await desk.house.merge(one, other)
    await desk.drain()
    assert desk.sent_to() == [desk.house.phone_of(one)]
    assert [each.reason for each in await desk.outcomes(made)] == ["", "DUPLICATE_NUMBER"]


async def test_who_is_erased_gets_nothing_and_is_not_named_any_more(desk: Desk) -> None:
    one, other = await desk.clients(2)
    made = await desk.create([one, other])
    await desk.house.erase(other)
    await desk.drain()
    assert desk.sent_to() == [desk.house.phone_of(one)]
    await desk.house.erase(one, erasure_id="ers_2")
    outcomes = await desk.outcomes(made)
    assert [(each.client_id, each.message_id, each.reason) for each in outcomes] == [
        ("", "", "CLIENT_NOT_FOUND"),
        ("", "", "CLIENT_NOT_FOUND"),
    ]
    assert dict((await desk.read(made)).counts) == {"DENIED": 2}


async def test_recipients_stand_in_an_export_of_their_client(desk: Desk) -> None:
    one, other = await desk.clients(2)
    made = await desk.create([one, other])
    records = [fields for section, fields in await told(desk.house, one) if section == "bulk_recipients"]
    assert [fields["bulk_send_id"] for fields in records] == [made.bulk_send_id]


async def test_stop_in_the_middle_silences_who_says_it(desk: Desk) -> None:
    await desk.set_speed(1)
    client_ids = await desk.clients(6)
    made = await desk.create(client_ids)
    await desk.sender.run_due()
    await desk.courier.run_due()
    waiting = [one.client_id for one in await desk.outcomes(made, state=bulk.BULK_RECIPIENT_STATE_QUEUED)]
    stopped = waiting[-1]
    await desk.revoke(stopped)
    await desk.drain()
    assert desk.house.phone_of(stopped) not in desk.sent_to()
    assert dict((await desk.read(made)).counts) == {"SENT": 5, "DENIED": 1}
    assert dict((await desk.read(made)).denied_by_reason) == {"PERMISSION_REVOKED": 1}


async def test_only_so_much_is_written_ahead_as_goes_out_soon(desk: Desk) -> None:
    await desk.set_speed(20)
    began = desk.house.clock.now()
    made = await desk.create(await desk.crowd(250))
    desk.sender = desk.another_sender(ahead_seconds=6)
    await desk.sender.run_due()
    await desk.sender.run_due()
    found = await desk.read(made)
    assert dict(found.counts) == {"QUEUED": 100, "FROZEN": 150}
    assert found.finish_estimate_time.ToDatetime(UTC) - began == timedelta(seconds=12.5)
    await desk.drain()
    assert dict((await desk.read(made)).counts) == {"SENT": 250}
    assert len(set(desk.sent_to())) == 250
    # No faster than the carrier lets the number send.
    assert desk.house.clock.now() - began >= timedelta(seconds=11)


async def test_quiet_hours_defer_and_do_not_hold_up_those_who_are_awake(desk: Desk) -> None:
    house = desk.house
    asleep = await desk.crowd(120, time_zone="Pacific/Honolulu")
    awake = await desk.crowd(10)
    await desk.set_speed(1)
    made = await desk.create([*asleep, *awake])
    for _ in range(15):
        await desk.sender.run_due()
        await desk.courier.run_due()
        house.clock.advance(timedelta(seconds=1))
    assert set(desk.sent_to()) == {house.phone_of(one) for one in awake}
    assert (await desk.read(made)).counts["SENT"] == 10


async def test_bulk_sends_are_listed_newest_first_and_by_state(desk: Desk) -> None:
    client_ids = await desk.clients(1)
    first = await desk.create(client_ids)
    second = await desk.create(client_ids, send_time=after(desk, hours=1))
    await desk.stub.CancelBulkSend(bulk.CancelBulkSendRequest(bulk_send_id=first.bulk_send_id))
    page = await desk.stub.ListBulkSends(bulk.ListBulkSendsRequest(page_size=1))
    assert [one.bulk_send_id for one in page.bulk_sends] == [second.bulk_send_id]
    rest = await desk.stub.ListBulkSends(bulk.ListBulkSendsRequest(page_token=page.next_page_token))
    assert [one.bulk_send_id for one in rest.bulk_sends] == [first.bulk_send_id]
    cancelled = await desk.stub.ListBulkSends(
        bulk.ListBulkSendsRequest(state=bulk.BULK_SEND_STATE_CANCELLED, store_id=desk.house.store_id)
    )
    assert [one.bulk_send_id for one in cancelled.bulk_sends] == [first.bulk_send_id]


async def test_recipients_are_listed_in_pages(desk: Desk) -> None:
    client_ids = await desk.clients(5)
    made = await desk.create(client_ids)
    seen: list[str] = []
    token = ""
    while True:
        page = await desk.stub.ListBulkRecipients(
            bulk.ListBulkRecipientsRequest(bulk_send_id=made.bulk_send_id, page_size=2, page_token=token)
        )
        seen += [one.client_id for one in page.recipients]
        if not (token := page.next_page_token):
            break
    assert seen == client_ids


async def test_another_chains_bulk_send_is_not_there(desk: Desk, sign_in: SignIn) -> None:
    made = await desk.create(await desk.clients(1))
    sign_in("bulk_sends:write", "messages:read", chain_id="chn_other")
    named = {"bulk_send_id": made.bulk_send_id}
    for call in (
        desk.stub.GetBulkSend(bulk.GetBulkSendRequest(**named)),
        desk.stub.ListBulkRecipients(bulk.ListBulkRecipientsRequest(**named)),
        desk.stub.PauseBulkSend(bulk.PauseBulkSendRequest(**named)),
        desk.stub.ResumeBulkSend(bulk.ResumeBulkSendRequest(**named)),
        desk.stub.CancelBulkSend(bulk.CancelBulkSendRequest(**named)),
    ):
        with pytest.raises(ServiceError) as refused:
            await call
        assert (refused.value.kind, refused.value.reason) == (Kind.NOT_FOUND, "BULK_SEND_NOT_FOUND")
    sign_in("bulk_sends:write", "messages:read", chain_id=desk.house.chain_id)
    assert (await desk.read(made)).state == bulk.BULK_SEND_STATE_RUNNING


async def test_a_caller_of_other_stores_sees_none_of_it(desk: Desk, sign_in: SignIn) -> None:
    made = await desk.create(await desk.clients(1))
    sign_in(
        "bulk_sends:write", "messages:read", chain_id=desk.house.chain_id, stores=frozenset({"sto_other"})
    )
    assert not (await desk.stub.ListBulkSends(bulk.ListBulkSendsRequest())).bulk_sends
    for call in (
        desk.read(made),
        desk.outcomes(made),
        desk.create([], recipients=[bulk.BulkRecipient(client_id="cli_1")]),
        desk.stub.PauseBulkSend(bulk.PauseBulkSendRequest(bulk_send_id=made.bulk_send_id)),
        desk.stub.ResumeBulkSend(bulk.ResumeBulkSendRequest(bulk_send_id=made.bulk_send_id)),
        desk.stub.CancelBulkSend(bulk.CancelBulkSendRequest(bulk_send_id=made.bulk_send_id)),
    ):
        with pytest.raises(ServiceError) as refused:
            await call
        assert refused.value.reason == "STORE_NOT_YOURS"
    sign_in("messages:read", chain_id=desk.house.chain_id)
    assert (await desk.read(made)).state == bulk.BULK_SEND_STATE_RUNNING


async def test_purposes_beside_the_agreed_one_are_denied(desk: Desk) -> None:
    [client_id] = await desk.clients(1, Purpose.SERVICE)
    made = await desk.create([client_id])
    await desk.drain()
    assert dict((await desk.read(made)).denied_by_reason) == {"NO_PERMISSION": 1}
