"""Everything that is kept of a client, as lists for an export. Of a decision only the client's own part is told."""

from chassis.sections import Section

SECTIONS = (
    Section(
        "interests",
        "select interest_id as record_key, interest_id, reference_id, brand_id, code as reference_code, i.client_id,"
        " store_id, case when merged_into_id <> '' and state in ('WAITING', 'OFFERED') then 'MERGED' else state end as"
        " state, wording, purpose, registered_at, merged_into_id as merged_into_interest_id"
        " from interests i join brand_references r using (chain_id, reference_id)"
        " where i.chain_id = :chain_id and i.client_id = any(:ids)",
    ),
    Section(
        "offers",
        "select o.offer_id as record_key, o.offer_id, o.allocation_id, o.piece_id, interest_id, o.client_id, o.state,"
        " made_at, expires_at, answered_at, policy_version, reference_id, serial"
        " from offers o join allocations a using (chain_id, allocation_id) join pieces p using (chain_id, piece_id)"
        " where o.chain_id = :chain_id and o.client_id = any(:ids)",
    ),
    Section(
        "decisions",
        "select offer_id || ' ' || (candidate->'facts'->>'interest_id') as record_key, offer_id, made_at as decided_at,"
        " policy_version, candidate->'facts' as facts, (candidate->>'score')::float8 as score,"
        " candidate->'parts' as parts, (candidate->>'rank')::int as rank, candidate->>'ineligible_reason' as"
        " ineligible_reason from offers cross join lateral jsonb_array_elements(decision->'candidates') as candidate"
        " where chain_id = :chain_id and candidate->'facts'->>'client_id' = any(:ids) and allocation_id in (select"
        " allocation_id from allocations where chain_id = :chain_id and reference_id in (select reference_id from"
        " interests where chain_id = :chain_id and client_id = any(:ids)))",
    ),
    Section(
        "standings",
        "select client_id || ' ' || currency as record_key, client_id, currency, purchase_count, total_minor,"
        " last_purchase_day from client_standings where chain_id = :chain_id and client_id = any(:ids)",
    ),
)
