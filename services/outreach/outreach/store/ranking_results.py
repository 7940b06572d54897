"""What a ranking says, written as a set over what stood there. Must not know how it was ranked."""

from collections.abc import Sequence
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
                $10::text[], $11::text[], $12::text[]) as u (suggestion_id, client_id, associate_id, store_id,
                expires_on, score, reasons, signals, model_note)
            join clients c on c.chain_id = $1 and c.client_id = u.client_id and not c.is_deleted
                and c.touched_at <= $13
        ), same as (
            select s.client_id from suggestions s join ranked r using (client_id)
            where s.chain_id = $1 and (s.state = 'open' or (s.state = 'snoozed' and s.snoozed_until > $14))
                and s.updated_at <= $13 and s.tried_at is null and s.as_of = $2
                and (s.associate_id, s.store_id, s.expires_on, s.score, s.model_note)
                    = (r.associate_id, r.store_id, r.expires_on, r.score, r.model_note)
                and s.reasons = r.reasons::jsonb
        ), written as (
            insert into suggestions as old (chain_id, suggestion_id, client_id, associate_id, store_id, state, as_of,
                expires_on, score, reasons, signals, model_note, version, created_at, updated_at)
            select $1, r.suggestion_id, r.client_id, r.associate_id, r.store_id, 'open', $2, r.expires_on, r.score,
                r.reasons::jsonb, string_to_array(r.signals, ','), r.model_note, 1, $3, $3
            from ranked r
            where not exists (select 1 from same where same.client_id = r.client_id)
                and not exists (select 1 from suggestions s where s.chain_id = $1 and s.client_id = r.client_id
                    and s.answered_at > $13)
            on conflict (chain_id, client_id) where state in ('open', 'snoozed') do update set
                associate_id = excluded.associate_id, store_id = excluded.store_id, as_of = excluded.as_of,
                expires_on = excluded.expires_on, score = excluded.score, reasons = excluded.reasons,
                signals = excluded.signals, model_note = excluded.model_note, version = old.version + 1,
                updated_at = excluded.updated_at,
                state = case when old.snoozed_until > $14 then old.state else 'open' end,
                snoozed_until = case when old.snoozed_until > $14 then old.snoozed_until end
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
    )
    return standing
