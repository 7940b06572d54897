"""Who stands in: a second associate for a client, and a cover for an associate who is away."""

from chassis.migrations import run_sql, secure

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    """A column with a constant default is added without rewriting the table."""
    run_sql(
        """
        alter table clients add column secondary_associate_id text not null default '';
        create table covers (
            chain_id text not null,
            cover_id text not null,
            associate_id text not null,
            cover_associate_id text not null,
            starts_on date not null,
            ends_on date not null,
            created_at timestamptz not null,
            primary key (chain_id, cover_id),
            foreign key (chain_id, associate_id) references associates,
            foreign key (chain_id, cover_associate_id) references associates
        );
        create index covers_of_associate on covers (chain_id, associate_id, starts_on, cover_id);
        """
    )
    secure("covers")
