"""A zip written as it is read: no file on disk, a chunk of it in memory. Must not know what is in it."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator
from dataclasses import dataclass
from datetime import datetime
from typing import IO, cast
from zipfile import ZIP_DEFLATED, ZIP_STORED, ZipFile, ZipInfo

_CHUNK_BYTES = 64 * 1024


@dataclass(frozen=True, slots=True)
class Entry:
    """One file of an archive; what is packed already is only stored."""

    path: str
    chunks: AsyncIterator[bytes]
    is_packed: bool = False


async def zipped(entries: AsyncIterator[Entry], *, made_at: datetime) -> AsyncGenerator[bytes, None]:
    """Return the bytes of a zip with these files, in their order. Raises what the chunks raise."""
    pipe = _Pipe()
    with ZipFile(cast(IO[bytes], pipe), "w") as archive:  # it asks for these two methods only
        async for entry in entries:
            info = ZipInfo(entry.path, made_at.timetuple()[:6])
            info.compress_type = ZIP_STORED if entry.is_packed else ZIP_DEFLATED
            info.external_attr = 0o600 << 16
            with archive.open(info, "w") as file:
                async for chunk in _joined(entry.chunks):
                    # Compressing a chunk takes milliseconds, which other calls of this process should not wait for.
                    await asyncio.to_thread(file.write, chunk)
                    if written := pipe.take():
                        yield written
    yield pipe.take()


async def _joined(chunks: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    joined = bytearray()
    async for chunk in chunks:
        joined += chunk
        if len(joined) >= _CHUNK_BYTES:
            yield bytes(joined)
            joined.clear()
    if joined:
        yield bytes(joined)


class _Pipe:
    """What ZipFile writes, until somebody takes it. It cannot seek, so sizes come behind each file's bytes."""

    def __init__(self) -> None:
        self._written = bytearray()

    def write(self, data: bytes) -> int:
        """Keep some bytes."""
        self._written += data
        return len(data)

    def flush(self) -> None:
        """Do nothing: take() is what empties it."""

    def take(self) -> bytes:
        """Return what was written since, and forget it."""
        taken = bytes(self._written)
        self._written.clear()
        return taken
