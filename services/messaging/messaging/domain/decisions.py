"""What the gate answers. Pure."""

import enum
from dataclasses import dataclass
from datetime import datetime


class Verdict(enum.StrEnum):
    """The gate's answer, the mildest first."""

    ALLOW = "ALLOW"
    DEFER = "DEFER"
    DENY = "DENY"


@dataclass(frozen=True)
class Reason:
    """One reason of a decision: a word for machines, a sentence for people."""

    reason: str
    message: str


@dataclass(frozen=True)
class Decision:
    """What the gate said about one message at one moment."""

    verdict: Verdict
    reasons: tuple[Reason, ...] = ()
    defer_until: datetime | None = None
