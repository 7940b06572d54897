"""Everything that is kept of a client, as lists for an export.

A number that somebody else has too is the household's: of its conversations only the texts to this client are told,
and of its ledger not the words of others. What the network handed in is told as messages, once.
"""

# ruff: noqa: S608 - what is put into statements here are constants of this module

from chassis.sections import Section

# The client's numbers, and whether nobody else has them.
_NUMBERS = """
    (select p.phone, min(p.learned_at) as learned_at, not exists (select 1 from phone_clients o
        where o.chain_id = :chain_id and o.phone = p.phone and o.client_id <> all(:ids)) as is_own
    from phone_clients p where p.chain_id = :chain_id and p.client_id = any(:ids) group by p.phone) as numbers
"""

SECTIONS = (
    Section(
        "numbers", f"select phone as record_key, phone, learned_at, not is_own as is_shared from {_NUMBERS}"
    ),
    # Without the number: it is most likely somebody else's.
    Section(
        "disowned_numbers",
        "select disowned_at::text || left(md5(phone), 8) as record_key, is_reassigned, disowned_at"
        " from disowned_numbers"
        " where chain_id = :chain_id and client_id = any(:ids)",
    ),
    Section(
        "conversations",
        "select conversation_id as record_key, conversation_id, store_id, client_phone as phone, unread_count,"
        " channel, conversation_state as state, waiting_since, last_inbound_at, last_message_time, created_at"
        f" from conversations join {_NUMBERS} on phone = client_phone where is_own",
    ),
    Section(
        "messages",
        "select message_id as record_key, message_id, conversation_id, m.store_id, client_phone as phone, direction,"
        " body, state, purpose, author, error_code, m.created_at, sent_at"
        " from messages m join conversations c using (conversation_id)"
        f" where m.chain_id = :chain_id and (m.client_id = any(:ids) or c.client_phone in"
        f" (select phone from {_NUMBERS} where is_own))",
    ),
    Section(
        "media",
        "select l.message_id || '/' || l.place as record_key, l.message_id, media_id, content_type, byte_count,"
        " file_name, media.state, media.created_at from message_media l join media using (chain_id, media_id)"
        " join messages m using (chain_id, message_id) join conversations c using (conversation_id)"
        f" where l.chain_id = :chain_id and (m.client_id = any(:ids) or c.client_phone in"
        f" (select phone from {_NUMBERS} where is_own))",
    ),
    Section(
        "bulk_recipients",
        "select r.bulk_send_id || '/' || r.position as record_key, r.bulk_send_id, b.display_name, r.values, r.reason,"
        " r.message_id, b.created_at from bulk_recipients r join bulk_sends b"
        " on b.chain_id = r.chain_id and b.bulk_send_id = r.bulk_send_id"
        " where r.chain_id = :chain_id and r.client_id = any(:ids)",
    ),
    Section(
        "permission_entries",
        "select entry_id as record_key, entry_id, permission_entries.phone, channel, purpose, change, source,"
        " occurred_at,"
        " recorded_at, case when is_own or source = 'consent' then evidence end as evidence"
        f" from permission_entries join {_NUMBERS} on numbers.phone = permission_entries.phone",
    ),
    Section(
        "number_verifications",
        "select number_verifications.phone as record_key, number_verifications.phone, verified_at, source"
        f" from number_verifications join {_NUMBERS} on numbers.phone = number_verifications.phone where is_own",
    ),
    Section(
        "dead_numbers",
        "select dead_numbers.phone as record_key, dead_numbers.phone, error_code, noted_at"
        f" from dead_numbers join {_NUMBERS} on numbers.phone = dead_numbers.phone",
    ),
)
