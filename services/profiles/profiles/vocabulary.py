"""The domain's words beside the contract's enums. Must not convert anything else."""

from collections.abc import Callable
from enum import StrEnum
from typing import Any, Generic, TypeVar

from carnet.profiles.v1 import duplicates_pb2, segments_pb2, sync_pb2
from carnet.profiles.v1 import privacy_pb2 as privacy
from carnet.profiles.v1 import profiles_pb2 as pb
from carnet.profiles.v1 import records_pb2 as rec

from chassis.errors import invalid
from profiles.domain.books import AssignmentReason
from profiles.domain.cash_watch import CashAlertState
from profiles.domain.changes import ChangeKind
from profiles.domain.clients import ContactKind, ContactType, OccasionKind, OccasionRecurrence
from profiles.domain.connectors import ConnectorState, RunState
from profiles.domain.consents import Channel, Purpose
from profiles.domain.duplicates import DuplicateState, PassState, Reason
from profiles.domain.erasures import ErasureState
from profiles.domain.exports import ExportAudience, ExportState
from profiles.domain.field_authority import AuthorityRule, ConflictState
from profiles.domain.imports import DateOrder, ImportFormat, ImportState
from profiles.domain.merges import MergeState
from profiles.domain.notes import NoteVisibility
from profiles.domain.payments import PaymentKind
from profiles.domain.preferences import Finger, PreferenceKind, SizeSystem
from profiles.domain.relationships import RelationshipKind
from profiles.domain.repairs import RepairKind, RepairStage
from profiles.domain.searches import Match
from profiles.domain.segments import Lifecycle
from profiles.domain.timeline import TimelineKind
from profiles.domain.wishes import WishState

Word = TypeVar("Word", bound=StrEnum)


class Words(Generic[Word]):
    """One enum of the domain, whose words are the contract's names without their prefix."""

    def __init__(self, words: type[Word], number_of: Callable[[str], int], prefix: str) -> None:
        self._numbers = {word: number_of(f"{prefix}_{word.name}") for word in words}
        self._words = {number: word for word, number in self._numbers.items()}

    def number(self, word: Word | None) -> Any:
        """Return the contract's number; 0, unspecified, for None. Generated enums have a type each: hence Any."""
        return 0 if word is None else self._numbers[word]

    def word(self, number: int, field: str) -> Word:
        """Return the domain's word. Raises INVALID on `field` for a number without one."""
        if (word := self._words.get(number)) is None:
            raise invalid(field, "is not a value of this field")
        return word

    def optional(self, number: int) -> Word | None:
        """Return the domain's word, None for unspecified."""
        return self._words.get(number)


ASSIGNMENT_REASONS = Words(AssignmentReason, pb.AssignmentReason.Value, "ASSIGNMENT_REASON")
CHANGE_KINDS = Words(ChangeKind, sync_pb2.ChangeKind.Value, "CHANGE_KIND")
CONNECTOR_STATES = Words(ConnectorState, sync_pb2.ConnectorState.Value, "CONNECTOR_STATE")
CONNECTOR_RUN_STATES = Words(RunState, sync_pb2.ConnectorRunState.Value, "CONNECTOR_RUN_STATE")
CONTACT_KINDS = Words(ContactKind, pb.ContactKind.Value, "CONTACT_KIND")
CONTACT_TYPES = Words(ContactType, pb.ContactType.Value, "CONTACT_TYPE")
OCCASION_RECURRENCES = Words(OccasionRecurrence, pb.OccasionRecurrence.Value, "OCCASION_RECURRENCE")
RELATIONSHIP_KINDS = Words(RelationshipKind, pb.RelationshipKind.Value, "RELATIONSHIP_KIND")
FINGERS = Words(Finger, pb.Finger.Value, "FINGER")
SIZE_SYSTEMS = Words(SizeSystem, pb.SizeSystem.Value, "SIZE_SYSTEM")
OCCASION_KINDS = Words(OccasionKind, pb.OccasionKind.Value, "OCCASION_KIND")
PAYMENT_KINDS = Words(PaymentKind, pb.PaymentKind.Value, "PAYMENT_KIND")
PREFERENCE_KINDS = Words(PreferenceKind, pb.PreferenceKind.Value, "PREFERENCE_KIND")
CASH_ALERT_STATES = Words(CashAlertState, rec.CashAlertState.Value, "CASH_ALERT_STATE")
CHANNELS = Words(Channel, pb.Channel.Value, "CHANNEL")
PURPOSES = Words(Purpose, pb.Purpose.Value, "PURPOSE")
DUPLICATE_REASONS = Words(Reason, duplicates_pb2.DuplicateReasonKind.Value, "DUPLICATE_REASON_KIND")
DUPLICATE_STATES = Words(DuplicateState, duplicates_pb2.DuplicateState.Value, "DUPLICATE_STATE")
PASS_STATES = Words(PassState, duplicates_pb2.PassState.Value, "PASS_STATE")
MERGE_STATES = Words(MergeState, duplicates_pb2.MergeState.Value, "MERGE_STATE")
CLIENT_MATCHES = Words(Match, pb.ClientMatch.Value, "CLIENT_MATCH")
TIMELINE_KINDS = Words(TimelineKind, pb.TimelineKind.Value, "TIMELINE_KIND")
IMPORT_FORMATS = Words(ImportFormat, pb.ImportFormat.Value, "IMPORT_FORMAT")
DATE_ORDERS = Words(DateOrder, pb.DateOrder.Value, "DATE_ORDER")
AUTHORITY_RULES = Words(AuthorityRule, sync_pb2.AuthorityRule.Value, "AUTHORITY_RULE")
FIELD_CONFLICT_STATES = Words(ConflictState, sync_pb2.FieldConflictState.Value, "FIELD_CONFLICT_STATE")
IMPORT_STATES = Words(ImportState, pb.ImportState.Value, "IMPORT_STATE")
LIFECYCLES = Words(Lifecycle, segments_pb2.Lifecycle.Value, "LIFECYCLE")
REPAIR_KINDS = Words(RepairKind, rec.RepairKind.Value, "REPAIR_KIND")
REPAIR_STAGES = Words(RepairStage, rec.RepairStage.Value, "REPAIR_STAGE")
WISH_STATES = Words(WishState, rec.WishState.Value, "WISH_STATE")
NOTE_VISIBILITIES = Words(NoteVisibility, rec.NoteVisibility.Value, "NOTE_VISIBILITY")
EXPORT_AUDIENCES = Words(ExportAudience, privacy.ExportAudience.Value, "EXPORT_AUDIENCE")
EXPORT_STATES = Words(ExportState, privacy.ExportState.Value, "EXPORT_STATE")
ERASURE_STATES = Words(ErasureState, privacy.ErasureState.Value, "ERASURE_STATE")
