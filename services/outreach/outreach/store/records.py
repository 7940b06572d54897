"""Everything that is kept of a client, as lists for an export.

What is a surprise for somebody says for whom and until when, so that it can be left out of the client's own copy.
"""

from chassis.sections import Section

SECTIONS = (
    Section(
        "client_facts",
        "select c.client_id as record_key, c.client_id, c.associate_id, c.secondary_associate_id, c.store_id,"
        " c.language, c.time_zone, c.derived_time_zone, k.last_sent_at, k.last_marketing_at, k.last_received_at"
        " from clients c cross join lateral (select"
        "  max(contacted_at) filter (where kind <> 'received') as last_sent_at,"
        "  max(contacted_at) filter (where kind = 'marketing') as last_marketing_at,"
        "  max(contacted_at) filter (where kind = 'received') as last_received_at from contacts k"
        "  where k.chain_id = c.chain_id and k.client_id = c.client_id) as k"
        " where c.chain_id = :chain_id and c.client_id = any(:ids) and not c.is_deleted",
    ),
    Section(
        "preferences",
        "select client_id || ' ' || to_char(n, 'FM0000') as record_key, client_id, (one->>0)::int as kind,"
        " one->>1 as value"
        " from clients cross join lateral jsonb_array_elements(preferences) with ordinality as listed (one, n)"
        " where chain_id = :chain_id and client_id = any(:ids) and not is_deleted",
    ),
    Section(
        "occasions",
        "select client_id || ' ' || to_char(n, 'FM0000') as record_key, client_id, (o->>0)::int as kind,"
        " (o->>1)::int as year, (o->>2)::int as month, (o->>3)::int as day, o->>7 as surprise_for_client_id"
        " from clients cross join lateral jsonb_array_elements(occasions) with ordinality as listed (o, n)"
        " where chain_id = :chain_id and client_id = any(:ids) and not is_deleted",
    ),
    Section(
        "purchases",
        "select purchase_id as record_key, purchase_id, client_id, purchase_day, total_minor,"
        " currency_code as currency, store_id, associate_id, occasion_kind, (select jsonb_agg(jsonb_build_object("
        "  'brand', l->>0, 'category', l->>1, 'metal', l->>2, 'stone', l->>3, 'reference', l->>4, 'quantity', l->5,"
        "  'minor_units', l->6)) from jsonb_array_elements(lines) as l) as lines,"
        " recipient_client_id, surprise_for_client_id, surprise_ends_on"
        " from purchases where chain_id = :chain_id and client_id = any(:ids)",
    ),
    Section(
        "returns",
        "select return_id as record_key, return_id, purchase_id, r.client_id, returned_on, r.total_minor,"
        " r.currency_code as currency, p.surprise_for_client_id, p.surprise_ends_on"
        " from returns r left join purchases p using (chain_id, purchase_id)"
        " where chain_id = :chain_id and coalesce(p.client_id, r.client_id) = any(:ids)",
    ),
    Section(
        "visits",
        "select visit_id as record_key, visit_id, client_id, visited_at, store_id, associate_id, need_by, looked_at,"
        " tried_on, liked, occasion_kind, recipient_client_id, surprise_for_client_id, surprise_ends_on"
        " from visits where chain_id = :chain_id and client_id = any(:ids)",
    ),
    Section(
        "repairs",
        "select repair_id || ' ' || to_char(version, 'FM00000000') as record_key, repair_id, version, client_id,"
        " store_id, kind, stage, promised_on, moved_at, surprise_for_client_id, surprise_ends_on"
        " from repair_moves where chain_id = :chain_id and client_id = any(:ids)",
    ),
    Section(
        "appointments",
        "select appointment_id || ' ' || to_char(version, 'FM00000000') as record_key, appointment_id, version,"
        " client_id, store_id, state, starts_at, said_at"
        " from appointment_moves where chain_id = :chain_id and client_id = any(:ids)",
    ),
    Section(
        # That somebody bought it for her is not hers to know.
        "wishes",
        "select wish_id as record_key, wish_id, client_id, case when is_surprise then 1 else state end as state,"
        " brand_id, reference, category, metal, stone, is_removed"
        " from wishes where chain_id = :chain_id and client_id = any(:ids)",
    ),
    Section(
        "interests",
        "select interest_id as record_key, interest_id, client_id, reference_id, brand_id, store_id, registered_at,"
        " withdrawn_at from interests where chain_id = :chain_id and client_id = any(:ids)",
    ),
    Section(
        "offers",
        "select offer_id || ' ' || to_char(version, 'FM00000000') as record_key, offer_id, version, client_id,"
        " reference_id, store_id, state, said_at"
        " from offers where chain_id = :chain_id and client_id = any(:ids)",
    ),
    Section(
        "contacts",
        "select contact_id as record_key, contact_id, client_id, kind, contacted_at, is_by_person"
        " from contacts where chain_id = :chain_id and client_id = any(:ids)",
    ),
    Section(
        "arrivals",
        "select client_id || ' ' || original_client_id || ' ' || mark as record_key, client_id, mark, arrived_on"
        " from arrivals where chain_id = :chain_id and client_id = any(:ids)",
    ),
    Section(
        "affinities",
        "select client_id || ' ' || kind || ' ' || value as record_key, client_id, kind, value, share"
        " from client_affinities where chain_id = :chain_id and client_id = any(:ids)",
    ),
    Section(
        "suggestions",
        "select suggestion_id as record_key, suggestion_id, client_id, associate_id, store_id, state, as_of,"
        " expires_on, score, reasons, tier, action, is_explored, model_note, snoozed_until, dismiss_reason,"
        " answered_at, message_id,"
        " tried_bodies, contact_kind, contact_note, contacted_at, created_at, updated_at"
        " from suggestions where chain_id = :chain_id and client_id = any(:ids)",
    ),
    Section(
        "drafts",
        "select draft_id as record_key, draft_id, suggestion_id, client_id, associate_id, language, source,"
        " concat_ws(' ', nullif(opening, ''), middle, nullif(closing, '')) as body, created_at, sent_at, phrasing,"
        " opening_edit, closing_edit"
        " from drafts where chain_id = :chain_id and client_id = any(:ids)",
    ),
    Section(
        "campaign_recipients",
        "select campaign_id || ' ' || recipient_id as record_key, campaign_id, client_id, state, reason, store_id,"
        " body, message_id, frozen_at, asked_at, updated_at"
        " from campaign_recipients where chain_id = :chain_id and client_id = any(:ids)",
    ),
    Section(
        "touches",
        "select touch_id as record_key, touch_id, client_id, associate_id, store_id, coalesce(touched_at, sent_at) as"
        " touched_at, channel, signals, suggestion_id, campaign_id, phrasing"
        " from touches where chain_id = :chain_id and client_id = any(:ids)",
    ),
    Section(
        "outcomes",
        "select o.outcome_id as record_key, o.outcome_id, o.kind, o.client_id, o.associate_id, o.store_id,"
        " o.occurred_at, o.amount_minor, o.currency_code as currency, o.answered_at, o.rule_version,"
        " (select jsonb_object_agg(c.touch_id, c.parts / 1000000.0) from credits c where c.chain_id = o.chain_id"
        "  and c.outcome_id = o.outcome_id) as credited_to,"
        " coalesce(p.surprise_for_client_id, v.surprise_for_client_id, '') as surprise_for_client_id,"
        " coalesce(p.surprise_ends_on, v.surprise_ends_on) as surprise_ends_on from outcomes o"
        " left join purchases p on p.chain_id = o.chain_id and p.purchase_id = substr(o.outcome_id, 5)"
        " left join visits v on v.chain_id = o.chain_id and v.visit_id = substr(o.outcome_id, 5)"
        " where o.chain_id = :chain_id and o.client_id = any(:ids)",
    ),
    Section(
        "holdouts",
        "select holdout_id as record_key, client_id, associate_id, store_id, period, held_at, signals"
        " from holdouts where chain_id = :chain_id and client_id = any(:ids)",
    ),
)
