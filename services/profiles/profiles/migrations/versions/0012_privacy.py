"""Exports, erasures with their receipts, and who must not come back.

An erased client's row stays as a tombstone, because purchases that the law wants kept hang on it. A policy hides it
from every statement that does not ask for tombstones, so no list, search, count or late fact can find it; no query has
to remember that.

privacy_jobs is read across chains by the background work: ids and times, no more. Its rows that wait come by due_at.
"""

from chassis.migrations import append_only, run_sql, secure

revision = "0012"
down_revision = "0011"


def upgrade() -> None:
    _create_suppressions()
    _create_jobs()
    _create_exports()
    _create_erasures()
    _hide_tombstones()
    _let_consents_lose_their_contact()
    _index_mentions()


def _create_suppressions() -> None:
    run_sql(
        """
        create table suppressions (
            chain_id text not null,
            key_hash bytea not null,
            kind text not null check (kind in ('phone', 'email', 'external_id')),
            erasure_id text not null,
            created_at timestamptz not null,
            primary key (chain_id, key_hash)
        );
        """
    )
    secure("suppressions")


def _create_jobs() -> None:
    run_sql(
        """
        create table privacy_jobs (
            chain_id text not null,
            kind text not null,
            subject_id text not null,
            due_at timestamptz not null,
            attempts integer not null default 0,
            primary key (chain_id, kind, subject_id)
        );
        create index privacy_jobs_due on privacy_jobs (due_at);
        """
    )
    secure("privacy_jobs", platform=True)


def _create_exports() -> None:
    run_sql(
        """
        create table exports (
            chain_id text not null,
            export_id text not null,
            client_id text not null,
            audience text not null check (audience in ('client', 'house')),
            state text not null check (state in ('running', 'ready', 'failed', 'expired')),
            actor text not null,
            object_key text not null,
            byte_count bigint not null default 0,
            failure text not null default '',
            created_at timestamptz not null,
            finished_at timestamptz,
            expires_at timestamptz,
            primary key (chain_id, export_id)
        );
        create index exports_of_client on exports (chain_id, client_id, export_id);
        create table export_parts (
            chain_id text not null,
            export_id text not null,
            service text not null,
            record_count bigint not null default 0,
            sections jsonb not null default '{}',
            is_done boolean not null default false,
            object_key text not null default '',
            primary key (chain_id, export_id, service),
            foreign key (chain_id, export_id) references exports on delete cascade
        );
        create trigger export_removed after delete on exports
            for each row when (old.object_key <> '') execute function remove_object_of_attachment();
        create trigger export_part_removed after delete on export_parts
            for each row when (old.object_key <> '') execute function remove_object_of_attachment();
        """
    )
    secure("exports", "export_parts")


def _create_erasures() -> None:
    run_sql(
        """
        create table erasures (
            chain_id text not null,
            erasure_id text not null,
            client_id text not null,
            former_client_ids text[] not null,
            state text not null check (state in ('running', 'completed')),
            reason text not null,
            actor text not null,
            created_at timestamptz not null,
            due_at timestamptz not null,
            finished_at timestamptz,
            primary key (chain_id, erasure_id),
            unique (chain_id, client_id)
        );
        create index erasures_of_former on erasures using gin (chain_id, former_client_ids);
        create table erasure_receipts (
            chain_id text not null,
            erasure_id text not null,
            service text not null,
            received_at timestamptz not null,
            erased jsonb not null,
            retained jsonb not null,
            primary key (chain_id, erasure_id, service),
            foreign key (chain_id, erasure_id) references erasures
        );
        """
    )
    secure("erasures", "erasure_receipts")
    append_only("erasure_receipts", role="profiles")


def _hide_tombstones() -> None:
    run_sql(
        """
        alter table clients add erased_at timestamptz;
        create policy no_tombstones on clients as restrictive
            using (erased_at is null or current_setting('carnet.tombstones', true) = 'on')
            with check (erased_at is null or current_setting('carnet.tombstones', true) = 'on');
        """
    )


def _let_consents_lose_their_contact() -> None:
    # Consents are append-only for the service. This is the one change there is: the number of somebody whose erasure
    # stands in the books becomes its keyed hash, which still proves whose consent it was to whoever has the number.
    run_sql(
        """
        create function forget_consent_contacts(ids text[], hashes bytea[]) returns bigint
        language sql volatile security definer set search_path = public, pg_temp as $$
            with forgotten as (
                update consents c set contact_value = 'hmac-sha256:' || encode(h.key_hash, 'hex')
                from unnest(ids, hashes) as h (consent_id, key_hash)
                where c.chain_id = current_setting('carnet.chain_id', true)
                  and c.consent_id = h.consent_id
                  and c.contact_value not like 'hmac-sha256:%'
                  and length(h.key_hash) = 32
                  and exists (select from erasures e where e.chain_id = c.chain_id
                              and (e.client_id = c.client_id or c.client_id = any(e.former_client_ids)))
                returning 1
            )
            select count(*) from forgotten
        $$;
        """
    )


def _index_mentions() -> None:
    # An erasure empties the erased client's id in others' records; each index holds the rows with a surprise only.
    for table, column in (
        ("timeline_entries", "surprise_for_client_id"),
        ("occasions", "surprise_for_client_id"),
        ("repairs", "surprise_for_client_id"),
        ("notes", "surprise_for_client_id"),
        ("attachments", "surprise_for_client_id"),
        ("wishes", "bought_by_client_id"),
    ):
        run_sql(f"create index {table}_mentioning on {table} (chain_id, {column}) where {column} <> '';")
