"""Rate limits: a burst, a steady rate, headers that say so; and no limit at all while Valkey is away."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio

from chassis.ids import new_id
from gateway.limits import Limit, Limiter, RateLimited
from gateway.rest.contracts import operations
from gateway.rest.errors import IdempotencyUnavailable
from gateway.rest.idempotency import Claim, IdempotencyMemory
from gateway.valkey import Valkey


@pytest_asyncio.fixture
async def valkey(servers: Any) -> AsyncIterator[Valkey]:
    made = Valkey(servers.valkey_url)
    yield made
    await made.stop()


@pytest_asyncio.fixture
async def no_valkey() -> AsyncIterator[Valkey]:
    made = Valkey("redis://127.0.0.1:1/0")
    yield made
    await made.stop()


async def test_a_burst_is_let_through_and_the_next_one_waits(valkey: Valkey) -> None:
    limiter, key = Limiter(valkey.client, {"slow": Limit(0.1, 3)}), new_id("k")
    assert [(await limiter.take("slow", key)).remaining for _ in range(3)] == [2, 1, 0]  # type: ignore[union-attr]
    with pytest.raises(RateLimited) as refused:
        await limiter.take("slow", key)
    assert refused.value.retry_after == pytest.approx(10, abs=1)
    assert refused.value.allowance.remaining == 0
    await limiter.take("slow", new_id("k"))  # somebody else is not held up


async def test_room_comes_back_at_the_steady_rate(valkey: Valkey) -> None:
    limiter, key = Limiter(valkey.client, {"fast": Limit(100, 1)}), new_id("k")
    for _ in range(3):
        while True:
            try:
                await limiter.take("fast", key)
                break
            except RateLimited as refused:
                assert refused.retry_after is not None
                assert refused.retry_after <= 0.011
                await asyncio.sleep(refused.retry_after)


async def test_of_fifty_at_once_the_burst_gets_through(valkey: Valkey) -> None:
    limiter, key = Limiter(valkey.client, {"slow": Limit(0.01, 20)}), new_id("k")
    taken = await asyncio.gather(*(limiter.take("slow", key) for _ in range(50)), return_exceptions=True)
    assert sum(isinstance(one, RateLimited) for one in taken) == 30


async def test_an_allowance_can_be_given_back(valkey: Valkey) -> None:
    limiter, key = Limiter(valkey.client, {"slow": Limit(0.01, 1)}), new_id("k")
    await limiter.take("slow", key)
    await limiter.forget("slow", key)
    await limiter.take("slow", key)


async def test_without_valkey_nothing_is_limited(no_valkey: Valkey) -> None:
    limiter = Limiter(no_valkey.client, {"slow": Limit(0.01, 1)})
    assert [await limiter.take("slow", "k") for _ in range(3)] == [None, None, None]
    await limiter.forget("slow", "k")


async def test_without_valkey_a_key_goes_on_where_the_service_remembers_it_and_is_refused_elsewhere(
    no_valkey: Valkey,
) -> None:
    from cryptography.fernet import Fernet

    from gateway.auth.domain import Credential
    from gateway.auth.roles import ADMIN

    memory = IdempotencyMemory(no_valkey.client, Fernet.generate_key().decode())
    credential = Credential("ses_1", "chn_1", "usr_1", ADMIN, frozenset(), "Ada")
    by_name = {operation.method.name: operation for operation in operations()}
    create, accept = by_name["CreateClient"], by_name["AcceptOffer"]
    claim = await memory.claim(create, create.request(), credential, "key")
    assert isinstance(claim, Claim)
    await memory.settle(claim, None)
    with pytest.raises(IdempotencyUnavailable):
        await memory.claim(accept, accept.request(), credential, "key")
