"""Drafts through the contract: kept, with pieces, cost and variants, and what became of them when a text went out."""

import pytest
import pytest_asyncio
from carnet.outreach.v1 import catalogue_pb2, catalogue_pb2_grpc
from carnet.outreach.v1 import outreach_pb2 as pb
from carnet.profiles.v1 import events_pb2 as profiles_events
from google.type.money_pb2 import Money
from outreach_story import client_created, client_fact, days_ago, purchase, visit
from sqlalchemy import text

from chassis.errors import Kind, ServiceError
from outreach.domain.drafts import Phrasing
from outreach.store import drafts as store


async def suggest(outreach, story, *client_ids: str) -> dict[str, pb.Suggestion]:
    """Have each client come twice, and return the suggestions by client."""
    for client_id in client_ids:
        await story.tell(
            client_created(client_id), visit(client_id, days_ago(9)), visit(client_id, days_ago(2))
        )
    queue = await outreach.stub.ListQueue(pb.ListQueueRequest(associate_id="asc_1"))
    return {one.client_id: one for one in queue.suggestions}


@pytest_asyncio.fixture(loop_scope="session")
async def suggestion(outreach, story, as_associate) -> pb.Suggestion:
    """Return the one suggestion of this test's chain."""
    outreach.profiles.names.clear()
    await story.open()
    as_associate()
    return (await suggest(outreach, story, "cli_1"))["cli_1"]


async def draft(outreach, suggestion, **fields: object) -> pb.Draft:
    request = pb.DraftMessageRequest(suggestion_id=suggestion.suggestion_id, **fields)
    return await outreach.stub.DraftMessage(request)


async def send(outreach, suggestion, body: str, draft_id: str = "", request_id: str = "") -> None:
    request = pb.SendSuggestionRequest(
        suggestion_id=suggestion.suggestion_id, body=body, draft_id=draft_id, request_id=request_id
    )
    await outreach.stub.SendSuggestion(request)


async def refusal(call) -> ServiceError:
    with pytest.raises(ServiceError) as refused:
        await call
    return refused.value


async def rows(outreach, chain_id: str) -> list:
    async with outreach.database.transaction(chain_id) as tx:
        return list(await tx.execute(text("select * from drafts order by draft_id")))


async def phrasing(outreach, chain_id: str, suggestion: pb.Suggestion) -> store.SentPhrasing:
    async with outreach.database.transaction(chain_id) as tx:
        found = await store.phrasings_of(tx, [suggestion.suggestion_id])
    return found[suggestion.suggestion_id]


async def upsert_piece(outreach, as_associate, *pieces: catalogue_pb2.CataloguePiece) -> list[str]:
    as_associate("catalogue:write")
    stub = catalogue_pb2_grpc.CatalogueServiceStub(outreach.channel)
    done = await stub.UpsertPieces(catalogue_pb2.UpsertPiecesRequest(pieces=pieces))
    as_associate()
    return list(done.piece_ids)


async def test_a_draft_tells_its_facts_its_source_and_its_length(outreach, suggestion):
    written = await draft(outreach, suggestion)
    assert written.source == pb.DRAFT_SOURCE_TEMPLATE
    assert written.fallback_reason == ""
    assert written.draft_id.startswith("drf_")
    assert written.body.startswith("Hello Ana, this is Mia from Aurum Boston. ")
    assert dict(written.facts) == {
        "signal": "high_intent",
        "given_name": "Ana",
        "associate_name": "Mia",
        "store_name": "Aurum Boston",
    }
    assert (written.language, written.segments, written.cost_note) == ("en", 1, "")
    assert not written.HasField("cost")
    assert not written.variants


async def test_variants_are_other_wordings_the_cheapest_first(outreach, suggestion):
    written = await draft(outreach, suggestion, variants=5)
    assert len(written.variants) == 4
    assert len({written.body, *(one.body for one in written.variants)}) == 5
    assert len({written.draft_id, *(one.draft_id for one in written.variants)}) == 5
    lengths = [written.segments, *(one.segments for one in written.variants)]
    assert lengths == sorted(lengths)


@pytest.mark.parametrize("variants", [-1, 6])
async def test_more_than_five_variants_are_refused(outreach, suggestion, variants):
    assert (await refusal(draft(outreach, suggestion, variants=variants))).kind is Kind.INVALID


async def test_another_language_can_be_asked_for(outreach, suggestion):
    written = await draft(outreach, suggestion, language="de-CH")
    assert written.language == "de"
    assert written.body.startswith("Guten Tag Ana, hier ist Mia von Aurum Boston.")


async def test_a_language_that_nobody_drafts_in_is_refused(outreach, suggestion):
    refused = await refusal(draft(outreach, suggestion, language="tlh"))
    assert (refused.kind, refused.violations[0].field) == (Kind.INVALID, "language")


async def test_a_name_outside_the_gsm_alphabet_says_what_it_costs(outreach, suggestion):
    outreach.profiles.names["cli_1"] = ("Zoë", "en")
    written = await draft(outreach, suggestion)
    assert written.segments == 2
    assert written.cost_note == '"ë" is not in the GSM alphabet: 2 segments instead of 1.'


async def test_the_cost_is_the_segments_times_the_chain_s_price(outreach, suggestion, as_associate):
    price = Money(currency_code="USD", nanos=7_900_000)
    as_associate("policies:write")
    await outreach.stub.UpdateOutreachSettings(
        pb.UpdateOutreachSettingsRequest(settings=pb.OutreachSettings(segment_price=price))
    )
    as_associate()
    outreach.profiles.names["cli_1"] = ("Zoë", "en")
    written = await draft(outreach, suggestion)
    assert written.cost == Money(currency_code="USD", nanos=2 * 7_900_000)


async def test_a_piece_that_is_asked_for_is_named(outreach, suggestion, as_associate):
    (piece_id,) = await upsert_piece(
        outreach,
        as_associate,
        catalogue_pb2.CataloguePiece(
            code="R-1",
            display_name="Solitaire No. 5",
            price=Money(currency_code="USD", units=4800),
        ),
    )
    written = await draft(outreach, suggestion, piece_ids=[piece_id, piece_id], variants=3)
    assert list(written.piece_ids) == [piece_id]
    assert written.facts["piece_1"] == "Solitaire No. 5"
    for body in (written.body, *(one.body for one in written.variants)):
        assert "Solitaire No. 5" in body
        assert "4" not in body.replace("No. 5", "")


async def test_the_best_piece_of_the_store_is_shown_when_something_speaks_for_it(
    outreach, suggestion, story, as_associate
):
    await story.tell(profiles_events.StoreCreated(store_id="sto_1", time_zone="America/New_York"))
    stock = [catalogue_pb2.Stock(store_id="sto_1", quantity=1)]
    outreach.profiles.brands["brd_1"] = "Aurelia"
    (halo, _) = await upsert_piece(
        outreach,
        as_associate,
        catalogue_pb2.CataloguePiece(code="R-1", display_name="Halo", brand_id="brd_1", stock=stock),
        catalogue_pb2.CataloguePiece(code="R-2", display_name="Plain", stock=stock),
    )
    assert not (await draft(outreach, suggestion)).piece_ids  # nothing is known that speaks for either
    bought = purchase("cli_1", days_ago(400))
    bought.purchase.lines.add(brand_id="brd_1", category="ring", quantity=1, amount_minor=50_000)
    await story.tell(bought)
    written = await draft(outreach, suggestion)
    assert list(written.piece_ids) == [halo]
    assert "Halo by Aurelia" in written.body
    assert written.facts["brand_1"] == "Aurelia"


async def test_a_piece_that_is_a_surprise_for_the_client_is_not_named_to_her(
    outreach, suggestion, story, as_associate
):
    (ring, band) = await upsert_piece(
        outreach,
        as_associate,
        catalogue_pb2.CataloguePiece(code="R-1", display_name="Halo", reference="HA-1"),
        catalogue_pb2.CataloguePiece(code="R-2", display_name="Band", reference="BA-1"),
    )
    secret = purchase("cli_2", days_ago(3))
    secret.purchase.lines.add(reference="ha-1", category="ring", quantity=1, amount_minor=50_000)
    secret.purchase.surprise_for_client_id = secret.purchase.recipient_client_id = "cli_1"
    await story.tell(client_created("cli_2"), secret)
    refused = await refusal(draft(outreach, suggestion, piece_ids=[band, ring]))
    assert (refused.kind, refused.reason) == (Kind.PRECONDITION, "PIECE_WITHHELD")
    assert refused.metadata["piece_id"] == ring
    assert list((await draft(outreach, suggestion, piece_ids=[band])).piece_ids) == [band]


async def test_a_piece_of_nobody_or_of_another_chain_is_not_found(outreach, suggestion, as_associate):
    as_associate("catalogue:write", chain_id="chn_stranger")
    stub = catalogue_pb2_grpc.CatalogueServiceStub(outreach.channel)
    piece = catalogue_pb2.CataloguePiece(code="R-1", display_name="Theirs")
    (piece_id,) = (await stub.UpsertPieces(catalogue_pb2.UpsertPiecesRequest(pieces=[piece]))).piece_ids
    as_associate()
    for wrong in (piece_id, "pce_unknown"):
        refused = await refusal(draft(outreach, suggestion, piece_ids=[wrong]))
        assert (refused.kind, refused.reason) == (Kind.NOT_FOUND, "PIECE_NOT_FOUND")


async def test_an_answered_suggestion_is_not_drafted_for(outreach, suggestion):
    await send(outreach, suggestion, "Hello Ana")
    assert (await refusal(draft(outreach, suggestion))).reason == "SUGGESTION_CLOSED"


async def test_a_text_as_drafted_says_so(outreach, story, suggestion):
    written = await draft(outreach, suggestion, variants=2)
    await send(outreach, suggestion, written.body + " \n", written.draft_id)
    found = await phrasing(outreach, story.chain_id, suggestion)
    assert found.phrasing is Phrasing.DRAFTED
    assert found.wording_key.startswith("en.high_intent.")
    (row,) = await rows(outreach, story.chain_id)  # the variant that was not sent is forgotten
    assert (row.draft_id, row.phrasing, row.opening_edit) == (written.draft_id, "drafted", None)


async def test_an_edited_text_keeps_what_stood_in_place_of_its_opening(outreach, story, suggestion):
    written = await draft(outreach, suggestion)
    body = written.body.replace("Hello Ana, this is Mia from Aurum Boston.", "Dear Ana, Mia here!")
    await send(outreach, suggestion, body + " Warmly, Mia", written.draft_id)
    assert (await phrasing(outreach, story.chain_id, suggestion)).phrasing is Phrasing.EDITED
    (row,) = await rows(outreach, story.chain_id)
    assert row.opening_edit == "Dear {given_name}, {associate_name} here!"
    assert row.closing_edit == "Warmly, {associate_name}"


async def test_a_text_without_a_draft_is_by_hand(outreach, story, suggestion):
    await draft(outreach, suggestion)
    await send(outreach, suggestion, "Something of my own")
    assert await phrasing(outreach, story.chain_id, suggestion) == store.SentPhrasing(Phrasing.BY_HAND)
    assert await rows(outreach, story.chain_id) == []


async def test_a_draft_of_another_suggestion_or_chain_is_not_found(outreach, story, suggestion, as_associate):
    other = (await suggest(outreach, story, "cli_2"))["cli_2"]
    written = await draft(outreach, other)
    for wrong in (written.draft_id, "drf_unknown"):
        refused = await refusal(send(outreach, suggestion, "Hello Ana", wrong))
        assert (refused.kind, refused.reason) == (Kind.NOT_FOUND, "DRAFT_NOT_FOUND")
    assert outreach.messaging.bodies == []


async def test_a_repeat_with_the_same_draft_counts_it_once(outreach, story, suggestion):
    written = await draft(outreach, suggestion)
    for _ in range(2):
        await send(outreach, suggestion, written.body, written.draft_id, request_id="req_1")
    assert len(await rows(outreach, story.chain_id)) == 1
    assert len(outreach.messaging.bodies) == 1


async def test_twenty_sends_of_drafts_at_once_leave_one_that_went_out(outreach, story, suggestion, gather):
    written = await draft(outreach, suggestion)
    await gather(
        *(
            send(outreach, suggestion, written.body, written.draft_id, request_id=f"req_{number}")
            for number in range(20)
        )
    )
    (row,) = await rows(outreach, story.chain_id)
    assert row.phrasing == "drafted"
    assert len(outreach.messaging.bodies) == 1


async def test_drafts_that_nobody_sent_are_forgotten_after_a_month(outreach, story, suggestion):
    await draft(outreach, suggestion)
    async with outreach.database.transaction(story.chain_id) as tx:
        await tx.execute("update drafts set created_at = created_at - interval '31 days'")
    written = await draft(outreach, suggestion)
    assert [row.draft_id for row in await rows(outreach, story.chain_id)] == [written.draft_id]


async def test_drafts_follow_a_merge_and_one_that_is_taken_back(outreach, story, suggestion):
    await story.tell(client_created("cli_2"))
    written = await draft(outreach, suggestion)
    await send(outreach, suggestion, written.body, written.draft_id)
    await story.tell(
        profiles_events.ClientMerged(
            merge_id="mrg_1", client=client_fact("cli_2", version=5), merged_client_id="cli_1"
        )
    )
    assert [row.client_id for row in await rows(outreach, story.chain_id)] == ["cli_2"]
    await story.tell(
        profiles_events.ClientUnmerged(
            merge_id="mrg_1",
            client=client_fact("cli_2", version=6),
            restored=client_fact("cli_1", version=6),
        )
    )
    assert [row.client_id for row in await rows(outreach, story.chain_id)] == ["cli_1"]


async def test_nothing_of_an_erased_client_s_drafts_stays(outreach, story, suggestion):
    await draft(outreach, suggestion)
    await story.tell(profiles_events.ClientErased(erasure_id="ers_1", client_id="cli_1"))
    assert await rows(outreach, story.chain_id) == []


async def test_nothing_of_a_deleted_client_s_drafts_stays(outreach, story, suggestion):
    await draft(outreach, suggestion)
    await story.tell(profiles_events.ClientDeleted(client_id="cli_1"))
    assert await rows(outreach, story.chain_id) == []


async def test_another_chain_sees_no_draft_and_no_suggestion(outreach, suggestion, as_associate):
    as_associate(chain_id="chn_stranger")
    assert (await refusal(draft(outreach, suggestion))).reason == "SUGGESTION_NOT_FOUND"
