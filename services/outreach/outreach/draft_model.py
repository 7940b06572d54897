"""Any language model behind an endpoint that speaks OpenAI's chat completions. Must not judge what it answers.

One that fails several times in a row is left alone for a while, so that nobody waits for a dead endpoint with every
draft. Neither what it is asked nor what it answers is ever logged.
"""

import asyncio
import json
from datetime import datetime, timedelta
from time import perf_counter
from typing import Protocol

import httpx
import structlog

from chassis import context as work
from chassis.clock import Clock

_PATH = "/v1/chat/completions"
_MOST_BYTES = 65_536
_FAILURES = 3
_PAUSE = timedelta(seconds=30)
# What is left to keep the drafts and answer the caller.
_RESERVE_SECONDS = 1.5
_LEAST_SECONDS = 0.2

_log = structlog.get_logger(__name__)


class ModelFailed(Exception):
    """The model gave no answer that could be looked at; the text says why."""


class DraftModel(Protocol):
    """What a draft asks of a model."""

    async def ask(self, rules: str, question: str) -> str: ...


class HttpDraftModel:
    """A model behind HTTP, as a part of the service that is closed with it."""

    name = "draft model"

    def __init__(
        self, *, endpoint: str, model: str, api_key: str, timeout_seconds: float, clock: Clock
    ) -> None:
        self._url = endpoint.rstrip("/").removesuffix("/v1") + _PATH
        self._model = model
        self._timeout_seconds = timeout_seconds
        self._breaker = _Breaker(clock)
        headers = {"authorization": f"Bearer {api_key}"} if api_key else {}
        self._client = httpx.AsyncClient(headers=headers, follow_redirects=False, timeout=timeout_seconds)

    async def start(self) -> None:
        """Do nothing: connections are made when they are first used."""

    async def stop(self) -> None:
        """Close the connections."""
        await self._client.aclose()

    async def ask(self, rules: str, question: str) -> str:
        """Return what the model says. Raises ModelFailed, at the latest when the time for it is over."""
        seconds = work.seconds_left(self._timeout_seconds + _RESERVE_SECONDS) - _RESERVE_SECONDS
        if seconds < _LEAST_SECONDS:
            raise ModelFailed("There was no time left to ask the model.")
        self._breaker.require_closed()
        started = perf_counter()
        try:
            async with asyncio.timeout(seconds):
                answer = await self._post(rules, question)
        except TimeoutError:
            self._failed("timeout", started)
            raise ModelFailed(f"The model did not answer within {seconds:.3g} seconds.") from None
        except httpx.TimeoutException:
            self._failed("timeout", started)
            raise ModelFailed(f"The model did not answer within {seconds:.3g} seconds.") from None
        except (httpx.HTTPError, httpx.InvalidURL, httpx.StreamError) as error:
            self._failed(type(error).__name__, started)
            raise ModelFailed("The model's endpoint cannot be reached.") from None
        except ModelFailed:
            self._failed("answer", started)
            raise
        self._breaker.succeeded()
        return answer

    async def _post(self, rules: str, question: str) -> str:
        body = {
            "model": self._model,
            "messages": [{"role": "system", "content": rules}, {"role": "user", "content": question}],
            "stream": False,
        }
        async with self._client.stream("POST", self._url, json=body) as response:
            if response.status_code != httpx.codes.OK:
                raise ModelFailed(f"The model's endpoint answered {response.status_code}.")
            read = bytearray()
            async for part in response.aiter_bytes():
                read += part
                if len(read) > _MOST_BYTES:
                    raise ModelFailed("The model's answer is too long.")
        try:
            content = json.loads(read)["choices"][0]["message"]["content"]
        except (ValueError, LookupError, TypeError, RecursionError) as error:
            raise ModelFailed("The model's endpoint did not answer as OpenAI's does.") from error
        if not isinstance(content, str):
            raise ModelFailed("The model's endpoint did not answer as OpenAI's does.")
        return content

    def _failed(self, how: str, started: float) -> None:
        self._breaker.failed()
        _log.warning("draft model failed", how=how, seconds=round(perf_counter() - started, 3))


class _Breaker:
    """Lets nobody through for a while after failures in a row, then one at a time until it works again."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._failures = 0
        self._open_until: datetime | None = None

    def require_closed(self) -> None:
        if self._open_until is None:
            return
        now = self._clock.now()
        if now < self._open_until:
            raise ModelFailed(
                f"The model failed {self._failures} times in a row and is left alone for a while."
            )
        # Whoever comes first tries; the others do without until it is known how that went.
        self._open_until = now + _PAUSE

    def failed(self) -> None:
        self._failures += 1
        if self._failures >= _FAILURES:
            self._open_until = self._clock.now() + _PAUSE

    def succeeded(self) -> None:
        self._failures, self._open_until = 0, None
