"""What events that share a transaction leave to be done once for all of them; `facts.finish_set` does it."""

from dataclasses import dataclass, field

from chassis.database import Transaction
from outreach.store.outcomes import OutcomeRow


@dataclass
class Left:
    """Clients to be counted and looked at, those of them whose tastes are counted too, what clients did."""

    to_look_at: set[str] = field(default_factory=set)
    tastes_of: set[str] = field(default_factory=set)
    outcomes: list[OutcomeRow] = field(default_factory=list)


def left_by(tx: Transaction) -> Left | None:
    """Return what is left for the end of the set; None for a transaction of one effect, which does all at once."""
    if tx.memory is None:
        return None
    left: Left = tx.memory.setdefault("left for the end of the set", Left())
    return left
