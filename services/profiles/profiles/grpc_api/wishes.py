"""Wishes on the wire."""

from typing import Any

from carnet.profiles.v1 import records_pb2 as rec
from google.protobuf.empty_pb2 import Empty

from chassis.caller import current_caller
from chassis.clock import Clock
from chassis.database import Database, RequestKey
from chassis.paging import cut_page, page_size_of
from chassis.values import date_of, proto_date_of, timestamp_of
from profiles.domain.wishes import Outcome, Wish
from profiles.grpc_api.pages import before_of
from profiles.grpc_api.pieces import piece_message, piece_of
from profiles.use_cases import wishes as use_cases
from profiles.vocabulary import WISH_STATES


class WishCalls:
    """The RPCs on wishes."""

    _database: Database
    _clock: Clock

    async def CreateWish(self, request: rec.CreateWishRequest, context: Any) -> rec.Wish:
        """Put a piece on a client's wishlist."""
        return _wish_message(
            await use_cases.create_wish(
                database=self._database,
                clock=self._clock,
                caller=current_caller(),
                key=RequestKey.of(request),
                client_id=request.client_id,
                piece=piece_of(request.piece, "piece"),
                note=request.note,
                for_whom=request.for_whom,
            )
        )

    async def ListWishes(self, request: rec.ListWishesRequest, context: Any) -> rec.ListWishesResponse:
        """List a client's wishes, newest first."""
        size = page_size_of(request.page_size)
        found = await use_cases.list_wishes(
            database=self._database,
            clock=self._clock,
            caller=current_caller(),
            client_id=request.client_id,
            include_surprises=request.include_surprises,
            before=before_of(request.page_token),
            limit=size + 1,
        )
        page, token = cut_page(found, size, lambda wish: (wish.created_at.isoformat(), wish.wish_id))
        return rec.ListWishesResponse(wishes=map(_wish_message, page), next_page_token=token)

    async def SetWishState(self, request: rec.SetWishStateRequest, context: Any) -> rec.Wish:
        """Say what became of a wish."""
        return _wish_message(
            await use_cases.set_wish_state(
                database=self._database,
                clock=self._clock,
                caller=current_caller(),
                wish_id=request.wish_id,
                outcome=Outcome(
                    WISH_STATES.word(request.state, "state"),
                    request.bought_by_client_id,
                    request.is_surprise,
                    date_of(request.surprise_end_date, "surprise_end_date")
                    if request.HasField("surprise_end_date")
                    else None,
                ),
                etag=request.etag,
            )
        )

    async def DeleteWish(self, request: rec.DeleteWishRequest, context: Any) -> Empty:
        """Take a wish off the list."""
        await use_cases.delete_wish(
            database=self._database, clock=self._clock, caller=current_caller(), wish_id=request.wish_id
        )
        return Empty()


def _wish_message(wish: Wish) -> rec.Wish:
    return rec.Wish(
        wish_id=wish.wish_id,
        client_id=wish.client_id,
        piece=piece_message(wish.piece),
        state=WISH_STATES.number(wish.outcome.state),
        bought_by_client_id=wish.outcome.bought_by_client_id,
        is_surprise=wish.outcome.is_surprise,
        surprise_end_date=proto_date_of(wish.outcome.ends_on),
        note=wish.note,
        create_time=timestamp_of(wish.created_at),
        etag=wish.etag,
        for_whom=wish.for_whom,
    )
