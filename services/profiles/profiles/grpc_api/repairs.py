"""Repairs on the wire."""

from datetime import date
from typing import Any

from carnet.profiles.v1 import records_pb2 as rec

from chassis.caller import current_caller
from chassis.clock import Clock
from chassis.database import Database, RequestKey
from chassis.errors import invalid
from chassis.paging import cut_page, decode_page_token, page_size_of
from chassis.values import date_of, minor_of, money_of, proto_date_of, timestamp_of
from profiles.domain.repairs import Intake, IntakeStone, Repair
from profiles.domain.surprises import Surprise
from profiles.grpc_api.pieces import piece_message, piece_of
from profiles.grpc_api.surprises import surprise_of
from profiles.store.repairs import NO_PROMISE
from profiles.use_cases import repairs as use_cases
from profiles.use_cases.repairs import RepairFields
from profiles.vocabulary import REPAIR_KINDS, REPAIR_STAGES


class RepairCalls:
    """The RPCs on repairs."""

    _database: Database
    _clock: Clock

    async def CreateRepair(self, request: rec.CreateRepairRequest, context: Any) -> rec.Repair:
        """Take a piece in."""
        return _repair_message(
            await use_cases.create_repair(
                database=self._database,
                clock=self._clock,
                caller=current_caller(),
                key=RequestKey.of(request),
                client_id=request.client_id,
                store_id=request.store_id,
                kind=REPAIR_KINDS.word(request.kind, "kind"),
                fields=_fields(request, "", surprise_of(request)),
                source=request.source,
                external_id=request.external_id,
            )
        )

    async def GetRepair(self, request: rec.GetRepairRequest, context: Any) -> rec.Repair:
        """Read one repair."""
        return _repair_message(
            await use_cases.get_repair(
                database=self._database,
                clock=self._clock,
                caller=current_caller(),
                repair_id=request.repair_id,
            )
        )

    async def ListRepairs(self, request: rec.ListRepairsRequest, context: Any) -> rec.ListRepairsResponse:
        """List repairs, the earliest promised first."""
        size = page_size_of(request.page_size)
        found = await use_cases.list_repairs(
            database=self._database,
            clock=self._clock,
            caller=current_caller(),
            client_id=request.client_id,
            store_id=request.store_id,
            stages=[
                REPAIR_STAGES.word(stage, f"stages[{index}]") for index, stage in enumerate(request.stages)
            ],
            is_overdue=request.is_overdue,
            after=_after(request.page_token),
            limit=size + 1,
        )
        page, token = cut_page(
            found, size, lambda one: ((one.promised_on or NO_PROMISE).isoformat(), one.repair_id)
        )
        return rec.ListRepairsResponse(repairs=map(_repair_message, page), next_page_token=token)

    async def UpdateRepair(self, request: rec.UpdateRepairRequest, context: Any) -> rec.Repair:
        """Change the named fields."""
        paths = list(request.update_mask.paths)
        if "piece" in paths and not request.repair.HasField("piece"):
            raise invalid("repair.piece", "is needed")
        return _repair_message(
            await use_cases.update_repair(
                database=self._database,
                clock=self._clock,
                caller=current_caller(),
                repair_id=request.repair_id,
                fields=_fields(request.repair, "repair.", surprise_of(request.repair)),
                paths=paths,
                etag=request.etag,
            )
        )

    async def MoveRepair(self, request: rec.MoveRepairRequest, context: Any) -> rec.Repair:
        """Move a repair to its next stage, or one back."""
        return _repair_message(
            await use_cases.move_repair(
                database=self._database,
                clock=self._clock,
                caller=current_caller(),
                repair_id=request.repair_id,
                stage=REPAIR_STAGES.word(request.stage, "stage"),
            )
        )


def _after(token: str) -> tuple[date, str] | None:
    if (key := decode_page_token(token, str, str)) is None:
        return None
    try:
        return date.fromisoformat(str(key[0])), str(key[1])
    except ValueError as error:
        raise invalid("page_token", "is not a token that a previous page of this list returned") from error


def _fields(said: rec.CreateRepairRequest | rec.Repair, prefix: str, surprise: Surprise) -> RepairFields:
    price_minor, price_currency = (
        minor_of(said.price, f"{prefix}price") if said.HasField("price") else (None, "")
    )
    return RepairFields(
        piece=piece_of(said.piece, f"{prefix}piece"),
        intake=_intake(said.intake, f"{prefix}intake"),
        scope=said.scope,
        price_minor=price_minor,
        price_currency=price_currency,
        promised_on=date_of(said.promise_date, f"{prefix}promise_date")
        if said.HasField("promise_date")
        else None,
        surprise=surprise,
    )


def _intake(intake: rec.RepairIntake, field: str) -> Intake:
    declared_minor, declared_currency = (
        minor_of(intake.declared_value, f"{field}.declared_value")
        if intake.HasField("declared_value")
        else (None, "")
    )
    return Intake(
        metal=intake.metal,
        purity=intake.purity,
        weight_grams=intake.weight_grams,
        stones=tuple(
            IntakeStone(stone.count, stone.kind, stone.shape, stone.size, stone.color, stone.is_lab_grown)
            for stone in intake.stones
        ),
        visible_flaws=intake.visible_flaws,
        declared_minor=declared_minor,
        declared_currency=declared_currency,
        second_contact=intake.second_contact,
        accessories=intake.accessories,
    )


def _intake_message(intake: Intake) -> rec.RepairIntake:
    return rec.RepairIntake(
        metal=intake.metal,
        purity=intake.purity,
        weight_grams=intake.weight_grams,
        stones=[
            rec.IntakeStone(
                count=stone.count,
                kind=stone.kind,
                shape=stone.shape,
                size=stone.size,
                color=stone.color,
                is_lab_grown=stone.is_lab_grown,
            )
            for stone in intake.stones
        ],
        visible_flaws=intake.visible_flaws,
        declared_value=None
        if intake.declared_minor is None
        else money_of(intake.declared_minor, intake.declared_currency),
        second_contact=intake.second_contact,
        accessories=intake.accessories,
    )


def _repair_message(repair: Repair) -> rec.Repair:
    return rec.Repair(
        repair_id=repair.repair_id,
        client_id=repair.client_id,
        store_id=repair.store_id,
        associate_id=repair.associate_id,
        kind=REPAIR_KINDS.number(repair.kind),
        piece=piece_message(repair.piece),
        intake=_intake_message(repair.intake),
        scope=repair.scope,
        price=None if repair.price_minor is None else money_of(repair.price_minor, repair.price_currency),
        promise_date=proto_date_of(repair.promised_on),
        stage=REPAIR_STAGES.number(repair.stage),
        moves=[
            rec.RepairMove(
                stage=REPAIR_STAGES.number(move.stage),
                move_time=timestamp_of(move.moved_at),
                actor=move.actor,
            )
            for move in repair.moves
        ],
        source=repair.source,
        external_id=repair.external_id,
        surprise_for_client_id=repair.surprise.client_id,
        surprise_end_date=proto_date_of(repair.surprise.ends_on),
        create_time=timestamp_of(repair.created_at),
        etag=repair.etag,
    )
