"""A stand-in Business Central over real HTTP: answers as Microsoft documents, and misbehaves when it is told to."""

import asyncio
from collections import deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from urllib.parse import parse_qs

import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route

TENANT, ENVIRONMENT, CLIENT, SECRET, COMPANY = (
    "maison.example",
    "production",
    "app-1",
    "correct horse",
    "cmp-1",
)


@dataclass
class Central:
    """What the stand-in holds, what it was asked, and how it is to misbehave."""

    url: str = ""
    page_size: int = 3
    records: dict[str, list[dict[str, Any]]] = field(
        default_factory=lambda: {"items": [], "customers": [], "salesInvoices": []}
    )
    asked: list[str] = field(default_factory=list)
    # Answers that come before the real ones: status and headers.
    troubles: deque[tuple[int, dict[str, str]]] = field(default_factory=deque)
    # How many calls a token is good for before it is refused as expired; None for all.
    token_calls: int | None = None
    next_link_host: str = ""
    tokens_given: int = 0
    _calls_of_token: int = 0

    def put(self, entity: str, record_id: str, modified: str, **fields: Any) -> None:
        """Add a record, or change the one with this id."""
        self.records[entity] = [r for r in self.records[entity] if r["id"] != record_id]
        self.records[entity].append({"id": record_id, "lastModifiedDateTime": modified, **fields})

    async def token(self, request: Request) -> Response:
        """Give a token for the right credentials."""
        form = {name: values[0] for name, values in parse_qs((await request.body()).decode()).items()}
        if form.get("grant_type") != "client_credentials" or form.get("scope") != f"{self.url}/.default":
            return JSONResponse({"error": "invalid_request"}, 400)
        if (form.get("client_id"), form.get("client_secret")) != (CLIENT, SECRET):
            return JSONResponse({"error": "invalid_client"}, 401)
        self.tokens_given += 1
        self._calls_of_token = 0
        return JSONResponse(
            {"token_type": "Bearer", "expires_in": 3599, "access_token": f"token-{self.tokens_given}"}
        )

    def _trouble(self, request: Request) -> Response | None:
        if self.troubles:
            status, headers = self.troubles.popleft()
            return JSONResponse({"error": {"code": "Trouble", "message": "as told"}}, status, headers)
        self._calls_of_token += 1
        is_over = self.token_calls is not None and self._calls_of_token > self.token_calls
        if request.headers.get("authorization") != f"Bearer token-{self.tokens_given}" or is_over:
            return JSONResponse({"error": {"code": "Authentication_InvalidCredentials"}}, 401)
        return None

    async def companies(self, request: Request) -> Response:
        """List the companies."""
        self.asked.append(str(request.url.path))
        if trouble := self._trouble(request):
            return trouble
        return JSONResponse({"value": [{"id": COMPANY, "name": "MAISON", "displayName": "Maison Ltd"}]})

    async def entity(self, request: Request) -> Response:
        """List a page of an entity: filtered, in the order of changes, with a link to the next page."""
        query = request.query_params
        self.asked.append(f"{request.path_params['entity']}?{query.get('$filter', '')}")
        if trouble := self._trouble(request):
            return trouble
        if request.path_params["company"] != COMPANY:
            return JSONResponse({"error": {"code": "BadRequest_ResourceNotFound"}}, 404)
        found = sorted(self.records[request.path_params["entity"]], key=lambda r: r["lastModifiedDateTime"])
        if wanted := query.get("$filter"):
            name, operator, moment = wanted.split(" ")
            if (name, operator) != ("lastModifiedDateTime", "ge"):
                return JSONResponse({"error": {"code": "BadRequest_InvalidFilter"}}, 400)
            since = datetime.fromisoformat(moment)
            found = [r for r in found if datetime.fromisoformat(r["lastModifiedDateTime"]) >= since]
        if "$expand" not in query:
            found = [{k: v for k, v in r.items() if k != "salesInvoiceLines"} for r in found]
        size = min(self.page_size, int(request.headers.get("prefer", "odata.maxpagesize=3").split("=")[1]))
        start = int(query.get("$skiptoken", 0))
        answer: dict[str, Any] = {"@odata.context": "as documented", "value": found[start : start + size]}
        if start + size < len(found):
            more = request.url.include_query_params(**{"$skiptoken": start + size})
            answer["@odata.nextLink"] = str(more.replace(netloc=self.next_link_host or more.netloc))
        return JSONResponse(answer)


@asynccontextmanager
async def running_central() -> AsyncIterator[Central]:
    """Run a stand-in on a free loopback port for the time of a with block."""
    central = Central()
    base = f"/v2.0/{TENANT}/{ENVIRONMENT}/api/v2.0"

    async def unknown(_: Request) -> Response:
        return PlainTextResponse("no such page", 404)

    app = Starlette(
        routes=[
            Route(f"/{TENANT}/oauth2/v2.0/token", central.token, methods=["POST"]),
            Route(f"{base}/companies", central.companies),
            Route(f"{base}/companies({{company}})/{{entity}}", central.entity),
            Route("/{path:path}", unknown),
        ]
    )
    server = uvicorn.Server(uvicorn.Config(app, host="127.0.0.1", port=0, log_level="error", lifespan="off"))
    serving = asyncio.create_task(server.serve())
    while not server.started:
        await asyncio.sleep(0.01)
    host, port = server.servers[0].sockets[0].getsockname()[:2]
    central.url = f"http://{host}:{port}"
    try:
        yield central
    finally:
        server.should_exit = True
        await serving
