"""What to show a client: pieces that are in the store now, with reasons, and nothing that gives a surprise away."""

import pytest
from carnet.outreach.v1 import catalogue_pb2 as pb
from carnet.outreach.v1 import catalogue_pb2_grpc
from carnet.profiles.v1 import events_pb2 as profiles_events
from carnet.profiles.v1 import profiles_pb2, records_pb2
from google.type.money_pb2 import Money
from outreach_story import client_created, client_fact, days_ago, purchase_fact, returned

from chassis.errors import Kind, ServiceError
from chassis.values import proto_date_of
from outreach.use_cases import recommendations as use_cases


def dollars(units):
    return Money(currency_code="USD", units=units)


def piece(code, stores=("sto_1",), *, price=1000, **fields):
    told = pb.CataloguePiece(code=code, display_name=f"Piece {code}", price=dollars(price), **fields)
    for store_id in stores:
        told.stock.add(store_id=store_id, quantity=1, arrive_date=proto_date_of(days_ago(100)))
    return told


def bought(
    client_id,
    *,
    purchase_id="",
    minor=100_000,
    currency="USD",
    recipient="",
    secret_from="",
    until=None,
    **line,
):
    fact = purchase_fact(client_id, days_ago(200), minor=minor, purchase_id=purchase_id, currency=currency)
    fact.recipient_client_id, fact.surprise_for_client_id = recipient, secret_from
    if until is not None:
        fact.surprise_end_date.CopyFrom(proto_date_of(until))
    fact.lines.add(**{"quantity": 1, "amount_minor": minor} | line)
    return profiles_events.PurchaseRecorded(purchase=fact)


def wish(client_id, *, state=records_pb2.WISH_STATE_WANTED, wish_id="wsh_1", **fields):
    fact = profiles_events.WishFact(wish_id=wish_id, client_id=client_id, state=state, version=1, **fields)
    return profiles_events.WishAdded(wish=fact)


class Shop:
    """A chain's catalogue as an associate asks it."""

    def __init__(self, outreach, story, sign):
        self.stub = catalogue_pb2_grpc.CatalogueServiceStub(outreach.channel)
        self.outreach, self.story, self.sign = outreach, story, sign

    async def put(self, *pieces):
        self.sign("catalogue:write")
        await self.stub.UpsertPieces(pb.UpsertPiecesRequest(pieces=pieces))

    async def ask(self, client_id, **fields):
        self.sign("queue:read", "clients:read", "directory:read")
        return await self.stub.ListRecommendations(
            pb.ListRecommendationsRequest(client_id=client_id, **fields)
        )

    async def codes(self, client_id, **fields):
        return [one.piece.code for one in (await self.ask(client_id, **fields)).recommendations]

    async def reasons(self, client_id, code, **fields):
        found = (await self.ask(client_id, **fields)).recommendations
        (one,) = [one for one in found if one.piece.code == code]
        assert one.score == pytest.approx(sum(reason.contribution for reason in one.reasons))
        return {reason.kind: reason.sentence for reason in one.reasons}


@pytest.fixture
async def shop(outreach, story, as_associate):
    outreach.profiles.preferences.clear()
    outreach.profiles.brands.clear()
    await story.open()
    await story.tell(*(profiles_events.StoreCreated(store_id=store_id) for store_id in ("sto_1", "sto_2")))
    await story.tell(client_created("cli_1"), client_created("cli_2"))
    return Shop(outreach, story, as_associate)


async def test_after_the_engagement_ring_bands_are_found_behind_whatever_came_in_since(shop):
    newer = [piece(f"NEW-{number}", category="Pendant") for number in range(40)]
    for one in newer:
        one.stock[0].arrive_date.CopyFrom(proto_date_of(days_ago(10)))
    await shop.put(
        *newer,
        piece("BANDS", category="Wedding band"),
        piece("RING", category="Engagement ring", metal="Gold"),
    )
    await shop.story.tell(bought("cli_1", category="Engagement ring", metal="Gold"))
    codes = await shop.codes("cli_1")
    assert codes[0] == "BANDS"
    assert "RING" not in codes
    assert "engagement ring" in (await shop.reasons("cli_1", "BANDS"))["set"]
    # A ring that is kept as a surprise for her says nothing of bands.
    await shop.story.tell(
        bought(
            "cli_1", purchase_id="pur_2", category="Engagement ring", recipient="cli_2", secret_from="cli_2"
        )
    )
    assert "BANDS" not in await shop.codes("cli_2")


async def test_pieces_are_recommended_with_the_reasons_that_there_are(shop):
    await shop.put(
        piece("NECK", [], brand_id="brd_1", reference="N-1", set_code="Étoile", category="Necklace"),
        piece("EAR", brand_id="brd_1", reference="E-1", set_code="etoile", category="Earrings", price=1100),
        piece("RING", brand_id="brd_2", reference="R-1", category="Ring", metal="Platinum", price=5000),
        piece("AQUA", brand_id="brd_3", category="Ring", stone="Aquamarine", price=900),
        piece("PLAIN", brand_id="brd_4", category="Brooch"),
    )
    await shop.story.tell(
        profiles_events.ClientChanged(client=client_fact("cli_1", version=2, occasions=[(1, 1990, 3, 20)])),
        bought("cli_1", brand_id="brd_1", reference="n-1", category="necklace"),
        wish("cli_1", brand_id="brd_2", reference="R-1"),
    )
    answer = await shop.ask("cli_1")
    assert [one.piece.code for one in answer.recommendations] == ["RING", "EAR", "AQUA"]
    assert answer.note == "This is all in this store that goes with what is known of the client."
    assert await shop.reasons("cli_1", "RING") == {"wish": "On the wishlist: this very reference."}
    assert await shop.reasons("cli_1", "EAR") == {
        "set": f"Completes the set with “Piece NECK”, bought on {days_ago(200):%d %B %Y}.".replace(" 0", " "),
        "taste": "To the taste that is known: the brand (1 of 1 piece).",
        "price": "Within what is usually spent on a piece.",
    }
    assert (await shop.reasons("cli_1", "AQUA"))["occasion"].startswith("Birthday on 20 March: aquamarine")
    assert await shop.codes("cli_1", page_size=1) == ["RING"]
    assert answer == await shop.ask("cli_1")


async def test_only_what_is_in_the_store_is_recommended_and_the_client_s_own_store_by_default(shop):
    await shop.put(
        piece("A", ["sto_1"], stone="ruby"), piece("B", ["sto_2"], stone="ruby"), piece("C", [], stone="ruby")
    )
    await shop.story.tell(bought("cli_1", stone="Ruby"))
    assert await shop.codes("cli_1") == ["A"]
    assert await shop.codes("cli_1", store_id="sto_2") == ["B"]


async def test_what_is_owned_is_never_shown_again_but_what_came_back_is(shop):
    await shop.put(
        piece("A", brand_id="brd_1", reference="R-1"), piece("B", brand_id="brd_1", reference="R-2")
    )
    await shop.story.tell(
        bought("cli_1", brand_id="brd_1", reference="r-1 ", purchase_id="pur_1"),
        bought("cli_2", recipient="cli_1", brand_id="brd_1", reference="R-2"),
    )
    assert await shop.codes("cli_1") == []
    assert (await shop.ask("cli_1")).note == use_cases.ALL_LEFT_OUT
    await shop.story.tell(returned("cli_1", "pur_1", days_ago(100), minor=100_000))
    assert await shop.codes("cli_1") == ["A"]


async def test_what_is_bought_for_her_in_secret_is_not_used_until_the_secret_is_over(shop):
    await shop.put(
        piece("NECK", reference="N-1", set_code="s", brand_id="brd_1"),
        piece("EAR", reference="E-1", set_code="s", brand_id="brd_1"),
        piece("OTHER", stone="ruby"),
    )
    await shop.story.tell(bought("cli_1", stone="ruby"))
    before = await shop.ask("cli_1")
    assert [one.piece.code for one in before.recommendations] == ["OTHER"]
    await shop.story.tell(
        bought(
            "cli_2",
            recipient="cli_1",
            secret_from="cli_1",
            until=days_ago(-5),
            reference="N-1",
            brand_id="brd_1",
        )
    )
    assert await shop.ask("cli_1") == before
    # He may see what goes with it: it is his own.
    assert "set" in await shop.reasons("cli_2", "EAR")
    await shop.story.tell(
        bought(
            "cli_2",
            recipient="cli_1",
            secret_from="cli_1",
            until=days_ago(1),
            reference="N-1",
            brand_id="brd_1",
        )
    )
    assert "given on" in (await shop.reasons("cli_1", "EAR"))["set"]


async def test_a_wish_that_is_granted_in_secret_is_left_out_and_one_that_is_fulfilled_as_well(shop):
    await shop.put(
        piece("A", reference="R-1", stone="ruby"), piece("B", reference="R-2"), piece("C", stone="ruby")
    )
    somebody = records_pb2.WISH_STATE_BOUGHT_BY_SOMEBODY
    await shop.story.tell(
        bought("cli_1", stone="ruby"),
        wish("cli_1", reference="R-1", state=somebody, is_surprise=True, bought_by_client_id="cli_2"),
        wish("cli_1", wish_id="wsh_2", reference="R-2", state=records_pb2.WISH_STATE_BOUGHT),
    )
    answer = await shop.ask("cli_1")
    assert [one.piece.code for one in answer.recommendations] == ["C"]
    assert not any(reason.kind == "wish" for one in answer.recommendations for reason in one.reasons)


async def test_a_day_that_is_a_surprise_for_her_speaks_for_nothing(shop):
    await shop.put(piece("A", stone="aquamarine"), piece("B", stone="ruby"))
    fact = client_fact("cli_1", version=2, occasions=[(1, 0, 3, 20)])
    fact.occasions[0].surprise_for_client_id = "cli_1"
    await shop.story.tell(profiles_events.ClientChanged(client=fact), bought("cli_1", stone="ruby"))
    assert await shop.codes("cli_1") == ["B"]


async def test_sizes_prices_dislikes_and_brand_names_come_from_profiles(shop):
    ring = profiles_pb2.Preference(
        kind=profiles_pb2.PREFERENCE_KIND_RING_SIZE, value="52", size_system=profiles_pb2.SIZE_SYSTEM_ISO
    )
    band = profiles_pb2.Preference(
        kind=profiles_pb2.PREFERENCE_KIND_PRICE_BAND, minimum_price=dollars(4000), maximum_price=dollars(6000)
    )
    dislike = profiles_pb2.Preference(kind=profiles_pb2.PREFERENCE_KIND_DISLIKE, value="Yellow Gold")
    shop.outreach.profiles.preferences["cli_1"] = [ring, band, dislike]
    shop.outreach.profiles.brands["brd_7"] = "Maison Lune"
    fact = client_fact("cli_1", version=2)
    fact.preferences.add(kind=profiles_pb2.PREFERENCE_KIND_BRAND, value="maison LUNE")
    await shop.story.tell(profiles_events.ClientChanged(client=fact))
    await shop.put(
        piece("A", brand_id="brd_7", category="Ring", size="US 6", price=5000),
        piece("B", brand_id="brd_7", category="Ring", metal="yellow gold", price=5000),
    )
    assert await shop.codes("cli_1") == ["A"]
    assert await shop.reasons("cli_1", "A") == {
        "taste": "To the taste that is known: the brand (preferred).",
        "price": "Within the price band that was named.",
        "size": "Fits as it is: size US 6, noted is 52.",
    }
    shop.outreach.profiles.gone.add("cli_1")
    try:
        answer = await shop.ask("cli_1")
        assert sorted(one.piece.code for one in answer.recommendations) == ["A", "B"]
        assert use_cases.NOT_ASKED in answer.note
    finally:
        shop.outreach.profiles.gone.discard("cli_1")


async def test_without_history_the_newest_within_what_is_usual_come_first_and_the_note_says_so(shop):
    assert (await shop.ask("cli_1")).note == use_cases.EMPTY_STORE
    await shop.put(piece("DEAR", price=90_000), piece("EUR", price=1), piece("USUAL", price=1000))
    assert len(await shop.codes("cli_1")) == 3
    await shop.story.tell(*(bought("cli_2", minor=minor * 100) for minor in (800, 900, 1000, 1100, 5000)))
    answer = await shop.ask("cli_1")
    assert [one.piece.code for one in answer.recommendations] == ["USUAL"]
    assert answer.note == use_cases.NO_HISTORY
    (reason,) = answer.recommendations[0].reasons
    assert reason.sentence == "Within what clients here usually spend on a piece."


async def test_prices_of_other_currencies_are_not_compared(shop):
    euro = piece("A", stone="ruby")
    euro.price.currency_code = "EUR"
    await shop.put(euro, piece("B", stone="ruby"))
    await shop.story.tell(
        bought("cli_1", stone="ruby"), bought("cli_1", minor=7, currency="JPY", stone="ruby")
    )
    assert "price" not in await shop.reasons("cli_1", "A")
    assert "price" in await shop.reasons("cli_1", "B")


async def test_a_merged_client_is_asked_by_either_id_and_another_chain_s_is_not_found(shop, as_associate):
    await shop.put(piece("A", stone="ruby"), piece("B", stone="onyx", reference="O-1"))
    await shop.story.tell(
        bought("cli_1", stone="ruby"),
        bought("cli_2", stone="onyx", reference="O-1"),
        bought("cli_3", stone="onyx", recipient="cli_2"),
        profiles_events.ClientMerged(
            merge_id="mrg_1", client=client_fact("cli_1", version=5), merged_client_id="cli_2"
        ),
    )
    assert await shop.codes("cli_1") == await shop.codes("cli_2") == ["A"]
    as_associate("queue:read", chain_id="chn_stranger")
    for client_id in ("cli_1", "cli_unknown"):
        with pytest.raises(ServiceError) as refused:
            await shop.stub.ListRecommendations(pb.ListRecommendationsRequest(client_id=client_id))
        assert (refused.value.kind, refused.value.reason) == (Kind.NOT_FOUND, "CLIENT_NOT_FOUND")


async def test_an_erased_client_and_a_store_that_nobody_has_are_not_found(shop):
    with pytest.raises(ServiceError) as refused:
        await shop.ask("cli_1", store_id="sto_9")
    assert (refused.value.kind, refused.value.reason) == (Kind.NOT_FOUND, "STORE_NOT_FOUND")
    await shop.story.tell(profiles_events.ClientErased(erasure_id="ers_1", client_id="cli_1"))
    with pytest.raises(ServiceError) as refused:
        await shop.ask("cli_1")
    assert refused.value.reason == "CLIENT_NOT_FOUND"


async def test_a_client_without_a_store_is_asked_for_one(shop):
    await shop.story.tell(bought("cli_9", stone="ruby"))
    await shop.put(piece("A", stone="ruby"))
    assert (await shop.ask("cli_9")).note == use_cases.NO_STORE
    assert await shop.codes("cli_9", store_id="sto_1") == ["A"]


async def test_profiles_that_do_not_answer_keep_nobody_waiting(shop, monkeypatch):
    monkeypatch.setattr(use_cases, "_PROFILES_SECONDS", 0.05)
    shop.outreach.profiles.may_answer.clear()
    await shop.put(piece("A", stone="ruby"))
    await shop.story.tell(bought("cli_1", stone="ruby"))
    try:
        answer = await shop.ask("cli_1")
    finally:
        shop.outreach.profiles.may_answer.set()
    assert [one.piece.code for one in answer.recommendations] == ["A"]
    assert use_cases.NOT_ASKED in answer.note
