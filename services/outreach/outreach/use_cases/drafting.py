"""Write drafts for a suggestion: gather what may be said, have it worded, keep what was given to the associate.

Templates always can; a model is asked where one is configured, without any name, and whatever is wrong with it or its
answer leads back to the templates. No transaction is open while profiles or a model is asked.
"""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from chassis.caller import Caller
from chassis.clock import Clock
from chassis.database import Database, Transaction
from chassis.errors import Kind, ServiceError, invalid, not_found
from chassis.ids import new_id
from outreach.clients import Names, Profiles
from outreach.domain import Suggestion
from outreach.domain.catalogue import Piece
from outreach.domain.drafts import (
    FALLBACK_LANGUAGE,
    LANGUAGES,
    DraftSource,
    KeptDraft,
    PieceWithheld,
    SnippetPlace,
    spoken,
)
from outreach.domain.settings import SegmentPrice
from outreach.draft_model import DraftModel, ModelFailed
from outreach.recommendations.surprises import gives_away
from outreach.store import catalogue, chains, drafts, histories, likings, settings, snippets
from outreach.texts.drafts import SHOWING, Draft, Facts, PieceFact, Voice, frame, write_wordings
from outreach.texts.model_wordings import Unfit, ask_for, middles_of
from outreach.use_cases.queue import require_suggestion
from outreach.use_cases.recommendations import Known, ask_profiles, best_pieces


@dataclass(frozen=True)
class Drafted:
    """What an associate is given: drafts with their ids, the first one to be shown first."""

    suggestion_id: str
    drafts: Sequence[tuple[str, Draft]]
    source: DraftSource
    fallback_reason: str
    facts: Mapping[str, str]
    piece_ids: Sequence[str]
    segment_price: SegmentPrice | None


@dataclass(frozen=True)
class _Ground:
    """What the database says before anybody else is asked."""

    suggestion: Suggestion
    is_first: bool
    pieces: Sequence[Piece]
    segment_price: SegmentPrice | None

    @property
    def needs_more(self) -> bool:
        """Return whether profiles has to say more than names: to find a piece, or what its brand is called."""
        if self.pieces:
            return any(piece.brand_id for piece in self.pieces)
        return self.suggestion.reasons[0].signal in SHOWING


async def draft_message(
    *,
    database: Database,
    clock: Clock,
    profiles: Profiles,
    model: DraftModel | None,
    caller: Caller,
    suggestion_id: str,
    language: str = "",
    piece_ids: Sequence[str] = (),
    variants: int = 1,
) -> Drafted:
    """Return wordings for the strongest reason, in the client's language or the one asked for.

    Raises SUGGESTION_CLOSED, PIECE_NOT_FOUND, PIECE_WITHHELD, and FIELD_INVALID for a language without templates.
    """
    if language and spoken(language) is None:
        raise invalid("language", f"is none that drafts are written in: {', '.join(LANGUAGES)}")
    ground = await _gather(database, clock, caller, suggestion_id, list(dict.fromkeys(piece_ids)))
    suggestion = ground.suggestion
    # Whoever writes signs: a colleague who covers for the owner does not write in the owner's name.
    writer = caller.associate_id or suggestion.associate_id
    names, known = await asyncio.gather(
        profiles.names(client_id=suggestion.client_id, associate_id=writer, store_id=suggestion.store_id),
        ask_profiles(profiles, suggestion.client_id) if ground.needs_more else _nothing_more(),
    )
    chosen = spoken(language or names.language) or FALLBACK_LANGUAGE
    count = max(variants, 1)
    async with database.transaction(caller.chain_id) as tx:
        pieces = ground.pieces or await _best_piece(tx, ground, known, now=clock.now())
        voice = await _voice(tx, writer, chosen)
    facts = _facts(ground, pieces, names, known)
    source, why, written = DraftSource.TEMPLATE, "", list[Draft]()
    if model is not None:
        try:
            middles = middles_of(await model.ask(*ask_for(facts, chosen, count)), facts, chosen)
            written = frame(facts, middles, language=chosen, voice=voice, count=count)
            source = DraftSource.MODEL
        except (ModelFailed, Unfit) as fault:
            why = str(fault)
    if not written:
        written = write_wordings(
            facts, language=chosen, voice=voice, count=count, seed=suggestion.suggestion_id
        )
    given = [(new_id("drf"), draft) for draft in written]
    now = clock.now()
    kept = [
        KeptDraft(
            draft_id=draft_id,
            suggestion_id=suggestion.suggestion_id,
            client_id=suggestion.client_id,
            associate_id=writer,
            language=chosen,
            source=source,
            wording=draft.wording,
            given_name=facts.given_name,
            family_name=names.family_name,
            associate_name=facts.associate_name,
            store_name=facts.store_name,
            created_at=now,
        )
        for draft_id, draft in given
    ]
    async with database.transaction(caller.chain_id) as tx:
        if not await drafts.add_drafts(tx, kept):  # the client was erased meanwhile
            raise not_found("suggestion", suggestion_id)
    return Drafted(
        suggestion_id=suggestion.suggestion_id,
        drafts=given,
        source=source,
        fallback_reason=why,
        facts=facts.told(),
        piece_ids=[piece.piece_id for piece in facts.pieces],
        segment_price=ground.segment_price,
    )


async def _gather(
    database: Database, clock: Clock, caller: Caller, suggestion_id: str, piece_ids: Sequence[str]
) -> _Ground:
    async with database.transaction(caller.chain_id) as tx:
        suggestion = await require_suggestion(tx, caller, suggestion_id, now=clock.now(), lock=False)
        suggestion.require_live()
        figures = await histories.read_client_figures(tx, await chains.get_chain(tx), suggestion.client_id)
        known = await catalogue.read_pieces(tx, piece_ids) if piece_ids else {}
        for piece_id in piece_ids:
            if piece_id not in known:
                raise not_found("piece", piece_id)
        if known:
            await _require_no_surprise(tx, suggestion.client_id, list(known.values()), now=clock.now())
        return _Ground(
            suggestion=suggestion,
            is_first=figures is None or figures.last_contact is None,
            pieces=[known[piece_id] for piece_id in piece_ids],
            segment_price=(await settings.get_settings(tx)).segment_price,
        )


async def _require_no_surprise(
    tx: Transaction, client_id: str, pieces: Sequence[Piece], *, now: datetime
) -> None:
    """Refuse to name to a client what somebody has bought, or is about to, as a surprise for that client."""
    chain = await chains.get_chain(tx)
    taste = await likings.read_taste(tx, client_id, today=chain.today(now), currency=chain.currency)
    if taste is None:
        raise not_found("client", client_id)
    for piece in pieces:
        if gives_away(piece, taste.likings):
            raise PieceWithheld(piece.piece_id)


async def _nothing_more() -> Known:
    return Known()


async def _best_piece(tx: Transaction, ground: _Ground, known: Known, *, now: datetime) -> Sequence[Piece]:
    """Return the best piece of the store for the client; none where nothing is known that speaks for one."""
    suggestion = ground.suggestion
    if not ground.needs_more:
        return []
    try:
        found, _ = await best_pieces(tx, suggestion.client_id, suggestion.store_id, 1, now=now, known=known)
    except ServiceError as error:
        if error.kind is not Kind.NOT_FOUND:
            raise
        return []
    telling = [one.piece.piece_id for one in found if one.is_telling]
    return list((await catalogue.read_pieces(tx, telling)).values())


def _facts(ground: _Ground, pieces: Sequence[Piece], names: Names, known: Known) -> Facts:
    brands = known.brands or {}
    return Facts(
        signal=ground.suggestion.reasons[0].signal,
        given_name=names.given_name,
        associate_name=names.associate_name,
        store_name=names.store_name,
        is_first=ground.is_first,
        pieces=tuple(
            PieceFact(piece.piece_id, piece.display_name, brands.get(piece.brand_id, "")) for piece in pieces
        ),
    )


async def _voice(tx: Transaction, associate_id: str, language: str) -> Voice:
    found = await snippets.preferred(tx, associate_id, language)
    return Voice(
        openings=[one.body for one in found if one.place is SnippetPlace.OPENING],
        closings=[one.body for one in found if one.place is SnippetPlace.CLOSING],
    )
