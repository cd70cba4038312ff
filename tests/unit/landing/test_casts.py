"""The SQL of casts, value by value: what is right was worked out by hand."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date

import duckdb
import pytest

from onedata.contracts.model import ClockChange, ColumnType
from onedata.landing.casts import (
    Zone,
    date_from_text,
    decimal_from_text,
    double_from_text,
    engine_cast,
    instant_from_timestamp,
    integer_from_text,
    is_clock_change,
    local_shown,
    number_from_number,
    start_of_instant,
    unusual_instant,
    usual_instant,
    without_open_end,
)
from onedata.readers.digits import text_from_number

NIGHT = date(2026, 1, 5)
NEW_YORK = "America/New_York"


@pytest.fixture(scope="module")
def con() -> Iterator[duckdb.DuckDBPyConnection]:
    with duckdb.connect() as con:
        con.execute("set timezone = 'UTC'")
        yield con


def cast(con: duckdb.DuckDBPyConnection, sql: str, value: str | None, kind: str = "varchar") -> str | None:
    row = con.execute(f"select ({sql})::varchar from (select ?::{kind} as x)", [value]).fetchone()
    assert row is not None
    return None if row[0] is None else str(row[0])


def kept(con: duckdb.DuckDBPyConnection, sql: str, kind: ColumnType, value: str | None) -> str | None:
    """A cast from a column that holds DuckDB's own (`c`), as landing makes it."""
    row = con.execute(
        f"select ({sql})::varchar from (select x, {engine_cast('x', kind)} as c from (select ?::varchar as x))", [value]
    ).fetchone()
    assert row is not None
    return None if row[0] is None else str(row[0])


def instant(con: duckdb.DuckDBPyConnection, zone: Zone, text: str) -> str | None:
    """An instant, from columns as landing makes them: DuckDB's cast, that as a text, the usual way, and the start."""
    rows = f"select x, {engine_cast('x', 'timestamp')} as c from (select ?::varchar as x)"
    rows = f"select *, {usual_instant('x', zone, 'c', 's')} as u from (select *, {local_shown('c')} as s from ({rows}))"
    rows = f"select *, {start_of_instant('x', 'u')} as b from ({rows})"
    row = con.execute(f"select coalesce(u, {unusual_instant('x', 'b')})::varchar from ({rows})", [text]).fetchone()
    assert row is not None
    return None if row[0] is None else str(row[0])


@pytest.mark.parametrize(
    ("text", "right"),
    [
        ("12", "12"),
        ("-3", "-3"),
        ("+3", "3"),
        ("007", "7"),
        ("12.0", "12"),
        ("12.", "12"),
        ("5.000000000000000000", "5"),
        ("9223372036854775807", "9223372036854775807"),
        ("9223372036854775808", None),
        ("12.5", None),
        ("0.5", None),
        ("12.00000001", None),
        ("1e3", None),
        ("1.2E+17", None),
        ("0x1F", None),
        ("0b11", None),
        ("1_000", None),
        ("1,000", None),
        ("NaN", None),
        ("true", None),
        ("", None),
    ],
)
def test_an_integer_is_a_whole_number(con: duckdb.DuckDBPyConnection, text: str, right: str | None) -> None:
    assert cast(con, integer_from_text("x"), text) == right
    assert kept(con, integer_from_text("x", "c"), "integer", text) == right


@pytest.mark.parametrize(
    ("text", "right"),
    [
        ("2.5", "2.5000"),
        ("-0.1", "-0.1000"),
        (".5", "0.5000"),
        ("5.", "5.0000"),
        ("1.2345", "1.2345"),
        ("1.23450000", "1.2345"),
        ("99999999999999.9999", "99999999999999.9999"),
        ("1e3", "1000.0000"),
        ("1.5e2", "150.0000"),
        ("1E-4", "0.0001"),
        ("1.23456", None),
        ("0.00001", None),
        ("1E-5", None),
        ("100000000000000", None),
        ("1_0.5", None),
        ("NaN", None),
        ("Infinity", None),
        (".", None),
        ("-", None),
        ("2,5", None),
        ("20 USD", None),
    ],
)
def test_a_decimal_holds_every_digit_or_is_none(con: duckdb.DuckDBPyConnection, text: str, right: str | None) -> None:
    assert cast(con, decimal_from_text("x"), text) == right
    assert kept(con, decimal_from_text("x", "c"), "decimal", text) == right


@pytest.mark.parametrize(
    ("text", "right"),
    [("1.5", "1.5"), ("1e3", "1000.0"), ("nan", None), ("inf", None), ("-Infinity", None), ("1_0", None)],
)
def test_a_double_is_finite(con: duckdb.DuckDBPyConnection, text: str, right: str | None) -> None:
    assert cast(con, double_from_text("x"), text) == right
    assert kept(con, double_from_text("x", "c"), "double", text) == right


@pytest.mark.parametrize(
    ("value", "kind", "right"),
    [
        ("5678901234567", "double", "5678901234567"),
        ("1e15", "double", "1000000000000000"),
        ("9007199254740992", "double", "9007199254740992"),
        ("9007199254740994", "double", None),
        ("1.2e17", "double", None),
        ("12.5", "double", "12.5"),
        ("-0.0", "double", "0"),
        ("nan", "double", None),
        ("16777216", "float", "16777216"),
        ("33554432", "float", None),
        ("12", "decimal(18,2)", "12"),
        ("12.5", "decimal(18,2)", "12.50"),
        ("123456789012345678", "decimal(18,0)", "123456789012345678"),
        ("9007199254740993", "bigint", "9007199254740993"),
    ],
)
def test_a_number_that_names_something_is_its_digits(
    con: duckdb.DuckDBPyConnection, value: str, kind: str, right: str | None
) -> None:
    assert cast(con, text_from_number("x", kind.upper()), value, kind) == right


@pytest.mark.parametrize(
    ("text", "right"),
    [
        ("7.12345678", "7.12345678"),
        ("0.00000001", "0.00000001"),
        ("7.123456780", "7.12345678"),
        ("7", "7.00000000"),
        ("1E-8", "0.00000001"),
        ("9999999999.99999999", "9999999999.99999999"),
        ("7.123456789", None),
        ("10000000000", None),
        ("7,1", None),
    ],
)
def test_a_rate_holds_eight_decimals_or_is_none(con: duckdb.DuckDBPyConnection, text: str, right: str | None) -> None:
    assert cast(con, decimal_from_text("x", to="rate"), text) == right
    assert kept(con, decimal_from_text("x", "c", "rate"), "rate", text) == right


@pytest.mark.parametrize(
    ("value", "kind", "to", "right"),
    [
        ("7.12345678", "decimal(18,8)", "rate", "7.12345678"),
        ("7.123456789", "decimal(18,9)", "rate", None),
        ("1.23456", "decimal(18,5)", "decimal", None),
        ("1.23450", "decimal(18,5)", "decimal", "1.2345"),
        ("12.50", "decimal(18,2)", "integer", None),
        ("12.00", "decimal(18,2)", "integer", "12"),
        ("7", "bigint", "decimal", "7.0000"),
        ("18446744073709551615", "ubigint", "integer", None),
        ("nan", "double", "double", None),
        ("inf", "double", "double", None),
        ("2.5", "double", "double", "2.5"),
    ],
)
def test_a_number_of_a_typed_file_is_not_rounded(
    con: duckdb.DuckDBPyConnection, value: str, kind: str, to: str, right: str | None
) -> None:
    assert cast(con, number_from_number("x", kind.upper(), to), value, kind) == right  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("text", "right"),
    [
        ("2026-01-05", "2026-01-05"),
        ("2026/1/5", "2026-01-05"),
        ("2026-01-05 00:00", "2026-01-05"),
        ("2026-01-05 00:00:00", "2026-01-05"),
        ("2026-01-05T00:00:00.0", "2026-01-05"),
        ("2026-01-05 00:00:00Z", None),
        ("2026-01-05 00:00:00+08", None),
        ("2026-01-05 10:00", None),
        ("2026-01-05 00:00:01", None),
        ("2026-01-05 - 2026-01-09", None),
        ("2026-01-05 and more", None),
        ("2026-01-05 BC", None),
        ("2026-02-30", None),
        ("26-01-05", None),
        ("epoch", None),
        ("05/01/2026", None),
        ("46027", None),
    ],
)
def test_a_day_is_a_day_alone_or_with_midnight(con: duckdb.DuckDBPyConnection, text: str, right: str | None) -> None:
    assert cast(con, date_from_text("x"), text) == right
    assert kept(con, date_from_text("x", "c"), "date", text) == right


@pytest.mark.parametrize(
    ("text", "right"),
    [
        ("9999-12-31", None),
        ("9999-12-31 23:59:59", None),
        ("9999-12-31T00:00:00Z", None),
        ("9999-12-31 or so", "9999-12-31 or so"),
        ("9998-12-31", "9998-12-31"),
    ],
)
def test_an_open_end_is_no_value(con: duckdb.DuckDBPyConnection, text: str, right: str | None) -> None:
    assert cast(con, without_open_end("x"), text) == right


WITH_ZONE = [
    ("2026-01-05 10:00:00Z", "2026-01-05 10:00:00"),
    ("2026-01-05T10:00:00.5z", "2026-01-05 10:00:00.5"),
    ("2026-01-05 10:00:00 Z", "2026-01-05 10:00:00"),
    ("2026-01-05 10:00:00 UTC", "2026-01-05 10:00:00"),
    ("2026-01-05 10:00:00UTC", "2026-01-05 10:00:00"),
    ("2026-01-05 10:00:00 GMT", "2026-01-05 10:00:00"),
    ("2026-01-05 10:00:00+0000", "2026-01-05 10:00:00"),
    ("2026-01-05 10:00:00+00:00", "2026-01-05 10:00:00"),
    ("2026-01-05 10:00:00+08", "2026-01-05 02:00:00"),
    ("2026-01-05 10:00:00 +08:00", "2026-01-05 02:00:00"),
    ("2026-01-05 10:00:00-0500", "2026-01-05 15:00:00"),
    ("2026-01-05 10:00:00 Asia/Shanghai", "2026-01-05 02:00:00"),
    ("2026-01-05 10:00:00 America/New_York", "2026-01-05 15:00:00"),
    ("2026-11-01 01:30:00-04", "2026-11-01 05:30:00"),
    ("2026-11-01 01:30:00-05", "2026-11-01 06:30:00"),
    ("2026-01-05 10:00:00 CST", None),
    ("2026-01-05 10:00:00 UTC+8", None),
    ("2026-01-05 10:00:00+25:00", None),
    ("2026-01-05 10:00:00+800", None),
    ("2026-01-05 10:00:00 Nowhere/Here", None),
    # 01:30 comes twice, 02:30 never: the name of a zone does not tell which is meant.
    ("2026-11-01 01:30:00 America/New_York", None),
    ("2026-03-08 02:30:00 America/New_York", None),
    ("2026-01-05 10:00:00 PM", None),
    ("infinity", None),
    ("epoch", None),
    # DuckDB writes these like it, and they are no time that a till can mean.
    ("-infinity", None),
    ("2026-01-05 (BC) 10:00:00", None),
    ("12026-01-05 10:00:00", None),
    ("12026-01-05 10:00:00+00", None),
    # Only the usual marks are read without a pattern.
    ("2026-01-05 10:00:00+00:00", "2026-01-05 10:00:00"),
    ("2026-01-05 10:00:00.5+00", "2026-01-05 10:00:00.5"),
    ("2026-01-05 10:00:00-05", "2026-01-05 15:00:00"),
    ("2026-01-05 10:00:00+08:00", "2026-01-05 02:00:00"),
    ("2026-01-05 10:00:00+15", None),
    ("2026-01-05  10:00:00+00", None),
    ("\t2026-01-05 10:00:00Z", None),
]


@pytest.mark.parametrize("zone", ["UTC", NEW_YORK, "Asia/Shanghai"])
@pytest.mark.parametrize(("text", "right"), WITH_ZONE)
def test_an_offset_or_a_zone_is_understood_or_refused(
    con: duckdb.DuckDBPyConnection, text: str, right: str | None, zone: str
) -> None:
    assert instant(con, Zone(zone, "refuse", NIGHT), text) == right


@pytest.mark.parametrize("night", [NIGHT, date(2026, 7, 1), date(2026, 11, 1), date(2026, 3, 8), date(1999, 1, 1)])
@pytest.mark.parametrize(
    ("text", "earlier", "later"),
    [
        ("2026-01-05 10:00", "2026-01-05 15:00:00", "2026-01-05 15:00:00"),
        ("2026-07-01 10:00", "2026-07-01 14:00:00", "2026-07-01 14:00:00"),
        ("2026-03-08 01:59:59", "2026-03-08 06:59:59", "2026-03-08 06:59:59"),
        ("2026-03-08 02:30", "2026-03-08 06:30:00", "2026-03-08 07:30:00"),
        ("2026-03-08 03:00", "2026-03-08 07:00:00", "2026-03-08 07:00:00"),
        ("2026-11-01 00:59", "2026-11-01 04:59:00", "2026-11-01 04:59:00"),
        ("2026-11-01 01:30", "2026-11-01 05:30:00", "2026-11-01 06:30:00"),
        ("2026-11-01 02:00", "2026-11-01 07:00:00", "2026-11-01 07:00:00"),
        ("2026-11-02 02:00", "2026-11-02 07:00:00", "2026-11-02 07:00:00"),
        # Before 2007 the clocks changed on other days.
        ("1999-03-15 12:00", "1999-03-15 17:00:00", "1999-03-15 17:00:00"),
        ("1999-04-04 02:30", "1999-04-04 06:30:00", "1999-04-04 07:30:00"),
    ],
)
def test_a_change_of_clocks_is_read_as_the_contract_says(
    con: duckdb.DuckDBPyConnection, text: str, earlier: str, later: str, night: date
) -> None:
    def read(clock: ClockChange) -> str | None:
        return instant(con, Zone(NEW_YORK, clock, night), text)

    assert (read("earlier"), read("later")) == (earlier, later)
    assert read("refuse") == (earlier if earlier == later else None)
    changes = is_clock_change("try_cast(x as timestamp)", Zone(NEW_YORK, "refuse", night))
    assert cast(con, changes, text) == str(earlier != later).lower()
    kept = instant_from_timestamp("x", "TIMESTAMP", Zone(NEW_YORK, "later", night))
    assert cast(con, kept, text, "timestamp") == later


def test_a_zone_whose_clocks_change_at_midnight(con: duckdb.DuckDBPyConnection) -> None:
    # Brazil put its clocks forward at 00:00 on 4 November 2018 and back at 00:00 on 18 February 2018.
    zone = Zone("America/Sao_Paulo", "earlier", date(2018, 11, 4))
    read = {
        text: instant(con, zone, text)
        for text in ("2018-11-03 23:59", "2018-11-04 00:30", "2018-11-04 01:00", "2018-02-17 23:30", "2018-02-18 00:00")
    }
    assert read == {
        "2018-11-03 23:59": "2018-11-04 02:59:00",
        "2018-11-04 00:30": "2018-11-04 02:30:00",
        "2018-11-04 01:00": "2018-11-04 03:00:00",
        "2018-02-17 23:30": "2018-02-18 01:30:00",
        "2018-02-18 00:00": "2018-02-18 03:00:00",
    }
