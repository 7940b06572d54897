"""The main job from the capture to the viewing, as the demo tells it, but without the import."""

from __future__ import annotations

import io
from collections.abc import Awaitable, Callable

from carnet_local.api import Api
from carnet_local.demo.clients import ask_the_gate, she_answers, text_her, welcome_walk_in
from carnet_local.demo.house import House
from carnet_local.demo.pieces import allocate_watch, book_viewing
from carnet_local.demo.receiver import receiver
from carnet_local.demo.telling import Teller
from chassis.testing import eventually

AddClient = Callable[..., Awaitable[dict[str, object]]]


async def test_a_walk_in_is_captured_texted_answers_gets_a_watch_and_a_viewing(
    house: House, anybody: Api, add_client: AddClient
) -> None:
    said = io.StringIO()
    teller = Teller(said)
    # Every chapter checks its own promises and raises Disappointed.
    await welcome_walk_in(teller, house)
    await text_her(teller, house)
    await she_answers(teller, house)
    await ask_the_gate(teller, house)
    house.best_client_id = str((await add_client(house, "Björn"))["client_id"])
    with receiver() as site:
        await allocate_watch(teller, anybody, house, site)
    await book_viewing(teller, house)
    assert "SLOT_TAKEN" in said.getvalue()
    assert "\x1b" not in said.getvalue()


async def test_everything_that_happened_stands_on_the_clients_timeline(house: House) -> None:
    path = f"/v1/clients/{house.client['client_id']}/timeline"

    async def complete() -> bool:
        entries = (await house.associate.get(path, page_size=200))["entries"]
        assert len({entry["entry_id"] for entry in entries}) == len(entries)
        kinds = {entry["kind"].removeprefix("TIMELINE_KIND_") for entry in entries}
        return {"VISIT", "CONSENT", "MESSAGE", "APPOINTMENT", "WAITLIST"} <= kinds

    await eventually(complete)


async def test_a_stop_silences_every_client_who_shares_the_number(
    house: House, add_client: AddClient
) -> None:
    other = await add_client(
        house, "Rosa", contact_points=[{"kind": "CONTACT_KIND_PHONE", "value": house.phone}]
    )
    await house.associate.post(
        "/v1/sandbox/inbound", {"from_phone": house.phone, "to_phone": house.sender_phone, "body": "Stop."}
    )

    async def silent(client_id: object) -> bool:
        decision = await house.associate.post(
            "/v1/messages:check",
            {"client_id": client_id, "store_id": house.store_id, "purpose": "PURPOSE_MARKETING"},
        )
        return decision["verdict"] == "VERDICT_DENY" and "PERMISSION_REVOKED" in {
            reason["reason"] for reason in decision["reasons"]
        }

    await eventually(lambda: silent(house.client["client_id"]))
    assert await silent(other["client_id"])
