"""Words of clients and names of chains: kept in line with clients and purchases, and found again.

What is found by words runs in functions of the database's owner (see migration 0009); they name the chain themselves.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from chassis.database import Transaction
from profiles.domain.searches import Match, Quality, Word, is_similar
from profiles.store.search_ways import Plan, Sample, plan


async def refresh_search(
    tx: Transaction, client_ids: Sequence[str], *, purchase_ids: Sequence[str] | None = None
) -> None:
    """Bring the words that clients are found by in line with their profiles and what they bought.

    With `purchase_ids` only those purchases are new, and none was taken away: of a client with thousands the rest need
    not be read again. Sets of thousands at a time are meant.
    """
    if not client_ids:
        return
    driver = await tx.driver()
    gone = await driver.fetch(
        "select * from refresh_search($1, $2)",
        list(client_ids),
        None if purchase_ids is None else list(purchase_ids),
    )
    if gone:
        await driver.execute("select forget_words($1)", [row[0] for row in gone])


async def plain_spelling(tx: Transaction, query: str) -> str:
    """Return a query as words are kept: without accents and capitals."""
    if query.isascii():
        return query.lower()
    return str((await tx.execute("select searchable(:query)", {"query": query})).scalar_one())


async def similar_names(tx: Transaction, names: Sequence[str]) -> dict[str, list[str]]:
    """Return for each name those of the chain's clients that sound like it, or are one letter apart, without itself."""
    found: dict[str, list[str]] = {}
    if names:
        rows = await tx.execute("select * from similar_names(:names)", {"names": list(names)})
        for row in rows:
            if row.name != row.word and is_similar(row.word_sound, row.name_sound_of):
                found.setdefault(row.word, []).append(row.name)
    return found


class Wanted(NamedTuple):
    """What is looked for, and how well it must fit: clients who fit better are left out."""

    words: Sequence[Word]
    quality: Quality


class Newest(NamedTuple):
    """Who fits among the newest clients of some stores; `is_complete` when nobody else can come before or between."""

    client_ids: list[str]
    is_complete: bool


_SAMPLE = 500
_MOST_WHOLES = 64
_NEWEST = "~"  # after every id


async def find_newest(
    tx: Transaction,
    wanted: Wanted,
    *,
    stores: Sequence[str] | None,
    but_not_stores: Sequence[str] | None = None,
    before: str = "",
    limit: int,
    width: int,
) -> Newest:
    """Return who fits among the `width` newest clients, newest first: complete for what many fit."""
    row = (
        await tx.execute(
            "select * from newest_fitting(:stores, :but_not_stores, cast(:wanted as tsquery),"
            " cast(:but_not as tsquery), cast(cast(:each_word as text[]) as tsquery[]), :of_piece, :before,"
            " :width, :most)",
            _conditions(wanted, _typed)
            | {
                "stores": None if stores is None else list(stores),
                "but_not_stores": None if but_not_stores is None else list(but_not_stores),
                "before": before or _NEWEST,
                "most": limit,
                "width": width,
            },
        )
    ).one()
    return Newest(list(row.client_ids), row.is_complete)


@dataclass(frozen=True, slots=True)
class Index:
    """How the index of words can be asked for who is wanted, and what the newest clients tell about it."""

    conditions: Mapping[str, Any]
    sample: Sample
    wholes: Mapping[str, list[str]]  # the chain's words that begin with a typed one, when they are few

    def plan(self, *, stores: Sequence[str] | None, limit: int) -> Plan:
        """Return how to find clients of some stores, or of all (None)."""
        return plan(self.sample, stores=0 if stores is None else len(stores), limit=limit)

    def asked_for(self, plan: Plan) -> dict[str, Any]:
        """Return the conditions with the words that are looked up: what is found is compared with all of them."""
        each_word = self.conditions["each_word"]
        return {**self.conditions, "wanted": _all_of([each_word[place] for place in plan.sought])}


async def ask_newest(
    tx: Transaction, wanted: Wanted, *, own: Sequence[str] | None, before: Index | None = None
) -> Index:
    """Return how the index can be asked, judged by the newest clients; `before` was asked for the same words."""
    found = await tx.execute(
        "select * from hits_among_newest(cast(cast(:each_word as text[]) as tsquery[]), cast(:but_not as tsquery),"
        " :of_piece, :own, :width)",
        _conditions(wanted, _typed) | {"own": None if own is None else list(own), "width": _SAMPLE},
    )
    hits = found.one()
    wholes = before.wholes if before else await _known_wholes(tx, wanted.words)

    def indexed(word: Word) -> list[str]:
        return [_quoted(whole) for whole in wholes[word.name]] if word.name in wholes else _typed(word)

    conditions = _conditions(wanted, indexed)
    are_beginnings = [":*" in word for word in conditions["each_word"]]
    sample = Sample(hits.hits, are_beginnings, hits.fitting, hits.of_own, hits.looked_at, hits.clients)
    return Index(conditions, sample, wholes)


async def _known_wholes(tx: Transaction, words: Sequence[Word]) -> dict[str, list[str]]:
    # The index finds a few whole words at once; of a beginning it has to collect everybody.
    typed = [word.name for word in words if word.name]
    if not typed:
        return {}
    rows = await tx.execute(
        "select * from words_beginning(:typed, :most)", {"typed": typed, "most": _MOST_WHOLES}
    )
    return {row.word: row.whole for row in rows if 0 < len(row.whole) <= _MOST_WHOLES}


async def find_all(
    tx: Transaction,
    index: Index,
    way: Plan,
    *,
    own: Sequence[str] | None,
    associate_id: str = "",
    before_own: str = "",
    before_others: str = "",
    limit: int,
) -> tuple[list[str], list[str]]:
    """Return who fits, newest first: of the own stores (None: all are), and of the rest."""
    found = await tx.execute(
        "select * from all_fitting(:own, :associate_id, cast(:wanted as tsquery), cast(:but_not as tsquery),"
        " cast(cast(:each_word as text[]) as tsquery[]), :of_piece, :before_own, :before_others, :most)",
        {
            **index.asked_for(way),
            "own": None if own is None else list(own),
            "associate_id": associate_id,
            "before_own": before_own or _NEWEST,
            "before_others": before_others or _NEWEST,
            "most": limit,
        },
    )
    rows = sorted(found, key=lambda row: str(row.client_id), reverse=True)
    return [row.client_id for row in rows if row.is_own], [row.client_id for row in rows if not row.is_own]


async def find_in_stores(
    tx: Transaction, index: Index, way: Plan, *, stores: Sequence[str], before: str = "", limit: int
) -> list[str]:
    """Return who fits of some stores' clients, newest first."""
    found = await tx.execute(
        "select fitting_in_stores(:stores, cast(:wanted as tsquery), cast(:but_not as tsquery),"
        " cast(cast(:each_word as text[]) as tsquery[]), :of_piece, :before, :most)",
        {**index.asked_for(way), "stores": list(stores), "before": before or _NEWEST, "most": limit},
    )
    return list(found.scalar_one())


async def matches_of(
    tx: Transaction, client_ids: Sequence[str], words: Sequence[Word]
) -> dict[str, list[Match]]:
    """Return by what each of a few found clients was found."""
    rows = await tx.execute(
        """
        select c.client_id, word.place, names.words @@ word.typed as name,
            nick.words @@ word.typed or names.words @@ word.nicknames as nickname,
            contacts.phones @@ word.typed as phone, contacts.emails @@ word.loose as email,
            tags.words @@ word.loose as tag, s.bought @@ word.loose as piece
        from clients c join client_search s on s.chain_id = c.chain_id and s.client_id = c.client_id
        cross join lateral array_to_tsvector(words_of(person_text(c.given_name || ' ' || c.family_name))) names (words)
        cross join lateral array_to_tsvector(words_of(person_text(c.nickname))) nick (words)
        cross join lateral array_to_tsvector(words_of(person_text(array_to_string(c.tags, ' ')))) tags (words)
        cross join lateral (
            select array_to_tsvector(words_of(coalesce(string_agg(text, ' ') filter (where p.kind = 'phone'), ''))),
                array_to_tsvector(words_of(coalesce(string_agg(text, ' ') filter (where p.kind = 'email'), '')))
            from contact_points p cross join lateral contact_text(p.kind, p.match_key) text
            where p.chain_id = c.chain_id and p.client_id = c.client_id
        ) contacts (phones, emails)
        cross join unnest(cast(cast(:typed as text[]) as tsquery[]), cast(cast(:nicknames as text[]) as tsquery[]),
            cast(cast(:loose as text[]) as tsquery[])) with ordinality word (typed, nicknames, loose, place)
        where c.client_id = any(:client_ids) order by c.client_id, word.place
        """,
        {
            "client_ids": list(client_ids),
            "typed": [" | ".join(_typed(word)) for word in words],
            "nicknames": [" | ".join(map(_quoted, word.nicknames)) for word in words],
            "loose": [" | ".join([*_typed(word), *map(_beginning, word.loose_beginnings)]) for word in words],
        },
    )
    found: dict[str, list[Match]] = {}
    for row in rows:
        matches = found.setdefault(row.client_id, [])
        match = next((match for match in Match if getattr(row, match.value, True)), Match.SIMILAR_NAME)
        if match not in matches:
            matches.append(match)
    return found


def _conditions(wanted: Wanted, typed: Callable[[Word], list[str]]) -> dict[str, Any]:
    as_typed = [" | ".join(typed(word)) for word in wanted.words]
    if wanted.quality is Quality.AS_TYPED:
        each_word, but_not = as_typed, None
    else:
        each_word, but_not = [" | ".join([*typed(word), *_loose(word)]) for word in wanted.words], as_typed
    return {
        "wanted": _all_of(each_word),
        "but_not": but_not and _all_of(but_not),
        "each_word": each_word,
        "of_piece": [word.of_piece for word in wanted.words],
    }


def _all_of(each_word: Sequence[str]) -> str:
    return " & ".join(f"({word})" for word in each_word)


def _typed(word: Word) -> list[str]:
    number = [f"({' & '.join(map(_quoted, word.digits))})"] if word.digits else []
    return [*map(_beginning, word.beginnings), *map(_quoted, word.wholes), *number]


def _loose(word: Word) -> list[str]:
    return [*map(_beginning, word.loose_beginnings), *map(_quoted, (*word.nicknames, *word.similar))]


def _beginning(word: str) -> str:
    return f"{_quoted(word)}:*"


def _quoted(word: str) -> str:
    escaped = word.replace("\\", "\\\\").replace("'", "''")
    return f"'{escaped}'"
