"""Snippets: who may keep which, what drafts make of them, and what edits teach."""

import asyncio
from datetime import timedelta

import pytest
import pytest_asyncio
from carnet.outreach.v1 import outreach_pb2 as pb
from carnet.profiles.v1 import events_pb2 as profiles_events
from hypothesis import given
from hypothesis import strategies as st
from outreach_story import TODAY, client_created

from chassis.errors import Kind, ServiceError
from chassis.ids import new_id
from chassis.testing import NOON
from outreach.domain import Reason, Signal, Suggestion, SuggestionState
from outreach.domain.drafts import DraftSource, Edits, KeptDraft, edits_of
from outreach.store import suggestions as store
from outreach.texts.drafts import Facts, write_wordings

OPENING, CLOSING = pb.SNIPPET_PLACE_OPENING, pb.SNIPPET_PLACE_CLOSING
PHRASE = pb.SNIPPET_PLACE_PHRASE
MANAGER = ("queue:read", "queue:write", "campaigns:write")


@pytest_asyncio.fixture(loop_scope="session")
async def associate(outreach, story, as_associate):
    """Open the chain with two associates of one store, sign in as the first, and return how to sign in."""
    outreach.profiles.names.clear()
    await story.open()
    await story.tell(
        profiles_events.AssociateCreated(associate_id="asc_1", store_id="sto_1"),
        profiles_events.AssociateCreated(associate_id="asc_2", store_id="sto_1"),
    )
    as_associate(stores=frozenset({"sto_1"}))
    return as_associate


async def keep(outreach, body: str, **fields: object) -> pb.Snippet:
    request = {"associate_id": "asc_1", "place": OPENING, "language": "en-US", "body": body, **fields}
    return await outreach.stub.CreateSnippet(pb.CreateSnippetRequest(**request))


async def listed(outreach, associate_id: str = "", page_size: int = 0) -> list[pb.Snippet]:
    found, token = [], ""
    while True:
        page = await outreach.stub.ListSnippets(
            pb.ListSnippetsRequest(associate_id=associate_id, page_size=page_size, page_token=token)
        )
        found += page.snippets
        if not (token := page.next_page_token):
            return found


async def refusal(call) -> ServiceError:
    with pytest.raises(ServiceError) as refused:
        await call
    return refused.value


async def suggestions(outreach, story, *client_ids: str) -> list[Suggestion]:
    """Put a suggestion for each client on the queue, as a ranking would."""
    made = [
        Suggestion(
            suggestion_id=new_id("sug"),
            client_id=client_id,
            associate_id="asc_1",
            store_id="sto_1",
            state=SuggestionState.OPEN,
            as_of=TODAY,
            expires_on=TODAY + timedelta(days=7),
            score=1.0,
            reasons=(Reason(Signal.THANK_YOU, "Was here.", 1.0),),
            model_note="",
            created_at=NOON,
            updated_at=NOON,
        )
        for client_id in client_ids
    ]
    async with outreach.database.transaction(story.chain_id) as tx:
        for one in made:
            assert await store.add_suggestion(tx, one)
    return made


async def draft(outreach, suggestion: Suggestion, **fields: object) -> pb.Draft:
    return await outreach.stub.DraftMessage(
        pb.DraftMessageRequest(suggestion_id=suggestion.suggestion_id, **fields)
    )


async def send_edited(outreach, suggestion: Suggestion, opening: str, closing: str = "") -> None:
    """Draft, put other words before and behind, and send."""
    written = await draft(outreach, suggestion)
    body = written.body.replace("Hello Ana, this is Mia from Aurum Boston.", opening)
    assert body != written.body or closing
    request = pb.SendSuggestionRequest(
        suggestion_id=suggestion.suggestion_id, body=f"{body} {closing}", draft_id=written.draft_id
    )
    await outreach.stub.SendSuggestion(request)


async def test_a_snippet_is_kept_told_and_forgotten(outreach, associate):
    kept = await keep(outreach, "  Dear {given_name},\n{associate_name} of {store_name} here! ")
    assert kept.body == "Dear {given_name}, {associate_name} of {store_name} here!"
    assert (kept.associate_id, kept.place, kept.language, kept.is_learned) == ("asc_1", OPENING, "en", False)
    assert await listed(outreach) == [kept]
    for _ in range(2):
        await outreach.stub.DeleteSnippet(pb.DeleteSnippetRequest(snippet_id=kept.snippet_id))
    assert await listed(outreach) == []


async def test_the_same_request_keeps_one(outreach, associate, gather):
    kept = await gather(*(keep(outreach, "Dear {given_name}!", request_id="req_1") for _ in range(20)))
    assert len({one.snippet_id for one in kept}) == 1
    assert len(await listed(outreach)) == 1
    refused = await refusal(keep(outreach, "Something else", request_id="req_1"))
    assert refused.reason == "REQUEST_ID_REUSED"


@pytest.mark.parametrize(
    ("fields", "field", "named"),
    [
        ({"body": "Dear {first_name}!"}, "body", "{first_name}"),
        ({"body": "Dear {}!"}, "body", "{}"),
        ({"body": "Dear {given_name}, {pieces}!"}, "body", "{pieces}"),
        ({"body": "Dear {given_name!"}, "body", "brace"),
        ({"body": "Dear given_name}!"}, "body", "brace"),
        ({"body": " \n "}, "body", "no words"),
        ({"body": "Dear \x07 you"}, "body", "cannot be seen"),
        ({"body": "x" * 301}, "body", ""),
        ({"language": "tlh"}, "language", "en, es, fr, de"),
        ({"place": pb.SNIPPET_PLACE_UNSPECIFIED}, "place", ""),
    ],
)
async def test_what_drafts_could_not_say_is_refused_by_name(outreach, associate, fields, field, named):
    refused = await refusal(keep(outreach, fields.pop("body", "Dear!"), **fields))
    assert refused.kind is Kind.INVALID
    assert [one.field for one in refused.violations] == [field]
    assert named in refused.violations[0].description


async def test_only_who_may_write_to_many_keeps_snippets_of_the_chain(outreach, associate):
    refused = await refusal(keep(outreach, "Dear {given_name}!", associate_id=""))
    assert (refused.kind, refused.reason) == (Kind.FORBIDDEN, "SCOPE_MISSING")
    associate(*MANAGER, stores=frozenset({"sto_1"}))
    chains_own = await keep(outreach, "Dear {given_name}!", associate_id="")
    associate(stores=frozenset({"sto_1"}))
    assert [one.snippet_id for one in await listed(outreach)] == [chains_own.snippet_id]
    deleting = outreach.stub.DeleteSnippet(pb.DeleteSnippetRequest(snippet_id=chains_own.snippet_id))
    assert (await refusal(deleting)).reason == "SCOPE_MISSING"


async def test_nobody_writes_for_a_colleague(outreach, associate):
    assert (await refusal(keep(outreach, "Dear!", associate_id="asc_2"))).reason == "SCOPE_MISSING"
    associate(*MANAGER, associate_id="asc_9", stores=frozenset({"sto_2"}))
    assert (await refusal(keep(outreach, "Dear!", associate_id="asc_2"))).reason == "STORE_NOT_YOURS"
    assert (await refusal(listed(outreach, "asc_2"))).reason == "STORE_NOT_YOURS"
    associate(*MANAGER)
    refused = await refusal(keep(outreach, "Dear!", associate_id="asc_unknown"))
    assert (refused.kind, refused.reason) == (Kind.NOT_FOUND, "ASSOCIATE_NOT_FOUND")


async def test_another_chain_s_snippet_is_neither_seen_nor_deleted(outreach, associate):
    kept = await keep(outreach, "Dear!")
    associate(*MANAGER, chain_id="chn_stranger")
    assert await listed(outreach, "asc_1") == []
    await outreach.stub.DeleteSnippet(pb.DeleteSnippetRequest(snippet_id=kept.snippet_id))
    associate()
    assert await listed(outreach) == [kept]


async def test_pages_tell_own_snippets_then_the_chain_s_newest_first(outreach, associate):
    associate(*MANAGER)
    chains_own = [await keep(outreach, f"Chain {number}", associate_id="") for number in range(3)]
    own = [await keep(outreach, f"Own {number}") for number in range(3)]
    expected = [one.snippet_id for one in (*reversed(own), *reversed(chains_own))]
    for size in (1, 2, 4, 50):
        assert [one.snippet_id for one in await listed(outreach, page_size=size)] == expected
    with pytest.raises(ServiceError):
        await outreach.stub.ListSnippets(pb.ListSnippetsRequest(page_token="made up"))


async def test_drafts_open_and_close_in_own_words_or_else_the_chain_s(outreach, story, associate):
    (one,) = await suggestions(outreach, story, "cli_1")
    associate(*MANAGER, "clients:read", "directory:read", "messages:send")
    await keep(outreach, "{store_name} greets {given_name}.", associate_id="")
    await keep(outreach, "Yours, {store_name}", associate_id="", place=CLOSING)
    written = await draft(outreach, one)
    assert written.body.startswith("Aurum Boston greets Ana. ")
    assert written.body.endswith(" Yours, Aurum Boston")
    await keep(outreach, "Dear {given_name}, {associate_name} of {store_name} here!")
    assert (await draft(outreach, one)).body.startswith("Dear Ana, Mia of Aurum Boston here! ")
    assert (await draft(outreach, one, language="fr")).body.startswith("Bonjour Ana, ")
    associate("queue:write", "clients:read", "directory:read", associate_id="asc_2")
    assert (await draft(outreach, one)).body.startswith("Aurum Boston greets Ana. ")


async def test_the_third_same_edit_teaches(outreach, story, associate):
    opening, closing = "Dear Ana, Mia of Aurum Boston here!", "Warmly, Mia"
    *three, last = await suggestions(outreach, story, "cli_1", "cli_2", "cli_3", "cli_4")
    for number, one in enumerate(three):
        assert len(await listed(outreach)) == 0, number
        await send_edited(outreach, one, opening, closing)
    learned = {one.place: one for one in await listed(outreach)}
    assert learned[OPENING].body == "Dear {given_name}, {associate_name} of {store_name} here!"
    assert learned[CLOSING].body == "Warmly, {associate_name}"
    assert {(one.is_learned, one.associate_id, one.language) for one in learned.values()} == {
        (True, "asc_1", "en")
    }
    outreach.profiles.names["cli_4"] = ("Bea", "en")
    written = await draft(outreach, last)
    assert written.body.startswith("Dear Bea, Mia of Aurum Boston here! ")
    assert written.body.endswith(" Warmly, Mia")
    associate("queue:write", "clients:read", "directory:read", associate_id="asc_2")
    assert (await draft(outreach, last)).body.startswith("Hello Bea, ")


async def test_two_edits_teach_nothing_and_different_ones_neither(outreach, story, associate):
    found = await suggestions(outreach, story, "cli_1", "cli_2", "cli_3", "cli_4")
    for one, opening in zip(
        found, ["Dear Ana!", "Dear Ana!", "Good evening, Ana!", "My dear Ana!"], strict=True
    ):
        await send_edited(outreach, one, opening)
    assert await listed(outreach) == []


async def test_the_same_client_s_own_words_teach_nothing(outreach, story, associate):
    """A line that fits one client, three times, is not how the associate writes."""
    found = await suggestions(outreach, story, "cli_2", "cli_3")
    await send_edited(outreach, found[0], "Dear Ana, hugs to Rex!")
    await send_edited(outreach, found[1], "Dear Ana, hugs to Rex!")
    await story.tell(
        profiles_events.ClientMerged(
            merge_id="mrg_1",
            client=client_created("cli_2", version=9).client,
            merged_client_id="cli_3",
        )
    )
    (third,) = await suggestions(outreach, story, "cli_4")
    await send_edited(outreach, third, "Dear Ana, hugs to Rex!")
    assert await listed(outreach) == []


async def test_a_colleague_s_edits_do_not_count_for_the_owner(outreach, story, associate):
    found = await suggestions(outreach, story, "cli_1", "cli_2", "cli_3")
    for one, associate_id in zip(found, ["asc_1", "asc_1", "asc_2"], strict=True):
        associate(
            "queue:read", "queue:write", "clients:read", "directory:read", "messages:send",
            associate_id=associate_id,
        )  # fmt: skip
        await send_edited(outreach, one, "Dear Ana, Aurum Boston here!")
    assert await listed(outreach, "asc_1") == []


async def test_what_was_learned_is_forgotten_when_it_is_taken_out_three_times(outreach, story, associate):
    found = await suggestions(outreach, story, *(f"cli_{number}" for number in range(6)))
    for one in found[:3]:
        await send_edited(outreach, one, "Hello Ana, this is Mia from Aurum Boston.", "Warmly, Mia")
    assert [one.body for one in await listed(outreach)] == ["Warmly, {associate_name}"]
    for one in found[3:]:
        written = await draft(outreach, one)
        request = pb.SendSuggestionRequest(
            suggestion_id=one.suggestion_id,
            body=written.body.removesuffix(" Warmly, Mia"),
            draft_id=written.draft_id,
        )
        await outreach.stub.SendSuggestion(request)
    assert await listed(outreach) == []


async def test_a_learned_snippet_that_was_deleted_is_not_back_with_the_next_edit(outreach, story, associate):
    found = await suggestions(outreach, story, *(f"cli_{number}" for number in range(4)))
    for one in found[:3]:
        await send_edited(outreach, one, "Dear Ana, Aurum Boston here!")
    (learned,) = await listed(outreach)
    await outreach.stub.DeleteSnippet(pb.DeleteSnippetRequest(snippet_id=learned.snippet_id))
    await send_edited(outreach, found[3], "Dear Ana, Aurum Boston here!")
    assert await listed(outreach) == []


async def test_edits_at_the_same_moment_teach_once(outreach, story, associate):
    found = await suggestions(outreach, story, *(f"cli_{number}" for number in range(10)))
    await asyncio.gather(*(send_edited(outreach, one, "Dear Ana, Aurum Boston here!") for one in found))
    assert [one.body for one in await listed(outreach)] == ["Dear {given_name}, {store_name} here!"]


def kept_draft(**names: str) -> KeptDraft:
    said = {"given_name": "Ana", "associate_name": "Mia", "store_name": "Aurum", **names}
    family_name = said.pop("family_name", "Sousa")
    wording = write_wordings(Facts(Signal.THANK_YOU, **said), language="en")[0].wording
    return KeptDraft(
        "drf_1", "sug_1", "cli_1", "asc_1", "en", DraftSource.TEMPLATE, wording, family_name=family_name,
        created_at=NOON, **said,
    )  # fmt: skip


def edited(opening: str, closing: str = "", **names: str) -> Edits:
    draft = kept_draft(**names)
    return edits_of(draft, f"{opening} {draft.wording.middle} {closing}")


def test_an_untouched_draft_teaches_nothing():
    assert edits_of(kept_draft(), kept_draft().wording.body) == Edits()


def test_names_become_variables():
    assert edited("Hi ana, it's MIA!", "See you at Aurum, Mia") == Edits(
        "Hi {given_name}, it's {associate_name}!", "See you at {store_name}, {associate_name}"
    )


@pytest.mark.parametrize(
    "opening",
    [
        "Dear Ms Sousa,",
        "Dear Mrs sousa!",
        "Hello Ana, room 12 is yours.",
        "Hello Ana, nr ٣ is yours.",
        "Write to mia@aurum",
        "See aurum.example, Ana!",
        "Hello {first_name}!",
        "Hello {Ana!",
        "x" * 161,
    ],
)
def test_a_phrase_with_a_name_a_digit_or_an_address_is_no_habit(opening):
    assert edited(opening).opening is None


def test_a_client_who_is_called_as_the_associate_teaches_nothing():
    assert edited("Hi Mia, Mia here!", given_name="Mia").opening is None


def test_a_double_name_in_part_is_no_habit():
    assert edited("Hi Maria!", given_name="Ana Maria").opening is None
    assert edited("Hi Ana Maria!", given_name="Ana Maria").opening == "Hi {given_name}!"


def test_where_the_middle_was_changed_at_its_border_nothing_is_learned_there():
    draft = kept_draft()
    assert edits_of(draft, "Something else altogether, from the first word to the last.") == Edits()
    words = draft.wording.middle.split()
    changed = f"Hi Ana! {' '.join(words[:-4])} and so on and on"
    assert edits_of(draft, changed) == Edits(opening="Hi {given_name}!")


@given(st.text(max_size=120), st.text(max_size=120))
def test_no_edit_breaks_the_comparison_and_none_teaches_a_digit_or_a_name(opening, closing):
    edits = edited(opening, closing)
    for phrase in (edits.opening or "", edits.closing or ""):
        assert not any(one.isnumeric() for one in phrase)
        assert "sousa" not in phrase.lower()


async def test_a_phrase_is_kept_with_its_shortcut(outreach, associate):
    kept = await keep(outreach, "We are open from ten to six.", place=PHRASE, shortcut="hours")
    assert (kept.place, kept.shortcut) == (PHRASE, "hours")
    assert await listed(outreach) == [kept]


async def test_a_shortcut_is_one_phrases_for_each_person_and_the_chains_beside(outreach, associate):
    kept = await keep(outreach, "We are open.", place=PHRASE, shortcut="hours")
    refused = await refusal(keep(outreach, "We are closed.", place=PHRASE, shortcut="hours"))
    assert (refused.kind, refused.reason) == (Kind.ALREADY_EXISTS, "SNIPPET_SHORTCUT_TAKEN")
    for _ in range(2):
        await keep(outreach, "Without a shortcut.", place=PHRASE)
    associate(*MANAGER)
    await keep(outreach, "The chain's.", place=PHRASE, shortcut="hours", associate_id="")
    await keep(outreach, "Another's.", place=PHRASE, shortcut="hours", associate_id="asc_2")
    await outreach.stub.DeleteSnippet(pb.DeleteSnippetRequest(snippet_id=kept.snippet_id))
    assert (await keep(outreach, "Open again.", place=PHRASE, shortcut="hours")).shortcut == "hours"


async def test_of_twenty_who_take_a_shortcut_at_once_one_gets_it(outreach, associate, gather):
    tries = (keep(outreach, f"Phrase {number}", place=PHRASE, shortcut="hi") for number in range(20))
    outcomes = await asyncio.gather(*tries, return_exceptions=True)
    assert len([one for one in outcomes if isinstance(one, pb.Snippet)]) == 1
    assert {one.reason for one in outcomes if isinstance(one, ServiceError)} == {"SNIPPET_SHORTCUT_TAKEN"}
    assert len(await listed(outreach)) == 1


@pytest.mark.parametrize(
    "fields",
    [
        {"place": OPENING, "shortcut": "hi"},
        {"place": PHRASE, "shortcut": "Hi"},
        {"place": PHRASE, "shortcut": "two words"},
        {"place": PHRASE, "shortcut": "-hi"},
        {"place": PHRASE, "shortcut": "a" * 31},
    ],
)
async def test_a_shortcut_that_is_none_is_refused(outreach, associate, fields):
    refused = await refusal(keep(outreach, "Hello", **fields))
    assert (refused.kind, refused.violations[0].field) == (Kind.INVALID, "shortcut")


async def test_drafts_do_not_use_phrases_however_many_there_are(outreach, story, associate):
    (one,) = await suggestions(outreach, story, "cli_1")
    associate(*MANAGER, "clients:read", "directory:read", "messages:send")
    await keep(outreach, "Good day to you {given_name}, {store_name} here!")
    for number in range(41):
        await keep(outreach, f"Never in a draft {number}.", place=PHRASE)
    written = (await draft(outreach, one)).body
    assert written.startswith("Good day to you Ana")
    assert "Never in a draft" not in written
