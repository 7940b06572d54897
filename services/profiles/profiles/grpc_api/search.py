"""Search on the wire."""

from typing import Any

from carnet.profiles.v1 import profiles_pb2 as pb

from chassis.caller import current_caller
from chassis.clock import Clock
from chassis.database import Database
from chassis.paging import decode_page_token, encode_page_token, page_size_of
from profiles.grpc_api.client_messages import client_message
from profiles.use_cases import search as use_cases
from profiles.use_cases.search import Place
from profiles.vocabulary import CLIENT_MATCHES


class SearchCalls:
    """The RPCs on search."""

    _database: Database
    _clock: Clock

    async def SearchClients(self, request: pb.SearchClientsRequest, context: Any) -> pb.SearchClientsResponse:
        """Find clients as somebody types."""
        key = decode_page_token(request.page_token, int, int, str)
        hits, following = await use_cases.search_clients(
            database=self._database,
            clock=self._clock,
            caller=current_caller(),
            query=request.query,
            store_id=request.store_id,
            after=Place(int(key[0]), int(key[1]), str(key[2])) if key else None,
            size=page_size_of(request.page_size),
        )
        return pb.SearchClientsResponse(
            hits=[
                pb.ClientHit(
                    client=client_message(hit.client),
                    matches=map(CLIENT_MATCHES.number, hit.matches),
                    is_of_own_store=hit.is_of_own_store,
                )
                for hit in hits
            ],
            next_page_token=encode_page_token(*following) if following else "",
        )
