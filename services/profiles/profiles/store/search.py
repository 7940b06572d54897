"""Words of clients and names of chains: kept in line with clients and purchases, and found again.

What is found by words runs in functions of the database's owner (see migration 0009); they name the chain themselves.
"""

from collections.abc import Sequence
from typing import NamedTuple

from chassis.database import Transaction
from profiles.domain.searches import Match, Quality, Word, is_similar


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
        await driver.execute("select forget_names($1)", [row[0] for row in gone])


async def plain_spelling(tx: Transaction, query: str) -> str:
    """Return a query as words are kept: without accents and capitals."""
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
    """What is looked for, and where; `stores` None: in all."""

    words: Sequence[Word]
    quality: Quality
    stores: Sequence[str] | None = None
    but_not_stores: Sequence[str] | None = None
    associate_id: str = ""


_PROBE = 500
_MOST_SCANNED = 10_000
_FEWEST_HITS = 3
_NEWEST = "~"  # after every id


async def find(tx: Transaction, wanted: Wanted, *, before: str, limit: int) -> list[str]:
    """Return ids of clients whom every word fits at that quality and not better, newest first.

    Looks at the newest first: what many fit is full soon. What few fit goes through the index of words.
    """
    scope = {
        "stores": _or_none(wanted.stores),
        "but_not_stores": _or_none(wanted.but_not_stores),
        "wanted": _query(wanted.words, wanted.quality),
        "but_not": _query(wanted.words, Quality(wanted.quality - 1)) if wanted.quality else None,
        "each_word": [_alternatives(word, wanted.quality) for word in wanted.words],
        "before": before or _NEWEST,
        "most": limit,
    }
    width = 0 if wanted.associate_id else _PROBE
    while width:
        row = (
            await tx.execute(
                "select * from newest_fitting(:stores, :but_not_stores, cast(:wanted as tsquery),"
                " cast(:but_not as tsquery), cast(cast(:each_word as text[]) as tsquery[]), :before, :width, :most)",
                scope | {"width": width},
            )
        ).one()
        if row.is_all or len(row.client_ids) >= limit:
            return list(row.client_ids)
        needed = 2 * limit * width // row.hits if row.hits >= _FEWEST_HITS else _MOST_SCANNED + 1
        width = needed if width < needed <= _MOST_SCANNED else 0
    found = await tx.execute(
        "select all_fitting(:stores, :but_not_stores, :associate_id, cast(:wanted as tsquery),"
        " cast(:but_not as tsquery), cast(cast(:each_word as text[]) as tsquery[]), :before, :most)",
        scope | {"associate_id": wanted.associate_id},
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
            contacts.phones @@ word.typed as phone, contacts.emails @@ word.typed as email,
            tags.words @@ word.typed as tag, s.bought @@ word.typed as piece
        from clients c join client_search s on s.chain_id = c.chain_id and s.client_id = c.client_id
        cross join lateral array_to_tsvector(words_of(name_text(c.given_name || ' ' || c.family_name))) names (words)
        cross join lateral array_to_tsvector(words_of(plain_text(c.nickname))) nick (words)
        cross join lateral array_to_tsvector(words_of(plain_text(array_to_string(c.tags, ' ')))) tags (words)
        cross join lateral (
            select array_to_tsvector(words_of(coalesce(string_agg(text, ' ') filter (where p.kind = 'phone'), ''))),
                array_to_tsvector(words_of(coalesce(string_agg(text, ' ') filter (where p.kind = 'email'), '')))
            from contact_points p cross join lateral contact_text(p.kind, p.match_key) text
            where p.chain_id = c.chain_id and p.client_id = c.client_id
        ) contacts (phones, emails)
        cross join unnest(cast(cast(:typed as text[]) as tsquery[]), cast(cast(:nicknames as text[]) as tsquery[]))
            with ordinality word (typed, nicknames, place)
        where c.client_id = any(:client_ids) order by c.client_id, word.place
        """,
        {
            "client_ids": list(client_ids),
            "typed": [_alternatives(word, Quality.AS_TYPED) for word in words],
            "nicknames": [_any_of(map(_quoted, word.nicknames)) for word in words],
        },
    )
    found: dict[str, list[Match]] = {}
    for row in rows:
        matches = found.setdefault(row.client_id, [])
        match = next(
            (match for match in Match if getattr(row, match.value, match is Match.SIMILAR_NAME)),
            Match.SIMILAR_NAME,
        )
        if match not in matches:
            matches.append(match)
    return found


def _or_none(stores: Sequence[str] | None) -> list[str] | None:
    return None if stores is None else list(stores)


def _query(words: Sequence[Word], quality: Quality) -> str:
    return " & ".join(f"({_alternatives(word, quality)})" for word in words)


def _alternatives(word: Word, quality: Quality) -> str:
    alternatives = [f"{_quoted(beginning)}:*" for beginning in word.beginnings]
    if quality >= Quality.BY_NICKNAME:
        alternatives += map(_quoted, word.nicknames)
    if quality >= Quality.SIMILAR:
        alternatives += map(_quoted, word.similar)
    return _any_of(alternatives)


def _any_of(alternatives: "map[str] | list[str]") -> str:
    return " | ".join(alternatives)


def _quoted(word: str) -> str:
    escaped = word.replace("\\", "\\\\").replace("'", "''")
    return f"'{escaped}'"
