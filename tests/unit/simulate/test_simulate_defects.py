"""Defects on a synthetic feed: the requested number, exactly where the flags say, no lost rows, and reproducible by
seed."""

from __future__ import annotations

import math
from decimal import Decimal

import numpy as np
import polars as pl
import pytest

from onedata.simulate.damage import DAY_US, DefectMaker
from onedata.simulate.defects import FILE_KINDS, FLAGS, SKEW, Feed, Target
from onedata.simulate.draws import Draws
from onedata.simulate.shares import KINDS, MEANINGS, DefectRates

ROWS = 2_000
NAMES = ["张伟", "Müller", "Li", "北京市朝阳区", "Jürgen Groß"]
TARGETS = (
    Target("correction", "price", pl.lit("1.00"), "price is too low", "superseded", version="updated_at"),
    Target("clock_skew", "at", pl.col("at"), "the clock is wrong", "accept"),
    Target("clock_skew", "updated_at", pl.col("updated_at") + SKEW, "the clock is wrong", "accept"),
    Target("bad_type", "quantity", pl.lit("two"), 'quantity is the word "two"', "quarantine", feed="made_up_lines"),
    Target("broken_key", "customer", pl.lit(None, pl.String), "customer is empty", "quarantine"),
    Target("impossible", "quantity", pl.lit(-40), "quantity is -40", "quarantine", only=pl.col("quantity") > 2),
    Target("bad_encoding", "name", pl.col("name"), "name is not UTF-8", "quarantine"),
)
FEED = Feed("made_up", TARGETS, optional="name", truncated="quarantine")


def frame_of(night: int, rows: int = ROWS) -> pl.DataFrame:
    """Records with unique keys in four files, no two alike; every fourth one changes on a later night."""
    number = pl.int_range(rows, dtype=pl.Int64, eager=True)
    return pl.DataFrame({"number": number}).select(
        pl.format("{}-{}", pl.lit(night), "number").alias("_key"),
        pl.col("number").alias("_person"),
        (pl.col("number") * 4 // max(rows, 1)).cast(pl.Int32).alias("_file"),
        (pl.col("number") % 4 == 0).alias("_will_change"),
        pl.Series("name", [NAMES[i % 5] for i in range(rows)], dtype=pl.String),
        pl.format("C{}", "number").alias("customer"),
        (pl.col("number") % 7).alias("quantity"),
        pl.lit("12.50").alias("price"),
        (night * DAY_US + pl.col("number") * 1_000_000).alias("at"),
        (night * DAY_US + pl.col("number") * 2_000_000).alias("updated_at"),
    )


def maker(rates: DefectRates, seed: int = 7, feed: Feed = FEED) -> DefectMaker:
    return DefectMaker(Draws(seed), rates, [feed])


def only(kind: str, rate: float = 0.2) -> DefectRates:
    return DefectRates.named("none", {kind: rate})


def as_given(written: pl.DataFrame, given: pl.DataFrame) -> pl.DataFrame:
    """The written records with the columns and types of the given ones."""
    return written.select(given.columns).cast(given.schema)


def near(count: float | Decimal, expected: float | Decimal) -> bool:
    return abs(float(count) - float(expected)) < 5 * math.sqrt(float(expected))


def test_rates_know_their_bounds_and_names() -> None:
    assert tuple(MEANINGS) == KINDS
    assert DefectRates.named("light", {"late": 0.05}).late == 0.05
    assert DefectRates.heavy().late == 5 * DefectRates.light().late
    assert all(DefectRates.none().of(kind) == 0 for kind in KINDS)
    for wrong in (-0.1, 0.51, float("nan")):
        with pytest.raises(ValueError, match=r"late must be between 0 and 0\.5"):
            DefectRates(late=wrong)
    with pytest.raises(ValueError, match="none, light, heavy, got 'huge'"):
        DefectRates.named("huge", {})
    with pytest.raises(ValueError, match=r"duplicate, overlap.*got lateness"):
        DefectRates.named("light", {"lateness": 0.1})


def test_a_target_says_what_it_lacks() -> None:
    with pytest.raises(ValueError, match="kind of a target"):
        Target("late", "price", pl.lit(1), "", "accept")
    with pytest.raises(ValueError, match="expected must be"):
        Target("bad_type", "price", pl.lit("x"), "", "rejected")
    with pytest.raises(ValueError, match="version time"):
        Target("correction", "price", pl.lit("x"), "", "superseded")
    with pytest.raises(ValueError, match="made_up, got 'other'"):
        maker(DefectRates.none()).apply("other", 0, frame_of(0))


@pytest.mark.parametrize("rows", [0, 1, ROWS])
def test_rate_zero_changes_nothing(rows: int) -> None:
    defects = maker(DefectRates.none())
    written = defects.apply("made_up", 3, frame_of(3, rows))
    assert written.drop(*FLAGS).equals(frame_of(3, rows))
    assert written.schema == frame_of(3, rows).schema | FLAGS
    assert written.select(set(FLAGS) - {"_due_night"}).null_count().sum_horizontal().item() == rows * 5
    assert (written["_due_night"] == 3).all()
    assert defects.still_held().is_empty()
    assert defects.file_defects("made_up", 3, 50).is_empty()


def test_a_copy_follows_its_record_or_ends_its_file() -> None:
    written = maker(only("duplicate")).apply("made_up", 0, frame_of(0))
    copies = written["_defect"].is_not_null()
    assert near(copies.sum(), 0.2 * ROWS)
    assert as_given(written.filter(~copies), frame_of(0)).equals(frame_of(0))
    assert written.filter(copies)["_expected"].unique().to_list() == ["duplicate"]
    assert written["_file"].is_sorted()
    at_once = written["_what"].str.contains("at once").fill_null(False)
    assert near(at_once.sum(), copies.sum() / 2)
    assert written["_key"].filter(at_once).equals(written["_key"].shift(1).filter(at_once))
    at_end = copies & ~at_once
    tail = written.with_row_index().filter(~at_end).group_by("_file").agg(pl.col("index").max().alias("last"))
    after = written.with_row_index().filter(at_end).join(tail, on="_file")
    assert after.height == at_end.sum()
    assert (after["index"] > after["last"]).all()
    data = frame_of(0).columns
    assert written.filter(copies).select(data).join(frame_of(0), on=data, how="anti", nulls_equal=True).is_empty()
    assert (
        not maker(only("duplicate"), feed=Feed("made_up", resent=False))
        .apply("made_up", 0, frame_of(0))["_defect"]
        .is_not_null()
        .any()
    )


@pytest.mark.parametrize(
    ("kind", "share", "delays", "expected"),
    [("late", 0.75, range(1, 22), "accept_late"), ("out_of_order", 0.25, range(2, 4), "superseded")],
)
def test_a_held_record_comes_unchanged_on_its_later_night(
    kind: str, share: float, delays: range, expected: str
) -> None:
    defects = maker(only(kind))
    first = defects.apply("made_up", 0, frame_of(0))
    held = defects.still_held()
    assert near(held.height, 0.2 * share * ROWS)
    assert held["_defect"].unique().to_list() == [kind]
    assert first["_defect"].null_count() == first.height == ROWS - held.height
    assert set(held["_key"]).isdisjoint(first["_key"])
    came = pl.concat([defects.apply("made_up", night, frame_of(night, 0)) for night in range(1, 23)])
    assert defects.still_held().is_empty()
    assert came.height == held.height
    assert (
        as_given(came, frame_of(0))
        .drop("_file")
        .join(frame_of(0).drop("_file"), on=frame_of(0).drop("_file").columns, how="anti")
        .is_empty()
    )
    assert came["_expected"].unique().to_list() == [expected]
    assert came["_due_night"].unique().to_list() == [0]
    nights = set(held["arrival_night"])
    assert nights <= set(delays)
    assert len(nights) >= 0.75 * len(delays)
    assert came["_will_change"].unique().to_list() == [kind == "out_of_order"]
    if kind == "late":
        assert near((held["arrival_night"] <= 2).sum(), 0.75 * held.height)
        assert came["_what"][0] == "the record comes 1 night after its own"
    assert maker(only(kind), feed=Feed("made_up", late=False)).apply("made_up", 0, frame_of(0)).height == ROWS


def test_a_correction_brings_the_right_value_with_a_later_version() -> None:
    defects = maker(only("correction"))
    first = defects.apply("made_up", 0, frame_of(0))
    wrong = first.filter(pl.col("_defect") == "correction")
    assert near(wrong.height, 0.2 * 0.75 * ROWS)
    assert (first["price"] == "1.00").equals(first["_defect"].is_not_null())
    assert wrong["_expected"].unique().to_list() == ["superseded"]
    assert wrong["_column"].unique().to_list() == ["price"]
    assert not wrong["_will_change"].any()
    later = pl.concat(
        [defects.apply("made_up", night, frame_of(night, 0)).with_columns(night=night) for night in range(1, 4)]
    )
    both = later.join(wrong, on="_key", suffix="_wrong")
    assert both.height == later.height == wrong.height
    assert (later["price"] == "12.50").all()
    assert later["_expected"].unique().to_list() == ["accept"]
    assert sorted(later["night"].unique()) == [1, 2, 3]
    assert (both["updated_at"] - both["updated_at_wrong"]).equals(
        both["night"].cast(pl.Int64) * DAY_US, check_names=False
    )
    assert both["at"].equals(both["at_wrong"], check_names=False)


def test_a_wrong_clock_is_minutes_to_hours_off() -> None:
    written = maker(only("clock_skew")).apply("made_up", 0, frame_of(0))
    assert near(written["_defect"].is_not_null().sum(), 0.2 * ROWS)
    for column in ("at", "updated_at"):
        off = (written[column] - frame_of(0)[column]) // 1_000_000
        assert (off != 0).equals((written["_column"] == column).fill_null(False), check_names=False)
        assert near((off != 0).sum(), 0.1 * ROWS)
        moved = off.filter(off != 0)
        assert moved.abs().min() >= 300  # type: ignore[operator]
        assert moved.abs().max() <= 10_800  # type: ignore[operator]
        assert near((moved > 0).sum(), moved.len() / 2)


@pytest.mark.parametrize(
    ("kind", "column", "value", "share"),
    [
        ("bad_type", "quantity", "two", 1.0),
        ("broken_key", "customer", None, 1.0),
        ("impossible", "quantity", "-40", 4 / 7),
    ],
)
def test_a_broken_value_stands_exactly_where_the_flags_say(
    kind: str, column: str, value: str | None, share: float
) -> None:
    written = maker(only(kind)).apply("made_up", 0, frame_of(0))
    flagged = written["_defect"].is_not_null()
    assert near(flagged.sum(), 0.2 * share * ROWS)
    assert (
        written[column]
        .cast(pl.String)
        .eq_missing(pl.Series([value], dtype=pl.String))
        .equals(flagged, check_names=False)
    )
    assert as_given(written.filter(~flagged), frame_of(0)).equals(frame_of(0).filter(~flagged))
    assert written.drop(column, *FLAGS).equals(frame_of(0).drop(column))
    assert written.filter(flagged)["_column"].unique().to_list() == [column]
    assert written.filter(flagged)["_broken_feed"].unique().to_list() == [
        "made_up_lines" if kind == "bad_type" else "made_up"
    ]
    if kind == "impossible":
        assert (frame_of(0).filter(flagged)["quantity"] > 2).all()


def test_a_value_that_stays_the_same_is_no_defect() -> None:
    feed = Feed("made_up", (Target("impossible", "quantity", pl.lit(3), "quantity is 3", "accept"),))
    written = maker(only("impossible", 0.5), feed=feed).apply("made_up", 0, frame_of(0))
    assert not frame_of(0).filter(written["_defect"].is_not_null())["quantity"].eq(3).any()
    assert written.schema["quantity"] == pl.Int64


def test_encode_breaks_exactly_the_flagged_lines() -> None:
    defects = maker(only("bad_encoding"))
    written = defects.apply("made_up", 0, frame_of(0)).with_columns(
        line=pl.concat_str(pl.lit('{"name":"'), "name", pl.lit('"}'))
    )
    flagged = written["_defect"] == "bad_encoding"
    assert near(flagged.fill_null(False).sum(), 0.2 * 0.8 * ROWS)
    lines = defects.encode(written, "line")
    assert lines.dtype == pl.Binary
    for raw, line, broken in zip(lines, written["line"], flagged, strict=True):
        assert raw.decode(errors="replace").count("\ufffd") > 0 if broken else raw == line.encode()
        assert not broken or raw.decode("gb18030" if max(line) > "ÿ" else "latin-1") == line
    with pytest.raises(ValueError, match="no text that could be written"):
        defects.encode(written.with_columns(line=pl.lit('{"name":"\\u00fc"}')), "line")


def test_text_that_is_utf8_in_the_other_encoding_too_is_not_chosen() -> None:
    assert "伟".encode("gb18030").decode() != "伟"
    written = maker(only("bad_encoding", 0.5)).apply("made_up", 0, frame_of(0).with_columns(name=pl.lit("伟")))
    assert written["_defect"].null_count() == ROWS


def test_nothing_is_lost_or_doubled_over_thirty_nights() -> None:
    rates = DefectRates.named("heavy", dict.fromkeys(KINDS, 0.04))
    defects = maker(rates)
    given = pl.concat([frame_of(night).with_columns(night=pl.lit(night, pl.Int64)) for night in range(30)])
    written = pl.concat(
        [
            defects.apply("made_up", night, frame_of(night)).with_columns(night=pl.lit(night, pl.Int64))
            for night in range(30)
        ]
    )
    held = defects.still_held()
    extra = (pl.col("_defect") == "duplicate") | (
        (pl.col("_defect") == "correction") & (pl.col("_expected") == "accept")
    )
    own = written.filter(~extra.fill_null(False))
    missing = held.filter(pl.col("_defect") != "correction")
    assert own["_key"].is_unique().all()
    assert pl.concat([own["_key"], missing["_key"]]).sort().equals(given["_key"].sort())
    sound = own.filter(pl.col("_defect").is_null() | pl.col("_expected").is_in(["accept_late"]))
    data = frame_of(0).drop("_file").columns
    assert as_given(sound, given.select(data)).join(given, on=data, how="anti").is_empty()
    assert own.filter(pl.col("_defect").is_null()).select((pl.col("_due_night") == pl.col("night")).all()).item()
    wrong = written.filter((pl.col("_defect") == "correction") & (pl.col("_expected") == "superseded"))["_key"]
    right = written.filter((pl.col("_defect") == "correction") & (pl.col("_expected") == "accept"))["_key"]
    assert pl.concat([right, held.filter(pl.col("_defect") == "correction")["_key"]]).sort().equals(wrong.sort())
    kinds = set(KINDS) - {"overlap", "test", *FILE_KINDS}
    assert set(written["_defect"].drop_nulls()) == kinds


def test_a_newer_version_of_a_held_record_is_left_alone() -> None:
    defects = maker(DefectRates.named("none", {"out_of_order": 0.5, "broken_key": 0.5}))
    defects.apply("made_up", 0, frame_of(0))
    held = defects.still_held()["_key"]
    newer = defects.apply("made_up", 1, frame_of(0).with_columns(_will_change=pl.lit(False)))
    assert newer.filter(pl.col("_key").is_in(held.implode()))["_defect"].null_count() == held.len() > 0
    assert newer["_defect"].null_count() < ROWS


def test_a_night_is_the_same_in_every_run_of_the_seed() -> None:
    rates = DefectRates.heavy()
    runs = [maker(rates), maker(rates), maker(rates, seed=8)]
    nights = [
        [run.apply("made_up", night, frame_of(night)) for night in range(days)]
        for run, days in zip(runs, (5, 9, 5), strict=True)
    ]
    assert all(short.equals(long) for short, long in zip(nights[0], nights[1], strict=False))
    assert not any(one.equals(other) for one, other in zip(nights[0], nights[2], strict=True))
    assert runs[0].file_defects("made_up", 4, 99).equals(runs[1].file_defects("made_up", 4, 99))


@pytest.mark.parametrize("rows", [10, 25, 60, 400])
def test_light_rates_stay_below_the_gate_on_small_nights(rows: int) -> None:
    defects = maker(DefectRates.light())
    nights = [defects.apply("made_up", night, frame_of(night, rows)) for night in range(150)]
    bad = [int((written["_expected"] == "quarantine").sum()) for written in nights]
    assert all(count <= 0.04 * written.height for count, written in zip(bad, nights, strict=True))
    assert (sum(bad) == 0) == (rows < 25)
    if rows == 400:
        assert near(sum(bad), 150 * rows * (0.001 + 0.0005 + 0.001 * 4 / 7 + 0.0005 * 0.8))


def test_rates_above_light_are_not_held_down() -> None:
    written = maker(only("bad_type")).apply("made_up", 0, frame_of(0, 20))
    assert (written["_expected"] == "quarantine").sum() > 0.04 * 20


def test_held_records_fit_a_night_with_other_columns() -> None:
    defects = maker(DefectRates.named("none", {"late": 0.5, "bad_type": 0.1}))
    defects.apply("made_up", 0, frame_of(0))
    other = frame_of(1).select(sorted(frame_of(1).columns, reverse=True)).drop("customer").with_columns(added=pl.lit(1))
    written = defects.apply("made_up", 1, other)
    assert written.columns == [*other.columns, "customer", *FLAGS]
    assert written.schema["quantity"] == pl.String
    late = written.filter(pl.col("_defect") == "late")
    assert late["added"].null_count() == late.height > 0
    assert late["customer"].null_count() == 0


def test_files_are_broken_one_way_each() -> None:
    rates = DefectRates.named("none", dict.fromkeys(FILE_KINDS, 0.2))
    broken = maker(rates).file_defects("made_up", 2, ROWS)
    assert broken.schema == {"file": pl.Int32, "kind": pl.String, "what": pl.String, "expected": pl.String}
    assert broken["file"].is_unique().all()
    counts = dict(broken["kind"].value_counts().iter_rows())
    assert near(counts["truncated"], 0.2 * ROWS)
    assert near(counts["unknown_column"], 0.2 * 0.8 * ROWS)
    assert near(counts["dropped_column"], 0.2 * 0.64 * ROWS)
    assert dict(broken.select("kind", "expected").unique().iter_rows()) == {
        "truncated": "quarantine",
        "unknown_column": "drift",
        "dropped_column": "drift",
    }
    assert "dropped_column" not in maker(rates, feed=Feed("made_up")).file_defects("made_up", 2, ROWS)["kind"]


def test_rates_are_split_among_targets() -> None:
    written = maker(only("clock_skew", 0.5)).apply("made_up", 0, frame_of(0))
    counts = np.array(written["_column"].drop_nulls().value_counts()["count"])
    assert len(counts) == 2
    assert all(near(int(count), 0.25 * ROWS) for count in counts)
