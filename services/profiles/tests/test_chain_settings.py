"""What a chain decides about its clients."""

import asyncio
from typing import Any

import pytest
import pytest_asyncio
from carnet.profiles.v1 import profiles_pb2 as pb
from google.type.money_pb2 import Money

from chassis.errors import Kind, ServiceError


@pytest_asyncio.fixture(loop_scope="session")
async def chain(house: Any) -> Any:
    """The house, signed in as who may decide."""
    house.act_as("directory:read", "policies:write")
    return house


def usd(units: int, currency: str = "USD") -> Money:
    return Money(currency_code=currency, units=units)


async def decide(house: Any, etag: str = "", **fields: Any) -> pb.ChainSettings:
    return await house.stub.UpdateChainSettings(
        pb.UpdateChainSettingsRequest(settings=pb.ChainSettings(**fields), etag=etag)
    )


async def current(house: Any) -> pb.ChainSettings:
    return await house.stub.GetChainSettings(pb.GetChainSettingsRequest())


async def test_a_chain_begins_with_the_built_in_numbers(chain: Any) -> None:
    assert await current(chain) == pb.ChainSettings(
        vip_amount=usd(10_000), one_timer_days=180, lapsed_days=730, occasion_lead_days=21,
        purchase_retention_years=7, etag="v0",
    )  # fmt: skip


async def test_all_fields_are_taken_and_zero_is_the_built_in_number(chain: Any) -> None:
    decided = await decide(
        chain, merges_automatically=True, vip_amount=usd(25_000), one_timer_days=90, lapsed_days=365,
        occasion_lead_days=30, purchase_retention_years=10,
        cash_limits=[pb.CashLimit(country="US", limit=usd(8000)), pb.CashLimit(country="DE", limit=usd(0, "EUR"))],
    )  # fmt: skip
    assert decided == await current(chain)
    assert (decided.merges_automatically, decided.vip_amount, decided.one_timer_days) == (
        True,
        usd(25_000),
        90,
    )
    assert [(limit.country, limit.limit) for limit in decided.cash_limits] == [
        ("DE", usd(0, "EUR")),
        ("US", usd(8000)),
    ]
    again = await decide(chain, decided.etag)
    assert (again.merges_automatically, again.vip_amount, again.occasion_lead_days) == (
        False,
        usd(10_000),
        21,
    )
    assert not again.cash_limits


async def test_of_twenty_decisions_on_one_etag_one_holds(chain: Any) -> None:
    etag = (await current(chain)).etag

    async def attempt(days: int) -> str:
        try:
            return (await decide(chain, etag, lapsed_days=days)).etag
        except ServiceError as error:
            return error.reason

    outcomes = await asyncio.gather(*map(attempt, range(100, 120)))
    assert sorted(set(outcomes)) == ["CHAIN_SETTINGS_CHANGED", "v1"]
    assert outcomes.count("v1") == 1
    without = await asyncio.gather(*(decide(chain, lapsed_days=days) for days in range(100, 105)))
    assert sorted(one.etag for one in without) == ["v2", "v3", "v4", "v5", "v6"]


@pytest.mark.parametrize(
    ("fields", "reason", "field"),
    [
        ({"vip_amount": usd(1, "EUR")}, "CURRENCY_MISMATCH", "settings.vip_amount.currency_code"),
        ({"vip_amount": usd(-1)}, "FIELD_INVALID", "settings.vip_amount"),
        ({"lapsed_days": 3651}, None, "settings.lapsed_days"),
        ({"cash_limits": [pb.CashLimit(country="us", limit=usd(1))]}, None, "settings.cash_limits[0].country"),
        ({"cash_limits": [pb.CashLimit(country="US")]}, None, "settings.cash_limits[0].limit"),
        (
            {"cash_limits": [pb.CashLimit(country="US", limit=usd(1, "ZZZ"))]},
            "FIELD_INVALID", "settings.cash_limits[0].limit.currency_code",
        ),
        (
            {"cash_limits": [pb.CashLimit(country="US", limit=usd(-1))]},
            "FIELD_INVALID", "settings.cash_limits[0].limit",
        ),
        (
            {"cash_limits": [pb.CashLimit(country="US", limit=usd(n)) for n in (1, 2)]},
            "FIELD_INVALID", "settings.cash_limits[1].country",
        ),
    ],
)  # fmt: skip
async def test_what_cannot_hold_is_refused_by_its_field(
    chain: Any, fields: dict[str, Any], reason: str | None, field: str
) -> None:
    with pytest.raises(ServiceError) as refused:
        await decide(chain, **fields)
    assert refused.value.kind == Kind.INVALID
    assert reason in (None, refused.value.reason)
    assert refused.value.violations[0].field == field
    assert (await current(chain)).etag == "v0"


async def test_who_decided_is_written_down(chain: Any) -> None:
    await decide(chain, lapsed_days=100)
    async with chain.database.transaction(chain.chain_id) as tx:
        row = (await tx.execute("select action, subject_id, client_ids from audit_entries")).one()
    assert (row.action, row.subject_id, list(row.client_ids)) == ("UpdateChainSettings", chain.chain_id, [])


async def test_deciding_needs_a_scope_of_its_own(house: Any) -> None:
    house.act_as("directory:read")
    with pytest.raises(ServiceError) as refused:
        await decide(house)
    assert refused.value.reason == "SCOPE_MISSING"


async def test_a_chain_sees_its_own_decisions_only(chain: Any, other_house: Any) -> None:
    chain.act_as("directory:read", "policies:write")
    await decide(chain, lapsed_days=100)
    other_house.act_as("directory:read")
    assert (await current(chain)).lapsed_days == 730
