"""Messages as they are looked for: by the words in them, and the newest of each conversation."""

from collections.abc import Collection, Sequence

from chassis.database import Transaction
from messaging.domain import Message
from messaging.store import messages


async def search(
    tx: Transaction,
    query: str,
    *,
    store_id: str,
    conversation_ids: Collection[str] | None,
    before: int | None,
    most: int,
) -> Sequence[Message]:
    """Return up to `most` messages and notes with all words of a query in them, the newest first.

    `conversation_ids` is None for all conversations, among which texts that went to many do not count.
    """
    found = await tx.execute(
        "select message_id from search_messages(:query, :store_id, cast(:conversation_ids as text[]),"
        " cast(:before as bigint), :most) as message_id",
        {
            "query": query,
            "store_id": store_id,
            "conversation_ids": None if conversation_ids is None else list(conversation_ids),
            "before": before,
            "most": most,
        },
    )
    by_id = await messages.find_all(tx, list(found.scalars()))
    return sorted(by_id.values(), key=lambda message: -message.position)


async def newest(tx: Transaction, conversation_ids: Collection[str]) -> dict[str, Message]:
    """Return the newest message or note of each conversation that has one."""
    found = await tx.execute(
        "select last.message_id from unnest(cast(:ids as text[])) as wanted (conversation_id)"
        " cross join lateral (select m.message_id from messages m"
        "  where m.conversation_id = wanted.conversation_id order by m.position desc limit 1) as last",
        {"ids": list(conversation_ids)},
    )
    by_id = await messages.find_all(tx, list(found.scalars()))
    return {message.conversation_id: message for message in by_id.values()}
