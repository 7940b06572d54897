"""Views of a queue, contacts logged, suggestions handed on, how far everybody is: proto to use case and back."""

from typing import Any

from carnet.outreach.v1 import outreach_pb2 as pb

from chassis.caller import current_caller
from chassis.clock import Clock
from chassis.database import Database
from chassis.errors import invalid
from chassis.values import datetime_of
from outreach.domain import ContactKind, Signal, SuggestionState
from outreach.events import CONTACT_KIND_VALUES, SIGNAL_VALUES
from outreach.grpc_api.messages import STATE_VALUES, suggestion_message
from outreach.store.queues import QueueCounts, View
from outreach.use_cases import queue

_Context = Any  # grpc.aio.ServicerContext is generic in its stubs only

_STATES: dict[int, SuggestionState] = {value: state for state, value in STATE_VALUES.items()}
_SIGNALS: dict[int, Signal] = {value: signal for signal, value in SIGNAL_VALUES.items()}
_KINDS: dict[int, ContactKind] = {value: kind for kind, value in CONTACT_KIND_VALUES.items()}
_VIEWS: dict[int, View] = {
    pb.QUEUE_VIEW_TODAY: View.TODAY,
    pb.QUEUE_VIEW_UPCOMING: View.UPCOMING,
    pb.QUEUE_VIEW_OVERDUE: View.OVERDUE,
    pb.QUEUE_VIEW_DONE: View.DONE,
}


class QueueWorkCalls:
    """The RPCs of this part of the contract."""

    _database: Database
    _clock: Clock

    async def ListQueue(self, request: pb.ListQueueRequest, context: _Context) -> pb.ListQueueResponse:
        """Read a page of a queue."""
        if request.view and request.state:
            raise invalid("view", "stands in place of a state: give one of them")
        page, token = await queue.list_queue(
            database=self._database,
            clock=self._clock,
            caller=current_caller(),
            associate_id=request.associate_id,
            view=_VIEWS[request.view] if request.view else View.STATE if request.state else View.TODAY,
            state=_STATES.get(request.state, SuggestionState.OPEN),
            signal=_SIGNALS.get(request.signal),
            page_size=request.page_size,
            page_token=request.page_token,
        )
        return pb.ListQueueResponse(
            suggestions=[suggestion_message(suggestion) for suggestion in page], next_page_token=token
        )

    async def ListQueueSummaries(
        self, request: pb.ListQueueSummariesRequest, context: _Context
    ) -> pb.ListQueueSummariesResponse:
        """Count the queues of associates."""
        page, goal, token = await queue.list_queue_counts(
            database=self._database,
            clock=self._clock,
            caller=current_caller(),
            store_id=request.store_id,
            page_size=request.page_size,
            page_token=request.page_token,
        )
        return pb.ListQueueSummariesResponse(
            queue_summaries=[_summary_message(counts, goal) for counts in page], next_page_token=token
        )

    async def LogContact(self, request: pb.LogContactRequest, context: _Context) -> pb.Suggestion:
        """Note a contact outside messaging."""
        logged = await queue.log_contact(
            database=self._database,
            clock=self._clock,
            caller=current_caller(),
            suggestion_id=request.suggestion_id,
            kind=_KINDS[request.kind],
            note=request.note.strip(),
            contacted_at=datetime_of(request.contact_time, "contact_time")
            if request.HasField("contact_time")
            else None,
        )
        return suggestion_message(logged)

    async def ReassignSuggestion(
        self, request: pb.ReassignSuggestionRequest, context: _Context
    ) -> pb.Suggestion:
        """Give a suggestion to another associate."""
        handed = await queue.reassign_suggestion(
            database=self._database,
            clock=self._clock,
            caller=current_caller(),
            suggestion_id=request.suggestion_id,
            associate_id=request.associate_id,
        )
        return suggestion_message(handed)


def _summary_message(counts: QueueCounts, goal: int) -> pb.QueueSummary:
    return pb.QueueSummary(
        associate_id=counts.associate_id,
        store_id=counts.store_id,
        open=counts.open,
        overdue=counts.overdue,
        upcoming=counts.upcoming,
        done_today=counts.done_today,
        daily_goal=goal,
        dismissed_today=counts.dismissed_today,
    )
