"""Drafts and what became of them. Must not judge what an edit teaches."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Row

from chassis import identities
from chassis.database import Transaction
from outreach.domain.drafts import DraftSource, Edits, KeptDraft, Phrasing, SnippetPlace, Wording

# A suggestion lives for less; nobody sends what was drafted longer ago.
_KEPT = timedelta(days=30)


@dataclass(frozen=True)
class SentPhrasing:
    """How a text that went out began, and the key of the wording it was drafted from, empty for one by hand."""

    phrasing: Phrasing
    wording_key: str = ""


async def add_drafts(tx: Transaction, drafts: Sequence[KeptDraft]) -> bool:
    """Keep drafts of one suggestion; False when it is not there any more. Forgets those that nobody sent in time."""
    # Whose the suggestion is now, should its client have been merged meanwhile; held, so that an erasure finds these.
    found = await tx.execute(
        "select client_id, original_client_id from suggestions"
        " where chain_id = :chain_id and suggestion_id = :suggestion_id for share",
        {"chain_id": tx.chain_id, "suggestion_id": drafts[0].suggestion_id},
    )
    owner = found.one_or_none()
    if owner is None:
        return False
    await tx.execute(
        "delete from drafts where chain_id = :chain_id and draft_id in (select draft_id from drafts"
        "  where chain_id = :chain_id and sent_at is null and created_at < :before for update skip locked)",
        {"chain_id": tx.chain_id, "before": drafts[0].created_at - _KEPT},
    )
    await tx.execute(
        "insert into drafts (chain_id, draft_id, suggestion_id, client_id, original_client_id, associate_id, language,"
        " source, wording_key, opening, middle, closing, given_name, family_name, associate_name, store_name,"
        " created_at) values (:chain_id, :draft_id, :suggestion_id, :client_id, :original_client_id, :associate_id,"
        " :language, :source, :wording_key, :opening, :middle, :closing, :given_name, :family_name, :associate_name,"
        " :store_name, :created_at)",
        [
            {
                "chain_id": tx.chain_id,
                "draft_id": draft.draft_id,
                "suggestion_id": draft.suggestion_id,
                "client_id": owner.client_id,
                "original_client_id": owner.original_client_id,
                "associate_id": draft.associate_id,
                "language": draft.language,
                "source": draft.source,
                "wording_key": draft.wording.key,
                "opening": draft.wording.opening,
                "middle": draft.wording.middle,
                "closing": draft.wording.closing,
                "given_name": draft.given_name,
                "family_name": draft.family_name,
                "associate_name": draft.associate_name,
                "store_name": draft.store_name,
                "created_at": draft.created_at,
            }
            for draft in drafts
        ],
    )
    return True


async def find_draft(tx: Transaction, draft_id: str, *, suggestion_id: str) -> KeptDraft | None:
    """Return a draft of a suggestion."""
    found = await tx.execute(
        "select draft_id, suggestion_id, client_id, associate_id, language, source, wording_key, opening, middle,"
        " closing, given_name, family_name, associate_name, store_name, created_at from drafts"
        " where chain_id = :chain_id and draft_id = :draft_id and suggestion_id = :suggestion_id",
        {"chain_id": tx.chain_id, "draft_id": draft_id, "suggestion_id": suggestion_id},
    )
    row = found.one_or_none()
    return None if row is None else _draft(row)


async def note_sent(
    tx: Transaction, draft: KeptDraft, phrasing: Phrasing, edits: Edits, *, now: datetime
) -> None:
    """Note how a draft went out, and forget the other drafts of its suggestion."""
    await tx.execute(
        "update drafts set sent_at = :now, phrasing = :phrasing, opening_edit = :opening, closing_edit = :closing"
        " where chain_id = :chain_id and draft_id = :draft_id",
        {
            "chain_id": tx.chain_id,
            "draft_id": draft.draft_id,
            "phrasing": phrasing,
            "opening": edits.opening,
            "closing": edits.closing,
            "now": now,
        },
    )
    await drop_unsent(tx, draft.suggestion_id)


async def drop_unsent(tx: Transaction, suggestion_id: str) -> None:
    """Forget the drafts of a suggestion that were not sent."""
    await tx.execute(
        "delete from drafts where chain_id = :chain_id and suggestion_id = :suggestion_id and sent_at is null",
        {"chain_id": tx.chain_id, "suggestion_id": suggestion_id},
    )


async def hold_habits(tx: Transaction, associate_id: str) -> None:
    """Let nobody else count the edits of an associate before the commit."""
    await tx.execute(
        "select pg_advisory_xact_lock(hashtextextended(:key, 0))",
        {"key": f"habits {tx.chain_id} {associate_id}"},
    )


async def count_edits(
    tx: Transaction, associate_id: str, place: SnippetPlace, language: str, phrase: str
) -> int:
    """Return to how many clients an associate made the same edit since the last one was learned."""
    found = await tx.execute(
        f"select count(distinct client_id) from drafts where chain_id = :chain_id and associate_id = :associate_id"  # noqa: S608 - a column of two
        f" and language = :language and {place}_edit = :phrase",
        {"chain_id": tx.chain_id, "associate_id": associate_id, "language": language, "phrase": phrase},
    )
    return int(found.scalar_one())


async def spend_edits(tx: Transaction, associate_id: str, place: SnippetPlace, language: str) -> None:
    """Forget the edits that led to a habit, and those beside them: what comes next is counted anew."""
    await tx.execute(
        f"update drafts set {place}_edit = null where chain_id = :chain_id and associate_id = :associate_id"  # noqa: S608 - a column of two
        f" and language = :language and {place}_edit is not null",
        {"chain_id": tx.chain_id, "associate_id": associate_id, "language": language},
    )


async def follow_clients(tx: Transaction, currents: Mapping[str, str]) -> None:
    """Give drafts to whom their clients are now."""
    await identities.move_rows(tx, "drafts", "client_id", currents)


async def delete_client(tx: Transaction, client_id: str) -> None:
    """Forget the drafts for a client."""
    await tx.execute(
        "delete from drafts where chain_id = :chain_id and client_id = :client_id",
        {"chain_id": tx.chain_id, "client_id": client_id},
    )


async def erase_clients(tx: Transaction, client_ids: Collection[str]) -> dict[str, int]:
    """Remove the drafts for every id of one person, after her suggestions; return how many."""
    came_as = identities.came_as("client_id")
    gone = await tx.execute(
        f"delete from drafts where chain_id = :chain_id and {came_as}",  # noqa: S608 - fixed text only
        {"chain_id": tx.chain_id, "ids": list(client_ids)},
    )
    return {"drafts": gone.rowcount}


async def phrasings_of(tx: Transaction, suggestion_ids: Collection[str]) -> Mapping[str, SentPhrasing]:
    """Return how the text of each suggestion began: as drafted, edited, or by hand where it was sent without a draft.

    Says nothing about whether a suggestion was sent at all. In SQL: `drafts` with `sent_at is not null`, at most one a
    suggestion, its `phrasing` and `wording_key`; `by_hand` for a sent suggestion without one.
    """
    found = await tx.execute(
        "select suggestion_id, phrasing, wording_key from drafts where chain_id = :chain_id"
        " and suggestion_id = any(:ids) and sent_at is not null",
        {"chain_id": tx.chain_id, "ids": sorted(set(suggestion_ids))},
    )
    known = {row.suggestion_id: SentPhrasing(Phrasing(row.phrasing), row.wording_key) for row in found}
    return {one: known.get(one, SentPhrasing(Phrasing.BY_HAND)) for one in suggestion_ids}


def _draft(row: Row[Any]) -> KeptDraft:
    fields = row._asdict()
    wording = Wording(
        fields.pop("opening"), fields.pop("middle"), fields.pop("closing"), fields.pop("wording_key")
    )
    return KeptDraft(**{**fields, "source": DraftSource(fields["source"])}, wording=wording)
