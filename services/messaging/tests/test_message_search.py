"""Messages and notes are found by the words in them, whatever their case and accents, the newest first."""

from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio
from carnet.messaging.v1 import conversations_pb2 as cpb
from carnet.messaging.v1 import conversations_pb2_grpc
from hypothesis import given
from hypothesis import strategies as st

from chassis.errors import Kind, ServiceError
from chassis.testing import SignIn, channel_to
from messaging.words import excerpt


@pytest_asyncio.fixture(loop_scope="session")
async def work(started: Any, house: Any) -> AsyncIterator[Any]:
    """Return the stub for work on conversations."""
    async with channel_to(started.address) as channel:
        yield conversations_pb2_grpc.ConversationsServiceStub(channel)


@pytest.fixture
def search(work: Any) -> Any:
    """Return a function that searches and gives the bodies that were found."""

    async def find(query: str, **fields: Any) -> list[str]:
        found = await work.SearchMessages(cpb.SearchMessagesRequest(query=query, **fields))
        return [one.message.body for one in found.found]

    return find


async def received(house: Any, next_phone: Any, *bodies: str) -> list[str]:
    """Let numbers that are nobody's write one text each, and return the numbers."""
    phones = [next(next_phone) for _ in bodies]
    for phone, body in zip(phones, bodies, strict=True):
        await house.receive_from(phone, body)
    return phones


async def test_case_accents_and_punctuation_do_not_count(house: Any, search: Any, next_phone: Any) -> None:
    bodies = ("L\u2019ÉMERAUDE de ma grand-mère", "un collier d'emeraude", "Straße & smørrebrød", "(Ring)")
    await received(house, next_phone, *bodies)
    assert await search("Emeraude") == [bodies[1], bodies[0]]
    assert await search("émeraude GRAND mere") == [bodies[0]]
    assert await search("strasse") == await search("Smorrebrod") == [bodies[2]]
    assert await search("ring!") == [bodies[3]]


async def test_a_word_may_be_begun_and_all_must_be_there(house: Any, search: Any, next_phone: Any) -> None:
    bodies = ("Two rings, please", "One ring", "She is bringing it")
    await received(house, next_phone, *bodies)
    assert await search("ring") == [bodies[1], bodies[0]]
    assert await search("ring two") == [bodies[0]]
    assert await search("is") == [bodies[2]]
    assert await search("on") == []  # two letters are a whole word
    assert await search("watch") == []


async def test_notes_are_found_too_and_texts_of_ours(house: Any, work: Any, search: Any) -> None:
    client_id = house.client()
    await house.consent(client_id)
    await house.send(client_id, "Maison Aurore: your tanzanite is set.")
    (conversation,) = await house.conversations(client_id)
    await work.AddConversationNote(
        cpb.AddConversationNoteRequest(
            request_id="n", conversation_id=conversation.conversation_id, body="Tanzanite: no ultrasound!"
        )
    )
    assert await search("tanzanite") == ["Tanzanite: no ultrasound!", "Maison Aurore: your tanzanite is set."]
    found = await work.SearchMessages(cpb.SearchMessagesRequest(query="ultrasound"))
    assert [(one.client_id, one.store_id) for one in found.found] == [(client_id, house.store_id)]


async def test_a_search_keeps_to_a_store_a_client_or_a_conversation(
    house: Any, search: Any, next_phone: Any
) -> None:
    client_id = house.client()
    await house.consent(client_id)
    await house.receive(client_id, "The opal, again")
    await received(house, next_phone, "An opal")
    (conversation,) = await house.conversations(client_id)
    assert await search("opal") == ["An opal", "The opal, again"]
    assert await search("opal", client_id=client_id) == ["The opal, again"]
    assert await search("opal", conversation_id=conversation.conversation_id) == ["The opal, again"]
    assert await search("opal", store_id=house.store_id) == ["An opal", "The opal, again"]
    assert await search("opal", store_id="sto_other") == await search("opal", client_id="cli_other") == []


async def test_pages_go_on_where_the_last_one_ended(house: Any, work: Any, next_phone: Any) -> None:
    bodies = [f"pearl number {number}" for number in range(5)]
    await received(house, next_phone, *bodies)
    seen: list[str] = []
    token = ""
    while True:
        page = await work.SearchMessages(
            cpb.SearchMessagesRequest(query="pearl", page_size=2, page_token=token)
        )
        seen += [one.message.body for one in page.found]
        if not (token := page.next_page_token):
            break
    assert seen == bodies[::-1]


async def test_what_went_to_many_is_found_in_conversations_and_not_among_all(
    house: Any, search: Any, next_phone: Any
) -> None:
    client_id = house.client()
    await house.consent(client_id)
    sent = await house.send(client_id, "Maison Aurore: the garnet evening is on Friday.")
    async with house.database.transaction(house.chain_id) as tx:
        await tx.execute(
            "update message_words set is_bulk = true where message_id = :id", {"id": sent.message_id}
        )
    assert await search("garnet") == []
    assert await search("garnet", client_id=client_id) == [sent.body]


async def test_another_chain_finds_nothing(house: Any, search: Any, sign_in: SignIn, next_phone: Any) -> None:
    await received(house, next_phone, "A very rare alexandrite")
    (conversation,) = await house.conversations()
    sign_in("messages:read", chain_id="chn_stranger")
    assert await search("alexandrite") == []
    with pytest.raises(ServiceError) as refused:
        await search("alexandrite", conversation_id=conversation.conversation_id)
    assert (refused.value.kind, refused.value.reason) == (Kind.NOT_FOUND, "CONVERSATION_NOT_FOUND")


@pytest.mark.parametrize("query", ["", "x", "!?", "  ", "😀😀", "x" * 201])
async def test_there_must_be_a_word_to_look_for(house: Any, search: Any, query: str) -> None:
    with pytest.raises(ServiceError) as refused:
        await search(query)
    assert [violation.field for violation in refused.value.violations] == ["query"]


@pytest.mark.parametrize(
    "query", ["a:* & !b", "'); drop table messages; --", "o'neil | (x", "<b>ring</b>", "\\ring"]
)
async def test_what_is_looked_for_is_words_and_never_a_language(
    house: Any, search: Any, next_phone: Any, query: str
) -> None:
    await received(house, next_phone, f"said {query} said")
    assert await search(query) == [f"said {query} said"]


async def test_the_excerpt_shows_the_word_and_no_more_than_a_line(
    house: Any, work: Any, next_phone: Any
) -> None:
    body = "word " * 60 + "the Émeraude\nof 1920 " + "after " * 60
    await received(house, next_phone, body)
    found = await work.SearchMessages(cpb.SearchMessagesRequest(query="emeraude"))
    (shown,) = (one.excerpt for one in found.found)
    assert "the Émeraude of 1920" in shown
    assert (shown[0], shown[-1], "\n" in shown) == ("…", "…", False)
    assert len(shown) <= 202


@given(st.text(max_size=600), st.text(max_size=30))
def test_an_excerpt_is_a_piece_of_the_text_in_one_line(body: str, query: str) -> None:
    shown = excerpt(body, query)
    line = " ".join(body.split())
    inside = shown.removeprefix("…").removesuffix("…") if line not in (shown, "") else shown
    assert inside in line
    assert len(shown) <= 202
