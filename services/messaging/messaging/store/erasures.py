"""What an erasure removes of a client, table by table. Must not decide whose a number is."""

from collections.abc import Collection, Sequence

from chassis.database import Transaction
from messaging.domain import PermissionEntry
from messaging.store import bulk_recipients, campaigns


async def numbers_of(tx: Transaction, client_ids: Collection[str]) -> Sequence[tuple[str, bool]]:
    """Return the numbers of a person with several ids, and whether somebody else has them too."""
    found = await tx.execute(
        "select phone, exists (select 1 from phone_clients o where o.chain_id = :chain_id and o.phone = p.phone"
        "  and o.client_id <> all(:client_ids)) as is_shared from phone_clients p"
        " where chain_id = :chain_id and client_id = any(:client_ids) group by phone order by phone",
        {"chain_id": tx.chain_id, "client_ids": list(client_ids)},
    )
    return [(row.phone, row.is_shared) for row in found]


async def keep_silence(
    tx: Transaction, *, number_hash: bytes, revocations: Sequence[PermissionEntry], erasure_id: str
) -> None:
    """Remember that a number asked for silence, by its hash; of two revocations of a purpose the later one."""
    if not revocations:
        return
    await tx.execute(
        "insert into suppressions as old (chain_id, number_hash, purpose, entry_id, source, occurred_at, erasure_id)"
        " values (:chain_id, :number_hash, :purpose, :entry_id, :source, :occurred_at, :erasure_id)"
        " on conflict (chain_id, number_hash, purpose) do update set entry_id = excluded.entry_id,"
        " source = excluded.source, occurred_at = excluded.occurred_at, erasure_id = excluded.erasure_id"
        " where old.occurred_at < excluded.occurred_at",
        [
            {
                "chain_id": tx.chain_id,
                "number_hash": number_hash,
                "purpose": entry.purpose,
                "entry_id": entry.entry_id,
                "source": entry.source,
                "occurred_at": entry.occurred_at,
                "erasure_id": erasure_id,
            }
            for entry in revocations
        ],
    )


async def remove_lines(tx: Transaction, phone: str) -> int:
    """Remove the ledger's lines of a number; return how many there were. The one way in which a line ever goes."""
    found = await tx.execute("select erase_permission_entries(:phone)", {"phone": phone})
    return int(found.scalar_one())


async def remove_messages(
    tx: Transaction, *, client_ids: Collection[str] = (), conversation_ids: Collection[str] = ()
) -> int:
    """Remove texts to or from a client, or of whole conversations; one that waits is not sent any more."""
    found = await tx.execute(
        "delete from messages where chain_id = :chain_id"
        " and ((client_id <> '' and client_id = any(:client_ids)) or conversation_id = any(:conversation_ids))"
        " returning message_id, bulk_send_id",
        {
            "chain_id": tx.chain_id,
            "client_ids": list(client_ids),
            "conversation_ids": list(conversation_ids),
        },
    )
    removed = found.all()
    message_ids = [str(row.message_id) for row in removed]
    await bulk_recipients.forget_texts(
        tx, [(row.bulk_send_id, row.message_id) for row in removed if row.bulk_send_id]
    )
    await campaigns.forget_texts(tx, message_ids)
    await tx.execute("delete from due_messages where message_id = any(:ids)", {"ids": message_ids})
    await tx.execute("select blank_inbound_texts(:ids)", {"ids": message_ids})
    return len(message_ids)


async def conversations_of(tx: Transaction, phone: str) -> list[str]:
    """Return the conversations with a number."""
    found = await tx.execute(
        "select conversation_id from conversations where chain_id = :chain_id and client_phone = :phone",
        {"chain_id": tx.chain_id, "phone": phone},
    )
    return [str(conversation_id) for conversation_id in found.scalars()]


async def remove_conversations(tx: Transaction, conversation_ids: Collection[str]) -> int:
    """Remove conversations whose texts are gone."""
    gone = await tx.execute(
        "delete from conversations where chain_id = :chain_id and conversation_id = any(:ids)",
        {"chain_id": tx.chain_id, "ids": list(conversation_ids)},
    )
    return gone.rowcount


async def remove_disowned(tx: Transaction, *, client_ids: Collection[str] = (), phone: str = "") -> int:
    """Forget that a number was said not to be a client's, of some clients or of a number that is forgotten."""
    gone = await tx.execute(
        "delete from disowned_numbers where chain_id = :chain_id and (client_id = any(:client_ids) or phone = :phone)",
        {"chain_id": tx.chain_id, "client_ids": list(client_ids), "phone": phone},
    )
    return gone.rowcount


async def remove_numbers(tx: Transaction, client_ids: Collection[str]) -> int:
    """Forget which numbers a client had."""
    gone = await tx.execute(
        "delete from phone_clients where chain_id = :chain_id and client_id = any(:client_ids)",
        {"chain_id": tx.chain_id, "client_ids": list(client_ids)},
    )
    return gone.rowcount
