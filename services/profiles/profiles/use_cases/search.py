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
from profiles.store.search_ways import Way


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
    index = await store.ask_newest(tx, wanted, own=stores)
    plan = index.plan(stores=stores, limit=limit)
    # A book is small beside the newest clients of all.
    if Way.NEWEST in plan.ways and not associate_id:
        newest = await store.find_newest(
            tx, wanted, stores=stores, before=before, limit=limit, width=plan.width
        )
        if newest.is_complete:
            return await client_store.get_clients(tx, newest.client_ids)
    if stores and Way.STORES in plan.ways and not associate_id:
        found = await store.find_in_stores(tx, index, plan, stores=stores, before=before, limit=limit)
    else:
        found, _ = await store.find_all(
            tx, index, plan, own=stores, associate_id=associate_id, before_own=before, limit=limit
        )
    return await client_store.get_clients(tx, found)


async def _places(
    tx: Transaction, words: Sequence[Word], caller: Caller, store_id: str, *, after: Place | None, limit: int
) -> list[Place]:
    own = [store_id] if store_id else sorted(caller.stores) or None
    tiers = (_OWN, _OTHERS) if own and not store_id else (_OWN,)
    search = _Search(tx, own, after, limit)
    places: list[Place] = []
    similar: Sequence[Word] | None = None
    for tier, quality in ((tier, quality) for tier in tiers for quality in Quality):
        if after and (tier, quality) < (after.tier, after.quality):
            continue
        if quality is Quality.SIMILAR and similar is None:
            # Looked up only when what was typed does not fill the page.
            similar = await _with_similar(tx, words)
        still = limit - len(places)
        found = await search.found(tier, store.Wanted(similar or words, quality), still)
        places += [Place(tier, quality, client_id) for client_id in found[:still]]
        if len(places) >= limit:
            break
    return places


class _Search:
    """One page's looks for clients, each on the way that costs least."""

    def __init__(self, tx: Transaction, own: Sequence[str] | None, after: Place | None, limit: int) -> None:
        self._tx = tx
        self._own = own
        self._after = after
        self._limit = limit
        self._indexes: dict[Quality, store.Index] = {}
        # Who fits by the index may be known for both tiers at once.
        self._known: dict[tuple[int, Quality], list[str]] = {}

    async def found(self, tier: int, wanted: store.Wanted, still: int) -> list[str]:
        """Return who of a tier fits, newest first; no fewer than are `still` needed, if there are so many."""
        if (tier, wanted.quality) not in self._known:
            self._known |= await self._look(tier, wanted, still)
        return self._known[tier, wanted.quality]

    async def _look(
        self, tier: int, wanted: store.Wanted, still: int
    ) -> dict[tuple[int, Quality], list[str]]:
        tx, quality = self._tx, wanted.quality
        if quality not in self._indexes:
            before = next(iter(self._indexes.values()), None)
            self._indexes[quality] = await store.ask_newest(tx, wanted, own=self._own, before=before)
        index = self._indexes[quality]
        stores = self._own if tier == _OWN else None
        plan = index.plan(stores=stores, limit=self._limit)
        below = self._before(tier, quality)
        if Way.NEWEST in plan.ways:
            newest = await store.find_newest(
                tx,
                wanted,
                stores=stores,
                but_not_stores=self._own if tier == _OTHERS else None,
                before=below,
                limit=still,
                width=plan.width,
            )
            if newest.is_complete:
                return {(tier, quality): newest.client_ids}
        if stores is not None and Way.STORES in plan.ways:
            found = await store.find_in_stores(tx, index, plan, stores=stores, before=below, limit=still)
            return {(tier, quality): found}
        of_own, of_others = await store.find_all(
            tx,
            index,
            plan,
            own=self._own,
            before_own=self._before(_OWN, quality),
            before_others=self._before(_OTHERS, quality),
            limit=self._limit,
        )
        return {(_OWN, quality): of_own, (_OTHERS, quality): of_others}

    def _before(self, tier: int, quality: Quality) -> str:
        after = self._after
        return after.client_id if after and (after.tier, after.quality) == (tier, quality) else ""


async def _with_similar(tx: Transaction, words: Sequence[Word]) -> Sequence[Word]:
    similar = await store.similar_names(tx, [word.name for word in words if word.name])
    return [replace(word, similar=tuple(similar.get(word.name, ()))) for word in words]
