"""Opt-outs by campaign: whose text it was, when a campaign is paused for it, and how it goes on."""

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any

import pytest
import pytest_asyncio
from bulk_desk import LEFT_OUT, Desk, open_desk
from carnet.messaging.v1 import bulk_pb2 as bulk
from carnet.messaging.v1 import events_pb2
from carnet.messaging.v1 import reports_pb2 as reports
from google.type.date_pb2 import Date

from chassis.errors import ServiceError
from chassis.testing import SignIn, published
from messaging.config import Settings
from messaging.domain import ChainSettings, Change, Purpose
from messaging.domain.bulk_sends import is_above
from messaging.domain.permissions import REASSIGNED
from messaging.store import campaigns
from messaging.store.settings import find_written, put_settings
from messaging.suppression import Suppressor
from messaging.use_cases.opt_outs import look_at_opt_outs
from messaging.use_cases.permissions import record


@pytest.fixture(scope="module")
def left_out() -> tuple[str, ...]:
    return LEFT_OUT


@pytest_asyncio.fixture(loop_scope="session")
async def desk(house: Any, started: Any, settings: Settings, sign_in: SignIn) -> AsyncIterator[Desk]:
    async with open_desk(house, started, settings, sign_in) as made:
        await set_limit(made, share=0.2, after=5)
        yield made


async def set_limit(desk: Desk, *, share: float, after: int) -> None:
    async with desk.house.database.transaction(desk.house.chain_id) as tx:
        await find_written(tx, lock=True)
        await put_settings(
            tx,
            ChainSettings(opt_out_pause_share=share, opt_out_pause_after=after),
            now=desk.house.clock.now(),
        )


async def texted(desk: Desk, client_ids: list[str], campaign_id: str) -> None:
    """Let single texts of a campaign go out."""
    for client_id in client_ids:
        await desk.house.send(client_id, campaign_id=campaign_id)
    for _ in range(10):
        await desk.courier.run_due()
        desk.house.clock.advance(timedelta(seconds=1))


async def report(desk: Desk, **fields: Any) -> list[reports.CampaignOptOuts]:
    found = await desk.reports.GetOptOutReport(reports.GetOptOutReportRequest(**fields))
    return list(found.campaigns)


async def paused(desk: Desk) -> list[events_pb2.CampaignPaused]:
    return await published(desk.house.database, events_pb2.CampaignPaused, chain_id=desk.house.chain_id)


async def is_paused(desk: Desk, campaign_id: str) -> bool:
    async with desk.house.database.transaction(desk.house.chain_id) as tx:
        return await campaigns.is_paused(tx, campaign_id)


def test_a_share_counts_once_enough_were_reached() -> None:
    assert not is_above(sent=99, opted_out=99, share=0.03, after=100)
    assert not is_above(sent=100, opted_out=3, share=0.03, after=100)
    assert is_above(sent=100, opted_out=4, share=0.03, after=100)
    assert not is_above(sent=0, opted_out=0, share=0.0, after=0)
    assert is_above(sent=1, opted_out=1, share=0.0, after=0)


async def test_an_opt_out_is_the_latest_campaigns_within_seven_days(desk: Desk) -> None:
    early, late, between, never = await desk.clients(4)
    await texted(desk, [early, late, between], "cmp_a")
    await texted(desk, [between], "cmp_b")
    await desk.house.send(between)  # of no campaign
    await desk.courier.run_due()
    for client_id in (early, between, never):
        await desk.revoke(client_id)
    desk.house.clock.advance(timedelta(days=7, hours=1))
    await desk.revoke(late)
    found = {one.campaign_id: (one.sent_count, one.opt_out_count) for one in await report(desk)}
    assert found == {"cmp_a": (3, 1), "cmp_b": (1, 1)}


async def test_a_number_opts_out_once_a_campaign(desk: Desk) -> None:
    [client_id] = await desk.clients(1)
    await texted(desk, [client_id], "cmp_a")
    await desk.revoke(client_id)
    await desk.revoke(client_id)
    [found] = await report(desk)
    assert (found.sent_count, found.opt_out_count, found.opt_out_share) == (1, 1, 1.0)
    # Whoever comes back and leaves again after another text has still left one campaign once.
    desk.house.clock.advance(timedelta(minutes=1))
    await desk.house.consent(client_id, at=desk.house.clock.now())
    desk.house.clock.advance(timedelta(minutes=1))
    await texted(desk, [client_id], "cmp_a")
    await desk.revoke(client_id)
    [found] = await report(desk)
    assert (found.sent_count, found.opt_out_count) == (1, 1)


async def test_too_many_opt_outs_pause_the_campaign_once_and_its_bulk_sends(desk: Desk) -> None:
    await desk.set_speed(1)
    client_ids = await desk.clients(12)
    made = await desk.create(client_ids)
    while len(desk.sent_to()) < 6:
        await desk.sender.run_due()
        await desk.courier.run_due()
        desk.house.clock.advance(timedelta(seconds=1))
    sent = len(desk.sent_to())
    reached = [one for one in client_ids if desk.house.phone_of(one) in desk.sent_to()]
    await desk.revoke(reached[0])
    await desk.sender.run_due()
    assert not await is_paused(desk, made.campaign_id)
    await desk.revoke(reached[1])
    await desk.sender.run_due()
    stands = await desk.read(made)
    assert (stands.state, stands.pause_reason) == (bulk.BULK_SEND_STATE_PAUSED, "OPT_OUT_RATE")
    assert stands.opt_out_count == 2
    await desk.revoke(reached[2])
    await desk.sender.run_due()
    [said] = await paused(desk)
    assert (said.campaign_id, said.sent_count, said.opt_out_count) == (made.campaign_id, sent, 2)
    for _ in range(5):
        await desk.courier.run_due()
        desk.house.clock.advance(timedelta(minutes=1))
    assert len(desk.sent_to()) == sent
    [found] = await report(desk)
    assert found.is_paused
    assert found.HasField("pause_time")

    resumed = await desk.reports.ResumeCampaign(reports.ResumeCampaignRequest(campaign_id=made.campaign_id))
    assert (resumed.is_paused, resumed.sent_count, resumed.opt_out_count) == (False, 0, 0)
    assert (await desk.read(made)).state == bulk.BULK_SEND_STATE_RUNNING
    await desk.drain()
    assert len(desk.sent_to()) == 12
    assert len(await paused(desk)) == 1


async def test_opt_outs_from_before_enough_were_reached_count_once_they_are(desk: Desk) -> None:
    await desk.set_speed(1)
    made = await desk.create(await desk.clients(20))
    while len(desk.sent_to()) < 3:
        await desk.sender.run_due()
        await desk.courier.run_due()
        desk.house.clock.advance(timedelta(seconds=1))
    for one in await desk.outcomes(made, state=bulk.BULK_RECIPIENT_STATE_SENT):
        await desk.revoke(one.client_id)
    await desk.sender.run_due()
    assert (await desk.read(made)).state == bulk.BULK_SEND_STATE_RUNNING
    for _ in range(12):
        desk.house.clock.advance(timedelta(seconds=1))
        await desk.sender.run_due()
        await desk.courier.run_due()
    assert (await desk.read(made)).state == bulk.BULK_SEND_STATE_PAUSED
    assert 5 <= len(desk.sent_to()) < 20


async def test_a_bulk_send_that_goes_on_takes_its_campaign_along(desk: Desk) -> None:
    client_ids = await desk.clients(6)
    first = await desk.create(client_ids, campaign_id="cmp_spring")
    await desk.drain()
    second = await desk.create(await desk.clients(2), campaign_id="cmp_spring")
    for client_id in client_ids[:2]:
        await desk.revoke(client_id)
    await look_at_opt_outs(database=desk.house.database, clock=desk.house.clock)
    assert (await desk.read(first)).state == bulk.BULK_SEND_STATE_FINISHED
    assert (await desk.read(second)).state == bulk.BULK_SEND_STATE_PAUSED
    await desk.stub.ResumeBulkSend(bulk.ResumeBulkSendRequest(bulk_send_id=second.bulk_send_id))
    assert not await is_paused(desk, "cmp_spring")
    await desk.drain()
    assert len(desk.sent_to()) == 8


async def test_what_somebody_paused_is_not_resumed_with_its_campaign(desk: Desk) -> None:
    client_ids = await desk.clients(5)
    await texted(desk, client_ids, "cmp_spring")
    made = await desk.create(client_ids, campaign_id="cmp_spring")
    await desk.stub.PauseBulkSend(bulk.PauseBulkSendRequest(bulk_send_id=made.bulk_send_id, note="Later"))
    for client_id in client_ids[:2]:
        await desk.revoke(client_id)
    await look_at_opt_outs(database=desk.house.database, clock=desk.house.clock)
    assert await is_paused(desk, "cmp_spring")
    for _ in range(2):
        await desk.reports.ResumeCampaign(reports.ResumeCampaignRequest(campaign_id="cmp_spring"))
    assert not await is_paused(desk, "cmp_spring")
    assert (await desk.read(made)).pause_reason == "Later"


async def test_single_texts_of_a_paused_campaign_wait(desk: Desk) -> None:
    client_ids = await desk.clients(6)
    await texted(desk, client_ids[:5], "cmp_single")
    for client_id in client_ids[:2]:
        await desk.revoke(client_id)
    await look_at_opt_outs(database=desk.house.database, clock=desk.house.clock)
    waiting = await desk.house.send(client_ids[5], campaign_id="cmp_single")
    assert [one.reason for one in waiting.decision.reasons] == ["CAMPAIGN_PAUSED"]
    assert await desk.courier.run_due() == 0


async def test_a_bulk_send_for_a_paused_campaign_waits_for_it(desk: Desk) -> None:
    client_ids = await desk.clients(6)
    await texted(desk, client_ids[:5], "cmp_late")
    for client_id in client_ids[:2]:
        await desk.revoke(client_id)
    await look_at_opt_outs(database=desk.house.database, clock=desk.house.clock)
    made = await desk.create(client_ids[5:], campaign_id="cmp_late")
    await desk.sender.run_due()
    found = await desk.read(made)
    assert (found.state, found.pause_reason) == (bulk.BULK_SEND_STATE_PAUSED, "OPT_OUT_RATE")
    assert dict(found.counts) == {"FROZEN": 1}
    await desk.reports.ResumeCampaign(reports.ResumeCampaignRequest(campaign_id="cmp_late"))
    await desk.drain()
    assert dict((await desk.read(made)).counts) == {"SENT": 1}


async def test_a_number_that_is_somebody_elses_now_is_no_opt_out(desk: Desk) -> None:
    [client_id] = await desk.clients(1)
    await texted(desk, [client_id], "cmp_a")
    phone, now = desk.house.phone_of(client_id), desk.house.clock.now()
    async with desk.house.database.transaction(desk.house.chain_id) as tx:
        await record(
            tx,
            suppressor=Suppressor("k" * 32),
            phone=phone,
            purposes=list(Purpose),
            change=Change.REVOKED,
            evidence="Somebody else has the number.",
            source=REASSIGNED,
            actor="asc_1",
            cause_id="cnv_1",
            occurred_at=now,
            now=now,
        )
    [found] = await report(desk)
    assert (found.sent_count, found.opt_out_count) == (1, 0)


async def test_twenty_who_look_at_once_pause_and_say_it_once(desk: Desk) -> None:
    client_ids = await desk.clients(6)
    await texted(desk, client_ids, "cmp_race")
    for client_id in client_ids[:3]:
        await desk.revoke(client_id)
    await asyncio.gather(
        *(look_at_opt_outs(database=desk.house.database, clock=desk.house.clock) for _ in range(20))
    )
    assert len(await paused(desk)) == 1


async def test_the_report_has_pages_days_and_one_campaign(desk: Desk) -> None:
    client_ids = await desk.clients(2)
    for campaign_id in ("cmp_a", "cmp_b", "cmp_c"):
        await texted(desk, client_ids, campaign_id)
    page = await desk.reports.GetOptOutReport(reports.GetOptOutReportRequest(page_size=2))
    rest = await desk.reports.GetOptOutReport(reports.GetOptOutReportRequest(page_token=page.next_page_token))
    assert [one.campaign_id for one in (*page.campaigns, *rest.campaigns)] == ["cmp_c", "cmp_b", "cmp_a"]
    assert [one.campaign_id for one in await report(desk, campaign_id="cmp_b")] == ["cmp_b"]
    yesterday = Date(year=2026, month=3, day=9)
    assert not await report(desk, start_date=yesterday, end_date=yesterday)


async def test_a_campaign_that_nobody_knows_or_that_is_others_is_not_resumed(
    desk: Desk, sign_in: SignIn
) -> None:
    await texted(desk, await desk.clients(1), "cmp_mine")
    with pytest.raises(ServiceError) as refused:
        await desk.reports.ResumeCampaign(reports.ResumeCampaignRequest(campaign_id="cmp_none"))
    assert refused.value.reason == "CAMPAIGN_NOT_FOUND"
    sign_in("bulk_sends:write", "reports:read", chain_id=desk.house.chain_id, stores=frozenset({"sto_other"}))
    with pytest.raises(ServiceError) as refused:
        await desk.reports.ResumeCampaign(reports.ResumeCampaignRequest(campaign_id="cmp_mine"))
    assert refused.value.reason == "STORE_NOT_YOURS"
    assert not await report(desk)
    sign_in("bulk_sends:write", "reports:read", chain_id="chn_other")
    with pytest.raises(ServiceError) as refused:
        await desk.reports.ResumeCampaign(reports.ResumeCampaignRequest(campaign_id="cmp_mine"))
    assert refused.value.reason == "CAMPAIGN_NOT_FOUND"


async def test_who_is_erased_counts_neither_way(desk: Desk) -> None:
    one, other = await desk.clients(2)
    await texted(desk, [one, other], "cmp_a")
    await desk.revoke(one)
    await desk.house.erase(one)
    [found] = await report(desk)
    assert (found.sent_count, found.opt_out_count) == (1, 0)


async def test_a_refused_period_names_its_field(desk: Desk) -> None:
    for fields, field in (
        (
            {"start_date": Date(year=2026, month=3, day=9), "end_date": Date(year=2026, month=3, day=8)},
            "start_date",
        ),
        (
            {"start_date": Date(year=2025, month=1, day=1), "end_date": Date(year=2026, month=3, day=8)},
            "start_date",
        ),
        ({"start_date": Date(year=2026, month=2, day=30)}, "start_date"),
        ({"end_date": Date(year=2026, month=2)}, "end_date"),
    ):
        for call in (
            desk.reports.GetOptOutReport(reports.GetOptOutReportRequest(**fields)),
            desk.reports.GetDeliveryReport(reports.GetDeliveryReportRequest(**fields)),
            desk.reports.GetReplyTimeReport(reports.GetReplyTimeReportRequest(**fields)),
        ):
            with pytest.raises(ServiceError) as refused:
                await call
            assert [one.field for one in refused.value.violations] == [field]
