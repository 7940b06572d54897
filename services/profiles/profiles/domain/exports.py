"""An export: everything that is kept of a client, gathered from every service into one archive."""

import enum
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from chassis.errors import Kind, ServiceError

# In the order of the archive; profiles itself is gathered last, when the archive is written.
OTHER_SERVICES = ("outreach", "messaging", "waitlist", "appointments")
SERVICES = ("profiles", *OTHER_SERVICES)

KEPT_FOR = timedelta(days=7)
# After so long without an answer a person is needed.
GIVEN_UP_AFTER = timedelta(days=1)
_FIRST_WAIT, _LONGEST_WAIT = timedelta(seconds=5), timedelta(minutes=15)


class ExportState(enum.StrEnum):
    """How far an export is."""

    RUNNING = "running"
    READY = "ready"
    FAILED = "failed"
    EXPIRED = "expired"


class ExportAudience(enum.StrEnum):
    """Whom the archive goes to."""

    CLIENT = "client"
    HOUSE = "house"


@dataclass(frozen=True, slots=True)
class ExportPart:
    """What one service gave; `sections` counts its records by section."""

    service: str
    record_count: int = 0
    is_done: bool = False
    sections: Mapping[str, int] | None = None
    object_key: str = ""


@dataclass(frozen=True, slots=True)
class Export:
    """One archive, from its order to its end."""

    export_id: str
    client_id: str
    audience: ExportAudience
    state: ExportState
    actor: str
    object_key: str
    created_at: datetime
    byte_count: int = 0
    failure: str = ""
    finished_at: datetime | None = None
    expires_at: datetime | None = None
    parts: tuple[ExportPart, ...] = ()

    def require_ready(self) -> None:
        """Refuse to give an archive that is not there. Raises EXPORT_NOT_READY and EXPORT_EXPIRED."""
        if self.state is ExportState.EXPIRED:
            raise ExportExpired(self.export_id)
        if self.state is not ExportState.READY:
            raise ExportNotReady(self)


def wait_after(attempts: int) -> timedelta:
    """Return how long to wait after so many attempts that a service did not answer."""
    return min(_FIRST_WAIT * (1 << min(attempts - 1, 20)), _LONGEST_WAIT)


class ExportNotReady(ServiceError):
    """The archive is still being gathered, or could not be."""

    def __init__(self, export: Export) -> None:
        super().__init__(
            Kind.PRECONDITION,
            "EXPORT_NOT_READY",
            "This export is not ready.",
            metadata={"export_id": export.export_id, "state": export.state.name},
            retry_after=5.0 if export.state is ExportState.RUNNING else None,
        )


class ExportExpired(ServiceError):
    """The archive was deleted after its time."""

    def __init__(self, export_id: str) -> None:
        super().__init__(
            Kind.PRECONDITION,
            "EXPORT_EXPIRED",
            "This archive was deleted seven days after it was ready. Create another export.",
            metadata={"export_id": export_id},
        )
