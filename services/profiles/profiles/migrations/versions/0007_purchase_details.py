"""How purchases were paid and for whom, what came back, what visitors tried on, and the watch on cash.

purchase_payments has no foreign key, as purchase_lines has none: an import pays for no look-up. last_cash_on is the
newest day of a payment that may count as cash, so that the watch finds a client's purchases with cash among all others.
"""

from chassis.migrations import run_sql, secure

revision = "0007"
down_revision = "0006"


def upgrade() -> None:
    """New columns with defaults and new tables. The indexes of a client's records gain the day: lists go by it."""
    run_sql(
        """
        alter table purchase_lines add carat text not null default '', add certificate text not null default '';
        alter table visit_items add carat text not null default '', add certificate text not null default '',
            add is_tried_on boolean not null default false;

        alter table purchases add recipient_client_id text not null default '',
            add returned_minor bigint not null default 0, add last_cash_on date;
        create index purchases_of_client_by_day on purchases (chain_id, client_id, purchased_on);
        drop index purchases_of_client;
        create index purchases_of_store on purchases (chain_id, store_id, purchased_on);
        create index purchases_in_cash on purchases (chain_id, client_id, last_cash_on) where last_cash_on is not null;
        create index purchases_for_recipient on purchases (chain_id, recipient_client_id)
            where recipient_client_id <> '';
        create index purchases_in_secret on purchases (chain_id, surprise_for_client_id)
            where surprise_for_client_id <> '';
        create table purchase_payments (
            chain_id text not null,
            purchase_id text not null,
            position integer not null,
            kind text not null,
            amount_minor bigint not null,
            paid_on date not null,
            created_at timestamptz not null,
            primary key (chain_id, purchase_id, position)
        );

        create table purchase_returns (
            chain_id text not null,
            return_id text not null,
            purchase_id text not null,
            store_id text not null,
            returned_on date not null,
            total_minor bigint not null,
            exchange_purchase_id text not null default '',
            reason text not null default '',
            created_at timestamptz not null,
            primary key (chain_id, return_id),
            foreign key (chain_id, purchase_id) references purchases on delete cascade
        );
        create index purchase_returns_of_purchase on purchase_returns (chain_id, purchase_id, return_id);
        create table purchase_return_lines (
            chain_id text not null,
            return_id text not null,
            position integer not null,
            purchase_line integer not null,
            quantity integer not null,
            amount_minor bigint not null,
            primary key (chain_id, return_id, position),
            foreign key (chain_id, return_id) references purchase_returns on delete cascade
        );

        alter table visits add occasion_kind text not null default '', add budget_minimum_minor bigint,
            add budget_maximum_minor bigint, add budget_currency text not null default '',
            add companion text not null default '', add recipient_client_id text not null default '';
        create index visits_of_client_by_time on visits (chain_id, client_id, visited_at);
        drop index visits_of_client;
        create index visits_of_store on visits (chain_id, store_id, visited_at);
        create index visits_for_recipient on visits (chain_id, recipient_client_id) where recipient_client_id <> '';
        create index visits_in_secret on visits (chain_id, surprise_for_client_id) where surprise_for_client_id <> '';

        create table cash_alerts (
            chain_id text not null,
            cash_alert_id text not null,
            client_id text not null,
            linked_client_ids text[] not null,
            store_id text not null,
            country text not null,
            currency_code text not null,
            limit_minor bigint not null,
            total_minor bigint not null,
            payments jsonb not null,
            start_on date not null,
            end_on date not null,
            state text not null check (state in ('open', 'closed')),
            closed_by text not null default '',
            closing_note text not null default '',
            created_at timestamptz not null,
            closed_at timestamptz,
            primary key (chain_id, cash_alert_id)
        );
        create unique index cash_alerts_open on cash_alerts (chain_id, client_id, country) where state = 'open';
        create index cash_alerts_of_client on cash_alerts (chain_id, client_id, cash_alert_id);
        create index cash_alerts_of_store on cash_alerts (chain_id, store_id, cash_alert_id);
        """
    )
    secure("purchase_payments", "purchase_returns", "purchase_return_lines", "cash_alerts")
