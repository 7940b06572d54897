"""The RPCs of CampaignsService: proto to arguments, one use case, back to proto."""

from collections.abc import Sequence
from typing import Any

from carnet.outreach.v1 import campaigns_pb2 as pb
from carnet.outreach.v1 import campaigns_pb2_grpc, outreach_pb2

from chassis.caller import current_caller
from chassis.clock import Clock
from chassis.database import Database, RequestKey
from chassis.errors import invalid
from chassis.values import datetime_of, timestamp_of
from outreach.clients import Messaging, Profiles, Segments
from outreach.config import Settings
from outreach.domain import Tier
from outreach.domain.campaigns import (
    Audience,
    CampaignText,
    Plan,
    Progress,
    RecipientState,
    pace_of,
)
from outreach.events import CAMPAIGN_STATE_VALUES, SIGNAL_VALUES
from outreach.store.recipients import Recipient
from outreach.use_cases import campaigns
from outreach.use_cases.campaigns import Preview, Seen

_Context = Any  # grpc.aio.ServicerContext is generic in its stubs only

_STATES = {value: state for state, value in CAMPAIGN_STATE_VALUES.items()}
_SIGNALS = {value: signal for signal, value in SIGNAL_VALUES.items()}
_TIER_VALUES: dict[Tier, outreach_pb2.Tier.ValueType] = {
    tier: outreach_pb2.Tier.Value(f"TIER_{tier.name}") for tier in Tier
}
_TIERS = {value: tier for tier, value in _TIER_VALUES.items()}
_RECIPIENT_VALUES: dict[RecipientState, pb.RecipientState.ValueType] = {
    RecipientState.WAITING: pb.RECIPIENT_STATE_WAITING,
    RecipientState.SENDING: pb.RECIPIENT_STATE_WAITING,
    RecipientState.SENT: pb.RECIPIENT_STATE_SENT,
    RecipientState.EXCLUDED: pb.RECIPIENT_STATE_EXCLUDED,
    RecipientState.HELD_OUT: pb.RECIPIENT_STATE_HELD_OUT,
}


class CampaignsServicer(campaigns_pb2_grpc.CampaignsServiceServicer):
    """Answers for one process."""

    def __init__(
        self,
        *,
        database: Database,
        clock: Clock,
        profiles: Profiles,
        messaging: Messaging,
        settings: Settings,
        segments: Segments,
    ) -> None:
        self._database = database
        self._clock = clock
        self._segments = segments

    async def CreateCampaign(self, request: pb.CreateCampaignRequest, context: _Context) -> pb.Campaign:
        """Write a campaign down."""
        seen = await campaigns.create_campaign(
            database=self._database,
            clock=self._clock,
            caller=current_caller(),
            key=RequestKey.of(request),
            plan=plan_of(request),
            has_holdout=request.HasField("holdout_share"),
        )
        return campaign_message(seen)

    async def UpdateCampaign(self, request: pb.UpdateCampaignRequest, context: _Context) -> pb.Campaign:
        """Write a campaign anew."""
        seen = await campaigns.update_campaign(
            database=self._database,
            clock=self._clock,
            caller=current_caller(),
            campaign_id=request.campaign_id,
            plan=plan_of(request),
            has_holdout=request.HasField("holdout_share"),
            etag=request.etag,
        )
        return campaign_message(seen)

    async def GetCampaign(self, request: pb.GetCampaignRequest, context: _Context) -> pb.Campaign:
        """Read one campaign."""
        return campaign_message(
            await campaigns.get_campaign(
                database=self._database, caller=current_caller(), campaign_id=request.campaign_id
            )
        )

    async def ListCampaigns(
        self, request: pb.ListCampaignsRequest, context: _Context
    ) -> pb.ListCampaignsResponse:
        """Read a page of campaigns."""
        page, token = await campaigns.list_campaigns(
            database=self._database,
            caller=current_caller(),
            state=_STATES.get(request.state),
            page_size=request.page_size,
            page_token=request.page_token,
        )
        return pb.ListCampaignsResponse(
            campaigns=[campaign_message(seen) for seen in page], next_page_token=token
        )

    async def PreviewCampaign(
        self, request: pb.PreviewCampaignRequest, context: _Context
    ) -> pb.CampaignPreview:
        """Count who would get it."""
        preview = await campaigns.preview_campaign(
            database=self._database,
            clock=self._clock,
            segments=self._segments,
            caller=current_caller(),
            campaign_id=request.campaign_id,
        )
        return preview_message(preview)

    async def StartCampaign(self, request: pb.StartCampaignRequest, context: _Context) -> pb.Campaign:
        """Begin."""
        seen = await campaigns.start_campaign(
            database=self._database,
            clock=self._clock,
            segments=self._segments,
            caller=current_caller(),
            campaign_id=request.campaign_id,
        )
        return campaign_message(seen)

    async def ApproveCampaign(self, request: pb.ApproveCampaignRequest, context: _Context) -> pb.Campaign:
        """Agree to it."""
        seen = await campaigns.approve_campaign(
            database=self._database,
            clock=self._clock,
            caller=current_caller(),
            campaign_id=request.campaign_id,
        )
        return campaign_message(seen)

    async def CancelCampaign(self, request: pb.CancelCampaignRequest, context: _Context) -> pb.Campaign:
        """Stop it."""
        seen = await campaigns.cancel_campaign(
            database=self._database,
            clock=self._clock,
            caller=current_caller(),
            campaign_id=request.campaign_id,
        )
        return campaign_message(seen)

    async def ListCampaignRecipients(
        self, request: pb.ListCampaignRecipientsRequest, context: _Context
    ) -> pb.ListCampaignRecipientsResponse:
        """Read a page of who is in it."""
        page, token = await campaigns.list_recipients(
            database=self._database,
            caller=current_caller(),
            campaign_id=request.campaign_id,
            states=[state for state, value in _RECIPIENT_VALUES.items() if value == request.state],
            page_size=request.page_size,
            page_token=request.page_token,
        )
        return pb.ListCampaignRecipientsResponse(
            recipients=[recipient_message(recipient) for recipient in page], next_page_token=token
        )


def plan_of(request: pb.CreateCampaignRequest | pb.UpdateCampaignRequest) -> Plan:
    """Return what a request wants. Raises FIELD_INVALID for a signal or tier that does not exist."""
    audience = request.audience
    return Plan(
        display_name=request.display_name,
        audience=Audience(
            store_ids=_once(audience.store_ids),
            associate_ids=_once(audience.associate_ids),
            tiers=tuple(_known(_TIERS, audience.tiers, "audience.tiers")),
            brand_ids=_once(audience.brand_ids),
            categories=_once(audience.categories),
            signals=tuple(_known(_SIGNALS, audience.signals, "audience.signals")),
            segment_id=audience.segment_id,
            bought_within_days=audience.bought_within_days,
            not_bought_within_days=audience.not_bought_within_days,
        ),
        texts=tuple(CampaignText(text.language, text.body) for text in request.texts),
        holdout_share=request.holdout_share,
        pace_per_hour=pace_of(request.pace_per_hour),
        start_at=datetime_of(request.start_time, "start_time") if request.HasField("start_time") else None,
    )


def campaign_message(seen: Seen) -> pb.Campaign:
    """Return the contract's form of a campaign."""
    campaign, progress = seen
    plan = campaign.plan
    return pb.Campaign(
        campaign_id=campaign.campaign_id,
        display_name=plan.display_name,
        audience=_audience_message(plan.audience),
        texts=[pb.CampaignText(language=text.language, body=text.body) for text in plan.texts],
        holdout_share=plan.holdout_share,
        pace_per_hour=plan.pace_per_hour,
        start_time=timestamp_of(plan.start_at),
        state=CAMPAIGN_STATE_VALUES[campaign.state],
        progress=_progress_message(progress),
        created_by=campaign.created_by,
        approved_by=campaign.approved_by,
        create_time=timestamp_of(campaign.created_at),
        update_time=timestamp_of(campaign.updated_at),
        end_time=timestamp_of(campaign.ended_at),
        etag=campaign.etag,
    )


def preview_message(preview: Preview) -> pb.CampaignPreview:
    """Return the contract's form of a preview."""
    counted = preview.counted
    return pb.CampaignPreview(
        fitting=counted.fitting,
        recipients=counted.recipients,
        held_out=counted.held_out,
        excluded_by_reason=counted.excluded,
        needs_approval=preview.needs_approval,
        segments_each=preview.segments_each,
        segments=preview.segments_each * counted.recipients,
        sample_client_ids=counted.sample,
    )


def recipient_message(recipient: Recipient) -> pb.CampaignRecipient:
    """Return the contract's form of a recipient."""
    return pb.CampaignRecipient(
        client_id=recipient.client_id,
        state=_RECIPIENT_VALUES[recipient.state],
        reason=recipient.reason,
        message_id=recipient.message_id,
        update_time=timestamp_of(recipient.updated_at),
    )


def _audience_message(audience: Audience) -> pb.Audience:
    return pb.Audience(
        store_ids=audience.store_ids,
        associate_ids=audience.associate_ids,
        tiers=[_TIER_VALUES[tier] for tier in audience.tiers],
        brand_ids=audience.brand_ids,
        categories=audience.categories,
        signals=[SIGNAL_VALUES[signal] for signal in audience.signals],
        segment_id=audience.segment_id,
        bought_within_days=audience.bought_within_days,
        not_bought_within_days=audience.not_bought_within_days,
    )


def _progress_message(progress: Progress) -> pb.CampaignProgress:
    return pb.CampaignProgress(
        recipients=progress.recipients,
        held_out=progress.held_out,
        waiting=progress.waiting,
        sent=progress.sent,
        excluded=sum(progress.excluded.values()),
        excluded_by_reason=progress.excluded,
        replies=progress.replies,
    )


def _once(values: Sequence[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(values))


def _known(known: Any, values: Sequence[int], field: str) -> list[Any]:
    for position, value in enumerate(values):
        if value not in known:
            raise invalid(f"{field}[{position}]", "is none of the contract's values")
    return [known[value] for value in dict.fromkeys(values)]
