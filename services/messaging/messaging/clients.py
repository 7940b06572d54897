"""Profiles, in messaging's words: who can be reached where, and what was agreed to.

Messaging asks in its own name: whoever may text a client need not be allowed to read the profile.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol

import grpc
from carnet.profiles.v1 import profiles_pb2, profiles_pb2_grpc

from chassis.caller import METADATA_KEY, CallerSigner
from chassis.values import datetime_of
from messaging.domain import Purpose


@dataclass(frozen=True)
class Recipient:
    """A client as the gate needs one. `phones` are E.164, a preferred number first, then in the profile's order."""

    client_id: str
    time_zone: str
    phones: tuple[str, ...] = field(repr=False)
    has_preferred_phone: bool = False


@dataclass(frozen=True)
class Consent:
    """What somebody agreed to, with the number and the wording."""

    consent_id: str
    client_id: str
    phone: str = field(repr=False)
    purposes: tuple[Purpose, ...]
    wording: str = field(repr=False)
    captured_by: str
    captured_at: datetime


class Profiles(Protocol):
    """What messaging asks of profiles. All raise ServiceError: NOT_FOUND, or UNAVAILABLE for a while."""

    async def get_recipient(self, chain_id: str, client_id: str) -> Recipient: ...
    async def get_consent(self, chain_id: str, consent_id: str) -> Consent: ...
    async def require_store(self, chain_id: str, store_id: str) -> None: ...


class GrpcProfiles:
    """The real profiles, over gRPC."""

    def __init__(self, channel: grpc.aio.Channel, signer: CallerSigner) -> None:
        self._stub = profiles_pb2_grpc.ProfilesServiceStub(channel)
        self._signer = signer

    def _as_ourselves(self, chain_id: str, scope: str) -> Sequence[tuple[str, str]]:
        return ((METADATA_KEY, self._signer.service_caller(chain_id, frozenset({scope})).token),)

    async def get_recipient(self, chain_id: str, client_id: str) -> Recipient:
        """Return a client's numbers and zone."""
        client = await self._stub.GetClient(
            profiles_pb2.GetClientRequest(client_id=client_id),
            metadata=self._as_ourselves(chain_id, "clients:read"),
        )
        points = [point for point in client.contact_points if point.kind == profiles_pb2.CONTACT_KIND_PHONE]
        points.sort(key=lambda point: not point.is_preferred)
        return Recipient(
            client_id=client.client_id,
            time_zone=client.time_zone,
            phones=tuple(point.value for point in points),
            has_preferred_phone=any(point.is_preferred for point in points),
        )

    async def get_consent(self, chain_id: str, consent_id: str) -> Consent:
        """Return one consent."""
        consent = await self._stub.GetConsent(
            profiles_pb2.GetConsentRequest(consent_id=consent_id),
            metadata=self._as_ourselves(chain_id, "clients:read"),
        )
        return Consent(
            consent_id=consent.consent_id,
            client_id=consent.client_id,
            phone=consent.contact_value,
            purposes=tuple(
                Purpose(profiles_pb2.Purpose.Name(purpose).removeprefix("PURPOSE_"))
                for purpose in consent.purposes
            ),
            wording=consent.wording,
            captured_by=consent.captured_by,
            captured_at=datetime_of(consent.capture_time),
        )

    async def require_store(self, chain_id: str, store_id: str) -> None:
        """Refuse a store that is not there with STORE_NOT_FOUND."""
        await self._stub.GetStore(
            profiles_pb2.GetStoreRequest(store_id=store_id),
            metadata=self._as_ourselves(chain_id, "directory:read"),
        )
