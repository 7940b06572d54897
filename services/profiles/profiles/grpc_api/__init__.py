"""The servicers: proto to arguments, use case, proto again. Split by aggregate; must not decide anything."""

from carnet.profiles.v1 import (
    duplicates_pb2_grpc,
    privacy_pb2_grpc,
    profiles_pb2_grpc,
    records_pb2_grpc,
    segments_pb2_grpc,
    sync_pb2_grpc,
)

from chassis.clock import Clock
from chassis.database import Database
from chassis.objects import ObjectStore
from profiles.grpc_api.attachments import AttachmentCalls
from profiles.grpc_api.audit import AuditCalls
from profiles.grpc_api.books import BookCalls
from profiles.grpc_api.captures import CaptureCalls
from profiles.grpc_api.cash_alerts import CashAlertCalls
from profiles.grpc_api.chain_settings import ChainSettingsCalls
from profiles.grpc_api.changes import ChangeCalls
from profiles.grpc_api.clients import ClientCalls
from profiles.grpc_api.connectors import ConnectorCalls
from profiles.grpc_api.consents import ConsentCalls
from profiles.grpc_api.contact_points import ContactPointCalls
from profiles.grpc_api.covers import CoverCalls
from profiles.grpc_api.directory import DirectoryCalls
from profiles.grpc_api.duplicates import DuplicateCalls
from profiles.grpc_api.erasures import ErasureCalls
from profiles.grpc_api.exports import ExportCalls
from profiles.grpc_api.field_authority import FieldAuthorityCalls
from profiles.grpc_api.import_mappings import ImportMappingCalls
from profiles.grpc_api.imports import ImportCalls
from profiles.grpc_api.merges import MergeCalls
from profiles.grpc_api.notes import NoteCalls
from profiles.grpc_api.occasions import OccasionCalls
from profiles.grpc_api.payments import PaymentCalls
from profiles.grpc_api.preferences import PreferenceCalls
from profiles.grpc_api.purchases import PurchaseCalls
from profiles.grpc_api.relationships import RelationshipCalls
from profiles.grpc_api.repairs import RepairCalls
from profiles.grpc_api.returns import ReturnCalls
from profiles.grpc_api.search import SearchCalls
from profiles.grpc_api.segments import SegmentCalls
from profiles.grpc_api.timeline import TimelineCalls
from profiles.grpc_api.visits import VisitCalls
from profiles.grpc_api.wishes import WishCalls
from profiles.suppression import Suppressor
from profiles.use_cases.connectors import Dialling


class ProfilesServicer(
    DirectoryCalls,
    ChainSettingsCalls,
    ClientCalls,
    ContactPointCalls,
    OccasionCalls,
    RelationshipCalls,
    PreferenceCalls,
    SearchCalls,
    BookCalls,
    CoverCalls,
    PurchaseCalls,
    VisitCalls,
    CaptureCalls,
    ConsentCalls,
    TimelineCalls,
    ImportCalls,
    profiles_pb2_grpc.ProfilesServiceServicer,
):
    """Answers the directory, clients, what they bought and saw, timelines and imports."""

    def __init__(
        self,
        database: Database,
        clock: Clock,
        *,
        suppressor: Suppressor,
        import_batch_lines: int,
        import_watch_seconds: float,
    ) -> None:
        self._database = database
        self._clock = clock
        self._suppressor = suppressor
        self._import_batch_lines = import_batch_lines
        self._import_watch_seconds = import_watch_seconds


class RecordsServicer(
    PaymentCalls,
    ReturnCalls,
    RepairCalls,
    WishCalls,
    NoteCalls,
    AttachmentCalls,
    CashAlertCalls,
    records_pb2_grpc.RecordsServiceServicer,
):
    """Answers returns, repairs, wishes, notes, attachments and the watch on cash."""

    def __init__(
        self, database: Database, clock: Clock, *, objects: ObjectStore, attachment_max_bytes: int
    ) -> None:
        self._database = database
        self._clock = clock
        self._objects = objects
        self._attachment_max_bytes = attachment_max_bytes


class DuplicatesServicer(DuplicateCalls, MergeCalls, duplicates_pb2_grpc.DuplicatesServiceServicer):
    """Answers duplicates and merges."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock


class SegmentsServicer(SegmentCalls, segments_pb2_grpc.SegmentsServiceServicer):
    """Answers segments."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock


class SyncServicer(
    ImportMappingCalls, FieldAuthorityCalls, ConnectorCalls, ChangeCalls, sync_pb2_grpc.SyncServiceServicer
):
    """Answers mappings, field authority, connectors and the feed of changes."""

    def __init__(self, database: Database, clock: Clock, *, dialling: Dialling) -> None:
        self._database = database
        self._clock = clock
        self._dialling = dialling


class PrivacyServicer(ExportCalls, ErasureCalls, AuditCalls, privacy_pb2_grpc.PrivacyServiceServicer):
    """Answers exports, erasures and the audit."""

    def __init__(
        self, database: Database, clock: Clock, *, objects: ObjectStore, suppressor: Suppressor
    ) -> None:
        self._database = database
        self._clock = clock
        self._objects = objects
        self._suppressor = suppressor
