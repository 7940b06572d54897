"""Keep the chain's catalogue: put pieces in, find them, take them out."""

from collections.abc import Sequence
from dataclasses import dataclass

from chassis.clock import Clock
from chassis.database import Database
from chassis.errors import not_found
from chassis.paging import cut_page, decode_page_token, page_size_of
from outreach.domain.catalogue import GivenPiece, Piece, PieceStoreUnknown, check_pieces
from outreach.domain.words import words_of
from outreach.store import catalogue, chains


@dataclass(frozen=True)
class Upserted:
    """What became of the pieces of a call; `piece_ids` are in the order of the call."""

    created: int
    updated: int
    unchanged: int
    piece_ids: tuple[str, ...]


async def upsert_pieces(
    *, database: Database, clock: Clock, chain_id: str, pieces: Sequence[GivenPiece]
) -> Upserted:
    """Put pieces into the catalogue or change them; all of them or none.

    Raises FIELD_INVALID and STORE_NOT_FOUND, which name the piece and the field.
    """
    now = clock.now()
    async with database.transaction(chain_id) as tx:
        today = (await chains.get_chain(tx)).today(now)
        check_pieces(pieces, today=today)
        stores = await catalogue.known_stores(tx, {one.store_id for piece in pieces for one in piece.stock})
        for index, piece in enumerate(pieces):
            for at, there in enumerate(piece.stock):
                if there.store_id not in stores:
                    raise PieceStoreUnknown(f"pieces[{index}].stock[{at}].store_id", there.store_id)
        known = await catalogue.find_by_code(tx, [piece.code for piece in pieces])
        same = {
            piece.code
            for piece in pieces
            if (there_ := known.get(piece.code))
            and not there_.is_deleted
            and there_.fingerprint == piece.fingerprint
        }
        # A day of arrival that is given counts even where nothing else is new.
        dated = [
            piece
            for piece in pieces
            if piece.code in same and any(one.arrived_on and one.quantity for one in piece.stock)
        ]
        since = (
            await catalogue.find_arrivals(tx, [known[piece.code].piece_id for piece in dated])
            if dated
            else {}
        )
        redated = {
            piece.code
            for piece in dated
            if any(
                one.arrived_on
                and one.quantity
                and since.get((known[piece.code].piece_id, one.store_id)) != one.arrived_on
                for one in piece.stock
            )
        }
        changing = [piece for piece in pieces if piece.code not in same or piece.code in redated]
        written = (
            await catalogue.write_pieces(tx, changing, whatever=redated, today=today, now=now)
            if changing
            else {}
        )
        if len(written) < len(changing):
            # Somebody else wrote the same at the same moment; their ids are there since.
            known |= await catalogue.find_by_code(tx, [piece.code for piece in changing])
    created = sum(one.is_new for one in written.values())
    ids = {code: one.piece_id for code, one in known.items()} | {
        code: one.piece_id for code, one in written.items()
    }
    return Upserted(
        created=created,
        updated=len(written) - created,
        unchanged=len(pieces) - len(written),
        piece_ids=tuple(ids[piece.code] for piece in pieces),
    )


async def get_piece(*, database: Database, chain_id: str, piece_id: str) -> Piece:
    """Return a piece. Raises PIECE_NOT_FOUND."""
    async with database.transaction(chain_id) as tx:
        piece = await catalogue.find_piece(tx, piece_id)
    if piece is None:
        raise not_found("piece", piece_id)
    return piece


async def list_pieces(
    *,
    database: Database,
    chain_id: str,
    query: str,
    brand_id: str,
    category: str,
    store_id: str,
    page_size: int,
    page_token: str,
) -> tuple[list[Piece], str]:
    """Return a page of pieces, the newest first, and the token of the next."""
    size = page_size_of(page_size)
    key = decode_page_token(page_token, str)
    async with database.transaction(chain_id) as tx:
        found = await catalogue.list_piece_ids(
            tx,
            words=words_of(query),
            brand_id=brand_id,
            category=category.strip(),
            store_id=store_id,
            before=str(key[0]) if key else "",
            most=size + 1,
        )
        page, token = cut_page(found, size, lambda piece_id: (piece_id,))
        pieces = await catalogue.read_pieces(tx, page)
    return [pieces[piece_id] for piece_id in page if piece_id in pieces], token


async def delete_piece(*, database: Database, clock: Clock, chain_id: str, piece_id: str) -> None:
    """Take a piece out of the catalogue; one that is out already stays out. Raises PIECE_NOT_FOUND."""
    async with database.transaction(chain_id) as tx:
        if not await catalogue.delete_piece(tx, piece_id, now=clock.now()):
            raise not_found("piece", piece_id)
