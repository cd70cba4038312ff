"""A PostgreSQL table is read by its watermark: no row is lost or counted twice, and errors name server, table and
column."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest
from servers import PASSWORD, Postgres
from small_retailer import NEXT, NIGHT, Machine, SmallRetailer

from onedata.landing import land
from onedata.landing.files import discover, take
from onedata.sources import SourceError

Retail = Callable[..., SmallRetailer]


def add(postgres: Postgres, *answers: tuple[str, str | None], score: int = 5) -> None:
    """Answers as (id, updated_at)."""
    moments = [(name, f"'{moment}'" if moment else "null") for name, moment in answers]
    rows = ", ".join(
        f"('{name}', 'O{name}', {score}, null, '2026-01-05 10:00+00', {moment})" for name, moment in moments
    )
    postgres.sql(
        f"insert into answers values {rows} on conflict (id) do update set score = excluded.score, "
        "updated_at = excluded.updated_at"
    )


@pytest.fixture
def shop(postgres: Postgres, retail: Retail) -> SmallRetailer:
    return retail(postgres.contract(watermark="updated_at", quarantineTolerance=1.0))


def accepted(shop: SmallRetailer) -> list[str]:
    return [row[0] for row in shop.rows("response_id", order="response_id, satisfaction")]


def test_each_night_reads_what_changed_since_the_last(postgres: Postgres, shop: SmallRetailer) -> None:
    add(postgres, ("A1", "2026-01-05 10:00+00"), ("A2", "2026-01-05 11:00+00"))
    assert shop.take(NIGHT).counts == (2, 2, 0, 0)
    add(postgres, ("A3", "2026-01-06 09:00+00"))
    assert shop.take(NEXT).counts == (2, 1, 0, 1)  # A2 stands at the mark and is read again
    assert accepted(shop) == ["A1", "A2", "A3"]


def test_each_night_goes_on_from_the_last_one_though_the_clock_went_back(
    postgres: Postgres,
    shop: SmallRetailer,
    machine: Machine,
) -> None:
    for number, night in enumerate((NIGHT, NEXT, NEXT + timedelta(days=1))):
        add(postgres, (f"A{number}", f"2026-01-0{5 + number} 10:00+00"))
        assert shop.take(night).landed.received == (1 if number == 0 else 2), (
            "the new row, and the last one before again"
        )
        machine.put_back()
    marks = shop.con.execute("select ds from ops.watermark order by extracted_at").fetchall()
    assert [ds for (ds,) in marks] == [NIGHT, NEXT, NEXT + timedelta(days=1)]


def test_an_extract_is_a_delivered_file_in_the_ledger(postgres: Postgres, shop: SmallRetailer) -> None:
    add(postgres, ("A1", "2026-01-05 10:00+00"))
    shop.take()
    assert shop.files() == [("postgres:shopdb/public.answers@2026-01-05 10:00:00+00", "landed", 1, 1, 0, 0)]


def test_a_night_without_changes_delivers_nothing(postgres: Postgres, shop: SmallRetailer) -> None:
    add(postgres, ("A1", "2026-01-05 10:00+00"))
    assert shop.take(NIGHT).landed.files == 1
    assert shop.take(NEXT).landed.files == 0


def test_a_row_with_the_same_watermark_as_the_last_one_read_is_not_lost(
    postgres: Postgres, shop: SmallRetailer
) -> None:
    add(postgres, ("A1", "2026-01-05 10:00+00"))
    shop.take(NIGHT)
    add(postgres, ("A2", "2026-01-05 10:00+00"))
    shop.take(NEXT)
    assert accepted(shop) == ["A1", "A2"]


def test_a_changed_row_is_a_new_version(postgres: Postgres, shop: SmallRetailer) -> None:
    add(postgres, ("A1", "2026-01-05 10:00+00"), score=1)
    shop.take(NIGHT)
    add(postgres, ("A1", "2026-01-06 10:00+00"), score=2)
    shop.take(NEXT)
    assert [int(row[0]) for row in shop.rows("satisfaction", order="satisfaction")] == [1, 2]


def test_a_lookback_finds_a_row_that_was_committed_late(postgres: Postgres, retail: Retail) -> None:
    shop = retail(postgres.contract(watermark="updated_at", lookback="2 hours"))
    add(postgres, ("A1", "2026-01-05 10:00+00"))
    shop.take(NIGHT)
    add(postgres, ("A0", "2026-01-05 08:30+00"))
    shop.take(NEXT)
    assert accepted(shop) == ["A0", "A1"]


def test_a_landing_killed_before_it_is_booked_neither_loses_nor_doubles_rows(
    postgres: Postgres, shop: SmallRetailer
) -> None:
    add(postgres, ("A1", "2026-01-05 10:00+00"))
    shop.take(NIGHT)
    add(postgres, ("A2", "2026-01-06 10:00+00"))
    take(shop.con, shop.settings, shop.feed(), NEXT)  # all that a landing does before its one transaction
    add(postgres, ("A3", "2026-01-06 11:00+00"))
    assert shop.take(NEXT).counts == (3, 2, 0, 1)
    assert accepted(shop) == ["A1", "A2", "A3"]


def test_an_extract_without_a_mark_is_moved_aside(postgres: Postgres, shop: SmallRetailer) -> None:
    add(postgres, ("A1", "2026-01-05 10:00+00"))
    shop.take(NIGHT)
    (kept,) = (shop.settings.home / "extracts" / "survey").iterdir()
    stray = kept.parent / f"2026-01-06-{'0' * 64}.parquet"
    stray.write_bytes(b"of a killed run")
    shop.take(NEXT)
    assert list(kept.parent.glob("*.parquet")) == [kept]
    assert [path.read_bytes() for path in (kept.parent / ".orphans").rglob(stray.name)] == [b"of a killed run"]


def test_extracts_are_their_owners_alone(postgres: Postgres, shop: SmallRetailer) -> None:
    add(postgres, ("A1", "2026-01-05 10:00+00"))
    shop.take(NIGHT)
    assert (shop.settings.home / "extracts" / "survey").stat().st_mode & 0o077 == 0


def test_a_refused_delivery_is_extracted_anew_when_the_table_is_mended(postgres: Postgres, retail: Retail) -> None:
    shop = retail(postgres.contract(watermark="updated_at", quarantineTolerance=0.1))
    add(postgres, ("A1", "2026-01-05 10:00+00"), score=9)
    assert shop.take(NIGHT).closed
    add(postgres, ("A1", "2026-01-05 12:00+00"), score=4)
    assert shop.take(NIGHT).counts == (1, 1, 0, 0)


def test_an_older_extract_whose_night_is_forgotten_is_delivered_again(postgres: Postgres, shop: SmallRetailer) -> None:
    add(postgres, ("A1", "2026-01-05 10:00+00"))
    shop.take(NIGHT)
    add(postgres, ("A2", "2026-01-06 10:00+00"))
    shop.take(NEXT)
    shop.con.execute("update ops.delivery set status = 'refused' where ds = ?", [NIGHT])
    add(postgres, ("A1", "2026-01-06 11:00+00"), score=1)  # the first version is nowhere else any more
    shop.take(NEXT)
    assert [
        (row[0], int(row[1])) for row in shop.rows("response_id, satisfaction", order="response_id, satisfaction")
    ] == [("A1", 1), ("A1", 5), ("A2", 5)]


def test_rows_without_a_watermark_are_read_and_reported(postgres: Postgres, shop: SmallRetailer) -> None:
    add(postgres, ("A1", "2026-01-05 10:00+00"))
    shop.take(NIGHT)
    add(postgres, ("A2", None))
    shop.take(NEXT)
    assert accepted(shop) == ["A1", "A2"]
    ((_, kind, column, message),) = [drift for drift in shop.drifts() if drift[1] == "watermark_null"]
    assert (kind, column) == ("watermark_null", "updated_at")
    assert "1 rows of public.answers of server shopdb have no updated_at" in message


def test_a_table_that_was_restored_is_read_whole_and_reported(postgres: Postgres, shop: SmallRetailer) -> None:
    add(postgres, ("A1", "2026-01-05 10:00+00"))
    shop.take(NIGHT)
    postgres.sql("truncate answers")
    add(postgres, ("B1", "2026-01-03 10:00+00"))
    shop.take(NEXT)
    assert accepted(shop) == ["A1", "B1"]
    assert [drift[1] for drift in shop.drifts() if drift[1].startswith("watermark")] == ["watermark_backwards"]
    add(postgres, ("B2", "2026-01-04 10:00+00"))
    shop.take(NEXT)
    assert accepted(shop) == ["A1", "B1", "B2"]


def test_a_row_dated_in_the_future_hides_no_later_one(postgres: Postgres, shop: SmallRetailer) -> None:
    add(postgres, ("A1", "2999-01-01 00:00+00"), ("A2", "infinity"))
    shop.take(NIGHT)
    postgres.sql("insert into answers values ('A3', 'O3', 5, null, '2026-01-05 10:00+00', now())")
    shop.take(NEXT)
    assert accepted(shop) == ["A1", "A2", "A3"]


def test_a_table_without_a_watermark_is_read_whole(postgres: Postgres, retail: Retail) -> None:
    shop = retail(postgres.contract())
    add(postgres, ("A1", None))
    shop.take(NIGHT)
    add(postgres, ("A2", None))
    assert shop.take(NEXT).counts == (2, 1, 0, 1)


def test_numbers_keep_every_digit_and_times_are_utc(postgres: Postgres, shop: SmallRetailer) -> None:
    postgres.sql("alter table answers alter note type numeric using null")
    postgres.sql(
        "insert into answers values ('A1', 'O1', 5, 12345678901234567890.12345678901234567890, '2026-01-05 18:00+08', "
        "'2026-01-05 18:00+08')"
    )
    shop.take()
    assert shop.rows("comment, answered_at::varchar") == [
        ("12345678901234567890.12345678901234567890", "2026-01-05 10:00:00")
    ]


def test_a_new_watermark_is_offered_and_a_known_one_is_not(postgres: Postgres, shop: SmallRetailer) -> None:
    assert list(discover(shop.settings, shop.feed(), NIGHT)) == []
    add(postgres, ("A1", "2026-01-05 10:00+00"))
    (first,) = discover(shop.settings, shop.feed(), NIGHT)
    shop.take()
    assert (first.name, first.size, first.mtime_ns) in shop.files("path, size_bytes, mtime_ns")
    add(postgres, ("A2", "2026-01-05 11:00+00"))
    (second,) = discover(shop.settings, shop.feed(), NIGHT)
    assert second.name != first.name


def test_sql_in_a_value_is_a_value(postgres: Postgres, shop: SmallRetailer) -> None:
    postgres.sql(
        "insert into answers values ('A1', 'O1', 5, '''); drop table answers; --', '2026-01-05 10:00+00', "
        "'2026-01-05 10:00+00')"
    )
    shop.take()
    assert shop.rows("comment") == [("'); drop table answers; --",)]


def test_a_table_with_a_hostile_name_is_read(postgres: Postgres, retail: Retail) -> None:
    name = 'it\'s a "table"; drop'
    postgres.sql('alter table answers rename to "it\'s a ""table""; drop"')
    shop = retail(postgres.contract(table=name, watermark="updated_at"))
    postgres.sql(
        """insert into "it's a ""table""; drop"
        values ('A1', 'O1', 5, null, '2026-01-05 10:00+00', '2026-01-05 10:00+00')"""
    )
    assert shop.take().counts == (1, 1, 0, 0)


def refusal(shop: SmallRetailer) -> str:
    with pytest.raises(SourceError) as error:
        land(shop.con, shop.settings, shop.feed(), shop.retailer.policy, NIGHT)
    return str(error.value)


def test_a_missing_table_is_named_with_server_and_fix(postgres: Postgres, shop: SmallRetailer) -> None:
    postgres.sql("drop table answers")
    text = refusal(shop)
    assert "server shopdb" in text
    assert "there is no table public.answers. Check `schema` of the server and physicalName" in text


def test_a_dropped_watermark_is_named_with_the_columns_there_are(postgres: Postgres, shop: SmallRetailer) -> None:
    postgres.sql("alter table answers drop updated_at")
    assert (
        "public.answers has no column 'updated_at', its watermark; it has id, order, score, note, answered"
        in refusal(shop)
    )


def test_a_dropped_column_refuses_the_extract_and_names_it(postgres: Postgres, shop: SmallRetailer) -> None:
    add(postgres, ("A1", "2026-01-05 10:00+00"))
    postgres.sql("alter table answers rename id to answer_id")
    assert shop.take().landed.quarantined == 1
    assert "column 'id' is missing" in shop.quarantine("reason")[0][0]
    postgres.sql("alter table answers rename answer_id to id")
    assert shop.take().counts == (1, 1, 0, 0)


def test_a_watermark_that_is_a_text_is_refused(postgres: Postgres, retail: Retail) -> None:
    assert "note is text; a watermark is a time or a whole number" in refusal(
        retail(postgres.contract(watermark="note"))
    )


def test_a_lookback_of_the_wrong_kind_is_refused(postgres: Postgres, retail: Retail) -> None:
    assert "lookback '5' does not go with updated_at" in refusal(
        retail(postgres.contract(watermark="updated_at", lookback=5))
    )


def test_a_wrong_password_is_told_without_any(shop: SmallRetailer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PGPASSWORD", "wrong secret")
    text = refusal(shop)
    assert (
        'password authentication failed for user "shop". Check host and port in the contract, and PGUSER, PGPASSWORD '
        "or ~/.pgpass." in text
    )
    assert "wrong secret" not in text
    assert PASSWORD not in text


def test_a_server_that_is_down_is_named(postgres: Postgres, retail: Retail) -> None:
    content = postgres.contract(watermark="updated_at")
    content["servers"][0]["port"] = 1
    text = refusal(retail(content))
    assert "server shopdb (127.0.0.1:1/" in text
    assert "Connection refused" in text


def test_a_password_in_pgpass_is_used(
    postgres: Postgres, shop: SmallRetailer, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    add(postgres, ("A1", "2026-01-05 10:00+00"))
    (tmp_path / "pgpass").write_text(f"127.0.0.1:{postgres.port}:*:shop:{PASSWORD}\n")
    (tmp_path / "pgpass").chmod(0o600)
    monkeypatch.delenv("PGPASSWORD")
    monkeypatch.setenv("PGPASSFILE", str(tmp_path / "pgpass"))
    assert shop.take().counts == (1, 1, 0, 0)
