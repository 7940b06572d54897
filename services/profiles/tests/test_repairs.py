"""Repairs through the real server: taken in once, moved step by step, overdue by the store's day, or surprises."""

import asyncio
from datetime import timedelta
from itertools import pairwise
from typing import Any

import pytest
from carnet.profiles.v1 import events_pb2 as ev
from carnet.profiles.v1 import profiles_pb2 as pb
from carnet.profiles.v1 import records_pb2 as rec
from google.protobuf.field_mask_pb2 import FieldMask
from google.type.date_pb2 import Date
from google.type.money_pb2 import Money
from hypothesis import given
from hypothesis import strategies as st

from chassis.errors import Kind, ServiceError
from chassis.testing import published
from profiles.domain.repairs import _NEXT, RepairStage, path_of

STAGE = rec.RepairStage.Value
RING = pb.Piece(category="ring", metal="gold", stone="diamond", carat="1.25", certificate="GIA 1")
INTAKE = rec.RepairIntake(
    metal="gold",
    purity="750",
    weight_grams="4.215",
    stones=[
        rec.IntakeStone(count=1, kind="diamond", shape="round", size="5 mm", color="G", is_lab_grown=True)
    ],
    visible_flaws="Scratch on the shank.",
    declared_value=Money(currency_code="USD", units=4000),
    second_contact="her sister",
    accessories="box",
)
TODAY = Date(year=2026, month=3, day=10)
YESTERDAY = Date(year=2026, month=3, day=9)
TOMORROW = Date(year=2026, month=3, day=11)


async def take_in(house: Any, client_id: str, **fields: Any) -> rec.Repair:
    return await house.records.CreateRepair(
        rec.CreateRepairRequest(
            **{
                "client_id": client_id,
                "store_id": house.store_id,
                "kind": rec.REPAIR_KIND_SIZING,
                "piece": RING,
                **fields,
            }
        )
    )


async def move(house: Any, repair_id: str, stage: str) -> rec.Repair:
    return await house.records.MoveRepair(
        rec.MoveRepairRequest(repair_id=repair_id, stage=STAGE(f"REPAIR_STAGE_{stage}"))
    )


async def update(house: Any, repair_id: str, *paths: str, etag: str = "", **fields: Any) -> rec.Repair:
    return await house.records.UpdateRepair(
        rec.UpdateRepairRequest(
            repair_id=repair_id, repair=rec.Repair(**fields), update_mask=FieldMask(paths=paths), etag=etag
        )
    )


async def listed(house: Any, **fields: Any) -> list[str]:
    found = await house.records.ListRepairs(rec.ListRepairsRequest(**fields))
    return [repair.repair_id for repair in found.repairs]


def later(house: Any, **time: float) -> None:
    """Let time go by, and sign in again."""
    house.clock.advance(timedelta(**time))
    house.act_as()


def stages_of(repair: rec.Repair) -> list[str]:
    return [rec.RepairStage.Name(one.stage).removeprefix("REPAIR_STAGE_") for one in repair.moves]


async def test_a_piece_is_taken_in_with_all_that_was_seen(house: Any) -> None:
    house.act_as(associate_id=house.ana, actor_id="usr_ana")
    client = await house.client()
    repair = await take_in(
        house,
        client.client_id,
        intake=INTAKE,
        scope="Size down to 6.",
        price=Money(currency_code="USD", units=120, nanos=500_000_000),
        promise_date=TOMORROW,
    )
    read = await house.records.GetRepair(rec.GetRepairRequest(repair_id=repair.repair_id))
    assert read == repair
    assert read.intake == INTAKE
    assert read.piece == RING
    assert (read.stage, read.etag, read.associate_id) == (rec.REPAIR_STAGE_RECEIVED, "v1", house.ana)
    assert [one.actor for one in read.moves] == ["usr_ana"]
    assert await house.timeline(client.client_id) == [
        "Brought a piece in for sizing",
        "Became a client of the house",
    ]
    (said,) = await published(house.database, ev.RepairMoved, chain_id=house.chain_id)
    assert (said.repair_id, said.version, said.promise_date) == (repair.repair_id, 1, TOMORROW)


async def test_a_piece_goes_from_stage_to_stage_and_the_timeline_tells_it(house: Any) -> None:
    client = await house.client()
    repair_id = (await take_in(house, client.client_id)).repair_id
    for stage in ("QUOTED", "APPROVED", "IN_WORKSHOP", "READY", "COLLECTED"):
        later(house, hours=1)
        repair = await move(house, repair_id, stage)
    assert stages_of(repair) == ["RECEIVED", "QUOTED", "APPROVED", "IN_WORKSHOP", "READY", "COLLECTED"]
    assert (await house.timeline(client.client_id, kinds=[pb.TIMELINE_KIND_REPAIR])) == [
        "Sizing: collected",
        "Sizing: ready",
        "Sizing: in the workshop",
        "Sizing: approved",
        "Sizing: quoted",
        "Brought a piece in for sizing",
    ]
    said = await published(house.database, ev.RepairMoved, chain_id=house.chain_id)
    assert [one.version for one in said] == [1, 2, 3, 4, 5, 6]


async def test_a_quote_may_be_left_out_and_a_mistake_taken_back(house: Any) -> None:
    client = await house.client()
    repair_id = (await take_in(house, client.client_id)).repair_id
    for stage in ("IN_WORKSHOP", "READY", "IN_WORKSHOP", "READY", "COLLECTED", "READY", "CANCELLED", "READY"):
        later(house, minutes=1)
        repair = await move(house, repair_id, stage)
    assert len(repair.moves) == 9
    assert (await house.timeline(client.client_id))[0] == "Sizing: back to ready"


@pytest.mark.parametrize(
    ("path", "refused"),
    [
        ([], "READY"),
        ([], "COLLECTED"),
        (["QUOTED"], "READY"),
        (["IN_WORKSHOP"], "APPROVED"),
        (["QUOTED", "IN_WORKSHOP"], "RECEIVED"),
        (["IN_WORKSHOP", "READY", "COLLECTED"], "CANCELLED"),
        (["IN_WORKSHOP", "READY", "COLLECTED"], "IN_WORKSHOP"),
        (["CANCELLED"], "QUOTED"),
        (["IN_WORKSHOP", "READY", "IN_WORKSHOP"], "COLLECTED"),
    ],
)
async def test_a_stage_that_does_not_follow_is_refused(house: Any, path: list[str], refused: str) -> None:
    repair_id = (await take_in(house, (await house.client()).client_id)).repair_id
    for stage in path:
        await move(house, repair_id, stage)
    with pytest.raises(ServiceError) as error:
        await move(house, repair_id, refused)
    assert (error.value.kind, error.value.reason) == (Kind.PRECONDITION, "REPAIR_STAGE_NOT_NEXT")
    assert error.value.metadata["stage"] == (path[-1] if path else "RECEIVED")


@given(st.lists(st.sampled_from(list(RepairStage)), max_size=12))
def test_whatever_is_tried_the_path_begins_at_received_and_every_step_of_it_follows(
    tried: list[RepairStage],
) -> None:
    stages = [RepairStage.RECEIVED]
    for stage in tried:
        path = path_of(stages)
        if stage in _NEXT[stages[-1]] or path[-2:-1] == [stage]:
            stages.append(stage)
    path = path_of(stages)
    assert path[0] is RepairStage.RECEIVED
    assert path[-1] is stages[-1]
    assert all(later in _NEXT[earlier] for earlier, later in pairwise(path))


async def test_of_twenty_who_move_a_piece_at_once_one_does(house: Any) -> None:
    repair_id = (await take_in(house, (await house.client()).client_id)).repair_id
    await move(house, repair_id, "IN_WORKSHOP")
    answers = await asyncio.gather(*(move(house, repair_id, "READY") for _ in range(20)))
    assert {len(one.moves) for one in answers} == {3}
    said = await published(house.database, ev.RepairMoved, chain_id=house.chain_id)
    assert [one.version for one in said] == [1, 2, 3]


async def test_a_piece_is_taken_in_once_however_often_it_is_sent(house: Any) -> None:
    client = await house.client()
    again = [await take_in(house, client.client_id, request_id="counter-1") for _ in range(2)]
    assert again[0] == again[1]
    sources = await asyncio.gather(
        *(
            take_in(house, client.client_id, source="workshop", external_id="W-7", request_id=f"w-{number}")
            for number in range(20)
        )
    )
    assert len({one.repair_id for one in sources}) == 1
    repeated = await take_in(house, client.client_id, source="workshop", external_id="W-7", request_id="w-3")
    assert repeated.repair_id == sources[0].repair_id
    assert len(await listed(house, client_id=client.client_id)) == 2
    assert len(await published(house.database, ev.RepairMoved, chain_id=house.chain_id)) == 2


async def test_named_fields_change_and_no_others(house: Any) -> None:
    repair = await take_in(house, (await house.client()).client_id, scope="Polish.", promise_date=TOMORROW)
    changed = await update(
        house, repair.repair_id, "scope", "price", "intake",
        scope="Polish and size.", price=Money(currency_code="USD", units=80), intake=INTAKE, etag="v1",
        piece=pb.Piece(category="not named"),
    )  # fmt: skip
    assert (changed.scope, changed.price.units, changed.intake) == ("Polish and size.", 80, INTAKE)
    assert (changed.piece, changed.promise_date, changed.etag) == (RING, TOMORROW, "v2")
    cleared = await update(house, repair.repair_id, "promise_date", "price")
    assert not cleared.HasField("promise_date")
    assert not cleared.HasField("price")
    same = await update(house, repair.repair_id, "scope", scope="Polish and size.")
    assert same.etag == cleared.etag == "v3"
    # Another day is news, another price is not.
    said = await published(house.database, ev.RepairMoved, chain_id=house.chain_id)
    assert [one.version for one in said] == [1, 3]


async def test_a_stale_etag_and_what_is_over_are_refused(house: Any) -> None:
    repair = await take_in(house, (await house.client()).client_id)
    await update(house, repair.repair_id, "scope", scope="New.")
    with pytest.raises(ServiceError) as stale:
        await update(house, repair.repair_id, "scope", scope="Newer.", etag=repair.etag)
    assert (stale.value.kind, stale.value.reason) == (Kind.CONFLICT, "REPAIR_CHANGED")
    await move(house, repair.repair_id, "CANCELLED")
    with pytest.raises(ServiceError) as over:
        await update(house, repair.repair_id, "scope", scope="Newest.")
    assert (over.value.kind, over.value.reason) == (Kind.PRECONDITION, "REPAIR_OVER")


@pytest.mark.parametrize(
    ("paths", "fields", "reason", "field"),
    [
        (["stage"], {}, "FIELD_UNKNOWN", "update_mask"),
        ([], {}, "FIELD_UNKNOWN", "update_mask"),
        (["scope"], {"scope": "x" * 2001}, "FIELD_INVALID", "repair.scope"),
        (["piece"], {}, "FIELD_INVALID", "repair.piece"),
        (["price"], {"price": Money(currency_code="USD", units=-1)}, "FIELD_INVALID", "repair.price"),
        (["price"], {"price": Money(currency_code="XXQ", units=1)}, "FIELD_INVALID", "repair.price.currency_code"),
        (["promise_date"], {"promise_date": Date(year=2026, month=2, day=30)}, "FIELD_INVALID", "repair.promise_date"),
        (["surprise_end_date"], {"surprise_end_date": TODAY}, "FIELD_INVALID", "repair.surprise_end_date"),
    ],
)  # fmt: skip
async def test_a_change_that_cannot_be_names_the_field(
    house: Any, paths: list[str], fields: dict[str, Any], reason: str, field: str
) -> None:
    repair = await take_in(house, (await house.client()).client_id)
    with pytest.raises(ServiceError) as refused:
        await update(house, repair.repair_id, *paths, **fields)
    assert (refused.value.reason, [one.field for one in refused.value.violations]) == (reason, [field])


@pytest.mark.parametrize(
    ("fields", "reason", "field"),
    [
        ({"kind": 0}, "FIELD_INVALID", "kind"),
        ({"promise_date": Date(year=2026, month=13, day=1)}, "FIELD_INVALID", "promise_date"),
        ({"intake": rec.RepairIntake(weight_grams="heavy")}, "FIELD_INVALID", "intake.weight_grams"),
        ({"intake": rec.RepairIntake(stones=[rec.IntakeStone()])}, "FIELD_INVALID", "intake.stones[0].count"),
        ({"price": Money(currency_code="USD", units=-5)}, "FIELD_INVALID", "price"),
        ({"external_id": "W-1"}, "SOURCE_MISSING", "source"),
        ({"surprise_end_date": TODAY}, "FIELD_INVALID", "surprise_end_date"),
    ],
)
async def test_what_cannot_be_taken_in_names_the_field(
    house: Any, fields: dict[str, Any], reason: str, field: str
) -> None:
    client = await house.client()
    with pytest.raises(ServiceError) as refused:
        await take_in(house, client.client_id, **fields)
    assert (refused.value.reason, [one.field for one in refused.value.violations]) == (reason, [field])


async def test_repairs_are_listed_by_promise_and_paged(house: Any) -> None:
    client = await house.client()
    days = [None, TOMORROW, YESTERDAY, TODAY, None]
    repairs = [
        await take_in(house, client.client_id, **({"promise_date": day} if day else {})) for day in days
    ]
    order = [repairs[index].repair_id for index in (2, 3, 1, 0, 4)]
    assert await listed(house, store_id=house.store_id) == order
    paged, token = list[str](), ""
    for _ in range(3):
        page = await house.records.ListRepairs(
            rec.ListRepairsRequest(client_id=client.client_id, page_size=2, page_token=token)
        )
        paged += [repair.repair_id for repair in page.repairs]
        token = page.next_page_token
    assert (paged, token) == (order, "")
    with pytest.raises(ServiceError) as made_up:
        await listed(house, page_token="WyJub3QiLCJhIGRheSJd")
    assert made_up.value.violations[0].field == "page_token"


async def test_repairs_are_listed_by_stage_and_store(house: Any) -> None:
    client = await house.client()
    first, second = [await take_in(house, client.client_id) for _ in range(2)]
    await move(house, first.repair_id, "IN_WORKSHOP")
    assert await listed(house, stages=[rec.REPAIR_STAGE_IN_WORKSHOP]) == [first.repair_id]
    both = [rec.REPAIR_STAGE_IN_WORKSHOP, rec.REPAIR_STAGE_RECEIVED]
    assert await listed(house, stages=both) == [first.repair_id, second.repair_id]
    with pytest.raises(ServiceError) as unknown:
        await listed(house, store_id="sto_nowhere")
    assert unknown.value.reason == "STORE_NOT_FOUND"
    with pytest.raises(ServiceError) as nobody:
        await listed(house, client_id="cli_nobody")
    assert nobody.value.reason == "CLIENT_NOT_FOUND"


async def test_overdue_begins_with_the_day_after_at_the_store_and_ends_when_ready(house: Any) -> None:
    later(house, hours=-2)  # eleven at night in Tokyo
    client = await house.client()
    tokyo = await house.stub.CreateStore(
        pb.CreateStoreRequest(display_name="Ginza", time_zone="Asia/Tokyo", country="JP")
    )
    here = await take_in(house, client.client_id, promise_date=TODAY)
    there = await take_in(house, client.client_id, promise_date=TODAY, store_id=tokyo.store_id)
    await take_in(house, client.client_id)
    assert await listed(house, is_overdue=True) == []
    later(house, hours=2)  # the eleventh in Tokyo, the tenth in New York
    assert await listed(house, is_overdue=True) == [there.repair_id]
    later(house, hours=24)
    assert await listed(house, is_overdue=True) == sorted([here.repair_id, there.repair_id])
    await move(house, here.repair_id, "IN_WORKSHOP")
    await move(house, here.repair_id, "READY")
    assert await listed(house, is_overdue=True, client_id=client.client_id) == [there.repair_id]


async def test_a_piece_that_is_a_surprise_for_its_owner_is_not_in_answers_about_her(house: Any) -> None:
    wife = (await house.client()).client_id
    repair = await take_in(house, wife, surprise_for_client_id=wife, surprise_end_date=TODAY)
    open_one = await take_in(house, wife)
    assert await listed(house, client_id=wife) == [open_one.repair_id]
    assert repair.repair_id in await listed(house, store_id=house.store_id)
    assert (await house.timeline(wife)).count("Brought a piece in for sizing") == 1
    assert (await house.timeline(wife, include_surprises=True)).count("Brought a piece in for sizing") == 2
    later(house, days=1)
    assert len(await listed(house, client_id=wife)) == 2


async def test_a_surprise_that_comes_later_hides_what_the_timeline_had_told(house: Any) -> None:
    wife, husband = (await house.client()).client_id, (await house.client()).client_id
    repair = await take_in(house, wife)
    await move(house, repair.repair_id, "IN_WORKSHOP")
    hidden = await update(
        house, repair.repair_id, "surprise_for_client_id", "surprise_end_date",
        surprise_for_client_id=wife, surprise_end_date=TOMORROW,
    )  # fmt: skip
    assert (hidden.surprise_for_client_id, hidden.surprise_end_date) == (wife, TOMORROW)
    assert await house.timeline(wife) == ["Became a client of the house"]
    (*_, said) = await published(house.database, ev.RepairMoved, chain_id=house.chain_id)
    assert said.surprise_for_client_id == wife
    shown = await update(house, repair.repair_id, "surprise_for_client_id")
    assert not shown.HasField("surprise_end_date")
    assert len(await house.timeline(wife)) == 3
    # For somebody else it hides nothing of hers.
    await update(house, repair.repair_id, "surprise_for_client_id", surprise_for_client_id=husband)
    assert len(await listed(house, client_id=wife)) == 1


async def test_who_is_bound_to_other_stores_takes_nothing_in_here(house: Any) -> None:
    client = await house.client()
    repair = await take_in(house, client.client_id)
    house.act_as(stores=frozenset({"sto_other"}))
    for attempt in (
        take_in(house, client.client_id),
        move(house, repair.repair_id, "QUOTED"),
        update(house, repair.repair_id, "scope", scope="x"),
    ):
        with pytest.raises(ServiceError) as refused:
            await attempt
        assert refused.value.reason == "STORE_NOT_YOURS"


async def test_another_chains_repair_is_not_there(house: Any, other_house: Any) -> None:
    house.act_as()
    client = await house.client()
    repair = await take_in(house, client.client_id)
    other_house.act_as()
    for attempt in (
        house.records.GetRepair(rec.GetRepairRequest(repair_id=repair.repair_id)),
        move(house, repair.repair_id, "QUOTED"),
        update(house, repair.repair_id, "scope", scope="x"),
    ):
        with pytest.raises(ServiceError) as refused:
            await attempt
        assert refused.value.reason == "REPAIR_NOT_FOUND"
    assert await listed(house) == []


async def test_a_merged_id_leads_to_the_survivors_repairs(house: Any, merged: Any) -> None:
    survivor = (await house.client()).client_id
    await merged(house, "cli_before", survivor)
    repair = await take_in(house, "cli_before", surprise_for_client_id="cli_before")
    assert (repair.client_id, repair.surprise_for_client_id) == (survivor, survivor)
    assert await listed(house, client_id="cli_before") == []
    await update(house, repair.repair_id, "surprise_for_client_id")
    assert await listed(house, client_id="cli_before") == [repair.repair_id]


async def test_who_looked_is_written_down(house: Any, looks: Any) -> None:
    client = (await house.client()).client_id
    repair = await take_in(house, client)
    await house.records.GetRepair(rec.GetRepairRequest(repair_id=repair.repair_id))
    await listed(house, store_id=house.store_id)
    await move(house, repair.repair_id, "QUOTED")
    written = await looks(house, client)
    assert {"GetRepair", "ListRepairs", "MoveRepair"} <= {action for action, _ in written}
    assert ("GetRepair", repair.repair_id) in written
