"""Turn recipients of bulk sends into messages, a slice at a time. Must not send anything.

Profiles are asked before the transaction. Within it, whatever was true of the recipients is looked at again: whoever
was merged, erased or written to meanwhile is not written to as if nothing had been. A slice whose writer dies is taken
over once its lease is over; a recipient becomes a message in the transaction that notes it, so never twice.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from chassis import identities
from chassis.clock import Clock
from chassis.database import Database, Transaction
from chassis.errors import Kind, ServiceError
from chassis.ids import new_id
from messaging import places
from messaging.clients import Profiles, Recipient
from messaging.domain import Change, ProviderTemplate, Sender
from messaging.domain.bulk_sends import (
    CLIENT_NOT_FOUND,
    CLIENT_UNREACHABLE,
    DUPLICATE_NUMBER,
    TEMPLATE_VALUE_MISSING,
    TEXT_TOO_LONG,
    BulkRecipient,
    BulkSend,
    BulkSendState,
)
from messaging.domain.templates import LONGEST_BODY, fill
from messaging.store import bulk_recipients, bulk_sends, many, permissions, senders
from messaging.store.bulk_recipients import Written
from messaging.store.bulk_sends import Slice
from messaging.suppression import Suppressor
from messaging.use_cases.media import attach
from messaging.use_cases.own_numbers import with_own_numbers
from messaging.use_cases.templates import client_facts, sender_facts
from messaging.use_cases.writing import Draft, write_all


@dataclass(frozen=True)
class Known:
    """What profiles said of the recipients of a slice, by the ids that profiles was asked for."""

    recipients: Mapping[str, Recipient]
    facts: Mapping[str, str] = field(default_factory=dict)
    associate_names: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class _Text:
    """One recipient's text, ready to be asked about."""

    position: int
    client_id: str
    phone: str = field(repr=False)
    zone: str
    body: str = field(repr=False)
    subject: str = field(repr=False)
    provider_template: ProviderTemplate | None = None


async def write_slice(
    *,
    database: Database,
    clock: Clock,
    profiles: Profiles,
    suppressor: Suppressor,
    chain_id: str,
    bulk_send: BulkSend,
    part: Slice,
) -> int:
    """Write to the recipients of a slice; return how many texts there are now: none while it is paused or over."""
    async with database.transaction(chain_id) as tx:
        frozen = await bulk_recipients.frozen_in(tx, bulk_send.bulk_send_id, part)
        current = await _currents(tx, frozen)
    known = await ask_profiles(profiles, chain_id, bulk_send, sorted(set(current.values())))
    now = clock.now()
    async with database.transaction(chain_id) as tx:
        await identities.hold(tx)
        states = await bulk_sends.states(tx, [bulk_send.bulk_send_id])
        # Not running, or somebody is about to say so.
        if states.get(bulk_send.bulk_send_id) is not BulkSendState.RUNNING:
            await bulk_sends.give_back(tx, bulk_send.bulk_send_id, part, now)
            return 0
        sender = await senders.find_by_store(tx, bulk_send.store_id, bulk_send.channel)
        frozen = await bulk_recipients.frozen_in(tx, bulk_send.bulk_send_id, part, lock=True)
        meanwhile = await _currents(tx, frozen)
        # Whom a merge made somebody else since profiles was asked: in another look.
        settled = [one for one in frozen if meanwhile.get(one.client_id) == current.get(one.client_id)]
        written: list[Written] = []
        if sender is not None and settled:
            texts, written = await _compose(tx, bulk_send, sender, settled, meanwhile, known, suppressor)
            fresh, twice = await _only_once(tx, bulk_send, sender, texts)
            written += [*twice, *await _write(tx, bulk_send, sender, fresh, suppressor, now)]
            await bulk_recipients.note_written(tx, bulk_send.bulk_send_id, written)
        if len(written) == len(frozen):
            await bulk_sends.remove_slice(tx, bulk_send.bulk_send_id, part)
        else:
            await bulk_sends.give_back(tx, bulk_send.bulk_send_id, part, now)
    return sum(bool(one.message_id) for one in written)


async def _currents(tx: Transaction, recipients: Sequence[BulkRecipient]) -> dict[str, str]:
    """Return whom the ids of recipients lead to; those who were forgotten are left out."""
    led = await identities.resolve(tx, [one.client_id for one in recipients])
    there = await identities.resolve(tx, set(led.values()))
    return {client_id: current for client_id, current in led.items() if current in there}


async def ask_profiles(
    profiles: Profiles, chain_id: str, bulk_send: BulkSend, client_ids: Sequence[str]
) -> Known:
    """Return what must be known of clients to write to them; what no text needs is not asked for."""
    if not client_ids:
        return Known({})
    recipients = dict(await profiles.get_recipients(chain_id, client_ids))
    for client_id in client_ids:
        if client_id not in recipients and (survivor := await _survivor(profiles, chain_id, client_id)):
            recipients[client_id] = survivor
    if bulk_send.template is None:
        return Known(recipients)
    variables = bulk_send.template.variables
    facts: dict[str, str] = {}
    if "store.name" in variables:
        facts["store.name"] = await profiles.get_store_name(chain_id, bulk_send.store_id)
    names: dict[str, str] = {}
    if "associate.name" in variables:
        author = await _associate_name(profiles, chain_id, bulk_send.author)
        if author:
            facts["associate.name"] = author
        else:
            books = {one.associate_id for one in recipients.values() if one.associate_id}
            names = {one: await _associate_name(profiles, chain_id, one) for one in sorted(books)}
    return Known(recipients, facts, names)


async def _survivor(profiles: Profiles, chain_id: str, client_id: str) -> Recipient | None:
    """Return whom an id leads to that was merged a moment ago, so that we have not heard of it; None for nobody."""
    try:
        return await profiles.get_recipient(chain_id, client_id)
    except ServiceError as error:
        if error.kind is not Kind.NOT_FOUND:
            raise
        return None


async def _associate_name(profiles: Profiles, chain_id: str, associate_id: str) -> str:
    if not associate_id.startswith("asc_"):
        return ""
    try:
        return (await profiles.get_associate(chain_id, associate_id)).display_name
    except ServiceError as error:
        if error.kind is not Kind.NOT_FOUND:
            raise
        return ""


async def _compose(
    tx: Transaction,
    bulk_send: BulkSend,
    sender: Sender,
    recipients: Sequence[BulkRecipient],
    current: Mapping[str, str],
    known: Known,
    suppressor: Suppressor,
) -> tuple[list[_Text], list[Written]]:
    """Return the texts of recipients, and a reason for each of those who have none."""
    reached: list[tuple[BulkRecipient, Recipient]] = []
    refused: list[Written] = []
    for one in recipients:
        client_id = current.get(one.client_id)
        if client_id is None or client_id not in known.recipients:
            refused.append(Written(one.position, reason=CLIENT_NOT_FOUND))
        else:
            reached.append((one, known.recipients[client_id]))
    addresses = await _addresses(tx, bulk_send, [recipient for _, recipient in reached], suppressor)
    texts: list[_Text] = []
    for one, recipient in reached:
        address = addresses.get(recipient.client_id)
        if address is None:
            refused.append(Written(one.position, reason=CLIENT_UNREACHABLE))
            continue
        text = _fill(bulk_send, sender, one, current[one.client_id], recipient, address, known)
        if isinstance(text, Written):
            refused.append(text)
        else:
            texts.append(text)
    return texts, refused


def _fill(
    bulk_send: BulkSend,
    sender: Sender,
    one: BulkRecipient,
    client_id: str,
    recipient: Recipient,
    address: str,
    known: Known,
) -> _Text | Written:
    body, subject, provider_template = bulk_send.body, bulk_send.subject, None
    if bulk_send.template is not None:
        written = bulk_send.template.text_for(recipient.language)
        book = known.associate_names.get(recipient.associate_id, "")
        facts = {
            **client_facts(recipient),
            **sender_facts(sender),
            **({"associate.name": book} if book else {}),
            **known.facts,
        }
        filled = fill(written, facts, one.values)
        if filled.missing:
            return Written(one.position, reason=TEMPLATE_VALUE_MISSING)
        body, subject = filled.text.body, bulk_send.subject or filled.text.subject
        if written.provider_template_id:
            numbered = {
                str(number): filled.values[name] for number, name in enumerate(written.variables, start=1)
            }
            provider_template = ProviderTemplate(written.provider_template_id, numbered)
    if len(body) > LONGEST_BODY[bulk_send.channel]:
        return Written(one.position, reason=TEXT_TOO_LONG)
    return _Text(
        position=one.position,
        client_id=client_id,
        phone=address,
        zone=recipient.place,
        body=body,
        subject=subject,
        provider_template=provider_template,
    )


async def _addresses(
    tx: Transaction, bulk_send: BulkSend, recipients: Sequence[Recipient], suppressor: Suppressor
) -> dict[str, str]:
    """Return where to write to each client, as for a single text: the preferred address, else the first that agreed."""
    candidates: dict[str, tuple[str, ...]] = {}
    chosen: dict[str, str] = {}
    for recipient in await with_own_numbers(tx, *recipients):
        if bulk_send.channel.takes_phones:
            offered, has_preferred = recipient.phones, recipient.has_preferred_phone
            usable = tuple(phone for phone in offered if places.takes_texts(phone))
        else:
            usable = offered = recipient.emails
            has_preferred = recipient.has_preferred_email
        if len(usable) == 1 or (usable and has_preferred and usable[0] == offered[0]):
            chosen[recipient.client_id] = usable[0]
        elif usable:
            candidates[recipient.client_id] = usable
    asked = [(client_id, address) for client_id, several in candidates.items() for address in several]
    standing = await permissions.deciding_each(
        tx, [(address, bulk_send.purpose, bulk_send.channel) for _, address in asked], suppressor
    )
    for (client_id, address), decides in zip(asked, standing, strict=True):
        if decides is not None and decides.change is Change.GRANTED:
            chosen.setdefault(client_id, address)
    return {client_id: several[0] for client_id, several in candidates.items()} | chosen


async def _only_once(
    tx: Transaction, bulk_send: BulkSend, sender: Sender, texts: Sequence[_Text]
) -> tuple[list[_Text], list[Written]]:
    """Return the texts to persons and numbers that the bulk send has not been written to, and who had it already.

    Locks the numbers: of two writers who come to the same one, the second sees what the first wrote.
    """
    await many.lock_numbers(tx, [text.phone for text in texts])
    persons = await bulk_recipients.persons_written_to(
        tx, bulk_send.bulk_send_id, {text.client_id for text in texts}
    )
    numbers = await bulk_recipients.numbers_written_to(
        tx, bulk_send.bulk_send_id, sender.sender_id, {text.phone for text in texts}
    )
    fresh: list[_Text] = []
    twice: list[Written] = []
    for text in sorted(texts, key=lambda text: text.position):
        if text.client_id in persons or text.phone in numbers:
            twice.append(Written(text.position, reason=DUPLICATE_NUMBER))
            continue
        persons.add(text.client_id)
        numbers.add(text.phone)
        fresh.append(text)
    return fresh, twice


async def _write(
    tx: Transaction,
    bulk_send: BulkSend,
    sender: Sender,
    texts: Sequence[_Text],
    suppressor: Suppressor,
    now: datetime,
) -> list[Written]:
    """Put texts into their conversations as the gate decides."""
    if not texts:
        return []
    drafts = [
        Draft(
            new_id("msg"),
            sender,
            text.phone,
            text.client_id,
            text.zone,
            text.body,
            bulk_send.purpose,
            bulk_send.author,
            subject=text.subject,
            template_id=bulk_send.template_id,
            provider_template=text.provider_template,
            campaign_id=bulk_send.campaign_id,
            bulk_send_id=bulk_send.bulk_send_id,
            has_media=bool(bulk_send.media_ids),
            expires_at=bulk_send.expires_at,
        )
        for text in texts
    ]
    made = await write_all(tx, drafts, suppressor=suppressor, now=now)
    for message in made:
        await attach(tx, bulk_send.media_ids, message.message_id)
    await bulk_recipients.learn_numbers(tx, {text.phone: text.client_id for text in texts}, now)
    return [Written(text.position, message.message_id) for text, message in zip(texts, made, strict=True)]
