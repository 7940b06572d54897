"""Chains, stores, associates and brands on the wire."""

from collections.abc import Mapping
from typing import Any, cast

from carnet.profiles.v1 import profiles_pb2 as pb

from chassis.caller import current_caller
from chassis.clock import Clock
from chassis.database import Database, RequestKey
from chassis.paging import cut_page, decode_page_token, page_size_of
from chassis.values import timestamp_of
from profiles.domain.directory import Associate, Brand, Chain, Store
from profiles.store import covers as cover_store
from profiles.store import directory as store
from profiles.use_cases import directory as use_cases


class DirectoryCalls:
    """The RPCs on the directory."""

    _database: Database
    _clock: Clock

    async def CreateChain(self, request: pb.CreateChainRequest, context: Any) -> pb.Chain:
        """Open a chain."""
        return _chain(
            await use_cases.create_chain(
                database=self._database,
                clock=self._clock,
                key=RequestKey.of(request),
                display_name=request.display_name,
                country=request.country,
                currency_code=request.currency_code,
                time_zone=request.time_zone,
            )
        )

    async def GetChain(self, request: pb.GetChainRequest, context: Any) -> pb.Chain:
        """Read the caller's own chain."""
        async with self._database.transaction(current_caller().chain_id) as tx:
            return _chain(await store.get_chain(tx, request.chain_id))

    async def CreateStore(self, request: pb.CreateStoreRequest, context: Any) -> pb.Store:
        """Open a store."""
        return _store(
            await use_cases.create_store(
                database=self._database,
                clock=self._clock,
                chain_id=current_caller().chain_id,
                key=RequestKey.of(request),
                display_name=request.display_name,
                time_zone=request.time_zone,
                country=request.country,
            )
        )

    async def GetStore(self, request: pb.GetStoreRequest, context: Any) -> pb.Store:
        """Read one store."""
        async with self._database.transaction(current_caller().chain_id) as tx:
            return _store(await store.get_store(tx, request.store_id))

    async def ListStores(self, request: pb.ListStoresRequest, context: Any) -> pb.ListStoresResponse:
        """List stores by name."""
        size = page_size_of(request.page_size)
        async with self._database.transaction(current_caller().chain_id) as tx:
            found = await store.list_stores(tx, after=_after(request.page_token), limit=size + 1)
        page, token = cut_page(found, size, lambda one: (one.display_name, one.store_id))
        return pb.ListStoresResponse(stores=map(_store, page), next_page_token=token)

    async def CreateAssociate(self, request: pb.CreateAssociateRequest, context: Any) -> pb.Associate:
        """Add a member of staff."""
        caller = current_caller()
        caller.require_store(request.store_id)
        return _associate(
            await use_cases.create_associate(
                database=self._database,
                clock=self._clock,
                chain_id=caller.chain_id,
                key=RequestKey.of(request),
                store_id=request.store_id,
                display_name=request.display_name,
                email=request.email,
            ),
            {},
        )

    async def GetAssociate(self, request: pb.GetAssociateRequest, context: Any) -> pb.Associate:
        """Read one associate."""
        async with self._database.transaction(current_caller().chain_id) as tx:
            associate = await store.get_associate(tx, request.associate_id)
            covers = await cover_store.read_present_covers(
                tx, [associate.associate_id], now=self._clock.now()
            )
        return _associate(associate, covers)

    async def ListAssociates(
        self, request: pb.ListAssociatesRequest, context: Any
    ) -> pb.ListAssociatesResponse:
        """List associates by name."""
        size = page_size_of(request.page_size)
        async with self._database.transaction(current_caller().chain_id) as tx:
            found = await store.list_associates(
                tx, store_id=request.store_id, after=_after(request.page_token), limit=size + 1
            )
            covers = await cover_store.read_present_covers(
                tx, [one.associate_id for one in found], now=self._clock.now()
            )
        page, token = cut_page(found, size, lambda one: (one.display_name, one.associate_id))
        return pb.ListAssociatesResponse(
            associates=[_associate(one, covers) for one in page], next_page_token=token
        )

    async def SetAssociateActive(self, request: pb.SetAssociateActiveRequest, context: Any) -> pb.Associate:
        """Say that an associate left or is back."""
        caller = current_caller()
        associate = await use_cases.set_associate_active(
            database=self._database,
            caller=caller,
            associate_id=request.associate_id,
            is_active=request.is_active,
        )
        async with self._database.transaction(caller.chain_id) as tx:
            covers = await cover_store.read_present_covers(
                tx, [associate.associate_id], now=self._clock.now()
            )
        return _associate(associate, covers)

    async def CreateBrand(self, request: pb.CreateBrandRequest, context: Any) -> pb.Brand:
        """Add a brand."""
        return _brand(
            await use_cases.create_brand(
                database=self._database,
                clock=self._clock,
                chain_id=current_caller().chain_id,
                key=RequestKey.of(request),
                display_name=request.display_name,
            )
        )

    async def ListBrands(self, request: pb.ListBrandsRequest, context: Any) -> pb.ListBrandsResponse:
        """List brands by name."""
        size = page_size_of(request.page_size)
        async with self._database.transaction(current_caller().chain_id) as tx:
            found = await store.list_brands(tx, after=_after(request.page_token), limit=size + 1)
        page, token = cut_page(found, size, lambda one: (one.display_name, one.brand_id))
        return pb.ListBrandsResponse(brands=map(_brand, page), next_page_token=token)


def _after(token: str) -> tuple[str, str] | None:
    return cast("tuple[str, str] | None", decode_page_token(token, str, str))


def _chain(chain: Chain) -> pb.Chain:
    return pb.Chain(
        chain_id=chain.chain_id,
        display_name=chain.display_name,
        country=chain.country,
        currency_code=chain.currency_code,
        time_zone=chain.time_zone,
        create_time=timestamp_of(chain.created_at),
    )


def _store(store: Store) -> pb.Store:
    return pb.Store(
        store_id=store.store_id,
        display_name=store.display_name,
        time_zone=store.time_zone,
        country=store.country,
        create_time=timestamp_of(store.created_at),
    )


def _associate(associate: Associate, covers: Mapping[str, str]) -> pb.Associate:
    return pb.Associate(
        associate_id=associate.associate_id,
        store_id=associate.store_id,
        display_name=associate.display_name,
        email=associate.email,
        is_active=associate.is_active,
        create_time=timestamp_of(associate.created_at),
        cover_associate_id=covers.get(associate.associate_id, ""),
    )


def _brand(brand: Brand) -> pb.Brand:
    return pb.Brand(
        brand_id=brand.brand_id,
        display_name=brand.display_name,
        create_time=timestamp_of(brand.created_at),
    )
