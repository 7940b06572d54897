"""The contract's side of messaging's reports."""

from datetime import date
from typing import Any

from carnet.messaging.v1 import messaging_pb2, reports_pb2_grpc
from carnet.messaging.v1 import reports_pb2 as pb
from google.type.date_pb2 import Date

from chassis.caller import current_caller
from chassis.paging import cut_page, decode_page_token, page_size_of
from chassis.values import date_of, proto_date_of, timestamp_of
from messaging.domain.reports import Period
from messaging.grpc_api.rendering import channel_of
from messaging.parts import Parts
from messaging.store.campaigns import OptOutCount
from messaging.use_cases import opt_outs
from messaging.use_cases import reports as cases
from messaging.use_cases.reports import Asked

_Context = Any  # grpc.aio.ServicerContext is generic in its stubs only


class MessagingReportsServicer(reports_pb2_grpc.MessagingReportsServiceServicer):
    """Serves carnet.messaging.v1.MessagingReportsService."""

    def __init__(self, parts: Parts) -> None:
        self._database = parts.database
        self._clock = parts.clock

    async def GetDeliveryReport(
        self, request: pb.GetDeliveryReportRequest, context: _Context
    ) -> pb.DeliveryReport:
        period, report = await cases.report_deliveries(
            database=self._database,
            clock=self._clock,
            caller=current_caller(),
            asked=Asked(
                start_date=_day(request, "start_date"),
                end_date=_day(request, "end_date"),
                store_id=request.store_id,
                channel=None
                if request.channel == messaging_pb2.CHANNEL_UNSPECIFIED
                else channel_of(request.channel),
                campaign_id=request.campaign_id,
            ),
        )
        return pb.DeliveryReport(
            counts={state.value: many for state, many in report.counts.items()},
            failures=[
                pb.ErrorClassCount(error_class=one.error_class, error_code=one.error_code, count=one.count)
                for one in report.failures
            ],
            denied_by_reason=report.denied_by_reason,
            segments=report.segments,
            delivered_share=report.delivered_share,
            **_days(period),
        )

    async def GetReplyTimeReport(
        self, request: pb.GetReplyTimeReportRequest, context: _Context
    ) -> pb.ReplyTimeReport:
        period, groups = await cases.report_replies(
            database=self._database,
            clock=self._clock,
            caller=current_caller(),
            asked=Asked(
                start_date=_day(request, "start_date"),
                end_date=_day(request, "end_date"),
                store_id=request.store_id,
            ),
            by_associate=request.group_by == pb.REPLY_TIME_GROUP_ASSOCIATE,
        )
        return pb.ReplyTimeReport(
            groups=[
                pb.ReplyTimes(
                    group_id=one.group_id,
                    answered_count=one.answered_count,
                    unanswered_count=one.unanswered_count,
                    median_seconds=one.median_seconds,
                    p90_seconds=one.p90_seconds,
                )
                for one in groups
            ],
            **_days(period),
        )

    async def GetOptOutReport(self, request: pb.GetOptOutReportRequest, context: _Context) -> pb.OptOutReport:
        size = page_size_of(request.page_size)
        before = decode_page_token(request.page_token, str)
        period, found = await cases.report_opt_outs(
            database=self._database,
            clock=self._clock,
            caller=current_caller(),
            asked=Asked(
                start_date=_day(request, "start_date"),
                end_date=_day(request, "end_date"),
                campaign_id=request.campaign_id,
            ),
            before=str(before[0]) if before else "",
            most=size + 1,
        )
        page, token = cut_page(found, size, lambda one: (one.campaign_id,))
        return pb.OptOutReport(campaigns=map(_campaign_message, page), next_page_token=token, **_days(period))

    async def ResumeCampaign(
        self, request: pb.ResumeCampaignRequest, context: _Context
    ) -> pb.CampaignOptOuts:
        counted = await opt_outs.resume_campaign(
            database=self._database,
            clock=self._clock,
            caller=current_caller(),
            campaign_id=request.campaign_id,
        )
        return _campaign_message(counted)


def _campaign_message(counted: OptOutCount) -> pb.CampaignOptOuts:
    return pb.CampaignOptOuts(
        campaign_id=counted.campaign_id,
        sent_count=counted.sent_count,
        opt_out_count=counted.opt_out_count,
        opt_out_share=counted.opt_out_count / counted.sent_count if counted.sent_count else None,
        is_paused=counted.paused_at is not None,
        pause_time=timestamp_of(counted.paused_at),
    )


def _day(request: Any, field: str) -> date | None:
    return date_of(getattr(request, field), field) if request.HasField(field) else None


def _days(period: Period) -> dict[str, Date | None]:
    return {"start_date": proto_date_of(period.start), "end_date": proto_date_of(period.end)}
