"""Campaigns as people work with them: written, previewed, started, agreed to, cancelled; and what is refused."""

import asyncio
from dataclasses import replace
from datetime import timedelta

import pytest
from carnet.outreach.v1 import campaigns_pb2 as pb
from carnet.outreach.v1 import campaigns_pb2_grpc, events_pb2, outreach_pb2
from carnet.profiles.v1 import events_pb2 as profiles_events
from outreach_story import client_created, client_fact, days_ago, message_sent, purchase, purchase_fact, visit

from chassis.errors import Kind, ServiceError
from chassis.testing import NOON, published
from chassis.values import timestamp_of
from outreach.domain.holdouts import period_of
from outreach.domain.settings import OutreachSettings
from outreach.store import settings as settings_store
from outreach.store.holdouts import Holdout, add_holdouts

WRITE = ("campaigns:read", "campaigns:write", "segments:read", "policies:write", "queue:read")
ENGLISH = pb.CampaignText(
    language="en", body="Hello {given_name}, Verny is here. {associate_name}, {store_name}"
)


@pytest.fixture
def manager(as_associate):
    """Sign in as a manager of this test's chain; call it again to be another one."""

    def sign(actor_id: str = "usr_ada", **fields: object) -> None:
        as_associate(*WRITE, actor_id=actor_id, associate_id=fields.pop("associate_id", ""), **fields)

    sign()
    return sign


@pytest.fixture
def stub(outreach) -> "campaigns_pb2_grpc.CampaignsServiceAsyncStub":
    return campaigns_pb2_grpc.CampaignsServiceStub(outreach.channel)


def wanted(**fields: object) -> pb.CreateCampaignRequest:
    """Return a request for a campaign to everybody, held out nobody."""
    given = {"display_name": "Verny", "audience": {}, "texts": [ENGLISH], "holdout_share": 0.0, **fields}
    return pb.CreateCampaignRequest(**given)


async def decide(outreach, chain_id: str, **decided: object) -> None:
    """Write a chain's settings."""
    async with outreach.database.transaction(chain_id) as tx:
        await settings_store.find_written(tx, lock=True)
        await settings_store.put_settings(tx, OutreachSettings(**decided), now=NOON)


async def refusal(call) -> ServiceError:
    with pytest.raises(ServiceError) as refused:
        await call
    return refused.value


async def start(stub, campaign) -> pb.Campaign:
    return await stub.StartCampaign(pb.StartCampaignRequest(campaign_id=campaign.campaign_id))


async def preview(stub, campaign) -> pb.CampaignPreview:
    return await stub.PreviewCampaign(pb.PreviewCampaignRequest(campaign_id=campaign.campaign_id))


@pytest.fixture
async def house(story, manager):
    """Three clients: two in a book, one in nobody's."""
    await story.open()
    await story.tell(
        client_created("cli_1"),
        client_created("cli_2", store_id="sto_2", associate_id="asc_2"),
        client_created("cli_3", associate_id=""),
    )
    return story


async def test_a_campaign_is_written_read_and_listed(stub, manager):
    made = await stub.CreateCampaign(wanted(pace_per_hour=0, audience={"store_ids": ["sto_1", "sto_1"]}))
    assert (made.state, made.created_by, made.pace_per_hour) == (pb.CAMPAIGN_STATE_DRAFT, "usr_ada", 600)
    assert list(made.audience.store_ids) == ["sto_1"]
    assert await stub.GetCampaign(pb.GetCampaignRequest(campaign_id=made.campaign_id)) == made
    second = await stub.CreateCampaign(wanted(display_name="Another"))
    found = []
    token = ""
    while True:
        page = await stub.ListCampaigns(pb.ListCampaignsRequest(page_size=1, page_token=token))
        found += page.campaigns
        if not (token := page.next_page_token):
            break
    assert sorted(found, key=lambda one: one.campaign_id) == sorted(
        [made, second], key=lambda one: one.campaign_id
    )
    running = await stub.ListCampaigns(pb.ListCampaignsRequest(state=pb.CAMPAIGN_STATE_RUNNING))
    assert not running.campaigns


async def test_the_chains_own_share_is_held_out_unless_one_is_said(outreach, stub, manager, chain_id):
    await decide(outreach, chain_id, holdout_share=0.2)
    request = wanted()
    assert (await stub.CreateCampaign(request)).holdout_share == 0
    request.ClearField("holdout_share")
    assert (await stub.CreateCampaign(request)).holdout_share == 0.2


async def test_a_repeat_gets_the_same_campaign_even_when_its_time_has_passed_since(outreach, stub, manager):
    request = wanted(request_id="req_1", start_time=timestamp_of(NOON + timedelta(hours=1)))
    first = await stub.CreateCampaign(request)
    outreach.clock.advance(timedelta(hours=2))
    manager()
    assert await stub.CreateCampaign(request) == first
    request.display_name = "Something else"
    request.start_time.CopyFrom(timestamp_of(NOON + timedelta(days=1)))
    assert (await refusal(stub.CreateCampaign(request))).reason == "REQUEST_ID_REUSED"


@pytest.mark.parametrize(
    ("fields", "field"),
    [
        ({"start_time": timestamp_of(NOON - timedelta(seconds=1))}, "start_time"),
        ({"texts": [pb.CampaignText(language="fr", body="Bonjour")]}, "texts"),
        ({"texts": [ENGLISH, ENGLISH]}, "texts[1].language"),
        ({"texts": [pb.CampaignText(language="12", body="Hello")]}, "texts[0].language"),
        ({"texts": [pb.CampaignText(language="en", body="Hello {name}")]}, "texts[0].body"),
        ({"texts": [pb.CampaignText(language="en", body="Hello {given_name")]}, "texts[0].body"),
        ({"texts": [pb.CampaignText(language="en", body="{given_name}" * 30)]}, "texts[0].body"),
        ({"texts": [pb.CampaignText(language="en", body="  ")]}, "texts[0].body"),
        ({"audience": {"signals": [99]}}, "audience.signals[0]"),
        ({"audience": {"tiers": [0]}}, "audience.tiers[0]"),
        (
            {"audience": {"bought_within_days": 30, "not_bought_within_days": 30}},
            "audience.not_bought_within_days",
        ),
        ({"holdout_share": 0.6}, "holdout_share"),
        ({"display_name": ""}, "display_name"),
    ],
)
async def test_what_cannot_be_sent_names_the_field(stub, manager, fields, field):
    refused = await refusal(stub.CreateCampaign(wanted(**fields)))
    assert (refused.kind, refused.reason) == (Kind.INVALID, "FIELD_INVALID")
    assert [one.field for one in refused.violations] == [field]


async def test_an_update_takes_the_place_of_everything_and_refuses_a_stale_etag(stub, manager):
    made = await stub.CreateCampaign(wanted())
    fields = {"campaign_id": made.campaign_id, "audience": {}, "texts": [ENGLISH]}
    changed = await stub.UpdateCampaign(
        pb.UpdateCampaignRequest(display_name="Renamed", etag=made.etag, **fields)
    )
    assert (changed.display_name, changed.etag != made.etag) == ("Renamed", True)
    stale = pb.UpdateCampaignRequest(display_name="Again", etag=made.etag, **fields)
    refused = await refusal(stub.UpdateCampaign(stale))
    assert (refused.kind, refused.reason) == (Kind.CONFLICT, "CAMPAIGN_CHANGED")


async def test_another_chains_campaign_is_nobodys(stub, manager):
    made = await stub.CreateCampaign(wanted())
    manager(chain_id="chn_stranger")
    for call in (
        stub.GetCampaign(pb.GetCampaignRequest(campaign_id=made.campaign_id)),
        stub.PreviewCampaign(pb.PreviewCampaignRequest(campaign_id=made.campaign_id)),
        stub.StartCampaign(pb.StartCampaignRequest(campaign_id=made.campaign_id)),
        stub.ApproveCampaign(pb.ApproveCampaignRequest(campaign_id=made.campaign_id)),
        stub.CancelCampaign(pb.CancelCampaignRequest(campaign_id=made.campaign_id)),
        stub.ListCampaignRecipients(pb.ListCampaignRecipientsRequest(campaign_id=made.campaign_id)),
    ):
        assert (await refusal(call)).reason == "CAMPAIGN_NOT_FOUND"
    assert not (await stub.ListCampaigns(pb.ListCampaignsRequest())).campaigns


async def test_whoever_is_bound_to_a_store_means_its_clients_only(stub, manager, house):
    everybody = await stub.CreateCampaign(wanted())
    manager(stores=frozenset({"sto_1"}))
    for audience in ({}, {"store_ids": ["sto_2"]}):
        assert (await refusal(stub.CreateCampaign(wanted(audience=audience)))).reason == "STORE_NOT_YOURS"
    assert (await refusal(start(stub, everybody))).reason == "STORE_NOT_YOURS"
    own = await stub.CreateCampaign(wanted(audience={"store_ids": ["sto_1"]}))
    listed = (await stub.ListCampaigns(pb.ListCampaignsRequest())).campaigns
    assert [one.campaign_id for one in listed] == [own.campaign_id]


async def test_a_preview_says_who_fits_who_gets_it_and_why_not(stub, house):
    await house.tell(message_sent("cli_2", NOON - timedelta(days=3), marketing=False))
    campaign = await stub.CreateCampaign(wanted())
    seen = await preview(stub, campaign)
    assert (seen.fitting, seen.recipients, seen.held_out) == (3, 1, 0)
    assert dict(seen.excluded_by_reason) == {"NO_ASSOCIATE": 1, "CONTACTED_LATELY": 1}
    assert list(seen.sample_client_ids) == ["cli_1"]
    assert (seen.needs_approval, seen.segments_each, seen.segments) == (False, 1, 1)
    impersonal = pb.CampaignText(language="en", body="Hello {given_name}, Verny is at {store_name}.")
    nameless = await preview(stub, await stub.CreateCampaign(wanted(texts=[impersonal])))
    assert dict(nameless.excluded_by_reason) == {"CONTACTED_LATELY": 1}
    halved = await preview(stub, await stub.CreateCampaign(wanted(holdout_share=0.5)))
    assert halved.recipients + halved.held_out == 1


async def test_a_client_on_an_associates_queue_is_the_associates(outreach, stub, house):
    await house.tell(visit("cli_1", days_ago(9)), visit("cli_1", days_ago(2)))
    queue = await outreach.stub.ListQueue(outreach_pb2.ListQueueRequest(associate_id="asc_1"))
    assert [one.client_id for one in queue.suggestions] == ["cli_1"]
    seen = await preview(stub, await stub.CreateCampaign(wanted()))
    assert dict(seen.excluded_by_reason) == {"ON_QUEUE": 1, "NO_ASSOCIATE": 1}


async def test_whom_the_chain_holds_out_this_quarter_no_campaign_reaches(outreach, stub, house):
    await decide(outreach, house.chain_id, holdout_share=0.1)
    async with outreach.database.transaction(house.chain_id) as tx:
        held = [Holdout("cli_1", "asc_1", "sto_1", ("high_intent",))]
        await add_holdouts(tx, held, period=period_of(NOON.date()), held_at=NOON)
        await add_holdouts(tx, [replace(held[0], client_id="cli_2")], period="2025Q4", held_at=NOON)
    seen = await preview(stub, await stub.CreateCampaign(wanted()))
    assert dict(seen.excluded_by_reason) == {"LEFT_ALONE": 1, "NO_ASSOCIATE": 1}
    await decide(outreach, house.chain_id)
    assert (await preview(stub, await stub.CreateCampaign(wanted()))).recipients == 2


async def test_an_audience_is_whoever_meets_every_condition(stub, house):
    bought = purchase_fact("cli_1", days_ago(40))
    line = bought.lines.add(quantity=1, amount_minor=50_000)
    line.brand_id, line.category = "brd_verny", "Watch"
    event = purchase("cli_1", days_ago(40))
    event.purchase.CopyFrom(bought)
    await house.tell(event, purchase("cli_2", days_ago(400)))
    books = {"cli_1": "asc_1", "cli_2": "asc_2"}
    for audience, fitting in (
        ({"store_ids": ["sto_2"]}, {"cli_2"}),
        ({}, {"cli_1", "cli_2"}),
        ({"brand_ids": ["brd_verny"]}, {"cli_1"}),
        ({"brand_ids": ["brd_other"]}, set()),
        ({"categories": ["WATCH "]}, {"cli_1"}),
        ({"bought_within_days": 40}, set()),
        ({"bought_within_days": 41}, {"cli_1"}),
        ({"not_bought_within_days": 365}, {"cli_2"}),
        ({"bought_within_days": 401, "not_bought_within_days": 60}, {"cli_2"}),
        ({"store_ids": ["sto_2"], "brand_ids": ["brd_verny"]}, set()),
        ({"tiers": [outreach_pb2.TIER_PROSPECT]}, set()),
        ({"signals": [outreach_pb2.SIGNAL_SILENT_ONE_TIMER]}, {"cli_2"}),
        ({"signals": [outreach_pb2.SIGNAL_HIGH_INTENT]}, set()),
    ):
        found = set()
        for client_id, associate_id in books.items():
            asked = wanted(audience={**audience, "associate_ids": [associate_id]})
            if (await preview(stub, await stub.CreateCampaign(asked))).fitting:
                found.add(client_id)
        assert found == fitting, audience


async def test_a_brand_bought_in_another_currency_counts_unless_it_is_disliked(stub, house):
    abroad = purchase("cli_1", days_ago(100), currency="EUR")
    abroad.purchase.lines.add(quantity=1, amount_minor=50_000, brand_id="brd_verny")
    await house.tell(abroad)
    campaign = await stub.CreateCampaign(wanted(audience={"brand_ids": ["brd_verny"]}))
    assert (await preview(stub, campaign)).fitting == 1
    disliking = client_fact("cli_1", version=2)
    disliking.preferences.add(kind=8, value="Brd_Verny ")
    await house.tell(profiles_events.ClientChanged(client=disliking))
    assert (await preview(stub, campaign)).fitting == 0


async def test_a_purchase_that_is_a_surprise_for_its_client_makes_nobody_fit(outreach, stub, house, manager):
    event = purchase("cli_1", days_ago(20))
    line = event.purchase.lines.add(quantity=1, amount_minor=50_000)
    line.brand_id = "brd_verny"
    event.purchase.surprise_for_client_id = "cli_1"
    event.purchase.surprise_end_date.year, event.purchase.surprise_end_date.month = 2026, 3
    event.purchase.surprise_end_date.day = 12
    await house.tell(event)
    for audience in ({"brand_ids": ["brd_verny"]}, {"bought_within_days": 30}):
        campaign = await stub.CreateCampaign(wanted(audience=audience))
        assert (await preview(stub, campaign)).fitting == 0
        outreach.clock.set(NOON + timedelta(days=3))
        manager()
        assert (await preview(stub, campaign)).fitting == 1
        outreach.clock.set(NOON)
        manager()


async def test_a_segment_is_read_from_profiles(outreach, stub, house):
    members = outreach.profiles.segments
    members.members["seg_1"] = ["cli_3", "cli_2", "cli_1", "cli_unknown"]
    campaign = await stub.CreateCampaign(wanted(audience={"segment_id": "seg_1", "store_ids": ["sto_2"]}))
    assert list((await preview(stub, campaign)).sample_client_ids) == ["cli_2"]
    gone = await stub.CreateCampaign(wanted(audience={"segment_id": "seg_gone"}))
    assert (await refusal(preview(stub, gone))).reason == "SEGMENT_NOT_FOUND"
    members.members["seg_large"], members.sizes["seg_large"] = ["cli_1"], 20_001
    large = await stub.CreateCampaign(wanted(audience={"segment_id": "seg_large"}))
    assert (await refusal(preview(stub, large))).reason == "SEGMENT_TOO_LARGE"
    assert (await start(stub, large)).state == pb.CAMPAIGN_STATE_AWAITING_APPROVAL


async def test_nobody_to_send_to_is_no_campaign(stub, house):
    nobody = await stub.CreateCampaign(wanted(audience={"store_ids": ["sto_none"]}))
    assert (await preview(stub, nobody)).fitting == 0
    refused = await refusal(start(stub, nobody))
    assert (refused.kind, refused.reason) == (Kind.PRECONDITION, "CAMPAIGN_EMPTY")


async def needing_approval(outreach, stub, chain_id) -> pb.Campaign:
    await decide(outreach, chain_id, approval_above=1)
    return await stub.CreateCampaign(wanted())


async def test_a_large_campaign_waits_for_another_person(outreach, stub, house, manager):
    campaign = await needing_approval(outreach, stub, house.chain_id)
    assert (await preview(stub, campaign)).needs_approval
    waiting = await start(stub, campaign)
    assert waiting.state == pb.CAMPAIGN_STATE_AWAITING_APPROVAL
    assert (await start(stub, campaign)).state == pb.CAMPAIGN_STATE_AWAITING_APPROVAL
    approve = pb.ApproveCampaignRequest(campaign_id=campaign.campaign_id)
    refused = await refusal(stub.ApproveCampaign(approve))
    assert (refused.kind, refused.reason) == (Kind.FORBIDDEN, "SECOND_PERSON_NEEDED")
    manager("usr_bo")
    approved = await stub.ApproveCampaign(approve)
    assert (approved.state, approved.approved_by) == (pb.CAMPAIGN_STATE_RUNNING, "usr_bo")
    assert (await stub.ApproveCampaign(approve)).etag == approved.etag
    manager("usr_cy")
    assert (await refusal(stub.ApproveCampaign(approve))).reason == "CAMPAIGN_NOT_WAITING"


async def test_one_person_with_two_ways_to_sign_in_is_one_person(outreach, stub, house, manager):
    manager("usr_ada", associate_id="asc_9")
    campaign = await needing_approval(outreach, stub, house.chain_id)
    await start(stub, campaign)
    manager("key_of_ada", associate_id="asc_9")
    approve = pb.ApproveCampaignRequest(campaign_id=campaign.campaign_id)
    assert (await refusal(stub.ApproveCampaign(approve))).reason == "SECOND_PERSON_NEEDED"


async def test_a_change_takes_an_approval_back(outreach, stub, house, manager):
    await decide(outreach, house.chain_id, approval_above=1)
    later = timestamp_of(NOON + timedelta(days=1))
    campaign = await stub.CreateCampaign(wanted(start_time=later))
    await start(stub, campaign)
    manager("usr_bo")
    approved = await stub.ApproveCampaign(pb.ApproveCampaignRequest(campaign_id=campaign.campaign_id))
    assert approved.state == pb.CAMPAIGN_STATE_SCHEDULED
    changed = await stub.UpdateCampaign(
        pb.UpdateCampaignRequest(
            campaign_id=campaign.campaign_id, display_name="Other", audience={}, texts=[ENGLISH]
        )
    )
    assert (changed.state, changed.approved_by) == (pb.CAMPAIGN_STATE_DRAFT, "")


async def test_what_has_begun_is_not_rewritten_and_what_is_stopped_stays_so(outreach, stub, house):
    campaign = await stub.CreateCampaign(wanted())
    assert (await start(stub, campaign)).state == pb.CAMPAIGN_STATE_RUNNING
    update = pb.UpdateCampaignRequest(
        campaign_id=campaign.campaign_id, display_name="Other", audience={}, texts=[ENGLISH]
    )
    assert (await refusal(stub.UpdateCampaign(update))).reason == "CAMPAIGN_BEGUN"
    cancel = pb.CancelCampaignRequest(campaign_id=campaign.campaign_id)
    cancelled = await stub.CancelCampaign(cancel)
    assert cancelled.state == pb.CAMPAIGN_STATE_CANCELLED
    assert await stub.CancelCampaign(cancel) == cancelled
    assert (await refusal(start(stub, campaign))).reason == "CAMPAIGN_ENDED"
    assert (await refusal(stub.UpdateCampaign(update))).reason == "CAMPAIGN_BEGUN"
    (event,) = await published(outreach.database, events_pb2.CampaignFinished, chain_id=house.chain_id)
    assert (event.campaign_id, event.state) == (campaign.campaign_id, pb.CAMPAIGN_STATE_CANCELLED)


async def test_a_draft_whose_time_has_passed_is_not_started_by_surprise(outreach, stub, house, manager):
    campaign = await stub.CreateCampaign(wanted(start_time=timestamp_of(NOON + timedelta(hours=1))))
    outreach.clock.advance(timedelta(hours=2))
    manager()
    refused = await refusal(start(stub, campaign))
    assert [one.field for one in refused.violations] == ["start_time"]


async def test_of_twenty_who_start_and_cancel_at_once_each_sees_one_campaign(outreach, stub, house, gather):
    campaign = await stub.CreateCampaign(wanted())
    cancel = pb.CancelCampaignRequest(campaign_id=campaign.campaign_id)
    answers = await gather(
        *(start(stub, campaign) if n % 2 else stub.CancelCampaign(cancel) for n in range(20))
    )
    assert {one.reason for one in answers if isinstance(one, ServiceError)} <= {
        "CAMPAIGN_ENDED",
        "CAMPAIGN_CHANGED",
    }
    assert len(await published(outreach.database, events_pb2.CampaignFinished, chain_id=house.chain_id)) == 1


async def test_twenty_repeats_of_one_request_make_one_campaign(stub, manager):
    request = wanted(request_id="req_race")
    made = await asyncio.gather(*(stub.CreateCampaign(request) for _ in range(20)))
    assert len({one.campaign_id for one in made}) == 1


async def test_only_who_may_write_campaigns_writes_them(stub, as_associate):
    as_associate("campaigns:read")
    assert (await refusal(stub.CreateCampaign(wanted()))).reason == "SCOPE_MISSING"
