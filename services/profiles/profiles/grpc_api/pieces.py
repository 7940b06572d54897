"""Pieces on the wire."""

from carnet.profiles.v1 import profiles_pb2 as pb

from chassis.values import minor_of, money_of
from profiles.domain.pieces import Piece


def piece_of(piece: pb.Piece, field: str) -> Piece:
    """Return the piece in a message. Raises INVALID below `field`."""
    price_minor, price_currency = (
        minor_of(piece.price, f"{field}.price") if piece.HasField("price") else (None, "")
    )
    return Piece(
        brand_id=piece.brand_id,
        reference=piece.reference,
        serial=piece.serial,
        category=piece.category,
        description=piece.description,
        metal=piece.metal,
        stone=piece.stone,
        cut=piece.cut,
        style=piece.style,
        size=piece.size,
        price_minor=price_minor,
        price_currency=price_currency,
        carat=piece.carat,
        certificate=piece.certificate,
    )


def piece_message(piece: Piece) -> pb.Piece:
    """Return a piece as the contract spells it."""
    return pb.Piece(
        brand_id=piece.brand_id,
        reference=piece.reference,
        serial=piece.serial,
        category=piece.category,
        description=piece.description,
        metal=piece.metal,
        stone=piece.stone,
        cut=piece.cut,
        style=piece.style,
        size=piece.size,
        price=None if piece.price_minor is None else money_of(piece.price_minor, piece.price_currency),
        carat=piece.carat,
        certificate=piece.certificate,
    )
