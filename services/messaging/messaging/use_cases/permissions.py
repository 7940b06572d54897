"""Write the permission ledger: grants from consents, revocations by word of mouth; keywords come from `inbound`."""

import enum
import re
from collections.abc import Sequence
from datetime import datetime

from chassis import identities
from chassis.clock import Clock
from chassis.database import Database, RequestKey, Transaction
from chassis.errors import invalid
from chassis.ids import new_id
from messaging import events, places
from messaging.clients import Consent, Profiles
from messaging.domain import (
    ASSOCIATE,
    CARRIER,
    CONSENT,
    KEYWORD,
    Change,
    Channel,
    ClientUnreachable,
    PermissionEntry,
    PhoneInvalid,
    Purpose,
    ReviewState,
    channels_of,
    plain_email,
)
from messaging.domain.permissions import REASSIGNED
from messaging.gate import CONFIRMABLE_FOR
from messaging.store import conversations, permissions, reviews
from messaging.store.settings import get_settings
from messaging.suppression import Suppressor
from messaging.use_cases.messages import require_client
from messaging.use_cases.opt_outs import note_opt_out
from messaging.use_cases.own_numbers import with_own_numbers

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
    channels: Sequence[Channel] = (),
) -> list[PermissionEntry]:
    """Add a line per channel and purpose, and say so for each that now decides; an older fact that comes late decides
    nothing. Without channels it is for all by which the number, or the e-mail address, can be reached.

    A revocation of all purposes answers what an open review asks. A suspension is not said: whether the client wants no
    more texts is not known yet. The caller has locked the number.
    """
    channels = channels or channels_of(phone)
    entries = [
        PermissionEntry(
            new_id("prm"),
            phone,
            purpose,
            change,
            evidence,
            source,
            actor,
            cause_id,
            occurred_at,
            channel=channel,
        )
        for channel in dict.fromkeys(channels)
        for purpose in dict.fromkeys(purposes)
    ]
    await permissions.add(tx, entries, now)
    is_whole = set(purposes) == set(Purpose) and set(channels) >= set(channels_of(phone))
    if change is Change.REVOKED and is_whole:
        await reviews.settle(
            tx, phone, ReviewState.CONFIRMED, by=_DECIDED_BY.get(source, actor), note=evidence, now=now
        )
    if change not in (Change.GRANTED, Change.REVOKED):
        return entries
    client_ids = await conversations.clients_of(tx, phone)
    decides = await permissions.deciding_each(
        tx, [(phone, entry.purpose, entry.channel) for entry in entries], suppressor
    )
    in_force = [
        entry
        for entry, line in zip(entries, decides, strict=True)
        if line is not None and line.entry_id == entry.entry_id
    ]
    for entry in in_force:
        tx.publish(events.permission_changed(entry, client_ids), entity_id=entry.entry_id)
    if change is Change.REVOKED and in_force and source != REASSIGNED:
        await note_opt_out(tx, phone, now, at=occurred_at)
    return entries


async def record_consent(
    tx: Transaction, consent: Consent, *, client_id: str, suppressor: Suppressor, now: datetime
) -> bool:
    """Write down what a client agreed to. It counts from the moment of the agreement, not from when we heard of it.

    `client_id` is who agreed then, which a merge since may have changed in `consent`. Who was erased agreed to nothing.
    Where the chain wants it so, MARKETING to a phone is only requested: returns whether the client is now to be asked.
    """
    await identities.hold(tx)
    if not await identities.resolve(tx, [client_id]):
        return False
    phone, channel = consent.phone, consent.channel
    await conversations.lock_number(tx, phone)
    if await permissions.of_cause(tx, consent.consent_id):
        return False  # said again under another event id
    await conversations.learn_client(tx, phone=phone, client_id=client_id, now=now)
    await permissions.note_alive(tx, phone)
    await permissions.note_verified(tx, phone, consent.captured_at, CONSENT)
    requested = await _needs_confirmation(tx, consent, suppressor, now)
    for change, purposes in (
        (Change.GRANTED, [one for one in consent.purposes if not (requested and one is Purpose.MARKETING)]),
        (Change.REQUESTED, [Purpose.MARKETING] if requested else []),
    ):
        await record(
            tx,
            suppressor=suppressor,
            phone=phone,
            purposes=purposes,
            channels=[channel],
            change=change,
            evidence=consent.wording,
            source=CONSENT,
            actor=consent.captured_by,
            cause_id=consent.consent_id,
            occurred_at=consent.captured_at,
            now=now,
        )
    return requested is _Request.FIRST


class _Request(enum.Enum):
    """Whether a client who is to confirm has yet to be asked."""

    FIRST = enum.auto()
    AGAIN = enum.auto()


async def _needs_confirmation(
    tx: Transaction, consent: Consent, suppressor: Suppressor, now: datetime
) -> _Request | None:
    """Return whether MARKETING is to be confirmed, which it is not where it is granted already."""
    if not consent.channel.takes_phones or Purpose.MARKETING not in consent.purposes:
        return None
    if not (await get_settings(tx)).double_opt_in:
        return None
    stands = await permissions.deciding(tx, consent.phone, Purpose.MARKETING, suppressor, consent.channel)
    if stands is not None and stands.change is Change.GRANTED and stands.occurred_at <= consent.captured_at:
        return None
    is_asked = (
        stands is not None
        and stands.change is Change.REQUESTED
        and now - stands.occurred_at <= CONFIRMABLE_FOR
    )
    is_outweighed = stands is not None and stands.occurred_at >= consent.captured_at
    is_stale = now - consent.captured_at > CONFIRMABLE_FOR
    return _Request.AGAIN if is_asked or is_outweighed or is_stale else _Request.FIRST


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
    channels: Sequence[Channel] = (),
) -> list[PermissionEntry]:
    """Write down that a client told somebody to stop, for every number and e-mail address of the client.

    All purposes and all channels when none is named. Raises CLIENT_UNREACHABLE for a client who has none of either.
    """
    recipient = await profiles.get_recipient(chain_id, client_id)
    async with database.transaction(chain_id) as tx:
        revocation_id, is_repeat = await tx.once(key, new_id("rev"))
        if is_repeat:
            return await permissions.of_cause(tx, revocation_id)
        client_id = await require_client(tx, client_id)
        (recipient,) = await with_own_numbers(tx, recipient)
        known = {*recipient.phones, *recipient.emails, *await conversations.phones_of(tx, client_id)}
        reached = {
            address: [one for one in channels_of(address) if not channels or one in channels]
            for address in sorted(known)  # sorted: two calls lock shared numbers in the same order
        }
        if not any(reached.values()):
            raise ClientUnreachable(client_id)
        now = clock.now()
        entries: list[PermissionEntry] = []
        for address, by in reached.items():
            if by:
                await conversations.lock_number(tx, address)
                await conversations.learn_current(tx, phone=address, client_id=client_id, now=now)
                entries += await _revoke(
                    tx, suppressor, address, purposes, by, note, actor, revocation_id, now
                )
        return entries


async def revoke_number(
    *,
    database: Database,
    clock: Clock,
    suppressor: Suppressor,
    chain_id: str,
    key: RequestKey,
    address: str,
    purposes: Sequence[Purpose],
    note: str,
    actor: str,
    channels: Sequence[Channel] = (),
) -> list[PermissionEntry]:
    """Write down that whoever has a number, or an e-mail address, told somebody to stop.

    All purposes and all channels of it when none is named. Raises FIELD_INVALID for channels that do not reach it.
    """
    if set(channels) - set(channels_of(address)):
        raise invalid("channels", "do not reach this number or address")
    async with database.transaction(chain_id) as tx:
        revocation_id, is_repeat = await tx.once(key, new_id("rev"))
        if is_repeat:
            return await permissions.of_cause(tx, revocation_id)
        await conversations.lock_number(tx, address)
        return await _revoke(
            tx, suppressor, address, purposes, channels, note, actor, revocation_id, clock.now()
        )


def address_of(phone: str, email: str) -> str:
    """Return the number or the e-mail address that a request names. Raises FIELD_INVALID unless it is one of the two,
    and PHONE_INVALID."""
    if bool(phone) == bool(email):
        raise invalid("phone", "or email is needed, and one of the two only")
    if phone:
        if not places.is_phone(phone):
            raise PhoneInvalid("phone")
        return phone
    address = plain_email(email)
    if not re.fullmatch(r"[^@\s]+@[^@\s]+", address):
        raise invalid("email", "is not an e-mail address")
    return address


async def _revoke(
    tx: Transaction,
    suppressor: Suppressor,
    address: str,
    purposes: Sequence[Purpose],
    channels: Sequence[Channel],
    note: str,
    actor: str,
    revocation_id: str,
    now: datetime,
) -> list[PermissionEntry]:
    return await record(
        tx,
        suppressor=suppressor,
        phone=address,
        purposes=list(purposes) or list(Purpose),
        channels=channels,
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
    """Return the ledger of the numbers and addresses that a client has, or had as a consent or a text told."""
    recipient = await profiles.get_recipient(chain_id, client_id)
    async with database.transaction(chain_id) as tx:
        phones = {*recipient.phones, *recipient.emails, *await conversations.phones_of(tx, client_id)}
        return await permissions.page(tx, phones=sorted(phones), before=before, most=most)
