"""Store hours, resources, appointments, and the bookings of which no two of a resource may overlap."""

from chassis.migrations import create_mechanism_tables, run_sql, secure

revision = "0001"
down_revision = None


def upgrade() -> None:
    """Create the tables. btree_gist is a trusted extension: the owner of the database may create it."""
    create_mechanism_tables()
    run_sql(
        """
        create extension if not exists btree_gist;

        create table store_hours (
            chain_id text not null,
            store_id text not null,
            time_zone text not null,
            spans jsonb not null,
            updated_at timestamptz not null,
            primary key (chain_id, store_id)
        );

        create table resources (
            resource_id text primary key,
            chain_id text not null,
            store_id text not null,
            kind text not null check (kind in ('ASSOCIATE', 'ROOM')),
            display_name text not null,
            associate_id text not null,
            created_at timestamptz not null,
            check ((kind = 'ASSOCIATE') = (associate_id <> ''))
        );
        create unique index resources_one_associate on resources (chain_id, associate_id)
            where kind = 'ASSOCIATE';
        create index resources_by_store on resources (chain_id, store_id, display_name, resource_id);

        create table appointments (
            appointment_id text primary key,
            chain_id text not null,
            store_id text not null,
            client_id text not null,
            state text not null check (state in ('BOOKED', 'CANCELLED', 'ATTENDED', 'MISSED')),
            starts_at timestamptz not null,
            ends_at timestamptz not null,
            buffer_minutes int not null check (buffer_minutes >= 0),
            associate_resource_id text not null references resources,
            room_resource_id text references resources,
            note text not null,
            cancel_reason text not null,
            created_at timestamptz not null,
            updated_at timestamptz not null,
            version bigint not null,
            check (starts_at < ends_at)
        );
        create index appointments_by_start on appointments (chain_id, starts_at, appointment_id);
        create index appointments_by_store on appointments (chain_id, store_id, starts_at, appointment_id);
        create index appointments_by_client on appointments (chain_id, client_id, starts_at, appointment_id);
        create index appointments_by_associate on appointments (associate_resource_id, starts_at, appointment_id);

        create table bookings (
            chain_id text not null,
            appointment_id text not null references appointments,
            resource_id text not null references resources,
            during tstzrange not null check (not isempty(during)),
            active boolean not null,
            primary key (appointment_id, resource_id),
            constraint bookings_never_overlap exclude using gist (resource_id with =, during with &&) where (active)
        );
        """
    )
    secure("store_hours", "resources", "appointments", "bookings")
