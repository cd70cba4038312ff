"""Why a file cannot be written, reported with the file and the fix."""

from __future__ import annotations

import errno
import os
import sqlite3
from pathlib import Path

import duckdb
import pytest
from support import fill_disk, small_disk

from onedata.disk import obstacle, told, told_in, told_of


def test_a_folder_that_can_be_written_has_no_obstacle(tmp_path: Path) -> None:
    assert obstacle(tmp_path) is None
    assert obstacle(tmp_path / "not" / "there" / "yet") is None


def test_numbers_that_say_nothing_of_the_disk_are_not_told(tmp_path: Path) -> None:
    assert told(errno.ENOENT, tmp_path) is None
    assert told_in("Catalog Error: there is no table t", tmp_path) is None


@pytest.mark.parametrize(
    ("number", "text"),
    [
        (errno.ENOSPC, "no space is left on the disk of {file} ("),
        (errno.EDQUOT, "no space is left on the disk of {file} ("),
        (errno.EROFS, "{file} is on a disk that is mounted read-only"),
        (errno.EACCES, "has no right to {file} ({place} belongs to user {user}, mode "),
        (errno.EIO, "the disk fails to read or write {file} "),
    ],
)
def test_the_operating_systems_words_are_told_in_whatever_wraps_them(tmp_path: Path, number: int, text: str) -> None:
    file = tmp_path / "x.parquet"
    expected = text.format(file=file, place=tmp_path, user=tmp_path.stat().st_uid)
    assert expected in (told_in(f'IO Error: Could not write file "{file}": {os.strerror(number)}', tmp_path) or "")
    assert expected in (told_of(OSError(number, os.strerror(number), str(file)), tmp_path) or "")
    wrapped = RuntimeError("a library's words")
    wrapped.__cause__ = OSError(number, os.strerror(number), str(file))
    assert expected in (told_of(wrapped, tmp_path) or "")


def test_a_full_disk_is_told_whoever_meets_it(tmp_path: Path) -> None:
    with small_disk(tmp_path / "disk", 20) as folder:
        fill_disk(folder, 0)
        met: list[Exception] = []
        with pytest.raises(duckdb.IOException) as engine, duckdb.connect() as con:
            con.execute(f"copy (from range(100000)) to '{folder}/x.parquet'")
        met.append(engine.value)
        with pytest.raises(sqlite3.OperationalError) as lite, sqlite3.connect(folder / "x.db") as book:
            book.execute("create table t (a)")
        met.append(lite.value)
        with pytest.raises(OSError, match="No space") as plain:
            (folder / "x.txt").write_bytes(bytes(10_000))
        met.append(plain.value)
        for error in met:
            assert "no space is left on the disk of " in (told_of(error, folder) or ""), error
            assert str(folder) in (told_of(error, folder) or "")
        assert (obstacle(folder / "home") or "").startswith(
            f"no space is left on the disk of {folder / 'home'} (0 MB free): free some, then run again"
        )
