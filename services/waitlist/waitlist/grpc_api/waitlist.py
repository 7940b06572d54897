"""The waitlist's RPCs: proto -> arguments -> use case -> proto. Must not decide."""

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta

from carnet.waitlist.v1 import waitlist_pb2 as pb
from carnet.waitlist.v1 import waitlist_pb2_grpc

from chassis.caller import current_caller
from chassis.clock import Clock
from chassis.database import Database, RequestKey
from chassis.paging import page_size_of
from chassis.values import minor_of, money_of, timestamp_of
from waitlist.domain.allocations import Allocation, Piece
from waitlist.domain.interests import Interest
from waitlist.domain.offers import Decision, Offer, OfferState
from waitlist.domain.policies import Policy
from waitlist.domain.ranking import Ranked
from waitlist.domain.references import Reference
from waitlist.use_cases import allocations, interests, offers, policies, references

_Context = object  # the guard has taken from it what there is

# The best and the eldest; a whole ranking of a famous reference would not fit into a message. It is stored complete.
_MOST_CANDIDATES = 1000


class WaitlistServicer(waitlist_pb2_grpc.WaitlistServiceServicer):
    """Serves carnet.waitlist.v1.WaitlistService."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock

    async def CreateReference(self, request: pb.CreateReferenceRequest, context: _Context) -> pb.Reference:
        """Add a reference."""
        reference = await references.create_reference(
            database=self._database,
            clock=self._clock,
            caller=current_caller(),
            key=RequestKey.of(request),
            brand_id=request.brand_id,
            code=request.code,
            display_name=request.display_name,
            price=minor_of(request.price, "price") if request.HasField("price") else None,
        )
        return reference_message(reference)

    async def GetReference(self, request: pb.GetReferenceRequest, context: _Context) -> pb.Reference:
        """Read a reference."""
        return reference_message(
            await references.get_reference(
                database=self._database, caller=current_caller(), reference_id=request.reference_id
            )
        )

    async def ListReferences(
        self, request: pb.ListReferencesRequest, context: _Context
    ) -> pb.ListReferencesResponse:
        """List references by code."""
        page, next_page_token = await references.list_references(
            database=self._database,
            caller=current_caller(),
            brand_id=request.brand_id,
            page_size=page_size_of(request.page_size),
            page_token=request.page_token,
        )
        return pb.ListReferencesResponse(
            references=map(reference_message, page), next_page_token=next_page_token
        )

    async def RegisterInterest(self, request: pb.RegisterInterestRequest, context: _Context) -> pb.Interest:
        """Put a client on the list."""
        interest = await interests.register_interest(
            database=self._database,
            clock=self._clock,
            caller=current_caller(),
            key=RequestKey.of(request),
            reference_id=request.reference_id,
            client_id=request.client_id,
            store_id=request.store_id,
            wording=request.wording,
            purpose=request.purpose,
        )
        return interest_message(interest)

    async def WithdrawInterest(self, request: pb.WithdrawInterestRequest, context: _Context) -> pb.Interest:
        """Take a client off the list."""
        interest = await interests.withdraw_interest(
            database=self._database,
            clock=self._clock,
            caller=current_caller(),
            interest_id=request.interest_id,
        )
        return interest_message(interest)

    async def ListInterests(
        self, request: pb.ListInterestsRequest, context: _Context
    ) -> pb.ListInterestsResponse:
        """List interests, oldest first."""
        page, next_page_token = await interests.list_interests(
            database=self._database,
            caller=current_caller(),
            reference_id=request.reference_id,
            client_id=request.client_id,
            page_size=page_size_of(request.page_size),
            page_token=request.page_token,
        )
        return pb.ListInterestsResponse(
            interests=map(interest_message, page), next_page_token=next_page_token
        )

    async def ReceiveAllocation(
        self, request: pb.ReceiveAllocationRequest, context: _Context
    ) -> pb.Allocation:
        """Book pieces in."""
        allocation = await allocations.receive_allocation(
            database=self._database,
            clock=self._clock,
            caller=current_caller(),
            key=RequestKey.of(request),
            reference_id=request.reference_id,
            store_id=request.store_id,
            serials=request.serials,
        )
        return allocation_message(allocation)

    async def GetAllocation(self, request: pb.GetAllocationRequest, context: _Context) -> pb.Allocation:
        """Read an allocation with its pieces."""
        return allocation_message(
            await allocations.get_allocation(
                database=self._database, caller=current_caller(), allocation_id=request.allocation_id
            )
        )

    async def ListAllocations(
        self, request: pb.ListAllocationsRequest, context: _Context
    ) -> pb.ListAllocationsResponse:
        """List allocations, newest first."""
        page, next_page_token = await allocations.list_allocations(
            database=self._database,
            caller=current_caller(),
            reference_id=request.reference_id,
            store_id=request.store_id,
            page_size=page_size_of(request.page_size),
            page_token=request.page_token,
        )
        return pb.ListAllocationsResponse(
            allocations=map(allocation_message, page), next_page_token=next_page_token
        )

    async def RankCandidates(
        self, request: pb.RankCandidatesRequest, context: _Context
    ) -> pb.RankCandidatesResponse:
        """Rank who is interested."""
        decision = await offers.rank_candidates(
            database=self._database,
            clock=self._clock,
            caller=current_caller(),
            allocation_id=request.allocation_id,
        )
        return pb.RankCandidatesResponse(
            candidates=candidate_messages(decision), policy_version=decision.policy.version
        )

    async def MakeOffer(self, request: pb.MakeOfferRequest, context: _Context) -> pb.Offer:
        """Hold a piece for the best candidate."""
        offer, decision = await offers.make_offer(
            database=self._database,
            clock=self._clock,
            caller=current_caller(),
            key=RequestKey.of(request),
            allocation_id=request.allocation_id,
            hold=timedelta(hours=request.hold_hours) or None,
        )
        return offer_message(offer, decision)

    async def GetOffer(self, request: pb.GetOfferRequest, context: _Context) -> pb.Offer:
        """Read an offer with the decision behind it."""
        offer, decision = await offers.get_offer(
            database=self._database, caller=current_caller(), offer_id=request.offer_id
        )
        return offer_message(offer, decision)

    async def ListOffers(self, request: pb.ListOffersRequest, context: _Context) -> pb.ListOffersResponse:
        """List offers, newest first, without the decisions behind them."""
        page, next_page_token = await offers.list_offers(
            database=self._database,
            caller=current_caller(),
            allocation_id=request.allocation_id,
            client_id=request.client_id,
            page_size=page_size_of(request.page_size),
            page_token=request.page_token,
        )
        return pb.ListOffersResponse(offers=map(offer_message, page), next_page_token=next_page_token)

    async def AcceptOffer(self, request: pb.AcceptOfferRequest, context: _Context) -> pb.Offer:
        """Take the client's yes."""
        return await self._answer(request.offer_id, OfferState.ACCEPTED)

    async def DeclineOffer(self, request: pb.DeclineOfferRequest, context: _Context) -> pb.Offer:
        """Take the client's no."""
        return await self._answer(request.offer_id, OfferState.DECLINED)

    async def _answer(self, offer_id: str, answer: OfferState) -> pb.Offer:
        offer, decision = await offers.answer_offer(
            database=self._database,
            clock=self._clock,
            caller=current_caller(),
            offer_id=offer_id,
            answer=answer,
        )
        return offer_message(offer, decision)

    async def SellPiece(self, request: pb.SellPieceRequest, context: _Context) -> pb.Piece:
        """Say that a piece was paid for."""
        return piece_message(
            await allocations.sell_piece(
                database=self._database, caller=current_caller(), piece_id=request.piece_id
            )
        )

    async def ReturnPiece(self, request: pb.ReturnPieceRequest, context: _Context) -> pb.Piece:
        """Send a piece back."""
        return piece_message(
            await allocations.return_piece(
                database=self._database, caller=current_caller(), piece_id=request.piece_id
            )
        )

    async def GetPolicy(self, request: pb.GetPolicyRequest, context: _Context) -> pb.Policy:
        """Read the policy in force."""
        return policy_message(
            await policies.get_policy(database=self._database, clock=self._clock, caller=current_caller())
        )

    async def UpdatePolicy(self, request: pb.UpdatePolicyRequest, context: _Context) -> pb.Policy:
        """Put another policy in force."""
        wanted = request.policy
        policy = await policies.update_policy(
            database=self._database,
            clock=self._clock,
            caller=current_caller(),
            wanted=Policy(
                version=0,
                waiting_time_weight=wanted.waiting_time_weight,
                history_weight=wanted.history_weight,
                first_time_buyer_weight=wanted.first_time_buyer_weight,
                local_store_weight=wanted.local_store_weight,
                recent_allocation_days=wanted.recent_allocation_days,
                created_at=datetime.min.replace(tzinfo=UTC),
                created_by="",
            ),
        )
        return policy_message(policy)


def reference_message(reference: Reference) -> pb.Reference:
    """Return the message of a reference."""
    message = pb.Reference(
        reference_id=reference.reference_id,
        brand_id=reference.brand_id,
        code=reference.code,
        display_name=reference.display_name,
        create_time=timestamp_of(reference.created_at),
    )
    if reference.price_minor is not None and reference.currency is not None:
        message.price.CopyFrom(money_of(reference.price_minor, reference.currency))
    return message


def interest_message(interest: Interest) -> pb.Interest:
    """Return the message of an interest."""
    return pb.Interest(
        interest_id=interest.interest_id,
        reference_id=interest.reference_id,
        client_id=interest.client_id,
        store_id=interest.store_id,
        state=pb.InterestState.Value(f"INTEREST_STATE_{interest.state}"),
        wording=interest.wording,
        purpose=interest.purpose,
        register_time=timestamp_of(interest.registered_at),
    )


def piece_message(piece: Piece) -> pb.Piece:
    """Return the message of a piece."""
    return pb.Piece(
        piece_id=piece.piece_id,
        allocation_id=piece.allocation_id,
        serial=piece.serial,
        state=pb.PieceState.Value(f"PIECE_STATE_{piece.state}"),
        offer_id=piece.offer_id,
    )


def allocation_message(allocation: Allocation) -> pb.Allocation:
    """Return the message of an allocation."""
    return pb.Allocation(
        allocation_id=allocation.allocation_id,
        reference_id=allocation.reference_id,
        brand_id=allocation.brand_id,
        store_id=allocation.store_id,
        pieces=map(piece_message, allocation.pieces),
        receive_time=timestamp_of(allocation.received_at),
    )


def candidate_messages(decision: Decision) -> Iterable[pb.Candidate]:
    """Return the messages of the first _MOST_CANDIDATES of a decision."""
    return map(_candidate_message, decision.candidates[:_MOST_CANDIDATES])


def _candidate_message(ranked: Ranked) -> pb.Candidate:
    return pb.Candidate(
        interest_id=ranked.candidate.interest_id,
        client_id=ranked.candidate.client_id,
        score=ranked.score,
        parts=[
            pb.ScorePart(name=part.name, contribution=part.contribution, sentence=part.sentence)
            for part in ranked.parts
        ],
        rank=ranked.rank,
        ineligible_reason=ranked.ineligible_reason,
    )


def offer_message(offer: Offer, decision: Decision | None = None) -> pb.Offer:
    """Return the message of an offer, with the ranking where the decision is given."""
    return pb.Offer(
        offer_id=offer.offer_id,
        allocation_id=offer.allocation_id,
        piece_id=offer.piece_id,
        interest_id=offer.interest_id,
        client_id=offer.client_id,
        state=pb.OfferState.Value(f"OFFER_STATE_{offer.state}"),
        make_time=timestamp_of(offer.made_at),
        expire_time=timestamp_of(offer.expires_at),
        answer_time=timestamp_of(offer.answered_at),
        policy_version=offer.policy_version,
        candidates=candidate_messages(decision) if decision else (),
    )


def policy_message(policy: Policy) -> pb.Policy:
    """Return the message of a policy."""
    return pb.Policy(
        version=policy.version,
        waiting_time_weight=policy.waiting_time_weight,
        history_weight=policy.history_weight,
        first_time_buyer_weight=policy.first_time_buyer_weight,
        local_store_weight=policy.local_store_weight,
        recent_allocation_days=policy.recent_allocation_days,
        create_time=timestamp_of(policy.created_at),
        created_by=policy.created_by,
    )
