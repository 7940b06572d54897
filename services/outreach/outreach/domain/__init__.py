"""Entities and rules, one module an aggregate. Must not know numpy, SQL or any transport."""

from outreach.domain.suggestions import (
    SIGNALS,
    AsOfAhead,
    ContactKind,
    Reason,
    ScoringRunning,
    SendDenied,
    SendFailed,
    SendUnderWay,
    Signal,
    SnoozeNotAhead,
    Suggestion,
    SuggestionClosed,
    SuggestionState,
    SuggestionSuperseded,
    Tier,
    TierAction,
)

__all__ = [
    "SIGNALS",
    "AsOfAhead",
    "ContactKind",
    "Reason",
    "ScoringRunning",
    "SendDenied",
    "SendFailed",
    "SendUnderWay",
    "Signal",
    "SnoozeNotAhead",
    "Suggestion",
    "SuggestionClosed",
    "SuggestionState",
    "SuggestionSuperseded",
    "Tier",
    "TierAction",
]
