"""Rules that need no server: lines and rows of files, days, names, mappings."""

import csv
import io
from datetime import UTC, date, datetime
from itertools import islice

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chassis.errors import ServiceError
from profiles.currencies import digits_of
from profiles.domain import captures, import_lines, import_rows, imports
from profiles.domain.books import BookExtent, Spreading, preview_etag, shares_of, targets_in_turn
from profiles.domain.clients import Client, require_day, require_updatable
from profiles.domain.import_lines import BlankSeparated, Delimited, JsonLines, Line, LineSplitter, Record
from profiles.domain.import_rows import Customs, Row, RowReader
from profiles.domain.import_values import minor_units
from profiles.domain.pieces import purchase_summary
from profiles.domain.timeline import moment_of, said_time
from profiles.phones import e164


def lines_of(content: bytes, *, chunk: int = 10_000) -> list[Line]:
    splitter = LineSplitter()
    lines = [
        line
        for start in range(0, len(content), chunk)
        for line in splitter.feed(content[start : start + chunk])
    ]
    return [*lines, *splitter.end()]


def records_of(reader: import_lines.RecordReader, content: bytes) -> list[tuple[int, list[str] | str]]:
    found = [record for line in lines_of(content) for record in reader.read(line)] + list(reader.end())
    return [
        (one.line, one.fields) if isinstance(one, Record) else (one.faults[0].line, one.faults[0].reason)
        for one in found
    ]


@given(
    st.lists(st.text(st.characters(exclude_characters="\n\r\0\ufeff", codec="utf-8"), max_size=20)),
    st.integers(1, 9),
)
def test_lines_are_the_same_however_the_bytes_are_cut(texts: list[str], chunk: int) -> None:
    content = "".join(f"{text}\n" for text in texts).encode()
    assert [line.text for line in lines_of(content, chunk=chunk)] == texts


def test_a_byte_order_mark_and_windows_line_ends_are_not_part_of_a_line() -> None:
    assert [line.text for line in lines_of(b"\xef\xbb\xbfa,b\r\n1,2")] == ["a,b", "1,2"]


@pytest.mark.parametrize("chunk", [7, 100_000, 10_000_000])
def test_a_line_without_end_is_a_fault_of_that_line_only(chunk: int) -> None:
    content = b"a\n" + b"x" * 200_000 + b"\nb\n"
    assert [(line.number, line.text, line.fault and line.fault.reason) for line in lines_of(content, chunk=chunk)] == [
        (1, "a", None), (2, "", "LINE_TOO_LONG"), (3, "b", None),
    ]  # fmt: skip


def test_bytes_that_are_no_text_are_a_fault_of_their_line_only() -> None:
    content = "é\n".encode() + b"\xe9t\xe9\nb\nc\0\nd"
    assert [line.fault and line.fault.reason for line in lines_of(content)] == [
        None, "LINE_ENCODING", None, "LINE_ENCODING", None,
    ]  # fmt: skip


@given(
    st.lists(
        st.lists(
            st.text(st.characters(codec="utf-8", exclude_characters="\0\r"), max_size=8),
            min_size=2,
            max_size=4,
        )
    )
)
def test_what_the_csv_module_writes_is_read_back(rows: list[list[str]]) -> None:
    file = io.StringIO()
    csv.writer(file, lineterminator="\n", quoting=csv.QUOTE_ALL).writerows(rows)
    # A first line keeps a byte order mark inside the data from being taken for the file's own.
    content = b"x,y\n" + file.getvalue().encode()
    assert [fields for _, fields in records_of(Delimited(","), content)][1:] == rows


def test_a_quote_that_is_never_closed_costs_one_line() -> None:
    content = b'a,"b\nc,d\n' + b"e,f\n" * 60
    found = records_of(Delimited(","), content)
    assert found[0] == (1, "LINE_MALFORMED")
    assert found[1:] == [(2, ["c", "d"]), *[(number, ["e", "f"]) for number in range(3, 63)]]


def test_runs_of_blanks_are_one_delimiter() -> None:
    assert records_of(BlankSeparated(), b"  00001 19970101  1   11.77\r\n\n") == [
        (1, ["00001", "19970101", "1", "11.77"])
    ]


def test_json_keeps_amounts_as_they_were_written() -> None:
    content = b'{"a": 11.10, "b": null}\n[1]\n{"a": {}}\n{"a"\n{"a": "\\u0000"}\n{"a": "\\ud800"}\n'
    assert records_of(JsonLines(["a", "b"]), content) == [
        (1, ["11.10", ""]), (2, "LINE_MALFORMED"), (3, "LINE_MALFORMED"), (4, "LINE_MALFORMED"),
        (5, "LINE_ENCODING"), (6, "LINE_ENCODING"),
    ]  # fmt: skip


def reader(*fields: str, header: list[str] | None = None) -> RowReader:
    customs = Customs(
        country="US",
        currency_code="USD",
        date_order=None,
        today=date(2026, 3, 10),
        digits_of=digits_of,
        read_phone=lambda value: e164(value, "US"),
    )
    return RowReader(header or list(fields), {field: field for field in fields}, customs)


PURCHASE = ("client_external_id", "purchase_date", "amount", "quantity", "currency_code", "phone", "email")


def reasons(*values: str) -> list[tuple[str, str]]:
    found = reader(*PURCHASE).read(Record(1, list(values), 1, 1))
    return [] if isinstance(found, Row) else [(fault.field, fault.reason) for fault in found.faults]


@pytest.mark.parametrize(
    ("values", "faults"),
    [
        (("7", "2026-02-28", "1", "1", "USD", "", ""), []),
        (("7", "20240229", "-1.5", "", "", "(202) 555-0101", "a@b.example"), []),
        (("7", "20260229", "1", "1", "USD", "", ""), [("purchase_date", "DATE_INVALID")]),
        (("7", "2026-02-30", "1", "1", "USD", "", ""), [("purchase_date", "DATE_INVALID")]),
        (("7", "60", "1", "1", "USD", "", ""), [("purchase_date", "DATE_INVALID")]),
        (("7", "45123", "1", "1", "USD", "", ""), []),
        (("7", "03/04/2024", "1", "1", "USD", "", ""), [("purchase_date", "DATE_AMBIGUOUS")]),
        (("7", "2026-03-11", "1", "1", "USD", "", ""), [("purchase_date", "DATE_IN_FUTURE")]),
        (("7", "", "", "1", "USD", "", ""), [("purchase_date", "FIELD_MISSING"), ("amount", "FIELD_MISSING")]),
        (("", "20260228", "1,5,0", "1", "USD", "", ""),
         [("client_external_id", "FIELD_MISSING"), ("amount", "AMOUNT_INVALID")]),
        (("7", "20260228", "1.505", "0", "USD", "", ""),
         [("amount", "AMOUNT_INVALID"), ("quantity", "QUANTITY_INVALID")]),
        (("7", "20260228", "NaN", "1e3", "XXZ", "", ""),
         [("currency_code", "CURRENCY_UNKNOWN"), ("quantity", "QUANTITY_INVALID")]),
        (("7", "20260228", "1", "1", "USD", "12", "nobody"), [("phone", "PHONE_INVALID"), ("email", "EMAIL_INVALID")]),
        (("7", "20260228", "1"), [("", "COLUMN_COUNT")]),
        (("7" * 121, "20260228", "1", "1", "", "", ""), [("client_external_id", "FIELD_TOO_LONG")]),
    ],
)  # fmt: skip
def test_each_bad_field_of_a_line_is_named(values: tuple[str, ...], faults: list[tuple[str, str]]) -> None:
    assert reasons(*values) == faults


def test_a_header_that_lacks_a_mapped_column_makes_the_file_unreadable() -> None:
    with pytest.raises(imports.FileUnreadable, match="'amount'"):
        reader("client_external_id", "amount", header=["client_external_id"])


@given(st.integers(-(10**12), 10**12), st.integers(0, 3))
def test_an_amount_is_read_as_it_was_written(minor: int, digits: int) -> None:
    whole, rest = divmod(abs(minor), 10**digits)
    text = f"{'-' if minor < 0 else ''}{whole}" + (f".{rest:0{digits}}" if digits else "")
    assert minor_units(text, digits) == minor
    assert minor_units(text + ("000" if digits else ".00"), digits) == minor


@given(st.text(max_size=12))
def test_what_is_no_amount_is_never_taken_for_one(text: str) -> None:
    if (minor := minor_units(text, 2)) is not None:
        digits = "".join(letter for letter in text if letter.isdigit())
        assert abs(minor) in (int(digits), int(digits) * 10, int(digits) * 100)
        assert not set(text) - set(
            "0123456789+-\u2212.,()' \u00a0\u202f\u2009\u2019\t\n\r\x0b\x0c\x1c\x1d\x1e\x1f\x85"
        )


def test_equal_rows_have_one_key_in_every_process() -> None:
    assert import_rows.hash_of("row:1/2026-01-01/1177/1") == 1351549447598741802


@given(st.text(), st.lists(st.text(min_size=1), min_size=1, max_size=9))
def test_a_new_client_always_goes_into_the_same_book(external_id: str, associate_ids: list[str]) -> None:
    assert imports.spread(external_id, associate_ids) == imports.spread(external_id, associate_ids)
    assert imports.spread(external_id, associate_ids) in associate_ids


@pytest.mark.parametrize(
    ("columns", "reason"),
    [
        ({"a": "client_external_id", "b": "colour"}, "COLUMN_UNKNOWN"),
        ({"a": "client_external_id", "b": "client_external_id"}, "COLUMN_REPEATED"),
        ({"a": "given_name"}, "COLUMN_MISSING"),
        ({"a": "client_external_id", "b": "amount"}, "COLUMN_MISSING"),
    ],
)
def test_a_mapping_that_cannot_work_is_refused(columns: dict[str, str], reason: str) -> None:
    with pytest.raises(ServiceError) as refused:
        imports.require_mapping(columns)
    assert refused.value.reason == reason


def test_a_birthday_on_29_february_needs_no_year() -> None:
    require_day(0, 2, 29, "date")
    require_day(2024, 2, 29, "date")


@pytest.mark.parametrize("day", [(2026, 2, 29), (0, 2, 30), (0, 13, 1), (0, 0, 0), (-1, 1, 1)])
def test_a_day_that_no_calendar_has_is_refused(day: tuple[int, int, int]) -> None:
    with pytest.raises(ServiceError, match="calendar"):
        require_day(*day, "date")


@pytest.mark.parametrize("paths", [[], ["source"], ["given_name", "etag"]])
def test_a_mask_names_fields_that_can_be_changed(paths: list[str]) -> None:
    with pytest.raises(ServiceError) as refused:
        require_updatable(paths)
    assert refused.value.reason == "FIELD_UNKNOWN"


def client(client_id: str, given_name: str = "", family_name: str = "") -> Client:
    now = datetime(2026, 1, 1, tzinfo=UTC)
    return Client(client_id, given_name, family_name, "", "", "sto_1", "", "", "", 1, now, now)


def test_whoever_has_both_contacts_goes_before_whoever_has_one() -> None:
    both, one = client("cli_both"), client("cli_one")
    assert captures.choose([(one, 1), (both, 2)], "") is both


def test_an_exact_name_decides_about_a_shared_phone() -> None:
    ana, ben = client("cli_ana", "Ana", "Diaz"), client("cli_ben", "Ben", "Diaz")
    assert captures.choose([(ana, 1), (ben, 1)], " ben  DIAZ ") is ben


def test_without_a_name_a_shared_phone_stays_open() -> None:
    with pytest.raises(captures.ClientAmbiguous) as refused:
        captures.choose([(client("cli_a", "Ana"), 1), (client("cli_b", "Ben"), 1)], "")
    assert refused.value.metadata == {"client_ids": "cli_a,cli_b"}


@pytest.mark.parametrize(
    ("value", "country", "number"),
    [
        ("(202) 555-0101", "US", "+12025550101"),
        ("+1 202 555 0101", "FR", "+12025550101"),
        ("02 99 00 12 34", "FR", "+33299001234"),
        ("12", "US", None),
        ("not a number", "US", None),
        ("", "US", None),
        ("202 555 0101", "", None),
    ],
)
def test_a_national_number_is_read_in_the_country_of_the_store(
    value: str, country: str, number: str | None
) -> None:
    assert e164(value, country) == number


@pytest.mark.parametrize(
    ("quantity", "minor", "currency", "digits", "said"),
    [
        (1, 1177, "USD", 2, "Bought 1 piece for USD 11.77"),
        (2, 7700, "USD", 2, "Bought 2 pieces for USD 77.00"),
        (1, 50_000, "JPY", 0, "Bought 1 piece for JPY 50000"),
        (1, -5, "USD", 2, "Returned 1 piece for USD 0.05"),
    ],
)
def test_a_purchase_is_said_in_one_line(
    quantity: int, minor: int, currency: str, digits: int, said: str
) -> None:
    assert purchase_summary(quantity, minor, currency, digits) == said


@settings(max_examples=50)
@given(st.dates(date(1950, 1, 1), date(2026, 3, 9)))
def test_a_day_stands_on_the_timeline_on_that_day(day: date) -> None:
    now = datetime(2026, 3, 10, 17, tzinfo=UTC)
    moment = moment_of(day, "America/New_York", now=now)
    assert moment.date() == day
    assert moment <= now


def test_the_time_of_a_viewing_is_said_as_at_the_store() -> None:
    assert said_time(datetime(2026, 3, 10, 16, tzinfo=UTC), "America/New_York") == "Tue 10 Mar 2026, 12:00"


@given(count=st.integers(0, 5000), targets=st.integers(1, 100), batch=st.integers(1, 700))
def test_a_book_is_spread_evenly_and_in_batches_as_at_once(count: int, targets: int, batch: int) -> None:
    spreading = Spreading("asc_left", tuple(f"asc_{number}" for number in range(targets)))
    at_once = list(islice(targets_in_turn(spreading, moved=0), count))
    in_batches = [
        target
        for moved in range(0, count, batch)
        for target in islice(targets_in_turn(spreading, moved=moved), min(batch, count - moved))
    ]
    assert in_batches == at_once
    shares = dict(shares_of(spreading, count))
    assert shares == {target: at_once.count(target) for target in spreading.target_ids}
    assert max(shares.values()) - min(shares.values()) <= 1


def test_a_preview_is_named_by_everything_that_makes_a_difference() -> None:
    extent = BookExtent(2, "digest", "cli_2")
    spreadings = [
        Spreading("asc_1", ("asc_2", "asc_3")),
        Spreading("asc_1", ("asc_3", "asc_2")),
        Spreading("asc_1", ("asc_2", "asc_3"), "sto_1"),
        Spreading("asc_4", ("asc_2", "asc_3")),
        Spreading("asc_1", ("asc_2",)),
    ]
    etags = {preview_etag(spreading, extent) for spreading in spreadings}
    etags.add(preview_etag(spreadings[0], BookExtent(2, "another", "cli_2")))
    assert len(etags) == len(spreadings) + 1
