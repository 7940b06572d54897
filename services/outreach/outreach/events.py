"""What outreach says happened, as the contract spells it. Must not say a name, a number or a text."""

from collections.abc import Iterable, Mapping
from datetime import date

from carnet.outreach.v1 import events_pb2, outreach_pb2
from carnet.privacy.v1 import privacy_pb2

from chassis.values import proto_date_of
from outreach.domain import SIGNALS, Signal, Suggestion
from outreach.scoring.model import ModelState

SIGNAL_VALUES: dict[Signal, outreach_pb2.Signal.ValueType] = {
    signal: outreach_pb2.Signal.Value(f"SIGNAL_{signal.name}") for signal in SIGNALS
}
MODEL_STATE_VALUES: dict[ModelState, outreach_pb2.PurchaseModelState.ValueType] = {
    ModelState.FITTED: outreach_pb2.PURCHASE_MODEL_STATE_FITTED,
    ModelState.NOT_ENOUGH_HISTORY: outreach_pb2.PURCHASE_MODEL_STATE_NOT_ENOUGH_HISTORY,
    ModelState.NOT_FITTED: outreach_pb2.PURCHASE_MODEL_STATE_NOT_FITTED,
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
