"""A piece that the house repairs or services: what was seen at the counter, and through which stages it goes."""

import enum
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime

from chassis.errors import Kind, ServiceError, Violation, invalid
from profiles.domain.pieces import Piece
from profiles.domain.surprises import NO_SURPRISE, Surprise

UPDATABLE_FIELDS = frozenset(
    {"intake", "scope", "price", "promise_date", "piece", "surprise_for_client_id", "surprise_end_date"}
)
LONGEST_SCOPE = 2000


class RepairKind(enum.StrEnum):
    """What sort of work it is."""

    REPAIR = "repair"
    CARE = "care"
    SIZING = "sizing"
    WATCH_SERVICE = "watch_service"
    ENGRAVING = "engraving"
    APPRAISAL = "appraisal"


class RepairStage(enum.StrEnum):
    """Where the piece is on its way."""

    RECEIVED = "received"
    QUOTED = "quoted"
    APPROVED = "approved"
    IN_WORKSHOP = "in_workshop"
    READY = "ready"
    COLLECTED = "collected"
    CANCELLED = "cancelled"


_NEXT: dict[RepairStage, frozenset[RepairStage]] = {
    RepairStage.RECEIVED: frozenset(
        {RepairStage.QUOTED, RepairStage.APPROVED, RepairStage.IN_WORKSHOP, RepairStage.CANCELLED}
    ),
    RepairStage.QUOTED: frozenset({RepairStage.APPROVED, RepairStage.IN_WORKSHOP, RepairStage.CANCELLED}),
    RepairStage.APPROVED: frozenset({RepairStage.IN_WORKSHOP, RepairStage.CANCELLED}),
    RepairStage.IN_WORKSHOP: frozenset({RepairStage.READY, RepairStage.CANCELLED}),
    RepairStage.READY: frozenset({RepairStage.COLLECTED, RepairStage.CANCELLED}),
    RepairStage.COLLECTED: frozenset(),
    RepairStage.CANCELLED: frozenset(),
}
OVER = frozenset({RepairStage.COLLECTED, RepairStage.CANCELLED})
# Still on the way: what a promise can be broken for.
UNDER_WAY = frozenset(RepairStage) - OVER - {RepairStage.READY}


@dataclass(frozen=True, slots=True)
class IntakeStone:
    """Equal stones as they were when the piece came in."""

    count: int
    kind: str = ""
    shape: str = ""
    size: str = ""
    color: str = ""
    is_lab_grown: bool = False


@dataclass(frozen=True, slots=True)
class Intake:
    """What was seen and said at the counter; the declared value in minor units."""

    metal: str = ""
    purity: str = ""
    weight_grams: str = ""
    stones: tuple[IntakeStone, ...] = ()
    visible_flaws: str = ""
    declared_minor: int | None = None
    declared_currency: str = ""
    second_contact: str = ""
    accessories: str = ""


@dataclass(frozen=True, slots=True)
class RepairMove:
    """A stage that was reached, when and by whom."""

    stage: RepairStage
    moved_at: datetime
    actor: str


@dataclass(frozen=True, slots=True)
class Repair:
    """A piece in the house's care; `moves` are all, mistakes and all, the oldest first; `version` counts changes."""

    repair_id: str
    client_id: str
    store_id: str
    associate_id: str
    kind: RepairKind
    piece: Piece
    intake: Intake
    scope: str
    price_minor: int | None
    price_currency: str
    promised_on: date | None
    moves: tuple[RepairMove, ...]
    source: str
    external_id: str
    created_at: datetime
    version: int = 1
    surprise: Surprise = NO_SURPRISE

    @property
    def stage(self) -> RepairStage:
        """Return where the piece is."""
        return self.moves[-1].stage

    @property
    def etag(self) -> str:
        """Return an opaque mark of this version."""
        return f"v{self.version}"

    def require_etag(self, etag: str) -> None:
        """Refuse an etag of an older version; an empty one accepts any."""
        if etag and etag != self.etag:
            raise RepairChanged(self.repair_id)

    def require_open(self) -> None:
        """Refuse to change what is over."""
        if self.stage in OVER:
            raise RepairOver(self.repair_id, self.stage)

    def require_next(self, stage: RepairStage) -> None:
        """Refuse a stage that neither follows the present one nor is the one before it."""
        path = path_of([move.stage for move in self.moves])
        if stage not in _NEXT[self.stage] and path[-2:-1] != [stage]:
            raise StageNotNext(self.repair_id, self.stage, stage)

    def is_back(self, stage: RepairStage) -> bool:
        """Return whether a move to `stage` would take the last one back."""
        return stage not in _NEXT[self.stage]


def path_of(stages: Sequence[RepairStage]) -> list[RepairStage]:
    """Return the stages that count: a step back takes the step before it away."""
    path: list[RepairStage] = []
    for stage in stages:
        if path[-2:-1] == [stage]:
            path.pop()
        else:
            path.append(stage)
    return path


class StageNotNext(ServiceError):
    """A piece goes from stage to stage, and one step back."""

    def __init__(self, repair_id: str, stage: RepairStage, wanted: RepairStage) -> None:
        description = f"does not follow {stage.name}"
        super().__init__(
            Kind.PRECONDITION,
            "REPAIR_STAGE_NOT_NEXT",
            f"{wanted.name} {description}.",
            metadata={"repair_id": repair_id, "stage": stage.name},
            violations=[Violation("stage", description)],
        )


class RepairOver(ServiceError):
    """What was given back or called off is not changed any more."""

    def __init__(self, repair_id: str, stage: RepairStage) -> None:
        super().__init__(
            Kind.PRECONDITION,
            "REPAIR_OVER",
            f"This repair is over: it is {stage.name}.",
            metadata={"repair_id": repair_id, "stage": stage.name},
        )


class RepairChanged(ServiceError):
    """The etag is older than the repair."""

    def __init__(self, repair_id: str) -> None:
        super().__init__(
            Kind.CONFLICT,
            "REPAIR_CHANGED",
            "Somebody changed this repair since it was read. Read it again.",
            metadata={"repair_id": repair_id},
        )


def require_updatable(paths: Iterable[str]) -> frozenset[str]:
    """Return the fields that an update mask names. Raises FIELD_UNKNOWN for one that cannot be changed like this."""
    named = frozenset(paths)
    if unknown := sorted(named - UPDATABLE_FIELDS):
        raise invalid("update_mask", f"{', '.join(unknown)} cannot be changed here", reason="FIELD_UNKNOWN")
    if not named:
        raise invalid("update_mask", "names no field", reason="FIELD_UNKNOWN")
    return named


def require_scope(scope: str, field: str) -> None:
    """Refuse a description that is too long."""
    if len(scope) > LONGEST_SCOPE:
        raise invalid(field, f"has more than {LONGEST_SCOPE} characters")


def require_amount(minor: int | None, field: str) -> None:
    """Refuse an amount below nothing."""
    if minor is not None and minor < 0:
        raise invalid(field, "must not be negative")


_WORK = {
    RepairKind.REPAIR: "repair",
    RepairKind.CARE: "care",
    RepairKind.SIZING: "sizing",
    RepairKind.WATCH_SERVICE: "watch service",
    RepairKind.ENGRAVING: "engraving",
    RepairKind.APPRAISAL: "appraisal",
}
_STAGE = {
    RepairStage.RECEIVED: "received",
    RepairStage.QUOTED: "quoted",
    RepairStage.APPROVED: "approved",
    RepairStage.IN_WORKSHOP: "in the workshop",
    RepairStage.READY: "ready",
    RepairStage.COLLECTED: "collected",
    RepairStage.CANCELLED: "cancelled",
}


def intake_summary(kind: RepairKind) -> str:
    """Say in one line that a piece was taken in."""
    return f"Brought a piece in for {_WORK[kind]}"


def move_summary(kind: RepairKind, stage: RepairStage, *, is_back: bool) -> str:
    """Say a move in one line."""
    return f"{_WORK[kind].capitalize()}: {'back to ' if is_back else ''}{_STAGE[stage]}"
