"""A surprise: a record that one client must not learn of until it is over."""

from dataclasses import dataclass
from datetime import date


@dataclass(frozen=True, slots=True)
class Surprise:
    """Who must not learn of a record (empty: nobody), and the last day of that; None until somebody ends it."""

    client_id: str = ""
    ends_on: date | None = None

    def hides_from(self, client_id: str, today: date) -> bool:
        """Return whether this client must not see the record on that day."""
        return (
            bool(self.client_id)
            and self.client_id == client_id
            and (self.ends_on is None or today <= self.ends_on)
        )


NO_SURPRISE = Surprise()
