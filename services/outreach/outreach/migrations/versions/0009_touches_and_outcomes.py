"""Contacts, what they led to, and who is left alone to compare with."""

from chassis.migrations import run_sql, secure

revision = "0009"
down_revision = "0008"


def upgrade() -> None:
    """Create the tables; sums over a contact's credits stand with the contact, so that a report reads one table."""
    run_sql(
        """
        create table touches (
            chain_id text not null,
            touch_id text collate "C" not null,
            client_id text collate "C" not null,
            original_client_id text collate "C" not null default '',
            associate_id text not null default '',
            store_id text not null default '',
            -- Null until the carrier took the text and it is known to be a contact: what a service sends by itself,
            -- such as a reminder, is none.
            touched_at timestamptz,
            sent_at timestamptz,
            channel text not null check (channel in ('text', 'call', 'visit', 'email', 'other')),
            signals text[] not null default '{}',
            suggestion_id text not null default '',
            campaign_id text not null default '',
            phrasing text not null default '' check (phrasing in ('', 'drafted', 'edited', 'by_hand', 'unknown')),
            -- Of a million each.
            reply_parts bigint not null default 0,
            visit_parts bigint not null default 0,
            appointment_parts bigint not null default 0,
            purchase_parts bigint not null default 0,
            revenue_minor bigint not null default 0,
            -- 0 not counted for its signals yet, 1 counted as a contact, 2 as an answered one.
            learned smallint not null default 0,
            -- When that is to be looked at again.
            learn_at timestamptz,
            primary key (chain_id, touch_id)
        );
        create index touches_by_client on touches (chain_id, client_id, touched_at);
        create index touches_by_original on touches (chain_id, original_client_id) where original_client_id <> '';
        create index touches_by_time on touches (chain_id, touched_at, touch_id) where touched_at is not null;
        create index touches_of_store on touches (chain_id, store_id, touched_at, touch_id)
            where touched_at is not null;
        create index touches_of_associate on touches (chain_id, associate_id, touched_at, touch_id)
            where touched_at is not null;
        create index touches_of_campaign on touches (chain_id, campaign_id, touched_at, touch_id)
            where touched_at is not null and campaign_id <> '';
        create index touches_to_learn on touches (chain_id, learn_at) where learn_at is not null;

        -- Every message, visit and appointment of a client, and those purchases that a contact may have led to.
        create table outcomes (
            chain_id text not null,
            outcome_id text collate "C" not null,
            kind text not null check (kind in ('reply', 'visit', 'appointment', 'purchase')),
            client_id text collate "C" not null,
            original_client_id text collate "C" not null default '',
            associate_id text not null default '',
            store_id text not null default '',
            occurred_at timestamptz not null,
            total_minor bigint not null default 0,
            -- What is left of the total after returns.
            amount_minor bigint not null default 0,
            currency_code text not null default '',
            -- When the house answered a message of the client.
            answered_at timestamptz,
            -- The rule that it is credited by; 0 as long as it was credited to nobody.
            rule_version integer not null default 0,
            version bigint not null default 0,
            primary key (chain_id, outcome_id)
        );
        create index outcomes_by_client on outcomes (chain_id, client_id, occurred_at);
        create index outcomes_by_original on outcomes (chain_id, original_client_id) where original_client_id <> '';
        create index outcomes_by_time on outcomes (chain_id, kind, occurred_at);

        create table credits (
            chain_id text not null,
            outcome_id text collate "C" not null,
            touch_id text collate "C" not null,
            -- Of a million; those of one outcome add up to it.
            parts integer not null check (parts between 1 and 1000000),
            amount_minor bigint not null,
            primary key (chain_id, outcome_id, touch_id)
        );
        create index credits_of_touch on credits (chain_id, touch_id);

        -- Each rule that anything was credited by, as it was then.
        create table attribution_rules (
            chain_id text not null,
            version integer not null,
            reply_days integer not null,
            visit_days integer not null,
            appointment_days integer not null,
            purchase_days integer not null,
            share text not null check (share in ('last', 'even', 'decay')),
            primary key (chain_id, version)
        );

        -- Clients with a reason who are left alone for a period.
        create table holdouts (
            chain_id text not null,
            holdout_id text collate "C" not null,
            client_id text collate "C" not null,
            original_client_id text collate "C" not null default '',
            associate_id text not null default '',
            store_id text not null default '',
            period text not null,
            held_at timestamptz not null,
            signals text[] not null,
            primary key (chain_id, holdout_id)
        );
        create index holdouts_by_client on holdouts (chain_id, client_id);
        create index holdouts_by_original on holdouts (chain_id, original_client_id) where original_client_id <> '';
        create index holdouts_by_period on holdouts (chain_id, period);
        create index holdouts_by_time on holdouts (chain_id, held_at);

        -- What reports read by time.
        create index suggestions_created on suggestions (chain_id, created_at);
        create index purchases_by_day on purchases (chain_id, purchase_day);
        create index visits_by_time on visits (chain_id, visited_at);

        -- When a chain's contacts are looked through for those whose time to answer is over.
        create table learning_sweeps (
            chain_id text primary key,
            due_at timestamptz not null
        );
        create index learning_sweeps_due on learning_sweeps (due_at);
        """
    )
    secure("touches", "outcomes", "credits", "attribution_rules", "holdouts")
    secure("learning_sweeps", platform=True)
