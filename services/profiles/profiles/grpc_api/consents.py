"""Consents on the wire."""

from collections.abc import Sequence
from typing import Any

from carnet.profiles.v1 import profiles_pb2 as pb

from chassis.caller import current_caller
from chassis.clock import Clock
from chassis.database import Database, RequestKey
from chassis.values import timestamp_of
from profiles.domain.consents import Consent, Purpose
from profiles.store import consents as store
from profiles.use_cases import consents as use_cases
from profiles.use_cases.consents import ConsentFields
from profiles.vocabulary import CHANNELS, PURPOSES


class ConsentCalls:
    """The RPCs on consents."""

    _database: Database
    _clock: Clock

    async def RecordConsent(self, request: pb.RecordConsentRequest, context: Any) -> pb.Consent:
        """Record what a client agreed to."""
        consent = await use_cases.record_consent(
            database=self._database,
            clock=self._clock,
            caller=current_caller(),
            key=RequestKey.of(request),
            client_id=request.client_id,
            contact_point_id=request.contact_point_id,
            fields=ConsentFields(
                channel=CHANNELS.word(request.channel, "channel"),
                purposes=purposes_of(request.purposes, "purposes"),
                wording=request.wording,
                source=request.source,
            ),
        )
        return consent_message(consent)

    async def GetConsent(self, request: pb.GetConsentRequest, context: Any) -> pb.Consent:
        """Read one consent."""
        async with self._database.transaction(current_caller().chain_id) as tx:
            return consent_message(await store.get_consent(tx, request.consent_id))


def purposes_of(purposes: Sequence[int], field: str) -> list[Purpose]:
    """Return the purposes of a message. Raises INVALID below `field`."""
    return [PURPOSES.word(purpose, f"{field}[{index}]") for index, purpose in enumerate(purposes)]


def consent_message(consent: Consent) -> pb.Consent:
    """Return a consent as the contract spells it."""
    return pb.Consent(
        consent_id=consent.consent_id,
        client_id=consent.client_id,
        contact_point_id=consent.contact_point_id,
        contact_value=consent.contact_value,
        channel=CHANNELS.number(consent.channel),
        purposes=[PURPOSES.number(purpose) for purpose in consent.purposes],
        wording=consent.wording,
        captured_by=consent.captured_by,
        capture_time=timestamp_of(consent.captured_at),
        source=consent.source,
    )
