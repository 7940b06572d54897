"""Money, days, ids, page tokens and redaction at their edges."""

from datetime import date

import pytest
from google.type.date_pb2 import Date
from google.type.money_pb2 import Money
from hypothesis import given
from hypothesis import strategies as st

from chassis.errors import ServiceError
from chassis.ids import new_id
from chassis.paging import cut_page, decode_page_token, encode_page_token
from chassis.telemetry import redacted
from chassis.values import date_of, minor_of, money_of, parse_minor

CURRENCIES = st.sampled_from(["USD", "EUR", "JPY", "BHD"])


@given(minor=st.integers(-(10**15), 10**15), currency=CURRENCIES)
def test_money_survives_the_way_out_and_back(minor: int, currency: str) -> None:
    assert minor_of(money_of(minor, currency), "price") == (minor, currency)


@pytest.mark.parametrize(
    ("money", "field"),
    [
        (Money(currency_code="XQZ", units=1), "price.currency_code"),
        (Money(units=1), "price.currency_code"),
        (Money(currency_code="USD", units=1, nanos=-10_000_000), "price.nanos"),
        (Money(currency_code="USD", nanos=5_000_000), "price.nanos"),
        (Money(currency_code="JPY", units=1, nanos=10_000_000), "price.nanos"),
        (Money(currency_code="USD", nanos=1_000_000_000), "price.nanos"),
    ],
)
def test_money_that_is_none_is_refused_by_field(money: Money, field: str) -> None:
    with pytest.raises(ServiceError) as refused:
        minor_of(money, "price")
    assert refused.value.violations[0].field == field


@pytest.mark.parametrize(
    ("text", "currency", "minor"),
    [
        ("11.77", "USD", 1177),
        (" 12 ", "USD", 1200),
        ("-3.5", "EUR", -350),
        ("100", "JPY", 100),
        ("0", "USD", 0),
    ],
)
def test_amounts_in_text_become_minor_units(text: str, currency: str, minor: int) -> None:
    assert parse_minor(text, currency) == minor


@pytest.mark.parametrize("text", ["", "abc", "1,5", "NaN", "Infinity", "1e400", "1" * 30])
def test_text_that_is_no_amount_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="amount"):
        parse_minor(text, "USD")


def test_a_leap_day_is_a_day_in_leap_years_only() -> None:
    assert date_of(Date(year=2024, month=2, day=29), "date") == date(2024, 2, 29)
    with pytest.raises(ServiceError):
        date_of(Date(year=2025, month=2, day=29), "date")


def test_ids_are_ordered_by_time() -> None:
    made = [new_id("cli") for _ in range(3)]
    assert len(set(made)) == 3
    assert all(len(one) == 30 and one.startswith("cli_") for one in made)


SORT_KEYS = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"))


@given(key=st.tuples(SORT_KEYS, st.integers(-(2**53), 2**53)))
def test_a_page_token_gives_its_key_back(key: tuple[str, int]) -> None:
    assert decode_page_token(encode_page_token(*key), str, int) == key


@pytest.mark.parametrize(
    "token",
    [
        "x",
        "!!!",
        encode_page_token("only one"),
        encode_page_token(1, "wrong order"),
        encode_page_token("a\0", 1),
        encode_page_token("\ud800", 1),
    ],
)
def test_a_made_up_page_token_is_refused(token: str) -> None:
    with pytest.raises(ServiceError) as refused:
        decode_page_token(token, str, int)
    assert refused.value.violations[0].field == "page_token"


def test_the_last_page_has_no_token() -> None:
    assert cut_page([1, 2], 2, lambda row: (row,)) == ([1, 2], "")
    page, token = cut_page([1, 2, 3], 2, lambda row: (row,))
    assert (page, decode_page_token(token, int)) == ([1, 2], (2,))


@pytest.mark.parametrize(
    "text",
    [
        "call +12025550101 now",
        "Key (phone)=(+1 202-555-0101) exists",
        "(202) 555-0101",
        "+44 20 7946 0101",
        "ana.lopez+vip@example.com wrote",
    ],
)
def test_what_looks_personal_does_not_reach_the_log(text: str) -> None:
    assert "[redacted]" in redacted(text)
    assert "0101" not in redacted(text)
    assert "@" not in redacted(text)


def test_a_row_that_postgres_quotes_does_not_reach_the_log() -> None:
    said = redacted(
        "violates check constraint\nDETAIL:  Failing row contains (msg_1, see you at noon).\nmore"
    )
    assert said == f"violates check constraint\nDETAIL:  {'[redacted]'}\nmore"


def test_ids_and_figures_stay_readable_in_the_log() -> None:
    assert (
        redacted("cli_01jd8x9y2kq3v5w7 took 12.5 s, 69659 rows")
        == "cli_01jd8x9y2kq3v5w7 took 12.5 s, 69659 rows"
    )
