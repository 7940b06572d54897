"""How the chain works its queue, and its signals: proto to arguments, one use case, back to proto."""

from decimal import Decimal
from typing import Any

from babel.numbers import list_currencies
from carnet.outreach.v1 import outreach_pb2 as pb
from google.type.money_pb2 import Money

from chassis.caller import current_caller
from chassis.clock import Clock
from chassis.database import Database
from chassis.errors import invalid
from outreach.domain import Signal, Tier, TierAction
from outreach.domain.settings import (
    AttributionRule,
    CreditShare,
    Fatigue,
    OutreachSettings,
    SegmentPrice,
    SignalSettings,
    TierBands,
)
from outreach.events import SIGNAL_VALUES
from outreach.use_cases import settings as use_cases
from outreach.use_cases.settings import SignalInForce

_Context = Any  # grpc.aio.ServicerContext is generic in its stubs only

SIGNALS_BY_VALUE: dict[int, Signal] = {value: signal for signal, value in SIGNAL_VALUES.items()}
TIER_VALUES: dict[Tier, pb.Tier.ValueType] = {tier: pb.Tier.Value(f"TIER_{tier.name}") for tier in Tier}
ACTION_VALUES: dict[TierAction, pb.TierAction.ValueType] = {
    TierAction.PERSONAL: pb.TIER_ACTION_PERSONAL,
    TierAction.AUTOMATED: pb.TIER_ACTION_AUTOMATED,
    TierAction.NONE: pb.TIER_ACTION_NONE,
}
_ACTIONS = {value: action for action, value in ACTION_VALUES.items()}
_SHARE_VALUES: dict[CreditShare, pb.CreditShare.ValueType] = {
    CreditShare.LAST: pb.CREDIT_SHARE_LAST,
    CreditShare.EVEN: pb.CREDIT_SHARE_EVEN,
    CreditShare.DECAY: pb.CREDIT_SHARE_DECAY,
}
_SHARES = {value: share for share, value in _SHARE_VALUES.items()}
_CURRENCIES = frozenset(list_currencies())
_NANOS = 10**9
_MOST_PRICE = 10 * _NANOS


class SettingsCalls:
    """The RPCs of this part of the contract."""

    _database: Database
    _clock: Clock

    async def GetOutreachSettings(
        self, request: pb.GetOutreachSettingsRequest, context: _Context
    ) -> pb.OutreachSettings:
        """Read how the chain works its queue."""
        return settings_message(
            await use_cases.get_settings(database=self._database, chain_id=current_caller().chain_id)
        )

    async def UpdateOutreachSettings(
        self, request: pb.UpdateOutreachSettingsRequest, context: _Context
    ) -> pb.OutreachSettings:
        """Decide anew."""
        decided = await use_cases.update_settings(
            database=self._database,
            clock=self._clock,
            caller=current_caller(),
            wanted=settings_of(request.settings),
            etag=request.etag or request.settings.etag,
        )
        return settings_message(decided)

    async def ListSignals(self, request: pb.ListSignalsRequest, context: _Context) -> pb.ListSignalsResponse:
        """List the signals as they are in force."""
        found = await use_cases.list_signals(
            database=self._database,
            clock=self._clock,
            chain_id=current_caller().chain_id,
            store_id=request.store_id,
        )
        return pb.ListSignalsResponse(signals=[_signal_message(one) for one in found])


def settings_of(message: pb.OutreachSettings) -> OutreachSettings:
    """Return the settings that a message says, built-in values as 0 or empty."""
    bands, rule = message.tier_bands, message.attribution
    return OutreachSettings(
        signals=tuple(
            SignalSettings(
                SIGNALS_BY_VALUE[one.signal], one.store_id, one.is_off, dict(sorted(one.parameters.items()))
            )
            for one in message.signals
        ),
        tier_bands=TierBands(
            top_share=bands.top_share,
            middle_share=bands.middle_share,
            top_action=_ACTIONS.get(bands.top_action),
            middle_action=_ACTIONS.get(bands.middle_action),
            base_action=_ACTIONS.get(bands.base_action),
            prospect_action=_ACTIONS.get(bands.prospect_action),
        ),
        daily_goal=message.daily_goal,
        overdue_days=message.overdue_days,
        exploration_share=message.exploration_share,
        holdout_share=message.holdout_share,
        segment_price=_price_of(message.segment_price) if message.HasField("segment_price") else None,
        approval_above=message.approval_above,
        attribution=AttributionRule(
            reply_days=rule.reply_days,
            visit_days=rule.visit_days,
            appointment_days=rule.appointment_days,
            purchase_days=rule.purchase_days,
            share=_SHARES.get(rule.share),
        ),
        fatigue=Fatigue(
            most=message.fatigue.most_share if message.fatigue.HasField("most_share") else None,
            days=message.fatigue.fatigue_days,
        ),
    )


def settings_message(settings: OutreachSettings) -> pb.OutreachSettings:
    """Return the contract's form of settings in force."""
    bands, rule, price = settings.tier_bands, settings.attribution, settings.segment_price
    return pb.OutreachSettings(
        signals=[
            pb.SignalSettings(
                signal=SIGNAL_VALUES[one.signal],
                store_id=one.store_id,
                is_off=one.is_off,
                parameters=one.parameters,
            )
            for one in settings.signals
        ],
        tier_bands=pb.TierBands(
            top_share=bands.top_share,
            middle_share=bands.middle_share,
            top_action=_action_value(bands.top_action),
            middle_action=_action_value(bands.middle_action),
            base_action=_action_value(bands.base_action),
            prospect_action=_action_value(bands.prospect_action),
        ),
        daily_goal=settings.daily_goal,
        overdue_days=settings.overdue_days,
        exploration_share=settings.exploration_share,
        holdout_share=settings.holdout_share,
        segment_price=_price_message(price),
        approval_above=settings.approval_above,
        attribution=pb.AttributionRule(
            reply_days=rule.reply_days,
            visit_days=rule.visit_days,
            appointment_days=rule.appointment_days,
            purchase_days=rule.purchase_days,
            share=_SHARE_VALUES[rule.share] if rule.share else pb.CREDIT_SHARE_UNSPECIFIED,
            version=rule.version,
        ),
        fatigue=pb.Fatigue(most_share=settings.fatigue.most, fatigue_days=settings.fatigue.days),
        etag=settings.etag,
    )


def _price_of(message: Money) -> SegmentPrice | None:
    """Return the price; finer than the currency's minor unit, and none where it is 0."""
    if not message.units and not message.nanos:
        return None
    if message.currency_code not in _CURRENCIES:
        raise invalid("settings.segment_price.currency_code", "is not an ISO 4217 currency")
    nanos = message.units * _NANOS + message.nanos
    if not 0 <= message.nanos < _NANOS or not 0 < nanos <= _MOST_PRICE:
        raise invalid("settings.segment_price", f"must be from 0 to {Decimal(_MOST_PRICE) / _NANOS:f}")
    return SegmentPrice(message.currency_code, nanos)


def _price_message(price: SegmentPrice | None) -> Money | None:
    if price is None:
        return None
    return Money(currency_code=price.currency, units=price.nanos // _NANOS, nanos=price.nanos % _NANOS)


def _action_value(action: TierAction | None) -> pb.TierAction.ValueType:
    return ACTION_VALUES[action] if action else pb.TIER_ACTION_UNSPECIFIED


def _signal_message(found: SignalInForce) -> pb.SignalInfo:
    return pb.SignalInfo(
        signal=SIGNAL_VALUES[found.signal],
        display_name=found.reading.display_name,
        description=found.reading.description,
        parameters=[
            pb.SignalParameter(
                name=parameter.name,
                value=value,
                built_in=parameter.built_in,
                least=parameter.least,
                most=parameter.most,
                description=parameter.description,
            )
            for parameter, value in found.values
        ],
        stated_effect=found.reading.prior,
        effect=found.effect,
        contacts=found.counts.contacts,
        answers=found.counts.answers,
        is_off=found.is_off,
        open_suggestions=found.open_suggestions,
    )
