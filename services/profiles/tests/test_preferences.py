"""Preferences as data: sizes, price bands, source and date, one by one and as a list."""

from datetime import date
from typing import Any

import pytest
from carnet.profiles.v1 import events_pb2 as ev
from carnet.profiles.v1 import profiles_pb2 as pb
from google.protobuf.field_mask_pb2 import FieldMask
from google.type.date_pb2 import Date
from google.type.money_pb2 import Money

from chassis.errors import Kind, ServiceError
from chassis.testing import published
from profiles.domain.preferences import Preference, PreferenceKind, SizeSystem, noted

RING, WRIST, METAL, BAND = (
    pb.PREFERENCE_KIND_RING_SIZE,
    pb.PREFERENCE_KIND_WRIST_SIZE,
    pb.PREFERENCE_KIND_METAL,
    pb.PREFERENCE_KIND_PRICE_BAND,
)


def usd(units: int, currency: str = "USD") -> Money:
    return Money(currency_code=currency, units=units)


def sizes(kind: PreferenceKind, system: SizeSystem, value: str) -> str:
    """Return how a size is kept."""
    return noted(
        Preference(kind, value, size_system=system),
        "preference",
        source="test",
        today=date(2026, 1, 1),
    ).value


async def add(house: Any, client_id: str, request_id: str = "", **fields: Any) -> pb.Client:
    return await house.stub.AddPreference(
        pb.AddPreferenceRequest(
            request_id=request_id, client_id=client_id, preference=pb.Preference(**fields)
        )
    )


@pytest.mark.parametrize(
    ("system", "written", "kept"),
    [
        (SizeSystem.US, "6", "6"),
        (SizeSystem.US, "6.50", "6.5"),
        (SizeSystem.US, "6 1/4", "6.25"),
        (SizeSystem.US, "6½", "6.5"),
        (SizeSystem.US, "0", "0"),
        (SizeSystem.US, "16", "16"),
        (SizeSystem.US, "6,5", "6.5"),
        (SizeSystem.UK, "l", "L"),
        (SizeSystem.UK, "L 1/2", "L½"),
        (SizeSystem.UK, "L½", "L½"),
        (SizeSystem.UK, "Z+6", "Z+6"),
        (SizeSystem.UK, "z+3.5", "Z+3½"),
        (SizeSystem.ISO, "36", "36"),
        (SizeSystem.ISO, "54.4", "54.4"),
        (SizeSystem.JP, "30", "30"),
    ],
)
def test_a_ring_size_is_kept_as_its_system_spells_it(system: SizeSystem, written: str, kept: str) -> None:
    assert sizes(PreferenceKind.RING_SIZE, system, written) == kept
    assert sizes(PreferenceKind.RING_SIZE, system, kept) == kept


@pytest.mark.parametrize(
    ("kind", "system", "written"),
    [
        (PreferenceKind.RING_SIZE, SizeSystem.US, "16.25"),
        (PreferenceKind.RING_SIZE, SizeSystem.US, "6.3"),
        (PreferenceKind.RING_SIZE, SizeSystem.US, "-1"),
        (PreferenceKind.RING_SIZE, SizeSystem.US, "L"),
        (PreferenceKind.RING_SIZE, SizeSystem.US, "٦"),
        (PreferenceKind.RING_SIZE, SizeSystem.US, "six"),
        (PreferenceKind.RING_SIZE, SizeSystem.UK, "6"),
        (PreferenceKind.RING_SIZE, SizeSystem.UK, "Z+7"),
        (PreferenceKind.RING_SIZE, SizeSystem.UK, "A+1"),
        (PreferenceKind.RING_SIZE, SizeSystem.UK, "Z+6½"),
        (PreferenceKind.RING_SIZE, SizeSystem.ISO, "35"),
        (PreferenceKind.RING_SIZE, SizeSystem.ISO, "81"),
        (PreferenceKind.RING_SIZE, SizeSystem.JP, "31"),
        (PreferenceKind.RING_SIZE, SizeSystem.JP, "7.5"),
        (PreferenceKind.RING_SIZE, SizeSystem.MILLIMETRES, "54"),
        (PreferenceKind.WRIST_SIZE, SizeSystem.US, "6"),
        (PreferenceKind.WRIST_SIZE, SizeSystem.MILLIMETRES, "17"),
        (PreferenceKind.WRIST_SIZE, SizeSystem.INCHES, "170"),
        (PreferenceKind.METAL, SizeSystem.US, "6"),
    ],
)
def test_what_is_no_size_of_a_system_is_refused(
    kind: PreferenceKind, system: SizeSystem, written: str
) -> None:
    with pytest.raises(ServiceError) as refused:
        sizes(kind, system, written)
    assert refused.value.reason == "SIZE_INVALID"


def test_a_wrist_is_measured_in_millimetres_or_inches() -> None:
    assert sizes(PreferenceKind.WRIST_SIZE, SizeSystem.MILLIMETRES, "172") == "172"
    assert sizes(PreferenceKind.WRIST_SIZE, SizeSystem.INCHES, "6 3/4") == "6.75"


async def test_a_size_comes_back_with_finger_system_source_and_the_stores_day(house: Any) -> None:
    client = await house.client()
    changed = await add(
        house,
        client.client_id,
        kind=RING,
        value="6 1/2",
        finger=pb.FINGER_LEFT_RING,
        size_system=pb.SIZE_SYSTEM_US,
    )
    (kept,) = changed.preferences
    assert (kept.value, kept.finger, kept.size_system) == ("6.5", pb.FINGER_LEFT_RING, pb.SIZE_SYSTEM_US)
    today = house.clock.now().date()  # noon in UTC is the same day in New York
    assert (kept.source, kept.note_date) == (
        "associate",
        Date(year=today.year, month=today.month, day=today.day),
    )
    assert kept.preference_id.startswith("prf_")


async def test_the_same_again_brings_source_and_date_up_to_date_in_its_place(house: Any) -> None:
    client = await house.client()
    size = {"kind": RING, "value": "6", "finger": pb.FINGER_LEFT_RING}
    first = await add(
        house, client.client_id, **size, source="visit", note_date=Date(year=2025, month=1, day=1)
    )
    await add(house, client.client_id, kind=METAL, value="Platinum")
    await add(house, client.client_id, **(size | {"finger": pb.FINGER_RIGHT_RING}))
    again = await add(
        house, client.client_id, **size, source="client", note_date=Date(year=2026, month=1, day=1)
    )
    assert [one.value for one in again.preferences] == ["6", "Platinum", "6"]
    assert again.preferences[0].preference_id == first.preferences[0].preference_id
    assert (again.preferences[0].source, again.preferences[0].note_date.year) == ("client", 2026)
    metal = await add(house, client.client_id, kind=METAL, value=" platinum ")
    assert len(metal.preferences) == 3


async def test_a_repeat_by_request_id_adds_nothing(house: Any) -> None:
    client = await house.client()
    once = await add(house, client.client_id, "pref", kind=METAL, value="gold")
    assert await add(house, client.client_id, "pref", kind=METAL, value="gold") == once


async def test_a_machine_says_what_it_is(house: Any) -> None:
    client = await house.client()
    house.act_as(role="integration")
    changed = await add(house, client.client_id, kind=METAL, value="gold")
    assert changed.preferences[0].source == "integration"


async def test_a_price_band_has_prices_and_needs_no_words(house: Any) -> None:
    client = await house.client()
    await add(house, client.client_id, kind=BAND, minimum_price=usd(500), maximum_price=usd(2000))
    changed = await add(house, client.client_id, kind=BAND, value="up to five", maximum_price=usd(5000))
    first, second = changed.preferences
    assert (first.minimum_price, first.maximum_price, first.value) == (usd(500), usd(2000), "")
    assert (second.HasField("minimum_price"), second.maximum_price) == (False, usd(5000))


@pytest.mark.parametrize(
    ("fields", "reason", "field"),
    [
        ({"kind": METAL}, "FIELD_INVALID", "preference.value"),
        ({"kind": METAL, "value": "   "}, "FIELD_INVALID", "preference.value"),
        ({"kind": BAND}, "FIELD_INVALID", "preference.value"),
        (
            {"kind": BAND, "minimum_price": usd(2), "maximum_price": usd(1)},
            "PRICE_BAND_INVALID",
            "preference.maximum_price",
        ),
        ({"kind": BAND, "minimum_price": usd(-2)}, "PRICE_BAND_INVALID", "preference.minimum_price"),
        (
            {"kind": BAND, "minimum_price": usd(1), "maximum_price": usd(2, "EUR")},
            "CURRENCY_MIXED",
            "preference.maximum_price.currency_code",
        ),
        (
            {"kind": BAND, "minimum_price": usd(1, "ZZZ")},
            "FIELD_INVALID",
            "preference.minimum_price.currency_code",
        ),
        (
            {"kind": METAL, "value": "gold", "maximum_price": usd(1)},
            "PRICE_BAND_INVALID",
            "preference.maximum_price",
        ),
        ({"kind": METAL, "value": "gold", "finger": 1}, "FIELD_INVALID", "preference.finger"),
        ({"kind": METAL, "value": "gold", "size_system": 1}, "SIZE_INVALID", "preference.size_system"),
        ({"kind": RING, "value": "99", "size_system": 1}, "SIZE_INVALID", "preference.value"),
        (
            {"kind": METAL, "value": "gold", "note_date": Date(year=2026, month=2, day=29)},
            "FIELD_INVALID",
            "preference.note_date",
        ),
    ],
)
async def test_what_is_no_preference_is_refused_by_field_and_reason(
    house: Any, fields: dict[str, Any], reason: str, field: str
) -> None:
    client = await house.client()
    with pytest.raises(ServiceError) as refused:
        await add(house, client.client_id, **fields)
    assert (refused.value.kind, refused.value.reason) == (Kind.INVALID, reason)
    assert refused.value.violations[0].field == field
    after = await house.stub.GetClient(pb.GetClientRequest(client_id=client.client_id))
    assert (after.etag, len(after.preferences)) == ("v1", 0)


async def test_a_preference_is_forgotten_once(house: Any) -> None:
    client = await house.client(
        preferences=[pb.Preference(kind=METAL, value="gold"), pb.Preference(kind=METAL, value="platinum")]
    )
    request = pb.RemovePreferenceRequest(
        client_id=client.client_id, preference_id=client.preferences[0].preference_id
    )
    changed = await house.stub.RemovePreference(request)
    assert [one.value for one in changed.preferences] == ["platinum"]
    with pytest.raises(ServiceError) as refused:
        await house.stub.RemovePreference(request)
    assert refused.value.reason == "PREFERENCE_NOT_FOUND"
    added = await add(house, client.client_id, kind=METAL, value="gold")
    assert [one.value for one in added.preferences] == ["platinum", "gold"]


async def test_the_list_as_a_whole_keeps_the_ids_of_what_stays(house: Any) -> None:
    client = await house.client(
        preferences=[pb.Preference(kind=METAL, value="gold"), pb.Preference(kind=METAL, value="platinum")]
    )
    changed = await house.stub.UpdateClient(
        pb.UpdateClientRequest(
            client_id=client.client_id,
            client=pb.Client(
                preferences=[
                    pb.Preference(kind=METAL, value="steel"),
                    pb.Preference(kind=METAL, value="Gold", source="client"),
                    pb.Preference(kind=METAL, value="steel", source="visit"),
                ]
            ),
            update_mask=FieldMask(paths=["preferences"]),
        )
    )
    assert [(one.value, one.source) for one in changed.preferences] == [
        ("steel", "visit"),
        ("Gold", "client"),
    ]
    assert changed.preferences[1].preference_id == client.preferences[0].preference_id


async def test_a_hundred_and_first_preference_is_refused(house: Any) -> None:
    client = await house.client(preferences=[pb.Preference(kind=METAL, value=f"m{n}") for n in range(100)])
    with pytest.raises(ServiceError) as refused:
        await add(house, client.client_id, kind=METAL, value="one more")
    assert refused.value.violations[0].field == "preference"


async def test_a_preference_from_before_ids_is_read_and_forgotten(house: Any) -> None:
    client = await house.client()
    async with house.database.transaction(house.chain_id) as tx:
        await tx.execute(
            "insert into preferences (client_id, position, chain_id, kind, value) values (:client, 3, :chain, 'metal',"
            " 'gold')",
            {"client": client.client_id, "chain": house.chain_id},
        )
    (old,) = (await house.stub.GetClient(pb.GetClientRequest(client_id=client.client_id))).preferences
    changed = await house.stub.RemovePreference(
        pb.RemovePreferenceRequest(client_id=client.client_id, preference_id=old.preference_id)
    )
    assert not changed.preferences


async def test_only_attributes_of_pieces_are_said_in_events(house: Any) -> None:
    await house.client(
        preferences=[
            pb.Preference(kind=METAL, value="platinum"),
            pb.Preference(kind=pb.PREFERENCE_KIND_DESIGNER, value="Aldao"),
            pb.Preference(kind=pb.PREFERENCE_KIND_DISLIKE, value="her mother in law"),
            pb.Preference(kind=pb.PREFERENCE_KIND_OTHER, value="calls on Sundays"),
            pb.Preference(kind=RING, value="6"),
        ]
    )
    (created,) = await published(house.database, ev.ClientCreated, chain_id=house.chain_id)
    assert [one.value for one in created.client.preferences] == ["platinum", "Aldao"]
