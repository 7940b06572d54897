"""The columns that every table of pieces has: the fields of a Piece, named in no other place but migrations."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Row

from profiles.domain.pieces import Piece

PIECE_COLUMNS = ", ".join(Piece.__slots__)
PIECE_VALUES = ", ".join(f":{column}" for column in Piece.__slots__)


def piece_values(piece: Piece) -> dict[str, Any]:
    """Return the values of PIECE_COLUMNS by name."""
    return {column: getattr(piece, column) for column in Piece.__slots__}


def piece_of(row: Row[Any]) -> Piece:
    """Return the piece in a row that begins with PIECE_COLUMNS."""
    values: Sequence[Any] = row[: len(Piece.__slots__)]
    return Piece(*values)
