"""Nothing is forgotten: RPCs, settings, reasons, migrations."""

import re
from pathlib import Path
from typing import Any

from alembic.script import ScriptDirectory
from carnet.gateway.v1 import gateway_pb2

import gateway
from chassis.errors import Kind
from chassis.migrations import configuration
from gateway.bootstrap import VERSIONS
from gateway.config import Settings
from gateway.feeds import use_cases as feeds
from gateway.grpc_api import GatewayServicer
from gateway.rest.contracts import FILES
from gateway.rest.problems import STATUSES

PACKAGE = Path(gateway.__file__).parent
README = (PACKAGE.parent / "README.md").read_text(encoding="utf-8")


def test_every_rpc_is_implemented() -> None:
    service = gateway_pb2.DESCRIPTOR.services_by_name["GatewayService"]
    for method in service.methods:
        assert method.name in vars(GatewayServicer), method.name


def test_every_method_but_the_upload_is_rest() -> None:
    from gateway.rest.contracts import operations

    derived = {operation.method.name for operation in operations()}
    all_methods = {
        method.name
        for file in FILES
        for service in file.services_by_name.values()
        for method in service.methods
    }
    assert all_methods - derived == {"UploadImportContent"}


def test_every_kind_of_failure_has_a_status() -> None:
    assert set(STATUSES) == set(Kind)


def test_every_setting_is_described_and_stands_in_the_readme() -> None:
    for name, field in Settings.model_fields.items():
        assert field.description, name
        if name not in ("database_url",):
            continue
    for name in set(Settings.__annotations__):
        assert f"CARNET_{name.upper()}" in README, name


def test_every_reason_stands_in_the_readme() -> None:
    said = set()
    for path in PACKAGE.rglob("*.py"):
        said |= set(re.findall(r'Kind\.\w+,\s*"([A-Z_]+)"', path.read_text(encoding="utf-8")))
        said |= set(re.findall(r'reason="([A-Z_]+)"', path.read_text(encoding="utf-8")))
    assert feeds.NoBrand().reason in said
    missing = {reason for reason in said if reason not in README}
    assert not missing


def test_there_is_one_migration_head() -> None:
    script = ScriptDirectory.from_config(configuration(VERSIONS, "postgresql://nowhere"))
    assert len(script.get_heads()) == 1


async def test_an_rpc_without_a_caller_is_refused_on_grpc_too(api: Any) -> None:
    import grpc
    from carnet.gateway.v1 import gateway_pb2_grpc

    async with grpc.aio.insecure_channel(f"127.0.0.1:{api.service.server.port}") as channel:
        stub = gateway_pb2_grpc.GatewayServiceStub(channel)
        try:
            await stub.ListUsers(gateway_pb2.ListUsersRequest())
        except grpc.aio.AioRpcError as refused:
            assert refused.code() is grpc.StatusCode.UNAUTHENTICATED
        else:
            raise AssertionError("it was let in")
