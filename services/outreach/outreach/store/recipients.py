"""Recipients of campaigns: taking a batch, what became of each, and how far a campaign is. Must not judge who fits."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from chassis import identities
from chassis.database import Transaction
from outreach.domain.campaigns import NO_PROGRESS, Progress, RecipientState
from outreach.store.audiences import CANCELLED


@dataclass(frozen=True)
class Recipient:
    """One client in a campaign; `recipient_id` is the id under which the client was frozen and never changes."""

    recipient_id: str
    client_id: str
    state: RecipientState
    reason: str
    message_id: str
    updated_at: datetime


@dataclass(frozen=True)
class Taken:
    """A recipient whose text is to be handed on; `body` and `asked_at` are there when that was begun before."""

    recipient_id: str
    client_id: str
    associate_id: str
    store_id: str
    body: str
    asked_at: datetime | None


async def read_progress(tx: Transaction, campaign_ids: Collection[str]) -> Mapping[str, Progress]:
    """Return how far each campaign is."""
    found = await tx.execute(
        "select campaign_id, state, reason, count(*) as clients, count(*) filter (where is_recipient) as recipients"
        " from campaign_recipients"
        " where chain_id = :chain_id and campaign_id = any(:campaign_ids) group by 1, 2, 3 order by 1, 2, 3",
        {"chain_id": tx.chain_id, "campaign_ids": list(campaign_ids)},
    )
    progress = dict.fromkeys(campaign_ids, NO_PROGRESS)
    for row in found:
        one = progress[row.campaign_id]
        state = RecipientState(row.state)
        is_waiting = state in (RecipientState.WAITING, RecipientState.SENDING)
        is_excluded = state is RecipientState.EXCLUDED
        progress[row.campaign_id] = Progress(
            recipients=one.recipients + row.recipients,
            held_out=one.held_out + (row.clients if state is RecipientState.HELD_OUT else 0),
            waiting=one.waiting + (row.clients if is_waiting else 0),
            sent=one.sent + (row.clients if state is RecipientState.SENT else 0),
            excluded={**one.excluded, row.reason: row.clients} if is_excluded else one.excluded,
            replies=0,
        )
    # As the reports count them: a reply within the chain's days, credited to the text.
    replied = await tx.execute(
        "select campaign_id, count(*) as replies from touches where chain_id = :chain_id"
        " and campaign_id = any(:campaign_ids) and campaign_id <> '' and touched_at is not null"
        " and reply_parts > 0 group by 1",
        {"chain_id": tx.chain_id, "campaign_ids": list(campaign_ids)},
    )
    return progress | {
        row.campaign_id: replace(progress[row.campaign_id], replies=row.replies) for row in replied
    }


async def list_recipients(
    tx: Transaction, campaign_id: str, *, states: Collection[RecipientState], after: str, limit: int
) -> Sequence[Recipient]:
    """Return recipients in one of some states, all where none is given, by their id after `after`."""
    found = await tx.execute(
        "select recipient_id, client_id, state, reason, message_id, updated_at from campaign_recipients"
        " where chain_id = :chain_id and campaign_id = :campaign_id and recipient_id > :after"
        " and (cardinality(cast(:states as text[])) = 0 or state = any(cast(:states as text[])))"
        " order by recipient_id limit :limit",
        {
            "chain_id": tx.chain_id,
            "campaign_id": campaign_id,
            "states": [str(state) for state in states],
            "after": after,
            "limit": limit,
        },
    )
    return [Recipient(**{**row._asdict(), "state": RecipientState(row.state)}) for row in found]


async def forget_recipients(tx: Transaction, campaign_id: str) -> None:
    """Remove whom a campaign was frozen for; nothing of it may have been sent."""
    await tx.execute(
        "delete from campaign_recipients where chain_id = :chain_id and campaign_id = :campaign_id",
        {"chain_id": tx.chain_id, "campaign_id": campaign_id},
    )


async def waiting_batch(tx: Transaction, campaign_id: str, *, limit: int) -> Mapping[str, str]:
    """Return the clients of the next recipients that wait, by recipient, held until the commit."""
    found = await tx.execute(
        "select recipient_id, client_id from campaign_recipients where chain_id = :chain_id"
        " and campaign_id = :campaign_id and state = 'waiting' order by recipient_id limit :limit"
        " for update skip locked",
        {"chain_id": tx.chain_id, "campaign_id": campaign_id, "limit": limit},
    )
    return {row.recipient_id: row.client_id for row in found}


async def same_person(tx: Transaction, campaign_id: str, recipient_ids: Collection[str]) -> set[str]:
    """Return those whose client is in the campaign under another id as well, which was or will be reached first."""
    found = await tx.execute(
        "select r.recipient_id from campaign_recipients r where r.chain_id = :chain_id"
        " and r.campaign_id = :campaign_id and r.recipient_id = any(:recipient_ids)"
        " and exists (select 1 from campaign_recipients o where o.chain_id = r.chain_id"
        "  and o.campaign_id = r.campaign_id and o.client_id = r.client_id and o.recipient_id <> r.recipient_id"
        "  and (o.state in ('sending', 'sent', 'held_out')"
        "   or (o.state = 'waiting' and o.recipient_id < r.recipient_id)))",
        {"chain_id": tx.chain_id, "campaign_id": campaign_id, "recipient_ids": list(recipient_ids)},
    )
    return set(found.scalars())


async def begin_sending(
    tx: Transaction, campaign_id: str, recipient_ids: Collection[str], *, lease_until: datetime, now: datetime
) -> None:
    """Reserve recipients for whoever took them, until their lease is over."""
    await tx.execute(
        "update campaign_recipients set state = 'sending', lease_until = :lease_until, updated_at = :now"
        " where chain_id = :chain_id and campaign_id = :campaign_id and recipient_id = any(:recipient_ids)",
        {
            "chain_id": tx.chain_id,
            "campaign_id": campaign_id,
            "recipient_ids": list(recipient_ids),
            "lease_until": lease_until,
            "now": now,
        },
    )


async def release(tx: Transaction, campaign_id: str, *, now: datetime) -> None:
    """Have those wait again whose sender did not come as far as to note a text: they are judged anew."""
    await tx.execute(
        "update campaign_recipients set state = 'waiting', lease_until = null, updated_at = :now"
        " where chain_id = :chain_id and campaign_id = :campaign_id and state = 'sending' and asked_at is null"
        " and lease_until <= :now",
        {"chain_id": tx.chain_id, "campaign_id": campaign_id, "now": now},
    )


async def retake(
    tx: Transaction, campaign_id: str, *, limit: int, lease_until: datetime, now: datetime
) -> list[str]:
    """Reserve recipients again whose sender did not come back, or was to try again; return who they are."""
    found = await tx.execute(
        "update campaign_recipients r set lease_until = :lease_until from ("
        " select recipient_id from campaign_recipients where chain_id = :chain_id and campaign_id = :campaign_id"
        "  and state = 'sending' and lease_until <= :now order by recipient_id limit :limit for update skip locked"
        ") as late where r.chain_id = :chain_id and r.campaign_id = :campaign_id and r.recipient_id = late.recipient_id"
        " returning r.recipient_id",
        {
            "chain_id": tx.chain_id,
            "campaign_id": campaign_id,
            "limit": limit,
            "lease_until": lease_until,
            "now": now,
        },
    )
    return list(found.scalars())


async def read_taken(tx: Transaction, campaign_id: str, recipient_ids: Collection[str]) -> Sequence[Taken]:
    """Return what is known of recipients that are being sent to."""
    found = await tx.execute(
        "select r.recipient_id, r.client_id, coalesce(c.associate_id, '') as associate_id, r.body, r.asked_at,"
        " case when r.asked_at is null then coalesce(c.store_id, '') else r.store_id end as store_id"
        " from campaign_recipients r left join clients c using (chain_id, client_id) where r.chain_id = :chain_id"
        " and r.campaign_id = :campaign_id and r.recipient_id = any(:recipient_ids) and r.state = 'sending'"
        " order by r.recipient_id",
        {"chain_id": tx.chain_id, "campaign_id": campaign_id, "recipient_ids": list(recipient_ids)},
    )
    return [Taken(**row._asdict()) for row in found]


async def note_bodies(
    tx: Transaction, campaign_id: str, written: Sequence[tuple[Taken, str]], *, now: datetime
) -> set[str]:
    """Keep the texts before messaging is asked; return whose text may go: not those stopped or written meanwhile."""
    connection = await tx.driver()
    rows = await connection.fetch(
        "update campaign_recipients r set body = u.body, store_id = u.store_id, asked_at = $3, updated_at = $3"
        " from unnest($4::text[], $5::text[], $6::text[]) as u (recipient_id, store_id, body)"
        " where r.chain_id = $1 and r.campaign_id = $2 and r.recipient_id = u.recipient_id and r.state = 'sending'"
        " and r.asked_at is null returning r.recipient_id",
        tx.chain_id,
        campaign_id,
        now,
        [taken.recipient_id for taken, _ in written],
        [taken.store_id for taken, _ in written],
        [body for _, body in written],
    )
    return {row[0] for row in rows}


async def settle(
    tx: Transaction,
    campaign_id: str,
    recipient_id: str,
    *,
    message_id: str,
    reason: str,
    now: datetime,
) -> bool:
    """Write down what became of a text: sent, or excluded where there is a reason. False when it was settled before."""
    settled = await tx.execute(
        "update campaign_recipients set body = '', lease_until = null, message_id = :message_id, updated_at = :now,"
        " failed_message_ids = '{}', reason = case when :message_id = any(failed_message_ids) then 'SEND_FAILED'"
        "  else :reason end,"
        " state = case when :reason <> '' or :message_id = any(failed_message_ids) then 'excluded' else 'sent' end"
        " where chain_id = :chain_id and campaign_id = :campaign_id and recipient_id = :recipient_id"
        " and state = 'sending'",
        {
            "chain_id": tx.chain_id,
            "campaign_id": campaign_id,
            "recipient_id": recipient_id,
            "message_id": message_id,
            "reason": reason,
            "now": now,
        },
    )
    return bool(settled.rowcount)


async def try_later(
    tx: Transaction, campaign_id: str, recipient_ids: Collection[str], *, at: datetime
) -> None:
    """Have recipients taken again at a time; a text that was noted stays the one that is asked for."""
    await tx.execute(
        "update campaign_recipients set lease_until = :at where chain_id = :chain_id and campaign_id = :campaign_id"
        " and recipient_id = any(:recipient_ids) and state = 'sending'",
        {"chain_id": tx.chain_id, "campaign_id": campaign_id, "recipient_ids": list(recipient_ids), "at": at},
    )


async def exclude(tx: Transaction, campaign_id: str, reasons: Mapping[str, str], *, now: datetime) -> None:
    """Leave recipients alone, each for a reason; one whose text may be out is not touched."""
    connection = await tx.driver()
    await connection.execute(
        "update campaign_recipients r set state = 'excluded', reason = u.reason, lease_until = null, updated_at = $3"
        " from unnest($4::text[], $5::text[]) as u (recipient_id, reason) where r.chain_id = $1"
        " and r.campaign_id = $2 and r.recipient_id = u.recipient_id and r.state in ('waiting', 'sending')"
        " and r.asked_at is null",
        tx.chain_id,
        campaign_id,
        now,
        list(reasons),
        list(reasons.values()),
    )


async def stop_waiting(tx: Transaction, campaign_id: str, *, now: datetime) -> None:
    """Leave alone whoever's text messaging has not been asked for yet."""
    await tx.execute(
        "update campaign_recipients set state = 'excluded', reason = :reason, lease_until = null, updated_at = :now"
        " where chain_id = :chain_id and campaign_id = :campaign_id and (state = 'waiting'"
        "  or (state = 'sending' and asked_at is null))",
        {"chain_id": tx.chain_id, "campaign_id": campaign_id, "reason": CANCELLED, "now": now},
    )


async def has_open(tx: Transaction, campaign_id: str) -> bool:
    """Return whether anybody waits, or a text is on its way."""
    return await _has(tx, campaign_id, (RecipientState.WAITING, RecipientState.SENDING))


async def has_waiting(tx: Transaction, campaign_id: str) -> bool:
    """Return whether anybody waits."""
    return await _has(tx, campaign_id, (RecipientState.WAITING,))


async def _has(tx: Transaction, campaign_id: str, states: Sequence[RecipientState]) -> bool:
    found = await tx.execute(
        "select exists (select 1 from campaign_recipients where chain_id = :chain_id"
        " and campaign_id = :campaign_id and state = any(:states))",
        {"chain_id": tx.chain_id, "campaign_id": campaign_id, "states": [str(state) for state in states]},
    )
    return bool(found.scalar())


async def next_lease_end(tx: Transaction, campaign_id: str) -> datetime | None:
    """Return when the first text on its way may be taken again; None when none is on its way."""
    found = await tx.execute(
        "select min(lease_until) from campaign_recipients where chain_id = :chain_id and campaign_id = :campaign_id"
        " and state = 'sending'",
        {"chain_id": tx.chain_id, "campaign_id": campaign_id},
    )
    at: datetime | None = found.scalar()
    return at


async def count_recipients(tx: Transaction, campaign_id: str) -> int:
    """Return how many were to get the text when the audience was frozen."""
    found = await tx.execute(
        "select count(*) from campaign_recipients where chain_id = :chain_id and campaign_id = :campaign_id"
        " and is_recipient",
        {"chain_id": tx.chain_id, "campaign_id": campaign_id},
    )
    return int(found.scalar() or 0)


async def note_failure(tx: Transaction, message_id: str, client_id: str, *, now: datetime) -> None:
    """Note that the network gave up on a text, which may be heard of before its answer was written down."""
    parameters = {"chain_id": tx.chain_id, "message_id": message_id, "client_id": client_id, "now": now}
    failed = await tx.execute(
        "update campaign_recipients set state = 'excluded', reason = 'SEND_FAILED', updated_at = :now"
        " where chain_id = :chain_id and message_id = :message_id and message_id <> '' and state = 'sent'",
        parameters,
    )
    if not failed.rowcount and client_id:
        await tx.execute(
            "update campaign_recipients set failed_message_ids = array_append(failed_message_ids, :message_id)"
            " where chain_id = :chain_id and (client_id = :client_id or original_client_id = :client_id)"
            " and state = 'sending'"
            " and :message_id <> all(failed_message_ids)",
            parameters,
        )


async def move_recipients(tx: Transaction, currents: Mapping[str, str]) -> None:
    """Give rows to whom their clients are now; two rows of one person stay two, and only one of them is written to."""
    await identities.move_rows(tx, "campaign_recipients", "client_id", currents)


async def erase_clients(tx: Transaction, client_ids: Collection[str]) -> dict[str, int]:
    """Remove everything that came under the ids of a person; return how many rows, nothing for none."""
    gone = await tx.execute(
        f"delete from campaign_recipients where chain_id = :chain_id and {identities.came_as('client_id')}",  # noqa: S608
        {"chain_id": tx.chain_id, "ids": list(client_ids)},
    )
    return {"campaign_recipients": gone.rowcount} if gone.rowcount else {}
