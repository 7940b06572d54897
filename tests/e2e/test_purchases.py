"""Real purchases through the gateway: all of them arrive, in bounded memory, and once."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import pytest_asyncio

from carnet_local.demo.clients import rank_everybody
from carnet_local.demo.house import House
from carnet_local.demo.purchases import CLIENTS, PURCHASES, announce, chunks_of, import_purchases
from carnet_local.demo.telling import Teller

MOST_BYTES = 600 * 1024 * 1024


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def seconds(house: House, cdnow: Path) -> float:
    """Import everything once, and return how long it took until outreach knew all of it."""
    return await import_purchases(
        Teller(io.StringIO()),
        house.admin,
        cdnow,
        store_id=house.store_id,
        associate_ids=house.book_owners,
    )


async def test_all_purchases_are_known_to_outreach(
    house: House, seconds: float, record_property: Any
) -> None:
    record_property("import_seconds", seconds)
    facts = await house.admin.get("/v1/facts:summary")
    assert (int(facts["clients"]), int(facts["purchases"])) == (CLIENTS, PURCHASES)


async def test_a_clients_purchases_stand_in_the_profile_as_in_the_file(
    house: House, seconds: float, cdnow: Path
) -> None:
    del seconds
    page = await house.admin.get("/v1/clients", page_size=20)
    client = page["clients"][0]
    with cdnow.open() as file:
        lines = [line.split() for line in file if line.split()[0] == client["external_id"]]
    timeline = await house.admin.get(
        f"/v1/clients/{client['client_id']}/timeline", kinds=["TIMELINE_KIND_PURCHASE"], page_size=200
    )
    assert sorted(entry["occur_time"][:10].replace("-", "") for entry in timeline["entries"]) == sorted(
        line[1] for line in lines
    )
    facts = await house.admin.get(f"/v1/clients/{client['client_id']}/facts")
    assert facts["purchases"] == len(lines)


async def test_no_service_needed_more_than_600_megabytes(
    carnet: Any, seconds: float, record_property: Any
) -> None:
    del seconds
    peaks = {service: peak_bytes(pid) for service, pid in carnet.pids().items()}
    record_property("peak_megabytes", {service: peak >> 20 for service, peak in peaks.items()})
    assert max(peaks.values()) < MOST_BYTES, peaks


def peak_bytes(pid: int) -> int:
    """Return the most memory that a process ever had, in bytes."""
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) * 1024
    raise AssertionError("the kernel does not tell")


async def test_the_model_is_fitted_and_a_queue_gives_reasons(house: House, seconds: float) -> None:
    del seconds
    said = io.StringIO()
    await rank_everybody(Teller(said), house)
    assert "BG/NBD" in said.getvalue()


async def test_a_second_import_of_the_same_file_adds_nothing(
    house: House, seconds: float, cdnow: Path
) -> None:
    del seconds
    import_id = await announce(house.admin, store_id=house.store_id, associate_ids=house.book_owners)
    done = await house.admin.upload(f"/v1/imports/{import_id}/content", chunks_of(cdnow), "text/plain")
    assert (int(done["purchases_created"]), int(done["clients_created"])) == (0, 0)
    assert int(done["purchases_unchanged"]) == PURCHASES
    facts = await house.admin.get("/v1/facts:summary")
    assert (int(facts["clients"]), int(facts["purchases"])) == (CLIENTS, PURCHASES)
