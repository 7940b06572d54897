"""Find clients as somebody types: those of the own stores first, then the best match, then the newest."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

from chassis.caller import Caller
from chassis.clock import Clock
from chassis.database import Database, Transaction
from profiles.domain.clients import Client
from profiles.domain.searches import Match, Quality, Word, with_nicknames, words_of
from profiles.nicknames import NICKNAMES
from profiles.store import audit as audit_store
from profiles.store import clients as client_store
from profiles.store import search as store


class Place(NamedTuple):
    """Where a found client stands: in which stores (0: own ones), how well it fits, and its id."""

    tier: int
    quality: int
    client_id: str


_OWN, _OTHERS = range(2)


@dataclass(frozen=True, slots=True)
class Hit:
    """A found client, and by what."""

    client: Client
    matches: tuple[Match, ...]
    is_of_own_store: bool


async def search_clients(
    *,
    database: Database,
    clock: Clock,
    caller: Caller,
    query: str,
    store_id: str,
    after: Place | None,
    size: int,
) -> tuple[list[Hit], Place | None]:
    """Return one page of clients whom every word of the query fits, and where the next one begins.

    Finds nobody for a query without words. Who was found is noted in the audit.
    """
    async with database.transaction(caller.chain_id) as tx:
        words = with_nicknames(words_of(await store.plain_spelling(tx, query)), NICKNAMES)
        if not words:
            return [], None
        places = await _places(tx, words, caller, store_id, after=after, limit=size + 1)
        page = places[:size]
        ids = [place.client_id for place in page]
        clients = {client.client_id: client for client in await client_store.get_clients(tx, ids)}
        matches = await store.matches_of(tx, ids, words)
        await audit_store.note(tx, caller, "SearchClients", ids, now=clock.now())
    hits = [
        Hit(
            clients[client_id],
            tuple(matches[client_id]),
            not caller.stores or clients[client_id].home_store_id in caller.stores,
        )
        for client_id in ids
    ]
    return hits, page[-1] if len(places) > size else None


async def list_clients(
    tx: Transaction, query: str, *, store_id: str, associate_id: str, before: str, limit: int
) -> list[Client]:
    """Return clients whom every word of the query fits as it was typed, newest first."""
    words = words_of(await store.plain_spelling(tx, query))
    if not words:
        return []
    wanted = store.Wanted(words, Quality.AS_TYPED)
    stores = [store_id] if store_id else None
    # A book is small beside the newest clients of all.
    newest = None
    if not associate_id:
        newest = await store.find_newest(tx, wanted, stores=stores, before=before, limit=limit)
    if newest and newest.is_complete:
        return await client_store.get_clients(tx, newest.client_ids)
    found, _ = await store.find_all(
        tx, wanted, own=stores, associate_id=associate_id, before_own=before, limit=limit
    )
    return await client_store.get_clients(tx, found)


async def _places(
    tx: Transaction, words: Sequence[Word], caller: Caller, store_id: str, *, after: Place | None, limit: int
) -> list[Place]:
    own = [store_id] if store_id else sorted(caller.stores) or None
    tiers = (_OWN, _OTHERS) if own and not store_id else (_OWN,)
    # Who fits by the index is known for all tiers at once; filled when the newest are not enough.
    known: dict[tuple[int, Quality], list[str]] = {}
    places: list[Place] = []
    similar: Sequence[Word] | None = None

    def before(tier: int, quality: Quality) -> str:
        return after.client_id if after and (after.tier, after.quality) == (tier, quality) else ""

    for tier, quality in ((tier, quality) for tier in tiers for quality in Quality):
        if after and (tier, quality) < (after.tier, after.quality):
            continue
        if quality is Quality.SIMILAR and similar is None:
            # Looked up only when what was typed does not fill the page.
            similar = await _with_similar(tx, words)
        wanted = store.Wanted(similar or words, quality)
        still = limit - len(places)
        if (tier, quality) not in known:
            newest = await store.find_newest(
                tx,
                wanted,
                stores=own if tier == _OWN else None,
                but_not_stores=own if tier == _OTHERS else None,
                before=before(tier, quality),
                limit=still,
            )
            if newest.is_complete:
                known[tier, quality] = newest.client_ids
            else:
                known[_OWN, quality], known[_OTHERS, quality] = await store.find_all(
                    tx,
                    wanted,
                    own=own,
                    before_own=before(_OWN, quality),
                    before_others=before(_OTHERS, quality),
                    limit=limit,
                )
        places += [Place(tier, quality, client_id) for client_id in known[tier, quality][:still]]
        if len(places) >= limit:
            break
    return places


async def _with_similar(tx: Transaction, words: Sequence[Word]) -> Sequence[Word]:
    similar = await store.similar_names(tx, [word.name for word in words if word.name])
    return [replace(word, similar=tuple(similar.get(word.name, ()))) for word in words]
