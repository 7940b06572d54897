"""Who looked at whom, and who did what to a record: written with the read or the deed itself, changed by nobody."""

from collections.abc import Sequence
from datetime import datetime

from chassis.caller import Caller
from chassis.database import Transaction
from chassis.ids import new_id

MOST_CLIENTS = 200  # of one look; no list answers more


async def note(
    tx: Transaction,
    caller: Caller,
    action: str,
    client_ids: Sequence[str],
    *,
    now: datetime,
    subject_id: str = "",
) -> None:
    """Write down that `caller` did `action` (the RPC's name) on these clients, or on a subject that is no client's.

    Nothing is written for nobody: a list that was empty, without a subject.
    """
    if not client_ids and not subject_id:
        return
    await tx.execute(
        "insert into audit_entries (chain_id, audit_entry_id, actor, role, action, client_ids, subject_id, created_at)"
        " values (:chain_id, :audit_entry_id, :actor, :role, :action, :client_ids, :subject_id, :now)",
        {
            "chain_id": tx.chain_id,
            "audit_entry_id": new_id("aud"),
            "actor": caller.associate_id or caller.actor_id,
            "role": caller.role,
            "action": action,
            "client_ids": list(dict.fromkeys(client_ids))[:MOST_CLIENTS],
            "subject_id": subject_id,
            "now": now,
        },
    )
