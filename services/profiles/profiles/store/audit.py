"""Who looked at whom, and who did what to a record: written with the read or the deed itself, changed by nobody."""

from collections.abc import Sequence
from dataclasses import dataclass
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


@dataclass(frozen=True, slots=True)
class AuditEntry:
    """One look at somebody's records, or one deed on them."""

    audit_entry_id: str
    actor: str
    role: str
    action: str
    client_ids: Sequence[str]
    subject_id: str
    created_at: datetime


async def list_entries(
    tx: Transaction,
    *,
    client_id: str,
    actor: str,
    action: str,
    start: datetime | None,
    end: datetime | None,
    before: str,
    limit: int,
) -> list[AuditEntry]:
    """Return entries, newest first; about one client with all who were merged into the client, or about all."""
    conditions = ["chain_id = :chain_id"]
    if client_id:
        conditions.append(
            "client_ids && (array(select alias_id from client_aliases a where a.chain_id = :chain_id"
            " and a.client_id = :client_id) || cast(:client_id as text))"
        )
    conditions += ["actor = :actor"] if actor else []
    conditions += ["action = :action"] if action else []
    conditions += ["created_at >= :start"] if start else []
    conditions += ["created_at < :end"] if end else []
    conditions += ["audit_entry_id < :before"] if before else []
    found = await tx.execute(
        "select audit_entry_id, actor, role, action, client_ids, subject_id, created_at from audit_entries"  # noqa: S608
        f" where {' and '.join(conditions)} order by audit_entry_id desc limit :limit",
        {
            "chain_id": tx.chain_id,
            "client_id": client_id,
            "actor": actor,
            "action": action,
            "start": start,
            "end": end,
            "before": before,
            "limit": limit,
        },
    )
    return [AuditEntry(**row._mapping) for row in found]
