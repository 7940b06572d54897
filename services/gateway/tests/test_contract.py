"""Nothing of the contract is left out: RPCs, routes, consumed events, settings, reasons, migrations."""

from pathlib import Path
from typing import Any

import grpc
import pytest
from carnet.gateway.v1 import gateway_pb2, gateway_pb2_grpc

from chassis.contracts import event_type_of
from chassis.errors import Kind
from chassis.testing_contract import (
    assert_heard,
    assert_one_migration_head,
    assert_reasons_documented,
    assert_rpcs_implemented,
    assert_settings_documented,
    reasons_in,
)
from gateway.bootstrap import VERSIONS
from gateway.config import Settings
from gateway.consumers import EVENTS
from gateway.feeds import use_cases as feeds
from gateway.feeds.domain import SCOPE_OF_PRODUCER
from gateway.grpc_api import GatewayServicer
from gateway.rest.contracts import FILES, operations
from gateway.rest.problems import STATUSES

SERVICE = Path(__file__).parents[1]
README = (SERVICE / "README.md").read_text(encoding="utf-8")


def test_every_rpc_is_implemented() -> None:
    generated = gateway_pb2_grpc.GatewayServiceServicer
    assert_rpcs_implemented("carnet.gateway.v1.GatewayService", GatewayServicer, generated)


def test_every_method_is_rest() -> None:
    derived = {operation.method.name for operation in operations()}
    all_methods = {
        method.name
        for file in FILES
        for service in file.services_by_name.values()
        for method in service.methods
    }
    assert all_methods == derived


def test_every_event_of_every_service_has_a_handler_and_a_scope() -> None:
    assert_heard(EVENTS, {file.package for file in FILES} - {"carnet.gateway.v1"})
    assert {event_type_of(event).split(".")[1] for event in EVENTS} == set(SCOPE_OF_PRODUCER)


def test_every_kind_of_failure_has_a_status() -> None:
    assert set(STATUSES) == set(Kind)


def test_every_setting_is_described_and_stands_in_the_readme() -> None:
    assert_settings_documented(Settings, README)


def test_every_reason_stands_in_the_readme() -> None:
    reasons = reasons_in(SERVICE / "gateway")
    assert reasons >= {feeds.NoBrand().reason, "API_KEY_NOT_FOUND"}
    assert_reasons_documented(reasons, README)


def test_there_is_one_newest_migration() -> None:
    assert_one_migration_head(VERSIONS)


async def test_an_rpc_without_a_caller_is_refused_on_grpc_too(api: Any) -> None:
    async with grpc.aio.insecure_channel(f"127.0.0.1:{api.service.server.port}") as channel:
        stub = gateway_pb2_grpc.GatewayServiceStub(channel)
        with pytest.raises(grpc.aio.AioRpcError) as refused:
            await stub.ListUsers(gateway_pb2.ListUsersRequest())
    assert refused.value.code() is grpc.StatusCode.UNAUTHENTICATED
