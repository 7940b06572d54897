"""Messages that several modules of the contract return. Must not decide anything."""

from carnet.outreach.v1 import outreach_pb2 as pb

from chassis.values import proto_date_of, timestamp_of
from outreach.domain import Suggestion, SuggestionState
from outreach.events import CONTACT_KIND_VALUES, SIGNAL_VALUES
from outreach.grpc_api.settings import ACTION_VALUES, TIER_VALUES

STATE_VALUES: dict[SuggestionState, pb.SuggestionState.ValueType] = {
    state: pb.SuggestionState.Value(f"SUGGESTION_STATE_{state.name}") for state in SuggestionState
}


def suggestion_message(suggestion: Suggestion) -> pb.Suggestion:
    """Return the contract's form of a suggestion."""
    return pb.Suggestion(
        suggestion_id=suggestion.suggestion_id,
        client_id=suggestion.client_id,
        associate_id=suggestion.associate_id,
        store_id=suggestion.store_id,
        state=STATE_VALUES[suggestion.state],
        as_of_date=proto_date_of(suggestion.as_of),
        expire_date=proto_date_of(suggestion.expires_on),
        snooze_until_date=proto_date_of(suggestion.snoozed_until),
        score=suggestion.score,
        reasons=[
            pb.Reason(
                signal=SIGNAL_VALUES[reason.signal],
                sentence=reason.sentence,
                contribution=reason.contribution,
                facts=reason.facts,
                value=reason.value,
                effect=reason.effect,
                urgency=reason.urgency,
                freshness=reason.freshness,
                source=reason.source,
            )
            for reason in suggestion.reasons
        ],
        dismiss_reason=suggestion.dismiss_reason,
        message_id=suggestion.message_id,
        model_note=suggestion.model_note,
        tier=TIER_VALUES[suggestion.tier] if suggestion.tier else pb.TIER_UNSPECIFIED,
        action=ACTION_VALUES[suggestion.action],
        is_explored=suggestion.is_explored,
        create_time=timestamp_of(suggestion.created_at),
        update_time=timestamp_of(suggestion.updated_at),
        contact_kind=CONTACT_KIND_VALUES[suggestion.contact_kind]
        if suggestion.contact_kind
        else pb.CONTACT_KIND_UNSPECIFIED,
        contact_note=suggestion.contact_note,
        is_overdue=suggestion.is_overdue,
        reassigned_by=suggestion.reassigned_by,
    )
