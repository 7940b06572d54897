"""What outreach says happened, as the contract spells it. Must not say a name, a number or a text."""

from collections.abc import Iterable, Mapping
from datetime import date

from carnet.outreach.v1 import campaigns_pb2, events_pb2, outreach_pb2, reports_pb2
from carnet.privacy.v1 import privacy_pb2

from chassis.values import proto_date_of
from outreach.domain import SIGNALS, ContactKind, Signal, Suggestion
from outreach.domain.attribution import PARTS, CreditedOutcome, OutcomeKind
from outreach.domain.campaigns import Campaign, CampaignState, Progress
from outreach.scoring.model import ModelState

SIGNAL_VALUES: dict[Signal, outreach_pb2.Signal.ValueType] = {
    signal: outreach_pb2.Signal.Value(f"SIGNAL_{signal.name}") for signal in SIGNALS
}
CONTACT_KIND_VALUES: dict[ContactKind, outreach_pb2.ContactKind.ValueType] = {
    kind: outreach_pb2.ContactKind.Value(f"CONTACT_KIND_{kind.name}") for kind in ContactKind
}
MODEL_STATE_VALUES: dict[ModelState, outreach_pb2.PurchaseModelState.ValueType] = {
    ModelState.FITTED: outreach_pb2.PURCHASE_MODEL_STATE_FITTED,
    ModelState.NOT_ENOUGH_HISTORY: outreach_pb2.PURCHASE_MODEL_STATE_NOT_ENOUGH_HISTORY,
    ModelState.NOT_FITTED: outreach_pb2.PURCHASE_MODEL_STATE_NOT_FITTED,
}

OUTCOME_KIND_VALUES: dict[OutcomeKind, reports_pb2.OutcomeKind.ValueType] = {
    OutcomeKind.REPLY: reports_pb2.OUTCOME_KIND_REPLY,
    OutcomeKind.VISIT: reports_pb2.OUTCOME_KIND_VISIT,
    OutcomeKind.APPOINTMENT: reports_pb2.OUTCOME_KIND_APPOINTMENT,
    OutcomeKind.PURCHASE: reports_pb2.OUTCOME_KIND_PURCHASE,
}
CAMPAIGN_STATE_VALUES: dict[CampaignState, campaigns_pb2.CampaignState.ValueType] = {
    state: campaigns_pb2.CampaignState.Value(f"CAMPAIGN_STATE_{state.name}") for state in CampaignState
}


def suggestion_raised(suggestion: Suggestion) -> events_pb2.SuggestionRaised:
    """Return the event of a suggestion that an associate now has on the queue."""
    return events_pb2.SuggestionRaised(
        suggestion_id=suggestion.suggestion_id,
        client_id=suggestion.client_id,
        associate_id=suggestion.associate_id,
        store_id=suggestion.store_id,
        signals=[SIGNAL_VALUES[signal] for signal in suggestion.signals],
        score=suggestion.score,
        version=suggestion.version,
    )


def suggestion_sent(suggestion: Suggestion) -> events_pb2.SuggestionSent:
    """Return the event of a suggestion whose text messaging took."""
    return events_pb2.SuggestionSent(
        suggestion_id=suggestion.suggestion_id,
        client_id=suggestion.client_id,
        associate_id=suggestion.associate_id,
        store_id=suggestion.store_id,
        message_id=suggestion.message_id,
        signals=[SIGNAL_VALUES[signal] for signal in suggestion.signals],
        version=suggestion.version,
    )


def suggestion_dismissed(suggestion: Suggestion) -> events_pb2.SuggestionDismissed:
    """Return the event of a suggestion that was put away for good."""
    return events_pb2.SuggestionDismissed(
        suggestion_id=suggestion.suggestion_id,
        client_id=suggestion.client_id,
        associate_id=suggestion.associate_id,
        store_id=suggestion.store_id,
        version=suggestion.version,
    )


def suggestion_logged(suggestion: Suggestion) -> events_pb2.SuggestionLogged:
    """Return the event of a suggestion that was done outside messaging; what was noted of it stays here."""
    kind = suggestion.contact_kind
    return events_pb2.SuggestionLogged(
        suggestion_id=suggestion.suggestion_id,
        client_id=suggestion.client_id,
        associate_id=suggestion.associate_id,
        store_id=suggestion.store_id,
        kind=CONTACT_KIND_VALUES[kind] if kind else outreach_pb2.CONTACT_KIND_UNSPECIFIED,
        signals=[SIGNAL_VALUES[signal] for signal in suggestion.signals],
        version=suggestion.version,
    )


def outcome_credited(outcome: CreditedOutcome) -> events_pb2.OutcomeCredited:
    """Return the event of an outcome whose credits changed."""
    return events_pb2.OutcomeCredited(
        outcome_id=outcome.outcome_id,
        kind=OUTCOME_KIND_VALUES[outcome.kind],
        client_id=outcome.client_id,
        store_id=outcome.store_id,
        credits=[
            reports_pb2.Credit(touch_id=credit.touch_id, share=credit.parts / PARTS)
            for credit in outcome.credits
        ],
        rule_version=outcome.rule_version,
        version=outcome.version,
    )


def scoring_completed(
    *, as_of: date, model_state: ModelState, clients_scored: int, suggestions_raised: int
) -> events_pb2.ScoringCompleted:
    """Return the event of a chain that was ranked as a whole."""
    return events_pb2.ScoringCompleted(
        as_of_date=proto_date_of(as_of),
        model_state=MODEL_STATE_VALUES[model_state],
        clients_scored=clients_scored,
        suggestions_raised=suggestions_raised,
    )


def erasure_receipt(
    *,
    erasure_id: str,
    client_id: str,
    erased: Mapping[str, int],
    retained: Iterable[tuple[str, str, int]] = (),
) -> privacy_pb2.ErasureReceipt:
    """Return the receipt of an erasure; `retained` are (category, basis, count)."""
    return privacy_pb2.ErasureReceipt(
        erasure_id=erasure_id,
        client_id=client_id,
        erased=erased,
        retained=[
            privacy_pb2.Retention(category=category, basis=basis, count=count)
            for category, basis, count in retained
        ],
    )


def client_forgotten(receipt: privacy_pb2.ErasureReceipt) -> events_pb2.ClientForgotten:
    """Return the fact that outreach forgot a client."""
    return events_pb2.ClientForgotten(receipt=receipt)


def campaign_finished(campaign: Campaign, progress: Progress) -> events_pb2.CampaignFinished:
    """Return the event of a campaign that is through."""
    return events_pb2.CampaignFinished(
        campaign_id=campaign.campaign_id,
        state=CAMPAIGN_STATE_VALUES[campaign.state],
        recipients=progress.recipients,
        sent=progress.sent,
    )
