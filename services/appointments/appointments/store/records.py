"""Everything that is kept of a client, as lists for an export."""

from chassis.sections import Section

SECTIONS = (
    Section(
        "appointments",
        "select appointment_id as record_key, appointment_id, store_id, client_id, state, starts_at, ends_at,"
        " associate_resource_id, room_resource_id, note, cancel_reason, created_at, updated_at"
        " from appointments where chain_id = :chain_id and client_id = any(:ids)",
    ),
)
