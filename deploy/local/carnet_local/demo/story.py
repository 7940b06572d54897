"""The story as a whole: the chapters in the order in which a house would live them.

Every figure on the terminal is what the API answered. A chapter that does not go as promised raises Disappointed.
"""

from __future__ import annotations

from pathlib import Path

from carnet_local.api import Api
from carnet_local.demo.clients import ask_the_gate, rank_everybody, she_answers, text_her, welcome_walk_in
from carnet_local.demo.house import Disappointed, open_house
from carnet_local.demo.pieces import allocate_watch, book_viewing
from carnet_local.demo.purchases import import_purchases
from carnet_local.demo.receiver import receiver
from carnet_local.demo.telling import Teller

__all__ = ["Disappointed", "tell"]


async def tell(teller: Teller, *, api_url: str, operator_key: str, file: Path) -> None:
    """Tell the whole story. Raises Refused, StreamBroken and Disappointed."""
    async with Api.at(api_url) as anybody:
        house = await open_house(teller, anybody, operator_key)
        teller.chapter("Eighteen months of real purchases are imported")
        await import_purchases(
            teller, house.admin, file, store_id=house.store_id, associate_ids=house.book_owners
        )
        await rank_everybody(teller, house)
        await welcome_walk_in(teller, house)
        await text_her(teller, house)
        await she_answers(teller, house)
        await ask_the_gate(teller, house)
        with receiver() as partner_site:
            await allocate_watch(teller, anybody, house, partner_site)
        await book_viewing(teller, house)
        teller.chapter("That was the main job")
