"""Requests of parties outside as the gateway hands them on, for tests that do without a gateway."""

from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

from carnet.messaging.v1 import outside_pb2, outside_pb2_grpc

from chassis.caller import find_caller, set_caller


async def call_outside(
    channel: Any, method: str, url: str, headers: Mapping[str, str], body: bytes = b""
) -> tuple[int, dict[str, str], bytes]:
    """Hand a request in without a caller, and return status, headers and body of the answer."""
    place = urlsplit(url)
    target = place.path + (f"?{place.query}" if place.query else "")
    asked = outside_pb2.AnswerRequest(method=method, target=target, headers=dict(headers), body=body)
    caller = find_caller()
    set_caller(None)
    try:
        pieces = [piece async for piece in outside_pb2_grpc.OutsideServiceStub(channel).Answer(asked)]
    finally:
        set_caller(caller)
    return pieces[0].status, dict(pieces[0].headers), b"".join(piece.body for piece in pieces)


def delivering(channel: Any) -> Any:
    """Return a stand-in's way to deliver its callbacks."""

    async def deliver(method: str, url: str, headers: Mapping[str, str], body: bytes) -> tuple[int, bytes]:
        status, _, content = await call_outside(channel, method, url, headers, body)
        return status, content

    return deliver
