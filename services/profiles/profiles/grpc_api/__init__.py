"""The servicer: proto to arguments, use case, proto again. Split by aggregate; must not decide anything."""

from carnet.profiles.v1 import profiles_pb2_grpc

from chassis.clock import Clock
from chassis.database import Database
from profiles.grpc_api.books import BookCalls
from profiles.grpc_api.clients import ClientCalls
from profiles.grpc_api.consents import ConsentCalls
from profiles.grpc_api.covers import CoverCalls
from profiles.grpc_api.directory import DirectoryCalls
from profiles.grpc_api.imports import ImportCalls
from profiles.grpc_api.purchases import PurchaseCalls
from profiles.grpc_api.timeline import TimelineCalls
from profiles.grpc_api.visits import VisitCalls


class ProfilesServicer(
    DirectoryCalls,
    ClientCalls,
    BookCalls,
    CoverCalls,
    PurchaseCalls,
    VisitCalls,
    ConsentCalls,
    TimelineCalls,
    ImportCalls,
    profiles_pb2_grpc.ProfilesServiceServicer,
):
    """Answers every RPC of the contract."""

    def __init__(
        self, database: Database, clock: Clock, *, import_batch_lines: int, import_watch_seconds: float
    ) -> None:
        self._database = database
        self._clock = clock
        self._import_batch_lines = import_batch_lines
        self._import_watch_seconds = import_watch_seconds
