"""The generator as a whole: same seed same bytes, clear refusals, no partial output, every size from the smallest."""

from __future__ import annotations

import errno
import os
import shutil
import subprocess
import sys
import time
from collections import namedtuple
from datetime import date
from pathlib import Path

import pytest
from read_back import fingerprint

from onedata.simulate import PROFILES, SimulationSettings, deliver, run, simulate

SMALL = SimulationSettings(customers=120, days=3)
Usage = namedtuple("Usage", "total used free")


@pytest.fixture(scope="module")
def first(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("first") / "out"
    simulate(SMALL, out)
    return out


RUN = (
    "import sys; from pathlib import Path; from onedata.simulate import SimulationSettings, simulate; "
    "simulate(SimulationSettings(customers=120, days=int(sys.argv[2])), Path(sys.argv[1]))"
)


def test_same_seed_gives_the_same_bytes_and_times(first: Path, tmp_path: Path) -> None:
    simulate(SMALL, tmp_path / "b")
    assert fingerprint(first) == fingerprint(tmp_path / "b")


def test_another_seed_gives_another_retailer(first: Path, tmp_path: Path) -> None:
    simulate(SimulationSettings(customers=120, days=3, seed=8), tmp_path / "b")
    one, other = fingerprint(first), fingerprint(tmp_path / "b")
    # Not every file: the list of campaigns and a till on a quiet day may be the same.
    for feed in (
        "shop/orders/orders",
        "shop/events/events",
        "shop/customers/customers",
        "shop/prices/prices",
        "logistics/movements/movements",
    ):
        assert not {one[name][0] for name in one if feed in name} & {other[name][0] for name in other if feed in name}


@pytest.mark.parametrize("profile", sorted(PROFILES))
def test_a_longer_run_begins_with_the_same_nights(profile: str, tmp_path: Path) -> None:
    # From 29 May on: a month ends inside, and late records of the shorter run still have to come.
    start = date(2026, 5, 29)
    simulate(SimulationSettings(customers=200, days=4, start=start, profile=profile), tmp_path / "short")
    simulate(SimulationSettings(customers=200, days=11, start=start, profile=profile), tmp_path / "long")
    short, long = fingerprint(tmp_path / "short"), fingerprint(tmp_path / "long")
    people = {"truth/persons.parquet", "truth/identifiers.parquet", "truth/identifier_owners.parquet"}
    nightly = short.keys() - people - {"truth/totals.json"}
    assert {name: short[name] for name in nightly} == {name: long.get(name) for name in nightly}
    assert {name: short[name][0] for name in people} == {name: long[name][0] for name in people}
    nights = ("2026-05-29", "2026-05-30", "2026-05-31", "2026-06-01")
    assert {name for name in long if any(night in name for night in nights)} == nightly


def test_the_bytes_do_not_depend_on_the_number_of_threads(first: Path, tmp_path: Path) -> None:
    for threads in ("1", "2"):
        out = tmp_path / threads
        subprocess.run(
            [sys.executable, "-c", RUN, str(out), "3"], check=True, env=os.environ | {"POLARS_MAX_THREADS": threads}
        )
        assert fingerprint(out) == fingerprint(first)


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        ({"customers": 0}, "customers must be between 1"),
        ({"customers": 10**9}, "customers must be between 1"),
        ({"days": 0}, "days must be between 1"),
        ({"days": -3}, "got -3"),
        ({"days": 10**6}, "days must be between 1"),
        ({"seed": -1}, "seed must be between 0"),
        ({"seed": 2**63}, "seed must be between 0"),
        ({"orders_per_customer_day": 0.0}, "orders_per_customer_day must be above 0"),
        ({"orders_per_customer_day": -1.0}, "orders_per_customer_day must be above 0"),
        ({"orders_per_customer_day": float("nan")}, "orders_per_customer_day must be above 0"),
        ({"orders_per_customer_day": 21.0}, "at most 20"),
        ({"start": date(1970, 1, 1)}, "start must lie between"),
        ({"profile": "huge"}, "scale profile must be one of dense, retail, got 'huge'"),
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
    with pytest.raises(FileExistsError):
        simulate(SMALL, tmp_path / "notes.txt")
    assert (tmp_path / "notes.txt").read_text() == "mine"


def test_an_empty_folder_is_used(first: Path, tmp_path: Path) -> None:
    out = tmp_path / "deep" / "out"
    out.mkdir(parents=True)
    summary = simulate(SMALL, out)
    assert summary.truth == out / "truth"
    assert {path.name for path in out.iterdir()} == {"source", "truth"}
    assert [path.name for path in out.parent.iterdir()] == ["out"]
    assert fingerprint(out) == fingerprint(first)


def test_the_folder_one_stands_in_is_used(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    simulate(SimulationSettings(customers=10, days=1), Path())
    assert {path.name for path in tmp_path.iterdir()} == {"source", "truth"}


def test_too_small_a_disk_is_refused_before_anything_is_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shutil, "disk_usage", lambda _: Usage(10**9, 10**9, 1_000))
    with pytest.raises(OSError, match=r"0\.0 GB free, the simulation needs about .* fewer customers or days"):
        simulate(SMALL, tmp_path / "deep" / "out")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("after", [0, 40])
def test_a_disk_that_fills_up_leaves_nothing_behind(
    after: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    written = 0
    save = deliver.save_parquet

    def full(*given: object) -> None:
        nonlocal written
        written += 1
        if written > after:
            raise OSError(errno.ENOSPC, "No space left on device")
        save(*given)  # type: ignore[arg-type]

    monkeypatch.setattr(deliver, "save_parquet", full)
    (tmp_path / "empty").mkdir()
    for out in (tmp_path / "out", tmp_path / "empty"):
        with pytest.raises(OSError, match="No space left"):
            simulate(SMALL, out)
    assert written > after
    assert [path.name for path in tmp_path.rglob("*")] == ["empty"]


def test_what_is_expected_on_disk_is_about_what_is_written(tmp_path: Path) -> None:
    settings = SimulationSettings(customers=2_000, days=4)
    simulate(settings, tmp_path / "out")
    size = sum(path.stat().st_size for path in (tmp_path / "out").rglob("*") if path.is_file())
    assert size < run.expected_bytes(settings) < 4 * size


@pytest.mark.parametrize("profile", sorted(PROFILES))
def test_the_smallest_retailer_has_every_file(profile: str, tmp_path: Path) -> None:
    summary = simulate(SimulationSettings(customers=1, days=1, profile=profile), tmp_path / "out")
    names = {path.name for path in summary.source.rglob("*") if path.is_file()}
    assert {
        "orders_2026-01-05.jsonl",
        "poslog_2026-01-05_001.xml",
        "tickets_2026-01-05.csv",
        "inventory_2026-01-05.parquet",
    } <= names
    assert len(summary.rows) == 32
    assert summary.rows["logistics_inventory"] > 60


def test_one_customer_who_buys_all_day(tmp_path: Path) -> None:
    summary = simulate(SimulationSettings(customers=1, days=10, orders_per_customer_day=9.0), tmp_path / "out")
    assert summary.rows["shop_orders"] + summary.rows["pos_transactions"] > 30


def test_a_path_with_a_quote_is_written(tmp_path: Path) -> None:
    assert simulate(SMALL, tmp_path / "o'clock").source.is_dir()


def test_progress_is_told_after_each_night(tmp_path: Path) -> None:
    told: list[tuple[int, int, int]] = []
    summary = simulate(SMALL, tmp_path / "out", lambda *progress: told.append(progress))
    assert [(done, all_) for done, all_, _ in told] == [(1, 3), (2, 3), (3, 3)]
    assert told[0][2] < told[1][2] < told[2][2] == sum(summary.rows.values())


def test_files_carry_the_time_of_their_night(first: Path) -> None:
    # 02:00 in Shanghai, after the day is over.
    for path in first.rglob("*2026-01-06*"):
        assert path.stat().st_mtime == 1_767_722_400
    assert len(list(first.rglob("*2026-01-06*"))) > 40


def test_a_folder_that_is_named_like_a_run_and_is_none_stays(tmp_path: Path) -> None:
    """`.out-<number>` of a process that is gone, without a run's marker in it."""
    ended = subprocess.Popen([sys.executable, "-c", ""])
    ended.wait()
    own = tmp_path / f".out-{ended.pid}" / "photo"
    own.parent.mkdir()
    own.write_text("mine")
    simulate(SMALL, tmp_path / "out")
    assert own.read_text() == "mine"


@pytest.mark.parametrize("is_there", [False, True], ids=["a new folder", "an empty folder"])
def test_a_killed_run_leaves_nothing_that_stays_and_a_second_at_once_is_refused(
    is_there: bool, first: Path, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    if is_there:
        out.mkdir()
    endless = subprocess.Popen([sys.executable, "-c", RUN, str(out), "900"])
    try:
        until = time.monotonic() + 60
        while not any(tmp_path.rglob("orders_2026-01-06.jsonl")):
            assert time.monotonic() < until and endless.poll() is None
            time.sleep(0.05)
        with pytest.raises(FileExistsError, match=f"is being written by process {endless.pid}"):
            simulate(SMALL, out)
    finally:
        endless.kill()
        endless.wait()
    assert not (out / "source").exists()
    simulate(SMALL, out)
    assert fingerprint(out) == fingerprint(first)
    assert [path.name for path in tmp_path.iterdir()] == ["out"]
    assert {path.name for path in out.iterdir()} == {"source", "truth"}
