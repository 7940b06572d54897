"""E-mails without a mail server: they are in the sandbox's mailboxes, and come back from some."""

import itertools
from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any

import pytest
import pytest_asyncio
from carnet.messaging.v1 import messaging_pb2 as pb

from chassis.errors import Kind, ServiceError

NUMBERS = itertools.count(1)


@pytest_asyncio.fixture(loop_scope="session")
async def store(house: Any) -> AsyncIterator[Any]:
    """Return the house with an e-mail address."""
    await house.stub.CreateSender(
        pb.CreateSenderRequest(
            store_id=house.store_id,
            email=f"store{next(NUMBERS)}@maison.example",
            channel=pb.CHANNEL_EMAIL,
            display_name="Maison Aurore",
            segments_per_second=1000,
        )
    )
    yield house


def reader(house: Any, local: str = "") -> tuple[str, str]:
    """Return a client with an address, and the address; `local` stands in front of the @ as it is."""
    client_id = house.client()
    address = f"{local or f'ada{next(NUMBERS)}'}@client.example"
    house.profiles.recipients[client_id] = replace(house.profiles.recipients[client_id], emails=(address,))
    return client_id, address


async def write(house: Any, client_id: str) -> pb.Message:
    """Write an e-mail to a client who wrote first, so to speak: the permission is not what is tested here."""
    async with house.database.transaction(house.chain_id) as tx:
        await tx.execute(
            "insert into permission_entries (entry_id, chain_id, phone, purpose, change, evidence, source, actor,"
            " cause_id, occurred_at, recorded_at, channel) select :id, :chain_id, :phone, 'SERVICE', 'GRANTED', 'yes',"
            " 'consent', '', '', :now, :now, 'EMAIL'",
            {
                "id": f"prm_mail_{next(NUMBERS)}",
                "chain_id": house.chain_id,
                "phone": house.profiles.recipients[client_id].emails[0],
                "now": house.clock.now(),
            },
        )
    sent: pb.Message = await house.send(
        client_id, "It is ready.", channel=pb.CHANNEL_EMAIL, subject="Your ring"
    )
    return sent


async def test_an_email_is_in_its_mailbox_and_among_the_phones(store: Any) -> None:
    client_id, address = reader(store)
    await store.becomes(await write(store, client_id), pb.MESSAGE_STATE_DELIVERED)
    found = await store.stub.ListSandboxMessages(pb.ListSandboxMessagesRequest(email=address.upper()))
    [mail] = found.messages
    assert (mail.subject, mail.body, mail.to_email, mail.segments) == (
        "Your ring",
        "It is ready.",
        address,
        0,
    )
    assert (mail.to_phone, mail.from_phone, mail.channel) == ("", "", pb.CHANNEL_EMAIL)
    phones = (await store.stub.ListSandboxPhones(pb.ListSandboxPhonesRequest())).phones
    assert [(one.email, one.phone, one.from_email) for one in phones] == [(address, "", mail.from_email)]


@pytest.mark.parametrize(
    ("local", "code", "is_dead"), [("nobody", "BOUNCE_5.1.1", True), ("full", "BOUNCE_5.2.2", False)]
)
async def test_some_mailboxes_send_back(store: Any, local: str, code: str, is_dead: bool) -> None:
    client_id, _ = reader(store, local)
    failed = await store.becomes(await write(store, client_id), pb.MESSAGE_STATE_FAILED)
    assert failed.error_code == code
    decision = await store.stub.CheckMessage(
        pb.CheckMessageRequest(
            client_id=client_id,
            store_id=store.store_id,
            purpose=pb.PURPOSE_SERVICE,
            channel=pb.CHANNEL_EMAIL,
        )
    )
    assert (decision.verdict == pb.VERDICT_DENY) is is_dead


@pytest.mark.parametrize("fields", [{}, {"phone": "+12125550142", "email": "ada@client.example"}])
async def test_one_inbox_is_read_at_a_time(house: Any, fields: dict[str, str]) -> None:
    with pytest.raises(ServiceError) as refused:
        await house.stub.ListSandboxMessages(pb.ListSandboxMessagesRequest(**fields))
    assert (refused.value.kind, refused.value.violations[0].field) == (Kind.INVALID, "phone")


async def test_another_chain_reads_no_mailbox(store: Any, sign_in: Any) -> None:
    client_id, address = reader(store)
    await store.becomes(await write(store, client_id), pb.MESSAGE_STATE_DELIVERED)
    sign_in("sandbox:write", chain_id="chn_stranger")
    found = await store.stub.ListSandboxMessages(pb.ListSandboxMessagesRequest(email=address))
    assert list(found.messages) == []


async def test_an_erasure_empties_the_mailbox(store: Any) -> None:
    client_id, address = reader(store)
    await store.becomes(await write(store, client_id), pb.MESSAGE_STATE_DELIVERED)
    await store.erase(client_id, erasure_id=f"ers_{client_id}")
    found = await store.stub.ListSandboxMessages(pb.ListSandboxMessagesRequest(email=address))
    assert list(found.messages) == []
