"""Pieces and the shelf of each store, written and read as sets.

Whoever changes a piece holds its row first, in the order of codes; its shelf, its words and the news follow from that.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from chassis.database import Transaction
from chassis.ids import new_id
from outreach.domain.catalogue import TEXTS, GivenPiece, Piece, Stock

_COLUMNS = ", ".join(TEXTS)
_KEYS = ("brand_id", "reference_key", "category_key", "metal_key", "stone_key")
_PIECE = ", ".join(
    [
        "p.piece_id",
        *(f"p.{name}" for name in TEXTS),
        "p.price_minor, p.currency_code, p.created_at, p.updated_at",
        "(select json_agg(json_build_array(h.store_id, h.quantity, h.arrived_on) order by h.store_id)"
        "  from shelf h where h.chain_id = p.chain_id and h.piece_id = p.piece_id) as stock",
    ]
)


@dataclass(frozen=True)
class Known:
    """What is there under a code."""

    piece_id: str
    fingerprint: str
    is_deleted: bool


@dataclass(frozen=True)
class Written:
    """What became of a piece that was written."""

    piece_id: str
    is_new: bool


async def put_store(tx: Transaction, store_id: str) -> None:
    """Note a store of the chain."""
    await tx.execute(
        "insert into stores (chain_id, store_id) values (:chain_id, :store_id) on conflict do nothing",
        {"chain_id": tx.chain_id, "store_id": store_id},
    )


async def known_stores(tx: Transaction, store_ids: Collection[str]) -> set[str]:
    """Return which of these are stores of the chain."""
    connection = await tx.driver()
    rows = await connection.fetch(
        "select store_id from stores where chain_id = $1 and store_id = any($2::text[])",
        tx.chain_id,
        sorted(set(store_ids)),
    )
    return {row[0] for row in rows}


async def find_by_code(tx: Transaction, codes: Collection[str]) -> dict[str, Known]:
    """Return what is there under these codes, deleted pieces as well."""
    connection = await tx.driver()
    rows = await connection.fetch(
        "select code, piece_id, fingerprint, is_deleted from pieces where chain_id = $1 and code = any($2::text[])",
        tx.chain_id,
        list(codes),
    )
    return {row[0]: Known(row[1], row[2], row[3]) for row in rows}


async def find_arrivals(tx: Transaction, piece_ids: Collection[str]) -> dict[tuple[str, str], date]:
    """Return since when pieces are in stores, by piece and store."""
    connection = await tx.driver()
    rows = await connection.fetch(
        "select piece_id, store_id, arrived_on from shelf where chain_id = $1 and piece_id = any($2::text[])",
        tx.chain_id,
        list(piece_ids),
    )
    return {(row[0], row[1]): row[2] for row in rows}


async def write_pieces(
    tx: Transaction, pieces: Sequence[GivenPiece], *, whatever: Collection[str], today: date, now: datetime
) -> dict[str, Written]:
    """Write pieces with their stock, and return by code what became of those that were not the same already.

    Those whose codes are in `whatever` are written even when they are the same. What comes to a shelf and leaves one
    is noted as news.
    """
    rows = sorted(pieces, key=lambda piece: piece.code)
    connection = await tx.driver()
    # In the order of codes, so that two callers who write the same pieces wait for each other and for nothing else.
    written = await connection.fetch(
        f"""
        insert into pieces (chain_id, piece_id, {_COLUMNS}, price_minor, currency_code, fingerprint, created_at,
            updated_at)
        select $1, u.*, $2, $2 from unnest($3::text[], {", ".join(f"${4 + n}::text[]" for n in range(len(TEXTS)))},
            ${4 + len(TEXTS)}::bigint[], ${5 + len(TEXTS)}::text[], ${6 + len(TEXTS)}::text[]) as u
        on conflict (chain_id, code) do update set
            {", ".join(f"{name} = excluded.{name}" for name in TEXTS if name != "code")},
            price_minor = excluded.price_minor, currency_code = excluded.currency_code,
            fingerprint = excluded.fingerprint, updated_at = excluded.updated_at, is_deleted = false
        where pieces.fingerprint <> excluded.fingerprint or pieces.is_deleted
            or pieces.code = any(${7 + len(TEXTS)}::text[])
        returning piece_id, code, xmax = 0 as is_new, {", ".join(_KEYS)}, set_key, price_minor, currency_code
        """,  # noqa: S608 - fixed text only
        tx.chain_id,
        now,
        [new_id("pce") for _ in rows],
        *([getattr(row, name) for row in rows] for name in TEXTS),
        [row.price_minor for row in rows],
        [row.currency for row in rows],
        [row.fingerprint for row in rows],
        sorted(whatever),
    )
    if written:
        given = {row.code: row for row in rows}
        pairs = [(row, given[row["code"]]) for row in written]
        await _write_shelf(tx, pairs, today=today, now=now)
        await _write_words(tx, pairs)
    return {row["code"]: Written(row["piece_id"], row["is_new"]) for row in written}


async def delete_piece(tx: Transaction, piece_id: str, *, now: datetime) -> bool:
    """Take a piece out with its stock; False when there is none, True as well for one that is out already."""
    gone = await tx.execute(
        "update pieces set is_deleted = true, updated_at = case when is_deleted then updated_at else :now end"
        " where chain_id = :chain_id and piece_id = :piece_id",
        {"chain_id": tx.chain_id, "piece_id": piece_id, "now": now},
    )
    if not gone.rowcount:
        return False
    connection = await tx.driver()
    left = await connection.fetch(
        "delete from shelf where chain_id = $1 and piece_id = $2 returning *", tx.chain_id, piece_id
    )
    await connection.execute(
        "delete from piece_search where chain_id = $1 and piece_id = $2", tx.chain_id, piece_id
    )
    await _note_news(tx, [(row["store_id"], row) for row in left], now=now)
    return True


async def find_piece(tx: Transaction, piece_id: str) -> Piece | None:
    """Return a piece with its stock; None for an unknown or deleted one."""
    return (await read_pieces(tx, [piece_id])).get(piece_id)


async def read_pieces(tx: Transaction, piece_ids: Collection[str]) -> dict[str, Piece]:
    """Return pieces with their stock by id, deleted ones left out."""
    connection = await tx.driver()
    rows = await connection.fetch(
        f"select {_PIECE} from pieces p"  # noqa: S608 - fixed text only
        " where p.chain_id = $1 and p.piece_id = any($2::text[]) and not p.is_deleted",
        tx.chain_id,
        list(piece_ids),
    )
    return {row["piece_id"]: _piece(row) for row in rows}


async def list_piece_ids(
    tx: Transaction,
    *,
    words: Sequence[str],
    brand_id: str,
    category: str,
    store_id: str,
    before: str,
    most: int,
) -> list[str]:
    """Return the newest pieces: with words that begin so, folded; of a brand, a category, in a store, where given."""
    connection = await tx.driver()
    if words:
        rows = await connection.fetch(
            "select * from search_pieces($1::text[], $2, $3, $4, $5, $6)",
            list(words),
            brand_id,
            category,
            store_id,
            before,
            most,
        )
        return [row[0] for row in rows]
    conditions, arguments = ["p.chain_id = $1", "not p.is_deleted"], [tx.chain_id, most]
    for condition, value in (
        ("p.piece_id < {}", before),
        ("p.brand_id = {}", brand_id),
        ("p.category_key = searchable({})", category),
        ("h.store_id = {}", store_id),
    ):
        if value:
            arguments.append(value)
            conditions.append(condition.format(f"${len(arguments)}::text"))
    shelf = " join shelf h on h.chain_id = p.chain_id and h.piece_id = p.piece_id" if store_id else ""
    rows = await connection.fetch(
        f"select p.piece_id from pieces p{shelf} where {' and '.join(conditions)}"  # noqa: S608 - fixed text only
        " order by p.piece_id desc limit $2",
        *arguments,
    )
    return [row[0] for row in rows]


async def _write_shelf(
    tx: Transaction, written: Sequence[tuple[Mapping[str, Any], GivenPiece]], *, today: date, now: datetime
) -> None:
    """Bring the shelves to what was given, and note which of their rows are not what they were."""
    connection = await tx.driver()
    before = {
        (row["piece_id"], row["store_id"]): row
        for row in await connection.fetch(
            "select * from shelf where chain_id = $1 and piece_id = any($2::text[])",
            tx.chain_id,
            [row["piece_id"] for row, _ in written],
        )
    }
    after: dict[tuple[str, str], Mapping[str, Any]] = {}
    for row, piece in written:
        for there in piece.stock:
            if not there.quantity:
                continue
            at = (row["piece_id"], there.store_id)
            since = there.arrived_on or (before[at]["arrived_on"] if at in before else today)
            after[at] = {**row, "store_id": there.store_id, "quantity": there.quantity, "arrived_on": since}
    columns = (*_KEYS, "set_key", "price_minor", "currency_code", "quantity", "arrived_on")
    changed = [
        row
        for at, row in after.items()
        if at not in before or any(before[at][name] != row[name] for name in columns)
    ]
    gone = [at for at in before if at not in after]
    if gone:
        await connection.execute(
            "delete from shelf where chain_id = $1 and (piece_id, store_id) in"
            " (select * from unnest($2::text[], $3::text[]))",
            tx.chain_id,
            [at[0] for at in gone],
            [at[1] for at in gone],
        )
    if changed:
        names = ("store_id", "piece_id", *columns)
        types = {"price_minor": "bigint", "quantity": "integer", "arrived_on": "date"}
        await connection.execute(
            f"""
            insert into shelf (chain_id, {", ".join(names)}) select $1, u.* from unnest(
                {", ".join(f"${2 + n}::{types.get(name, 'text')}[]" for n, name in enumerate(names))}) as u
            on conflict (chain_id, store_id, piece_id) do update set
                {", ".join(f"{name} = excluded.{name}" for name in columns)}
            """,  # noqa: S608 - fixed text only
            tx.chain_id,
            *([row[name] for row in changed] for name in names),
        )
    news: list[tuple[str, Mapping[str, Any]]] = [(at[1], before[at]) for at in gone]
    for row in changed:
        was = before.get((row["piece_id"], row["store_id"]))
        told = (*_KEYS, "arrived_on")
        if was is None or any(was[name] != row[name] for name in told):
            news.append((row["store_id"], row))
            if was is not None and any(was[name] != row[name] for name in _KEYS):
                news.append((row["store_id"], was))
    await _note_news(tx, news, now=now)


async def _note_news(
    tx: Transaction, news: Sequence[tuple[str, Mapping[str, Any]]], *, now: datetime
) -> None:
    told = sorted({(store_id, *(row[name] for name in _KEYS)) for store_id, row in news})
    if not told:
        return
    connection = await tx.driver()
    await connection.execute(
        f"insert into shelf_news (chain_id, due_at, store_id, {', '.join(_KEYS)}) select $1, $2, u.*"  # noqa: S608 - fixed
        f" from unnest({', '.join(f'${3 + n}::text[]' for n in range(1 + len(_KEYS)))}) as u",
        tx.chain_id,
        now,
        *(list(column) for column in zip(*told, strict=True)),
    )


async def _write_words(tx: Transaction, written: Sequence[tuple[Mapping[str, Any], GivenPiece]]) -> None:
    connection = await tx.driver()
    await connection.execute(
        "insert into piece_search (chain_id, piece_id, brand_id, category_key, terms)"
        " select $1, * from unnest($2::text[], $3::text[], $4::text[], $5::text[])"
        " on conflict (chain_id, piece_id) do update set brand_id = excluded.brand_id,"
        " category_key = excluded.category_key, terms = excluded.terms"
        " where (piece_search.brand_id, piece_search.category_key, piece_search.terms)"
        "  is distinct from (excluded.brand_id, excluded.category_key, excluded.terms)",
        tx.chain_id,
        [row["piece_id"] for row, _ in written],
        [row["brand_id"] for row, _ in written],
        [row["category_key"] for row, _ in written],
        ["".join(f" {word}" for word in piece.words) for _, piece in written],
    )


def _piece(row: Mapping[str, Any]) -> Piece:
    return Piece(
        piece_id=row["piece_id"],
        **{name: row[name] for name in TEXTS},
        price_minor=row["price_minor"],
        currency=row["currency_code"],
        stock=tuple(
            Stock(store_id, quantity, date.fromisoformat(arrived_on))
            for store_id, quantity, arrived_on in row["stock"] or ()
        ),
        created_at=row["created_at"],
        updated_at=row["updated_at"],
    )
