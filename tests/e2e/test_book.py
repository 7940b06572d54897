"""Somebody leaves: the manager previews, reassigns, and the clients stand in other books and queues."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from carnet_local.api import Refused
from carnet_local.demo.house import House
from chassis.testing import eventually

AddClient = Callable[..., Awaitable[dict[str, Any]]]


async def test_a_book_goes_to_two_others_as_previewed_and_the_queue_follows(
    house: House, add_client: AddClient
) -> None:
    leaving, *others = [
        (
            await house.admin.post(
                "/v1/associates",
                {"store_id": house.store_id, "display_name": name, "email": f"{name.lower()}@book.example"},
            )
        )["associate_id"]
        for name in ("Lea", "Mia", "Noa")
    ]
    clients = [await add_client(house, f"Client {n}", associate_id=leaving) for n in range(5)]
    wanted = clients[1]["client_id"]
    for _ in range(2):
        await house.associate.post("/v1/visits", {"client_id": wanted, "store_id": house.store_id})

    async def queued_for(associate_id: str) -> bool:
        queue = await house.admin.get(f"/v1/associates/{associate_id}/queue")
        return [suggestion["client_id"] for suggestion in queue["suggestions"]] == [wanted]

    await eventually(lambda: queued_for(leaving))

    await house.admin.post(f"/v1/associates/{leaving}:set_active", {"is_active": False})
    path = f"/v1/associates/{leaving}/book"
    body = {"target_associate_ids": others}
    with pytest.raises(Refused) as refused:
        await house.associate.post(f"{path}:preview_reassignment", body)
    assert refused.value.status == 403
    preview = await house.admin.post(f"{path}:preview_reassignment", body)
    assert [(share["associate_id"], share["client_count"]) for share in preview["shares"]] == [
        (others[0], 3),
        (others[1], 2),
    ]

    order = {**body, "request_id": "lea-leaves", "preview_etag": preview["preview_etag"]}
    done = [await house.admin.post(f"{path}:reassign", order) for _ in range(2)]
    assert done[0] == done[1]
    assert done[0]["client_count"] == 5
    for move in preview["moves"]:
        client = await house.associate.get(f"/v1/clients/{move['client_id']}")
        assert client["associate_id"] == move["associate_id"]
    await eventually(lambda: queued_for(others[1]))

    (last, first) = (await house.associate.get(f"/v1/clients/{wanted}/assignments"))["assignments"]
    assert (last["from_associate_id"], last["to_associate_id"], last["reason"]) == (
        leaving,
        others[1],
        "ASSIGNMENT_REASON_REASSIGNED",
    )
    assert (first["to_associate_id"], first["reason"]) == (leaving, "ASSIGNMENT_REASON_CREATED")

    with pytest.raises(Refused) as stale:
        await house.admin.post(f"{path}:reassign", {**order, "request_id": "once-more"})
    assert stale.value.status == 412  # as with every etag


async def test_another_chain_sees_neither_history_nor_book(
    house: House, new_house: Callable[[], Awaitable[House]], add_client: AddClient
) -> None:
    client = await add_client(house, "Zoë", associate_id=house.seller_id)
    stranger = await new_house()
    with pytest.raises(Refused) as hidden:
        await stranger.admin.get(f"/v1/clients/{client['client_id']}/assignments")
    assert hidden.value.status == 404
    with pytest.raises(Refused) as foreign:
        await stranger.admin.post(
            f"/v1/associates/{house.seller_id}/book:preview_reassignment",
            {"target_associate_ids": [stranger.seller_id]},
        )
    assert foreign.value.status == 404
