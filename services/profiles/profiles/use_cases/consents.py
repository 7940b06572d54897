"""Record what clients agree to."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from chassis.caller import Caller
from chassis.clock import Clock
from chassis.database import Database, RequestKey, Transaction
from chassis.errors import not_found
from chassis.ids import new_id
from profiles import events
from profiles.domain.clients import ContactPoint
from profiles.domain.consents import Channel, Consent, Purpose, consent_summary, require_fitting
from profiles.domain.timeline import Entry, TimelineKind, entry_id_of
from profiles.store import clients as client_store
from profiles.store import consents as store
from profiles.store import timeline as timeline_store


@dataclass(frozen=True, slots=True)
class ConsentFields:
    """What was agreed to and the words that were shown."""

    channel: Channel
    purposes: Sequence[Purpose]
    wording: str
    source: str


async def record_consent(
    *,
    database: Database,
    clock: Clock,
    caller: Caller,
    key: RequestKey,
    client_id: str,
    contact_point_id: str,
    fields: ConsentFields,
) -> Consent:
    """Record what a client agreed to. Raises CLIENT_NOT_FOUND, CONTACT_POINT_NOT_FOUND and CHANNEL_MISMATCH."""
    async with database.transaction(caller.chain_id) as tx:
        consent_id, is_repeat = await tx.once(key, new_id("con"))
        if is_repeat:
            return await store.get_consent(tx, consent_id)
        client_id = await client_store.keep_client(tx, client_id)
        client = await client_store.get_client(tx, client_id)
        contact = next((c for c in client.contact_points if c.contact_point_id == contact_point_id), None)
        if contact is None:
            raise not_found("contact_point", contact_point_id)
        return await add_consent(tx, caller, consent_id, client_id, contact, fields, clock=clock)


async def add_consent(
    tx: Transaction,
    caller: Caller,
    consent_id: str,
    client_id: str,
    contact: ContactPoint,
    fields: ConsentFields,
    *,
    clock: Clock,
    captured_at: datetime | None = None,
) -> Consent:
    """Write a consent for a contact point that the client has, and say so. Raises CHANNEL_MISMATCH.

    `captured_at` is when it was given, now when None: what was revoked since then stays revoked.
    """
    require_fitting(fields.channel, contact.kind)
    consent = Consent(
        consent_id=consent_id,
        client_id=client_id,
        contact_point_id=contact.contact_point_id,
        contact_value=contact.value,
        channel=fields.channel,
        purposes=tuple(dict.fromkeys(fields.purposes)),
        wording=fields.wording,
        captured_by=caller.associate_id or caller.actor_id,
        captured_at=captured_at or clock.now(),
        source=fields.source,
    )
    await store.add_consent(tx, consent)
    await timeline_store.add_entries(
        tx,
        [
            Entry(
                entry_id_of(consent_id),
                client_id,
                TimelineKind.CONSENT,
                consent.captured_at,
                consent_summary(consent),
                consent_id,
            )
        ],
    )
    tx.publish(events.consent_captured(consent), entity_id=client_id)
    return consent
