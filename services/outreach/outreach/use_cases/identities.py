"""Follow what becomes of clients: merged, taken apart again, erased. Effects run inside their event's transaction."""

from collections.abc import Collection, Mapping
from datetime import datetime

from carnet.privacy.v1 import privacy_pb2

from chassis import identities
from chassis.database import Transaction
from outreach import events
from outreach.store import chains, drafts, due_clients, facts, recipients, refresh, suggestions
from outreach.store.facts import ClientRow
from outreach.use_cases import outcomes
from outreach.use_cases.evaluation import evaluate_client


async def merge_clients(
    tx: Transaction, merge_id: str, *, survivor: ClientRow, merged_id: str, now: datetime
) -> None:
    """Give everything of a client to the survivor; what stood in a queue for the client is withdrawn."""
    currents = await identities.merge(tx, merge_id, kept_id=survivor.client_id, merged_id=merged_id)
    await facts.put_clients(tx, [survivor], now=now)
    await _follow(tx, currents, now=now)


async def unmerge_clients(
    tx: Transaction, merge_id: str, *, survivor: ClientRow, restored: ClientRow, now: datetime
) -> None:
    """Give back what a merge moved; what came since stays with the survivor."""
    currents = await identities.unmerge(
        tx, merge_id, kept_id=survivor.client_id, merged_id=restored.client_id
    )
    await facts.put_clients(tx, [survivor, restored], now=now)
    await _follow(tx, currents, now=now)


async def _follow(tx: Transaction, currents: Mapping[str, str], *, now: datetime) -> None:
    await facts.move_facts(tx, currents, now=now)
    await suggestions.withdraw(
        tx, [client_id for client_id, current in currents.items() if client_id != current], now=now
    )
    await suggestions.follow_clients(tx, currents)
    await drafts.follow_clients(tx, currents)
    await recipients.move_recipients(tx, currents)
    await refresh.refresh_client_facts(tx, await chains.get_chain(tx), currents, now=now)
    for current in sorted(set(currents.values())):
        await evaluate_client(tx, current, now=now)
    await outcomes.follow_clients(tx, currents, now=now)


async def forget_client(
    tx: Transaction, *, erasure_id: str, client_id: str, former_client_ids: Collection[str], now: datetime
) -> None:
    """Forget a person and say what was removed; asked again, it says the same again.

    Nothing is kept: a purchase model holds sums over all clients of a chain, of whom none can be told apart.
    """
    stored = await identities.find_receipt(tx, erasure_id)
    if stored is None:
        client_ids = sorted({client_id, *former_client_ids})
        rest = set(await identities.whole(tx, client_ids)) - set(client_ids)
        await identities.forget(tx, client_ids, cause_id=erasure_id)
        erased = {
            **await facts.erase_clients(tx, client_ids),
            **await drafts.erase_clients(tx, client_ids),
            **await recipients.erase_clients(tx, client_ids),
            **await outcomes.erase_clients(tx, client_ids, now=now),
        }
        await due_clients.forget_due(tx, client_ids)
        receipt = events.erasure_receipt(
            erasure_id=erasure_id,
            client_id=client_id,
            erased={kind: rows for kind, rows in erased.items() if rows},
        )
        if rest:
            await refresh.refresh_client_facts(tx, await chains.get_chain(tx), rest, now=now)
        await identities.keep_receipt(tx, erasure_id, receipt.SerializeToString(deterministic=True))
    else:
        receipt = privacy_pb2.ErasureReceipt.FromString(stored)
    tx.publish(events.client_forgotten(receipt), entity_id=client_id)
