"""A call through the real server and client: who may, what is refused, how failures come back."""

import asyncio
from datetime import UTC, datetime, timedelta

import grpc
import pytest
from carnet.waitlist.v1 import waitlist_pb2, waitlist_pb2_grpc
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection_pb2, reflection_pb2_grpc
from toy import MakeToy, Toy

from chassis.caller import Caller, CallerSigner, set_caller
from chassis.clock import FixedClock
from chassis.errors import Kind, ServiceError, not_found
from chassis.testing import Keys, SignIn, channel_to, running

GET = waitlist_pb2.GetReferenceRequest(reference_id="ref_1")


async def read(
    toy: Toy, request: waitlist_pb2.GetReferenceRequest = GET, timeout: float | None = None
) -> None:
    async with (
        running(toy.service, without=("consumer", "outbox")) as address,
        channel_to(address) as channel,
    ):
        await waitlist_pb2_grpc.WaitlistServiceStub(channel).GetReference(request, timeout=timeout)


async def refusal(toy: Toy, **arguments: object) -> ServiceError:
    with pytest.raises(ServiceError) as refused:
        await read(toy, **arguments)  # type: ignore[arg-type]
    return refused.value


def raising(error: Exception):  # type: ignore[no-untyped-def]
    async def behave() -> None:
        raise error

    return behave


async def test_a_typed_error_comes_back_whole(make_toy: MakeToy, sign_in: SignIn) -> None:
    sign_in("waitlist:read")
    toy = make_toy()
    toy.servicer.behave = raising(
        ServiceError(Kind.EXHAUSTED, "TOO_MANY", "Too many.", metadata={"most": "3"}, retry_after=2.5)
    )
    error = await refusal(toy)
    assert (error.kind, error.reason, error.message) == (Kind.EXHAUSTED, "TOO_MANY", "Too many.")
    assert (error.metadata, error.retry_after) == ({"most": "3"}, 2.5)


@pytest.mark.parametrize("kind", [kind for kind in Kind if kind not in (Kind.INTERNAL, Kind.UNAVAILABLE)])
async def test_every_kind_survives_the_wire(kind: Kind, make_toy: MakeToy, sign_in: SignIn) -> None:
    sign_in("waitlist:read")
    toy = make_toy()
    toy.servicer.behave = raising(ServiceError(kind, "SOME_REASON", "Why."))
    assert (await refusal(toy)).kind is kind


async def test_an_unforeseen_error_says_nothing_outside(make_toy: MakeToy, sign_in: SignIn) -> None:
    sign_in("waitlist:read")
    toy = make_toy()
    toy.servicer.behave = raising(ValueError("the client's phone is +12025550101"))
    error = await refusal(toy)
    assert (error.kind, error.reason) == (Kind.INTERNAL, "INTERNAL")
    assert "phone" not in error.message
    assert error.metadata["correlation_id"].startswith("cor_")


async def test_a_call_without_a_caller_is_refused(make_toy: MakeToy) -> None:
    set_caller(None)
    error = await refusal(make_toy())
    assert (error.kind, error.reason) == (Kind.UNAUTHENTICATED, "CALLER_MISSING")


async def test_a_caller_without_the_scope_is_refused(make_toy: MakeToy, sign_in: SignIn) -> None:
    sign_in("clients:read")
    error = await refusal(make_toy())
    assert (error.kind, error.reason, error.metadata) == (
        Kind.FORBIDDEN,
        "SCOPE_MISSING",
        {"scope": "waitlist:read"},
    )


async def test_an_expired_caller_is_refused(make_toy: MakeToy, sign_in: SignIn) -> None:
    sign_in("waitlist:read", clock=FixedClock(datetime.now(UTC) - timedelta(minutes=2)))
    assert (await refusal(make_toy())).reason == "CALLER_EXPIRED"


async def test_a_forged_caller_is_refused(make_toy: MakeToy, sign_in: SignIn) -> None:
    caller = sign_in("waitlist:read")
    head, claims, signature = caller.token.split(".")
    set_caller(Caller("chn_one", "usr", "admin", caller.scopes, token=f"{head}.{claims}.{signature[::-1]}"))
    assert (await refusal(make_toy())).reason == "CALLER_FORGED"


async def test_a_service_cannot_claim_more_than_its_key_may(make_toy: MakeToy, keys: Keys) -> None:
    from chassis.clock import SystemClock

    signer = CallerSigner(keys.signing["messaging"], SystemClock())
    set_caller(signer.service_caller("chn_one", frozenset({"waitlist:read"})))
    assert (await refusal(make_toy())).reason == "CALLER_FORGED"


async def test_a_message_that_breaks_a_field_rule_is_refused_with_the_field(
    make_toy: MakeToy, sign_in: SignIn
) -> None:
    sign_in("waitlist:read")
    error = await refusal(make_toy(), request=waitlist_pb2.GetReferenceRequest())
    assert (error.kind, error.reason) == (Kind.INVALID, "FIELD_INVALID")
    assert [violation.field for violation in error.violations] == ["reference_id"]


async def test_the_path_of_a_violation_names_the_element(make_toy: MakeToy, sign_in: SignIn) -> None:
    sign_in("allocations:write")
    toy = make_toy()
    request = waitlist_pb2.ReceiveAllocationRequest(reference_id="r", store_id="s", serials=["ok", ""])
    async with (
        running(toy.service, without=("consumer", "outbox")) as address,
        channel_to(address) as channel,
    ):
        with pytest.raises(ServiceError) as refused:
            await waitlist_pb2_grpc.WaitlistServiceStub(channel).ReceiveAllocation(request)
    assert [violation.field for violation in refused.value.violations] == ["serials[1]"]


async def test_a_call_that_takes_too_long_says_which(make_toy: MakeToy, sign_in: SignIn) -> None:
    sign_in("waitlist:read")
    toy = make_toy()

    async def forever() -> None:
        await asyncio.Event().wait()

    toy.servicer.behave = forever
    error = await refusal(toy, timeout=3)
    assert (error.kind, error.reason) == (Kind.UNAVAILABLE, "DEADLINE_EXCEEDED")
    assert "GetReference" in error.message


async def test_a_service_that_is_not_there_is_an_outage(sign_in: SignIn) -> None:
    sign_in("waitlist:read")
    async with channel_to("127.0.0.1:1") as channel:
        with pytest.raises(ServiceError) as refused:
            await waitlist_pb2_grpc.WaitlistServiceStub(channel).GetReference(GET, timeout=2)
    assert refused.value.kind is Kind.UNAVAILABLE


async def test_another_chains_id_is_not_found(make_toy: MakeToy, sign_in: SignIn) -> None:
    sign_in("waitlist:read")
    toy = make_toy()
    toy.servicer.behave = raising(not_found("reference", "ref_1"))
    error = await refusal(toy)
    assert (error.kind, error.reason, error.metadata) == (
        Kind.NOT_FOUND,
        "REFERENCE_NOT_FOUND",
        {"reference_id": "ref_1"},
    )


async def test_health_and_reflection_are_there(make_toy: MakeToy) -> None:
    toy = make_toy()
    async with (
        running(toy.service, without=("consumer", "outbox")) as address,
        grpc.aio.insecure_channel(address) as channel,
    ):
        health = await health_pb2_grpc.HealthStub(channel).Check(
            health_pb2.HealthCheckRequest(service="carnet.waitlist.v1.WaitlistService")
        )
        assert health.status == health_pb2.HealthCheckResponse.SERVING

        async def ask():  # type: ignore[no-untyped-def]
            yield reflection_pb2.ServerReflectionRequest(list_services="")

        async for answer in reflection_pb2_grpc.ServerReflectionStub(channel).ServerReflectionInfo(ask()):
            names = {service.name for service in answer.list_services_response.service}
            assert "carnet.waitlist.v1.WaitlistService" in names


async def test_a_running_call_is_finished_before_the_server_stops(make_toy: MakeToy, sign_in: SignIn) -> None:
    sign_in("waitlist:read")
    toy = make_toy()
    entered, leave = asyncio.Event(), asyncio.Event()

    async def wait() -> None:
        entered.set()
        await leave.wait()

    toy.servicer.behave = wait
    async with (
        running(toy.service, without=("consumer", "outbox")) as address,
        channel_to(address) as channel,
    ):
        call = asyncio.ensure_future(waitlist_pb2_grpc.WaitlistServiceStub(channel).GetReference(GET))
        await entered.wait()
        stopping = asyncio.create_task(toy.service.server.stop())
        leave.set()
        assert (await call).reference_id == "ref_1"
        await stopping
