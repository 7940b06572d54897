"""The RPCs of ReportsService: proto to arguments, one use case, back to proto."""

from carnet.outreach.v1 import reports_pb2_grpc

from chassis.clock import Clock
from chassis.database import Database
from outreach.clients import Messaging, Profiles
from outreach.config import Settings


class ReportsServicer(reports_pb2_grpc.ReportsServiceServicer):
    """Answers for one process."""

    def __init__(
        self,
        *,
        database: Database,
        clock: Clock,
        profiles: Profiles,
        messaging: Messaging,
        settings: Settings,
    ) -> None:
        self._database = database
        self._clock = clock
        self._profiles = profiles
        self._messaging = messaging
        self._settings = settings
