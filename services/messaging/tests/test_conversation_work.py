"""Conversations as people work on them: who sees to one, what is noted, what each has read, open and closed."""

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any

import pytest
import pytest_asyncio
from carnet.messaging.v1 import conversations_pb2 as cpb
from carnet.messaging.v1 import conversations_pb2_grpc, events_pb2
from carnet.messaging.v1 import messaging_pb2 as pb
from google.protobuf.timestamp_pb2 import Timestamp
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from chassis.errors import Kind, ServiceError
from chassis.testing import SignIn, channel_to, published
from messaging.clients import Associate

SCOPES = ("messages:read", "messages:send", "sandbox:write", "senders:write")
OPEN, CLOSED = pb.CONVERSATION_STATE_OPEN, pb.CONVERSATION_STATE_CLOSED


@pytest_asyncio.fixture(loop_scope="session")
async def work(started: Any, house: Any) -> AsyncIterator[Any]:
    """Return the stub for work on conversations; three associates work in the house, and one has left."""
    for one in ("asc_ana", "asc_ben", "asc_cleo"):
        house.profiles.associates[one] = Associate(one, one)
    house.profiles.associates["asc_gone"] = Associate("asc_gone", "gone", is_active=False)
    house.profiles.is_down = False
    async with channel_to(started.address) as channel:
        yield conversations_pb2_grpc.ConversationsServiceStub(channel)


@pytest.fixture
def as_associate(house: Any, sign_in: SignIn) -> Any:
    """Return a function that signs in as an associate of the house's chain."""

    def sign(associate_id: str, **fields: Any) -> None:
        given = {"role": "associate", "actor_id": f"usr_{associate_id}", "associate_id": associate_id}
        sign_in(*SCOPES, chain_id=house.chain_id, **{**given, **fields})

    return sign


async def refusal(call: Any) -> tuple[Kind, str]:
    with pytest.raises(ServiceError) as refused:
        await call
    return refused.value.kind, refused.value.reason


@pytest.fixture
def written_to(house: Any, next_phone: Any) -> Any:
    """Return a function that lets a number of nobody's begin a conversation, and returns that."""

    async def write(body: str = "Is my ring ready?") -> pb.Conversation:
        phone = next(next_phone)
        await house.receive_from(phone, body)
        found: list[pb.Conversation] = await house.conversations()
        return next(one for one in found if one.client_phone == phone)

    return write


async def read(house: Any, conversation: pb.Conversation) -> pb.Conversation:
    found: pb.Conversation = await house.stub.GetConversation(
        pb.GetConversationRequest(conversation_id=conversation.conversation_id)
    )
    return found


async def listed(house: Any, **filters: Any) -> list[str]:
    found = await house.stub.ListConversations(pb.ListConversationsRequest(**filters))
    return [one.conversation_id for one in found.conversations]


async def lines_of(house: Any, conversation: pb.Conversation) -> list[pb.Message]:
    found = await house.stub.ListMessages(
        pb.ListMessagesRequest(conversation_id=conversation.conversation_id)
    )
    return list(found.messages)


def assigned(conversation: pb.Conversation, assignee_id: str, **fields: Any) -> Any:
    return cpb.AssignConversationRequest(
        conversation_id=conversation.conversation_id, assignee_id=assignee_id, **fields
    )


async def assignments(house: Any) -> list[tuple[str, str, str]]:
    said = await published(house.database, events_pb2.ConversationAssigned, chain_id=house.chain_id)
    return [(one.former_assignee_id, one.assignee_id, one.actor) for one in said]


async def changes(house: Any) -> list[int]:
    said = await published(house.database, events_pb2.ConversationChanged, chain_id=house.chain_id)
    return [one.state for one in said]


async def test_a_conversation_is_handed_over_with_a_word_that_stays_inside(
    house: Any, written_to: Any, work: Any, as_associate: Any
) -> None:
    conversation = await written_to()
    as_associate("asc_ana")
    given = await work.AssignConversation(
        assigned(conversation, "asc_ben", note="She comes at five; the box is in the safe.")
    )
    assert (given.assignee_id, given.last_message.author) == ("asc_ben", "asc_ana")
    note, text_ = await lines_of(house, conversation)
    assert (note.direction, note.state, note.author) == (
        pb.DIRECTION_NOTE,
        pb.MESSAGE_STATE_NOTED,
        "asc_ana",
    )
    assert note.body == "She comes at five; the box is in the safe."
    assert text_.direction == pb.DIRECTION_INBOUND
    assert await assignments(house) == [("", "asc_ben", "asc_ana")]
    taken_back = await work.AssignConversation(assigned(conversation, ""))
    assert taken_back.assignee_id == ""
    assert await assignments(house) == [("", "asc_ben", "asc_ana"), ("asc_ben", "", "asc_ana")]


async def test_the_same_assignment_again_changes_nothing(house: Any, written_to: Any, work: Any) -> None:
    conversation = await written_to()
    request = assigned(conversation, "asc_ben", note="Please call.", request_id="once")
    for _ in range(2):
        await work.AssignConversation(request)
    # Nor without a request id: a call that was sent twice says the same word once.
    await work.AssignConversation(assigned(conversation, "asc_ben", note="Please call."))
    await work.AssignConversation(assigned(conversation, "asc_ben"))
    assert [one.body for one in await lines_of(house, conversation)] == ["Please call.", "Is my ring ready?"]
    assert len(await assignments(house)) == 1
    await work.AssignConversation(assigned(conversation, "asc_ben", note="And bring the box."))
    assert (await lines_of(house, conversation))[0].body == "And bring the box."
    assert len(await assignments(house)) == 1
    assert await refusal(work.AssignConversation(assigned(conversation, "asc_cleo", request_id="once"))) == (
        Kind.CONFLICT,
        "REQUEST_ID_REUSED",
    )


async def test_of_twenty_who_take_a_conversation_at_once_each_takes_it_from_the_one_before(
    house: Any, written_to: Any, work: Any
) -> None:
    conversation = await written_to()
    takers = [f"asc_{number}" for number in range(20)]
    for one in takers:
        house.profiles.associates[one] = Associate(one, one)
    await asyncio.gather(*(work.AssignConversation(assigned(conversation, one)) for one in takers))
    said = await assignments(house)
    assert sorted(taker for _, taker, _ in said) == sorted(takers)
    assert [former for former, _, _ in said] == ["", *(taker for _, taker, _ in said[:-1])]
    assert (await read(house, conversation)).assignee_id == said[-1][1]


async def test_of_twenty_who_give_it_to_the_same_one_one_does(house: Any, written_to: Any, work: Any) -> None:
    conversation = await written_to()
    request = assigned(conversation, "asc_ana", note="Yours, please.")
    await asyncio.gather(*(work.AssignConversation(request) for _ in range(20)))
    assert len(await assignments(house)) == 1
    assert len(await lines_of(house, conversation)) == 2


async def test_nobody_who_is_unknown_or_has_left_is_given_anything(
    house: Any, written_to: Any, work: Any
) -> None:
    conversation = await written_to()
    for assignee_id, expected in (
        ("asc_nobody", (Kind.NOT_FOUND, "ASSOCIATE_NOT_FOUND")),
        ("asc_gone", (Kind.PRECONDITION, "ASSOCIATE_LEFT")),
    ):
        assert await refusal(work.AssignConversation(assigned(conversation, assignee_id))) == expected
    assert (await read(house, conversation)).assignee_id == ""
    assert await assignments(house) == []


def every_change(work: Any, conversation: pb.Conversation, client_id: str) -> list[Any]:
    """Return a call of every RPC that changes a conversation."""
    conversation_id = conversation.conversation_id
    return [
        work.AssignConversation(assigned(conversation, "asc_ana")),
        work.CloseConversation(cpb.CloseConversationRequest(conversation_id=conversation_id)),
        work.ReopenConversation(cpb.ReopenConversationRequest(conversation_id=conversation_id)),
        work.AddConversationNote(
            cpb.AddConversationNoteRequest(request_id="n", conversation_id=conversation_id, body="x")
        ),
        work.LinkConversation(
            cpb.LinkConversationRequest(request_id="l", conversation_id=conversation_id, client_id=client_id)
        ),
        work.UnlinkConversation(
            cpb.UnlinkConversationRequest(conversation_id=conversation_id, client_id=client_id)
        ),
    ]


async def test_what_is_another_store_s_is_left_alone(
    house: Any, written_to: Any, work: Any, as_associate: Any
) -> None:
    conversation, client_id = await written_to(), house.client()
    as_associate("asc_ana", stores=frozenset({"sto_other"}))
    for call in every_change(work, conversation, client_id):
        assert await refusal(call) == (Kind.FORBIDDEN, "STORE_NOT_YOURS")
    assert await read(house, conversation) == conversation


async def test_what_is_another_chain_s_is_not_there(
    house: Any, written_to: Any, work: Any, sign_in: SignIn
) -> None:
    conversation, client_id = await written_to(), house.client()
    sign_in(*SCOPES, chain_id="chn_stranger")
    marking = [
        house.stub.MarkConversationRead(
            pb.MarkConversationReadRequest(conversation_id=conversation.conversation_id)
        ),
        work.MarkConversationUnread(
            cpb.MarkConversationUnreadRequest(conversation_id=conversation.conversation_id)
        ),
    ]
    for call in [*every_change(work, conversation, client_id), *marking]:
        assert await refusal(call) == (Kind.NOT_FOUND, "CONVERSATION_NOT_FOUND")
    sign_in(*SCOPES, chain_id=house.chain_id)
    assert await read(house, conversation) == conversation
    assert len(await lines_of(house, conversation)) == 1


async def test_a_closed_conversation_is_opened_by_the_client_only(house: Any, work: Any) -> None:
    client_id = house.client()
    await house.consent(client_id)
    await house.receive(client_id, "Is it ready?")
    (conversation,) = await house.conversations(client_id)
    closing = cpb.CloseConversationRequest(conversation_id=conversation.conversation_id)
    closed = await work.CloseConversation(closing)
    assert (closed.state, closed.HasField("waiting_since_time")) == (CLOSED, False)
    await work.CloseConversation(closing)
    await house.send(client_id)
    await work.AddConversationNote(
        cpb.AddConversationNoteRequest(
            request_id="n1", conversation_id=conversation.conversation_id, body="Called."
        )
    )
    assert (await read(house, conversation)).state == CLOSED
    assert await listed(house, state=CLOSED) == [conversation.conversation_id]
    assert await listed(house, state=OPEN) == []
    await house.receive(client_id, "And now?")
    assert (await read(house, conversation)).state == OPEN
    assert await changes(house) == [CLOSED, CLOSED, OPEN]  # closed, noted in, opened by the client
    await work.CloseConversation(closing)
    reopened = await work.ReopenConversation(
        cpb.ReopenConversationRequest(conversation_id=conversation.conversation_id)
    )
    assert reopened.state == OPEN


async def test_a_client_waits_from_the_first_text_until_somebody_answers(house: Any) -> None:
    client_id = house.client()
    await house.consent(client_id)
    began = house.clock.now()
    await house.receive(client_id, "Is my ring ready?")
    house.clock.advance(timedelta(minutes=7))
    await house.receive(client_id, "Hello?")
    (waiting,) = await house.conversations(client_id)
    assert waiting.waiting_since_time.ToDatetime(began.tzinfo) == began
    assert await listed(house, waiting_only=True) == [waiting.conversation_id]
    await house.receive(client_id, "HELP")  # answered by us, but by nobody
    assert (await read(house, waiting)).HasField("waiting_since_time")
    answer = await house.send(client_id, "Maison Aurore: it is.")
    assert not (await read(house, waiting)).HasField("waiting_since_time")
    assert await listed(house, waiting_only=True) == []
    await house.becomes(answer, pb.MESSAGE_STATE_DELIVERED)  # a STOP before it is sent would undo it
    await house.receive(client_id, "Lovely, until when are you open?")
    assert (await read(house, waiting)).HasField("waiting_since_time")
    await house.receive(client_id, "STOP")  # nobody may answer any more
    assert not (await read(house, waiting)).HasField("waiting_since_time")


async def test_what_the_gate_denies_is_no_answer(house: Any) -> None:
    client_id = house.client()
    await house.receive(client_id, "Is my ring ready?")
    denied = await house.send(client_id, purpose=pb.PURPOSE_MARKETING)
    assert denied.state == pb.MESSAGE_STATE_DENIED
    (conversation,) = await house.conversations(client_id)
    assert conversation.HasField("waiting_since_time")


async def test_an_answer_that_is_taken_back_or_fails_was_none(house: Any) -> None:
    client_id = house.client("+12025550105")  # which the network does not know
    await house.consent(client_id)
    began = house.clock.now()
    await house.receive(client_id, "Is my ring ready?")
    (conversation,) = await house.conversations(client_id)
    house.clock.advance(timedelta(minutes=1))
    later = Timestamp()
    later.FromDatetime(house.clock.now() + timedelta(hours=1))
    planned = await house.send(client_id, "Maison Aurore: it is.", send_time=later)
    assert not (await read(house, conversation)).HasField("waiting_since_time")
    await house.stub.CancelMessage(pb.CancelMessageRequest(message_id=planned.message_id))
    waiting = await read(house, conversation)
    assert waiting.waiting_since_time.ToDatetime(began.tzinfo) == began
    sent = await house.send(client_id, "Maison Aurore: it is.")
    await house.becomes(sent, pb.MESSAGE_STATE_FAILED)
    assert (await read(house, conversation)).waiting_since_time == waiting.waiting_since_time


async def test_each_person_has_read_what_that_person_has_read(
    house: Any, written_to: Any, work: Any, as_associate: Any
) -> None:
    conversation = await written_to("One")
    await house.receive_from(conversation.client_phone, "Two")
    marking = pb.MarkConversationReadRequest(conversation_id=conversation.conversation_id)
    as_associate("asc_ana")
    assert (await read(house, conversation)).unread_count == 2
    assert (await house.stub.MarkConversationRead(marking)).unread_count == 0
    assert await listed(house, unread_only=True) == []
    as_associate("asc_ben")
    assert (await read(house, conversation)).unread_count == 2
    assert await listed(house, unread_only=True) == [conversation.conversation_id]
    await house.receive_from(conversation.client_phone, "Three")
    assert (await read(house, conversation)).unread_count == 3
    as_associate("asc_ana")
    assert (await read(house, conversation)).unread_count == 1
    # Notes are the store's own: nobody has to read them.
    await work.AddConversationNote(
        cpb.AddConversationNoteRequest(
            request_id="n1", conversation_id=conversation.conversation_id, body="Rang her."
        )
    )
    assert (await read(house, conversation)).unread_count == 1


async def test_a_manager_without_a_book_reads_as_whoever_is_signed_in(
    house: Any, written_to: Any, sign_in: SignIn
) -> None:
    conversation = await written_to()
    sign_in(*SCOPES, chain_id=house.chain_id, role="manager", actor_id="usr_head")
    await house.stub.MarkConversationRead(
        pb.MarkConversationReadRequest(conversation_id=conversation.conversation_id)
    )
    assert (await read(house, conversation)).unread_count == 0
    sign_in(*SCOPES, chain_id=house.chain_id, role="manager", actor_id="usr_other")
    assert (await read(house, conversation)).unread_count == 1


async def test_a_machine_sees_what_nobody_has_read(
    house: Any, written_to: Any, as_associate: Any, sign_in: SignIn
) -> None:
    conversation = await written_to()

    def as_machine() -> None:
        sign_in(*SCOPES, chain_id=house.chain_id, role="integration", actor_id="key_1")

    as_machine()
    assert (await read(house, conversation)).unread_count == 1
    assert await listed(house, unread_only=True) == [conversation.conversation_id]
    as_associate("asc_ana")
    await house.stub.MarkConversationRead(
        pb.MarkConversationReadRequest(conversation_id=conversation.conversation_id)
    )
    as_machine()
    assert (await read(house, conversation)).unread_count == 0
    assert await listed(house, unread_only=True) == []


async def test_a_machine_that_marks_as_unread_marks_it_for_no_person(
    house: Any, written_to: Any, work: Any, as_associate: Any, sign_in: SignIn
) -> None:
    conversation = await written_to()
    as_associate("asc_ana")
    reading = pb.MarkConversationReadRequest(conversation_id=conversation.conversation_id)
    await house.stub.MarkConversationRead(reading)
    sign_in(*SCOPES, chain_id=house.chain_id, role="integration", actor_id="key_1")
    marked = await work.MarkConversationUnread(
        cpb.MarkConversationUnreadRequest(conversation_id=conversation.conversation_id)
    )
    assert marked.unread_count == 1
    assert (await house.stub.MarkConversationRead(reading)).unread_count == 0
    as_associate("asc_ana")
    assert (await read(house, conversation)).unread_count == 0
    as_associate("asc_ben")
    assert (await read(house, conversation)).unread_count == 1


async def test_a_conversation_counts_as_unread_again_from_a_message_on_for_one_person(
    house: Any, written_to: Any, work: Any, as_associate: Any, sign_in: SignIn
) -> None:
    conversation = await written_to("One")
    for body in ("Two", "Three"):
        await house.receive_from(conversation.client_phone, body)
    two = (await lines_of(house, conversation))[1]
    reading = pb.MarkConversationReadRequest(conversation_id=conversation.conversation_id)
    for associate_id in ("asc_ana", "asc_ben"):
        as_associate(associate_id)
        await house.stub.MarkConversationRead(reading)

    def unread(message_id: str = "") -> Any:
        return work.MarkConversationUnread(
            cpb.MarkConversationUnreadRequest(
                conversation_id=conversation.conversation_id, message_id=message_id
            )
        )

    assert (await unread()).unread_count == 1
    assert (await unread(two.message_id)).unread_count == 2
    as_associate("asc_ana")
    assert (await read(house, conversation)).unread_count == 0
    sign_in(*SCOPES, chain_id=house.chain_id, role="integration", actor_id="key_1")
    assert (await read(house, conversation)).unread_count == 0  # somebody has read them
    elsewhere = (await lines_of(house, await written_to()))[0]
    for message_id in ("msg_nowhere", elsewhere.message_id):
        assert await refusal(unread(message_id)) == (Kind.NOT_FOUND, "MESSAGE_NOT_FOUND")


async def test_who_covers_today_is_said_and_sees_the_conversations_too(
    house: Any, written_to: Any, work: Any
) -> None:
    ana_s, ben_s = await written_to(), await written_to()
    await work.AssignConversation(assigned(ana_s, "asc_ana"))
    await work.AssignConversation(assigned(ben_s, "asc_ben"))
    assert await listed(house, assignee_id="asc_ben") == [ben_s.conversation_id]
    house.profiles.associates["asc_ana"] = Associate("asc_ana", "Ana", cover_associate_id="asc_ben")
    house.clock.advance(timedelta(minutes=1))
    assert (await read(house, ana_s)).cover_associate_id == "asc_ben"
    assert (await read(house, ben_s)).cover_associate_id == ""
    assert await listed(house, assignee_id="asc_ben") == [ben_s.conversation_id, ana_s.conversation_id]
    assert await listed(house, assignee_id="asc_ana") == [ana_s.conversation_id]
    # What was known holds while profiles does not answer.
    house.profiles.is_down = True
    house.clock.advance(timedelta(minutes=1))
    assert (await read(house, ana_s)).cover_associate_id == "asc_ben"
    house.profiles.is_down = False


async def test_without_profiles_conversations_are_listed_without_covers(
    house: Any, written_to: Any, work: Any
) -> None:
    conversation = await written_to()
    await work.AssignConversation(assigned(conversation, "asc_ana"))
    house.profiles.is_down = True
    house.clock.advance(timedelta(minutes=1))
    house.profiles.associates["asc_ana"] = Associate("asc_ana", "Ana", cover_associate_id="asc_ben")
    assert await listed(house, assignee_id="asc_ana") == [conversation.conversation_id]


async def test_lists_tell_what_nobody_sees_to_and_what_is_on_which_channel(
    house: Any, written_to: Any, work: Any
) -> None:
    one, other = await written_to(), await written_to()
    await work.AssignConversation(assigned(one, "asc_ana"))
    assert await listed(house, unassigned_only=True) == [other.conversation_id]
    assert await listed(house, channel=pb.CHANNEL_WHATSAPP) == []
    assert await listed(house, channel=pb.CHANNEL_SMS) == [other.conversation_id, one.conversation_id]


async def test_a_page_of_filtered_conversations_goes_on_where_the_last_one_ended(
    house: Any, written_to: Any
) -> None:
    begun = []
    for _ in range(5):
        begun.append((await written_to()).conversation_id)
        house.clock.advance(timedelta(seconds=1))
    seen: list[str] = []
    token = ""
    while True:
        page = await house.stub.ListConversations(
            pb.ListConversationsRequest(waiting_only=True, page_size=2, page_token=token)
        )
        seen += [one.conversation_id for one in page.conversations]
        if not (token := page.next_page_token):
            break
    assert seen == begun[::-1]


@pytest.mark.parametrize("body", ["", "   ", "x" * 4001])
async def test_a_note_says_something_and_not_too_much(
    house: Any, written_to: Any, work: Any, body: str
) -> None:
    conversation = await written_to()
    with pytest.raises(ServiceError) as refused:
        await work.AddConversationNote(
            cpb.AddConversationNoteRequest(
                request_id="n1", conversation_id=conversation.conversation_id, body=body
            )
        )
    assert [violation.field for violation in refused.value.violations] == ["body"]
    assert len(await lines_of(house, conversation)) == 1


async def test_a_note_is_kept_once_and_is_the_last_thing_in_the_conversation(
    house: Any, written_to: Any, work: Any
) -> None:
    conversation = await written_to()
    request = cpb.AddConversationNoteRequest(
        request_id="n1", conversation_id=conversation.conversation_id, body=" Size 52, not 54. "
    )
    notes = await asyncio.gather(*(work.AddConversationNote(request) for _ in range(20)))
    assert len({note.message_id for note in notes}) == 1
    assert notes[0].body == "Size 52, not 54."
    (shown,) = await house.conversations()
    assert shown.last_message == notes[0]
    assert shown.HasField("waiting_since_time")  # a note answers nobody
    assert await changes(house) == [OPEN]


async def test_a_note_goes_to_nobody_whatever_a_program_does(house: Any, work: Any) -> None:
    client_id = house.client()
    await house.consent(client_id)
    sent = await house.send(client_id, "Maison Aurore: it is ready.")
    await house.becomes(sent, pb.MESSAGE_STATE_DELIVERED)
    (conversation,) = await house.conversations(client_id)
    note = await work.AddConversationNote(
        cpb.AddConversationNoteRequest(
            request_id="n1", conversation_id=conversation.conversation_id, body="She haggles."
        )
    )
    wrong = (
        "insert into due_messages (message_id, chain_id, due_time) values (:id, :chain_id, now())",
        "update messages set state = 'QUEUED' where message_id = :id and :chain_id <> ''",
        "update messages set direction = 'OUTBOUND' where message_id = :id and :chain_id <> ''",
        "update messages set provider_message_id = 'x' where message_id = :id and :chain_id <> ''",
    )
    for statement in wrong:
        with pytest.raises(DBAPIError, match="notes_"):
            async with house.database.transaction(house.chain_id) as tx:
                await tx.execute(text(statement), {"id": note.message_id, "chain_id": house.chain_id})
    assert await refusal(house.stub.CancelMessage(pb.CancelMessageRequest(message_id=note.message_id))) == (
        Kind.PRECONDITION,
        "MESSAGE_NOT_WAITING",
    )
    assert await house.phone_received(client_id) == ["Maison Aurore: it is ready."]
