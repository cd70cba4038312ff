"""Durable files, and files moved aside."""

import os
import stat
from collections.abc import Callable
from pathlib import Path

import pytest

from onedata.durable import create_durably, make_folders, move_aside, name_durably, remove_listed, write_durably


def test_a_file_is_written_whole_and_private(tmp_path: Path) -> None:
    write_durably(tmp_path / "key", b"secret")
    assert (tmp_path / "key").read_bytes() == b"secret"
    assert stat.S_IMODE((tmp_path / "key").stat().st_mode) == 0o600
    assert [path.name for path in tmp_path.iterdir()] == ["key"]


def test_a_write_that_fails_leaves_the_old_content(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_durably(tmp_path / "state", "old")

    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", full)
    with pytest.raises(OSError, match="No space"):
        write_durably(tmp_path / "state", "new")
    assert (tmp_path / "state").read_text() == "old"


def test_a_file_is_created_only_where_there_is_none(tmp_path: Path) -> None:
    assert create_durably(tmp_path / "key", b"first")
    assert not create_durably(tmp_path / "key", b"second")
    assert (tmp_path / "key").read_bytes() == b"first"
    assert stat.S_IMODE((tmp_path / "key").stat().st_mode) == 0o600
    assert [path.name for path in tmp_path.iterdir()] == ["key"]


def test_a_name_that_is_taken_is_left_even_where_it_is_a_link_to_nothing(tmp_path: Path) -> None:
    (tmp_path / "key").symlink_to("nowhere")
    (tmp_path / "new").write_text("new")
    assert not name_durably(tmp_path / "new", tmp_path / "key")
    assert [path.name for path in tmp_path.iterdir()] == ["key"] and (tmp_path / "key").is_symlink()


@pytest.mark.parametrize("write", [write_durably, create_durably])
def test_a_second_name_that_a_killed_process_left_is_not_written_into(
    tmp_path: Path, write: Callable[[Path, bytes], object]
) -> None:
    create_durably(tmp_path / "key", b"kept")
    # Killed between link and unlink, by a process whose number comes again (in a container it always does).
    os.link(tmp_path / "key", tmp_path / f".key.{os.getpid()}.new")
    os.link(tmp_path / "key", tmp_path / "backup")
    write(tmp_path / "key", b"other")
    assert (tmp_path / "backup").read_bytes() == b"kept"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["backup", "key"]


def test_missing_folders_are_private(tmp_path: Path) -> None:
    make_folders(tmp_path / "a" / "b")
    assert [stat.S_IMODE((tmp_path / name).stat().st_mode) for name in ("a", "a/b")] == [0o700, 0o700]


def test_files_moved_aside_keep_their_place_and_what_lies_there(tmp_path: Path) -> None:
    for text in ("first", "second"):
        file = tmp_path / "lake" / "ods" / "x.parquet"
        make_folders(file.parent)
        file.write_text(text)
        move_aside([file], tmp_path / "lake", tmp_path / "aside")
    found = {path.name: path.read_text() for path in (tmp_path / "aside" / "ods").iterdir()}
    assert found == {"x.parquet": "first", "x.parquet.1": "second"}


def test_only_files_below_the_folder_are_removed_whatever_a_list_says(tmp_path: Path) -> None:
    folder, other = tmp_path / "aside", tmp_path / "lake"
    for path in (folder / "a" / "x", folder / "kept", other / "y"):
        make_folders(path.parent)
        path.write_text("content")
    (folder / "link").symlink_to(other)
    remove_listed(folder, ["a/x", "gone", "../lake/y", str(other / "y"), "link/y"])
    left = sorted(path.relative_to(tmp_path).as_posix() for path in tmp_path.rglob("*") if path.is_file())
    assert left == ["aside/kept", "lake/y"]
