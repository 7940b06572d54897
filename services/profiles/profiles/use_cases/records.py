"""Record what clients did: purchases, visits, walk-ins, consents."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta

from chassis.caller import Caller
from chassis.clock import Clock
from chassis.database import Database, RequestKey, Transaction
from chassis.errors import invalid, not_found
from chassis.ids import new_id
from profiles import events
from profiles.currencies import digits_of
from profiles.domain import captures
from profiles.domain.clients import (
    Client,
    ContactKind,
    ContactPoint,
    OccasionKind,
    require_email,
    require_source,
)
from profiles.domain.consents import CONTACT_OF, Channel, Consent, Purpose, consent_summary, require_fitting
from profiles.domain.directory import require_time_zone
from profiles.domain.pieces import Purchase, PurchaseLine, Visit, VisitItem, purchase_summary, visit_summary
from profiles.domain.timeline import Entry, TimelineKind, entry_id_of, moment_of
from profiles.phones import require_e164
from profiles.store import clients as client_store
from profiles.store import directory as directory_store
from profiles.store import records as store
from profiles.store import timeline as timeline_store
from profiles.use_cases.clients import ClientFields, add_client, new_client, save_change

_CLOCKS_APART = timedelta(minutes=10)  # by which a phone on the floor may be ahead of us


async def record_purchase(
    *,
    database: Database,
    clock: Clock,
    caller: Caller,
    key: RequestKey,
    client_id: str,
    store_id: str,
    associate_id: str,
    purchased_on: date,
    currency_code: str,
    lines: Sequence[PurchaseLine],
    occasion_kind: OccasionKind | None,
    for_whom: str,
    source: str,
    external_id: str,
) -> Purchase:
    """Record what a client bought; a repeat by `key`, or by source and external id, returns the first one.

    Raises CLIENT_NOT_FOUND, STORE_NOT_FOUND, ASSOCIATE_NOT_FOUND and SOURCE_MISSING.
    """
    caller.require_store(store_id)
    require_source(source, external_id)
    async with database.transaction(caller.chain_id) as tx:
        purchase_id, is_repeat = await tx.once(key, new_id("pur"))
        if is_repeat:
            # Under that id nothing was written when the source's own id had named an older purchase.
            if external_id and (known := await store.find_purchase(tx, source, external_id)):
                return known
            return await store.get_purchase(tx, purchase_id)
        await client_store.keep_client(tx, client_id)
        place = await directory_store.get_store(tx, store_id)
        if associate_id:
            await directory_store.get_associate(tx, associate_id)
        now = clock.now()
        purchase = Purchase(
            purchase_id=purchase_id,
            client_id=client_id,
            store_id=store_id,
            associate_id=associate_id or caller.associate_id,
            purchased_on=purchased_on,
            currency_code=currency_code,
            lines=tuple(lines),
            occasion_kind=occasion_kind,
            for_whom=for_whom,
            source=source,
            external_id=external_id,
            created_at=now,
        )
        if (written := await store.add_purchase(tx, purchase)) != purchase_id:
            return await store.get_purchase(tx, written)
        summary = purchase_summary(
            purchase.quantity, purchase.total_minor, currency_code, digits_of(currency_code) or 0
        )
        await timeline_store.add_entries(
            tx,
            [
                Entry(
                    entry_id_of(purchase_id),
                    client_id,
                    TimelineKind.PURCHASE,
                    moment_of(purchased_on, place.time_zone, now=now),
                    summary,
                    purchase_id,
                )
            ],
        )
        tx.publish(events.purchase_recorded(purchase), entity_id=client_id)
        return purchase


@dataclass(frozen=True, slots=True)
class VisitFields:
    """What was looked at, for whom, and when it is needed."""

    items: Sequence[VisitItem] = ()
    for_whom: str = ""
    needed_by: date | None = None
    note: str = ""


async def record_visit(
    *,
    database: Database,
    clock: Clock,
    caller: Caller,
    key: RequestKey,
    client_id: str,
    store_id: str,
    visited_at: datetime | None,
    fields: VisitFields,
) -> Visit:
    """Record a visit of a known client, now when `visited_at` is None. Raises CLIENT_NOT_FOUND and STORE_NOT_FOUND."""
    caller.require_store(store_id)
    if visited_at is not None and visited_at > clock.now() + _CLOCKS_APART:
        raise invalid("visit_time", "lies in the future")
    async with database.transaction(caller.chain_id) as tx:
        visit_id, is_repeat = await tx.once(key, new_id("vis"))
        if is_repeat:
            return await store.get_visit(tx, visit_id)
        await client_store.keep_client(tx, client_id)
        await directory_store.get_store(tx, store_id)
        return await _add_visit(
            tx, caller, visit_id, client_id, store_id, visited_at or clock.now(), fields, clock=clock
        )


async def _add_visit(
    tx: Transaction,
    caller: Caller,
    visit_id: str,
    client_id: str,
    store_id: str,
    visited_at: datetime,
    fields: VisitFields,
    *,
    clock: Clock,
) -> Visit:
    visit = Visit(
        visit_id=visit_id,
        client_id=client_id,
        store_id=store_id,
        associate_id=caller.associate_id,
        visited_at=visited_at,
        items=tuple(fields.items),
        for_whom=fields.for_whom,
        needed_by=fields.needed_by,
        note=fields.note,
        created_at=clock.now(),
    )
    await store.add_visit(tx, visit)
    await timeline_store.add_entries(
        tx,
        [
            Entry(
                entry_id_of(visit_id),
                client_id,
                TimelineKind.VISIT,
                visited_at,
                visit_summary(visit),
                visit_id,
            )
        ],
    )
    tx.publish(events.visit_recorded(visit), entity_id=client_id)
    return visit


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
        await client_store.keep_client(tx, client_id)
        client = await client_store.get_client(tx, client_id)
        contact = next((c for c in client.contact_points if c.contact_point_id == contact_point_id), None)
        if contact is None:
            raise not_found("contact_point", contact_point_id)
        return await _add_consent(tx, caller, consent_id, client_id, contact, fields, clock=clock)


async def _add_consent(
    tx: Transaction,
    caller: Caller,
    consent_id: str,
    client_id: str,
    contact: ContactPoint,
    fields: ConsentFields,
    *,
    clock: Clock,
) -> Consent:
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
        captured_at=clock.now(),
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


@dataclass(frozen=True, slots=True)
class Capture:
    """What capturing a walk-in led to."""

    client: Client
    visit: Visit
    consent: Consent | None
    is_new_client: bool


async def capture_visit(
    *,
    database: Database,
    clock: Clock,
    caller: Caller,
    key: RequestKey,
    store_id: str,
    client_id: str,
    given_name: str,
    family_name: str,
    phone: str,
    email: str,
    language: str,
    time_zone: str,
    visit: VisitFields,
    consent: ConsentFields | None,
) -> Capture:
    """Capture a walk-in in one call: the client, found or new, the visit and the consent.

    Raises CAPTURE_EMPTY, CLIENT_AMBIGUOUS, CONSENT_CONTACT_MISSING, PHONE_INVALID, EMAIL_INVALID, TIME_ZONE_UNKNOWN,
    CLIENT_NOT_FOUND and STORE_NOT_FOUND.
    """
    caller.require_store(store_id)
    captures.require_somebody(
        client_id=client_id, given_name=given_name, family_name=family_name, phone=phone, email=email
    )
    if time_zone:
        require_time_zone(time_zone)
    email = require_email(email, "email") if email.strip() else ""
    async with database.transaction(caller.chain_id) as tx:
        visit_id, is_repeat = await tx.once(key, new_id("vis"))
        if is_repeat:
            return await _captured_before(tx, visit_id)
        place = await directory_store.get_store(tx, store_id)
        phone = require_e164(phone, place.country, "phone") if phone.strip() else ""
        if consent is not None:
            captures.require_contact_for(consent.channel, phone=phone, email=email)
        fields = ClientFields(
            given_name=given_name.strip(),
            family_name=family_name.strip(),
            language=language,
            time_zone=time_zone,
            home_store_id=store_id,
            associate_id=caller.associate_id,
            contact_points=[
                ContactPoint(new_id("cpt"), kind, value)
                for kind, value in ((ContactKind.PHONE, phone), (ContactKind.EMAIL, email))
                if value
            ],
            source="walk_in",
        )
        known = await _find_client(tx, client_id, fields)
        if known is None:
            client = new_client(_id_beside(visit_id, "cli"), fields, clock=clock)
            await add_client(tx, client)
        else:
            client = await _complete(tx, known, fields, clock=clock)
        recorded = await _add_visit(
            tx, caller, visit_id, client.client_id, store_id, clock.now(), visit, clock=clock
        )
        agreed = None
        if consent is not None:
            kind = CONTACT_OF[consent.channel]
            contact = client.contact(kind, phone if kind is ContactKind.PHONE else email)
            assert contact is not None  # the captured contact was put on the client just now, or was there
            agreed = await _add_consent(
                tx, caller, _id_beside(visit_id, "con"), client.client_id, contact, consent, clock=clock
            )
        return Capture(
            await client_store.get_client(tx, client.client_id), recorded, agreed, is_new_client=known is None
        )


def _id_beside(visit_id: str, prefix: str) -> str:
    """Return the id of what a capture makes beside the visit, so that a repeat finds it by the visit alone."""
    return f"{prefix}_{visit_id.partition('_')[2]}"


async def _captured_before(tx: Transaction, visit_id: str) -> Capture:
    visit = await store.get_visit(tx, visit_id)
    client = await client_store.get_client(tx, visit.client_id)
    consent = await store.find_consent(tx, _id_beside(visit_id, "con"))
    return Capture(client, visit, consent, is_new_client=client.client_id == _id_beside(visit_id, "cli"))


async def _find_client(tx: Transaction, client_id: str, fields: ClientFields) -> Client | None:
    if client_id:
        return await client_store.lock_client(tx, client_id)
    contacts = [(contact.kind, contact.match_key) for contact in fields.contact_points]
    if not contacts:
        return None
    # Two captures of one new number at the same moment must not make two clients.
    await client_store.take_turns(tx, [f"{kind} {key}" for kind, key in contacts])
    matches = await client_store.match_contacts(tx, contacts)
    found = captures.choose(matches, f"{fields.given_name} {fields.family_name}")
    return None if found is None else await client_store.lock_client(tx, found.client_id)


async def _complete(tx: Transaction, client: Client, fields: ClientFields, *, clock: Clock) -> Client:
    """Add to a known client what the capture knows and the client lacks; nothing that is there is overwritten."""
    missing = [c for c in fields.contact_points if client.contact(c.kind, c.value) is None]
    for contact in missing:
        await client_store.add_contact_point(tx, client.client_id, contact)
    changes = {
        name: getattr(fields, name)
        for name in ("language", "time_zone")
        if getattr(fields, name) and not getattr(client, name)
    }
    if not client.given_name and not client.family_name and (fields.given_name or fields.family_name):
        changes |= {"given_name": fields.given_name, "family_name": fields.family_name}
    if not missing and not changes:
        return client
    return await save_change(tx, replace(client, **changes), clock=clock)
