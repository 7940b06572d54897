"""Campaigns on their way out: once to each client whatever crashes, at their pace, never to whom they do not suit."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import replace
from datetime import timedelta

import pytest
import pytest_asyncio
from carnet.messaging.v1 import events_pb2 as messaging_events
from carnet.messaging.v1 import messaging_pb2
from carnet.outreach.v1 import campaigns_pb2 as pb
from carnet.outreach.v1 import campaigns_pb2_grpc, events_pb2
from carnet.privacy.v1 import privacy_pb2
from carnet.profiles.v1 import events_pb2 as profiles_events
from outreach_story import client_created, client_fact, message_received, message_sent
from sqlalchemy import text

from chassis.errors import Kind, ServiceError, unavailable
from chassis.testing import NOON, channel_to, published
from chassis.values import timestamp_of
from outreach.clients import GrpcMessaging, GrpcProfiles, GrpcSegments
from outreach.domain.campaigns import is_held_out
from outreach.domain.settings import OutreachSettings
from outreach.store import settings as settings_store
from outreach.use_cases import campaign_sending
from outreach.use_cases.campaign_sending import Sender, work_campaigns

TEXTS = [
    pb.CampaignText(language="en", body="Hello {given_name}, Verny is here. {associate_name}, {store_name}"),
    pb.CampaignText(language="fr", body="Bonjour {given_name}, Verny est là."),
]
Work = Callable[..., Awaitable[object]]


@pytest_asyncio.fixture(loop_scope="session")
async def sender(outreach) -> AsyncIterator[Sender]:
    """Return what the service's own component sends with."""
    foundation = outreach.service.foundation
    async with channel_to(outreach.neighbours) as channel:
        yield Sender(
            database=foundation.database,
            clock=outreach.clock,
            naming=GrpcProfiles(channel),
            segments=GrpcSegments(channel),
            messaging=GrpcMessaging(channel),
            speak_for=lambda chain_id: foundation.signer.service_caller(chain_id, campaign_sending.SCOPES),
        )


@pytest.fixture
def work(sender) -> Work:
    """Return a function that has one replica do what is due, in a task of its own: it speaks for itself."""
    return lambda **changed: asyncio.create_task(work_campaigns(replace(sender, **changed)))


@pytest.fixture
def stub(outreach) -> "campaigns_pb2_grpc.CampaignsServiceAsyncStub":
    return campaigns_pb2_grpc.CampaignsServiceStub(outreach.channel)


@pytest.fixture
def manager(as_associate):
    return lambda actor_id="usr_ada": as_associate(
        "campaigns:read",
        "campaigns:write",
        "segments:read",
        "records:export",
        actor_id=actor_id,
        associate_id="",
    )


@pytest.fixture
async def house(outreach, story, manager):
    """Open the chain; nothing is left to be done for those of other tests."""
    async with outreach.database.platform_transaction() as platform:
        await platform.execute(text("delete from campaign_runs"))
    manager()
    await story.open()
    return story


@pytest.fixture
def begin(stub, house):
    """Return a function that starts a campaign to so many clients, cli_00 and on."""

    async def begun(clients: int = 3, *, already: bool = False, **fields: object) -> pb.Campaign:
        if not already:
            await house.tell(*(client_created(f"cli_{number:02}") for number in range(clients)))
        given = {"display_name": "Verny", "audience": {}, "texts": TEXTS, "holdout_share": 0.0, **fields}
        campaign = await stub.CreateCampaign(pb.CreateCampaignRequest(**given))
        return await stub.StartCampaign(pb.StartCampaignRequest(campaign_id=campaign.campaign_id))

    return begun


@pytest.fixture
def read(stub, manager, outreach):
    """Return a function that reads a campaign and its recipients, by client."""

    async def of(campaign: pb.Campaign) -> tuple[pb.Campaign, dict[str, pb.CampaignRecipient]]:
        manager()
        found, token = {}, ""
        while True:
            page = await stub.ListCampaignRecipients(
                pb.ListCampaignRecipientsRequest(
                    campaign_id=campaign.campaign_id, page_size=7, page_token=token
                )
            )
            found |= {one.client_id: one for one in page.recipients}
            if not (token := page.next_page_token):
                break
        return await stub.GetCampaign(pb.GetCampaignRequest(campaign_id=campaign.campaign_id)), found

    return of


async def test_everybody_gets_one_text_in_the_own_language(outreach, house, begin, work, read):
    outreach.profiles.names |= {"cli_01": ("Léa", "fr-FR"), "cli_02": ("Bo", "sv")}
    campaign = await begin(3)
    await work()
    ended, recipients = await read(campaign)
    assert ended.state == pb.CAMPAIGN_STATE_FINISHED
    assert (ended.progress.recipients, ended.progress.sent, ended.progress.waiting) == (3, 3, 0)
    assert {one.state for one in recipients.values()} == {pb.RECIPIENT_STATE_SENT}
    assert all(one.message_id for one in recipients.values())
    assert sorted(outreach.messaging.bodies) == [
        "Bonjour Léa, Verny est là.",
        "Hello Ana, Verny is here. Mia, Aurum Boston",
        "Hello Bo, Verny is here. Mia, Aurum Boston",
    ]
    ids = {request.request_id for request, _ in outreach.messaging.messages.values()}
    assert ids == {f"{campaign.campaign_id}.cli_{number:02}" for number in range(3)}
    assert {request.purpose for request, _ in outreach.messaging.messages.values()} == {
        messaging_pb2.PURPOSE_MARKETING
    }
    (event,) = await published(outreach.database, events_pb2.CampaignFinished, chain_id=house.chain_id)
    assert (event.recipients, event.sent) == (3, 3)
    await work()
    assert len(outreach.messaging.messages) == 3


async def test_who_is_held_out_is_never_sent_to(outreach, house, begin, work, read):
    campaign = await begin(40, holdout_share=0.25, pace_per_hour=100_000)
    await work()
    ended, recipients = await read(campaign)
    held = {one.client_id for one in recipients.values() if one.state == pb.RECIPIENT_STATE_HELD_OUT}
    assert held == {c for c in recipients if is_held_out(campaign.campaign_id, c, 0.25)} != set()
    assert held.isdisjoint(request.client_id for request, _ in outreach.messaging.messages.values())
    assert (ended.progress.held_out, ended.progress.sent) == (len(held), 40 - len(held))
    assert ended.state == pb.CAMPAIGN_STATE_FINISHED


async def test_no_hour_has_more_texts_than_the_pace_allows(outreach, begin, work, read):
    campaign = await begin(9, pace_per_hour=4)
    sent = []
    for _ in range(12):
        await work()
        sent.append(len(outreach.messaging.messages))
        outreach.clock.advance(timedelta(minutes=15))
    assert sent[:9] == [1, 2, 3, 4, 5, 6, 7, 8, 9]
    assert (await read(campaign))[0].state == pb.CAMPAIGN_STATE_FINISHED


async def test_a_sender_that_dies_before_messaging_was_asked_leaves_one_text(
    outreach, begin, work, read, sender
):
    campaign = await begin(3)

    class Dead:
        async def send(self, **_: object) -> None:
            raise asyncio.CancelledError

    with pytest.raises(asyncio.CancelledError):
        await work(messaging=Dead())
    assert not outreach.messaging.messages
    await work()  # its lease is not over
    assert not outreach.messaging.messages
    outreach.clock.advance(timedelta(seconds=61))
    outreach.profiles.names |= {f"cli_{number:02}": ("Renamed", "en") for number in range(3)}
    await work()
    assert (await read(campaign))[0].progress.sent == 3
    assert sorted(request.client_id for request, _ in outreach.messaging.messages.values()) == [
        "cli_00",
        "cli_01",
        "cli_02",
    ]


async def test_a_sender_that_dies_before_the_answer_was_written_down_leaves_one_text(
    outreach, begin, work, read
):
    campaign = await begin(3)
    outreach.messaging.may_answer.clear()
    dying = work()
    await outreach.messaging.arrived.wait()
    dying.cancel()
    with pytest.raises(asyncio.CancelledError):
        await dying
    outreach.messaging.may_answer.set()
    first = {key: message.message_id for key, (_, message) in outreach.messaging.messages.items()}
    assert first
    outreach.clock.advance(timedelta(seconds=61))
    await work()
    ended, recipients = await read(campaign)
    assert (ended.state, ended.progress.sent) == (pb.CAMPAIGN_STATE_FINISHED, 3)
    assert len(outreach.messaging.messages) == 3
    for (client_id, _), message_id in first.items():
        assert recipients[client_id].message_id == message_id


async def test_a_messaging_that_does_not_answer_is_asked_again_later(outreach, begin, work, read):
    campaign = await begin(2)
    outreach.messaging.loses_answers = True
    await work()
    assert (await read(campaign))[0].progress.waiting == 2
    outreach.messaging.loses_answers = False
    outreach.clock.advance(timedelta(seconds=31))
    await work()
    ended, _ = await read(campaign)
    assert (ended.state, ended.progress.sent, len(outreach.messaging.messages)) == (
        pb.CAMPAIGN_STATE_FINISHED,
        2,
        2,
    )


async def test_whose_name_could_not_be_asked_for_is_judged_again(outreach, house, begin, work, read, sender):
    campaign = await begin(2)

    class Away:
        async def associate_name(self, associate_id: str) -> str:
            raise unavailable("profiles")

        store_name = associate_name

    await work(naming=Away())
    assert not outreach.messaging.messages
    await house.tell(message_received("cli_00", NOON))
    outreach.clock.advance(timedelta(seconds=31))
    await work()
    ended, recipients = await read(campaign)
    assert (ended.state, recipients["cli_00"].reason) == (pb.CAMPAIGN_STATE_FINISHED, "CONTACTED_LATELY")
    assert ended.progress.sent == 1


async def test_a_messaging_that_never_answers_is_given_up_on_after_a_day(outreach, begin, work, read):
    campaign = await begin(1)
    outreach.messaging.refusal = unavailable("messaging")
    await work()
    outreach.clock.advance(timedelta(days=1, minutes=1))
    await work()
    ended, recipients = await read(campaign)
    assert (ended.state, recipients["cli_00"].reason) == (pb.CAMPAIGN_STATE_FINISHED, "NOT_ANSWERED")


async def test_ten_replicas_send_each_text_once(outreach, begin, work, read):
    campaign = await begin(30, pace_per_hour=100_000)
    await asyncio.gather(*(work() for _ in range(10)))
    await work()
    ended, _ = await read(campaign)
    assert (ended.state, ended.progress.sent) == (pb.CAMPAIGN_STATE_FINISHED, 30)
    assert len(outreach.messaging.messages) == 30
    assert len({request.client_id for request, _ in outreach.messaging.messages.values()}) == 30


async def test_what_the_gate_denies_or_messaging_refuses_is_excluded_with_its_reason(
    outreach, begin, work, read
):
    outreach.messaging.states = {
        "cli_00": messaging_pb2.MESSAGE_STATE_DENIED,
        "cli_01": messaging_pb2.MESSAGE_STATE_DEFERRED,
        "cli_02": messaging_pb2.MESSAGE_STATE_FAILED,
    }
    outreach.messaging.reasons = [("NO_PERMISSION", "Nobody agreed.")]
    campaign = await begin(3)
    await work()
    ended, recipients = await read(campaign)
    assert [recipients[f"cli_{n:02}"].reason for n in range(3)] == ["NO_PERMISSION", "", "SEND_FAILED"]
    assert ended.progress.sent == 1
    assert dict(ended.progress.excluded_by_reason) == {"NO_PERMISSION": 1, "SEND_FAILED": 1}

    outreach.messaging.refusal = ServiceError(Kind.PRECONDITION, "SENDER_MISSING", "No number.")
    outreach.clock.advance(timedelta(days=8))
    await read(campaign)
    again = await begin(3, already=True)
    await work()
    assert dict((await read(again))[0].progress.excluded_by_reason) == {"SENDER_MISSING": 3}


async def test_who_is_gone_at_profiles_is_excluded(outreach, begin, work, read):
    outreach.profiles.gone.add("cli_01")
    campaign = await begin(2)
    try:
        await work()
    finally:
        outreach.profiles.gone.clear()
    _, recipients = await read(campaign)
    assert recipients["cli_01"].reason == "CLIENT_NOT_FOUND"


async def test_whom_the_house_hears_from_meanwhile_is_left_alone(outreach, house, begin, work, read, manager):
    campaign = await begin(4, pace_per_hour=60, audience={"store_ids": ["sto_1"]})
    await work()
    assert (await read(campaign))[0].progress.sent == 1
    await house.tell(
        message_received("cli_01", NOON),
        profiles_events.ClientChanged(client=client_fact("cli_02", version=2, store_id="sto_2")),
        profiles_events.ClientDeleted(client_id="cli_03"),
    )
    outreach.clock.advance(timedelta(minutes=5))
    await work()
    ended, recipients = await read(campaign)
    assert ended.state == pb.CAMPAIGN_STATE_FINISHED
    assert [recipients[f"cli_{n:02}"].reason for n in range(1, 4)] == [
        "CONTACTED_LATELY",
        "NO_LONGER_FITS",
        "NO_LONGER_FITS",
    ]


async def test_a_second_campaign_leaves_alone_whom_the_first_has_just_reached(outreach, begin, work, read):
    first = await begin(3)
    await work()
    assert (await read(first))[0].progress.sent == 3
    with pytest.raises(ServiceError) as refused:
        await begin(3, already=True)
    assert refused.value.reason == "CAMPAIGN_EMPTY"
    outreach.clock.advance(timedelta(days=7, minutes=1))
    await read(first)
    again = await begin(3, already=True)
    await work()
    assert (await read(again))[0].progress.sent == 3


async def test_a_cancellation_stops_what_messaging_has_not_taken(outreach, house, begin, work, read, stub):
    campaign = await begin(5, pace_per_hour=60)
    await work()
    outreach.clock.advance(timedelta(minutes=1))
    await read(campaign)
    outreach.messaging.may_answer.clear()
    outreach.messaging.arrived.clear()
    running = work()
    await outreach.messaging.arrived.wait()
    cancelled = await stub.CancelCampaign(pb.CancelCampaignRequest(campaign_id=campaign.campaign_id))
    assert cancelled.state == pb.CAMPAIGN_STATE_CANCELLED
    finished = events_pb2.CampaignFinished
    assert await published(outreach.database, finished, chain_id=house.chain_id) == []
    outreach.messaging.may_answer.set()
    await running
    await work()
    outreach.clock.advance(timedelta(hours=1))
    await work()
    ended, _ = await read(campaign)
    assert (ended.progress.sent, dict(ended.progress.excluded_by_reason)) == (2, {"CANCELLED": 3})
    assert len(outreach.messaging.messages) == 2
    (event,) = await published(outreach.database, finished, chain_id=house.chain_id)
    assert (event.state, event.recipients, event.sent) == (pb.CAMPAIGN_STATE_CANCELLED, 5, 2)


@pytest.mark.parametrize("was_taken", [True, False])
async def test_after_a_crash_and_a_cancellation_it_is_found_out_whether_the_text_went(
    outreach, house, begin, work, read, stub, sender, was_taken
):
    campaign = await begin(1)

    class Dead:
        async def send(self, **asked: object) -> None:
            if was_taken:
                await sender.messaging.send(**asked)
            raise asyncio.CancelledError

    outreach.messaging.clock = outreach.clock
    with pytest.raises(asyncio.CancelledError):
        await work(messaging=Dead())
    await stub.CancelCampaign(pb.CancelCampaignRequest(campaign_id=campaign.campaign_id))
    outreach.clock.advance(timedelta(seconds=61))
    await work()
    _, recipients = await read(campaign)
    assert recipients["cli_00"].state == (
        pb.RECIPIENT_STATE_SENT if was_taken else pb.RECIPIENT_STATE_EXCLUDED
    )
    assert len(outreach.messaging.messages) == was_taken
    (event,) = await published(outreach.database, events_pb2.CampaignFinished, chain_id=house.chain_id)
    assert event.sent == was_taken


async def test_a_campaign_begins_at_its_time_with_whoever_fits_then(outreach, house, begin, work, read, stub):
    campaign = await begin(1, start_time=timestamp_of(NOON + timedelta(hours=5)))
    assert campaign.state == pb.CAMPAIGN_STATE_SCHEDULED
    await work()
    assert not outreach.messaging.messages
    await house.tell(client_created("cli_late"))
    outreach.clock.advance(timedelta(hours=5))
    await work()
    ended, recipients = await read(campaign)
    assert (ended.state, set(recipients)) == (pb.CAMPAIGN_STATE_FINISHED, {"cli_00", "cli_late"})


async def test_an_audience_that_grew_beyond_the_limit_waits_for_another_person(
    outreach, house, begin, work, read, stub, manager
):
    async with outreach.database.transaction(house.chain_id) as tx:
        await settings_store.find_written(tx, lock=True)
        await settings_store.put_settings(tx, OutreachSettings(approval_above=2), now=NOON)
    campaign = await begin(2, start_time=timestamp_of(NOON + timedelta(hours=1)))
    await house.tell(client_created("cli_02"))
    outreach.clock.advance(timedelta(hours=1))
    await work()
    assert (await read(campaign))[0].state == pb.CAMPAIGN_STATE_AWAITING_APPROVAL
    assert not outreach.messaging.messages
    manager("usr_bo")
    await stub.ApproveCampaign(pb.ApproveCampaignRequest(campaign_id=campaign.campaign_id))
    await work()
    assert (await read(campaign))[0].progress.sent == 3


async def test_a_segment_is_frozen_page_by_page_and_goes_on_after_a_crash(
    outreach, house, begin, work, read, sender
):
    members = [f"cli_{number:02}" for number in range(5)]
    outreach.profiles.segments.members["seg_1"] = members
    campaign = await begin(8, audience={"segment_id": "seg_1"})

    class Dying:
        async def page(self, segment_id: str, token: str) -> tuple[list[str], str]:
            if token == "4":
                raise asyncio.CancelledError
            return await sender.segments.page(segment_id, token)

    with pytest.raises(asyncio.CancelledError):
        await work(segments=Dying())
    assert set((await read(campaign))[1]) == set(members[:4])
    outreach.clock.advance(timedelta(seconds=61))
    await work()
    ended, recipients = await read(campaign)
    assert (set(recipients), ended.progress.sent) == (set(members), 5)


async def test_a_segment_that_is_gone_ends_its_campaign(outreach, house, begin, work, read):
    outreach.profiles.segments.members["seg_2"] = ["cli_00"]
    campaign = await begin(1, audience={"segment_id": "seg_2"})
    del outreach.profiles.segments.members["seg_2"]
    await work()
    assert (await read(campaign))[0].state == pb.CAMPAIGN_STATE_CANCELLED


async def test_two_clients_who_turn_out_to_be_one_get_one_text(outreach, house, begin, work, read):
    campaign = await begin(2, pace_per_hour=60)
    await work()
    await house.tell(
        profiles_events.ClientMerged(
            merge_id="mrg_1", client=client_fact("cli_01", version=5), merged_client_id="cli_00"
        )
    )
    outreach.clock.advance(timedelta(days=8))
    await work()
    ended, recipients = await read(campaign)
    assert (ended.state, set(recipients)) == (pb.CAMPAIGN_STATE_FINISHED, {"cli_01"})
    assert (ended.progress.sent, dict(ended.progress.excluded_by_reason)) == (1, {"SAME_PERSON": 1})
    assert len(outreach.messaging.messages) == 1
    await house.tell(
        profiles_events.ClientUnmerged(
            merge_id="mrg_1",
            client=client_fact("cli_01", version=6),
            restored=client_fact("cli_00", version=6),
        )
    )
    assert set((await read(campaign))[1]) == {"cli_00", "cli_01"}


async def test_an_erased_client_is_in_no_campaign_any_more(outreach, house, begin, work, read):
    campaign = await begin(2, pace_per_hour=60)
    await work()
    records = await outreach.records.ListClientRecords(
        privacy_pb2.ListClientRecordsRequest(client_ids=["cli_00"])
    )
    (told,) = [one for one in records.records if one.section == "campaign_recipients"]
    assert (told.fields["state"], "body" in told.fields) == ("sent", False)
    erased = profiles_events.ClientErased(erasure_id="ers_1", client_id="cli_00")
    await house.tell(erased, profiles_events.ClientErased(erasure_id="ers_2", client_id="cli_01"))
    outreach.clock.advance(timedelta(minutes=2))
    await work()
    ended, recipients = await read(campaign)
    assert (ended.state, recipients) == (pb.CAMPAIGN_STATE_FINISHED, {})
    (first, _) = await published(outreach.database, events_pb2.ClientForgotten, chain_id=house.chain_id)
    assert first.receipt.erased["campaign_recipients"] == 1


@pytest.mark.parametrize("is_early", [False, True])
async def test_a_text_that_the_network_gave_up_on_is_no_sent_one(
    outreach, house, begin, work, read, is_early
):
    campaign = await begin(1)

    async def failed() -> None:
        ((_, message),) = outreach.messaging.messages.values()
        await house.tell(
            messaging_events.MessageFailed(
                message_id=message.message_id, client_id="cli_00", store_id="sto_1", error_code="30005"
            )
        )

    if is_early:
        outreach.messaging.may_answer.clear()
        running = work()
        await outreach.messaging.arrived.wait()
        await failed()
        outreach.messaging.may_answer.set()
        await running
    else:
        await work()
        await failed()
    _, recipients = await read(campaign)
    assert (recipients["cli_00"].state, recipients["cli_00"].reason) == (
        pb.RECIPIENT_STATE_EXCLUDED,
        "SEND_FAILED",
    )


async def test_a_reply_is_counted(outreach, house, begin, work, read):
    campaign = await begin(2)
    await work()
    sent = message_sent("cli_00", NOON)
    _, recipients = await read(campaign)
    sent.message_id = recipients["cli_00"].message_id
    await house.tell(sent, message_received("cli_00", NOON + timedelta(hours=2)))
    assert (await read(campaign))[0].progress.replies == 1
