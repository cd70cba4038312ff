"""A file that changes while it is read: its hash and its rows would belong to different contents. It waits for the next
run, and other files land."""

from __future__ import annotations

import gzip
import io
import os
import time
import zipfile
from collections.abc import Callable
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Any

import openpyxl
import pytest
from formats import GOOD, encode, survey_contract
from small_retailer import HEADER, NEXT, NIGHT, SmallRetailer, assert_balanced, contract

from onedata.landing import Landed, land
from onedata.landing import land as land_module
from onedata.sources import SourceError

Retail = Callable[..., SmallRetailer]
Change = Callable[[], None]
ROW, MORE = "A1,O1,5,,", "A9,O9,1,,"


def when_staging(monkeypatch: pytest.MonkeyPatch, change: Change, after: bool = False) -> None:
    """Let somebody change the file once, after its content was hashed: before its rows are read, or after they were."""
    stage, calls = land_module.__globals__["stage"], []

    def disturbed(*given: Any) -> Any:
        staged = stage(*given) if after else None
        if not calls:
            calls.append(1)
            change()
        return staged if after else stage(*given)

    monkeypatch.setitem(land_module.__globals__, "stage", disturbed)


def appended(path: Path, row: str = MORE) -> Change:
    def change() -> None:
        with path.open("a") as stream:
            stream.write(row + "\n")

    return change


def swapped(path: Path, content: bytes) -> Change:
    """Another file takes its place by rename, of the same size; its time is another one."""

    def change() -> None:
        assert len(content) == path.stat().st_size
        fresh = path.with_name(".fresh")
        fresh.write_bytes(content)
        os.utime(fresh, ns=(time.time_ns(), path.stat().st_mtime_ns + 1_000_000))
        fresh.replace(path)

    return change


@pytest.fixture
def desks(retail: Retail) -> SmallRetailer:
    """Several files a night."""
    return retail(contract(path="survey/{ds}_*.csv", quarantineTolerance=1))


def put(desks: SmallRetailer, name: str, *rows: str) -> Path:
    return desks.put(f"survey/{NIGHT}_{name}.csv", "\n".join([HEADER, *rows]) + "\n")


@pytest.mark.parametrize("after", [False, True])
def test_a_file_that_grows_while_it_is_read_waits_and_the_others_land(
    desks: SmallRetailer,
    monkeypatch: pytest.MonkeyPatch,
    after: bool,
) -> None:
    growing = put(desks, "growing", ROW)
    put(desks, "whole", "A2,O2,4,,", "A3,O3,x,,")
    when_staging(monkeypatch, appended(growing), after)
    first = desks.take()
    assert first.landed.waiting == [f"survey/{NIGHT}_growing.csv"]
    assert first.counts == (2, 1, 1, 0)
    assert desks.rows("response_id") == [("A2",)]
    assert desks.files("path") == [(f"survey/{NIGHT}_whole.csv",)]
    assert not list(desks.settings.staged.rglob("*.parquet"))
    second = desks.take(NEXT)
    assert (second.landed.waiting, second.counts) == ([], (2, 2, 0, 0))
    assert desks.rows("response_id", order="1") == [("A1",), ("A2",), ("A9",)]
    assert desks.take(NEXT).landed.files == 0


def test_a_file_replaced_by_another_while_it_is_read_waits(
    desks: SmallRetailer,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    path = put(desks, "other", ROW)
    when_staging(monkeypatch, swapped(path, path.read_bytes().replace(b"A1,O1,5", b"B1,O1,4")))
    assert desks.take().landed.waiting == [f"survey/{NIGHT}_other.csv"]
    assert (desks.rows(), desks.files()) == ([], [])
    assert desks.take().counts == (1, 1, 0, 0)
    assert desks.rows("response_id, satisfaction") == [("B1", 4)]


def test_a_file_that_is_gone_while_it_is_read_waits(desks: SmallRetailer, monkeypatch: pytest.MonkeyPatch) -> None:
    path = put(desks, "gone", ROW)
    put(desks, "whole", "A2,O2,4,,")
    when_staging(monkeypatch, path.unlink, after=True)
    taken = desks.take()
    assert (taken.landed.waiting, taken.counts) == ([f"survey/{NIGHT}_gone.csv"], (1, 1, 0, 0))


def test_a_file_that_is_gone_between_listing_and_reading_waits(
    desks: SmallRetailer,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    path = put(desks, "gone", ROW)
    put(desks, "whole", "A2,O2,4,,")
    take = land_module.__globals__["arrivals"].hash_file

    def gone(file: Path) -> str:
        path.unlink(missing_ok=True)
        return str(take(file))

    monkeypatch.setattr("onedata.landing.files.hash_file", gone)
    taken = desks.take()
    assert (taken.landed.waiting, taken.counts) == ([f"survey/{NIGHT}_gone.csv"], (1, 1, 0, 0))


def test_rows_of_a_file_that_waits_are_no_duplicates_of_the_nights_after(
    survey: SmallRetailer,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Both nights land in one run: what the first read of the changing file is nothing the second is held against."""
    growing = survey.csv(ROW)
    survey.csv(ROW, "A2,O2,4,,", night=NEXT)
    when_staging(monkeypatch, appended(growing))
    assert survey.take(NEXT).counts == (2, 2, 0, 0)
    assert survey.take(NEXT).counts == (2, 1, 0, 1)
    assert survey.rows("response_id", order="1") == [("A1",), ("A2",), ("A9",)]


def test_a_repeat_that_still_grows_waits(survey: SmallRetailer, monkeypatch: pytest.MonkeyPatch) -> None:
    """A writer that has written the header so far: equal to a night without rows, and no repeat of it."""
    survey.csv()
    survey.take()
    growing = survey.csv(night=NEXT)
    when_staging(monkeypatch, appended(growing))
    assert survey.take(NEXT).landed.waiting == [f"survey/{NEXT}.csv"]
    assert survey.files("path") == [(f"survey/{NIGHT}.csv",)]
    monkeypatch.undo()
    assert survey.take(NEXT).counts == (1, 1, 0, 0)


@pytest.mark.parametrize("night", [NIGHT, NEXT])
def test_a_repeat_of_a_file_that_waits_waits_with_it(
    desks: SmallRetailer,
    monkeypatch: pytest.MonkeyPatch,
    night: date,
) -> None:
    """What it repeats has not landed, and may never: its rows would be in no delivery."""
    changing = put(desks, "a", ROW)
    copy = desks.put(f"survey/{night}_b.csv", changing.read_bytes())
    when_staging(monkeypatch, swapped(changing, changing.read_bytes().replace(b"A1", b"B1")))
    assert sorted(desks.take(NEXT).landed.waiting) == [
        f"survey/{NIGHT}_a.csv",
        f"survey/{night}_{copy.name.partition('_')[2]}",
    ]
    assert desks.files() == []
    assert desks.take(NEXT).counts == (2, 2, 0, 0)
    assert desks.rows("response_id", order="1") == [("A1",), ("B1",)]


def workbook(rows: int) -> bytes:
    book, stream = openpyxl.Workbook(), io.BytesIO()
    sheet = book.active
    assert sheet is not None
    sheet.append(HEADER.split(","))
    for number in range(rows):
        sheet.append([f"A{number}", f"O{number}", 5, "", ""])
    book.save(stream)
    return stream.getvalue()


def zipped(rows: int) -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        for number in range(rows):
            archive.writestr(f"{number}.csv", f"{HEADER}\nA{number},O{number},5,,\n")
    return stream.getvalue()


def gzipped(rows: int) -> bytes:
    return gzip.compress("\n".join([HEADER, *(f"A{number},O{number},5,," for number in range(rows))]).encode())


def document(rows: int) -> bytes:
    return encode("xml", [GOOD[number] for number in range(rows)])


PACKED = {
    "csv.zip": (contract(path="survey/{ds}.csv.zip"), zipped),
    "csv.gz": (contract(path="survey/{ds}.csv.gz"), gzipped),
    "xlsx": (contract(path="survey/{ds}.xlsx", kind="xlsx"), workbook),
    "xml": (survey_contract("xml"), document),
}


@pytest.mark.parametrize("kind", PACKED)
def test_a_file_that_is_unpacked_or_turned_into_another_form_waits_too(
    retail: Retail,
    monkeypatch: pytest.MonkeyPatch,
    kind: str,
) -> None:
    content, make = PACKED[kind]
    survey = retail(content)
    path = survey.put(f"survey/{NIGHT}.{kind}", make(1))
    when_staging(monkeypatch, lambda: path.write_bytes(make(2)) and None)
    taken = survey.take()
    assert [name.partition("!")[0] for name in taken.landed.waiting] == [f"survey/{NIGHT}.{kind}"]
    assert (survey.rows(), survey.files()) == ([], [])
    assert survey.take().counts == (2, 2, 0, 0)
    assert survey.take().landed.files == 0


@pytest.mark.parametrize(("kind", "whole"), [("csv.zip", zipped), ("csv.gz", gzipped), ("xlsx", workbook)])
def test_half_a_file_that_is_still_written_waits_and_closes_no_gate(
    retail: Retail, monkeypatch: pytest.MonkeyPatch, kind: str, whole: Callable[[int], bytes]
) -> None:
    """It cannot be unpacked to its end; as it has changed by then, that says nothing of the file."""
    survey = retail(PACKED[kind][0])
    path = survey.put(f"survey/{NIGHT}.{kind}", whole(2)[:-20])
    when_staging(monkeypatch, lambda: path.write_bytes(whole(2)) and None)
    taken = survey.take()
    assert (taken.landed.waiting, taken.closed) == ([f"survey/{NIGHT}.{kind}"], {})
    assert survey.quarantine() == []
    assert survey.take().counts == (2, 2, 0, 0)


def again(survey: SmallRetailer) -> Landed:
    return land(survey.con, survey.settings, survey.feed(), survey.retailer.policy, NEXT, [NIGHT])


def test_a_night_is_not_taken_anew_from_a_file_that_changes(
    survey: SmallRetailer,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    path = survey.csv(ROW)
    survey.take()
    before = survey.rows(), survey.files()
    path = survey.csv(ROW, "A2,O2,4,,")
    when_staging(monkeypatch, appended(path))
    with pytest.raises(
        SourceError,
        match=rf"survey/{NIGHT}.csv changed while it was read, so night {NIGHT} was not reloaded. Run again when",
    ):
        again(survey)
    monkeypatch.undo()
    assert survey.take(NEXT).landed.files == 1  # the run after takes what is new in the file, beside what is there
    assert_balanced(survey)
    assert survey.rows("response_id", order="1") == [("A1",), ("A2",), ("A9",)]
    assert (before[0][0] in survey.rows(), before[1][0] in survey.files()) == (True, True)


def settling(survey: SmallRetailer, seconds: float = 3600) -> SmallRetailer:
    return replace(survey, retailer=replace(survey.retailer, settings=replace(survey.settings, settle_seconds=seconds)))


def test_a_young_file_waits_where_files_must_settle(survey: SmallRetailer) -> None:
    young, old = survey.csv(ROW, night=NEXT), survey.csv("A2,O2,4,,")
    os.utime(old, (time.time() - 7200, time.time() - 7200))
    taken = settling(survey).take(NEXT)
    assert (taken.landed.waiting, taken.counts) == ([f"survey/{NEXT}.csv"], (1, 1, 0, 0))
    os.utime(young, (time.time() - 7200, time.time() - 7200))
    assert settling(survey).take(NEXT).counts == (1, 1, 0, 0)


def test_nothing_has_to_settle_by_default(survey: SmallRetailer) -> None:
    survey.csv(ROW)
    assert survey.settings.settle_seconds == 0
    assert survey.take().landed.waiting == []


def test_a_time_far_ahead_is_another_clocks_and_not_a_young_file(survey: SmallRetailer) -> None:
    """Of a machine whose clock was put back by a year, every file would wait for a year."""
    ahead = survey.csv(ROW)
    os.utime(ahead, (time.time() + 365 * 86_400,) * 2)
    assert settling(survey).take().counts == (1, 1, 0, 0)


def test_a_night_is_not_taken_anew_from_a_file_that_must_settle(survey: SmallRetailer) -> None:
    survey.csv(ROW)
    survey.take()
    survey.csv("A2,O2,4,,")
    with pytest.raises(
        SourceError,
        match=rf"survey/{NIGHT}.csv was written less than 3600 s ago \(setting settle_seconds\), so night {NIGHT}",
    ):
        again(settling(survey))
    assert survey.rows("response_id") == [("A1",)]
