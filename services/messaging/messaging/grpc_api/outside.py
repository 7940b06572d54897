"""The contract's side of requests from parties outside: which handler answers which path."""

from collections.abc import AsyncIterator, Mapping
from typing import Any

from carnet.messaging.v1 import outside_pb2 as pb
from carnet.messaging.v1 import outside_pb2_grpc

from messaging.emails import UNSUBSCRIBE
from messaging.outside import NOT_FOUND, PREFIX, Handler, OutsideAnswer, OutsideRequest
from messaging.outside.emails import Bounces, WayOut
from messaging.outside.media import MediaLinks
from messaging.outside.twilio import TwilioWebhooks
from messaging.parts import Parts
from messaging.use_cases.media import LINK

_Context = Any  # grpc.aio.ServicerContext is generic in its stubs only
_PIECE_BYTES = 256 * 1024


class OutsideServicer(outside_pb2_grpc.OutsideServiceServicer):
    """Serves carnet.messaging.v1.OutsideService."""

    def __init__(self, parts: Parts) -> None:
        self._handlers = handlers_of(parts)

    async def Answer(self, request: pb.AnswerRequest, context: _Context) -> AsyncIterator[pb.AnswerResponse]:
        asked = OutsideRequest(request.method, request.target, dict(request.headers), request.body)
        answer = await self._answer(asked)
        headers = dict(answer.headers)
        if answer.content_type:
            headers["content-type"] = answer.content_type
        yield pb.AnswerResponse(status=answer.status, headers=headers)
        for start in range(0, len(answer.body), _PIECE_BYTES):
            yield pb.AnswerResponse(body=answer.body[start : start + _PIECE_BYTES])
        if answer.chunks is not None:
            async for chunk in answer.chunks:
                yield pb.AnswerResponse(body=chunk)

    async def _answer(self, request: OutsideRequest) -> OutsideAnswer:
        if not request.path.startswith(PREFIX):
            return NOT_FOUND
        rest = request.path.removeprefix(PREFIX)
        handler = self._handlers.get(rest) or self._handlers.get(f"{rest.partition('/')[0]}/")
        return NOT_FOUND if handler is None else await handler(request)


def handlers_of(parts: Parts) -> Mapping[str, Handler]:
    """Return who answers what below the prefix: a whole path, or everything below one that ends in a slash."""
    settings = parts.settings
    handlers: dict[str, Handler] = {
        f"{LINK}/": MediaLinks(
            database=parts.database, clock=parts.clock, objects=parts.objects, links=parts.links
        ).show,
        f"{UNSUBSCRIBE}/": WayOut(
            database=parts.database, clock=parts.clock, suppressor=parts.suppressor, links=parts.links
        ).answer,
    }
    if settings.email_bounce_secret:
        handlers["email/bounce"] = Bounces(
            database=parts.database,
            clock=parts.clock,
            suppressor=parts.suppressor,
            secret=settings.email_bounce_secret,
            return_domain=settings.email_return_domain,
        ).take
    # While tokens are set, Twilio is listened to, even if nothing is sent: whoever writes is to be heard.
    if tokens := settings.auth_tokens:
        twilio = TwilioWebhooks(
            database=parts.database,
            clock=parts.clock,
            suppressor=parts.suppressor,
            public_url=settings.public_url,
            tokens=tokens,
            arrived=parts.arrived,
        )
        handlers |= {"twilio/inbound": twilio.take_inbound, "twilio/status": twilio.take_status}
    return handlers
