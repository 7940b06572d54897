"""Clients on the wire."""

import re
from typing import Any

from carnet.profiles.v1 import profiles_pb2 as pb
from google.protobuf.empty_pb2 import Empty
from google.type.date_pb2 import Date

from chassis.caller import current_caller
from chassis.clock import Clock
from chassis.database import Database, RequestKey
from chassis.paging import cut_page, decode_page_token, page_size_of
from chassis.values import date_of, datetime_of, proto_date_of, timestamp_of
from profiles.domain.clients import Client, ContactPoint, Occasion, Preference
from profiles.store import clients as store
from profiles.use_cases import clients as use_cases
from profiles.use_cases.clients import ClientFields
from profiles.vocabulary import CONTACT_KINDS, OCCASION_KINDS, PREFERENCE_KINDS

_NUMBER = re.compile(r"[\d\s()+./-]+")
_FEWEST_DIGITS = 3
_MOST_WORDS = 8


class ClientCalls:
    """The RPCs on clients."""

    _database: Database
    _clock: Clock

    async def CreateClient(self, request: pb.CreateClientRequest, context: Any) -> pb.Client:
        """Add a client."""
        fields = ClientFields(
            given_name=request.given_name,
            family_name=request.family_name,
            language=request.language,
            time_zone=request.time_zone,
            home_store_id=request.home_store_id,
            associate_id=request.associate_id,
            contact_points=[
                _contact(contact, f"contact_points[{index}]")
                for index, contact in enumerate(request.contact_points)
            ],
            occasions=[
                _occasion(occasion, f"occasions[{index}]") for index, occasion in enumerate(request.occasions)
            ],
            preferences=[
                _preference(preference, f"preferences[{index}]")
                for index, preference in enumerate(request.preferences)
            ],
            source=request.source,
            external_id=request.external_id,
        )
        return client_message(
            await use_cases.create_client(
                database=self._database,
                clock=self._clock,
                caller=current_caller(),
                key=RequestKey.of(request),
                fields=fields,
            )
        )

    async def GetClient(self, request: pb.GetClientRequest, context: Any) -> pb.Client:
        """Read one client."""
        async with self._database.transaction(current_caller().chain_id) as tx:
            return client_message(await store.get_client(tx, request.client_id))

    async def BatchGetClients(
        self, request: pb.BatchGetClientsRequest, context: Any
    ) -> pb.BatchGetClientsResponse:
        """Read several clients in the order asked for."""
        async with self._database.transaction(current_caller().chain_id) as tx:
            found = await store.get_clients(tx, request.client_ids)
        return pb.BatchGetClientsResponse(clients=map(client_message, found))

    async def UpdateClient(self, request: pb.UpdateClientRequest, context: Any) -> pb.Client:
        """Change the fields that the mask names."""
        given = request.client
        return client_message(
            await use_cases.update_client(
                database=self._database,
                clock=self._clock,
                caller=current_caller(),
                client_id=request.client_id,
                fields=ClientFields(
                    given_name=given.given_name,
                    family_name=given.family_name,
                    language=given.language,
                    time_zone=given.time_zone,
                    home_store_id=given.home_store_id,
                    preferences=[
                        _preference(preference, f"client.preferences[{index}]")
                        for index, preference in enumerate(given.preferences)
                    ],
                ),
                paths=request.update_mask.paths,
                etag=request.etag or given.etag,
            )
        )

    async def ListClients(self, request: pb.ListClientsRequest, context: Any) -> pb.ListClientsResponse:
        """List clients, newest first, or those that match."""
        size = page_size_of(request.page_size)
        key = decode_page_token(request.page_token, str)
        before = str(key[0]) if key else ""
        words = _words(request.query)
        async with self._database.transaction(current_caller().chain_id) as tx:
            if words:
                found = await store.search_clients(
                    tx,
                    words,
                    store_id=request.store_id,
                    associate_id=request.associate_id,
                    before=before,
                    limit=size + 1,
                )
            else:
                found = await store.list_clients(
                    tx,
                    store_id=request.store_id,
                    associate_id=request.associate_id,
                    before=before,
                    limit=size + 1,
                )
        page, token = cut_page(found, size, lambda client: (client.client_id,))
        return pb.ListClientsResponse(clients=map(client_message, page), next_page_token=token)

    async def AssignClient(self, request: pb.AssignClientRequest, context: Any) -> pb.Client:
        """Give a client to an associate."""
        return client_message(
            await use_cases.assign_client(
                database=self._database,
                clock=self._clock,
                caller=current_caller(),
                client_id=request.client_id,
                associate_id=request.associate_id,
            )
        )

    async def AddContactPoint(self, request: pb.AddContactPointRequest, context: Any) -> pb.Client:
        """Add a phone number or an e-mail."""
        return client_message(
            await use_cases.add_contact_point(
                database=self._database,
                clock=self._clock,
                caller=current_caller(),
                key=RequestKey.of(request),
                client_id=request.client_id,
                contact=_contact(request.contact_point, "contact_point"),
            )
        )

    async def RemoveContactPoint(self, request: pb.RemoveContactPointRequest, context: Any) -> pb.Client:
        """Take a contact point off a client."""
        return client_message(
            await use_cases.remove_contact_point(
                database=self._database,
                clock=self._clock,
                caller=current_caller(),
                client_id=request.client_id,
                contact_point_id=request.contact_point_id,
            )
        )

    async def AddOccasion(self, request: pb.AddOccasionRequest, context: Any) -> pb.Client:
        """Note a day that matters."""
        return client_message(
            await use_cases.add_occasion(
                database=self._database,
                clock=self._clock,
                caller=current_caller(),
                key=RequestKey.of(request),
                client_id=request.client_id,
                occasion=_occasion(request.occasion, "occasion"),
            )
        )

    async def RemoveOccasion(self, request: pb.RemoveOccasionRequest, context: Any) -> pb.Client:
        """Forget an occasion."""
        return client_message(
            await use_cases.remove_occasion(
                database=self._database,
                clock=self._clock,
                caller=current_caller(),
                client_id=request.client_id,
                occasion_id=request.occasion_id,
            )
        )

    async def DeleteClient(self, request: pb.DeleteClientRequest, context: Any) -> Empty:
        """Remove a client who was created by mistake."""
        await use_cases.delete_client(
            database=self._database, caller=current_caller(), client_id=request.client_id
        )
        return Empty()


def _words(query: str) -> list[str]:
    """Return the pieces that must all be found: words, or the digits of what looks like a part of a phone number."""
    digits = "".join(character for character in query if character.isdigit())
    if len(digits) >= _FEWEST_DIGITS and _NUMBER.fullmatch(query):
        # Numbers are kept in E.164, which has no trunk zero.
        return [digits.lstrip("0") or digits]
    return query.split()[:_MOST_WORDS]


def _contact(contact: pb.ContactPoint, field: str) -> ContactPoint:
    return ContactPoint(
        contact_point_id="",
        kind=CONTACT_KINDS.word(contact.kind, f"{field}.kind"),
        value=contact.value,
        label=contact.label,
        is_preferred=contact.is_preferred,
        verified_at=datetime_of(contact.verify_time) if contact.HasField("verify_time") else None,
    )


def _occasion(occasion: pb.Occasion, field: str) -> Occasion:
    day = occasion.date
    return Occasion(
        occasion_id="",
        kind=OCCASION_KINDS.word(occasion.kind, f"{field}.kind"),
        year=day.year,
        month=day.month,
        day=day.day,
        for_whom=occasion.for_whom,
    )


def _preference(preference: pb.Preference, field: str) -> Preference:
    return Preference(
        kind=PREFERENCE_KINDS.word(preference.kind, f"{field}.kind"),
        value=preference.value,
        source=preference.source,
        noted_on=date_of(preference.note_date, f"{field}.note_date")
        if preference.HasField("note_date")
        else None,
    )


def client_message(client: Client) -> pb.Client:
    """Return a client as the contract spells it."""
    return pb.Client(
        client_id=client.client_id,
        given_name=client.given_name,
        family_name=client.family_name,
        language=client.language,
        time_zone=client.time_zone,
        home_store_id=client.home_store_id,
        associate_id=client.associate_id,
        contact_points=[
            pb.ContactPoint(
                contact_point_id=contact.contact_point_id,
                kind=CONTACT_KINDS.number(contact.kind),
                value=contact.value,
                label=contact.label,
                is_preferred=contact.is_preferred,
                verify_time=timestamp_of(contact.verified_at),
            )
            for contact in client.contact_points
        ],
        occasions=[
            pb.Occasion(
                occasion_id=occasion.occasion_id,
                kind=OCCASION_KINDS.number(occasion.kind),
                date=Date(year=occasion.year, month=occasion.month, day=occasion.day),
                for_whom=occasion.for_whom,
            )
            for occasion in client.occasions
        ],
        preferences=[
            pb.Preference(
                kind=PREFERENCE_KINDS.number(preference.kind),
                value=preference.value,
                source=preference.source,
                note_date=proto_date_of(preference.noted_on),
            )
            for preference in client.preferences
        ],
        source=client.source,
        external_id=client.external_id,
        create_time=timestamp_of(client.created_at),
        update_time=timestamp_of(client.updated_at),
        etag=client.etag,
        secondary_associate_id=client.secondary_associate_id,
    )
