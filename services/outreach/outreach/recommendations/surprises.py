"""Whether naming a piece to a client gives a surprise away. Pure."""

from datetime import date

from outreach.domain.catalogue import Piece
from outreach.domain.words import fold
from outreach.recommendations.likings import Likings
from outreach.recommendations.scoring import ShelfPiece, is_wished


def gives_away(piece: Piece, likings: Likings) -> bool:
    """Return whether somebody has bought a piece, or grants a wish for it, as a surprise that is not over."""
    reference = fold(piece.reference)
    if reference and any(
        reference == withheld and (not brand or not piece.brand_id or brand == piece.brand_id)
        for brand, withheld in likings.withheld
    ):
        return True
    on_shelf = ShelfPiece(
        piece_id=piece.piece_id,
        display_name=piece.display_name,
        collection=piece.collection,
        brand=piece.brand_id,
        category=piece.category,
        metal=piece.metal,
        stone=piece.stone,
        cut=piece.cut,
        style=piece.style,
        size=piece.size,
        reference_key=reference,
        category_key=fold(piece.category),
        metal_key=fold(piece.metal),
        stone_key=fold(piece.stone),
        set_key=fold(piece.set_code),
        price_minor=piece.price_minor,
        currency=piece.currency,
        arrived_on=date.min,
    )
    return any(wish.is_secret and is_wished(wish, on_shelf) for wish in likings.wishes)
