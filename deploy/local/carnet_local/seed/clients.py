"""The demo chain's clients: their records, consents, visits, and what the till has sold them over the years."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Mapping
from datetime import UTC, date, datetime, timedelta
from functools import partial
from zoneinfo import ZoneInfo

from carnet_local.api import Api, Json, day, money
from carnet_local.seed.histories import Life, Looked, lives
from carnet_local.seed.house import CURRENCY, NotAsWritten, Store, at_once, write
from carnet_local.seed.pieces import Piece

SOURCE = "till"
CONSENT_WORDING = (
    "Yes, Maison Verrane may text me at this number about pieces, services and events."
    " Agreeing is no condition of a purchase. Reply STOP to end it at any time."
)
EMAIL_WORDING = (
    "Yes, Maison Verrane may write to me about pieces, services and events by e-mail."
    " Agreeing is no condition of a purchase. Each e-mail has a way out."
)

_PIECE_WORDS = (
    "category", "description", "reference", "serial", "metal", "stone", "cut", "style", "size",
)  # fmt: skip


async def enter_clients(store: Store, today: date, brands: Mapping[str, str]) -> None:
    """Enter the clients of a store, spread over its associates' books."""
    told = lives(store.house.city, store.house.time_zone, today)
    found: list[str] = [""] * len(told)

    async def enter(number: int, life: Life) -> None:
        caller, person = store.manager, life.person
        made = await write(
            caller,
            "/v1/clients",
            {
                "given_name": person.given_name,
                "family_name": person.family_name,
                "language": person.language,
                "time_zone": person.time_zone,
                "home_store_id": store.store_id,
                "associate_id": store.associates[number % len(store.associates)],
                "contact_points": [
                    {
                        "kind": "CONTACT_KIND_PHONE",
                        "value": person.phone,
                        "label": "mobile",
                        "is_preferred": True,
                    },
                    {"kind": "CONTACT_KIND_EMAIL", "value": person.email},
                ],
                "occasions": [
                    {
                        "kind": f"OCCASION_KIND_{each.kind}",
                        "date": day(each.on, without_year=not each.is_year_known),
                        "for_whom": each.for_whom,
                    }
                    for each in life.days
                ],
                "preferences": _preferences(life),
                "source": SOURCE,
                "external_id": _external_id(store, number),
            },
            once=f"seed/client/{_external_id(store, number)}",
        )
        found[number] = made["client_id"]
        if life.agrees:
            await _agree(caller, made, life)
        for visit_number, looked in enumerate(life.looked):
            await write(
                caller,
                "/v1/visits",
                _visit(store, made["client_id"], looked, today, brands),
                once=f"seed/visit/{_external_id(store, number)}/{visit_number}",
            )

    await at_once(partial(enter, number, life) for number, life in enumerate(told))
    store.clients = list(zip(told, found, strict=True))


def _external_id(store: Store, number: int) -> str:
    return f"{store.house.city[:2].upper()}-{1001 + number}"


async def _agree(caller: Api, client: Json, life: Life) -> None:
    purposes = ["PURPOSE_CONVERSATIONAL", "PURPOSE_SERVICE"]
    if life.wants_offers:
        purposes.append("PURPOSE_MARKETING")
    # Who wants offers takes them by e-mail as well.
    channels = ["SMS", "EMAIL"] if life.wants_offers else ["SMS"]
    for channel in channels:
        kind = "CONTACT_KIND_EMAIL" if channel == "EMAIL" else "CONTACT_KIND_PHONE"
        point = next(point for point in client["contact_points"] if point["kind"] == kind)
        await write(
            caller,
            f"/v1/clients/{client['client_id']}/consents",
            {
                "contact_point_id": point["contact_point_id"],
                "channel": f"CHANNEL_{channel}",
                "purposes": purposes,
                "wording": EMAIL_WORDING if channel == "EMAIL" else CONSENT_WORDING,
                "source": "in_store_tablet",
            },
            once=f"seed/consent/{client['client_id']}/{channel}",
        )


def _preferences(life: Life) -> list[Json]:
    taste = life.taste
    said = [("METAL", taste.metal), ("STONE", taste.stone), ("STYLE", taste.style)]
    if any(bought.piece.size for bought in life.bought):
        said.append(("RING_SIZE", taste.ring_size))
    if any("ring" in bought.piece.category for bought in life.bought):
        said.append(("CUT", taste.cut))
    return [{"kind": f"PREFERENCE_KIND_{kind}", "value": value, "source": "client"} for kind, value in said]


def _visit(store: Store, client_id: str, looked: Looked, today: date, brands: Mapping[str, str]) -> Json:
    moment = datetime.combine(today, datetime.min.time(), ZoneInfo(store.house.time_zone))
    moment += timedelta(hours=looked.hour) - timedelta(days=looked.days_ago)
    body: Json = {
        "client_id": client_id,
        "store_id": store.store_id,
        "visit_time": moment.astimezone(UTC).isoformat().replace("+00:00", "Z"),
        "items": [
            {"piece": _piece(piece, brands), "is_liked": position < looked.liked}
            for position, piece in enumerate(looked.pieces)
        ],
        "for_whom": looked.for_whom,
        "note": looked.note,
    }
    if looked.need_by is not None:
        body["need_by_date"] = day(looked.need_by)
    return body


def _piece(piece: Piece, brands: Mapping[str, str]) -> Json:
    words = {name: getattr(piece, name) for name in _PIECE_WORDS}
    return {**words, "brand_id": brands[piece.brand], "price": money(piece.price, CURRENCY)}


async def import_purchases(admin: Api, store: Store, brands: Mapping[str, str]) -> None:
    """Import what the till of a store has sold over the years."""
    columns = (
        "client_external_id", "purchase_external_id", "purchase_date", "amount", "quantity", "brand_id", *_PIECE_WORDS
    )  # fmt: skip
    announced = await write(
        admin,
        "/v1/imports",
        {
            "source": SOURCE,
            "file_name": f"{store.house.city.lower().replace(' ', '-')}-sales.ndjson",
            "format": "IMPORT_FORMAT_NDJSON",
            "columns": {column: column for column in columns},
            "store_id": store.store_id,
            "associate_ids": store.associates,
        },
        once=f"seed/import/{store.house.city}",
    )

    async def lines() -> AsyncIterator[bytes]:
        for number, (life, _) in enumerate(store.clients):
            for count, bought in enumerate(life.bought):
                piece = bought.piece
                line = {
                    "client_external_id": _external_id(store, number),
                    "purchase_external_id": f"{_external_id(store, number)}/{count}",
                    "purchase_date": bought.on.isoformat(),
                    "amount": f"{piece.price}.00",
                    "quantity": "2" if piece.category == "wedding band" else "1",
                    "brand_id": brands[piece.brand],
                    **{name: getattr(piece, name) for name in _PIECE_WORDS},
                }
                yield (json.dumps(line) + "\n").encode()

    if announced["state"] == "IMPORT_STATE_COMPLETED":
        return
    done = await admin.upload(
        f"/v1/imports/{announced['import_id']}/content", lines(), "application/x-ndjson"
    )
    if int(done["lines_refused"]):
        faults = await admin.get(f"/v1/imports/{announced['import_id']}/faults", page_size=3)
        raise NotAsWritten(f"the import refused lines of the demo chain: {faults['faults']}")
