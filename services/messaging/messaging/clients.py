"""Profiles, in messaging's words: who can be reached where, and what was agreed to.

Messaging asks in its own name: whoever may text a client need not be allowed to read the profile.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol

import grpc
from carnet.profiles.v1 import profiles_pb2, profiles_pb2_grpc

from chassis.caller import METADATA_KEY, CallerSigner
from chassis.values import datetime_of
from messaging import places
from messaging.domain import Channel, Purpose, plain_email

_CLIENTS_AT_ONCE = 100


@dataclass(frozen=True)
class Recipient:
    """A client as the gate and templates need one.

    `phones` are E.164, a preferred number first, then in the profile's order; `emails` likewise, as `plain_email`
    writes them. `language` is BCP 47, empty where nobody said.
    """

    client_id: str
    time_zone: str
    phones: tuple[str, ...] = field(repr=False)
    has_preferred_phone: bool = False
    emails: tuple[str, ...] = field(default=(), repr=False)
    has_preferred_email: bool = False
    given_name: str = field(default="", repr=False)
    family_name: str = field(default="", repr=False)
    language: str = ""
    associate_id: str = ""
    home_store_id: str = ""
    country: str = ""
    region: str = field(default="", repr=False)
    postal_code: str = field(default="", repr=False)
    # When the client last confirmed a number or an address.
    verified_at: Mapping[str, datetime] = field(default_factory=dict, repr=False)

    @property
    def place(self) -> str:
        """Return where the client is, as texts keep it."""
        return places.place_of(self.time_zone, self.country, self.region, self.postal_code)


@dataclass(frozen=True)
class Associate:
    """A member of staff; `cover_associate_id` sees to the book today, empty for nobody."""

    associate_id: str
    display_name: str = field(repr=False)
    is_active: bool = True
    cover_associate_id: str = ""


@dataclass(frozen=True)
class Newcomer:
    """Somebody to make a client of. One of `phone` and `email` is given; `associate_id` may be empty."""

    given_name: str = field(repr=False)
    family_name: str = field(repr=False)
    store_id: str
    associate_id: str
    phone: str = field(default="", repr=False)
    email: str = field(default="", repr=False)


@dataclass(frozen=True)
class Consent:
    """What somebody agreed to, with the number or the e-mail address and the wording."""

    consent_id: str
    client_id: str
    phone: str = field(repr=False)
    purposes: tuple[Purpose, ...]
    wording: str = field(repr=False)
    captured_by: str
    captured_at: datetime
    channel: Channel = Channel.SMS


class Profiles(Protocol):
    """What messaging asks of profiles. All raise ServiceError: NOT_FOUND, or UNAVAILABLE for a while."""

    async def get_recipient(self, chain_id: str, client_id: str) -> Recipient: ...
    async def get_recipients(self, chain_id: str, client_ids: Sequence[str]) -> Mapping[str, Recipient]: ...
    async def get_consent(self, chain_id: str, consent_id: str) -> Consent: ...
    async def require_store(self, chain_id: str, store_id: str) -> None: ...
    async def get_store_name(self, chain_id: str, store_id: str) -> str: ...
    async def get_associate(self, chain_id: str, associate_id: str) -> Associate: ...
    async def list_associates(self, chain_id: str) -> Sequence[Associate]: ...
    async def create_client(self, chain_id: str, request_id: str, newcomer: Newcomer) -> str: ...


class GrpcProfiles:
    """The real profiles, over gRPC."""

    def __init__(self, channel: grpc.aio.Channel, signer: CallerSigner) -> None:
        self._stub = profiles_pb2_grpc.ProfilesServiceStub(channel)
        self._signer = signer

    def _as_ourselves(self, chain_id: str, scope: str) -> Sequence[tuple[str, str]]:
        return ((METADATA_KEY, self._signer.service_caller(chain_id, frozenset({scope})).token),)

    async def get_recipient(self, chain_id: str, client_id: str) -> Recipient:
        """Return a client's numbers, addresses, zone, names and language."""
        client = await self._stub.GetClient(
            profiles_pb2.GetClientRequest(client_id=client_id),
            metadata=self._as_ourselves(chain_id, "clients:read"),
        )
        return _recipient(client)

    async def get_recipients(self, chain_id: str, client_ids: Sequence[str]) -> Mapping[str, Recipient]:
        """Return the same of many clients, by the ids that were asked for; unknown ones are left out."""
        found: dict[str, Recipient] = {}
        for start in range(0, len(client_ids), _CLIENTS_AT_ONCE):
            answer = await self._stub.BatchGetClients(
                profiles_pb2.BatchGetClientsRequest(client_ids=client_ids[start : start + _CLIENTS_AT_ONCE]),
                metadata=self._as_ourselves(chain_id, "clients:read"),
            )
            found |= {client.client_id: _recipient(client) for client in answer.clients}
        return found

    async def get_consent(self, chain_id: str, consent_id: str) -> Consent:
        """Return one consent."""
        consent = await self._stub.GetConsent(
            profiles_pb2.GetConsentRequest(consent_id=consent_id),
            metadata=self._as_ourselves(chain_id, "clients:read"),
        )
        channel = Channel(profiles_pb2.Channel.Name(consent.channel).removeprefix("CHANNEL_"))
        return Consent(
            consent_id=consent.consent_id,
            client_id=consent.client_id,
            phone=consent.contact_value if channel.takes_phones else plain_email(consent.contact_value),
            channel=channel,
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

    async def get_store_name(self, chain_id: str, store_id: str) -> str:
        """Return what a store is called. Raises STORE_NOT_FOUND."""
        store = await self._stub.GetStore(
            profiles_pb2.GetStoreRequest(store_id=store_id),
            metadata=self._as_ourselves(chain_id, "directory:read"),
        )
        return store.display_name

    async def get_associate(self, chain_id: str, associate_id: str) -> Associate:
        """Return a member of staff. Raises ASSOCIATE_NOT_FOUND."""
        associate = await self._stub.GetAssociate(
            profiles_pb2.GetAssociateRequest(associate_id=associate_id),
            metadata=self._as_ourselves(chain_id, "directory:read"),
        )
        return _associate(associate)

    async def list_associates(self, chain_id: str) -> Sequence[Associate]:
        """Return the whole staff of a chain, those who left included."""
        found: list[Associate] = []
        token = ""
        while True:
            answer = await self._stub.ListAssociates(
                profiles_pb2.ListAssociatesRequest(page_size=200, page_token=token),
                metadata=self._as_ourselves(chain_id, "directory:read"),
            )
            found += map(_associate, answer.associates)
            token = answer.next_page_token
            if not token:
                return found

    async def create_client(self, chain_id: str, request_id: str, newcomer: Newcomer) -> str:
        """Make a client and return the id; the same request id again makes nobody else."""
        kind = profiles_pb2.CONTACT_KIND_PHONE if newcomer.phone else profiles_pb2.CONTACT_KIND_EMAIL
        point = profiles_pb2.ContactPoint(kind=kind, value=newcomer.phone or newcomer.email)
        client = await self._stub.CreateClient(
            profiles_pb2.CreateClientRequest(
                request_id=request_id,
                given_name=newcomer.given_name,
                family_name=newcomer.family_name,
                home_store_id=newcomer.store_id,
                associate_id=newcomer.associate_id,
                contact_points=[point],
            ),
            metadata=self._as_ourselves(chain_id, "clients:write"),
        )
        return client.client_id


def _recipient(client: profiles_pb2.Client) -> Recipient:
    phones = _points(client, profiles_pb2.CONTACT_KIND_PHONE)
    emails = _points(client, profiles_pb2.CONTACT_KIND_EMAIL)
    return Recipient(
        client_id=client.client_id,
        time_zone=client.time_zone,
        phones=tuple(point.value for point in phones),
        has_preferred_phone=any(point.is_preferred for point in phones),
        emails=tuple(dict.fromkeys(plain_email(point.value) for point in emails)),
        has_preferred_email=any(point.is_preferred for point in emails),
        given_name=client.given_name,
        family_name=client.family_name,
        language=client.language,
        associate_id=client.associate_id,
        home_store_id=client.home_store_id,
        country=client.address.country,
        region=client.address.region,
        postal_code=client.address.postal_code,
        verified_at={
            point.value if point in phones else plain_email(point.value): verified_at
            for point in (*phones, *emails)
            if point.HasField("verify_time") and (verified_at := datetime_of(point.verify_time))
        },
    )


def _associate(associate: profiles_pb2.Associate) -> Associate:
    return Associate(
        associate_id=associate.associate_id,
        display_name=associate.display_name,
        is_active=associate.is_active,
        cover_associate_id=associate.cover_associate_id,
    )


def _points(
    client: profiles_pb2.Client, kind: profiles_pb2.ContactKind.ValueType
) -> list[profiles_pb2.ContactPoint]:
    points = [point for point in client.contact_points if point.kind == kind]
    return sorted(points, key=lambda point: not point.is_preferred)
