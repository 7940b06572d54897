"""The catalogue: pieces put in as sets, found again, taken out; stock of each store with the day it came."""

from datetime import timedelta

import pytest
from carnet.outreach.v1 import catalogue_pb2 as pb
from carnet.outreach.v1 import catalogue_pb2_grpc
from carnet.profiles.v1 import events_pb2 as profiles_events
from google.type.date_pb2 import Date
from google.type.money_pb2 import Money
from outreach_story import TODAY, days_ago

from chassis.errors import Kind, ServiceError
from chassis.values import proto_date_of
from outreach.domain.words import fold

SCOPES = ("catalogue:write", "queue:read")


def piece(code, stock=None, **fields):
    """Return a piece in the shop sto_1, once."""
    fields = {"display_name": f"Ring {code}", "price": Money(currency_code="USD", units=1200)} | fields
    told = pb.CataloguePiece(code=code, **fields)
    for store_id, quantity in ({"sto_1": 1} if stock is None else stock).items():
        told.stock.add(store_id=store_id, quantity=quantity)
    return told


def stock_of(told):
    return {there.store_id: (there.quantity, there.arrive_date) for there in told.stock}


@pytest.fixture
async def shop(outreach, story, as_associate):
    """Return the stub of the catalogue of a chain with two stores."""
    await story.open()
    await story.tell(*(profiles_events.StoreCreated(store_id=store_id) for store_id in ("sto_1", "sto_2")))
    as_associate(*SCOPES)
    return catalogue_pb2_grpc.CatalogueServiceStub(outreach.channel)


async def put(shop, *pieces):
    return await shop.UpsertPieces(pb.UpsertPiecesRequest(pieces=pieces))


async def listed(shop, page_size=0, **wanted):
    """Return the codes of all pages."""
    codes, token = [], ""
    while True:
        page = await shop.ListPieces(pb.ListPiecesRequest(page_size=page_size, page_token=token, **wanted))
        codes += [one.code for one in page.pieces]
        if not (token := page.next_page_token):
            return codes


async def refusal(call):
    with pytest.raises(ServiceError) as refused:
        await call
    return refused.value


async def test_pieces_are_put_in_changed_and_left_alone_when_they_are_the_same(shop):
    first = await put(shop, piece("A"), piece("B"))
    assert (first.created, first.updated, first.unchanged) == (2, 0, 0)
    again = await put(shop, piece("C"), piece("B", display_name="Another"), piece("A"))
    assert (again.created, again.updated, again.unchanged) == (1, 1, 1)
    assert list(again.piece_ids)[1:] == list(first.piece_ids)[::-1]
    read = await shop.GetPiece(pb.GetPieceRequest(piece_id=again.piece_ids[1]))
    assert (read.code, read.display_name, read.price.units) == ("B", "Another", 1200)


async def test_what_was_read_can_be_put_back_and_changes_nothing(shop):
    put_in = await put(
        shop,
        piece(
            "A", {"sto_1": 2, "sto_2": 1}, brand_id="brd_1", reference="R-1", category="Ring", set_code="S"
        ),
    )
    read = await shop.GetPiece(pb.GetPieceRequest(piece_id=put_in.piece_ids[0]))
    assert (await put(shop, read)).unchanged == 1
    assert await shop.GetPiece(pb.GetPieceRequest(piece_id=read.piece_id)) == read


async def test_stock_is_taken_as_given_and_keeps_the_day_on_which_it_came(shop, outreach, as_associate):
    piece_id = (await put(shop, piece("A", {"sto_1": 1, "sto_2": 0}))).piece_ids[0]

    async def read():
        return stock_of(await shop.GetPiece(pb.GetPieceRequest(piece_id=piece_id)))

    today = proto_date_of(TODAY)
    assert await read() == {"sto_1": (1, today)}
    outreach.clock.advance(timedelta(days=1))
    as_associate(*SCOPES)
    await put(shop, piece("A", {"sto_1": 5, "sto_2": 1}))
    tomorrow = proto_date_of(days_ago(-1))
    assert await read() == {"sto_1": (5, today), "sto_2": (1, tomorrow)}
    await put(shop, piece("A", {"sto_2": 1}))
    assert await read() == {"sto_2": (1, tomorrow)}
    outreach.clock.advance(timedelta(days=1))
    as_associate(*SCOPES)
    await put(shop, piece("A"))
    assert await read() == {"sto_1": (1, proto_date_of(days_ago(-2)))}


async def test_a_day_of_arrival_that_is_given_counts(shop):
    long_ago = proto_date_of(days_ago(400))
    told = piece("A")
    told.stock[0].arrive_date.CopyFrom(long_ago)
    piece_id = (await put(shop, told)).piece_ids[0]
    read = await shop.GetPiece(pb.GetPieceRequest(piece_id=piece_id))
    assert stock_of(read) == {"sto_1": (1, long_ago)}
    assert (await put(shop, told)).unchanged == (await put(shop, piece("A"))).unchanged == 1
    told.stock[0].arrive_date.CopyFrom(proto_date_of(days_ago(300)))
    assert (await put(shop, told)).updated == 1


@pytest.mark.parametrize(
    ("wrong", "field"),
    [
        ({"code": " "}, "pieces[1].code"),
        ({"code": "A"}, "pieces[1].code"),
        ({"display_name": "\t"}, "pieces[1].display_name"),
        ({"metal": "go\0ld"}, "pieces[1].metal"),
        ({"price": Money(currency_code="USD", units=-1)}, "pieces[1].price"),
        ({"price": Money(currency_code="USD")}, "pieces[1].price"),
        ({"price": Money(currency_code="XXZ", units=1)}, "pieces[1].price.currency_code"),
        ({"price": Money(currency_code="JPY", units=1, nanos=5)}, "pieces[1].price.nanos"),
        ({"image_url": "javascript:alert(1)"}, "pieces[1].image_url"),
        ({"category": "x" * 41}, "pieces[1].category"),
        ({"stock": [pb.Stock(store_id="sto_1"), pb.Stock(store_id="sto_1")]}, "pieces[1].stock[1].store_id"),
        ({"stock": [pb.Stock(store_id="sto_1", quantity=-1)]}, "pieces[1].stock[0].quantity"),
        (
            {"stock": [pb.Stock(store_id="sto_1", quantity=1, arrive_date=Date(year=2026, month=2, day=30))]},
            "pieces[1].stock[0].arrive_date",
        ),
        (
            {"stock": [pb.Stock(store_id="sto_1", quantity=1, arrive_date=proto_date_of(days_ago(-1)))]},
            "pieces[1].stock[0].arrive_date",
        ),
    ],
)
async def test_one_piece_that_is_not_right_refuses_the_whole_call_and_is_named(shop, wrong, field):
    told = pb.CataloguePiece(**{"code": "B", "display_name": "Ring", **wrong})
    error = await refusal(put(shop, piece("A"), told))
    assert (error.kind, error.reason) == (Kind.INVALID, "FIELD_INVALID")
    assert error.violations[0].field == field
    assert await listed(shop) == []


async def test_stock_in_a_store_that_nobody_knows_refuses_the_whole_call(shop):
    error = await refusal(put(shop, piece("A"), piece("B", {"sto_1": 1, "sto_9": 1})))
    assert (error.kind, error.reason) == (Kind.NOT_FOUND, "STORE_NOT_FOUND")
    assert error.violations[0].field == "pieces[1].stock[1].store_id"
    assert await listed(shop) == []


async def test_two_who_write_the_same_pieces_in_any_order_lose_none_and_do_not_block_each_other(shop, gather):
    codes = [f"P{n:03}" for n in range(60)]

    async def write(worker):
        order = codes if worker % 2 else codes[::-1]
        return await put(shop, *(piece(code, {"sto_1": worker + 1, "sto_2": worker % 3}) for code in order))

    answers = await gather(*(write(worker) for worker in range(20)))
    assert [one for one in answers if isinstance(one, BaseException)] == []
    assert sum(one.created for one in answers) == len(codes)
    assert sorted(await listed(shop)) == codes
    last = [stock_of(await shop.GetPiece(pb.GetPieceRequest(piece_id=id_)))
            for id_ in answers[0].piece_ids]  # fmt: skip
    assert len({tuple(sorted((store, stock[0]) for store, stock in one.items())) for one in last}) == 1


async def test_the_same_pieces_told_at_once_are_created_once(shop, gather):
    answers = await gather(*(put(shop, piece("A"), piece("B")) for _ in range(20)))
    assert sum(one.created for one in answers) == 2
    assert sum(one.updated for one in answers) == 0
    assert len({tuple(one.piece_ids) for one in answers}) == 1


async def test_a_deleted_piece_is_gone_and_an_upsert_brings_it_back_under_its_id(shop):
    piece_id = (await put(shop, piece("A", display_name="Solitaire"))).piece_ids[0]
    for _ in range(2):
        await shop.DeletePiece(pb.DeletePieceRequest(piece_id=piece_id))
    error = await refusal(shop.GetPiece(pb.GetPieceRequest(piece_id=piece_id)))
    assert (error.kind, error.reason) == (Kind.NOT_FOUND, "PIECE_NOT_FOUND")
    assert await listed(shop) == await listed(shop, query="solitaire") == []
    back = await put(shop, piece("A", display_name="Solitaire"))
    assert (back.updated, list(back.piece_ids)) == (1, [piece_id])
    assert await listed(shop) == await listed(shop, query="solitaire", store_id="sto_1") == ["A"]


async def test_pieces_are_found_by_how_words_begin_with_and_without_accents(shop):
    await put(
        shop,
        piece("E-1", display_name="Collier Étoile", stone="Émeraude", category="Necklace"),
        piece("E-2", display_name="Anneau etoile", metal="Yellow gold", category="ring"),
        piece("E-3", display_name="100%_pure\\ band Smørgås", reference="W.69/10-4", category="Ring"),
    )
    assert await listed(shop) == await listed(shop, query=" -\0") != []
    assert sorted(await listed(shop, query="ÉTOILE")) == ["E-1", "E-2"]
    assert await listed(shop, query="etoi emerau") == ["E-1"]
    assert await listed(shop, query="69/10") == await listed(shop, query="100%_p") == ["E-3"]
    assert await listed(shop, query="smorgas") == ["E-3"]
    # From its beginning: whoever looks for a ring does not want earrings.
    assert await listed(shop, query="lier") == await listed(shop, query="necklace ring") == []
    await put(shop, piece("E-4", display_name="Creoles", category="Earrings"))
    assert sorted(await listed(shop, query="ring")) == ["E-2", "E-3"]
    assert sorted(await listed(shop, category="RING ")) == ["E-2", "E-3"]
    assert await listed(shop, category="ring", query="gold") == ["E-2"]


async def test_pieces_are_found_by_brand_and_by_what_a_store_has_in_pages_of_any_size(shop):
    for n in range(7):
        stock = {"sto_1": n % 2, "sto_2": 1}
        await put(shop, piece(f"P{n}", stock, brand_id="brd_1" if n < 4 else "brd_2"))
    everything = await listed(shop)
    assert sorted(everything) == [f"P{n}" for n in range(7)]
    assert [await listed(shop, size) for size in (1, 2, 3, 200)] == [everything] * 4
    assert [await listed(shop, size, query="ring") for size in (1, 3)] == [everything] * 2
    assert sorted(await listed(shop, 2, brand_id="brd_1")) == ["P0", "P1", "P2", "P3"]
    assert sorted(await listed(shop, 2, store_id="sto_1")) == ["P1", "P3", "P5"]
    assert sorted(await listed(shop, 1, store_id="sto_1", query="p", brand_id="brd_1")) == ["P1", "P3"]
    error = await refusal(shop.ListPieces(pb.ListPiecesRequest(page_token="made up")))
    assert error.violations[0].field == "page_token"


async def test_another_chain_s_pieces_are_not_there(shop, as_associate):
    piece_id = (await put(shop, piece("A"))).piece_ids[0]
    as_associate("catalogue:write", "queue:read", chain_id="chn_stranger")
    for call in (
        shop.GetPiece(pb.GetPieceRequest(piece_id=piece_id)),
        shop.DeletePiece(pb.DeletePieceRequest(piece_id=piece_id)),
    ):
        error = await refusal(call)
        assert (error.kind, error.reason) == (Kind.NOT_FOUND, "PIECE_NOT_FOUND")
    assert await listed(shop) == await listed(shop, query="ring") == []
    assert (await refusal(put(shop, piece("A")))).reason == "STORE_NOT_FOUND"


async def test_only_who_may_write_the_catalogue_does(shop, as_associate):
    as_associate("queue:read", "queue:write")
    assert (await refusal(put(shop, piece("A")))).reason == "SCOPE_MISSING"


async def test_words_are_folded_in_the_database_as_they_are_here(outreach, story):
    letters = [chr(number) for number in range(0x20, 0x17F)] + ["\u00a0", "Ring  Étoile ", "ﬁn"]
    async with outreach.database.transaction(story.chain_id) as tx:
        found = await tx.execute(
            "select letter, searchable(letter) from unnest(cast(:letters as text[])) as letter",
            {"letters": letters},
        )
        differ = {here: (there, fold(here)) for here, there in found if there != fold(here)}
    assert {letter for letter in differ if letter.isalpha()} <= set(
        "ĸĿŀŉ"
    )  # of no language with a shop window
