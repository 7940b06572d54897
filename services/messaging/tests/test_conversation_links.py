"""Whose a number is: linked to a client or a new one, shared, linked by mistake, or somebody else's by now."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
import pytest_asyncio
from carnet.messaging.v1 import conversations_pb2 as cpb
from carnet.messaging.v1 import conversations_pb2_grpc, events_pb2
from carnet.messaging.v1 import messaging_pb2 as pb
from carnet.privacy.v1 import privacy_pb2
from sqlalchemy import text

from chassis.errors import Kind, ServiceError
from chassis.events import wrap
from chassis.testing import SignIn, channel_to, published
from messaging.clients import Associate

SCOPES = ("messages:read", "messages:send", "sandbox:write", "senders:write", "records:export")
ALL = (pb.PURPOSE_CONVERSATIONAL, pb.PURPOSE_SERVICE, pb.PURPOSE_MARKETING)


@pytest_asyncio.fixture(loop_scope="session")
async def work(started: Any, house: Any) -> AsyncIterator[Any]:
    """Return the stub for work on conversations."""
    house.profiles.associates["asc_ana"] = Associate("asc_ana", "Ana")
    house.profiles.associates["asc_gone"] = Associate("asc_gone", "gone", is_active=False)
    async with channel_to(started.address) as channel:
        yield conversations_pb2_grpc.ConversationsServiceStub(channel)


async def refusal(call: Any) -> tuple[Kind, str]:
    with pytest.raises(ServiceError) as refused:
        await call
    return refused.value.kind, refused.value.reason


@pytest_asyncio.fixture(loop_scope="session")
async def unknown(house: Any, next_phone: Any) -> pb.Conversation:
    """Return a conversation with a number that is nobody's."""
    await house.receive_from(next(next_phone), "Hi, I saw the sapphire ring in your window.")
    (conversation,) = await house.conversations()
    assert (conversation.client_id, list(conversation.client_ids)) == ("", [])
    return conversation


def link(conversation: pb.Conversation, client_id: str = "", **fields: Any) -> cpb.LinkConversationRequest:
    given = {"request_id": f"link {client_id}", "conversation_id": conversation.conversation_id, **fields}
    return cpb.LinkConversationRequest(client_id=client_id, **given)


def unlink(conversation: pb.Conversation, client_id: str, **fields: Any) -> cpb.UnlinkConversationRequest:
    return cpb.UnlinkConversationRequest(
        conversation_id=conversation.conversation_id, client_id=client_id, **fields
    )


async def read(house: Any, conversation: pb.Conversation) -> pb.Conversation:
    found: pb.Conversation = await house.stub.GetConversation(
        pb.GetConversationRequest(conversation_id=conversation.conversation_id)
    )
    return found


async def unlinked(house: Any) -> list[str]:
    found = await house.stub.ListConversations(pb.ListConversationsRequest(unlinked_only=True))
    return [one.conversation_id for one in found.conversations]


async def changes(house: Any) -> int:
    return len(await published(house.database, events_pb2.ConversationChanged, chain_id=house.chain_id))


async def deliver_received(house: Any) -> None:
    """Let messaging hear what it said of the last text."""
    event = (await published(house.database, events_pb2.MessageReceived, chain_id=house.chain_id))[-1]
    envelope = wrap(
        event,
        source="messaging",
        chain_id=house.chain_id,
        entity_id=event.message_id,
        now=house.clock.now(),
    )
    # A task of its own, because the consumer acts as the service from there on.
    await asyncio.create_task(house.service.consumers[1].handle(envelope))


async def test_an_unknown_number_is_linked_to_a_client_once(
    house: Any, work: Any, unknown: pb.Conversation
) -> None:
    client_id = house.client()
    assert await unlinked(house) == [unknown.conversation_id]
    for _ in range(2):
        linked = await work.LinkConversation(link(unknown, client_id))
        assert (linked.client_id, linked.is_shared_number) == (client_id, False)
    assert await unlinked(house) == []
    assert [one.conversation_id for one in await house.conversations(client_id)] == [unknown.conversation_id]
    assert await changes(house) == 1


async def test_a_new_client_is_made_once_however_often_it_is_asked_for(
    house: Any, work: Any, unknown: pb.Conversation
) -> None:
    request = link(
        unknown, request_id="new", new_client=cpb.NewClient(given_name="Ines", family_name="Moreau")
    )
    answers = await asyncio.gather(*(work.LinkConversation(request) for _ in range(20)))
    assert {answer.client_id for answer in answers} == {answers[0].client_id} != {""}
    newcomers = [one for one in house.profiles.newcomers.values() if one[1].phone == unknown.client_phone]
    ((client_id, newcomer),) = newcomers
    assert client_id == answers[0].client_id
    assert (newcomer.given_name, newcomer.family_name, newcomer.store_id) == (
        "Ines",
        "Moreau",
        house.store_id,
    )
    assert await changes(house) == 1


async def test_the_new_client_is_the_caller_s_and_a_used_request_id_makes_nobody(
    house: Any, work: Any, unknown: pb.Conversation, sign_in: SignIn
) -> None:
    house.profiles.newcomers.clear()
    sign_in(*SCOPES, chain_id=house.chain_id, role="associate", associate_id="asc_ana")
    await work.AddConversationNote(
        cpb.AddConversationNoteRequest(
            request_id="used", conversation_id=unknown.conversation_id, body="Walked in twice."
        )
    )
    newcomer = cpb.NewClient(given_name="Ines")
    assert await refusal(work.LinkConversation(link(unknown, request_id="used", new_client=newcomer))) == (
        Kind.CONFLICT,
        "REQUEST_ID_REUSED",
    )
    assert not house.profiles.newcomers
    await work.LinkConversation(link(unknown, request_id="fresh", new_client=newcomer))
    ((_, made),) = house.profiles.newcomers.values()
    assert made.associate_id == "asc_ana"


async def test_a_call_that_was_cut_off_after_the_client_was_made_goes_on(
    house: Any, work: Any, unknown: pb.Conversation, monkeypatch: pytest.MonkeyPatch
) -> None:
    request = link(unknown, request_id="cut", new_client=cpb.NewClient(given_name="Ines"))
    make = house.profiles.create_client

    async def made_but_not_told(*arguments: Any) -> str:
        await make(*arguments)
        raise ConnectionError

    monkeypatch.setattr(house.profiles, "create_client", made_but_not_told)
    with pytest.raises(ServiceError):
        await work.LinkConversation(request)
    assert (await read(house, unknown)).client_id == ""
    monkeypatch.undo()
    linked = await work.LinkConversation(request)
    made = [one for one in house.profiles.newcomers.values() if one[1].phone == unknown.client_phone]
    assert [client_id for client_id, _ in made] == [linked.client_id]


async def test_a_late_repeat_of_a_link_does_not_undo_what_was_said_since(
    house: Any, work: Any, unknown: pb.Conversation
) -> None:
    client_id = house.client()
    await work.LinkConversation(link(unknown, client_id))
    await work.UnlinkConversation(unlink(unknown, client_id))
    assert (await work.LinkConversation(link(unknown, client_id))).client_id == ""
    assert (await work.LinkConversation(link(unknown, client_id, request_id="anew"))).client_id == client_id


@pytest.mark.parametrize(
    ("fields", "field"),
    [
        ({}, "client_id"),
        ({"client_id": "cli_1", "new_client": cpb.NewClient(given_name="Ines")}, "client_id"),
        ({"new_client": cpb.NewClient()}, "new_client"),
        ({"new_client": cpb.NewClient(given_name="x" * 101)}, "new_client.given_name"),
    ],
)
async def test_it_is_said_who_it_is(
    house: Any, work: Any, unknown: pb.Conversation, fields: dict[str, Any], field: str
) -> None:
    with pytest.raises(ServiceError) as refused:
        await work.LinkConversation(
            cpb.LinkConversationRequest(request_id="bad", conversation_id=unknown.conversation_id, **fields)
        )
    assert [violation.field for violation in refused.value.violations] == [field]


async def test_a_client_whom_nobody_knows_is_linked_to_nothing(
    house: Any, work: Any, unknown: pb.Conversation
) -> None:
    expected = (Kind.NOT_FOUND, "CLIENT_NOT_FOUND")
    assert await refusal(work.LinkConversation(link(unknown, "cli_nobody"))) == expected
    call = work.UnlinkConversation(unlink(unknown, "cli_nobody", is_reassigned=True))
    assert await refusal(call) == expected
    assert (await read(house, unknown)).client_id == ""


async def test_a_number_of_two_clients_is_said_to_be_shared_and_nobody_is_guessed(
    house: Any, work: Any, unknown: pb.Conversation
) -> None:
    one, other = house.client(), house.client()
    await work.LinkConversation(link(unknown, one))
    shared = await work.LinkConversation(link(unknown, other))
    assert (shared.client_id, shared.is_shared_number) == ("", True)
    assert list(shared.client_ids) == sorted([one, other])
    assert await unlinked(house) == [unknown.conversation_id]
    apart = await work.UnlinkConversation(unlink(unknown, one))
    assert (apart.client_id, apart.is_shared_number) == (other, False)


async def test_a_number_linked_by_mistake_keeps_what_was_agreed_to(
    house: Any, work: Any, unknown: pb.Conversation
) -> None:
    wrong, right = house.client(), house.client(unknown.client_phone)
    await house.consent(right)
    await work.LinkConversation(link(unknown, wrong))
    assert (await work.UnlinkConversation(unlink(unknown, wrong))).client_id == right
    assert (await house.check(right, pb.PURPOSE_SERVICE)).verdict == pb.VERDICT_ALLOW
    said = await published(house.database, events_pb2.PermissionRevoked, chain_id=house.chain_id)
    assert said == []


async def test_what_was_agreed_to_under_a_number_that_changed_hands_counts_no_more(
    house: Any, work: Any
) -> None:
    client_id = house.client()
    await house.consent(client_id)
    await house.receive(client_id, "Thank you!")
    (conversation,) = await house.conversations(client_id)
    for _ in range(2):
        left = await work.UnlinkConversation(unlink(conversation, client_id, is_reassigned=True))
        assert (left.client_id, list(left.client_ids)) == ("", [])
    said = await published(house.database, events_pb2.PermissionRevoked, chain_id=house.chain_id)
    assert {(one.purpose, one.channel) for one in said} == {
        (purpose, channel) for purpose in ALL for channel in (pb.CHANNEL_SMS, pb.CHANNEL_WHATSAPP)
    }
    assert len(said) == 6  # once, however often it is said
    stranger = house.client(conversation.client_phone)
    for purpose in ALL:
        decision = await house.check(stranger, purpose, "Maison Aurore: hello.")
        assert decision.reasons[0].reason == "PERMISSION_REVOKED"


async def test_who_has_a_number_now_may_ask_for_answers_but_agreed_to_nothing_else(
    house: Any, work: Any
) -> None:
    client_id = house.client()
    await house.consent(client_id)
    await house.receive(client_id, "Thank you!")
    (conversation,) = await house.conversations(client_id)
    await work.UnlinkConversation(unlink(conversation, client_id, is_reassigned=True))
    house.clock.advance(timedelta(minutes=1))
    await house.receive_from(conversation.client_phone, "START")
    owner = house.client(conversation.client_phone)
    assert (await house.check(owner, pb.PURPOSE_CONVERSATIONAL)).verdict == pb.VERDICT_ALLOW
    for purpose in (pb.PURPOSE_SERVICE, pb.PURPOSE_MARKETING):
        assert (await house.check(owner, purpose)).verdict == pb.VERDICT_DENY


async def test_nobody_is_written_to_at_a_number_that_is_not_theirs_though_the_profile_has_it(
    house: Any, work: Any, next_phone: Any
) -> None:
    client_id = house.client()
    await house.consent(client_id)
    await house.receive(client_id, "You have the wrong person.")
    (conversation,) = await house.conversations(client_id)
    await work.UnlinkConversation(unlink(conversation, client_id))
    assert await refusal(house.send(client_id)) == (Kind.PRECONDITION, "CLIENT_UNREACHABLE")
    reasons = [one.reason for one in (await house.check(client_id, pb.PURPOSE_SERVICE)).reasons]
    assert "CLIENT_UNREACHABLE" in reasons
    recipient = house.profiles.recipients[client_id]
    other = next(next_phone)
    house.profiles.recipients[client_id] = replace(recipient, phones=(*recipient.phones, other))
    await house.send(client_id)
    assert {one.client_phone for one in await house.conversations(client_id)} == {other}
    # Until it is said otherwise, by somebody here or by the client.
    house.profiles.recipients[client_id] = recipient
    await house.consent(client_id)
    await house.send(client_id)
    assert len(await house.conversations(client_id)) == 2


async def test_what_was_said_of_a_number_follows_a_merge(house: Any, work: Any) -> None:
    one, other = house.client(), house.client()
    await house.receive(one, "You have the wrong person.")
    (conversation,) = await house.conversations()
    await work.LinkConversation(link(conversation, one))
    await work.UnlinkConversation(unlink(conversation, one))
    await house.merge(other, one)
    await house.consent(other)
    await house.send(other)
    assert {item.client_phone for item in await house.conversations(other)} == {house.phone_of(other)}
    assert (await read(house, conversation)).client_id == ""


async def test_what_was_said_of_a_number_is_told_and_goes_with_the_client(
    house: Any, work: Any, sign_in: SignIn
) -> None:
    client_id = house.client()
    await house.consent(client_id)
    await house.receive(client_id, "You have the wrong person.")
    (conversation,) = await house.conversations(client_id)
    await work.UnlinkConversation(unlink(conversation, client_id, is_reassigned=True))
    sign_in(*SCOPES, chain_id=house.chain_id)
    told = await house.records.ListClientRecords(privacy_pb2.ListClientRecordsRequest(client_ids=[client_id]))
    (record,) = [one for one in told.records if one.section == "disowned_numbers"]
    assert record.fields["is_reassigned"]
    assert conversation.client_phone not in str(record)
    await house.erase(client_id)
    async with house.database.transaction(house.chain_id) as tx:
        left = await tx.execute(text("select count(*) from disowned_numbers"))
        assert left.scalar_one() == 0


async def test_a_note_goes_with_the_client_and_with_it_its_words(house: Any, work: Any) -> None:
    client_id = house.client()
    await house.receive(client_id, "Hello")
    (conversation,) = await house.conversations()
    await work.LinkConversation(link(conversation, client_id))
    await work.AddConversationNote(
        cpb.AddConversationNoteRequest(
            request_id="n", conversation_id=conversation.conversation_id, body="Allergic to nickel."
        )
    )
    await house.stub.MarkConversationRead(
        pb.MarkConversationReadRequest(conversation_id=conversation.conversation_id)
    )
    told = await house.records.ListClientRecords(privacy_pb2.ListClientRecordsRequest(client_ids=[client_id]))
    assert "Allergic to nickel." in [one.fields["body"] for one in told.records if one.section == "messages"]
    await house.erase(client_id)
    async with house.database.transaction(house.chain_id) as tx:
        for table in ("messages", "message_words", "conversation_reads", "conversations"):
            left = await tx.execute(text(f"select count(*) from {table}"))
            assert left.scalar_one() == 0, table


async def test_a_text_of_a_known_client_is_the_own_associate_s_to_see_to(house: Any) -> None:
    client_id = house.client()
    house.profiles.recipients[client_id] = replace(
        house.profiles.recipients[client_id], associate_id="asc_ana"
    )
    house.profiles.associates["asc_ana"] = Associate("asc_ana", "Ana")
    await house.consent(client_id)
    await house.receive(client_id, "Is it ready?")
    for _ in range(2):
        await deliver_received(house)
    (conversation,) = await house.conversations(client_id)
    assert conversation.assignee_id == "asc_ana"
    said = await published(house.database, events_pb2.ConversationAssigned, chain_id=house.chain_id)
    assert [(one.assignee_id, one.former_assignee_id, one.actor) for one in said] == [
        ("asc_ana", "", "system")
    ]


@pytest.mark.parametrize(
    "case", ["nobody's book", "who has left", "unknown number", "shared number", "taken"]
)
async def test_a_text_is_assigned_to_nobody_where_it_would_be_a_guess(
    house: Any, work: Any, case: str, next_phone: Any
) -> None:
    client_id = house.client()
    book_of = {"nobody's book": "", "who has left": "asc_gone"}.get(case, "asc_ana")
    house.profiles.recipients[client_id] = replace(house.profiles.recipients[client_id], associate_id=book_of)
    house.profiles.associates["asc_ben"] = Associate("asc_ben", "Ben")
    if case != "unknown number":
        await house.consent(client_id)
    if case == "shared number":
        await house.consent(house.client(house.phone_of(client_id)))
    await house.receive(client_id, "Is it ready?")
    (conversation,) = await house.conversations()
    if case == "taken":
        await work.AssignConversation(
            cpb.AssignConversationRequest(conversation_id=conversation.conversation_id, assignee_id="asc_ben")
        )
    await deliver_received(house)
    assert (await read(house, conversation)).assignee_id == ("asc_ben" if case == "taken" else "")


@pytest.mark.parametrize("book_of", ["asc_ana", "asc_gone", ""])
async def test_who_has_left_is_relieved_by_the_client_s_next_text(
    house: Any, work: Any, book_of: str
) -> None:
    client_id = house.client()
    house.profiles.recipients[client_id] = replace(house.profiles.recipients[client_id], associate_id=book_of)
    house.profiles.associates["asc_ben"] = Associate("asc_ben", "Ben")
    await house.consent(client_id)
    await house.receive(client_id, "Is it ready?")
    (conversation,) = await house.conversations()
    await work.AssignConversation(
        cpb.AssignConversationRequest(conversation_id=conversation.conversation_id, assignee_id="asc_ben")
    )
    house.profiles.associates["asc_ben"] = Associate("asc_ben", "Ben", is_active=False)
    house.clock.advance(timedelta(minutes=1))
    await house.receive(client_id, "Hello?")
    await deliver_received(house)
    expected = "asc_ana" if book_of == "asc_ana" else ""
    assert (await read(house, conversation)).assignee_id == expected
    said = await published(house.database, events_pb2.ConversationAssigned, chain_id=house.chain_id)
    assert (said[-1].former_assignee_id, said[-1].assignee_id) == ("asc_ben", expected)
