"""Pieces and intakes as documents: what is empty is left out, so that fields that come later need no migration."""

import json
from dataclasses import asdict, fields
from typing import Any

from profiles.domain.pieces import Piece
from profiles.domain.repairs import Intake, IntakeStone


def document_of(value: Piece | Intake) -> str:
    """Return a piece or an intake as JSON."""
    return json.dumps({name: part for name, part in asdict(value).items() if part not in ("", None, ())})


def piece_of(document: dict[str, Any]) -> Piece:
    """Return the piece in a document."""
    return Piece(**{field.name: document[field.name] for field in fields(Piece) if field.name in document})


def intake_of(document: dict[str, Any]) -> Intake:
    """Return the intake in a document."""
    stones = tuple(IntakeStone(**stone) for stone in document.get("stones", ()))
    return Intake(**{**document, "stones": stones})
