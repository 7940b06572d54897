"""The import of the story: CDNOW's 69,659 purchases by 23,570 people, from January 1997 to June 1998.

Fader and Hardie's public data set; every line is a real purchase. The file is separated by runs of blanks.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Sequence
from pathlib import Path

from carnet_local.api import Api, Json
from carnet_local.demo.telling import Teller

CLIENTS, PURCHASES = 23_570, 69_659
COLUMNS = {
    "customer_id": "client_external_id",
    "date": "purchase_date",
    "number_of_cds": "quantity",
    "dollar_value": "amount",
}
_CHUNK_BYTES = 64 * 1024
_SETTLED_WITHIN_SECONDS = 120.0
_SAID_EVERY_SECONDS = 1.0


async def announce(admin: Api, *, store_id: str, associate_ids: Sequence[str], key: str = "") -> str:
    """Announce the file and return the import's id."""
    announced = await admin.post(
        "/v1/imports",
        {
            "source": "cdnow",
            "file_name": "CDNOW_master.txt",
            "format": "IMPORT_FORMAT_DELIMITED",
            "delimiter": " ",
            "columns": COLUMNS,
            "store_id": store_id,
            "associate_ids": list(associate_ids),
        },
        key=key,
    )
    return str(announced["import_id"])


async def chunks_of(file: Path) -> AsyncIterator[bytes]:
    """Yield a file in pieces, so that nobody holds all of it."""
    with file.open("rb") as content:
        while chunk := content.read(_CHUNK_BYTES):
            yield chunk


async def import_purchases(
    teller: Teller, admin: Api, file: Path, *, store_id: str, associate_ids: Sequence[str]
) -> float:
    """Import the file, follow its progress, and wait until outreach knows all of it; returns the seconds.

    Raises Refused, StreamBroken, and TimeoutError when the facts do not arrive.
    """
    started = time.monotonic()
    import_id = await announce(admin, store_id=store_id, associate_ids=associate_ids)
    upload = asyncio.create_task(
        admin.upload(f"/v1/imports/{import_id}/content", chunks_of(file), "text/plain")
    )
    follow = asyncio.create_task(_follow(teller, admin, import_id, file.stat().st_size, started))
    try:
        done = await upload
        async with asyncio.timeout(10):
            await follow
    finally:
        upload.cancel()
        follow.cancel()
    teller.tell(
        f"{int(done['lines_read']):,} lines, {int(done['clients_created']):,} clients and"
        f" {int(done['purchases_created']):,} purchases are in profiles after {time.monotonic() - started:.1f} s;"
        f" {int(done['lines_refused'])} lines were refused."
    )
    facts = await _settled(admin)
    seconds = time.monotonic() - started
    teller.tell(
        f"{seconds:.1f} s from the start until outreach's facts hold all of them:"
        f" {int(facts['clients']):,} clients, {int(facts['purchases']):,} purchases."
    )
    return seconds


async def _follow(teller: Teller, admin: Api, import_id: str, size: int, started: float) -> None:
    said = 0.0
    async for state in admin.follow(f"/v1/imports/{import_id}:watch"):
        is_over = state["state"] in ("IMPORT_STATE_COMPLETED", "IMPORT_STATE_FAILED")
        now = time.monotonic()
        if is_over or now - said >= _SAID_EVERY_SECONDS:
            said = now
            share = int(state["bytes_received"]) / size
            teller.progress(
                f"{share:4.0%}  {int(state['lines_read']):,} lines, {int(state['clients_created']):,} clients,"
                f" {int(state['purchases_created']):,} purchases, {now - started:.1f} s"
            )
        if is_over:
            return


async def _settled(admin: Api) -> Json:
    async with asyncio.timeout(_SETTLED_WITHIN_SECONDS):
        while True:
            facts = await admin.get("/v1/facts:summary")
            if int(facts["clients"]) >= CLIENTS and int(facts["purchases"]) >= PURCHASES:
                return facts
            await asyncio.sleep(0.1)
