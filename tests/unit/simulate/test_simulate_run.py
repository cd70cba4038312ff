"""The generator as a whole: same seed same bytes, clear refusals, nothing half written, the size that was asked for."""

from __future__ import annotations

import hashlib
from datetime import date
from pathlib import Path

import duckdb
import pytest

from onedata.simulate import SimulationSettings, run, simulate

SMALL = SimulationSettings(customers=120, days=3)


def fingerprint(folder: Path) -> dict[str, tuple[str, int]]:
    """Hash of the content and time of change of every file."""
    return {
        str(path.relative_to(folder)): (hashlib.sha256(path.read_bytes()).hexdigest(), path.stat().st_mtime_ns)
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def test_same_seed_gives_the_same_bytes_and_times(tmp_path: Path) -> None:
    first = simulate(SMALL, tmp_path / "a")
    second = simulate(SMALL, tmp_path / "b")
    assert fingerprint(tmp_path / "a") == fingerprint(tmp_path / "b")
    assert first.rows == second.rows
    assert first.defects == second.defects


def test_another_seed_gives_another_retailer(tmp_path: Path) -> None:
    simulate(SMALL, tmp_path / "a")
    simulate(SimulationSettings(customers=120, days=3, seed=8), tmp_path / "b")
    orders = "source/shop/orders/orders_2026-01-05.jsonl"
    assert fingerprint(tmp_path / "a")[orders] != fingerprint(tmp_path / "b")[orders]


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        ({"customers": 0}, "customers must be between 1"),
        ({"days": 0}, "days must be between 1"),
        ({"days": -3}, "got -3"),
        ({"seed": -1}, "seed must be between 0"),
        ({"orders_per_customer_day": 0.0}, "orders_per_customer_day must be above 0"),
        ({"orders_per_customer_day": float("nan")}, "orders_per_customer_day must be above 0"),
        ({"start": date(1970, 1, 1)}, "start must lie between"),
    ],
)
def test_nonsense_is_refused_in_words(arguments: dict[str, object], text: str) -> None:
    with pytest.raises(ValueError, match=text):
        SimulationSettings(**arguments)  # type: ignore[arg-type]


def test_no_order_lines_cannot_be_asked_for() -> None:
    with pytest.raises(ValueError, match="order_lines, customers and days must be at least 1"):
        SimulationSettings.for_order_lines(0, customers=10, days=1)


def test_a_folder_in_use_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("mine")
    with pytest.raises(FileExistsError, match="is not empty"):
        simulate(SMALL, tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["notes.txt"]


def test_an_empty_folder_is_used(tmp_path: Path) -> None:
    out = tmp_path / "deep" / "out"
    out.mkdir(parents=True)
    summary = simulate(SMALL, out)
    assert summary.truth == out / "truth"
    assert {path.name for path in out.iterdir()} == {"source", "truth"}


def test_a_failure_leaves_nothing_behind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> None:
        raise OSError("disk full")

    monkeypatch.setattr(run, "write_truth", fail)
    with pytest.raises(OSError, match="disk full"):
        simulate(SMALL, tmp_path / "out")
    assert list(tmp_path.iterdir()) == []


def test_the_smallest_retailer_has_every_file(tmp_path: Path) -> None:
    summary = simulate(SimulationSettings(customers=1, days=1), tmp_path / "out")
    assert (summary.source / "shop/orders/orders_2026-01-05.jsonl").exists()
    assert (summary.source / "pos/transactions/poslog_2026-01-05_001.xml").exists()
    assert summary.rows["logistics_inventory"] == 60 * 6


def test_a_path_with_a_quote_is_written(tmp_path: Path) -> None:
    assert simulate(SMALL, tmp_path / "o'clock").source.is_dir()


def test_about_as_many_order_lines_as_asked_for(tmp_path: Path) -> None:
    summary = simulate(SimulationSettings.for_order_lines(20_000, customers=2_000, days=7), tmp_path / "out")
    # The lines of an updated order come again: count each once.
    lines = duckdb.execute(
        f"select count(distinct (id, line.id)) from (select id, unnest(line_items) as line "
        f"from read_json('{summary.source}/shop/orders/*.jsonl', ignore_errors = true))"
    ).fetchone()
    assert lines is not None
    assert lines[0] + summary.rows["pos_transaction_lines"] == pytest.approx(20_000, rel=0.08)
