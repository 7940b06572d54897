"""Give stores their numbers."""

from chassis.clock import Clock
from chassis.database import Database, RequestKey
from chassis.ids import new_id
from messaging import places
from messaging.clients import Profiles
from messaging.domain import PhoneInvalid, Sender, SenderPhoneTaken
from messaging.store import senders


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
) -> Sender:
    """Give a store a number. Raises PHONE_INVALID, SENDER_PHONE_TAKEN, and STORE_NOT_FOUND as profiles says it."""
    if not places.is_phone(phone):
        raise PhoneInvalid("phone")
    await profiles.require_store(chain_id, store_id)
    async with database.transaction(chain_id) as tx:
        sender_id, is_repeat = await tx.once(key, new_id("snd"))
        if is_repeat:
            return await senders.get(tx, sender_id)
        sender = Sender(sender_id, store_id, phone, display_name.strip(), clock.now())
        if not await senders.add(tx, sender):
            raise SenderPhoneTaken
        return sender
