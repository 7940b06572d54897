"""Files as people really send them: encodings, delimiters, days, amounts, clients with everything, files cut off."""

import csv
import io
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest
from carnet.profiles.v1 import events_pb2 as ev
from carnet.profiles.v1 import profiles_pb2 as pb
from carnet.profiles.v1 import sync_pb2, sync_pb2_grpc

from chassis.errors import Kind, ServiceError
from chassis.testing import channel_to, published
from profiles.suppression import SuppressedKind, Suppressor, external_key

Upload = Callable[..., AsyncIterator[Any]]
PEOPLE = {
    "id": "client_external_id", "first": "given_name", "last": "family_name", "tel": "phone", "mail": "email",
    "born": "birthday",
}  # fmt: skip
RECEIPTS = {
    "id": "client_external_id",
    "receipt": "purchase_external_id",
    "day": "purchase_date",
    "paid": "amount",
}


async def send(
    house: Any, upload_of: Upload, content: bytes, columns: dict[str, str], **fields: Any
) -> pb.Import:
    fields = {
        "source": "pos", "format": pb.IMPORT_FORMAT_DELIMITED, "store_id": house.store_id, "columns": columns,
        **fields,
    }  # fmt: skip
    announced = await house.stub.CreateImport(pb.CreateImportRequest(**fields))
    return await house.upload(upload_of(announced.import_id, content))


async def faults(house: Any, import_id: str) -> list[tuple[int, str, str, bool]]:
    answer = await house.stub.ListImportFaults(pb.ListImportFaultsRequest(import_id=import_id))
    return [(fault.line, fault.field, fault.reason, fault.is_warning) for fault in answer.faults]


async def clients(house: Any) -> dict[str, pb.Client]:
    answer = await house.stub.ListClients(pb.ListClientsRequest())
    return {client.external_id: client for client in answer.clients}


@pytest.mark.parametrize(
    ("encoding", "codec", "warnings"),
    [
        ("", "utf-8", []),
        ("", "utf-8-sig", []),
        ("", "utf-16", []),
        ("", "utf-16-le", []),
        ("UTF-16", "utf-16", []),
        ("utf-16be", "utf-16-be", []),
        ("", "cp1252", [(2, "", "ENCODING_ASSUMED", True)]),
        ("latin1", "cp1252", []),
        ("macintosh", "mac-roman", []),
        ("IBM850", "cp850", []),
    ],
)
async def test_a_file_is_read_in_the_encoding_that_it_is_in(
    house: Any, upload_of: Upload, encoding: str, codec: str, warnings: list[Any]
) -> None:
    content = "id;first;last\r\n1;José;Müller-Lüdenscheidt\r\n2;Zoë;Strauß\r\n".encode(codec)
    columns = {name: PEOPLE[name] for name in ("id", "first", "last")}
    done = await send(house, upload_of, content, columns, encoding=encoding)
    assert (done.state, done.clients_created) == (pb.IMPORT_STATE_COMPLETED, 2)
    found = await clients(house)
    assert [(found[key].given_name, found[key].family_name) for key in "12"] == [
        ("José", "Müller-Lüdenscheidt"),
        ("Zoë", "Strauß"),
    ]
    assert await faults(house, done.import_id) == warnings


@pytest.mark.parametrize(
    ("declared", "content", "said"),
    [
        ("windows-1252", "\ufeffid,first\n1,José\n".encode(), "begins with the mark of UTF-8"),
        ("UTF-8", "id,first\n1,José\n".encode("utf-16"), "begins with the mark of UTF-16LE"),
        ("UTF-8", "id,first\n1,José\n".encode("utf-16-le"), "looks like UTF-16LE"),
        ("UTF-16", b"id,first\n1,Ana\n", "no mark of UTF-16"),
        ("", "id,first\n".encode("utf-32"), "UTF-32"),
    ],
)
async def test_a_file_that_is_not_what_it_was_declared_as_is_not_read_as_nonsense(
    house: Any, upload_of: Upload, declared: str, content: bytes, said: str
) -> None:
    columns = {name: PEOPLE[name] for name in ("id", "first")}
    failed = await send(house, upload_of, content, columns, encoding=declared)
    assert failed.state == pb.IMPORT_STATE_FAILED
    assert said in failed.failure


async def test_a_line_in_another_encoding_than_the_file_is_refused_and_not_garbled(
    house: Any, upload_of: Upload
) -> None:
    columns = {name: PEOPLE[name] for name in ("id", "first")}
    lines = [b"id,first", "1,José".encode("cp1252"), "2,José".encode(), b"3,Ana"]
    done = await send(house, upload_of, b"\n".join(lines) + b"\n", columns, encoding="windows-1252")
    assert (3, "", "LINE_ENCODING", False) in await faults(house, done.import_id)
    assert {key: one.given_name for key, one in (await clients(house)).items()} == {"1": "José", "3": "Ana"}


async def test_an_unknown_encoding_is_refused_with_those_that_are_read(house: Any) -> None:
    with pytest.raises(ServiceError, match="windows-1252") as refused:
        await house.stub.CreateImport(
            pb.CreateImportRequest(
                source="pos", format=pb.IMPORT_FORMAT_DELIMITED, store_id=house.store_id, columns=PEOPLE,
                encoding="klingon",
            )
        )  # fmt: skip
    assert (refused.value.reason, refused.value.violations[0].field) == ("ENCODING_UNKNOWN", "encoding")


@pytest.mark.parametrize(
    ("order", "days", "read", "refused"),
    [
        (pb.DATE_ORDER_DAY_FIRST, ["03/04/2024", "31.12.2024"], ["2024-04-03", "2024-12-31"], []),
        (pb.DATE_ORDER_MONTH_FIRST, ["03/04/2024", "12/31/2024"], ["2024-03-04", "2024-12-31"], []),
        (0, ["03/04/2024", "13/04/2024", "04/13/2024", "05/05/2024"],
         ["2024-04-13", "2024-04-13", "2024-05-05"], [(2, "purchase_date", "DATE_AMBIGUOUS", False)]),
        (0, ["45355", "45355.75", "2024-03-04T10:30:00Z", "20240304"], ["2024-03-04"] * 4,
         [(2, "purchase_date", "DAY_NUMBER_ASSUMED", True)]),
        (0, ["2024-02-30", "29.02.2023", "0", "80001", "2062-01-01", "1/2/24"], [],
         [(2, "purchase_date", "DATE_INVALID", False), (3, "purchase_date", "DATE_INVALID", False),
          (4, "purchase_date", "DATE_INVALID", False), (5, "purchase_date", "DATE_INVALID", False),
          (6, "purchase_date", "DATE_IN_FUTURE", False), (7, "purchase_date", "DATE_INVALID", False)]),
    ],
)  # fmt: skip
async def test_days_are_read_in_one_sense_or_not_at_all(
    house: Any, upload_of: Upload, order: int, days: list[str], read: list[str], refused: list[Any]
) -> None:
    lines = "".join(f"c{number},r{number},{day},1\n" for number, day in enumerate(days))
    done = await send(house, upload_of, f"id,receipt,day,paid\n{lines}".encode(), RECEIPTS, date_order=order)
    answer = await house.stub.ListPurchases(pb.ListPurchasesRequest())
    found = [one.purchase_date for one in answer.purchases]
    assert sorted(f"{day.year}-{day.month:02}-{day.day:02}" for day in found) == sorted(read)
    assert await faults(house, done.import_id) == refused


async def test_a_semicolon_file_has_decimal_commas_and_points_between_thousands(
    house: Any, upload_of: Upload
) -> None:
    amounts = {
        "12,50": 1250,
        "1.234,56": 123456,
        "1.234": 123400,
        "1 234,5": 123450,
        "12.50": 1250,
        "-3,10": -310,
    }
    lines = "".join(f"c;r{number};2024-01-01;{text}\n" for number, text in enumerate(amounts))
    await send(house, upload_of, f"id;receipt;day;paid\n{lines}c;bad;2024-01-01;1,2345\n".encode(), RECEIPTS)
    (landed,) = await published(house.database, ev.ImportBatchLanded, chain_id=house.chain_id)
    assert [one.total_minor for one in landed.purchases] == list(amounts.values())


async def test_amounts_of_a_comma_file_may_group_thousands(house: Any, upload_of: Upload) -> None:
    amounts = {
        "1234.56": 123456,
        '"1,234.56"': 123456,
        '"1,234"': 123400,
        '"$1,234,567"': 123456700,
        "(5.00)": -500,
    }
    lines = "".join(f"c,r{number},2024-01-01,{text}\n" for number, text in enumerate(amounts))
    await send(house, upload_of, f"id,receipt,day,paid\n{lines}".encode(), RECEIPTS)
    (landed,) = await published(house.database, ev.ImportBatchLanded, chain_id=house.chain_id)
    assert [one.total_minor for one in landed.purchases] == list(amounts.values())


async def test_numbers_without_a_country_are_read_as_the_stores_and_it_is_said_once(
    house: Any, upload_of: Upload
) -> None:
    lines = "".join(f"{number},(202) 555-01{number:02}\n" for number in range(60))
    columns = {name: PEOPLE[name] for name in ("id", "tel")}
    done = await send(house, upload_of, f"id,tel\n{lines}99,+442079460000\n".encode(), columns)
    assert (await clients(house))["59"].contact_points[0].value == "+12025550159"
    answer = await house.stub.ListImportFaults(pb.ListImportFaultsRequest(import_id=done.import_id))
    (warning,) = answer.faults
    assert (warning.line, warning.field, warning.is_warning) == (2, "phone", True)
    assert warning.message.endswith("read as numbers of US: 60, the first on this line.")


async def test_a_leap_day_is_a_birthday_and_one_that_never_was_is_not(house: Any, upload_of: Upload) -> None:
    columns = {"id": "client_external_id", "born": "birthday"}
    lines = ["1,1988-02-29", "2,--02-29", "3,1990-02-29", "4,--02-30", "5,2031-01-01"]
    done = await send(house, upload_of, "\n".join(["id,born", *lines, ""]).encode(), columns)
    assert await faults(house, done.import_id) == [
        (4, "birthday", "DATE_INVALID", False),
        (5, "birthday", "DATE_INVALID", False),
        (6, "birthday", "DATE_IN_FUTURE", False),
    ]
    found = await clients(house)
    days = {key: (one.occasions[0].date.year, one.occasions[0].date.month) for key, one in found.items()}
    assert days == {"1": (1988, 2), "2": (0, 2)}
    (landed,) = await published(house.database, ev.ImportBatchLanded, chain_id=house.chain_id)
    facts = {fact.client_id: fact.occasions[0] for fact in landed.clients}
    fact = facts[found["1"].client_id]
    assert (fact.kind, fact.date.day, fact.recurrence) == (
        pb.OCCASION_KIND_BIRTHDAY, 29, pb.OCCASION_RECURRENCE_YEARLY,
    )  # fmt: skip


async def test_a_client_comes_with_everything_that_a_file_can_say(house: Any, upload_of: Upload) -> None:
    row = {
        "client_external_id": "1", "full_name": "Dr. Ludwig van Beethoven", "nickname": "Lutz",
        "phone": "+12025550101", "phone_2": "202-555-0102", "email": "a@b.example", "email_2": "A@B.example",
        "language": "German", "birthday": "1970-12-17", "anniversary": "20010506", "tags": "VIP;likes opals;vip",
        "address_line_1": "1 Main St", "address_line_2": "Apt 4", "locality": "New York", "region": "NY",
        "postal_code": "10001", "country": "USA", "ring_size": "6 1/2", "preferred_metal": "platinum",
        "preferred_stone": "sapphire;opal", "note": "Comes in spring", "associate_email": "BEN@maison.example",
    }  # fmt: skip
    file = io.StringIO()
    writer = csv.writer(file)
    writer.writerows([row.keys(), row.values()])
    done = await send(house, upload_of, file.getvalue().encode(), {name: name for name in row})
    assert (done.clients_created, done.lines_refused) == (1, 0)
    client = (await clients(house))["1"]
    assert (client.given_name, client.family_name, client.nickname) == ("Ludwig", "van Beethoven", "Lutz")
    assert [one.value for one in client.contact_points] == ["+12025550101", "+12025550102", "a@b.example"]
    assert (client.language, client.associate_id) == ("de", house.ben)
    assert [one.kind for one in client.occasions] == [pb.OCCASION_KIND_BIRTHDAY, pb.OCCASION_KIND_ANNIVERSARY]
    assert list(client.tags) == ["VIP", "likes opals"]
    assert (list(client.address.lines), client.address.country) == (["1 Main St", "Apt 4"], "US")
    assert client.derived_time_zone == "America/New_York"
    liked = [(one.kind, one.value, one.source) for one in client.preferences]
    assert liked == [
        (pb.PREFERENCE_KIND_METAL, "platinum", "pos"), (pb.PREFERENCE_KIND_STONE, "sapphire", "pos"),
        (pb.PREFERENCE_KIND_STONE, "opal", "pos"), (pb.PREFERENCE_KIND_RING_SIZE, "6.5", "pos"),
    ]  # fmt: skip
    assert "Wrote a note" in await house.timeline(client.client_id)
    (landed,) = await published(house.database, ev.ImportBatchLanded, chain_id=house.chain_id)
    (fact,) = landed.clients
    assert (fact.language, fact.associate_id, len(fact.occasions), len(fact.preferences)) == (
        "de",
        house.ben,
        2,
        3,
    )
    assert fact.derived_time_zone == "America/New_York"
    again = await send(house, upload_of, file.getvalue().encode(), {name: name for name in row})
    assert (again.clients_created, again.clients_updated, again.conflicts) == (0, 0, 0)
    async with house.database.transaction(house.chain_id) as tx:
        assert (await tx.execute("select count(*) from notes")).scalar_one() == 1


async def test_an_unknown_associate_is_said_and_the_client_goes_where_others_go(
    house: Any, upload_of: Upload
) -> None:
    columns = {"id": "client_external_id", "who": "associate_email"}
    done = await send(
        house, upload_of, b"id,who\n1,gone@maison.example\n", columns, associate_ids=[house.ana]
    )
    assert (await clients(house))["1"].associate_id == house.ana
    assert await faults(house, done.import_id) == [(2, "associate_email", "ASSOCIATE_UNKNOWN", True)]


async def test_clients_and_purchases_may_stand_in_one_file(house: Any, upload_of: Upload) -> None:
    content = (
        b"id,first,last,mail,receipt,day,paid\n"
        b"1,Ana,Diaz,a@b.example,r1,2024-01-01,10\n1,Ana,Diaz,a@b.example,r1,2024-01-01,20\n"
        b"2,Ben,Cole,b@b.example,r2,2024-01-01,30\n"
    )
    columns = {name: PEOPLE[name] for name in ("id", "first", "last", "mail")} | RECEIPTS
    done = await send(house, upload_of, content, columns)
    assert (done.clients_created, done.purchases_created, done.lines_read) == (2, 2, 3)
    ana = (await clients(house))["1"]
    assert (ana.family_name, ana.contact_points[0].value) == ("Diaz", "a@b.example")


async def test_without_an_id_a_client_is_found_by_a_contact_that_only_one_has(
    house: Any, upload_of: Upload
) -> None:
    ana = await house.client_with_phone("+12025550101", given_name="Ana", family_name="Diaz")
    for number in ("1", "2"):
        await house.client_with_phone("+12025550102", given_name=f"Twin{number}")
    columns = {name: PEOPLE[name] for name in ("first", "last", "tel", "mail")}
    content = (
        b"first,last,tel,mail\n"
        b"ana,D\xc3\xadaz,+12025550101,ana@b.example\n"  # is Ana
        b"Carl,Diaz,+12025550101,carl@b.example\n"  # has her phone, and is another
        b"Twin,,+12025550102,\n"  # could be either of two
        b",,,carl@b.example\n"  # is Carl from two lines above
    )
    done = await send(house, upload_of, content, columns)
    assert (done.clients_created, done.lines_refused) == (2, 0)
    ana = await house.stub.GetClient(pb.GetClientRequest(client_id=ana.client_id))
    assert [one.value for one in ana.contact_points] == ["+12025550101", "ana@b.example"]
    again = await send(house, upload_of, content, columns)
    assert (again.clients_created, again.clients_updated) == (0, 0)
    assert len(await clients(house)) >= 3
    nobody = await send(house, upload_of, b"first,last,tel,mail\nAna,,,\n", columns)
    assert nobody.clients_created == 1  # a name alone: somebody new, but the same when it comes again
    assert (await send(house, upload_of, b"first,last,tel,mail\nAna,,,\n", columns)).clients_created == 0


async def test_payments_are_written_and_cash_is_watched(house: Any, upload_of: Upload) -> None:
    columns = {**RECEIPTS, "how": "payment_kind"}
    content = (
        b"id,receipt,day,paid,how\n1,r1,2026-01-01,6000,Cash\n1,r1,2026-01-01,100,VISA\n1,r2,2026-02-01,5000,cash\n"
        b"2,r3,2026-02-01,1,beads\n"
    )
    done = await send(house, upload_of, content, columns)
    assert await faults(house, done.import_id) == [(5, "payment_kind", "PAYMENT_KIND_ASSUMED", True)]
    answer = await house.stub.ListPurchases(pb.ListPurchasesRequest())
    paid = {
        one.external_id: [(part.kind, part.amount.units) for part in one.payments] for one in answer.purchases
    }
    assert paid == {
        "r1": [(pb.PAYMENT_KIND_CASH, 6000), (pb.PAYMENT_KIND_CARD, 100)],
        "r2": [(pb.PAYMENT_KIND_CASH, 5000)],
        "r3": [(pb.PAYMENT_KIND_OTHER, 1)],
    }
    (alert,) = await published(house.database, ev.CashAlertRaised, chain_id=house.chain_id)
    assert alert.client_id == (await clients(house))["1"].client_id


async def test_somebody_who_was_erased_does_not_come_back(house: Any, upload_of: Upload) -> None:
    suppressor = Suppressor("a key of these tests, long enough")
    columns = {name: PEOPLE[name] for name in ("id", "first", "tel")}
    await send(house, upload_of, b"id,first,tel\n3,Zoe,+12025550103\n", columns)
    async with house.database.transaction(house.chain_id) as tx:
        for kind, value in (
            (SuppressedKind.EXTERNAL_ID, external_key("pos", "1")),
            (SuppressedKind.PHONE, "+12025550102"),
            (SuppressedKind.PHONE, "+12025550103"),
        ):
            await tx.execute(
                "insert into suppressions (chain_id, key_hash, kind, erasure_id, created_at)"
                " values (:chain_id, :hash, :kind, 'era_1', :now)",
                {
                    "chain_id": house.chain_id,
                    "hash": suppressor.hash_of(house.chain_id, kind, value),
                    "kind": kind.value,
                    "now": house.clock.now(),
                },
            )
    content = b"id,first,tel\n1,Eve,\n2,Max,(202) 555-0102\n3,Zoe,+12025550103\n4,Ann,+12025550104\n"
    done = await send(house, upload_of, content, columns)
    assert (done.lines_read, done.lines_suppressed, done.clients_created, done.lines_refused) == (4, 2, 1, 0)
    assert set(await clients(house)) == {"3", "4"}
    found = await house.stub.ListImportFaults(pb.ListImportFaultsRequest(import_id=done.import_id))
    (said,) = [fault for fault in found.faults if fault.reason == "ERASED_LEFT_OUT"]
    assert (said.line, said.is_warning) == (1, True)
    assert said.message == "Lines of people who were erased were left out: 2."


async def test_a_file_without_its_last_line_end_may_have_been_cut_off(house: Any, upload_of: Upload) -> None:
    columns = {name: PEOPLE[name] for name in ("id", "first")}
    done = await send(house, upload_of, b"id,first\n1,Ana\n2,Be", columns)
    assert await faults(house, done.import_id) == [(3, "", "LAST_LINE_UNENDED", True)]


async def test_the_first_line_of_a_spreadsheet_may_name_its_delimiter(house: Any, upload_of: Upload) -> None:
    columns = {name: PEOPLE[name] for name in ("id", "first")}
    done = await send(house, upload_of, b"sep=|\r\nid|first\r\n1|Ana, Maria; Eve\r\n", columns)
    assert done.clients_created == 1
    assert (await clients(house))["1"].given_name == "Ana, Maria; Eve"


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
async def test_the_header_tells_the_delimiter(house: Any, upload_of: Upload, delimiter: str) -> None:
    columns = {"id, or no;": "client_external_id", "first": "given_name"}
    content = f'"id, or no;"{delimiter}first{delimiter}x{delimiter}y\n1{delimiter}Ana{delimiter}{delimiter}\n'
    done = await send(house, upload_of, content.encode(), columns)
    assert done.clients_created == 1


async def test_a_report_says_in_a_spreadsheet_what_was_refused_and_what_was_assumed(
    house: Any, upload_of: Upload
) -> None:
    columns = {name: PEOPLE[name] for name in ("id", "first", "tel")}
    content = b"id,first,tel\n1,Ana,202-555-0101\n2,Ben,x\n,,\n"
    done = await send(house, upload_of, content, columns)
    async with channel_to(house.profiles.address) as channel:
        sync = sync_pb2_grpc.SyncServiceStub(channel)
        call = sync.DownloadImportReport(sync_pb2.DownloadImportReportRequest(import_id=done.import_id))
        pieces = [piece async for piece in call]
        assert {piece.content_type for piece in pieces} == {"text/csv; charset=utf-8"}
        whole = b"".join(piece.data for piece in pieces)
        assert whole.startswith(b"\xef\xbb\xbf")
        rows = list(csv.reader(io.StringIO(whole.decode("utf-8-sig"))))
        assert [(row[0], row[1], row[2], row[4]) for row in rows] == [
            ("line", "field", "reason", "kind"),
            ("2", "phone", "PHONE_COUNTRY_ASSUMED", "warning"),
            ("3", "phone", "PHONE_INVALID", "refused"),
            ("4", "client_external_id", "FIELD_MISSING", "refused"),
        ]
        house.act_as(chain_id="chn_other")
        with pytest.raises(ServiceError) as hidden:
            async for _ in sync.DownloadImportReport(
                sync_pb2.DownloadImportReportRequest(import_id=done.import_id)
            ):
                pass
    assert (hidden.value.kind, hidden.value.reason) == (Kind.NOT_FOUND, "IMPORT_NOT_FOUND")


async def test_a_line_of_a_merged_client_is_the_survivors(house: Any, upload_of: Upload) -> None:
    columns = {name: PEOPLE[name] for name in ("id", "first")}
    await send(house, upload_of, b"id,first\n1,Ana\n2,Ana\n", columns)
    found = await clients(house)
    async with house.database.transaction(house.chain_id) as tx:
        await tx.execute(
            "insert into client_external_ids (chain_id, source, external_id, client_id, merge_id)"
            " values (:chain_id, 'pos', '2', :survivor, 'mrg_1')",
            {"chain_id": house.chain_id, "survivor": found["1"].client_id},
        )
        await tx.execute("delete from timeline_entries where client_id = :id", {"id": found["2"].client_id})
        await tx.execute("delete from clients where client_id = :id", {"id": found["2"].client_id})
    done = await send(house, upload_of, b"id,receipt,day,paid\n2,r1,2024-01-01,5\n", RECEIPTS)
    assert (done.clients_created, done.purchases_created) == (0, 1)
    answer = await house.stub.ListPurchases(pb.ListPurchasesRequest(client_id=found["1"].client_id))
    assert [one.external_id for one in answer.purchases] == ["r1"]
