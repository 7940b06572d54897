"""Chains, stores, associates and brands through the real server."""

import asyncio
from typing import Any

import pytest
from carnet.profiles.v1 import events_pb2 as ev
from carnet.profiles.v1 import profiles_pb2 as pb

from chassis.errors import Kind, ServiceError
from chassis.ids import new_id
from chassis.testing import published

CHAIN = {"display_name": "Maison", "country": "US", "currency_code": "USD", "time_zone": "America/New_York"}


async def test_a_chain_that_is_asked_for_twice_is_opened_once(house: Any) -> None:
    house.act_as("chains:write", chain_id="")
    request = pb.CreateChainRequest(request_id=new_id("req"), **CHAIN)
    opened = await asyncio.gather(*(house.stub.CreateChain(request) for _ in range(20)))
    (chain_id,) = {chain.chain_id for chain in opened}
    assert len(await published(house.database, ev.ChainCreated, chain_id=chain_id)) == 1


async def test_a_chain_whose_opening_was_cut_off_is_opened_by_the_repeat(house: Any) -> None:
    house.act_as("chains:write", chain_id="")
    request = pb.CreateChainRequest(request_id=new_id("req"), **CHAIN)
    chain = await house.stub.CreateChain(request)
    async with house.database.transaction(chain.chain_id) as tx:
        await tx.execute("delete from chains")
    assert (await house.stub.CreateChain(request)).chain_id == chain.chain_id
    async with house.database.transaction(chain.chain_id) as tx:
        assert (await tx.execute("select count(*) from chains")).scalar_one() == 1


async def test_a_request_id_for_another_chain_is_refused(house: Any) -> None:
    house.act_as("chains:write", chain_id="")
    request_id = new_id("req")
    await house.stub.CreateChain(pb.CreateChainRequest(request_id=request_id, **CHAIN))
    with pytest.raises(ServiceError) as refused:
        await house.stub.CreateChain(
            pb.CreateChainRequest(request_id=request_id, **{**CHAIN, "country": "FR"})
        )
    assert refused.value.reason == "REQUEST_ID_REUSED"


@pytest.mark.parametrize(
    ("wrong", "reason"),
    [({"time_zone": "Mars/Olympus"}, "TIME_ZONE_UNKNOWN"), ({"currency_code": "QQQ"}, "CURRENCY_UNKNOWN")],
)
async def test_a_chain_of_nowhere_is_refused(house: Any, wrong: dict[str, str], reason: str) -> None:
    house.act_as("chains:write", chain_id="")
    with pytest.raises(ServiceError) as refused:
        await house.stub.CreateChain(pb.CreateChainRequest(**{**CHAIN, **wrong}))
    assert (refused.value.kind, refused.value.reason) == (Kind.INVALID, reason)
    assert [violation.field for violation in refused.value.violations] == list(wrong)


async def test_another_chain_is_not_found(house: Any) -> None:
    assert (await house.stub.GetChain(pb.GetChainRequest(chain_id=house.chain_id))).display_name == "Maison"
    house.act_as(chain_id="chn_other")
    with pytest.raises(ServiceError) as refused:
        await house.stub.GetChain(pb.GetChainRequest(chain_id=house.chain_id))
    assert (refused.value.kind, refused.value.reason) == (Kind.NOT_FOUND, "CHAIN_NOT_FOUND")


async def test_an_unknown_time_zone_is_refused(house: Any) -> None:
    with pytest.raises(ServiceError) as refused:
        await house.stub.CreateStore(
            pb.CreateStoreRequest(display_name="X", time_zone="America/Nowhere", country="US")
        )
    assert refused.value.reason == "TIME_ZONE_UNKNOWN"


async def test_a_store_is_opened_once_and_listed_by_name(house: Any) -> None:
    request = pb.CreateStoreRequest(
        request_id="again", display_name="Bal Harbour", time_zone="America/New_York", country="US"
    )
    assert await house.stub.CreateStore(request) == await house.stub.CreateStore(request)
    first = await house.stub.ListStores(pb.ListStoresRequest(page_size=1))
    rest = await house.stub.ListStores(pb.ListStoresRequest(page_size=1, page_token=first.next_page_token))
    assert [store.display_name for store in (*first.stores, *rest.stores)] == ["Bal Harbour", "Fifth Avenue"]
    assert not rest.next_page_token
    assert len(await published(house.database, ev.StoreCreated, chain_id=house.chain_id)) == 2


async def test_an_e_mail_signs_in_one_associate(house: Any) -> None:
    with pytest.raises(ServiceError) as refused:
        await house.stub.CreateAssociate(
            pb.CreateAssociateRequest(
                store_id=house.store_id, display_name="Ana again", email="ANA@maison.example"
            )
        )
    assert (refused.value.kind, refused.value.reason) == (Kind.ALREADY_EXISTS, "ASSOCIATE_EMAIL_TAKEN")


async def test_an_associate_needs_a_store(house: Any) -> None:
    with pytest.raises(ServiceError) as refused:
        await house.stub.CreateAssociate(
            pb.CreateAssociateRequest(store_id="sto_none", display_name="Cleo", email="cleo@maison.example")
        )
    assert refused.value.reason == "STORE_NOT_FOUND"


async def test_associates_are_listed_by_store(house: Any) -> None:
    listed = await house.stub.ListAssociates(pb.ListAssociatesRequest(store_id=house.store_id))
    assert [associate.display_name for associate in listed.associates] == ["Ana", "Ben"]
    assert not (await house.stub.ListAssociates(pb.ListAssociatesRequest(store_id="sto_x"))).associates
    assert (await house.stub.GetAssociate(pb.GetAssociateRequest(associate_id=house.ana))).is_active


async def test_who_left_gets_no_new_client_until_she_is_back(house: Any) -> None:
    client = await house.stub.CreateClient(pb.CreateClientRequest(home_store_id=house.store_id))
    assign = pb.AssignClientRequest(client_id=client.client_id, associate_id=house.ben)
    left = pb.SetAssociateActiveRequest(associate_id=house.ben, is_active=False)
    assert not (await house.stub.SetAssociateActive(left)).is_active
    with pytest.raises(ServiceError) as refused:
        await house.stub.AssignClient(assign)
    assert refused.value.reason == "ASSOCIATE_NOT_FOUND"
    await house.stub.SetAssociateActive(pb.SetAssociateActiveRequest(associate_id=house.ben, is_active=True))
    assert (await house.stub.AssignClient(assign)).associate_id == house.ben


async def test_saying_twice_that_somebody_left_is_one_event_with_one_version(house: Any) -> None:
    before = len(await published(house.database, ev.AssociateChanged, chain_id=house.chain_id))
    left = pb.SetAssociateActiveRequest(associate_id=house.ana, is_active=False)
    await asyncio.gather(*(house.stub.SetAssociateActive(left) for _ in range(10)))
    await house.stub.SetAssociateActive(pb.SetAssociateActiveRequest(associate_id=house.ana, is_active=True))
    said = (await published(house.database, ev.AssociateChanged, chain_id=house.chain_id))[before:]
    assert [(event.associate_id, event.is_active) for event in said] == [
        (house.ana, False),
        (house.ana, True),
    ]
    assert said[1].version == said[0].version + 1


async def test_nobody_unknown_can_leave(house: Any) -> None:
    with pytest.raises(ServiceError) as refused:
        await house.stub.SetAssociateActive(pb.SetAssociateActiveRequest(associate_id="asc_none"))
    assert refused.value.reason == "ASSOCIATE_NOT_FOUND"


async def test_brands_are_listed_by_name(house: Any) -> None:
    for name in ("Vesper", "Aurel"):
        await house.stub.CreateBrand(pb.CreateBrandRequest(request_id=name, display_name=name))
        await house.stub.CreateBrand(pb.CreateBrandRequest(request_id=name, display_name=name))
    listed = await house.stub.ListBrands(pb.ListBrandsRequest())
    assert [brand.display_name for brand in listed.brands] == ["Aurel", "Vesper"]


async def test_an_invented_page_token_is_refused(house: Any) -> None:
    with pytest.raises(ServiceError) as refused:
        await house.stub.ListStores(pb.ListStoresRequest(page_token="nonsense"))
    assert refused.value.violations[0].field == "page_token"
