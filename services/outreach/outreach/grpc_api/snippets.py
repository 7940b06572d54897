"""What to say: drafts, and the texts that associates keep for them. Proto to arguments, one use case, back to proto."""

from typing import Any

from carnet.outreach.v1 import outreach_pb2 as pb
from google.type.money_pb2 import Money

from chassis.caller import current_caller
from chassis.clock import Clock
from chassis.database import Database, RequestKey
from chassis.values import timestamp_of
from outreach.clients import Profiles
from outreach.domain.drafts import DraftSource, Snippet, SnippetPlace
from outreach.domain.settings import SegmentPrice
from outreach.draft_model import DraftModel
from outreach.texts.segments import cost_note
from outreach.use_cases import drafting, snippets

_Context = Any  # grpc.aio.ServicerContext is generic in its stubs only

_NANOS = 1_000_000_000
_PLACE_VALUES: dict[SnippetPlace, pb.SnippetPlace.ValueType] = {
    SnippetPlace.OPENING: pb.SNIPPET_PLACE_OPENING,
    SnippetPlace.CLOSING: pb.SNIPPET_PLACE_CLOSING,
    SnippetPlace.PHRASE: pb.SNIPPET_PLACE_PHRASE,
}
_PLACES = {value: place for place, value in _PLACE_VALUES.items()}
_SOURCE_VALUES: dict[DraftSource, pb.DraftSource.ValueType] = {
    DraftSource.TEMPLATE: pb.DRAFT_SOURCE_TEMPLATE,
    DraftSource.MODEL: pb.DRAFT_SOURCE_MODEL,
}


class SnippetCalls:
    """The RPCs of this part of the contract."""

    _database: Database
    _clock: Clock
    _profiles: Profiles
    _model: DraftModel | None

    async def DraftMessage(self, request: pb.DraftMessageRequest, context: _Context) -> pb.Draft:
        """Write drafts."""
        drafted = await drafting.draft_message(
            database=self._database,
            clock=self._clock,
            profiles=self._profiles,
            model=self._model,
            caller=current_caller(),
            suggestion_id=request.suggestion_id,
            language=request.language,
            piece_ids=request.piece_ids,
            variants=request.variants,
        )
        return draft_message(drafted)

    async def ListSnippets(
        self, request: pb.ListSnippetsRequest, context: _Context
    ) -> pb.ListSnippetsResponse:
        """Read a page of snippets."""
        page, token = await snippets.list_snippets(
            database=self._database,
            caller=current_caller(),
            associate_id=request.associate_id,
            page_size=request.page_size,
            page_token=request.page_token,
        )
        return pb.ListSnippetsResponse(snippets=map(snippet_message, page), next_page_token=token)

    async def CreateSnippet(self, request: pb.CreateSnippetRequest, context: _Context) -> pb.Snippet:
        """Keep a text."""
        snippet = await snippets.create_snippet(
            database=self._database,
            clock=self._clock,
            caller=current_caller(),
            key=RequestKey.of(request),
            associate_id=request.associate_id,
            place=_PLACES[request.place],
            language=request.language,
            body=request.body,
            shortcut=request.shortcut,
        )
        return snippet_message(snippet)

    async def DeleteSnippet(
        self, request: pb.DeleteSnippetRequest, context: _Context
    ) -> pb.DeleteSnippetResponse:
        """Forget a text."""
        await snippets.delete_snippet(
            database=self._database, caller=current_caller(), snippet_id=request.snippet_id
        )
        return pb.DeleteSnippetResponse()


def draft_message(drafted: drafting.Drafted) -> pb.Draft:
    """Return the contract's form of drafts."""
    (draft_id, first), *others = drafted.drafts
    return pb.Draft(
        suggestion_id=drafted.suggestion_id,
        draft_id=draft_id,
        body=first.body,
        language=first.language,
        segments=first.segments,
        source=_SOURCE_VALUES[drafted.source],
        fallback_reason=drafted.fallback_reason,
        facts=drafted.facts,
        variants=[
            pb.DraftVariant(draft_id=other_id, body=other.body, segments=other.segments)
            for other_id, other in sorted(others, key=lambda pair: pair[1].segments)
        ],
        piece_ids=drafted.piece_ids,
        cost=_cost(drafted.segment_price, first.segments),
        cost_note=cost_note(first.body),
    )


def snippet_message(snippet: Snippet) -> pb.Snippet:
    """Return the contract's form of a snippet."""
    return pb.Snippet(
        snippet_id=snippet.snippet_id,
        associate_id=snippet.associate_id,
        place=_PLACE_VALUES[snippet.place],
        language=snippet.language,
        body=snippet.body,
        is_learned=snippet.is_learned,
        create_time=timestamp_of(snippet.created_at),
        shortcut=snippet.shortcut,
    )


def _cost(price: SegmentPrice | None, segments: int) -> Money | None:
    """Return what a text costs; a segment is a fraction of a cent, so this is finer than the currency's minor unit."""
    if price is None:
        return None
    units, nanos = divmod(price.nanos * segments, _NANOS)
    return Money(currency_code=price.currency, units=units, nanos=nanos)
