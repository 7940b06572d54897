"""Saved mappings, and looking at the beginning of a file."""

import asyncio
from collections.abc import AsyncIterator, Callable
from datetime import timedelta
from typing import Any

import pytest
from carnet.profiles.v1 import profiles_pb2 as pb
from carnet.profiles.v1 import sync_pb2

from chassis.errors import Kind, ServiceError

Upload = Callable[..., AsyncIterator[Any]]
COLUMNS = {"Kundennr": "client_external_id", "Name": "full_name", "Geboren": "birthday"}


async def save(house: Any, **fields: Any) -> sync_pb2.ImportMapping:
    fields = {
        "display_name": "Kasse", "source": "pos", "format": pb.IMPORT_FORMAT_DELIMITED, "delimiter": ";",
        "columns": COLUMNS, "date_order": pb.DATE_ORDER_DAY_FIRST, "encoding": "latin1", **fields,
    }  # fmt: skip
    return await house.sync.CreateImportMapping(sync_pb2.CreateImportMappingRequest(**fields))


async def test_a_mapping_is_saved_read_changed_listed_and_forgotten(house: Any) -> None:
    saved = await save(house)
    assert (saved.encoding, dict(saved.columns)) == ("ISO-8859-1", COLUMNS)
    read = sync_pb2.GetImportMappingRequest(import_mapping_id=saved.import_mapping_id)
    assert await house.sync.GetImportMapping(read) == saved
    house.clock.advance(timedelta(minutes=1))
    house.act_as()
    changed = await house.sync.UpdateImportMapping(
        sync_pb2.UpdateImportMappingRequest(
            import_mapping_id=saved.import_mapping_id, display_name="KASSE", source="till",
            format=pb.IMPORT_FORMAT_NDJSON, columns={"id": "client_external_id"},
        )
    )  # fmt: skip
    assert (changed.display_name, changed.source, changed.delimiter, changed.encoding) == (
        "KASSE",
        "till",
        "",
        "",
    )
    assert changed.create_time == saved.create_time
    assert changed.update_time.seconds == saved.update_time.seconds + 60
    await save(house, display_name="a first one")
    page = await house.sync.ListImportMappings(sync_pb2.ListImportMappingsRequest(page_size=1))
    rest = await house.sync.ListImportMappings(
        sync_pb2.ListImportMappingsRequest(page_size=1, page_token=page.next_page_token)
    )
    assert [one.display_name for one in (*page.import_mappings, *rest.import_mappings)] == [
        "a first one",
        "KASSE",
    ]
    await house.sync.DeleteImportMapping(
        sync_pb2.DeleteImportMappingRequest(import_mapping_id=saved.import_mapping_id)
    )
    with pytest.raises(ServiceError) as gone:
        await house.sync.GetImportMapping(read)
    assert (gone.value.kind, gone.value.reason) == (Kind.NOT_FOUND, "IMPORT_MAPPING_NOT_FOUND")


async def test_a_repeated_request_saves_one_mapping(house: Any) -> None:
    assert await save(house, request_id="again") == await save(house, request_id="again")


async def test_of_twenty_mappings_of_one_name_one_is_saved(house: Any) -> None:
    async def attempt(number: int) -> str:
        try:
            return (await save(house, display_name="Kasse" if number % 2 else "KASSE")).import_mapping_id
        except ServiceError as error:
            assert error.violations[0].field == "display_name"
            return error.reason

    answers = await asyncio.gather(*map(attempt, range(20)))
    assert answers.count("MAPPING_NAME_TAKEN") == 19
    other = await save(house, display_name="Other")
    with pytest.raises(ServiceError) as taken:
        await house.sync.UpdateImportMapping(
            sync_pb2.UpdateImportMappingRequest(
                import_mapping_id=other.import_mapping_id, display_name="kasse", source="pos",
                format=pb.IMPORT_FORMAT_DELIMITED, columns=COLUMNS,
            )
        )  # fmt: skip
    assert taken.value.reason == "MAPPING_NAME_TAKEN"


@pytest.mark.parametrize(
    ("fields", "field", "reason"),
    [
        ({"columns": {"a": "client_external_id", "b": "colour"}}, "columns", "COLUMN_UNKNOWN"),
        ({"columns": {"a": "email", "b": "email"}}, "columns", "COLUMN_REPEATED"),
        ({"columns": {"a": "given_name"}}, "columns", "COLUMN_MISSING"),
        ({"columns": {"a": "email", "b": "metal"}}, "columns", "COLUMN_MISSING"),
        ({"encoding": "EBCDIC-42"}, "encoding", "ENCODING_UNKNOWN"),
        ({"delimiter": '"'}, "delimiter", "FIELD_INVALID"),
    ],
)
async def test_a_mapping_that_cannot_work_is_refused(
    house: Any, fields: dict[str, Any], field: str, reason: str
) -> None:
    with pytest.raises(ServiceError) as refused:
        await save(house, **fields)
    assert (refused.value.reason, refused.value.violations[0].field) == (reason, field)


async def test_another_chains_mapping_is_not_there(house: Any) -> None:
    saved = await save(house)
    house.act_as(chain_id="chn_other")
    for call, request in (
        (house.sync.GetImportMapping, sync_pb2.GetImportMappingRequest),
        (house.sync.DeleteImportMapping, sync_pb2.DeleteImportMappingRequest),
    ):
        with pytest.raises(ServiceError) as hidden:
            await call(request(import_mapping_id=saved.import_mapping_id))
        assert hidden.value.reason == "IMPORT_MAPPING_NOT_FOUND"


async def test_an_import_is_read_as_its_mapping_says_and_keeps_what_it_was_told(
    house: Any, upload_of: Upload
) -> None:
    saved = await save(house)
    announced = await house.stub.CreateImport(
        pb.CreateImportRequest(
            source="pos", format=pb.IMPORT_FORMAT_DELIMITED, store_id=house.store_id,
            import_mapping_id=saved.import_mapping_id, columns={"Geboren": "", "Tel": "phone"},
        )
    )  # fmt: skip
    assert dict(announced.columns) == {
        "Kundennr": "client_external_id", "Name": "full_name", "Tel": "phone",
    }  # fmt: skip
    assert (announced.delimiter, announced.encoding, announced.date_order) == (
        ";", "ISO-8859-1", pb.DATE_ORDER_DAY_FIRST,
    )  # fmt: skip
    await house.sync.DeleteImportMapping(
        sync_pb2.DeleteImportMappingRequest(import_mapping_id=saved.import_mapping_id)
    )
    content = "Kundennr;Name;Geboren;Tel\n1;Jörg Groß;31.12.1980;\n".encode("cp1252")
    done = await house.upload(upload_of(announced.import_id, content))
    assert (done.clients_created, done.import_mapping_id) == (1, saved.import_mapping_id)
    (client,) = (await house.stub.ListClients(pb.ListClientsRequest())).clients
    assert (client.given_name, client.family_name) == ("Jörg", "Groß")
    with pytest.raises(ServiceError) as gone:
        await house.stub.CreateImport(
            pb.CreateImportRequest(
                source="pos", format=pb.IMPORT_FORMAT_DELIMITED, store_id=house.store_id,
                import_mapping_id=saved.import_mapping_id,
            )
        )  # fmt: skip
    assert gone.value.reason == "IMPORT_MAPPING_NOT_FOUND"


async def inspect(house: Any, sample: bytes, **fields: Any) -> sync_pb2.InspectImportSampleResponse:
    return await house.sync.InspectImportSample(sync_pb2.InspectImportSampleRequest(sample=sample, **fields))


async def test_a_sample_says_how_the_file_would_be_read(house: Any) -> None:
    sample = (
        "Kundennr;Vorname;Nachname;Telefon;E-Mail;Geburtsdatum;Notizzettel\n"
        "1;Jörg;Groß;030 901820;j@b.example;31.12.1980;x\n2;Ana;Diaz;+12025550101;kein;03/04/1990;\n3;halb"
    ).encode("cp1252")
    found = await inspect(house, sample)
    assert (found.format, found.encoding, found.delimiter) == (
        pb.IMPORT_FORMAT_DELIMITED,
        "windows-1252",
        ";",
    )
    assert found.date_order == pb.DATE_ORDER_DAY_FIRST
    assert [(one.column, one.field) for one in found.columns] == [
        ("Kundennr", "client_external_id"), ("Vorname", "given_name"), ("Nachname", "family_name"),
        ("Telefon", "phone"), ("E-Mail", "email"), ("Geburtsdatum", "birthday"), ("Notizzettel", ""),
    ]  # fmt: skip
    assert list(found.columns[1].samples) == ["Jörg", "Ana"]
    assert list(found.columns[3].remarks) == [
        "1 of 2 have no country and are read as numbers of US.", "1 are no phone numbers, such as '030 901820'.",
    ]  # fmt: skip
    assert list(found.columns[4].remarks) == ["1 are no e-mail addresses, such as 'kein'."]


@pytest.mark.parametrize(
    ("header", "fields"),
    [
        ("No.,Name,Phone No.,E-Mail", ["client_external_id", "full_name", "phone", "email"]),
        ("Customer ID,First Name,Surname,Mobile,Home Phone",
         ["client_external_id", "given_name", "family_name", "phone", "phone_2"]),
        ("N° client,Prénom,Nom,Téléphone,Date de naissance",
         ["client_external_id", "given_name", "family_name", "phone", "birthday"]),
        ("Código cliente,Nombre,Apellidos,Correo electrónico,Fecha de nacimiento",
         ["client_external_id", "given_name", "family_name", "email", "birthday"]),
        ("Codice cliente,Nome,Cognome,Cellulare,Città,CAP",
         ["client_external_id", "given_name", "family_name", "phone", "locality", "postal_code"]),
        ("customer_id,invoice_no,Posting Date,Amount Including VAT,Qty.,Metal,Payment Method Code",
         ["client_external_id", "purchase_external_id", "purchase_date", "amount", "quantity", "metal",
          "payment_kind"]),
        ("customer_id,date,number_of_cds,dollar_value",
         ["client_external_id", "purchase_date", "quantity", "amount"]),
    ],
)  # fmt: skip
async def test_columns_of_common_exports_are_known(house: Any, header: str, fields: list[str]) -> None:
    found = await inspect(house, f"{header}\n".encode())
    assert [one.field for one in found.columns] == fields


async def test_every_suggested_mapping_is_one_that_an_import_takes(house: Any) -> None:
    found = await inspect(
        house, b'{"customer": 1, "when": "2024-01-01", "total": 5, "email": "a@b.example"}\n'
    )
    assert (found.format, [one.column for one in found.columns]) == (
        pb.IMPORT_FORMAT_NDJSON, ["customer", "when", "total", "email"],
    )  # fmt: skip
    assert [one.field for one in found.columns] == ["client_external_id", "", "amount", "email"]


async def test_what_can_be_read_in_two_ways_is_remarked(house: Any) -> None:
    found = await inspect(house, b'id,date,amount,tender\n1,03/04/2024,"1,50",beads\n2,45355,2,cash\n')
    assert found.date_order == pb.DATE_ORDER_UNSPECIFIED
    assert [list(one.remarks) for one in found.columns[1:]] == [
        ["'03/04/2024' may be read with the day or with the month first: date_order decides.",
         "1 are day numbers of a spreadsheet."],
        ["A comma stands before the decimals, as in '1,50'."],
        ["'beads' would be taken as OTHER."],
    ]  # fmt: skip


@pytest.mark.parametrize(
    "sample", [b"\0\1\2\xff\xfe" * 40, b"\n\n", "a,b\n".encode("utf-32"), b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR\n"]
)
async def test_what_is_no_text_is_refused(house: Any, sample: bytes) -> None:
    with pytest.raises(ServiceError) as refused:
        await inspect(house, sample)
    assert (refused.value.kind, refused.value.reason) == (Kind.INVALID, "FILE_UNREADABLE")
    assert refused.value.violations[0].field == "sample"
