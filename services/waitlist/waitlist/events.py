"""What the waitlist says happened, from its own objects.

brand_id stands in every one that is about a piece; of a client only the id.
"""

from collections.abc import Iterable, Mapping

from carnet.privacy.v1 import privacy_pb2
from carnet.waitlist.v1 import events_pb2 as pb

from chassis.values import timestamp_of
from waitlist.domain.allocations import Allocation, Piece
from waitlist.domain.interests import Interest
from waitlist.domain.offers import Offer


def interest_registered(interest: Interest) -> pb.InterestRegistered:
    """Return the fact that a client waits for a reference."""
    return pb.InterestRegistered(
        interest_id=interest.interest_id,
        reference_id=interest.reference_id,
        brand_id=interest.brand_id,
        client_id=interest.client_id,
        store_id=interest.store_id,
    )


def interest_withdrawn(interest: Interest) -> pb.InterestWithdrawn:
    """Return the fact that a client waits no more."""
    return pb.InterestWithdrawn(
        interest_id=interest.interest_id,
        reference_id=interest.reference_id,
        brand_id=interest.brand_id,
        client_id=interest.client_id,
        store_id=interest.store_id,
    )


def allocation_received(allocation: Allocation) -> pb.AllocationReceived:
    """Return the fact that pieces arrived."""
    return pb.AllocationReceived(
        allocation_id=allocation.allocation_id,
        reference_id=allocation.reference_id,
        brand_id=allocation.brand_id,
        store_id=allocation.store_id,
        serials=[piece.serial for piece in allocation.pieces],
        reference_code=allocation.reference_code,
    )


def offer_made(offer: Offer, piece: Piece) -> pb.OfferMade:
    """Return the fact that a piece is held for a client; `piece` is as it is after the move, here and below."""
    return pb.OfferMade(offer=_offer_fact(offer, piece))


def offer_accepted(offer: Offer, piece: Piece) -> pb.OfferAccepted:
    """Return the fact that a piece is promised."""
    return pb.OfferAccepted(offer=_offer_fact(offer, piece))


def offer_declined(offer: Offer, piece: Piece) -> pb.OfferDeclined:
    """Return the fact that the client did not want the piece."""
    return pb.OfferDeclined(offer=_offer_fact(offer, piece))


def offer_expired(offer: Offer, piece: Piece) -> pb.OfferExpired:
    """Return the fact that nobody answered in time."""
    return pb.OfferExpired(offer=_offer_fact(offer, piece))


def piece_sold(offer: Offer, piece: Piece) -> pb.PieceSold:
    """Return the fact that a promised piece was paid for."""
    return pb.PieceSold(offer=_offer_fact(offer, piece))


def piece_returned(piece: Piece, allocation: Allocation) -> pb.PieceReturned:
    """Return the fact that a free piece went back."""
    return pb.PieceReturned(
        piece_id=piece.piece_id,
        allocation_id=allocation.allocation_id,
        reference_id=allocation.reference_id,
        brand_id=allocation.brand_id,
        store_id=allocation.store_id,
        serial=piece.serial,
        version=piece.version,
        reference_code=allocation.reference_code,
    )


def _offer_fact(offer: Offer, piece: Piece) -> pb.OfferFact:
    return pb.OfferFact(
        offer_id=offer.offer_id,
        allocation_id=offer.allocation_id,
        reference_id=offer.reference_id,
        brand_id=offer.brand_id,
        store_id=offer.store_id,
        piece_id=piece.piece_id,
        serial=piece.serial,
        client_id=offer.client_id,
        version=piece.version,
        expire_time=timestamp_of(offer.expires_at),
        policy_version=offer.policy_version,
        reference_code=offer.reference_code,
    )


def erasure_receipt(
    *,
    erasure_id: str,
    client_id: str,
    erased: Mapping[str, int],
    retained: Iterable[tuple[str, str, int]],
) -> privacy_pb2.ErasureReceipt:
    """Return the receipt of an erasure; `retained` are (category, basis, count)."""
    return privacy_pb2.ErasureReceipt(
        erasure_id=erasure_id,
        client_id=client_id,
        erased=erased,
        retained=[
            privacy_pb2.Retention(category=category, basis=basis, count=count)
            for category, basis, count in retained
        ],
    )


def client_forgotten(receipt: privacy_pb2.ErasureReceipt) -> pb.ClientForgotten:
    """Return the fact that the waitlist forgot a client."""
    return pb.ClientForgotten(receipt=receipt)
