"""Texts that associates keep, those that are the chain's, and those that are learned from edits."""

from datetime import datetime

from chassis.caller import Caller
from chassis.clock import Clock
from chassis.database import Database, RequestKey, Transaction
from chassis.errors import Kind, ServiceError, invalid, not_found
from chassis.ids import new_id
from chassis.paging import cut_page, decode_page_token, page_size_of
from outreach.domain.drafts import (
    LANGUAGES,
    TEACHES_AFTER,
    Edits,
    KeptDraft,
    Phrasing,
    Snippet,
    SnippetPlace,
    SnippetShortcutTaken,
    checked_snippet,
    edits_of,
    phrasing_of,
    spoken,
)
from outreach.store import chains, drafts, snippets
from outreach.texts.claims import says_too_much

MOST_SNIPPETS = 200

# Who may write to many clients at once may put words into everybody's texts.
_CHAIN_SCOPE = "campaigns:write"


async def list_snippets(
    *, database: Database, caller: Caller, associate_id: str, page_size: int, page_token: str
) -> tuple[list[Snippet], str]:
    """Return a page of an associate's snippets, one's own where nobody is named, then the chain's; the newest first.

    Associates read their own and those of their stores; others are refused (STORE_NOT_YOURS).
    """
    key = decode_page_token(page_token, str, str)
    size = page_size_of(page_size)
    async with database.transaction(caller.chain_id) as tx:
        if associate_id and associate_id != caller.associate_id and caller.stores:
            caller.require_store(await chains.store_of_associate(tx, associate_id))
        found = await snippets.list_snippets(
            tx,
            associate_id or caller.associate_id,
            before=(str(key[0]), str(key[1])) if key else None,
            limit=size + 1,
        )
    page, token = cut_page(found, size, lambda snippet: (snippet.associate_id, snippet.snippet_id))
    return list(page), token


async def create_snippet(
    *,
    database: Database,
    clock: Clock,
    caller: Caller,
    key: RequestKey,
    associate_id: str,
    place: SnippetPlace,
    language: str,
    body: str,
    shortcut: str,
) -> Snippet:
    """Keep a text.

    Raises FIELD_INVALID, ASSOCIATE_NOT_FOUND, SNIPPETS_TOO_MANY, SNIPPET_SHORTCUT_TAKEN, SCOPE_MISSING and
    STORE_NOT_YOURS.
    """
    if shortcut and place is not SnippetPlace.PHRASE:
        raise invalid("shortcut", "is for phrases; openings and closings are put in by drafts")
    written_in = spoken(language)
    if written_in is None:
        raise invalid("language", f"is none that drafts are written in: {', '.join(LANGUAGES)}")
    said = checked_snippet(body)
    async with database.transaction(caller.chain_id) as tx:
        await _require_may_write(tx, caller, associate_id)
        snippet_id, is_repeat = await tx.once(key, new_id("snp"))
        snippet = Snippet(snippet_id, associate_id, place, written_in, said, False, clock.now(), shortcut)
        if is_repeat:
            # One that was deleted since is told as it was made; it does not come back.
            return await snippets.find_snippet(tx, snippet_id) or snippet
        if await snippets.count_snippets(tx, associate_id) >= MOST_SNIPPETS:
            raise ServiceError(
                Kind.EXHAUSTED,
                "SNIPPETS_TOO_MANY",
                f"There are {MOST_SNIPPETS} snippets already. Delete one first.",
            )
        if not await snippets.add_snippet(tx, snippet):
            raise SnippetShortcutTaken
    return snippet


async def delete_snippet(*, database: Database, caller: Caller, snippet_id: str) -> None:
    """Forget a text; one that is gone stays gone. Raises SCOPE_MISSING and STORE_NOT_YOURS for somebody else's."""
    async with database.transaction(caller.chain_id) as tx:
        found = await snippets.find_snippet(tx, snippet_id)
        if found is None:
            return
        await _require_may_write(tx, caller, found.associate_id)
        await snippets.delete_snippet(tx, snippet_id)


async def note_sent(tx: Transaction, draft: KeptDraft, body: str, *, by: str, now: datetime) -> None:
    """Note what became of a draft that went out as `body`, and learn what the associate makes a habit of.

    Runs inside the transaction that notes the sending. Nobody learns from what somebody else changed.
    """
    phrasing = phrasing_of(draft.wording, body)
    edits = (
        edits_of(draft, body) if phrasing is Phrasing.EDITED and by and by == draft.associate_id else Edits()
    )
    edits = Edits(
        opening=None if says_too_much(edits.opening, draft.language) else edits.opening,
        closing=None if says_too_much(edits.closing, draft.language) else edits.closing,
    )
    if edits != Edits():
        await drafts.hold_habits(tx, by)
    await drafts.note_sent(tx, draft, phrasing, edits, now=now)
    for place, phrase in ((SnippetPlace.OPENING, edits.opening), (SnippetPlace.CLOSING, edits.closing)):
        if phrase is None:
            continue
        if await drafts.count_edits(tx, by, place, draft.language, phrase) < TEACHES_AFTER:
            continue
        if phrase:
            learned = Snippet(new_id("snp"), by, place, draft.language, phrase, True, now)
            await snippets.put_learned(tx, learned)
        else:
            await snippets.drop_learned(tx, by, place, draft.language)
        await drafts.spend_edits(tx, by, place, draft.language)


async def _require_may_write(tx: Transaction, caller: Caller, associate_id: str) -> None:
    """Refuse to write for anybody but oneself without the right to; nobody writes for whom nobody knows."""
    if associate_id and associate_id == caller.associate_id:
        return
    caller.require_scope(_CHAIN_SCOPE)
    if associate_id:
        store_id = await chains.store_of_associate(tx, associate_id)
        if not store_id:
            raise not_found("associate", associate_id)
        caller.require_store(store_id)
