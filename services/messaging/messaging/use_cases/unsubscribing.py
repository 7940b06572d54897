"""Obey the way out of an e-mail."""

from collections.abc import Sequence

from chassis.clock import Clock
from chassis.database import Database
from messaging.domain import UNSUBSCRIBED, Change, Channel, Purpose
from messaging.store import conversations, permissions, senders
from messaging.suppression import Suppressor
from messaging.use_cases.permissions import record

_EVIDENCE = "The way out of an e-mail was taken."


def left_by(purpose: Purpose) -> Sequence[Purpose]:
    """Return what a reader wants no more of: whoever wants nothing about repairs wants no news either."""
    return (Purpose.MARKETING,) if purpose is Purpose.MARKETING else (Purpose.SERVICE, Purpose.MARKETING)


async def unsubscribe(
    *,
    database: Database,
    clock: Clock,
    suppressor: Suppressor,
    chain_id: str,
    conversation_id: str,
    message_id: str,
    purpose: Purpose,
) -> None:
    """Revoke for the address of a conversation, on EMAIL; what is silent already stays as it is.

    An address that was erased since is nobody's, and gets nothing any more.
    """
    now = clock.now()
    async with database.transaction(chain_id) as tx:
        conversation = await conversations.find(tx, conversation_id)
        if conversation is None or conversation.channel is not Channel.EMAIL:
            return
        address = conversation.client_phone
        await conversations.lock_number(tx, address)
        asked = [(address, one, Channel.EMAIL) for one in left_by(purpose)]
        decide = await permissions.deciding_each(tx, asked, suppressor)
        leaving = [
            one
            for (_, one, _), line in zip(asked, decide, strict=True)
            if line is None or line.change is not Change.REVOKED
        ]
        if not leaving:
            return
        await record(
            tx,
            suppressor=suppressor,
            phone=address,
            purposes=leaving,
            change=Change.REVOKED,
            evidence=_EVIDENCE,
            source=UNSUBSCRIBED,
            actor="client",
            cause_id=message_id,
            occurred_at=now,
            now=now,
            channels=[Channel.EMAIL],
        )


async def sender_name(*, database: Database, chain_id: str, conversation_id: str) -> str:
    """Return who wrote, for the page that asks; empty when nobody knows any more."""
    async with database.transaction(chain_id) as tx:
        conversation = await conversations.find(tx, conversation_id)
        if conversation is None:
            return ""
        return (await senders.get(tx, conversation.sender_id)).display_name
