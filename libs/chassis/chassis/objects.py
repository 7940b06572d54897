"""Where bytes that are no rows are kept: a folder, or any S3-compatible store.

Keys are `<kind>/<chain>/<id>`, such as `attachments/...`, of ids that the service made. An object is written once,
under an id of its own, and appears as a whole or not at all. Must not know what the bytes are, nor who sees them.
"""

import asyncio
import contextlib
import os
import re
import secrets
from collections.abc import AsyncIterator, Iterator
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

import structlog
from pydantic import Field

from chassis.config import ServiceSettings
from chassis.errors import unavailable

if TYPE_CHECKING:
    from obstore import GetResult
    from obstore.store import S3Config, S3Store

CHUNK_BYTES = 256 * 1024
_PART_BYTES = (
    5 * 1024 * 1024
)  # the least that S3 takes for a part of an upload; smaller objects go in one request
_KEY = re.compile(r"[a-z]+/[a-z0-9_]+/[a-z0-9_]+")

_log = structlog.get_logger(__name__)


class ObjectSettings(ServiceSettings):
    """What a service that keeps objects is told beside what every service is told."""

    objects_dir: str = Field(
        "/var/lib/carnet/objects",
        description="folder of what are no rows, such as pictures, shared by all replicas; not used when there is a"
        " bucket",
    )
    objects_s3_bucket: str = Field(
        "", description="bucket for the same, at Amazon or what speaks its protocol; empty: a folder"
    )
    objects_s3_endpoint: str = Field(
        "", description="http(s) address of the S3-compatible server; empty for Amazon's own"
    )
    objects_s3_region: str = Field("us-east-1", description="region of the bucket, which signatures name")
    objects_s3_access_key_id: str = Field(
        "", description="access key of the bucket; empty takes what the machine's own role gives"
    )
    objects_s3_secret_access_key: str = Field("", description="secret of that access key")


class ObjectStore(Protocol):
    """Keeps objects. Every method raises UNAVAILABLE (OBJECT_STORE_UNAVAILABLE) when the store cannot be reached."""

    async def put(self, key: str, chunks: AsyncIterator[bytes]) -> None:
        """Keep what `chunks` gives, once all of it is there; what `chunks` raises goes through, and nothing is kept."""

    async def get(self, key: str) -> AsyncIterator[bytes]:
        """Return the bytes of an object, of at most CHUNK_BYTES a piece. Raises ObjectMissing before the first."""
        ...

    async def delete(self, key: str) -> None:
        """Remove an object, and what an interrupted put of it left; harmless when there is none."""


class ObjectMissing(Exception):
    """The store has no object of this key: somebody removed it behind the service's back."""


def object_key(kind: str, chain_id: str, object_id: str) -> str:
    """Return the key of an object. Raises ValueError for parts that this service did not make."""
    return _checked(f"{kind}/{chain_id}/{object_id}")


def open_objects(settings: ObjectSettings) -> ObjectStore:
    """Return the store that the settings name: S3-compatible when there is a bucket, else a folder."""
    if not settings.objects_s3_bucket:
        return FolderObjects(Path(settings.objects_dir))
    return S3Objects(
        bucket=settings.objects_s3_bucket,
        endpoint=settings.objects_s3_endpoint,
        region=settings.objects_s3_region,
        access_key_id=settings.objects_s3_access_key_id,
        secret_access_key=settings.objects_s3_secret_access_key,
    )


def _checked(key: str) -> str:
    if not _KEY.fullmatch(key):
        raise ValueError("an object's key is made of ids of this service")
    return key


class FolderObjects:
    """Objects as files that only this user can read. For one machine, or a volume that all replicas share."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    async def put(self, key: str, chunks: AsyncIterator[bytes]) -> None:
        """Write beside the place, then rename: a file is whole or not there, whatever fails."""
        path = self._path(key)
        part = path.with_name(f"{path.name}.{secrets.token_hex(8)}.part")
        try:
            with _translated_os_errors():
                descriptor = await asyncio.to_thread(_create, self._folder, part)
            try:
                async for chunk in chunks:
                    with _translated_os_errors():
                        await asyncio.to_thread(_write, descriptor, chunk)
                with _translated_os_errors():
                    await asyncio.to_thread(os.fsync, descriptor)
            finally:
                os.close(descriptor)
            with _translated_os_errors():
                await asyncio.to_thread(_settle, part, path)
        except BaseException:
            with contextlib.suppress(OSError):
                part.unlink(missing_ok=True)
            raise

    async def get(self, key: str) -> AsyncIterator[bytes]:
        """Open the file and return its bytes."""
        try:
            with _translated_os_errors():
                descriptor = await asyncio.to_thread(os.open, self._path(key), os.O_RDONLY)
        except FileNotFoundError as error:
            raise ObjectMissing(key) from error
        return _read(descriptor)

    async def delete(self, key: str) -> None:
        """Remove the file and parts of it."""
        with _translated_os_errors():
            await asyncio.to_thread(_delete, self._path(key))

    def _path(self, key: str) -> Path:
        return self._folder / _checked(key)


def _create(folder: Path, path: Path) -> int:
    # Each level by itself: mkdir(parents=True) gives the mode to the last one only.
    for level in (folder, path.parent.parent, path.parent):
        level.mkdir(mode=0o700, parents=level == folder, exist_ok=True)
    return os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)


def _write(descriptor: int, chunk: bytes) -> None:
    rest = memoryview(chunk)
    while rest:
        rest = rest[os.write(descriptor, rest) :]


def _settle(part: Path, path: Path) -> None:
    part.replace(path)
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)  # the name, too, survives a power cut
    finally:
        os.close(folder)


async def _read(descriptor: int) -> AsyncIterator[bytes]:
    try:
        while chunk := await asyncio.to_thread(os.read, descriptor, CHUNK_BYTES):
            yield chunk
    finally:
        os.close(descriptor)


def _delete(path: Path) -> None:
    path.unlink(missing_ok=True)
    for part in path.parent.glob(f"{path.name}.*.part"):
        part.unlink(missing_ok=True)


@contextlib.contextmanager
def _translated_os_errors() -> Iterator[None]:
    try:
        yield
    except FileNotFoundError:
        raise
    except OSError as error:
        _log.error("the folder of objects cannot be used", error=error.strerror)
        raise unavailable("object_store") from error


class S3Objects:
    """Objects in a bucket of Amazon S3 or of what speaks its protocol, through obstore."""

    def __init__(
        self, *, bucket: str, endpoint: str, region: str, access_key_id: str, secret_access_key: str
    ) -> None:
        # Deleting in bulk saves nothing for one object, and not everybody who speaks S3 can do it.
        self._configuration: S3Config = {"bucket": bucket, "region": region, "disable_bulk_delete": True}
        if endpoint:
            self._configuration["endpoint"] = endpoint
        if access_key_id:
            self._configuration["access_key_id"] = access_key_id
            self._configuration["secret_access_key"] = secret_access_key
        self._allows_http = endpoint.startswith("http://")
        self._made: S3Store | None = None

    async def put(self, key: str, chunks: AsyncIterator[bytes]) -> None:
        """Send it in one request, or in parts when it is large; S3 shows it after the last one only."""
        import obstore  # noqa: PLC0415 - see _store

        key = _checked(key)
        first = await _gather(chunks, _PART_BYTES)
        with _translated_s3_errors():
            if len(first) < _PART_BYTES:
                await obstore.put_async(self._store, key, first, use_multipart=False)
                return
        rest = _Rest(first, chunks)
        try:
            with _translated_s3_errors():
                await obstore.put_async(
                    self._store, key, rest, use_multipart=True, chunk_size=_PART_BYTES, max_concurrency=2
                )
        except BaseException:
            if rest.failure is not None:  # the library would tell it as its own
                raise rest.failure from None
            raise

    async def get(self, key: str) -> AsyncIterator[bytes]:
        """Ask for the object and return its bytes as they come."""
        import obstore  # noqa: PLC0415 - see _store

        try:
            with _translated_s3_errors():
                found = await obstore.get_async(self._store, _checked(key))
        except FileNotFoundError as error:
            raise ObjectMissing(key) from error
        return _pieces(found)

    async def delete(self, key: str) -> None:
        """Remove the object. Parts of interrupted puts go by a lifecycle rule of the bucket."""
        import obstore  # noqa: PLC0415 - see _store

        with contextlib.suppress(FileNotFoundError), _translated_s3_errors():
            await obstore.delete_async(self._store, _checked(key))

    @property
    def _store(self) -> "S3Store":
        # The library is some megabytes of machine code, which a house with a folder never needs to load.
        if self._made is None:
            from obstore.store import S3Store  # noqa: PLC0415

            self._made = S3Store(
                config=self._configuration,
                client_options={
                    "allow_http": self._allows_http,
                    "connect_timeout": timedelta(seconds=3),
                    "timeout": timedelta(seconds=60),
                },
                retry_config={
                    "max_retries": 3,
                    "retry_timeout": timedelta(seconds=10),
                    "backoff": {
                        "init_backoff": timedelta(milliseconds=100),
                        "max_backoff": timedelta(seconds=2),
                        "base": 2,
                    },
                },
            )
        return self._made


class _Rest:
    """The chunks behind the first ones, and what went wrong with them."""

    def __init__(self, first: bytes, chunks: AsyncIterator[bytes]) -> None:
        self.failure: BaseException | None = None
        self._first = first
        self._chunks = chunks

    async def __aiter__(self) -> AsyncIterator[bytes]:
        try:
            yield self._first
            async for chunk in self._chunks:
                yield chunk
        except Exception as error:
            self.failure = error
            raise


async def _gather(chunks: AsyncIterator[bytes], least: int) -> bytes:
    gathered = bytearray()
    async for chunk in chunks:
        gathered += chunk
        if len(gathered) >= least:
            break
    return bytes(gathered)


async def _pieces(found: "GetResult") -> AsyncIterator[bytes]:
    with _translated_s3_errors():
        async for part in found.stream(min_chunk_size=CHUNK_BYTES):
            whole = memoryview(part)
            for start in range(0, len(whole), CHUNK_BYTES):
                yield bytes(whole[start : start + CHUNK_BYTES])


@contextlib.contextmanager
def _translated_s3_errors() -> Iterator[None]:
    from obstore.exceptions import BaseError  # noqa: PLC0415 - see S3Objects._store

    try:
        yield
    except BaseError as error:
        # Its text may hold the address with a signature: the type says enough.
        _log.error("the object store refused or did not answer", error=type(error).__name__)
        raise unavailable("object_store") from error
