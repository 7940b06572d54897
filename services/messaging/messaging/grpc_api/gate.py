"""The contract's side of the chain's own rules, and of the evidence."""

from collections.abc import AsyncIterator, Iterator
from datetime import time
from itertools import groupby
from typing import Any

from carnet.messaging.v1 import gate_pb2 as pb
from carnet.messaging.v1 import gate_pb2_grpc
from google.api.httpbody_pb2 import HttpBody
from google.type.money_pb2 import Money

from chassis.caller import current_caller
from chassis.errors import invalid
from messaging import places
from messaging.domain import ChainSettings, FrequencyCap, OwnHours, SegmentPrice
from messaging.events import purpose_number
from messaging.grpc_api.rendering import author_of, purpose_of
from messaging.hours import Window
from messaging.parts import Parts
from messaging.use_cases import evidence as evidence_cases
from messaging.use_cases import settings as settings_cases
from messaging.use_cases.permissions import address_of

_Context = Any  # grpc.aio.ServicerContext is generic in its stubs only
_NANOS = 10**9


class GateServicer(gate_pb2_grpc.GateServiceServicer):
    """Serves carnet.messaging.v1.GateService."""

    def __init__(self, parts: Parts) -> None:
        self._database = parts.database
        self._clock = parts.clock
        self._profiles = parts.profiles
        self._suppressor = parts.suppressor

    async def GetMessagingSettings(
        self, request: pb.GetMessagingSettingsRequest, context: _Context
    ) -> pb.MessagingSettings:
        found = await settings_cases.get_settings(database=self._database, chain_id=current_caller().chain_id)
        return _settings_message(found)

    async def UpdateMessagingSettings(
        self, request: pb.UpdateMessagingSettingsRequest, context: _Context
    ) -> pb.MessagingSettings:
        decided = await settings_cases.update_settings(
            database=self._database,
            clock=self._clock,
            chain_id=current_caller().chain_id,
            wanted=_settings_of(request.settings),
            etag=request.settings.etag,
        )
        return _settings_message(decided)

    async def ListHoursRules(
        self, request: pb.ListHoursRulesRequest, context: _Context
    ) -> pb.ListHoursRulesResponse:
        country = request.country.upper()
        return pb.ListHoursRulesResponse(
            rules=[
                message
                for rule in places.RULES
                if country in ("", rule.country)
                for message in _rule_messages(rule)
            ]
        )

    async def DownloadPermissionEvidence(
        self, request: pb.DownloadPermissionEvidenceRequest, context: _Context
    ) -> AsyncIterator[HttpBody]:
        caller = current_caller()
        pieces = await evidence_cases.open_evidence(
            database=self._database,
            clock=self._clock,
            profiles=self._profiles,
            suppressor=self._suppressor,
            chain_id=caller.chain_id,
            address=address_of(request.phone, request.email),
            actor=author_of(caller),
        )
        async for piece in pieces:
            yield HttpBody(content_type="text/csv", data=piece)


def _settings_of(message: pb.MessagingSettings) -> ChainSettings:
    return ChainSettings(
        marketing_hours=_own_hours(message.marketing_hours) if message.HasField("marketing_hours") else None,
        service_hours=_own_hours(message.service_hours) if message.HasField("service_hours") else None,
        frequency_caps=tuple(
            FrequencyCap(purpose_of(cap.purpose), cap.most, cap.days) for cap in message.frequency_caps
        ),
        collision_hours=message.collision_hours,
        double_opt_in=message.double_opt_in,
        opt_out_pause_share=message.opt_out_pause_share,
        opt_out_pause_after=message.opt_out_pause_after,
        segment_prices=tuple(
            _price_of(price, f"settings.segment_prices[{place}]")
            for place, price in enumerate(message.segment_prices)
        ),
        forbidden_phrases=tuple(dict.fromkeys(phrase.strip() for phrase in message.forbidden_phrases)),
    )


def _settings_message(settings: ChainSettings) -> pb.MessagingSettings:
    return pb.MessagingSettings(
        marketing_hours=_hours_message(settings.marketing_hours),
        service_hours=_hours_message(settings.service_hours),
        frequency_caps=[
            pb.FrequencyCap(purpose=purpose_number(cap.purpose), most=cap.most, days=cap.days)
            for cap in settings.frequency_caps
        ],
        collision_hours=settings.collision_hours,
        double_opt_in=settings.double_opt_in,
        opt_out_pause_share=settings.opt_out_pause_share,
        opt_out_pause_after=settings.opt_out_pause_after,
        segment_prices=[
            pb.SegmentPrice(
                country=price.country,
                price=Money(
                    currency_code=price.currency, units=price.nanos // _NANOS, nanos=price.nanos % _NANOS
                ),
            )
            for price in settings.segment_prices
        ],
        forbidden_phrases=settings.forbidden_phrases,
        etag=settings.etag,
    )


def _own_hours(message: pb.HoursWindow) -> OwnHours:
    return OwnHours(
        time.fromisoformat(message.opens),
        time.fromisoformat(message.closes),
        frozenset(weekday - 1 for weekday in message.closed_weekdays),
    )


def _hours_message(own: OwnHours | None) -> pb.HoursWindow | None:
    if own is None:
        return None
    return pb.HoursWindow(
        opens=f"{own.opens:%H:%M}",
        closes=f"{own.closes:%H:%M}",
        closed_weekdays=[weekday + 1 for weekday in sorted(own.closed_weekdays)],
    )


def _price_of(message: pb.SegmentPrice, field: str) -> SegmentPrice:
    price = message.price
    nanos = price.units * _NANOS + price.nanos
    if (
        len(price.currency_code) != 3
        or not price.currency_code.isalpha()
        or not price.currency_code.isupper()
    ):
        raise invalid(f"{field}.price.currency_code", "is not an ISO 4217 currency")
    if not 0 <= price.nanos < _NANOS or not 0 <= nanos <= 100 * _NANOS:
        raise invalid(f"{field}.price", "must be from 0 to 100")
    return SegmentPrice(message.country, price.currency_code, nanos)


def _rule_messages(rule: places.HoursRule) -> Iterator[pb.HoursRule]:
    """Yield a rule as the contract says it: once for each window that some of the weekdays have."""

    def key(weekday: int) -> tuple[str, str]:
        window = rule.week[weekday] or Window(time(), time())
        return f"{window.opens:%H:%M}", f"{window.closes:%H:%M}"

    open_days = sorted((day for day in range(7) if rule.week[day] is not None), key=key)
    for (opens, closes), weekdays in groupby(open_days, key):
        closed = sorted({*range(7)} - {*weekdays})
        yield pb.HoursRule(
            country=rule.country,
            state=rule.state,
            purpose=purpose_number(rule.purpose),
            hours=pb.HoursWindow(opens=opens, closes=closes, closed_weekdays=[day + 1 for day in closed]),
            source=rule.source,
            is_verified=rule.is_verified,
        )
