"""A language model as the service meets it: a real HTTP server that speaks chat completions, and misbehaves."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any


@dataclass
class ModelStandIn:
    """Answers every question with what `says` makes of it; keeps what it was asked."""

    url: str = ""
    says: "Callable[[dict[str, Any]], str]" = lambda question: "{}"
    status: int = 200
    raw: bytes | None = None
    hangs: bool = False
    drips: bool = False
    asked: list[dict[str, Any]] = field(default_factory=list)
    headers: list[str] = field(default_factory=list)
    released: asyncio.Event = field(default_factory=asyncio.Event)

    def answers(self, *wordings: str) -> None:
        """Answer with these wordings."""
        self.says = lambda question: json.dumps({"wordings": list(wordings)})

    def behave(self) -> None:
        """Forget everything."""
        self.status, self.raw, self.hangs, self.drips = 200, None, False, False
        self.asked.clear()
        self.headers.clear()

    @property
    def questions(self) -> list[dict[str, Any]]:
        """Return what was asked, as it was put."""
        return [json.loads(one["messages"][1]["content"]) for one in self.asked]

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Answer one connection."""
        try:
            head = (await reader.readuntil(b"\r\n\r\n")).decode()
            lengths = [line for line in head.split("\r\n") if line.lower().startswith("content-length:")]
            body = await reader.readexactly(int(lengths[0].split(":")[1]))
            self.headers.append(head)
            self.asked.append(json.loads(body))
            if self.hangs:
                await self.released.wait()
                return
            document = {"choices": [{"message": {"role": "assistant", "content": self.says(self.asked[-1])}}]}
            content = json.dumps(document).encode() if self.raw is None else self.raw
            writer.write(
                f"HTTP/1.1 {self.status} Said\r\ncontent-type: application/json\r\n"
                f"content-length: {len(content)}\r\nconnection: close\r\n\r\n".encode()
            )
            if self.drips:  # a byte, and then silence within an answer that has begun
                writer.write(content[:1])
                await writer.drain()
                await self.released.wait()
                return
            writer.write(content)
            await writer.drain()
        except (ConnectionError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.close()


@asynccontextmanager
async def model_running() -> AsyncIterator[ModelStandIn]:
    """Serve a stand-in on a free port for the time of a with block."""
    model = ModelStandIn()
    server = await asyncio.start_server(model.serve, "127.0.0.1", 0)
    model.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    try:
        yield model
    finally:
        model.released.set()
        server.close()
        await server.wait_closed()
