"""Erasures: nothing that tells who it was stays anywhere, what the law wants kept stays, and nobody comes back."""

import asyncio
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from carnet.appointments.v1 import events_pb2 as appointments
from carnet.messaging.v1 import events_pb2 as messaging
from carnet.outreach.v1 import events_pb2 as outreach
from carnet.privacy.v1 import privacy_pb2 as privacy
from carnet.profiles.v1 import events_pb2 as ev
from carnet.profiles.v1 import privacy_pb2 as pb
from carnet.profiles.v1 import profiles_pb2 as profiles
from carnet.profiles.v1 import records_pb2 as rec
from carnet.profiles.v1 import sync_pb2 as sync
from carnet.waitlist.v1 import events_pb2 as waitlist
from google.type.date_pb2 import Date
from prometheus_client import REGISTRY
from whole_life import EMAIL, EXTERNAL_ID, PHONE, SECRETS, SOURCE, record_whole_life, usd

from chassis.contracts import event_type_of, stream_of
from chassis.errors import ServiceError
from chassis.events import wrap
from chassis.testing import NOON, published
from profiles.client_tables import CLIENT_TABLES
from profiles.domain.erasures import a_month_after, years_after, years_before
from profiles.store import suppressions
from profiles.suppression import Suppressor
from profiles.use_cases.erasures import count_overdue, delete_expired

FORGOTTEN = {
    "outreach": outreach.ClientForgotten,
    "messaging": messaging.ClientForgotten,
    "waitlist": waitlist.ClientForgotten,
    "appointments": appointments.ClientForgotten,
}


async def erase(house: Any, client_id: str, **fields: Any) -> pb.Erasure:
    request = pb.EraseClientRequest(client_id=client_id, reason="letter of 3 March", **fields)
    return await house.privacy.EraseClient(request)


async def receive_receipt(house: Any, service: str, erasure_id: str, **fields: Any) -> str:
    """Let the consumer of a service's receipts handle one."""
    event = FORGOTTEN[service](receipt=privacy.ErasureReceipt(erasure_id=erasure_id, **fields))
    envelope = wrap(
        event, source=service, chain_id=house.chain_id, entity_id=erasure_id, now=house.clock.now()
    )
    stream = stream_of(event_type_of(type(event)))
    (consumer,) = [
        one
        for one in house.profiles.service.consumers
        if one.durable == "profiles-erasures" and one.stream == stream
    ]
    outcome = str(await consumer.handle(envelope))
    house.act_as()  # the consumer acted as the service itself
    return outcome


async def found_anywhere(house: Any, words: tuple[str, ...]) -> dict[str, list[str]]:
    """Return in which tables of this service which of the words stand, whatever hides them from lists."""
    found: dict[str, list[str]] = {}
    async with house.database.transaction(house.chain_id) as tx:
        await tx.execute("select set_config('carnet.tombstones', 'on', true)")
        tables = await tx.execute(
            "select table_name from information_schema.tables where table_schema = 'public'"
            " and table_type = 'BASE TABLE' and table_name <> 'alembic_version'"
        )
        for table in tables.scalars().all():
            for word in words:
                rows = await tx.execute(
                    f"select count(*) from {table} t where strpos(lower(cast(to_jsonb(t) as text)), :word) > 0",
                    {"word": word},
                )
                if rows.scalar_one():
                    found.setdefault(table, []).append(word)
    return found


async def rows_of(house: Any, client_id: str) -> dict[str, int]:
    """Return in which of the declared tables a client still has rows of the client's own."""
    found: dict[str, int] = {}
    async with house.database.transaction(house.chain_id) as tx:
        for table in CLIENT_TABLES:
            if table.owner and not table.owner.endswith("_ids"):
                rows = await tx.execute(
                    f"select count(*) from {table.name} where {table.owner} = :client_id",
                    {"client_id": client_id},
                )
                if count := rows.scalar_one():
                    found[table.name] = count
    return found


async def test_what_tells_who_it_was_is_in_no_table_any_more(house: Any) -> None:
    life = await record_whole_life(house)
    before = {word for words in (await found_anywhere(house, SECRETS)).values() for word in words}
    assert before == set(SECRETS), "the test looks for words that nobody wrote"
    await erase(house, life.client_id)
    assert await found_anywhere(house, SECRETS) == {}


async def test_what_is_kept_is_what_the_preview_said_and_each_has_its_basis(house: Any) -> None:
    life = await record_whole_life(house)
    preview = await house.privacy.PreviewErasure(pb.PreviewErasureRequest(client_id=life.client_id))
    erasure = await erase(house, life.client_id)
    own = erasure.receipts[0]
    assert (own.service, own.is_received) == ("profiles", True)
    assert own.erased == preview.erased
    # The looks at her that the preview and the erasure counted themselves came in between.
    kept = {one.category: one for one in own.retained if one.category != "audit_entries"}
    assert kept == {one.category: one for one in preview.retained if one.category != "audit_entries"}
    assert set(kept) == {"purchases", "consents", "assignments", "suppressions"}
    assert all(one.basis and one.count for one in kept.values())
    assert kept["purchases"].keep_until_date == Date(year=2033, month=3, day=1)
    assert not kept["consents"].HasField("keep_until_date")
    expected = {
        "client",
        "contact_points",
        "occasions",
        "preferences",
        "visits",
        "notes",
        "wishes",
        "attachments",
    }
    assert expected <= set(own.erased)
    assert await rows_of(house, life.client_id) == {
        "purchases": 1, "consents": 1, "assignments": 1, "erasures": 1, "client_removals": 1,
    }  # fmt: skip


async def test_a_preview_changes_nothing(house: Any) -> None:
    life = await record_whole_life(house)
    before = await rows_of(house, life.client_id)
    await house.privacy.PreviewErasure(pb.PreviewErasureRequest(client_id=life.client_id))
    assert await rows_of(house, life.client_id) == before


async def test_a_kept_purchase_has_its_amounts_and_not_who_it_was(house: Any) -> None:
    life = await record_whole_life(house)
    await erase(house, life.client_id)
    kept = await house.stub.GetPurchase(profiles.GetPurchaseRequest(purchase_id=life.purchase_id))
    assert (kept.total.units, kept.external_id, len(kept.payments)) == (9000, "inv-1", 1)
    assert (kept.lines[0].piece.metal, kept.lines[0].piece.serial) == ("platinum", "")
    assert (kept.for_whom, kept.occasion_kind) == ("", 0)


async def test_a_kept_consent_proves_itself_to_whoever_has_the_number(house: Any) -> None:
    life = await record_whole_life(house)
    await erase(house, life.client_id)
    async with house.database.transaction(house.chain_id) as tx:
        rows = await tx.execute(
            "select contact_value, wording from consents where consent_id = :id", {"id": life.consent_id}
        )
        value, wording = rows.one()
    key = Suppressor("a key of these tests, long enough")
    assert value == "hmac-sha256:" + next(iter(key.hashes_of(house.chain_id, phones=[PHONE]))).hex()
    assert wording == "May we write to you about repairs?"


async def test_consents_of_who_was_not_erased_cannot_be_changed_through_the_same_door(house: Any) -> None:
    life = await record_whole_life(house)
    async with house.database.transaction(house.chain_id) as tx:
        changed = await tx.execute(
            "select forget_consent_contacts(array[cast(:id as text)], array[decode(repeat('00', 32), 'hex')])",
            {"id": life.consent_id},
        )
        assert changed.scalar_one() == 0
    with pytest.raises(Exception, match="permission denied"):
        async with house.database.transaction(house.chain_id) as tx:
            await tx.execute("update consents set contact_value = ''")


async def test_an_erased_client_is_found_by_nothing(house: Any) -> None:
    life = await record_whole_life(house)
    await erase(house, life.client_id)
    stub, client_id = house.stub, life.client_id
    for call in (
        stub.GetClient(profiles.GetClientRequest(client_id=client_id)),
        stub.ListTimeline(profiles.ListTimelineRequest(client_id=client_id)),
        stub.RecordVisit(profiles.RecordVisitRequest(client_id=client_id, store_id=house.store_id)),
        stub.AssignClient(profiles.AssignClientRequest(client_id=client_id, associate_id=house.ben)),
        stub.DeleteClient(profiles.DeleteClientRequest(client_id=client_id)),
        house.records.ListNotes(rec.ListNotesRequest(client_id=client_id)),
        house.records.CreateNote(rec.CreateNoteRequest(client_id=client_id, text="late")),
        house.privacy.CreateExport(pb.CreateExportRequest(client_id=client_id)),
        house.privacy.PreviewErasure(pb.PreviewErasureRequest(client_id=client_id)),
    ):
        with pytest.raises(ServiceError) as refused:
            await call
        assert refused.value.reason == "CLIENT_NOT_FOUND"
    listed = await stub.ListClients(profiles.ListClientsRequest())
    assert client_id not in {client.client_id for client in listed.clients}
    assert not (await stub.ListClients(profiles.ListClientsRequest(query="Zenobia"))).clients
    batch = await stub.BatchGetClients(profiles.BatchGetClientsRequest(client_ids=[client_id]))
    assert not batch.clients


async def test_late_news_of_an_erased_client_is_dropped(house: Any) -> None:
    life = await record_whole_life(house)
    await erase(house, life.client_id)
    event = messaging.MessageReceived(message_id="msg_1", client_id=life.client_id)
    envelope = wrap(
        event, source="messaging", chain_id=house.chain_id, entity_id="msg_1", now=house.clock.now()
    )
    (consumer,) = [
        one
        for one in house.profiles.service.consumers
        if one.durable == "profiles-timeline" and one.stream == "MESSAGING"
    ]
    assert await consumer.handle(envelope) == "handled"
    assert "timeline_entries" not in await rows_of(house, life.client_id)


async def test_lists_of_the_house_go_on_with_what_is_kept_of_her(house: Any) -> None:
    life = await record_whole_life(house, is_repair_done=False)
    sold = await house.stub.RecordPurchase(  # enough cash for an alert
        profiles.RecordPurchaseRequest(
            client_id=life.client_id, store_id=house.store_id, purchase_date=Date(year=2026, month=3, day=4),
            lines=[profiles.PurchaseLine(piece=profiles.Piece(reference="X"), quantity=1, amount=usd(8000))],
            payments=[profiles.Payment(kind=profiles.PAYMENT_KIND_CASH, amount=usd(8000))],
        )
    )  # fmt: skip
    erasure = await erase(house, life.client_id, is_forced=True)
    kept = {one.category: one for one in erasure.receipts[0].retained}
    assert kept["cash_alerts"].keep_until_date == Date(year=2031, month=3, day=10)
    listed = await house.stub.ListPurchases(profiles.ListPurchasesRequest(store_id=house.store_id))
    assert len(listed.purchases) == 3
    open_repairs = await house.records.ListRepairs(rec.ListRepairsRequest(store_id=house.store_id))
    assert [one.repair_id for one in open_repairs.repairs] == [life.repair_id]
    (alert,) = (await house.records.ListCashAlerts(rec.ListCashAlertsRequest())).cash_alerts
    assert alert.client_id == life.client_id
    changes = await house.sync.ListChanges(sync.ListChangesRequest())
    assert life.client_id not in {one.client.client_id for one in changes.changes}
    # With her receipt she may still bring a piece back; who she was is not asked, and the words go with the next sweep.
    await house.records.RecordReturn(
        rec.RecordReturnRequest(
            purchase_id=sold.purchase_id, store_id=house.store_id, return_date=Date(year=2026, month=3, day=9),
            lines=[rec.ReturnLine(purchase_line=0, quantity=1, amount=usd(1))], reason="whispered again",
        )
    )  # fmt: skip
    house.clock.advance(timedelta(days=31))
    await delete_expired(database=house.database, clock=house.clock)
    assert await found_anywhere(house, ("whispered",)) == {}
    assert "timeline_entries" not in await rows_of(house, life.client_id)


async def test_what_slips_in_while_she_is_erased_is_swept_out_after_it(house: Any) -> None:
    life = await record_whole_life(house)
    await erase(house, life.client_id)
    async with house.database.transaction(house.chain_id) as tx:  # as a batch that had read her row before
        await tx.execute(
            "insert into contact_points (chain_id, contact_point_id, client_id, kind, value, match_key)"
            " values (:chain_id, 'cpt_late', :client_id, 'phone', '+12025550143', '+12025550143')",
            {"chain_id": house.chain_id, "client_id": life.client_id},
        )
    house.clock.advance(timedelta(hours=1))
    await delete_expired(database=house.database, clock=house.clock)
    assert "contact_points" not in await rows_of(house, life.client_id)


async def test_others_keep_their_records_without_her(house: Any) -> None:
    life = await record_whole_life(house)
    await erase(house, life.client_id)
    spouse = await house.stub.GetClient(profiles.GetClientRequest(client_id=life.spouse_id))
    assert not spouse.relationships
    # Her birthday went with her; the day of both stays, and is a surprise for nobody any more.
    assert [(day.kind, day.surprise_for_client_id) for day in spouse.occasions] == [
        (profiles.OCCASION_KIND_ANNIVERSARY, "")
    ]
    (his,) = (
        await house.stub.ListPurchases(profiles.ListPurchasesRequest(client_id=life.spouse_id))
    ).purchases
    assert (his.recipient_client_id, his.surprise_for_client_id) == ("", "")
    said = await published(house.database, ev.ClientChanged, chain_id=house.chain_id)
    assert said[-1].client.client_id == life.spouse_id
    assert len(said[-1].client.occasions) == 1


async def test_her_pictures_are_handed_to_the_sweep_of_objects(house: Any) -> None:
    life = await record_whole_life(house)
    export = await house.privacy.CreateExport(pb.CreateExportRequest(client_id=life.client_id))
    await erase(house, life.client_id)
    async with house.database.transaction(house.chain_id) as tx:
        rows = await tx.execute("select object_key from object_removals order by object_key")
        keys = list(rows.scalars())
    assert [key.split("/")[0] for key in keys] == ["attachments", "exports"]
    with pytest.raises(ServiceError) as refused:
        await house.privacy.GetExport(pb.GetExportRequest(export_id=export.export_id))
    assert refused.value.reason == "EXPORT_NOT_FOUND"


async def test_an_erasure_is_said_with_former_ids_and_has_a_month(house: Any) -> None:
    client = await house.client(given_name="Ada")
    await _alias(house, "cli_former", client.client_id)
    erasure = await erase(house, "cli_former")
    assert (erasure.client_id, erasure.state) == (client.client_id, pb.ERASURE_STATE_RUNNING)
    assert erasure.due_time.ToDatetime(tzinfo=UTC) == datetime(2026, 4, 10, 16, 0, tzinfo=UTC)
    (said,) = await published(house.database, ev.ClientErased, chain_id=house.chain_id)
    assert (said.erasure_id, said.client_id, said.former_client_ids) == (
        erasure.erasure_id, client.client_id, ["cli_former"],
    )  # fmt: skip
    assert (await erase(house, "cli_former")).erasure_id == erasure.erasure_id
    with pytest.raises(ServiceError) as refused:
        await house.stub.GetClient(profiles.GetClientRequest(client_id="cli_former"))
    assert refused.value.reason == "CLIENT_NOT_FOUND"


async def test_twenty_who_erase_one_client_get_one_erasure(house: Any) -> None:
    life = await record_whole_life(house)

    async def attempt() -> str:
        while True:
            try:
                return (await erase(house, life.client_id)).erasure_id
            except ServiceError as error:
                if error.reason != "TRY_AGAIN":
                    raise

    assert len(set(await asyncio.gather(*(attempt() for _ in range(20))))) == 1
    assert len(await published(house.database, ev.ClientErased, chain_id=house.chain_id)) == 1


async def test_asked_again_an_erasure_is_the_one_that_is_there(house: Any) -> None:
    client = await house.client(given_name="Ada")
    first = await erase(house, client.client_id, request_id="req_1")
    assert await erase(house, client.client_id, request_id="req_1") == first
    assert await erase(house, client.client_id, request_id="req_2") == first
    assert await erase(house, client.client_id) == first
    with pytest.raises(ServiceError) as refused:
        await erase(house, (await house.client(given_name="Bo")).client_id, request_id="req_1")
    assert refused.value.reason == "REQUEST_ID_REUSED"


async def test_a_client_with_a_piece_in_the_house_is_erased_by_force_only(house: Any) -> None:
    life = await record_whole_life(house, is_repair_done=False)
    preview = await house.privacy.PreviewErasure(pb.PreviewErasureRequest(client_id=life.client_id))
    assert preview.open_repair_ids == [life.repair_id]
    with pytest.raises(ServiceError) as refused:
        await erase(house, life.client_id)
    assert refused.value.reason == "CLIENT_HAS_OPEN_REPAIRS"
    assert refused.value.metadata["repair_ids"] == life.repair_id
    erasure = await erase(house, life.client_id, is_forced=True)
    assert "repairs" in {one.category for one in erasure.receipts[0].retained}
    repair = await house.records.GetRepair(rec.GetRepairRequest(repair_id=life.repair_id))
    assert repair.intake == rec.RepairIntake()
    left = tuple(word for word in SECRETS if word not in ("sn-zeta-9", "engraved zq forever"))
    assert await found_anywhere(house, left) == {}  # the piece has to be found again, and only that
    # Once it is handed out, it goes as well.
    await house.records.MoveRepair(
        rec.MoveRepairRequest(repair_id=life.repair_id, stage=rec.REPAIR_STAGE_CANCELLED)
    )
    house.clock.advance(timedelta(days=2))
    await delete_expired(database=house.database, clock=house.clock)
    assert await found_anywhere(house, SECRETS) == {}
    assert "repairs" not in await rows_of(house, life.client_id)


async def test_receipts_complete_an_erasure_and_the_first_word_counts(house: Any) -> None:
    client = await house.client(given_name="Ada")
    erasure = await erase(house, client.client_id)
    assert [one.service for one in erasure.receipts if one.is_received] == ["profiles"]
    kept = privacy.Retention(
        category="permission_entries", basis="proof", count=2, keep_until_date=Date(year=2031, month=1, day=2)
    )
    for service in FORGOTTEN:
        await receive_receipt(house, service, erasure.erasure_id, erased={"rows": 3}, retained=[kept])
    await receive_receipt(house, "waitlist", erasure.erasure_id, erased={"rows": 9})
    done = await house.privacy.GetErasure(pb.GetErasureRequest(erasure_id=erasure.erasure_id))
    assert done.state == pb.ERASURE_STATE_COMPLETED
    assert done.finish_time.ToDatetime(tzinfo=UTC) == NOON
    assert {one.service: dict(one.erased) for one in done.receipts}["waitlist"] == {"rows": 3}
    assert list(done.receipts[1].retained) == [kept]


async def test_a_receipt_for_no_erasure_changes_nothing(house: Any) -> None:
    assert await receive_receipt(house, "waitlist", "era_unknown") == "handled"


async def test_an_erasure_without_all_receipts_after_a_month_is_counted(house: Any) -> None:
    def overdue() -> float:
        return REGISTRY.get_sample_value("profiles_erasures_overdue_count") or 0.0

    await count_overdue(database=house.database, clock=house.clock)
    before = overdue()
    erasure = await erase(house, (await house.client(given_name="Ada")).client_id)
    house.clock.advance(timedelta(days=32))
    await count_overdue(database=house.database, clock=house.clock)
    with_others = overdue()
    assert with_others > before
    for service in FORGOTTEN:
        await receive_receipt(house, service, erasure.erasure_id)
    await count_overdue(database=house.database, clock=house.clock)
    assert overdue() == with_others - 1


async def test_the_hashes_of_all_she_was_known_by_are_kept_but_not_of_a_shared_phone(house: Any) -> None:
    life = await record_whole_life(house)
    landline = profiles.ContactPoint(kind=profiles.CONTACT_KIND_PHONE, value="+12025550188")
    for client_id in (life.client_id, life.spouse_id):
        await house.stub.AddContactPoint(
            profiles.AddContactPointRequest(client_id=client_id, contact_point=landline)
        )
    await erase(house, life.client_id)
    key = Suppressor("a key of these tests, long enough")

    async def is_known(**values: Any) -> bool:
        async with house.database.transaction(house.chain_id) as tx:
            return bool(await suppressions.find(tx, key.hashes_of(house.chain_id, **values)))

    assert await is_known(phones=[PHONE])
    assert await is_known(emails=[EMAIL.upper()])
    assert await is_known(external_ids=[(SOURCE, EXTERNAL_ID)])
    assert not await is_known(phones=["+12025550188"])  # her husband has it too, and did not ask


async def test_kept_purchases_go_when_their_time_is_over(house: Any) -> None:
    life = await record_whole_life(house)
    await house.stub.RecordPurchase(
        profiles.RecordPurchaseRequest(
            client_id=life.client_id, store_id=house.store_id, purchase_date=Date(year=2020, month=1, day=5),
            lines=[profiles.PurchaseLine(piece=profiles.Piece(reference="OLD"), quantity=1, amount=usd(1))],
        )
    )  # fmt: skip
    await erase(house, life.client_id)
    assert (await rows_of(house, life.client_id))["purchases"] == 2
    house.clock.set(datetime(2027, 1, 4, 12, tzinfo=UTC))
    await delete_expired(database=house.database, clock=house.clock)
    assert (await rows_of(house, life.client_id))["purchases"] == 2  # a day too early
    house.clock.set(datetime(2027, 2, 5, 12, tzinfo=UTC))
    await delete_expired(database=house.database, clock=house.clock)
    assert (await rows_of(house, life.client_id))["purchases"] == 1
    house.clock.set(datetime(2033, 3, 2, 12, tzinfo=UTC))
    await delete_expired(database=house.database, clock=house.clock)
    assert "purchases" not in await rows_of(house, life.client_id)
    async with house.database.transaction(house.chain_id) as tx:
        for table in ("purchase_payments", "purchase_returns", "purchase_return_lines"):
            left = await tx.execute(
                f"select count(*) from {table} t where not exists"
                " (select from purchases p where p.client_id = :spouse)",
                {"spouse": life.spouse_id},
            )
            assert left.scalar_one() == 0
        jobs = await tx.execute("select count(*) from privacy_jobs where kind = 'retention'")
        assert jobs.scalar_one() == 0  # nothing is left to look after


async def test_purchases_of_living_clients_never_go(house: Any) -> None:
    life = await record_whole_life(house)
    await erase(house, life.client_id)
    house.clock.set(datetime(2060, 1, 1, tzinfo=UTC))
    await delete_expired(database=house.database, clock=house.clock)
    assert (await rows_of(house, life.spouse_id))["purchases"] == 1


async def test_erasures_are_listed_newest_first_and_by_state(house: Any) -> None:
    ids = [
        (await erase(house, (await house.client(given_name="Ada")).client_id)).erasure_id for _ in range(3)
    ]
    for service in FORGOTTEN:
        await receive_receipt(house, service, ids[0])
    page = await house.privacy.ListErasures(pb.ListErasuresRequest(page_size=2))
    rest = await house.privacy.ListErasures(
        pb.ListErasuresRequest(page_size=2, page_token=page.next_page_token)
    )
    assert [one.erasure_id for one in [*page.erasures, *rest.erasures]] == ids[::-1]
    running = await house.privacy.ListErasures(pb.ListErasuresRequest(state=pb.ERASURE_STATE_RUNNING))
    assert [one.erasure_id for one in running.erasures] == ids[:0:-1]


async def test_another_chains_client_and_erasure_are_not_there(house: Any, other_house: Any) -> None:
    house.act_as()
    client = await house.client(given_name="Ada")
    erasure = await erase(house, client.client_id)
    other_house.act_as()
    for call, reason in (
        (erase(other_house, client.client_id), "CLIENT_NOT_FOUND"),
        (house.privacy.GetErasure(pb.GetErasureRequest(erasure_id=erasure.erasure_id)), "ERASURE_NOT_FOUND"),
        (
            house.privacy.PreviewErasure(pb.PreviewErasureRequest(client_id=client.client_id)),
            "CLIENT_NOT_FOUND",
        ),
    ):
        with pytest.raises(ServiceError) as refused:
            await call
        assert refused.value.reason == reason


async def test_an_erasure_says_who_asked_and_how(house: Any) -> None:
    client = await house.client(given_name="Ada")
    with pytest.raises(ServiceError) as refused:
        await house.privacy.EraseClient(pb.EraseClientRequest(client_id=client.client_id))
    assert [one.field for one in refused.value.violations] == ["reason"]


def test_a_month_ends_on_the_last_day_of_a_shorter_one() -> None:
    assert a_month_after(datetime(2026, 1, 31, 9, tzinfo=UTC)) == datetime(2026, 2, 28, 9, tzinfo=UTC)
    assert a_month_after(datetime(2026, 12, 15, tzinfo=UTC)) == datetime(2027, 1, 15, tzinfo=UTC)


@pytest.mark.parametrize("day", [date(2024, 2, 29), date(2024, 2, 28), date(2024, 3, 1), date(2023, 12, 31)])
@pytest.mark.parametrize("years", [1, 4, 7, 10])
def test_a_record_goes_on_the_day_it_is_kept_until_and_no_day_earlier(day: date, years: int) -> None:
    until = years_after(day, years)
    assert day <= years_before(until, years)
    assert not day <= years_before(until - timedelta(days=1), years)


async def _alias(house: Any, alias_id: str, client_id: str) -> None:
    async with house.database.transaction(house.chain_id) as tx:
        await tx.execute(
            "insert into client_aliases (chain_id, alias_id, client_id, merge_id, created_at)"
            " values (:chain_id, :alias_id, :client_id, 'mrg_1', now())",
            {"chain_id": house.chain_id, "alias_id": alias_id, "client_id": client_id},
        )
