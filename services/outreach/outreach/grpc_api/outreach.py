"""The contract's RPCs: proto to arguments, one use case, back to proto. Must not decide or say SQL."""

from datetime import datetime, timedelta
from typing import Any

from carnet.outreach.v1 import outreach_pb2 as pb
from carnet.outreach.v1 import outreach_pb2_grpc

from chassis.caller import current_caller
from chassis.clock import Clock
from chassis.database import Database, RequestKey
from chassis.values import date_of, money_of, proto_date_of, timestamp_of
from outreach.clients import Messaging, Profiles
from outreach.config import Settings
from outreach.draft_model import DraftModel
from outreach.events import MODEL_STATE_VALUES
from outreach.grpc_api.messages import suggestion_message
from outreach.grpc_api.queue_work import QueueWorkCalls
from outreach.grpc_api.settings import TIER_VALUES, SettingsCalls
from outreach.grpc_api.snippets import SnippetCalls
from outreach.scoring.model import ChainModel
from outreach.use_cases import facts, queue, scoring, sending

_Context = Any  # grpc.aio.ServicerContext is generic in its stubs only


class OutreachServicer(
    QueueWorkCalls, SettingsCalls, SnippetCalls, outreach_pb2_grpc.OutreachServiceServicer
):
    """Answers for one process."""

    def __init__(
        self,
        *,
        database: Database,
        clock: Clock,
        profiles: Profiles,
        messaging: Messaging,
        settings: Settings,
        model: DraftModel | None = None,
    ) -> None:
        self._database = database
        self._clock = clock
        self._profiles = profiles
        self._messaging = messaging
        self._settings = settings
        self._model = model

    async def GetClientFacts(self, request: pb.GetClientFactsRequest, context: _Context) -> pb.ClientFacts:
        """Read what is known of a client."""
        found = await facts.get_client_facts(
            database=self._database,
            clock=self._clock,
            chain_id=current_caller().chain_id,
            client_id=request.client_id,
        )
        return facts_message(found)

    async def GetFactsSummary(self, request: pb.GetFactsSummaryRequest, context: _Context) -> pb.FactsSummary:
        """Count what has arrived."""
        summary = await facts.get_facts_summary(
            database=self._database, clock=self._clock, chain_id=current_caller().chain_id
        )
        return pb.FactsSummary(
            clients=summary.clients,
            purchases=summary.purchases,
            visits=summary.visits,
            open_suggestions=summary.open_suggestions,
            newest_event_time=timestamp_of(summary.newest_event_at),
        )

    async def GetSuggestion(self, request: pb.GetSuggestionRequest, context: _Context) -> pb.Suggestion:
        """Read one suggestion."""
        found = await queue.get_suggestion(
            database=self._database,
            clock=self._clock,
            caller=current_caller(),
            suggestion_id=request.suggestion_id,
        )
        return suggestion_message(found)

    async def SendSuggestion(
        self, request: pb.SendSuggestionRequest, context: _Context
    ) -> pb.SendSuggestionResponse:
        """Send a text."""
        sent = await sending.send_suggestion(
            database=self._database,
            clock=self._clock,
            messaging=self._messaging,
            caller=current_caller(),
            key=RequestKey.of(request),
            suggestion_id=request.suggestion_id,
            body=request.body,
            draft_id=request.draft_id,
        )
        return pb.SendSuggestionResponse(
            suggestion=suggestion_message(sent),
            message_id=sent.message_id,
            conversation_id=sent.conversation_id,
        )

    async def SnoozeSuggestion(self, request: pb.SnoozeSuggestionRequest, context: _Context) -> pb.Suggestion:
        """Put a suggestion away until a day."""
        snoozed = await queue.snooze_suggestion(
            database=self._database,
            clock=self._clock,
            caller=current_caller(),
            suggestion_id=request.suggestion_id,
            until=date_of(request.until_date, "until_date"),
        )
        return suggestion_message(snoozed)

    async def DismissSuggestion(
        self, request: pb.DismissSuggestionRequest, context: _Context
    ) -> pb.Suggestion:
        """Put a suggestion away for good."""
        dismissed = await queue.dismiss_suggestion(
            database=self._database,
            clock=self._clock,
            caller=current_caller(),
            suggestion_id=request.suggestion_id,
            reason=request.reason,
        )
        return suggestion_message(dismissed)

    async def ReopenSuggestion(self, request: pb.ReopenSuggestionRequest, context: _Context) -> pb.Suggestion:
        """Bring a suggestion back."""
        reopened = await queue.reopen_suggestion(
            database=self._database,
            clock=self._clock,
            caller=current_caller(),
            suggestion_id=request.suggestion_id,
        )
        return suggestion_message(reopened)

    async def GetPurchaseModel(
        self, request: pb.GetPurchaseModelRequest, context: _Context
    ) -> pb.PurchaseModel:
        """Read the chain's model."""
        found = await facts.get_purchase_model(database=self._database, chain_id=current_caller().chain_id)
        if found is None:
            return pb.PurchaseModel(
                state=pb.PURCHASE_MODEL_STATE_NOT_ENOUGH_HISTORY,
                note="No purchase model has been fitted yet.",
            )
        return model_message(*found)

    async def RunScoring(self, request: pb.RunScoringRequest, context: _Context) -> pb.RunScoringResponse:
        """Rank the chain."""
        scored = await scoring.run_scoring(
            database=self._database,
            clock=self._clock,
            chain_id=current_caller().chain_id,
            as_of=date_of(request.as_of_date, "as_of_date") if request.HasField("as_of_date") else None,
            queue_size=self._settings.queue_size,
            replay_hold=timedelta(hours=self._settings.replay_hold_hours),
        )
        return pb.RunScoringResponse(
            purchase_model=model_message(scored.model, scored.fitted_at),
            clients_scored=scored.clients_scored,
            suggestions_raised=scored.suggestions_raised,
            duration_seconds=scored.duration_seconds,
        )


def facts_message(found: facts.Facts) -> pb.ClientFacts:
    """Return the contract's form of a client's facts."""
    figures, currency = found.figures, found.currency
    return pb.ClientFacts(
        client_id=figures.client_id,
        associate_id=figures.associate_id,
        store_id=figures.store_id,
        purchase_days=figures.purchase_days,
        purchases=figures.purchases,
        total=money_of(figures.total_minor, currency) if currency else None,
        first_purchase_date=proto_date_of(figures.first_purchase),
        last_purchase_date=proto_date_of(figures.last_purchase),
        last_visit_date=proto_date_of(figures.last_visit),
        last_contact_date=proto_date_of(figures.last_contact),
        visits=figures.visits,
        probability_alive=found.probability_alive,
        expected_purchases_year=found.expected_purchases_year,
        expected_value_year=(
            None
            if found.expected_value_year_minor is None
            else money_of(found.expected_value_year_minor, currency)
        ),
        model_note=found.model_note,
        affinities=[pb.Affinity(kind=one.kind, value=one.value, share=one.share) for one in found.affinities],
        price_band_low=money_of(found.price_band[0], currency) if found.price_band else None,
        price_band_high=money_of(found.price_band[1], currency) if found.price_band else None,
        tier=TIER_VALUES[found.tier] if found.tier else pb.TIER_UNSPECIFIED,
        marks={str(mark): day.isoformat() for mark, day in found.marks.items()},
    )


def model_message(model: ChainModel, fitted_at: datetime) -> pb.PurchaseModel:
    """Return the contract's form of a purchase model; a part without a fit stays unset."""
    rhythm, spend = model.bg_nbd, model.gamma_gamma
    return pb.PurchaseModel(
        state=MODEL_STATE_VALUES[model.state],
        note=model.note,
        clients=model.clients,
        repeat_clients=model.repeat_clients,
        bg_nbd=None
        if rhythm is None
        else pb.BgNbd(
            r=rhythm.r, alpha=rhythm.alpha, a=rhythm.a, b=rhythm.b, log_likelihood=rhythm.log_likelihood
        ),
        gamma_gamma=None
        if spend is None
        else pb.GammaGamma(p=spend.p, q=spend.q, gamma=spend.gamma, log_likelihood=spend.log_likelihood),
        as_of_date=proto_date_of(model.as_of),
        fit_time=timestamp_of(fitted_at),
    )
