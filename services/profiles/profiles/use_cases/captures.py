"""Capture walk-ins: the client, found or new, the visit and the consent in one call."""

from dataclasses import dataclass, replace
from datetime import datetime

from chassis.caller import Caller
from chassis.clock import Clock
from chassis.database import Database, RequestKey, Transaction
from chassis.ids import new_id
from profiles.domain import captures
from profiles.domain.books import AssignmentReason
from profiles.domain.clients import Client, ContactKind, ContactPoint, require_email
from profiles.domain.consents import CONTACT_OF, Consent
from profiles.domain.directory import require_time_zone
from profiles.domain.duplicates import features_of, name_keys, name_sounds
from profiles.domain.pieces import Visit
from profiles.phones import require_e164
from profiles.store import clients as client_store
from profiles.store import consents as consent_store
from profiles.store import directory as directory_store
from profiles.store import matching as match_store
from profiles.store import visits as visit_store
from profiles.use_cases.clients import ClientFields, add_client, new_client, save_own_change
from profiles.use_cases.consents import ConsentFields, add_consent
from profiles.use_cases.visits import VisitFields, add_visit


@dataclass(frozen=True, slots=True)
class Capture:
    """What capturing a walk-in led to."""

    client: Client
    visit: Visit
    consent: Consent | None
    is_new_client: bool
    remarks: tuple[str, ...] = ()


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
    visited_at: datetime | None = None,
    is_new_client: bool = False,
) -> Capture:
    """Capture a walk-in in one call: the client, found or new, the visit and the consent.

    `visited_at` is when a phone that was offline saw the client, now when None. Raises CAPTURE_EMPTY,
    CLIENT_AMBIGUOUS and CLIENT_LIKELY, both unless `client_id` or `is_new_client` says who it is,
    CONSENT_CONTACT_MISSING, PHONE_INVALID, EMAIL_INVALID, TIME_ZONE_UNKNOWN, CLIENT_NOT_FOUND and STORE_NOT_FOUND.
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
        place = await directory_store.get_store(tx, store_id)
        typed, phone = phone, require_e164(phone, place.country, "phone") if phone.strip() else ""
        remarks = captures.phone_remarks(typed, phone, place.country)
        # A capture that was taken in once is never too old to be asked for again.
        if is_repeat:
            return await _captured_before(tx, visit_id, remarks)
        if visited_at is not None:
            captures.require_time(visited_at, now=clock.now())
        moment = visited_at or clock.now()
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
        known = await _find_client(tx, client_id, fields, is_new_client=is_new_client)
        if known is None:
            client = new_client(_id_beside(visit_id, "cli"), fields, clock=clock)
            await add_client(tx, client, reason=AssignmentReason.CAPTURED, actor=caller.actor_id)
        else:
            client = await _complete(tx, caller, known, fields, clock=clock)
        recorded = await add_visit(
            tx, caller, visit_id, client.client_id, store_id, moment, visit, clock=clock
        )
        agreed = None
        if consent is not None:
            kind = CONTACT_OF[consent.channel]
            contact = client.contact(kind, phone if kind is ContactKind.PHONE else email)
            assert contact is not None  # the captured contact was put on the client just now, or was there
            agreed = await add_consent(
                tx,
                caller,
                _id_beside(visit_id, "con"),
                client.client_id,
                contact,
                consent,
                clock=clock,
                captured_at=min(moment, clock.now()),
            )
        return Capture(
            await client_store.get_client(tx, client.client_id), recorded, agreed, known is None, remarks
        )


def _id_beside(visit_id: str, prefix: str) -> str:
    """Return the id of what a capture makes beside the visit, so that a repeat finds it by the visit alone."""
    return f"{prefix}_{visit_id.partition('_')[2]}"


async def _captured_before(tx: Transaction, visit_id: str, remarks: tuple[str, ...]) -> Capture:
    visit = await visit_store.get_visit(tx, visit_id)
    client = await client_store.get_client(tx, visit.client_id)
    consent = await consent_store.find_consent(tx, _id_beside(visit_id, "con"))
    # The one that was new may have been merged into another one since.
    is_new = _id_beside(visit_id, "cli") in (client.client_id, *client.former_client_ids)
    return Capture(client, visit, consent, is_new, remarks)


async def _find_client(
    tx: Transaction, client_id: str, fields: ClientFields, *, is_new_client: bool
) -> Client | None:
    """Return the captured client, locked; None for somebody new. Raises CLIENT_AMBIGUOUS and CLIENT_LIKELY."""
    if client_id:
        return await client_store.lock_client(tx, client_id)
    captured = features_of(
        "",
        given_name=fields.given_name,
        family_name=fields.family_name,
        phones=[c.match_key for c in fields.contact_points if c.kind is ContactKind.PHONE],
        emails=[c.match_key for c in fields.contact_points if c.kind is ContactKind.EMAIL],
    )
    contacts = [(contact.kind, contact.match_key) for contact in fields.contact_points]
    # Two captures of one new person at the same moment must not make two clients.
    turns = [f"{kind} {key}" for kind, key in contacts] + [f"name {name}" for name in name_sounds(captured)]
    if turns:
        await client_store.take_turns(tx, turns)
    if is_new_client:
        return None
    if contacts and (matches := await client_store.match_contacts(tx, contacts)):
        captures.require_uncrossed([client for client, _ in matches], fields.contact_points)
        found = captures.choose(matches, f"{fields.given_name} {fields.family_name}")
        if found is not None:
            known = await match_store.load_features(tx, [found.client_id])
            if captures.is_somebody_else(captured, known[found.client_id]):
                raise captures.ClientLikely([found.client_id])
            return await client_store.lock_client(tx, found.client_id)
    if captured.has_whole_name:
        namesakes = await match_store.find_named(tx, name_keys(captured), store_id=fields.home_store_id)
        features = await match_store.load_features(tx, namesakes)
        if likely := captures.likely(captured, list(features.values())):
            raise captures.ClientLikely(likely)
    return None


async def _complete(
    tx: Transaction, caller: Caller, client: Client, fields: ClientFields, *, clock: Clock
) -> Client:
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
    return await save_own_change(tx, caller, client, replace(client, **changes), clock=clock)
