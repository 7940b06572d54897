"""Files of purchases and clients, through the real server. Batches are 50 lines here."""

import asyncio
from collections.abc import AsyncIterator, Callable
from typing import Any

import grpc
import pytest
from carnet.profiles.v1 import events_pb2 as ev
from carnet.profiles.v1 import profiles_pb2 as pb
from carnet.profiles.v1 import profiles_pb2_grpc

from chassis.caller import METADATA_KEY, current_caller
from chassis.errors import Kind, ServiceError
from chassis.testing import eventually, published
from profiles.domain.imports import UPLOAD_LEASE

CDNOW = {
    "customer_id": "client_external_id",
    "date": "purchase_date",
    "number_of_cds": "quantity",
    "dollar_value": "amount",
}
HEADER = b" customer_id date number_of_cds dollar_value\r\n"
RECEIPTS = {
    "customer": "client_external_id", "receipt": "purchase_external_id", "day": "purchase_date", "paid": "amount",
    "kind": "category", "metal": "metal",
}  # fmt: skip

Upload = Callable[..., AsyncIterator[Any]]


async def announce(house: Any, **fields: Any) -> pb.Import:
    fields = {
        "source": "pos", "format": pb.IMPORT_FORMAT_DELIMITED, "store_id": house.store_id,
        "associate_ids": [house.ana, house.ben], "columns": CDNOW, "delimiter": " ", **fields,
    }  # fmt: skip
    return await house.stub.CreateImport(pb.CreateImportRequest(**fields))


async def send(house: Any, upload_of: Upload, content: bytes, **fields: Any) -> pb.Import:
    announced = await announce(house, **fields)
    return await house.upload(upload_of(announced.import_id, content))


async def faults_of(house: Any, import_id: str) -> list[tuple[int, str, str]]:
    answer = await house.stub.ListImportFaults(pb.ListImportFaultsRequest(import_id=import_id))
    return [(fault.line, fault.field, fault.reason) for fault in answer.faults if not fault.is_warning]


async def count(house: Any, table: str) -> int:
    async with house.database.transaction(house.chain_id) as tx:
        return int((await tx.execute(f"select count(*) from {table}")).scalar_one())


def counts(done: pb.Import) -> tuple[int, int, int, int, int]:
    return (
        done.lines_read, done.lines_refused, done.clients_created, done.purchases_created, done.purchases_unchanged,
    )  # fmt: skip


def many(lines: int) -> bytes:
    """Return a file with three purchases a client, none like another."""
    return HEADER + b"".join(b" %05d 19970101 1 %d.50\r\n" % (n // 3, n) for n in range(lines))


async def test_a_file_of_purchases_becomes_clients_purchases_and_timelines(
    house: Any, upload_of: Upload
) -> None:
    content = HEADER + b" 00001 19970101  1   11.77\r\n 00001 19970113  2   77.00\r\n"
    announced = await announce(house)
    assert announced.state == pb.IMPORT_STATE_AWAITING_CONTENT
    done = await house.upload(upload_of(announced.import_id, content, chunk=7))
    assert (done.state, counts(done)) == (pb.IMPORT_STATE_COMPLETED, (2, 0, 1, 2, 0))
    assert done.bytes_received == len(content)
    (client,) = (await house.stub.ListClients(pb.ListClientsRequest())).clients
    assert (client.source, client.external_id, client.home_store_id) == ("pos", "00001", house.store_id)
    assert client.associate_id in (house.ana, house.ben)
    assert await house.timeline(client.client_id, kinds=[pb.TIMELINE_KIND_PURCHASE]) == [
        "Bought 2 pieces for USD 77.00",
        "Bought 1 piece for USD 11.77",
    ]


async def test_an_import_says_its_batches_and_then_that_it_is_through(house: Any, upload_of: Upload) -> None:
    done = await send(house, upload_of, many(120))
    landed = await published(house.database, ev.ImportBatchLanded, chain_id=house.chain_id)
    assert [len(event.purchases) for event in landed] == [50, 50, 20]
    clients = {client.client_id: client for event in landed for client in event.clients}
    assert len(clients) == 40
    assert {client.version for client in clients.values()} == {1}
    assert {purchase.client_id for event in landed for purchase in event.purchases} == set(clients)
    (completed,) = await published(house.database, ev.ImportCompleted, chain_id=house.chain_id)
    assert (completed.import_id, completed.clients_created, completed.purchases_created) == (
        done.import_id,
        40,
        120,
    )
    assert not await published(house.database, ev.ClientCreated, chain_id=house.chain_id)


async def test_new_clients_are_spread_over_the_books_the_same_way_each_time(
    house: Any, upload_of: Upload
) -> None:
    await send(house, upload_of, many(120))
    async with house.database.transaction(house.chain_id) as tx:
        books = {row[0]: row[1] for row in await tx.execute("select external_id, associate_id from clients")}
    await send(house, upload_of, many(120).replace(b" 000", b" 000"), source="other")
    async with house.database.transaction(house.chain_id) as tx:
        others = await tx.execute("select external_id, associate_id from clients where source = 'other'")
        assert {row[0]: row[1] for row in others} == books
    assert set(books.values()) == {house.ana, house.ben}


async def test_a_second_run_changes_nothing(house: Any, upload_of: Upload) -> None:
    twice = HEADER + b" 1 19970101 1 5.00\n" * 3 + b" 2 19970101 1 5.00\n"
    first = await send(house, upload_of, twice)
    assert counts(first) == (4, 0, 2, 4, 0)  # three equal rows are three purchases
    assert counts(await send(house, upload_of, twice)) == (4, 0, 0, 0, 4)
    again = await house.upload(upload_of(first.import_id, twice))
    assert (again.state, counts(again)) == (pb.IMPORT_STATE_COMPLETED, (4, 0, 0, 0, 4))
    assert await count(house, "purchases") == await count(house, "purchase_lines") == 4
    assert len(await published(house.database, ev.ImportBatchLanded, chain_id=house.chain_id)) == 1
    assert await count(house, "import_rows") == 0


async def test_equal_rows_are_counted_through_the_whole_file(house: Any, upload_of: Upload) -> None:
    content = HEADER + b" 9 19970101 1 5.00\n" + many(110).removeprefix(HEADER) + b" 9 19970101 1 5.00\n"
    assert counts(await send(house, upload_of, content)) == (112, 0, 38, 112, 0)
    corrected = HEADER + b" 9 19970101 1 5.00\n" * 3 + many(110).removeprefix(HEADER)
    assert counts(await send(house, upload_of, corrected)) == (113, 0, 0, 1, 112)


async def test_broken_lines_are_named_and_the_rest_goes_on(house: Any, upload_of: Upload) -> None:
    lines = [
        b"1,a@b.example,2026-01-01,10.00",
        b"2,nobody,2026-02-30,x",
        b"3,,2026-01-01",
        b"",
        b"4,\xff,2026-01-01,1",
        b"5," + b"x" * 70_000 + b",2026-01-01,1",
        b'6,"a"b,2026-01-01,1',
        b",,2026-01-01,1",
        b"8,,2026-01-01,8",
    ]
    columns = {"id": "client_external_id", "mail": "email", "day": "purchase_date", "paid": "amount"}
    content = b"\xef\xbb\xbfid,mail,day,paid\n" + b"\n".join(lines)
    done = await send(house, upload_of, content, delimiter=",", columns=columns)
    assert (done.state, counts(done)) == (pb.IMPORT_STATE_COMPLETED, (8, 6, 2, 2, 0))
    assert await faults_of(house, done.import_id) == [
        (3, "amount", "AMOUNT_INVALID"), (3, "email", "EMAIL_INVALID"), (3, "purchase_date", "DATE_INVALID"),
        (4, "", "COLUMN_COUNT"), (6, "", "LINE_ENCODING"), (7, "", "LINE_TOO_LONG"), (8, "", "LINE_MALFORMED"),
        (9, "client_external_id", "FIELD_MISSING"),
    ]  # fmt: skip
    page = await house.stub.ListImportFaults(
        pb.ListImportFaultsRequest(import_id=done.import_id, page_size=5)
    )
    rest = await house.stub.ListImportFaults(
        pb.ListImportFaultsRequest(import_id=done.import_id, page_size=5, page_token=page.next_page_token)
    )
    assert (len(page.faults), len(rest.faults)) == (
        5,
        4,
    )  # with a warning about the last line, which has no end


async def test_a_corrected_file_adds_what_was_missing(house: Any, upload_of: Upload) -> None:
    first = await send(house, upload_of, HEADER + b" 1 19970101 1 5.00\n 2 19970231 1 5.00\n")
    assert counts(first) == (2, 1, 1, 1, 0)
    assert counts(await send(house, upload_of, HEADER + b" 1 19970101 1 5.00\n 2 19970228 1 5.00\n")) == (
        2,
        0,
        1,
        1,
        1,
    )


async def test_lines_of_one_receipt_are_one_purchase(house: Any, upload_of: Upload) -> None:
    content = (
        b"customer,receipt,day,paid,kind,metal\n"
        + b"".join(b"1,r0,2026-01-01,%d,ring,gold\n" % n for n in range(49))
        # The receipt goes over the end of a batch, and one of its lines is there twice.
        + b"2,r1,2026-01-02,10,ring,gold\n2,r1,2026-01-02,20,watch,steel\n2,r1,2026-01-02,20,watch,steel\n"
        + b"3,r1,2026-01-02,30,ring,gold\n3,r2,2026-01-03,40,ring,gold\n"
    )
    done = await send(house, upload_of, content, delimiter=",", columns=RECEIPTS)
    assert counts(done) == (54, 1, 3, 3, 1)
    assert await faults_of(house, done.import_id) == [(54, "purchase_external_id", "PURCHASE_MIXED")]
    landed = await published(house.database, ev.ImportBatchLanded, chain_id=house.chain_id)
    purchases = {len(one.lines): one for event in landed for one in event.purchases}
    assert set(purchases) == {49, 2, 1}
    assert purchases[2].total_minor == 3000
    assert [(line.category, line.metal) for line in purchases[2].lines] == [
        ("ring", "gold"),
        ("watch", "steel"),
    ]
    assert counts(await send(house, upload_of, content, delimiter=",", columns=RECEIPTS)) == (54, 1, 0, 0, 53)


async def test_clients_come_with_names_and_contacts_and_a_later_file_corrects_its_own_word(
    house: Any, upload_of: Upload
) -> None:
    columns = {
        "id": "client_external_id", "first": "given_name", "last": "family_name", "tel": "phone", "mail": "email",
    }  # fmt: skip
    header = b"id,first,last,tel,mail\n"
    content = header + b'1,"Eve","d\'Arc",(202) 555-0101,\n2,Bob,,,B@c.example\n3,,,12,\n'
    fields = {"delimiter": ",", "columns": columns}
    done = await send(house, upload_of, content, **fields)
    assert counts(done) == (3, 1, 2, 0, 0)
    assert await faults_of(house, done.import_id) == [(4, "phone", "PHONE_INVALID")]
    (eve,) = (await house.stub.ListClients(pb.ListClientsRequest(query="5550101"))).clients
    assert (eve.given_name, eve.family_name) == ("Eve", "d'Arc")
    again = header + b"1,Eva,,202-555-0101,e@f.example\n2,Bob,,,b@C.example\n"
    done = await send(house, upload_of, again, **fields)
    assert (counts(done), done.clients_updated, done.conflicts) == ((2, 0, 0, 0, 0), 1, 0)
    eve = await house.stub.GetClient(pb.GetClientRequest(client_id=eve.client_id))
    assert (eve.given_name, eve.family_name) == ("Eva", "d'Arc")
    assert [c.value for c in eve.contact_points] == ["+12025550101", "e@f.example"]
    landed = await published(house.database, ev.ImportBatchLanded, chain_id=house.chain_id)
    assert [(one.client_id, one.version) for one in landed[-1].clients] == [(eve.client_id, 2)]


async def test_json_lines_are_read_with_the_currency_of_each(house: Any, upload_of: Upload) -> None:
    columns = {
        "who": "client_external_id", "when": "purchase_date", "paid": "amount", "in": "currency_code", "no": "quantity",
    }  # fmt: skip
    content = b'{"who": 7, "when": "2026-01-01", "paid": 10.10, "in": "EUR"}\n{"who": 7, "when": "2026-01-02", "paid": "500", "in": "JPY", "no": 2}\n[]\n'  # noqa: E501
    done = await send(
        house, upload_of, content, format=pb.IMPORT_FORMAT_NDJSON, columns=columns, delimiter=""
    )
    assert counts(done) == (3, 1, 1, 2, 0)
    (landed,) = await published(house.database, ev.ImportBatchLanded, chain_id=house.chain_id)
    assert [(one.total_minor, one.currency_code) for one in landed.purchases] == [(1010, "EUR"), (500, "JPY")]


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "empty"),
        (b"customer_id date\n", "'dollar_value', 'number_of_cds'"),
        (b"\xff\xfec\x00u\x00s\x00", "'customer_id'"),
        (b"date date customer_id number_of_cds dollar_value\n", "twice"),
    ],
)
async def test_a_file_that_cannot_be_read_fails_and_may_be_sent_again(
    house: Any, upload_of: Upload, content: bytes, said: str
) -> None:
    failed = await send(house, upload_of, content)
    assert failed.state == pb.IMPORT_STATE_FAILED
    assert said in failed.failure
    done = await house.upload(upload_of(failed.import_id, many(3)))
    assert (done.state, done.failure) == (pb.IMPORT_STATE_COMPLETED, "")


async def cut_upload(house: Any, upload_of: Upload, import_id: str, content: bytes) -> None:
    """Send `content`, wait until three batches are in, and drop the connection without an end."""
    in_time = asyncio.Event()

    async def messages() -> AsyncIterator[Any]:
        async for message in upload_of(import_id, content):
            yield message
        await in_time.wait()

    # A channel without interceptors: cancelling must reach the server as a broken connection would.
    channel = grpc.aio.insecure_channel(house.profiles.address)
    call = profiles_pb2_grpc.ProfilesServiceStub(channel).UploadImportContent(
        messages(), metadata=[(METADATA_KEY, current_caller().token)]
    )
    read = pb.GetImportRequest(import_id=import_id)

    async def three_batches() -> bool:
        return bool((await house.stub.GetImport(read)).lines_read >= 150)

    await eventually(three_batches)
    call.cancel()
    await channel.close()


async def test_a_cut_upload_stays_running_and_is_sent_again_from_the_start(
    house: Any, upload_of: Upload
) -> None:
    announced = await announce(house)
    await cut_upload(house, upload_of, announced.import_id, many(160))

    async def is_let_go() -> bool:
        async with house.database.transaction(house.chain_id) as tx:
            return bool((await tx.execute("select upload_id = '' from imports")).scalar_one())

    await eventually(is_let_go)
    cut = await house.stub.GetImport(pb.GetImportRequest(import_id=announced.import_id))
    assert cut.state == pb.IMPORT_STATE_RUNNING
    # Three whole batches and nothing of the fourth, whose last line may be half a line.
    assert (cut.lines_read, await count(house, "purchases")) == (150, 150)
    done = await house.upload(upload_of(announced.import_id, many(160)))
    assert done.state == pb.IMPORT_STATE_COMPLETED
    assert counts(done) == (160, 0, 4, 10, 150)
    assert await count(house, "purchases") == 160
    assert len(await published(house.database, ev.ImportCompleted, chain_id=house.chain_id)) == 1


async def test_of_two_uploads_at_once_one_is_told_to_wait(house: Any, upload_of: Upload) -> None:
    announced = await announce(house)

    async def attempt() -> str:
        try:
            done = await house.upload(upload_of(announced.import_id, many(400), chunk=300))
            return str(pb.ImportState.Name(done.state))
        except ServiceError as error:
            assert (error.kind, error.retry_after) == (Kind.CONFLICT, UPLOAD_LEASE.total_seconds())
            return error.reason

    assert sorted(await asyncio.gather(attempt(), attempt())) == ["IMPORT_BUSY", "IMPORT_STATE_COMPLETED"]
    assert await count(house, "purchases") == 400


async def test_an_upload_whose_process_died_is_taken_over_after_its_lease(
    house: Any, upload_of: Upload
) -> None:
    announced = await announce(house)
    async with house.database.transaction(house.chain_id) as tx:
        await tx.execute(
            "update imports set upload_id = 'upl_dead', upload_seen_at = :now, state = 'running'",
            {"now": house.clock.now()},
        )
    with pytest.raises(ServiceError) as refused:
        await house.upload(upload_of(announced.import_id, many(3)))
    assert refused.value.reason == "IMPORT_BUSY"
    house.clock.advance(UPLOAD_LEASE * 1.1)
    house.act_as()
    done = await house.upload(upload_of(announced.import_id, many(3)))
    assert done.state == pb.IMPORT_STATE_COMPLETED


async def test_an_upload_that_lost_its_import_writes_nothing_more(house: Any, upload_of: Upload) -> None:
    announced = await announce(house)
    goes_on = asyncio.Event()

    async def messages() -> AsyncIterator[Any]:
        async for message in upload_of(announced.import_id, many(120)):
            yield message
        await goes_on.wait()
        yield pb.UploadImportContentRequest(content=many(120).removeprefix(HEADER).replace(b"1997", b"1998"))

    slow = asyncio.ensure_future(house.upload(messages()))
    read = pb.GetImportRequest(import_id=announced.import_id)

    async def has_begun() -> bool:
        return bool((await house.stub.GetImport(read)).lines_read)

    await eventually(has_begun)
    async with house.database.transaction(house.chain_id) as tx:
        await tx.execute("update imports set upload_id = 'upl_other'")
    goes_on.set()
    with pytest.raises(ServiceError) as refused:
        await slow
    assert refused.value.reason == "IMPORT_BUSY"
    async with house.database.transaction(house.chain_id) as tx:
        found = await tx.execute("select count(*) from purchases where purchased_on >= '1998-01-01'")
        assert found.scalar_one() == 0


async def test_whoever_watches_sees_the_import_from_now_to_its_end(house: Any, upload_of: Upload) -> None:
    announced = await announce(house)
    watching = house.stub.WatchImport(pb.WatchImportRequest(import_id=announced.import_id))
    seen = [await anext(aiter(watching))]
    sending = asyncio.ensure_future(house.upload(upload_of(announced.import_id, many(300))))
    seen += [state async for state in watching]
    done = await sending
    assert seen[0].state == pb.IMPORT_STATE_AWAITING_CONTENT
    assert seen[-1] == done
    read = [state.lines_read for state in seen]
    assert read == sorted(read)


async def test_many_faults_are_counted_and_the_first_are_kept(house: Any, upload_of: Upload) -> None:
    done = await send(house, upload_of, HEADER + b"x\n" * 10_070)
    assert (done.lines_read, done.lines_refused) == (10_070, 10_070)
    assert await count(house, "import_faults") == 10_000


async def test_imports_are_listed_newest_first(house: Any) -> None:
    ids = [(await announce(house)).import_id for _ in range(3)]
    page = await house.stub.ListImports(pb.ListImportsRequest(page_size=2))
    rest = await house.stub.ListImports(pb.ListImportsRequest(page_size=2, page_token=page.next_page_token))
    assert [one.import_id for one in (*page.imports, *rest.imports)] == ids[::-1]


async def test_a_repeated_announcement_is_the_same_import(house: Any) -> None:
    assert await announce(house, request_id="again") == await announce(house, request_id="again")


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({"columns": {"a": "client_external_id", "b": "colour"}}, "COLUMN_UNKNOWN"),
        ({"columns": {"a": "client_external_id", "b": "purchase_date"}}, "COLUMN_MISSING"),
        ({"columns": {}}, "COLUMN_MISSING"),
        ({"store_id": "sto_none"}, "STORE_NOT_FOUND"),
        ({"associate_ids": ["asc_none"]}, "ASSOCIATE_NOT_FOUND"),
        ({"delimiter": '"'}, "FIELD_INVALID"),
    ],
)
async def test_an_import_that_cannot_work_is_refused_at_once(
    house: Any, fields: dict[str, Any], reason: str
) -> None:
    with pytest.raises(ServiceError) as refused:
        await announce(house, **fields)
    assert refused.value.reason == reason


async def test_content_needs_an_import_of_the_own_chain(house: Any, upload_of: Upload) -> None:
    announced = await announce(house)
    with pytest.raises(ServiceError) as refused:
        await house.upload(upload_of("", b"x"))
    assert refused.value.violations[0].field == "import_id"
    house.act_as(chain_id="chn_other")
    with pytest.raises(ServiceError) as hidden:
        await house.upload(upload_of(announced.import_id, many(1)))
    assert (hidden.value.kind, hidden.value.reason) == (Kind.NOT_FOUND, "IMPORT_NOT_FOUND")
