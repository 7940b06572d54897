"""Recommend pieces that are in a store now for a client, with reasons."""

import asyncio
from collections.abc import Awaitable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import TypeVar

import structlog

from chassis.clock import Clock
from chassis.database import Database, Transaction
from chassis.errors import Kind, ServiceError, not_found
from outreach.clients import Profiles, Said
from outreach.domain.catalogue import Piece
from outreach.domain.words import fold
from outreach.recommendations import bridal, stones
from outreach.recommendations.likings import Likings, PriceBand, Size
from outreach.recommendations.scoring import ANNIVERSARY, BIRTHDAY, ENGAGEMENT, Scored, recommend
from outreach.recommendations.sizes import millimetres
from outreach.store import catalogue, chains, likings, shelf

DEFAULT_MOST = 10

NO_STORE = "The client has no store: say for which one."
EMPTY_STORE = "Nothing of the catalogue is in this store at the moment."
NO_HISTORY = (
    "No purchases, wishes or preferences are known yet: these are the newest pieces of the store,"
    " those within what clients here usually spend first."
)
NOTHING_TELLING = "Nothing in this store goes with what is known of the client: these are its newest pieces."
# Says the same whether a piece is owned, disliked or kept for a surprise.
ALL_LEFT_OUT = "There is nothing in this store to recommend at the moment."
FEW = "This is all in this store that goes with what is known of the client."
NOT_ASKED = "Sizes and prices that the client named could not be read at the moment."

_PROFILES_SECONDS = 1.0  # somebody stands at the counter

Answer = TypeVar("Answer")

_log = structlog.get_logger(__name__)


@dataclass(frozen=True)
class Recommended:
    """A piece as it is shown, with its score and parts."""

    piece: Piece
    scored: Scored


@dataclass(frozen=True)
class Known:
    """What profiles knows beside the events, asked before a transaction is open; None where it did not say."""

    said: Said | None = None
    brands: Mapping[str, str] | None = None


async def list_recommendations(
    *,
    database: Database,
    clock: Clock,
    profiles: Profiles,
    chain_id: str,
    client_id: str,
    store_id: str,
    most: int,
) -> tuple[Sequence[Recommended], str]:
    """Return the best pieces for a client, in the client's store where none is named, and why they are few.

    Raises CLIENT_NOT_FOUND, and STORE_NOT_FOUND for a store that the chain does not have.
    """
    known = await ask_profiles(profiles, client_id)
    async with database.transaction(chain_id) as tx:
        if store_id and not await catalogue.known_stores(tx, [store_id]):
            raise not_found("store", store_id)
        found, note = await best_pieces(
            tx, client_id, store_id, most or DEFAULT_MOST, now=clock.now(), known=known
        )
        pieces = await catalogue.read_pieces(tx, [one.piece.piece_id for one in found])
    if known.said is None:
        note = f"{note} {NOT_ASKED}".strip()
    return [Recommended(pieces[one.piece.piece_id], one) for one in found], note


async def ask_profiles(profiles: Profiles, client_id: str) -> Known:
    """Return what only profiles knows; a recommendation can do without it."""
    said, brands = await asyncio.gather(_or_none(profiles.said(client_id)), _or_none(profiles.brands()))
    return Known(said, brands)


async def best_pieces(
    tx: Transaction, client_id: str, store_id: str, most: int, *, now: datetime, known: Known | None = None
) -> tuple[Sequence[Scored], str]:
    """Return the best pieces that are in a store now for a client, the client's own store where none is named.

    With a note where they are few or none. Nothing in them gives a surprise away to the client.
    Raises CLIENT_NOT_FOUND.
    """
    known = known or Known()
    chain = await chains.get_chain(tx)
    today = chain.today(now)
    taste = await likings.read_taste(tx, client_id, today=today, currency=chain.currency)
    if taste is None:
        raise not_found("client", client_id)
    store = store_id or taste.store_id
    if not store:
        return [], NO_STORE
    liked = _with_said(taste.likings, known)
    if liked.band is None:
        liked = replace(liked, band=await shelf.read_usual_band(tx, chain.currency))
    looked_for, metals = _for_occasions(liked)
    categories = bridal.BANDS if bridal.ring_without_bands(liked.owned, today) else ()
    for looked_at in (liked, replace(liked, band=None)):
        pieces = await shelf.find_candidates(
            tx, store, looked_at, categories=categories, stones=looked_for, metals=metals
        )
        if pieces or liked.band is None:
            break
    best = recommend(pieces, liked, today, most=most)
    if not pieces:
        return [], EMPTY_STORE
    return best, _note(best, liked, most)


async def _or_none(asked: Awaitable[Answer]) -> Answer | None:
    try:
        async with asyncio.timeout(_PROFILES_SECONDS):
            return await asked
    except TimeoutError:
        _log.info("recommending without what profiles knows", reason="too slow")
        return None
    except ServiceError as error:
        if error.kind is not Kind.NOT_FOUND:
            _log.info("recommending without what profiles knows", reason=error.reason)
        return None


def _note(best: Sequence[Scored], liked: Likings, most: int) -> str:
    if not best:
        return ALL_LEFT_OUT
    if liked.is_blank:
        return NO_HISTORY
    if not any(one.is_telling for one in best):
        return NOTHING_TELLING
    return FEW if len(best) < most else ""


def _with_said(liked: Likings, known: Known) -> Likings:
    """Return likings with what the client said to profiles; a price band that was said counts before a counted one."""
    if known.brands:
        by_name = {fold(name): brand_id for brand_id, name in known.brands.items()}
        named = {
            ("brand", by_name[value])
            for kind, value in liked.preferences
            if kind == "brand" and value in by_name
        }
        liked = replace(liked, preferences=liked.preferences | named)
    said = known.said
    if said is None:
        return liked
    sizes = [
        Size(is_ring, measured, value)
        for is_ring, listed in ((True, said.ring_sizes), (False, said.wrist_sizes))
        for value, system in listed
        if (measured := millimetres(value, system=system, is_ring=is_ring)) is not None
    ]
    (low, low_currency), (high, high_currency) = said.lowest, said.highest
    currencies = {currency for currency in (low_currency, high_currency) if currency}
    band = liked.band
    if currencies == {liked.currency}:
        band = PriceBand(
            low if low is not None else (high or 0) // 2,
            high if high is not None else (low or 0) * 2,
            is_said=True,
        )
    return replace(
        liked,
        sizes=tuple(sizes),
        band=band,
        dislikes=frozenset(fold(one) for one in said.dislikes if one.strip()),
    )


def _for_occasions(liked: Likings) -> tuple[list[str], list[str]]:
    """Return the stones and the metals that the days ahead are known for."""
    names: set[str] = set()
    for occasion in liked.occasions:
        if occasion.kind == BIRTHDAY:
            names |= set(stones.of_month(occasion.day.month))
        elif occasion.kind == ANNIVERSARY and (name := stones.of_year(occasion.years)):
            names.add(name)
        elif occasion.kind == ENGAGEMENT:
            names.add("diamond")
    words = {True: set[str](), False: set[str]()}
    for name in names:
        words[name in stones.METALS] |= set(stones.words_for(name))
    return sorted(words[False]), sorted(words[True])
