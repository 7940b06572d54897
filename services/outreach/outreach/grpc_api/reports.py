"""The RPCs of ReportsService: proto to arguments, one use case, back to proto."""

from collections.abc import AsyncIterator
from datetime import date
from typing import Any

from carnet.outreach.v1 import outreach_pb2, reports_pb2_grpc
from carnet.outreach.v1 import reports_pb2 as pb
from google.api.httpbody_pb2 import HttpBody
from google.type.date_pb2 import Date

from chassis.caller import current_caller
from chassis.clock import Clock
from chassis.database import Database
from chassis.values import date_of, money_of, proto_date_of, timestamp_of
from outreach.clients import Messaging, Profiles
from outreach.config import Settings
from outreach.domain import Signal
from outreach.domain.reports import FollowUp, OutcomeSum, Period, ReportGroup
from outreach.events import OUTCOME_KIND_VALUES, SIGNAL_VALUES
from outreach.store.reports import Touch
from outreach.use_cases import reports as use_cases
from outreach.use_cases.reports import Asked

_Context = Any  # grpc.aio.ServicerContext is generic in its stubs only

_GROUPS: dict[pb.ReportGroup.ValueType, ReportGroup] = {
    pb.ReportGroup.Value(f"REPORT_GROUP_{group.name}"): group for group in ReportGroup
} | {pb.REPORT_GROUP_UNSPECIFIED: ReportGroup.CHAIN}
_SIGNALS: dict[outreach_pb2.Signal.ValueType, str] = {
    value: str(signal) for signal, value in SIGNAL_VALUES.items()
} | {outreach_pb2.SIGNAL_UNSPECIFIED: ""}


class ReportsServicer(reports_pb2_grpc.ReportsServiceServicer):
    """Answers for one process."""

    def __init__(
        self,
        *,
        database: Database,
        clock: Clock,
        profiles: Profiles,
        messaging: Messaging,
        settings: Settings,
    ) -> None:
        self._database = database
        self._clock = clock

    async def ListTouches(self, request: pb.ListTouchesRequest, context: _Context) -> pb.ListTouchesResponse:
        """Read a page of contacts."""
        page, token = await use_cases.list_touches(
            database=self._database,
            caller=current_caller(),
            asked=Asked(
                store_id=request.store_id,
                associate_id=request.associate_id,
                campaign_id=request.campaign_id,
            ),
            client_id=request.client_id,
            page_size=request.page_size,
            page_token=request.page_token,
        )
        return pb.ListTouchesResponse(touches=map(_touch_message, page), next_page_token=token)

    async def GetOutcomeReport(
        self, request: pb.GetOutcomeReportRequest, context: _Context
    ) -> pb.OutcomeReport:
        """Sum up what contacts led to."""
        report = await use_cases.report_outcomes(
            database=self._database, clock=self._clock, caller=current_caller(), asked=_asked(request)
        )
        return pb.OutcomeReport(
            rows=[_outcome_row(row, report.currency) for row in report.rows],
            **_days(report.period),
            rule_version=report.rule_version,
            note=report.note,
        )

    async def DownloadOutcomeReport(
        self, request: pb.DownloadOutcomeReportRequest, context: _Context
    ) -> AsyncIterator[HttpBody]:
        """Read the same as CSV."""
        async for piece in use_cases.outcomes_as_csv(
            database=self._database, clock=self._clock, caller=current_caller(), asked=_asked(request)
        ):
            yield HttpBody(content_type="text/csv; charset=utf-8", data=piece)

    async def GetLiftReport(self, request: pb.GetLiftReportRequest, context: _Context) -> pb.LiftReport:
        """Compare with who was left alone."""
        found = await use_cases.report_lift(
            database=self._database,
            clock=self._clock,
            caller=current_caller(),
            asked=Asked(
                from_date=_day(request, "from_date"),
                until_date=_day(request, "until_date"),
                campaign_id=request.campaign_id,
            ),
        )
        lift = pb.LiftReport(contacted=found.contacted, held_out=found.held_out, note=found.note)
        if (difference := found.difference) is not None:
            lift.contacted_rate = found.contacted_bought / found.contacted
            lift.held_out_rate = found.held_out_bought / found.held_out
            lift.lift, lift.lift_low, lift.lift_high = difference.value, difference.low, difference.high
        return lift

    async def GetFollowUpReport(
        self, request: pb.GetFollowUpReportRequest, context: _Context
    ) -> pb.FollowUpReport:
        """Show what was kept."""
        report = await use_cases.report_follow_up(
            database=self._database,
            clock=self._clock,
            caller=current_caller(),
            asked=Asked(
                group=_GROUPS[request.group_by],
                from_date=_day(request, "from_date"),
                until_date=_day(request, "until_date"),
                store_id=request.store_id,
            ),
        )
        return pb.FollowUpReport(
            rows=map(_follow_up_row, report.rows), **_days(report.period), note=report.note
        )


def _asked(request: pb.GetOutcomeReportRequest | pb.DownloadOutcomeReportRequest) -> Asked:
    return Asked(
        group=_GROUPS[request.group_by],
        from_date=_day(request, "from_date"),
        until_date=_day(request, "until_date"),
        store_id=request.store_id,
        associate_id=request.associate_id,
        signal=_SIGNALS[request.signal],
    )


def _day(request: Any, field: str) -> date | None:
    return date_of(getattr(request, field), field) if request.HasField(field) else None


def _days(period: Period) -> dict[str, Date | None]:
    return {
        "from_date": proto_date_of(period.from_date),
        "until_date": proto_date_of(period.until_date),
    }


def _touch_message(touch: Touch) -> pb.Touch:
    return pb.Touch(
        touch_id=touch.touch_id,
        client_id=touch.client_id,
        associate_id=touch.associate_id,
        store_id=touch.store_id,
        touch_time=timestamp_of(touch.touched_at),
        channel=touch.channel,
        signals=[SIGNAL_VALUES[Signal(signal)] for signal in touch.signals],
        suggestion_id=touch.suggestion_id,
        campaign_id=touch.campaign_id,
        outcomes=[
            pb.TouchOutcome(
                outcome_id=one.outcome_id,
                kind=OUTCOME_KIND_VALUES[one.kind],
                outcome_time=timestamp_of(one.occurred_at),
                share=one.share,
                amount=money_of(one.amount_minor, one.currency) if one.currency else None,
                rule_version=one.rule_version,
            )
            for one in touch.outcomes
        ],
    )


def _outcome_row(row: OutcomeSum, currency: str) -> pb.OutcomeRow:
    message = pb.OutcomeRow(
        key=row.key,
        touches=row.touches,
        replies=row.replies,
        visits=row.visits,
        appointments=row.appointments,
        purchases=row.purchases,
        revenue=money_of(row.revenue_minor, currency) if currency else None,
        note=row.note,
    )
    if (rate := row.reply_rate) is not None:
        message.reply_rate, message.reply_rate_low, message.reply_rate_high = rate.value, rate.low, rate.high
    return message


def _follow_up_row(row: FollowUp) -> pb.FollowUpRow:
    return pb.FollowUpRow(
        key=row.key,
        raised=row.raised,
        done=row.done,
        dismissed=row.dismissed,
        overdue=row.overdue,
        expired=row.expired,
        kept_rate=row.kept_rate,
        median_answer_minutes=row.median_answer_minutes,
        unanswered=row.unanswered,
        capture_rate=row.capture_rate,
        repeat_rate=row.repeat_rate,
        retention_rate=row.retention_rate,
    )
