"""All routes: one for every operation of the contracts, and the few that are not RPCs."""

from collections.abc import Mapping

import grpc
from starlette.requests import Request
from starlette.responses import HTMLResponse, PlainTextResponse, Response

from gateway.rest import docs
from gateway.rest.admission import Admission
from gateway.rest.contracts import operations
from gateway.rest.idempotency import IdempotencyMemory
from gateway.rest.openapi.document import openapi_json
from gateway.rest.outside import METHODS, OUTSIDE_PATH, Outside
from gateway.rest.router import Endpoint, Router
from gateway.rest.sandbox import PATH as SANDBOX_PATH
from gateway.rest.sandbox import SandboxPages
from gateway.rest.transcoding import Transcoder
from gateway.rest.upload import Upload

STREAM_PATH = "/v1/stream"


def derived_router(
    *,
    channels: Mapping[str, grpc.aio.Channel],
    admission: Admission,
    memory: IdempotencyMemory,
    stream: Endpoint,
    public_url: str,
) -> Router:
    """Return the router of the whole API."""
    router = Router()
    for operation in operations():
        channel = channels[operation.service]
        endpoint: Endpoint = (
            Upload(operation, channel, admission)
            if operation.is_upload
            else Transcoder(operation, channel, admission, memory)
        )
        router.add(operation.http_method, operation.path, endpoint)
    router.add("GET", STREAM_PATH, stream)
    router.add_below(OUTSIDE_PATH, METHODS, Outside(channels["messaging"], admission))
    document, page = openapi_json(public_url), docs.page()

    async def openapi(_: Request) -> Response:
        return Response(document, media_type="application/json")

    async def show_docs(_: Request) -> Response:
        return HTMLResponse(page, headers={"Content-Security-Policy": docs.CONTENT_SECURITY_POLICY})

    async def show_problem(request: Request) -> Response:
        return PlainTextResponse(docs.problem_text(request.path_params["reason"]))

    async def fine(_: Request) -> Response:
        return PlainTextResponse("ok")

    router.add("GET", "/openapi.json", openapi)
    router.add("GET", "/docs", show_docs)
    router.add("GET", "/problems/{reason}", show_problem)
    sandbox = SandboxPages()
    router.add("GET", SANDBOX_PATH, sandbox.show_page)
    router.add("GET", f"{SANDBOX_PATH}/{{name}}", sandbox.show_file)
    for path in ("/healthz", "/readyz"):
        router.add("GET", path, fine)
    return router
