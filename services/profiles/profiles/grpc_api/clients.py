"""Clients on the wire."""

from typing import Any

from carnet.profiles.v1 import profiles_pb2 as pb
from google.protobuf.empty_pb2 import Empty

from chassis.caller import current_caller
from chassis.clock import Clock
from chassis.database import Database, RequestKey
from chassis.paging import cut_page, decode_page_token, page_size_of
from profiles.grpc_api.client_messages import (
    address_of,
    client_message,
    contact_of,
    occasion_of,
    preference_of,
)
from profiles.store import audit
from profiles.store import clients as store
from profiles.use_cases import clients as use_cases
from profiles.use_cases import search
from profiles.use_cases.clients import ClientFields


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
                contact_of(contact, f"contact_points[{index}]")
                for index, contact in enumerate(request.contact_points)
            ],
            occasions=[
                occasion_of(occasion, f"occasions[{index}]")
                for index, occasion in enumerate(request.occasions)
            ],
            preferences=[
                preference_of(preference, f"preferences[{index}]")
                for index, preference in enumerate(request.preferences)
            ],
            source=request.source,
            external_id=request.external_id,
            nickname=request.nickname,
            tags=request.tags,
            address=address_of(request),
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
        caller = current_caller()
        async with self._database.transaction(caller.chain_id) as tx:
            client = await store.get_client(tx, request.client_id)
            await audit.note(tx, caller, "GetClient", [client.client_id], now=self._clock.now())
        return client_message(client)

    async def BatchGetClients(
        self, request: pb.BatchGetClientsRequest, context: Any
    ) -> pb.BatchGetClientsResponse:
        """Read several clients in the order asked for."""
        caller = current_caller()
        async with self._database.transaction(caller.chain_id) as tx:
            found = await store.get_clients(tx, request.client_ids)
            seen = [client.client_id for client in found]
            await audit.note(tx, caller, "BatchGetClients", seen, now=self._clock.now())
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
                        preference_of(preference, f"client.preferences[{index}]")
                        for index, preference in enumerate(given.preferences)
                    ],
                    nickname=given.nickname,
                    tags=given.tags,
                    address=address_of(given),
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
        caller = current_caller()
        scope = {"store_id": request.store_id, "associate_id": request.associate_id}
        async with self._database.transaction(caller.chain_id) as tx:
            if request.query.strip():
                found = await search.list_clients(tx, request.query, **scope, before=before, limit=size + 1)
            else:
                found = await store.list_clients(tx, **scope, before=before, limit=size + 1)
            page, token = cut_page(found, size, lambda client: (client.client_id,))
            seen = [client.client_id for client in page]
            await audit.note(tx, caller, "ListClients", seen, now=self._clock.now())
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

    async def DeleteClient(self, request: pb.DeleteClientRequest, context: Any) -> Empty:
        """Remove a client who was created by mistake."""
        await use_cases.delete_client(
            database=self._database, clock=self._clock, caller=current_caller(), client_id=request.client_id
        )
        return Empty()
