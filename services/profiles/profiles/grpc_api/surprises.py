"""Surprises on the wire."""

from typing import Any

from chassis.values import date_of
from profiles.domain.surprises import Surprise


def surprise_of(message: Any) -> Surprise:
    """Return the surprise in a message that has the two fields of one. Raises INVALID for a day of no calendar."""
    ends_on = (
        date_of(message.surprise_end_date, "surprise_end_date")
        if message.HasField("surprise_end_date")
        else None
    )
    return Surprise(message.surprise_for_client_id, ends_on)
