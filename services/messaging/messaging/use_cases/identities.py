"""Follow what becomes of clients: merged, taken apart again, erased.

A merge moves nothing here. Conversations and permissions belong to numbers, and who has a number is kept under the id
by which we heard of it; whom that id leads to is looked up when it is read. So a merge can neither widen nor lose a
permission, and taking it back gives everybody their own.
"""

from collections import Counter
from collections.abc import Collection
from datetime import datetime

from carnet.privacy.v1 import privacy_pb2

from chassis import identities
from chassis.database import Transaction
from messaging import events
from messaging.domain import Change, PermissionEntry, Purpose, channels_of
from messaging.store import bulk_recipients, conversations, erasures, permissions
from messaging.suppression import Suppressor

SILENCE = "permission_ledger"
SILENCE_BASIS = "keyed hash of a number that asked for silence: 47 CFR 64.1200(d), GDPR art. 17(3)(b)"
SHARED = "shared_numbers"
SHARED_BASIS = (
    "number, conversation and permissions belong to another client too: GDPR art. 17(3)(e), rights of others"
)


async def merge_clients(tx: Transaction, merge_id: str, *, surviving_id: str, merged_id: str) -> None:
    """Note that a client is another one from now on."""
    await identities.merge(tx, merge_id, kept_id=surviving_id, merged_id=merged_id)


async def unmerge_clients(
    tx: Transaction,
    merge_id: str,
    *,
    surviving_id: str,
    restored_id: str,
    restored_phones: Collection[str],
    now: datetime,
) -> None:
    """Note that a merge was taken back. `restored_phones` are numbers that only the restored client has, as profiles
    says: those that we learned of in between, as the survivor's, go along."""
    await identities.unmerge(tx, merge_id, kept_id=surviving_id, merged_id=restored_id)
    for phone in sorted(restored_phones):
        await conversations.give_number(tx, phone=phone, from_id=surviving_id, to_id=restored_id, now=now)


async def forget_client(
    tx: Transaction,
    *,
    erasure_id: str,
    client_id: str,
    former_client_ids: Collection[str],
    suppressor: Suppressor,
) -> None:
    """Forget a person and say what was removed and what is kept, and why; asked again, it says the same again."""
    stored = await identities.find_receipt(tx, erasure_id)
    if stored is None:
        receipt = await _forget(
            tx,
            erasure_id=erasure_id,
            client_id=client_id,
            client_ids=sorted({client_id, *former_client_ids}),
            suppressor=suppressor,
        )
        await identities.keep_receipt(tx, erasure_id, receipt.SerializeToString(deterministic=True))
    else:
        receipt = privacy_pb2.ErasureReceipt.FromString(stored)
    tx.publish(events.client_forgotten(receipt), entity_id=client_id)


async def _forget(
    tx: Transaction, *, erasure_id: str, client_id: str, client_ids: list[str], suppressor: Suppressor
) -> privacy_pb2.ErasureReceipt:
    await identities.forget(tx, client_ids, cause_id=erasure_id)
    erased: Counter[str] = Counter()
    retained: Counter[str] = Counter()
    for phone, is_shared in await erasures.numbers_of(tx, client_ids):
        await conversations.lock_number(tx, phone)
        if is_shared:
            retained[SHARED] += 1
            continue
        asked = [(phone, purpose, channel) for purpose in Purpose for channel in channels_of(phone)]
        # Whatever keeps a number silent, doubtful or not, keeps it silent, and on all channels: nobody is left to ask.
        silent: dict[Purpose, PermissionEntry] = {}
        for line in await permissions.deciding_each(tx, asked, suppressor):
            if line is not None and line.change in (Change.REVOKED, Change.SUSPENDED):
                known = silent.get(line.purpose)
                if known is None or known.occurred_at < line.occurred_at:
                    silent[line.purpose] = line
        revocations = list(silent.values())
        await erasures.keep_silence(
            tx,
            number_hash=suppressor.hash_of(tx.chain_id, phone),
            revocations=revocations,
            erasure_id=erasure_id,
        )
        retained[SILENCE] += len(revocations)
        erased["permission_entries"] += await erasures.remove_lines(tx, phone)
        conversation_ids = await erasures.conversations_of(tx, phone)
        erased["messages"] += await erasures.remove_messages(tx, conversation_ids=conversation_ids)
        erased["conversations"] += await erasures.remove_conversations(tx, conversation_ids)
        await erasures.remove_disowned(tx, phone=phone)
        await permissions.note_alive(tx, phone)
        await permissions.forget_verified(tx, phone)
    erased["messages"] += await erasures.remove_messages(tx, client_ids=client_ids)
    if recipients := await bulk_recipients.forget_clients(tx, client_ids):
        erased["bulk_recipients"] += recipients
    erased["numbers"] += await erasures.remove_numbers(tx, client_ids)
    if disowned := await erasures.remove_disowned(tx, client_ids=client_ids):
        erased["disowned_numbers"] += disowned
    bases = {SILENCE: SILENCE_BASIS, SHARED: SHARED_BASIS}
    return events.erasure_receipt(
        erasure_id=erasure_id,
        client_id=client_id,
        erased=erased,
        retained=[(category, bases[category], count) for category, count in retained.items() if count],
    )
