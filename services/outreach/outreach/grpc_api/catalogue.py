"""The RPCs of CatalogueService: proto to arguments, one use case, back to proto."""

from typing import Any

from carnet.outreach.v1 import catalogue_pb2 as pb
from carnet.outreach.v1 import catalogue_pb2_grpc

from chassis.caller import current_caller
from chassis.clock import Clock
from chassis.database import Database
from chassis.values import date_of, minor_of, money_of, proto_date_of, timestamp_of
from outreach.clients import Messaging, Profiles
from outreach.config import Settings
from outreach.domain.catalogue import TEXTS, GivenPiece, GivenStock, Piece
from outreach.use_cases import catalogue, recommendations

_Context = Any  # grpc.aio.ServicerContext is generic in its stubs only


class CatalogueServicer(catalogue_pb2_grpc.CatalogueServiceServicer):
    """Answers for one process."""

    def __init__(
        self,
        *,
        database: Database,
        clock: Clock,
        profiles: Profiles,
        messaging: Messaging,
        settings: Settings,
    ) -> None:
        self._database = database
        self._clock = clock
        self._profiles = profiles
        self._messaging = messaging
        self._settings = settings

    async def UpsertPieces(
        self, request: pb.UpsertPiecesRequest, context: _Context
    ) -> pb.UpsertPiecesResponse:
        """Put pieces into the catalogue or change them."""
        upserted = await catalogue.upsert_pieces(
            database=self._database,
            clock=self._clock,
            chain_id=current_caller().chain_id,
            pieces=[given_piece(piece, f"pieces[{index}]") for index, piece in enumerate(request.pieces)],
        )
        return pb.UpsertPiecesResponse(
            created=upserted.created,
            updated=upserted.updated,
            unchanged=upserted.unchanged,
            piece_ids=upserted.piece_ids,
        )

    async def GetPiece(self, request: pb.GetPieceRequest, context: _Context) -> pb.CataloguePiece:
        """Read one piece."""
        found = await catalogue.get_piece(
            database=self._database, chain_id=current_caller().chain_id, piece_id=request.piece_id
        )
        return piece_message(found)

    async def ListPieces(self, request: pb.ListPiecesRequest, context: _Context) -> pb.ListPiecesResponse:
        """Read a page of pieces."""
        page, token = await catalogue.list_pieces(
            database=self._database,
            chain_id=current_caller().chain_id,
            query=request.query,
            brand_id=request.brand_id,
            category=request.category,
            store_id=request.store_id,
            page_size=request.page_size,
            page_token=request.page_token,
        )
        return pb.ListPiecesResponse(pieces=[piece_message(piece) for piece in page], next_page_token=token)

    async def DeletePiece(self, request: pb.DeletePieceRequest, context: _Context) -> pb.DeletePieceResponse:
        """Take a piece out."""
        await catalogue.delete_piece(
            database=self._database,
            clock=self._clock,
            chain_id=current_caller().chain_id,
            piece_id=request.piece_id,
        )
        return pb.DeletePieceResponse()

    async def ListRecommendations(
        self, request: pb.ListRecommendationsRequest, context: _Context
    ) -> pb.ListRecommendationsResponse:
        """Recommend pieces for a client."""
        found, note = await recommendations.list_recommendations(
            database=self._database,
            clock=self._clock,
            profiles=self._profiles,
            chain_id=current_caller().chain_id,
            client_id=request.client_id,
            store_id=request.store_id,
            most=request.page_size,
        )
        return pb.ListRecommendationsResponse(
            recommendations=[
                pb.Recommendation(
                    piece=piece_message(one.piece),
                    score=one.scored.score,
                    reasons=[
                        pb.RecommendationReason(
                            kind=part.kind, sentence=part.sentence, contribution=part.contribution
                        )
                        for part in one.scored.parts
                    ],
                )
                for one in found
            ],
            note=note,
        )


def given_piece(piece: pb.CataloguePiece, field: str) -> GivenPiece:
    """Return a piece as it was told. Raises INVALID on its price and its days; `field` is where it stands."""
    price_minor, currency = None, ""
    if piece.HasField("price"):
        price_minor, currency = minor_of(piece.price, f"{field}.price")
    return GivenPiece(
        **{name: getattr(piece, name).strip() for name in TEXTS},
        price_minor=price_minor,
        currency=currency,
        stock=tuple(
            GivenStock(
                there.store_id,
                there.quantity,
                date_of(there.arrive_date, f"{field}.stock[{index}].arrive_date")
                if there.HasField("arrive_date")
                else None,
            )
            for index, there in enumerate(piece.stock)
        ),
    )


def piece_message(piece: Piece) -> pb.CataloguePiece:
    """Return the contract's form of a piece."""
    return pb.CataloguePiece(
        piece_id=piece.piece_id,
        **{name: getattr(piece, name) for name in TEXTS},
        price=None if piece.price_minor is None else money_of(piece.price_minor, piece.currency),
        stock=[
            pb.Stock(
                store_id=there.store_id,
                quantity=there.quantity,
                arrive_date=proto_date_of(there.arrived_on),
            )
            for there in piece.stock
        ],
        create_time=timestamp_of(piece.created_at),
        update_time=timestamp_of(piece.updated_at),
    )
