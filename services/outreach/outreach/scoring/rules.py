"""What a chain's ranking goes by beside its clients and its model. Must not read any table."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date

from outreach.domain import Signal
from outreach.domain.settings import OutreachSettings
from outreach.scoring.choosing import Floats, draws
from outreach.scoring.effects import effects
from outreach.signals.book import Integers


@dataclass(frozen=True)
class Rules:
    """A chain's decisions, what its signals have brought, and its stores' numbers in the book.

    Built in: no decision, stated effects. `chain_id` seeds exploration.
    """

    chain_id: str = ""
    settings: OutreachSettings = field(default_factory=lambda: OutreachSettings().in_force())
    effects: Mapping[Signal, float] = field(default_factory=lambda: effects({}))
    stores: Mapping[str, int] = field(default_factory=dict)

    def draws(self, number: Integers, as_of: date) -> Floats | None:
        """Return the draws of clients on a day; None where the chain does not explore."""
        is_exploring = self.settings.exploration_share > 0
        return draws(number, self.chain_id, as_of) if is_exploring else None
