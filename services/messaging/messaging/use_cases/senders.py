"""Give stores their senders and brands their registrations; stop a sender and let it go on."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo, available_timezones

import structlog

from chassis.clock import Clock
from chassis.database import Database, RequestKey, Transaction
from chassis.errors import invalid
from chassis.ids import new_id
from messaging import events, places
from messaging.clients import Profiles
from messaging.domain import (
    Channel,
    PhoneInvalid,
    Sender,
    SenderNotFound,
    SenderPhoneTaken,
    SenderState,
    plain_email,
)
from messaging.domain.pacing import (
    DEFAULT_SEGMENTS_PER_DAY,
    DEFAULT_ZONE,
    BrandRegistration,
    BrandRegistrationNotFound,
    day_in,
)
from messaging.store import due, pacing, senders
from messaging.telemetry import SENDERS_STOPPED

_log = structlog.get_logger(__name__)
_RequireStore = Callable[[str], None]
_ZONES = available_timezones()


async def create_sender(
    *,
    database: Database,
    clock: Clock,
    profiles: Profiles,
    chain_id: str,
    key: RequestKey,
    store_id: str,
    phone: str,
    display_name: str,
    channel: Channel = Channel.SMS,
    email: str = "",
    brand_registration_id: str = "",
    messaging_service_id: str = "",
    segments_per_second: float = 0,
) -> Sender:
    """Give a store a number or an address on a channel.

    Raises PHONE_INVALID, SENDER_PHONE_TAKEN, BRAND_REGISTRATION_NOT_FOUND, and STORE_NOT_FOUND as profiles says it.
    """
    address = _address(channel, phone, email)
    await profiles.require_store(chain_id, store_id)
    async with database.transaction(chain_id) as tx:
        sender_id, is_repeat = await tx.once(key, new_id("snd"))
        if is_repeat:
            return await senders.get(tx, sender_id)
        await _require_brand(tx, brand_registration_id)
        sender = Sender(
            sender_id,
            store_id,
            address,
            display_name.strip(),
            clock.now(),
            channel=channel,
            brand_registration_id=brand_registration_id,
            messaging_service_id=messaging_service_id,
            segments_per_second=segments_per_second or 1.0,
        )
        if not await senders.add(tx, sender):
            raise SenderPhoneTaken
        await pacing.hold_turn(tx, sender_id, is_stopped=False)
        return sender


def _address(channel: Channel, phone: str, email: str) -> str:
    if channel.takes_phones:
        if email:
            raise invalid("email", f"is not what a sender on {channel} has")
        if not places.is_phone(phone):
            raise PhoneInvalid("phone")
        return phone
    if phone:
        raise invalid("phone", "is not what a sender on EMAIL has")
    address = plain_email(email)
    local, _, host = address.rpartition("@")
    if not local or "." not in host or any(not one.isprintable() or one.isspace() for one in address):
        raise invalid("email", "is not an e-mail address")
    return address


async def update_sender(
    *,
    database: Database,
    chain_id: str,
    sender_id: str,
    display_name: str,
    brand_registration_id: str,
    messaging_service_id: str,
    segments_per_second: float,
    require_store: _RequireStore,
) -> Sender:
    """Change what can change of a sender. Raises SENDER_NOT_FOUND, BRAND_REGISTRATION_NOT_FOUND, STORE_NOT_YOURS."""
    if not display_name.strip():
        raise invalid("display_name", "says nothing")
    async with database.transaction(chain_id) as tx:
        sender = await _lock(tx, sender_id, require_store)
        await _require_brand(tx, brand_registration_id)
        sender = replace(
            sender,
            display_name=display_name.strip(),
            brand_registration_id=brand_registration_id,
            messaging_service_id=messaging_service_id,
            segments_per_second=segments_per_second,
        )
        await senders.save(tx, sender)
        return sender


async def stop_sender(
    *, database: Database, chain_id: str, sender_id: str, note: str, require_store: _RequireStore
) -> Sender:
    """Hold back what is to go out from a sender; what has been taken already goes out. A repeat changes nothing."""
    if not note.strip():
        raise invalid("note", "says nothing")
    async with database.transaction(chain_id) as tx:
        sender = await _lock(tx, sender_id, require_store)
        return await _stop(tx, sender, reason=note.strip(), code="")


async def stop_faulty(tx: Transaction, sender_id: str, code: str) -> None:
    """Stop a sender that the carrier faults, and say so once."""
    await pacing.lock_turns(tx, [sender_id])
    sender = await senders.find(tx, sender_id, lock=True)
    if sender is not None:
        await _stop(tx, sender, reason=code, code=code)


async def _stop(tx: Transaction, sender: Sender, *, reason: str, code: str) -> Sender:
    if sender.state is SenderState.STOPPED:
        return sender
    stopped = replace(sender, state=SenderState.STOPPED, stop_reason=reason)
    await pacing.hold_turn(tx, sender.sender_id, is_stopped=True)
    await senders.save(tx, stopped)
    tx.publish(events.sender_stopped(stopped, error_code=code), entity_id=sender.sender_id)
    SENDERS_STOPPED.labels(code or "person").inc()
    _log.error("a sender was stopped", sender_id=sender.sender_id, error_code=code)
    return stopped


async def resume_sender(
    *,
    database: Database,
    clock: Clock,
    wake: asyncio.Event,
    chain_id: str,
    sender_id: str,
    require_store: _RequireStore,
) -> Sender:
    """Let a stopped sender go on with what waits. A repeat changes nothing."""
    async with database.transaction(chain_id) as tx:
        sender = await _lock(tx, sender_id, require_store)
        if sender.state is SenderState.STOPPED:
            sender = replace(sender, state=SenderState.ACTIVE, stop_reason="")
            await pacing.hold_turn(tx, sender_id, is_stopped=False)
            await senders.save(tx, sender)
            await due.hasten(tx, sender_id, "SENDER_STOPPED", clock.now())
    wake.set()
    return sender


async def _lock(tx: Transaction, sender_id: str, require_store: _RequireStore) -> Sender:
    # The turn first, as whoever takes texts does: what is taken after this knows of the change.
    await pacing.open_turns(tx, [sender_id])
    await pacing.lock_turns(tx, [sender_id])
    sender = await senders.find(tx, sender_id, lock=True)
    if sender is None:
        raise SenderNotFound
    require_store(sender.store_id)
    return sender


async def _require_brand(tx: Transaction, brand_registration_id: str) -> None:
    if brand_registration_id and await pacing.find_brand(tx, brand_registration_id) is None:
        raise BrandRegistrationNotFound(brand_registration_id)


@dataclass(frozen=True)
class SenderLoad:
    """What a sender has sent today and what waits for it; `drained_at` if nothing else comes, None when stopped."""

    sender: Sender
    segments_today: int
    brand: BrandRegistration | None
    waiting_messages: int
    waiting_segments: int
    drained_at: datetime | None


async def get_load(*, database: Database, clock: Clock, chain_id: str, sender_id: str) -> SenderLoad:
    """Return what a sender has to do. Raises SENDER_NOT_FOUND."""
    now = clock.now()
    async with database.transaction(chain_id) as tx:
        sender = await senders.find(tx, sender_id)
        if sender is None:
            raise SenderNotFound
        brand = await pacing.find_brand(tx, sender.brand_registration_id)
        if brand is not None:
            (brand,) = await pacing.with_today(tx, [brand], now)
        day = (sender_id, day_in(DEFAULT_ZONE if brand is None else brand.time_zone, now))
        sent = await pacing.sent_on(tx, [day])
        waiting_messages, waiting_segments = await due.waiting_for(tx, sender_id, now)
        free_at = max(await pacing.free_at(tx, sender_id) or now, now)
    drained_at = None
    if sender.state is SenderState.ACTIVE:
        drained_at = free_at + timedelta(seconds=waiting_segments / sender.segments_per_second)
    return SenderLoad(sender, sent.get(day, 0), brand, waiting_messages, waiting_segments, drained_at)


async def create_brand(
    *,
    database: Database,
    clock: Clock,
    chain_id: str,
    key: RequestKey,
    display_name: str,
    provider_registration_id: str,
    segments_per_day: int,
    time_zone: str,
) -> BrandRegistration:
    """Write a brand's registration down; what is left out is what the carriers allow everybody."""
    brand = BrandRegistration(
        brand_registration_id="",
        display_name=_name(display_name),
        provider_registration_id=provider_registration_id.strip(),
        segments_per_day=segments_per_day or DEFAULT_SEGMENTS_PER_DAY,
        time_zone=_zone(time_zone or DEFAULT_ZONE),
        created_at=clock.now(),
    )
    async with database.transaction(chain_id) as tx:
        brand_id, is_repeat = await tx.once(key, new_id("brd"))
        if not is_repeat:
            await pacing.add_brand(tx, replace(brand, brand_registration_id=brand_id))
        return await _brand(tx, brand_id, clock.now())


async def update_brand(
    *,
    database: Database,
    clock: Clock,
    chain_id: str,
    brand_registration_id: str,
    display_name: str,
    provider_registration_id: str,
    segments_per_day: int,
    time_zone: str,
) -> BrandRegistration:
    """Change a registration; all fields are taken. Raises BRAND_REGISTRATION_NOT_FOUND."""
    async with database.transaction(chain_id) as tx:
        brand = await pacing.find_brand(tx, brand_registration_id, lock=True)
        if brand is None:
            raise BrandRegistrationNotFound(brand_registration_id)
        changed = replace(
            brand,
            display_name=_name(display_name),
            provider_registration_id=provider_registration_id.strip(),
            segments_per_day=segments_per_day,
            time_zone=_zone(time_zone),
        )
        await pacing.save_brand(tx, changed)
        return await _brand(tx, brand_registration_id, clock.now())


async def _brand(tx: Transaction, brand_registration_id: str, now: datetime) -> BrandRegistration:
    brand = await pacing.find_brand(tx, brand_registration_id)
    if brand is None:
        raise BrandRegistrationNotFound(brand_registration_id)
    return (await pacing.with_today(tx, [brand], now))[0]


def _name(display_name: str) -> str:
    if not display_name.strip():
        raise invalid("display_name", "says nothing")
    return display_name.strip()


def _zone(time_zone: str) -> str:
    if time_zone not in _ZONES:
        raise invalid("time_zone", "is not a time zone of the IANA database")
    return ZoneInfo(time_zone).key
