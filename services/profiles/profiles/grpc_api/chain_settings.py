"""Chain settings on the wire."""

from collections.abc import Iterable
from typing import Any

from carnet.profiles.v1 import profiles_pb2 as pb

from chassis.caller import current_caller
from chassis.clock import Clock
from chassis.database import Database
from chassis.errors import invalid
from chassis.values import minor_of, money_of
from profiles.domain.chain_settings import CashLimit, ChainSettings
from profiles.domain.directory import Chain
from profiles.use_cases import chain_settings as use_cases

_NUMBERS = ("one_timer_days", "lapsed_days", "occasion_lead_days", "purchase_retention_years")


class ChainSettingsCalls:
    """The RPCs on chain settings."""

    _database: Database
    _clock: Clock

    async def GetChainSettings(self, request: pb.GetChainSettingsRequest, context: Any) -> pb.ChainSettings:
        """Read what the chain decided."""
        return _message(*await use_cases.get_settings(database=self._database, caller=current_caller()))

    async def UpdateChainSettings(
        self, request: pb.UpdateChainSettingsRequest, context: Any
    ) -> pb.ChainSettings:
        """Decide anew."""
        given = request.settings
        # What is left out, or 0, is what is built in.
        decided: dict[str, Any] = {name: getattr(given, name) for name in _NUMBERS if getattr(given, name)}
        vip_currency_code = ""
        if given.HasField("vip_amount"):
            amount, vip_currency_code = minor_of(given.vip_amount, "settings.vip_amount")
            if amount < 0:
                raise invalid("settings.vip_amount", "is below zero")
            if amount:
                decided["vip_amount_minor"] = amount
        return _message(
            *await use_cases.update_settings(
                database=self._database,
                clock=self._clock,
                caller=current_caller(),
                settings=ChainSettings(
                    merges_automatically=given.merges_automatically,
                    cash_limits=_cash_limits(given.cash_limits),
                    **decided,
                ),
                vip_currency_code=vip_currency_code,
                etag=request.etag or given.etag,
            )
        )


def _cash_limits(limits: Iterable[pb.CashLimit]) -> dict[str, CashLimit]:
    by_country: dict[str, CashLimit] = {}
    for index, limit in enumerate(limits):
        field = f"settings.cash_limits[{index}]"
        amount, currency_code = minor_of(limit.limit, f"{field}.limit")
        if amount < 0:
            raise invalid(f"{field}.limit", "is below zero")
        if limit.country in by_country:
            raise invalid(f"{field}.country", "is there already")
        by_country[limit.country] = CashLimit(amount, currency_code)
    return by_country


def _message(settings: ChainSettings, chain: Chain) -> pb.ChainSettings:
    return pb.ChainSettings(
        merges_automatically=settings.merges_automatically,
        vip_amount=money_of(settings.vip_amount_minor, chain.currency_code),
        **{name: getattr(settings, name) for name in _NUMBERS},
        cash_limits=[
            pb.CashLimit(country=country, limit=money_of(limit.amount_minor, limit.currency_code))
            for country, limit in sorted(settings.cash_limits.items())
        ],
        etag=settings.etag,
    )
