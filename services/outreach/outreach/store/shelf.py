"""What is in a store now: candidates for a client, by the indexes of the shelf."""

from collections.abc import Mapping, Sequence
from typing import Any

from chassis.database import Transaction
from outreach.domain.words import words_of
from outreach.recommendations.likings import Likings, PriceBand
from outreach.recommendations.scoring import ShelfPiece

# Of each value that is looked for, the newest so many are looked at. A shelf has more of hardly any.
_EACH = 30
_VALUES = 3
_WISHES = 8

_NEWEST = "order by h.arrived_on desc, h.piece_id limit $6"
_OF_STORE = "h.chain_id = $1 and h.store_id = $2"
# Twice around the band; other currencies and unknown prices are not compared.
_IN_BAND = """($3::text = '' or h.currency_code <> $3 or h.price_minor is null
    or h.price_minor between $4::bigint and $5::bigint)"""


def _newest_of(values: str, column: str) -> str:
    return f"""select n.* from unnest({values}::text[]) as v (value) cross join lateral (
        select h.piece_id, h.arrived_on from shelf h
        where {_OF_STORE} and h.{column} = v.value and {_IN_BAND} {_NEWEST}) as n"""  # noqa: S608 - fixed text only


# The arrival comes along, because a second look at the shelf of a large store is planned as a scan of it.
_CANDIDATES = f"""
    with found as (
        {_newest_of("$7", "brand_id")}
        union {_newest_of("$8", "category_key")}
        union {_newest_of("$9", "metal_key")}
        union {_newest_of("$10", "stone_key")}
        union (select h.piece_id, h.arrived_on from shelf h where {_OF_STORE} and {_IN_BAND} {_NEWEST})
        union (select h.piece_id, h.arrived_on from shelf h
            where {_OF_STORE} and h.set_key <> '' and h.set_key = any($11::text[]) {_NEWEST})
        union (select h.piece_id, h.arrived_on from shelf h
            where {_OF_STORE} and h.reference_key <> '' and h.reference_key = any($12::text[]) {_NEWEST})
        union select n.* from unnest($13::text[], $14::text[], $15::text[], $16::text[])
            as w (brand, category, metal, stone) cross join lateral (
            select h.piece_id, h.arrived_on from shelf h where {_OF_STORE} and h.category_key = w.category
                and (w.brand = '' or h.brand_id = w.brand) and (w.metal = '' or h.metal_key = w.metal)
                and (w.stone = '' or h.stone_key = w.stone) {_NEWEST}) as n
        union (select h.piece_id, h.arrived_on from shelf h
            where {_OF_STORE} and h.piece_id = any($17::text[]) {_NEWEST})
    )
    select p.piece_id, p.display_name, p.collection, p.brand_id, p.category, p.metal, p.stone, p.cut, p.style, p.size,
        p.reference_key, p.category_key, p.metal_key, p.stone_key, p.set_key, p.price_minor, p.currency_code,
        found.arrived_on
    from found join pieces p on p.chain_id = $1 and p.piece_id = found.piece_id
"""  # noqa: S608 - fixed text only


async def find_candidates(
    tx: Transaction,
    store_id: str,
    likings: Likings,
    *,
    categories: Sequence[str],
    stones: Sequence[str],
    metals: Sequence[str],
) -> list[ShelfPiece]:
    """Return pieces of a store that may suit: wished ones, of her sets, the newest of what she likes, and the newest.

    `categories`, `stones` and `metals` are looked for beside those that are liked.
    """
    band = likings.band
    wishes = likings.wanted
    like = [wish for wish in wishes if not wish.reference and wish.category][:_WISHES]
    connection = await tx.driver()
    # A preferred brand may be said by its name; ids have an underscore, and are looked for as they are.
    names = {
        tuple(words_of(value)) for kind, value in likings.preferences if kind == "brand" and "_" not in value
    }
    by_name: list[Any] = []
    for words in sorted(filter(None, names))[:_VALUES]:
        by_name += await connection.fetch(
            "select * from search_pieces($1::text[], '', '', $2, '', $3)", words, store_id, _EACH
        )
    rows = await connection.fetch(
        _CANDIDATES,
        tx.chain_id,
        store_id,
        likings.currency if band else "",
        band.low // 2 if band else 0,
        band.high * 2 if band else 0,
        _EACH,
        likings.strongest("brand", _VALUES),
        sorted({*likings.strongest("category", _VALUES), *categories}),
        sorted({*likings.strongest("metal", _VALUES), *metals}),
        sorted({*likings.strongest("stone", _VALUES), *stones}),
        sorted({piece.set_key for piece in likings.owned if piece.set_key}),
        sorted({wish.reference for wish in wishes if wish.reference}),
        [wish.brand for wish in like],
        [wish.category for wish in like],
        [wish.metal for wish in like],
        [wish.stone for wish in like],
        sorted({row[0] for row in by_name}),
    )
    return [shelf_piece(row) for row in rows]


def shelf_piece(row: Mapping[str, Any]) -> ShelfPiece:
    """Return a piece of the shelf as it is scored."""
    fields = dict(row)
    return ShelfPiece(brand=fields.pop("brand_id"), currency=fields.pop("currency_code"), **fields)


async def read_usual_band(tx: Transaction, currency: str) -> PriceBand | None:
    """Return the middle half of what the chain's latest purchases brought; None without any."""
    connection = await tx.driver()
    row = await connection.fetchrow(
        "select percentile_disc(0.25) within group (order by total_minor) as low,"
        " percentile_disc(0.75) within group (order by total_minor) as high"
        " from (select total_minor, currency_code from purchases where chain_id = $1"
        "  order by purchase_id desc limit 1000) as latest where currency_code = $2 and total_minor > 0",
        tx.chain_id,
        currency,
    )
    return None if row is None or row["low"] is None else PriceBand(row["low"], row["high"], is_chain=True)
