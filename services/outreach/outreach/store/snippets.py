"""Texts that associates keep for drafts. Must not know who may use which."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Row

from chassis.database import Transaction
from outreach.domain.drafts import Snippet, SnippetPlace

_COLUMNS = "snippet_id, associate_id, place, language, body, is_learned, created_at, shortcut"


async def find_snippet(tx: Transaction, snippet_id: str) -> Snippet | None:
    """Return a snippet."""
    found = await tx.execute(
        f"select {_COLUMNS} from snippets where chain_id = :chain_id and snippet_id = :snippet_id",  # noqa: S608 - fixed
        {"chain_id": tx.chain_id, "snippet_id": snippet_id},
    )
    row = found.one_or_none()
    return None if row is None else _snippet(row)


async def list_snippets(
    tx: Transaction, associate_id: str, *, before: tuple[str, str] | None, limit: int
) -> Sequence[Snippet]:
    """Return an associate's snippets, then the chain's, the newest first, after an (associate, id) of a page before."""
    found = await tx.execute(
        f"select {_COLUMNS} from snippets where chain_id = :chain_id and associate_id in (:associate_id, '')"  # noqa: S608
        " and (cast(:before_id as text) is null"
        '  or (associate_id collate "C", snippet_id) < (cast(:before_associate as text) collate "C", :before_id))'
        ' order by associate_id collate "C" desc, snippet_id desc limit :limit',
        {
            "chain_id": tx.chain_id,
            "associate_id": associate_id,
            "before_associate": before[0] if before else None,
            "before_id": before[1] if before else None,
            "limit": limit,
        },
    )
    return [_snippet(row) for row in found]


async def preferred(tx: Transaction, associate_id: str, language: str) -> Sequence[Snippet]:
    """Return what drafts choose from: one's own, written or learned, then the chain's; the newest first. No phrases."""
    found = await tx.execute(
        f"select {_COLUMNS} from snippets where chain_id = :chain_id and associate_id in (:associate_id, '')"  # noqa: S608
        " and language = :language and place <> 'phrase'"
        " order by associate_id = '', created_at desc, snippet_id desc limit 40",
        {"chain_id": tx.chain_id, "associate_id": associate_id, "language": language},
    )
    return [_snippet(row) for row in found]


async def count_snippets(tx: Transaction, associate_id: str) -> int:
    """Return how many snippets somebody keeps."""
    found = await tx.execute(
        "select count(*) from snippets where chain_id = :chain_id and associate_id = :associate_id",
        {"chain_id": tx.chain_id, "associate_id": associate_id},
    )
    return int(found.scalar_one())


async def add_snippet(tx: Transaction, snippet: Snippet) -> bool:
    """Add a snippet that somebody wrote; False when its shortcut is taken."""
    added = await tx.execute(
        "insert into snippets (chain_id, snippet_id, associate_id, place, language, body, is_learned, created_at,"
        " shortcut) values (:chain_id, :snippet_id, :associate_id, :place, :language, :body, false, :created_at,"
        " :shortcut) on conflict (chain_id, associate_id, shortcut) where shortcut <> '' do nothing",
        _parameters(tx, snippet),
    )
    return bool(added.rowcount)


async def put_learned(tx: Transaction, snippet: Snippet) -> None:
    """Put a learned snippet in the place of what was learned there before."""
    await tx.execute(
        "insert into snippets (chain_id, snippet_id, associate_id, place, language, body, is_learned, created_at)"
        " values (:chain_id, :snippet_id, :associate_id, :place, :language, :body, true, :created_at)"
        " on conflict (chain_id, associate_id, place, language) where is_learned do update set"
        " snippet_id = excluded.snippet_id, body = excluded.body, created_at = excluded.created_at",
        _parameters(tx, snippet),
    )


async def drop_learned(tx: Transaction, associate_id: str, place: SnippetPlace, language: str) -> None:
    """Forget what was learned of an associate in a place."""
    await tx.execute(
        "delete from snippets where chain_id = :chain_id and associate_id = :associate_id and place = :place"
        " and language = :language and is_learned",
        {"chain_id": tx.chain_id, "associate_id": associate_id, "place": place, "language": language},
    )


async def delete_snippet(tx: Transaction, snippet_id: str) -> None:
    """Delete a snippet."""
    await tx.execute(
        "delete from snippets where chain_id = :chain_id and snippet_id = :snippet_id",
        {"chain_id": tx.chain_id, "snippet_id": snippet_id},
    )


def _parameters(tx: Transaction, snippet: Snippet) -> dict[str, Any]:
    return {
        "chain_id": tx.chain_id,
        "snippet_id": snippet.snippet_id,
        "associate_id": snippet.associate_id,
        "place": snippet.place,
        "language": snippet.language,
        "body": snippet.body,
        "created_at": snippet.created_at,
        "shortcut": snippet.shortcut,
    }


def _snippet(row: Row[Any]) -> Snippet:
    return Snippet(**{**row._asdict(), "place": SnippetPlace(row.place)})
