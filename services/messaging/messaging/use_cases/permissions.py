"""Write the permission ledger: grants from consents, revocations by word of mouth; keywords come from `inbound`."""

from collections.abc import Sequence
from datetime import datetime

from chassis import identities
from chassis.clock import Clock
from chassis.database import Database, RequestKey, Transaction
from chassis.ids import new_id
from messaging import events, places
from messaging.clients import Consent, Profiles
from messaging.domain import (
    ASSOCIATE,
    CARRIER,
    CONSENT,
    KEYWORD,
    Change,
    ClientUnreachable,
    PermissionEntry,
    PhoneInvalid,
    Purpose,
    ReviewState,
)
from messaging.store import conversations, permissions, reviews
from messaging.suppression import Suppressor
from messaging.use_cases.messages import require_client
from messaging.use_cases.opt_outs import note_opt_out

TOLD_IN_PERSON = "Told in person"
# Who settles a review that is open, where it is not whoever called.
_DECIDED_BY = {KEYWORD: "client", CARRIER: "carrier"}


async def record(
    tx: Transaction,
    *,
    suppressor: Suppressor,
    phone: str,
    purposes: Sequence[Purpose],
    change: Change,
    evidence: str,
    source: str,
    actor: str,
    cause_id: str,
    occurred_at: datetime,
    now: datetime,
) -> list[PermissionEntry]:
    """Add a line per purpose, and say so for each that now decides; an older fact that comes late decides nothing.

    A revocation of all purposes answers what an open review asks. A suspension is not said: whether the client wants no
    more texts is not known yet. The caller has locked the number.
    """
    entries = [
        PermissionEntry(new_id("prm"), phone, purpose, change, evidence, source, actor, cause_id, occurred_at)
        for purpose in dict.fromkeys(purposes)
    ]
    await permissions.add(tx, entries, now)
    if change is Change.REVOKED and set(purposes) == set(Purpose):
        await reviews.settle(
            tx, phone, ReviewState.CONFIRMED, by=_DECIDED_BY.get(source, actor), note=evidence, now=now
        )
    if change not in (Change.GRANTED, Change.REVOKED):
        return entries
    client_ids = await conversations.clients_of(tx, phone)
    is_news = False
    for entry in entries:
        decides = await permissions.deciding(tx, phone, entry.purpose, suppressor)
        if decides is not None and decides.entry_id == entry.entry_id:
            tx.publish(events.permission_changed(entry, client_ids), entity_id=entry.entry_id)
            is_news = True
    if is_news and change is Change.REVOKED:
        await note_opt_out(tx, phone, now, at=occurred_at)
    return entries


async def record_consent(
    tx: Transaction, consent: Consent, *, client_id: str, suppressor: Suppressor, now: datetime
) -> None:
    """Write down what a client agreed to. It counts from the moment of the agreement, not from when we heard of it.

    `client_id` is who agreed then, which a merge since may have changed in `consent`. Who was erased agreed to nothing.
    """
    await identities.hold(tx)
    if not await identities.resolve(tx, [client_id]):
        return
    await conversations.lock_number(tx, consent.phone)
    if await permissions.of_cause(tx, consent.consent_id):
        return  # said again under another event id
    await conversations.learn_client(tx, phone=consent.phone, client_id=client_id, now=now)
    await permissions.note_alive(tx, consent.phone)
    await record(
        tx,
        suppressor=suppressor,
        phone=consent.phone,
        purposes=consent.purposes,
        change=Change.GRANTED,
        evidence=consent.wording,
        source=CONSENT,
        actor=consent.captured_by,
        cause_id=consent.consent_id,
        occurred_at=consent.captured_at,
        now=now,
    )


async def revoke_permission(
    *,
    database: Database,
    clock: Clock,
    profiles: Profiles,
    suppressor: Suppressor,
    chain_id: str,
    key: RequestKey,
    client_id: str,
    purposes: Sequence[Purpose],
    note: str,
    actor: str,
) -> list[PermissionEntry]:
    """Write down that a client told somebody to stop, for every number of the client; all purposes when none is named.

    Raises CLIENT_UNREACHABLE for a client without any number.
    """
    recipient = await profiles.get_recipient(chain_id, client_id)
    async with database.transaction(chain_id) as tx:
        revocation_id, is_repeat = await tx.once(key, new_id("rev"))
        if is_repeat:
            return await permissions.of_cause(tx, revocation_id)
        client_id = await require_client(tx, client_id)
        phones = sorted({*recipient.phones, *await conversations.phones_of(tx, client_id)})
        if not phones:
            raise ClientUnreachable(client_id)
        now = clock.now()
        entries: list[PermissionEntry] = []
        for phone in phones:  # sorted: two calls lock shared numbers in the same order
            await conversations.lock_number(tx, phone)
            await conversations.learn_current(tx, phone=phone, client_id=client_id, now=now)
            entries += await _revoke(tx, suppressor, phone, purposes, note, actor, revocation_id, now)
        return entries


async def revoke_number(
    *,
    database: Database,
    clock: Clock,
    suppressor: Suppressor,
    chain_id: str,
    key: RequestKey,
    phone: str,
    purposes: Sequence[Purpose],
    note: str,
    actor: str,
) -> list[PermissionEntry]:
    """Write down that whoever has a number told somebody to stop; all purposes when none is named.

    Raises PHONE_INVALID.
    """
    if not places.is_phone(phone):
        raise PhoneInvalid("phone")
    async with database.transaction(chain_id) as tx:
        revocation_id, is_repeat = await tx.once(key, new_id("rev"))
        if is_repeat:
            return await permissions.of_cause(tx, revocation_id)
        await conversations.lock_number(tx, phone)
        return await _revoke(tx, suppressor, phone, purposes, note, actor, revocation_id, clock.now())


async def _revoke(
    tx: Transaction,
    suppressor: Suppressor,
    phone: str,
    purposes: Sequence[Purpose],
    note: str,
    actor: str,
    revocation_id: str,
    now: datetime,
) -> list[PermissionEntry]:
    return await record(
        tx,
        suppressor=suppressor,
        phone=phone,
        purposes=list(purposes) or list(Purpose),
        change=Change.REVOKED,
        evidence=note.strip() or TOLD_IN_PERSON,
        source=ASSOCIATE,
        actor=actor,
        cause_id=revocation_id,
        occurred_at=now,
        now=now,
    )


async def list_permissions(
    *,
    database: Database,
    profiles: Profiles,
    chain_id: str,
    client_id: str,
    before: tuple[datetime, int] | None,
    most: int,
) -> Sequence[PermissionEntry]:
    """Return the ledger of the numbers that a client has, or had when a consent or a text told of them."""
    recipient = await profiles.get_recipient(chain_id, client_id)
    async with database.transaction(chain_id) as tx:
        phones = {*recipient.phones, *await conversations.phones_of(tx, client_id)}
        return await permissions.page(tx, phones=sorted(phones), before=before, most=most)
