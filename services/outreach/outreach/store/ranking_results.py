"""What a ranking says, written as a set over what stood there. Must not know how it was ranked."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta

from chassis.database import Transaction
from outreach.domain import Suggestion
from outreach.store.suggestions import reasons_document

# A text whose fate is unknown keeps its suggestion from being re-ranked away, but not for ever.
IN_DOUBT = timedelta(days=1)


async def replace_ranking(
    tx: Transaction, suggestions: Sequence[Suggestion], *, began_at: datetime, today: date, now: datetime
) -> int:
    """Make the chain's live suggestions those of a ranking that began at `began_at`; return how many it stands behind.

    What people or events did since then is newer and stays: a client who was answered or touched gets no suggestion
    from this ranking, a suggestion that changed is left alone, and so is one whose text may be on its way. What stands
    there as the ranking says it is not written again.
    """
    connection = await tx.driver()
    await connection.execute(
        "update suggestions set state = 'expired', snoozed_until = null, version = version + 1, updated_at = $3"
        " where chain_id = $1 and state in ('open', 'snoozed') and client_id <> all($2::text[]) and updated_at <= $4"
        " and (tried_at is null or tried_at < $5)",
        tx.chain_id,
        [suggestion.client_id for suggestion in suggestions],
        now,
        began_at,
        now - IN_DOUBT,
    )
    standing: int = await connection.fetchval(
        """
        with ranked as (
            select u.* from unnest($4::text[], $5::text[], $6::text[], $7::text[], $8::date[], $9::float8[],
                $10::text[], $11::text[], $12::text[], $16::text[], $17::text[], $18::boolean[]) as u (suggestion_id,
                client_id, associate_id, store_id, expires_on, score, reasons, signals, model_note, tier, action,
                is_explored)
            join clients c on c.chain_id = $1 and c.client_id = u.client_id and not c.is_deleted
                and c.touched_at <= $13
        ), same as (
            select s.client_id from suggestions s join ranked r using (client_id)
            where s.chain_id = $1 and (s.state = 'open' or (s.state = 'snoozed' and s.snoozed_until > $14))
                and s.updated_at <= $13 and s.tried_at is null and s.as_of = $2
                and (s.reassigned_by <> '' or (s.associate_id, s.store_id) = (r.associate_id, r.store_id))
                and (s.expires_on, s.score, s.model_note, s.tier, s.action, s.is_explored)
                    = (r.expires_on, r.score, r.model_note, r.tier, r.action, r.is_explored)
                and s.reasons = r.reasons::jsonb
        ), written as (
            insert into suggestions as old (chain_id, suggestion_id, client_id, associate_id, store_id, state, as_of,
                expires_on, score, reasons, signals, model_note, tier, action, is_explored, version, created_at,
                updated_at)
            select $1, r.suggestion_id, r.client_id, r.associate_id, r.store_id, 'open', $2, r.expires_on, r.score,
                r.reasons::jsonb, string_to_array(r.signals, ','), r.model_note, r.tier, r.action, r.is_explored, 1, $3,
                $3
            from ranked r
            where not exists (select 1 from same where same.client_id = r.client_id)
                and not exists (select 1 from suggestions s where s.chain_id = $1 and s.client_id = r.client_id
                    and s.answered_at > $13)
            on conflict (chain_id, client_id) where state in ('open', 'snoozed') do update set
                associate_id = case when old.reassigned_by = '' then excluded.associate_id else old.associate_id end,
                store_id = case when old.reassigned_by = '' then excluded.store_id else old.store_id end,
                action = case when old.reassigned_by = '' then excluded.action else old.action end,
                as_of = excluded.as_of, expires_on = excluded.expires_on, score = excluded.score,
                reasons = excluded.reasons, signals = excluded.signals, model_note = excluded.model_note,
                tier = excluded.tier, is_explored = excluded.is_explored, version = old.version + 1,
                updated_at = excluded.updated_at,
                state = case when old.snoozed_until > $14 then old.state else 'open' end,
                snoozed_until = case when old.snoozed_until > $14 then old.snoozed_until end,
                waiting_since = case when old.snoozed_until <= $14 then old.snoozed_until else old.waiting_since end
            where old.updated_at <= $13 and (old.tried_at is null or old.tried_at < $15)
            returning 1
        )
        select (select count(*) from same) + (select count(*) from written)
        """,
        tx.chain_id,
        suggestions[0].as_of if suggestions else today,
        now,
        [s.suggestion_id for s in suggestions],
        [s.client_id for s in suggestions],
        [s.associate_id for s in suggestions],
        [s.store_id for s in suggestions],
        [s.expires_on for s in suggestions],
        [s.score for s in suggestions],
        [reasons_document(s) for s in suggestions],
        [",".join(s.signals) for s in suggestions],
        [s.model_note for s in suggestions],
        began_at,
        today,
        now - IN_DOUBT,
        [s.tier or "" for s in suggestions],
        [s.action for s in suggestions],
        [s.is_explored for s in suggestions],
    )
    return standing


@dataclass(frozen=True)
class Standing:
    """What matters of a live suggestion when its client is looked at again."""

    suggestion_id: str
    client_id: str
    as_of: date
    expires_on: date
    is_on_its_way: bool  # a text of it may have gone out


async def lock_live(tx: Transaction, client_ids: Collection[str]) -> Mapping[str, Standing]:
    """Return the live suggestions of clients by client; nobody else changes them before the commit."""
    connection = await tx.driver()
    rows = await connection.fetch(
        "select suggestion_id, client_id, as_of, expires_on, cardinality(tried_bodies) > 0 as is_on_its_way"
        " from suggestions where chain_id = $1 and client_id = any($2::text[]) and state in ('open', 'snoozed')"
        " order by client_id for update",
        tx.chain_id,
        list(client_ids),
    )
    return {row["client_id"]: Standing(**dict(row)) for row in rows}


async def expire(tx: Transaction, suggestion_ids: Collection[str], *, now: datetime) -> None:
    """Take suggestions off the queue."""
    connection = await tx.driver()
    await connection.execute(
        "update suggestions set state = 'expired', snoozed_until = null, version = version + 1, updated_at = $3"
        " where chain_id = $1 and suggestion_id = any($2::text[])",
        tx.chain_id,
        list(suggestion_ids),
        now,
    )


async def refresh(tx: Transaction, suggestions: Sequence[Suggestion], *, now: datetime) -> Collection[str]:
    """Write suggestions over the live ones of their clients, and add those of clients without; return the added ids.

    What people did to a live one stays: its state, and until when it is put away.
    """
    connection = await tx.driver()
    rows = await connection.fetch(
        """
        insert into suggestions as old (chain_id, suggestion_id, client_id, associate_id, store_id, state, as_of,
            expires_on, score, reasons, signals, model_note, tier, action, version, created_at, updated_at)
        select $1, u.suggestion_id, u.client_id, u.associate_id, u.store_id, 'open', u.as_of, u.expires_on, u.score,
            u.reasons::jsonb, string_to_array(u.signals, ','), u.model_note, u.tier, u.action, 1, $2, $2
        from unnest($3::text[], $4::text[], $5::text[], $6::text[], $7::date[], $8::date[], $9::float8[], $10::text[],
            $11::text[], $12::text[], $13::text[], $14::text[]) as u (suggestion_id, client_id, associate_id, store_id,
            as_of, expires_on, score, reasons, signals, model_note, tier, action)
        order by u.client_id
        on conflict (chain_id, client_id) where state in ('open', 'snoozed') do update set
            associate_id = case when old.reassigned_by = '' then excluded.associate_id else old.associate_id end,
            store_id = case when old.reassigned_by = '' then excluded.store_id else old.store_id end,
            action = case when old.reassigned_by = '' then excluded.action else old.action end,
            as_of = excluded.as_of, expires_on = excluded.expires_on, score = excluded.score,
            reasons = excluded.reasons, signals = excluded.signals, model_note = excluded.model_note,
            tier = excluded.tier, version = old.version + 1, updated_at = excluded.updated_at
        where (old.as_of, old.expires_on, old.score, old.reasons, old.model_note, old.tier, old.action)
            is distinct from (excluded.as_of, excluded.expires_on, excluded.score, excluded.reasons,
                excluded.model_note, excluded.tier, excluded.action)
            or (old.reassigned_by = '' and (old.associate_id, old.store_id)
                is distinct from (excluded.associate_id, excluded.store_id))
        returning suggestion_id, version
        """,
        tx.chain_id,
        now,
        [s.suggestion_id for s in suggestions],
        [s.client_id for s in suggestions],
        [s.associate_id for s in suggestions],
        [s.store_id for s in suggestions],
        [s.as_of for s in suggestions],
        [s.expires_on for s in suggestions],
        [s.score for s in suggestions],
        [reasons_document(s) for s in suggestions],
        [",".join(s.signals) for s in suggestions],
        [s.model_note for s in suggestions],
        [s.tier or "" for s in suggestions],
        [s.action for s in suggestions],
    )
    return {row["suggestion_id"] for row in rows if row["version"] == 1}


async def least_scores(
    tx: Transaction, associate_ids: Collection[str], *, queue_size: int
) -> Mapping[str, float]:
    """Return the score from which a suggestion is among an associate's best, of those whose queue is full."""
    connection = await tx.driver()
    rows = await connection.fetch(
        "select associate_id, score from (select associate_id, score, row_number() over (partition by associate_id"
        "  order by score desc) as place from suggestions where chain_id = $1 and associate_id = any($2::text[])"
        "  and action = 'personal' and state in ('open', 'snoozed')) as placed where place = $3",
        tx.chain_id,
        list(associate_ids),
        queue_size,
    )
    return {row["associate_id"]: row["score"] for row in rows}
