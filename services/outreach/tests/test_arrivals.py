"""Pieces that come to a store speak to those who wait for them, and fall silent when they are gone."""

from datetime import timedelta

import pytest
from carnet.outreach.v1 import catalogue_pb2 as pb
from carnet.outreach.v1 import catalogue_pb2_grpc, outreach_pb2
from carnet.profiles.v1 import events_pb2 as profiles_events
from carnet.profiles.v1 import records_pb2
from outreach_story import client_created, client_fact, days_ago, purchase_fact

from chassis.values import proto_date_of
from outreach.store import arrivals, due_clients, happenings
from outreach.store.happenings import Wish
from outreach.use_cases import attention
from outreach.use_cases.counting import count_waiting
from outreach.use_cases.shelf_news import follow_news

WISH, FAVOURITE = outreach_pb2.SIGNAL_WISH_ARRIVED, outreach_pb2.SIGNAL_FAVOURITE_ARRIVED
WANTED = records_pb2.WISH_STATE_WANTED
BOUGHT_BY_SOMEBODY = records_pb2.WISH_STATE_BOUGHT_BY_SOMEBODY


def wish(client_id, wish_id="wsh_1", *, version=1, state=WANTED, **fields):
    fact = profiles_events.WishFact(
        wish_id=wish_id, client_id=client_id, state=state, version=version, **fields
    )
    return (profiles_events.WishAdded if version == 1 else profiles_events.WishChanged)(wish=fact)


def bought(client_id, *days, brand_id):
    told = []
    for day in days:
        fact = purchase_fact(client_id, day)
        fact.lines.add(brand_id=brand_id, category="ring", quantity=1, amount_minor=50_000)
        told.append(profiles_events.PurchaseRecorded(purchase=fact))
    return told


class Shop:
    """A chain with two stores, its catalogue, and what its queue says of each client."""

    def __init__(self, outreach, story, sign):
        self.stub = catalogue_pb2_grpc.CatalogueServiceStub(outreach.channel)
        self.outreach, self.story, self.sign = outreach, story, sign

    async def put(self, code, stores=("sto_1",), **fields):
        piece = pb.CataloguePiece(code=code, display_name=f"Piece {code}", **fields)
        for store_id in stores:
            piece.stock.add(store_id=store_id, quantity=1)
        self.sign("catalogue:write")
        return (await self.stub.UpsertPieces(pb.UpsertPiecesRequest(pieces=[piece]))).piece_ids[0]

    async def delete(self, piece_id):
        self.sign("catalogue:write")
        await self.stub.DeletePiece(pb.DeletePieceRequest(piece_id=piece_id))

    async def news(self):
        return await follow_news(database=self.outreach.database, clock=self.outreach.clock)

    async def signals(self):
        """Return the signals of arrivals on the queue, by client."""
        self.sign()
        queue = await self.outreach.stub.ListQueue(outreach_pb2.ListQueueRequest(associate_id="asc_1"))
        found = {
            one.client_id: {r.signal for r in one.reasons} & {WISH, FAVOURITE} for one in queue.suggestions
        }
        return {client_id: signals for client_id, signals in found.items() if signals}


@pytest.fixture
async def shop(outreach, story, as_associate):
    await story.open()
    await story.tell(*(profiles_events.StoreCreated(store_id=store_id) for store_id in ("sto_1", "sto_2")))
    return Shop(outreach, story, as_associate)


async def test_a_wished_reference_speaks_to_the_clients_of_the_store_it_came_to(shop):
    await shop.story.tell(
        client_created("cli_1"),
        client_created("cli_2", store_id="sto_2"),
        client_created("cli_3"),
        wish("cli_1", "wsh_1", brand_id="brd_1", reference="126610LN"),
        wish("cli_2", "wsh_2", brand_id="brd_1", reference="126610LN"),
        wish("cli_3", "wsh_3", brand_id="brd_2", reference="126610LN"),
    )
    assert await shop.signals() == {}
    await shop.put("A", brand_id="brd_1", reference="126610ln ")
    assert await shop.news() == 1
    assert await shop.signals() == {"cli_1": {WISH}}
    assert await shop.news() == 0


async def test_a_wish_without_a_reference_is_met_by_all_that_it_says_which_must_be_more_than_a_category(shop):
    await shop.story.tell(
        *(client_created(f"cli_{n}") for n in range(1, 5)),
        wish("cli_1", "wsh_1", category="Ring", metal="Yellow Gold", stone="Émeraude"),
        wish("cli_2", "wsh_2", category="ring", metal="platinum", stone="emeraude"),
        wish("cli_3", "wsh_3", category="ring"),
        wish("cli_4", "wsh_4", category="ring", stone="emeraude"),
    )
    await shop.put("A", category="ring", metal="yellow gold", stone="emeraude", reference="R-1")
    await shop.news()
    assert await shop.signals() == {"cli_1": {WISH}, "cli_4": {WISH}}


async def test_a_wish_for_what_is_there_already_counts_too(shop):
    await shop.put("A", brand_id="brd_1", reference="R-1")
    await shop.news()
    await shop.story.tell(client_created("cli_1"), wish("cli_1", brand_id="brd_1", reference="R-1"))
    assert await shop.signals() == {"cli_1": {WISH}}


async def test_the_mark_goes_when_the_piece_the_wish_or_the_client_goes(shop):
    piece_id = await shop.put("A", ["sto_1", "sto_2"], reference="R-1")
    await shop.story.tell(client_created("cli_1"), wish("cli_1", reference="R-1"))
    assert await shop.signals() == {"cli_1": {WISH}}
    await shop.put("A", ["sto_2"], reference="R-1")
    await shop.news()
    assert await shop.signals() == {}
    await shop.story.tell(
        profiles_events.ClientChanged(client=client_fact("cli_1", version=2, store_id="sto_2"))
    )
    assert await shop.signals() == {"cli_1": {WISH}}
    await shop.delete(piece_id)
    await shop.news()
    assert await shop.signals() == {}
    await shop.put("A", ["sto_2"], reference="R-1")
    await shop.news()
    assert await shop.signals() == {"cli_1": {WISH}}
    await shop.put("A", ["sto_2"], reference="R-2")
    await shop.news()
    assert await shop.signals() == {}
    await shop.put("A", ["sto_2"], reference="R-1")
    await shop.news()
    await shop.story.tell(profiles_events.WishRemoved(wish_id="wsh_1", client_id="cli_1"))
    assert await shop.signals() == {}


@pytest.mark.parametrize(
    "fields",
    [{"is_surprise": True}, {"is_surprise": True, "surprise_end_date": proto_date_of(days_ago(-5))}, {}],
)
async def test_a_wish_that_somebody_grants_speaks_to_nobody(shop, fields):
    await shop.put("A", reference="R-1")
    await shop.story.tell(client_created("cli_1"), wish("cli_1", reference="R-1"))
    assert await shop.signals() == {"cli_1": {WISH}}
    await shop.story.tell(
        wish(
            "cli_1",
            version=2,
            state=BOUGHT_BY_SOMEBODY,
            reference="R-1",
            bought_by_client_id="cli_2",
            **fields,
        )
    )
    assert await shop.signals() == {}


async def test_a_favourite_brand_speaks_to_who_bought_it_twice_or_named_it(shop):
    named = client_created("cli_3")
    named.client.preferences.add(kind=6, value="brd_1")
    await shop.story.tell(
        client_created("cli_1"),
        client_created("cli_2"),
        named,
        client_created("cli_4"),
        *bought("cli_1", days_ago(400), days_ago(300), brand_id="brd_1"),
        *bought("cli_2", days_ago(300), brand_id="brd_1"),
        *bought("cli_4", days_ago(400), days_ago(300), brand_id="brd_2"),
    )
    await counted(shop)
    await shop.put("A", brand_id="brd_1")
    await shop.news()
    assert await shop.signals() == {"cli_1": {FAVOURITE}, "cli_3": {FAVOURITE}}
    await shop.put("A", [], brand_id="brd_1")
    await shop.news()
    assert await shop.signals() == {}


async def counted(shop):
    await count_waiting(
        database=shop.outreach.database, clock=shop.outreach.clock, chain_id=shop.story.chain_id
    )


async def test_an_arrival_is_found_to_be_taken_away_when_nothing_is_waited_for_any_more(shop):
    """Whoever has neither a wish nor a favourite is not read at all, but what stands for her is."""
    await shop.story.tell(client_created("cli_1"), client_created("cli_2"))
    async with shop.outreach.database.transaction(shop.story.chain_id) as tx:
        await tx.execute(
            "insert into arrivals (chain_id, client_id, mark, arrived_on)"
            " values (:chain_id, 'cli_1', 'wish_arrived', :today)",
            {"chain_id": shop.story.chain_id, "today": days_ago(0)},
        )
        both = ["cli_1", "cli_2"]
        assert await arrivals.find_behind(tx, both, today=days_ago(0)) == ["cli_1"]
        assert await arrivals.follow(tx, both, today=days_ago(0)) == ["cli_1"]
        assert await arrivals.find_behind(tx, both, today=days_ago(0)) == []


async def test_nothing_arrives_for_who_is_deleted_or_in_no_store(shop):
    await shop.put("A", reference="R-1")
    clients = {"cli_1": "sto_1", "cli_2": "sto_1", "cli_3": ""}
    await shop.story.tell(
        *(client_created(client_id, store_id=store_id) for client_id, store_id in clients.items()),
        *(wish(client_id, f"wsh_{client_id}", reference="R-1") for client_id in clients),
        profiles_events.ClientDeleted(client_id="cli_2"),
    )
    async with shop.outreach.database.transaction(shop.story.chain_id) as tx:
        for table in ("arrivals", "shelf_news"):  # nor is it news for the tests after this one
            await tx.execute(f"delete from {table} where chain_id = :id", {"id": shop.story.chain_id})
        assert await arrivals.find_behind(tx, list(clients), today=days_ago(0)) == ["cli_1"]


async def test_what_a_large_set_finds_on_the_shelf_is_on_the_queue_at_once(shop):
    clients = [f"cli_{number:03}" for number in range(attention.FEW + 1)]
    await shop.story.tell(
        profiles_events.ImportBatchLanded(
            import_id="imp_1", clients=[client_created(client_id).client for client_id in clients]
        )
    )
    await shop.put("A", reference="R-1")
    await shop.story.tell(wish(clients[0], reference="R-1"))
    database, clock, chain_id = shop.outreach.database, shop.outreach.clock, shop.story.chain_id
    async with database.transaction(chain_id) as tx:
        # As if the shelf had never been looked at for her.
        for table in ("arrivals", "client_days", "suggestions", "shelf_news"):
            await tx.execute(f"delete from {table} where chain_id = :id", {"id": chain_id})
        await due_clients.mark_due(tx, clients, now=clock.now())
    assert await shop.signals() == {}
    await attention.evaluate_due(database=database, clock=clock, chain_id=chain_id, queue_size=3)
    assert await shop.signals() == {clients[0]: {WISH}}


async def test_a_merge_brings_the_wishes_along_and_taking_it_back_takes_them_back(shop):
    await shop.put("A", reference="R-1")
    await shop.story.tell(client_created("cli_1"), client_created("cli_2"), wish("cli_2", reference="R-1"))
    assert await shop.signals() == {"cli_2": {WISH}}
    await shop.story.tell(
        profiles_events.ClientMerged(
            merge_id="mrg_1", client=client_fact("cli_1", version=5), merged_client_id="cli_2"
        )
    )
    assert await shop.signals() == {"cli_1": {WISH}}
    await shop.story.tell(
        profiles_events.ClientUnmerged(
            merge_id="mrg_1",
            client=client_fact("cli_1", version=6),
            restored=client_fact("cli_2", version=6),
        )
    )
    assert await shop.signals() == {"cli_2": {WISH}}


async def test_an_erased_client_leaves_no_arrival(shop):
    await shop.put("A", reference="R-1")
    await shop.story.tell(client_created("cli_1"), wish("cli_1", reference="R-1"))
    await shop.story.tell(profiles_events.ClientErased(erasure_id="ers_1", client_id="cli_1"))
    async with shop.outreach.database.transaction(shop.story.chain_id) as tx:
        left = await tx.execute("select (select count(*) from arrivals) + (select count(*) from wishes)")
        assert left.scalar() == 0


async def test_a_wish_that_was_being_written_at_the_first_look_is_found_at_the_second(shop):
    await shop.story.tell(client_created("cli_1"))
    writing = Wish(wish_id="wsh_1", client_id="cli_1", version=1, state=WANTED, reference="R-1")
    async with shop.outreach.database.transaction(shop.story.chain_id) as tx:
        await happenings.put_wish(tx, writing, now=shop.outreach.clock.now())
        await shop.put("A", reference="R-1")
        assert await shop.news() == 0
    shop.outreach.clock.advance(timedelta(seconds=61))
    assert await shop.news() == 1
    assert await shop.signals() == {"cli_1": {WISH}}


async def test_many_who_work_off_the_news_do_it_once(shop, gather):
    await shop.story.tell(
        *(client_created(f"cli_{n}") for n in range(8)),
        *(wish(f"cli_{n}", f"wsh_{n}", reference="R-1") for n in range(8)),
    )
    await shop.put("A", reference="R-1")
    told = await gather(*(shop.news() for _ in range(20)))
    assert [one for one in told if isinstance(one, BaseException)] == []
    assert sum(told) == 8
    async with shop.outreach.database.transaction(shop.story.chain_id) as tx:
        rows = await tx.execute("select client_id from arrivals")
        assert sorted(rows.scalars()) == [f"cli_{n}" for n in range(8)]
