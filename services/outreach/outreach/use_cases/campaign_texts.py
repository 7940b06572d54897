"""Write a campaign's texts for a batch of clients, each name asked for once. Must not send, and open no transaction."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import TypeVar

import structlog

from chassis.errors import Kind, ServiceError
from outreach.clients import Naming
from outreach.domain.campaigns import CampaignText
from outreach.store.recipients import Taken
from outreach.texts.campaigns import fill_in, text_for

# What no later attempt can change.
FINAL = (Kind.NOT_FOUND, Kind.INVALID, Kind.PRECONDITION, Kind.ALREADY_EXISTS)
_AT_ONCE = 8

_log = structlog.get_logger(__name__)
_Value = TypeVar("_Value")


@dataclass(frozen=True)
class Texts:
    """Texts that may be sent, who is nobody any more and why, and who could not be asked for now."""

    written: Sequence[tuple[Taken, str]]
    refused: Sequence[tuple[Taken, str]]
    later: Sequence[Taken]


async def write_texts(naming: Naming, texts: Sequence[CampaignText], taken: Sequence[Taken]) -> Texts:
    """Write the texts of those that have none yet, each in the client's language."""
    new = [one for one in taken if one.asked_at is None]
    associates = await _names_of({one.associate_id for one in new}, naming.associate_name)
    stores = await _names_of({one.store_id for one in new}, naming.store_name)

    async def write(one: Taken) -> str | ServiceError:
        try:
            given_name, language = await naming.given_name(one.client_id)
        except ServiceError as error:
            return error
        return fill_in(
            text_for(texts, language).body,
            given_name=given_name,
            associate_name=associates[one.associate_id],
            store_name=stores[one.store_id],
        )

    ready = [one for one in new if one.associate_id in associates and one.store_id in stores]
    later = [one for one in new if one not in ready]
    written: list[tuple[Taken, str]] = []
    refused: list[tuple[Taken, str]] = []
    for one, body in zip(ready, await in_parallel([write(one) for one in ready]), strict=True):
        if isinstance(body, str):
            written.append((one, body))
        elif body.kind in FINAL:
            refused.append((one, body.reason))
        else:
            later.append(one)
    return Texts(written, refused, later)


async def in_parallel(calls: Sequence[Awaitable[_Value]]) -> list[_Value]:
    """Return what calls answer, a few of them under way at a time."""
    gate = asyncio.Semaphore(_AT_ONCE)

    async def one(call: Awaitable[_Value]) -> _Value:
        async with gate:
            return await call

    return list(await asyncio.gather(*(one(call) for call in calls)))


async def _names_of(ids: set[str], ask: Callable[[str], Awaitable[str]]) -> dict[str, str]:
    """Return a name for each id, without those that could not be asked for now."""
    names: dict[str, str] = {}
    for one in sorted(ids):
        try:
            names[one] = await ask(one)
        except ServiceError as error:
            _log.info("names are asked for later", reason=error.reason)
    return names
