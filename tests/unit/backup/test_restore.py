"""A home is restored file by file as it was, or not at all; an interrupted restore is detected and can be resumed."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from kept_home import KEY, change, command, differences, killed_before_rename, tree

from onedata.backup.restore import restore
from onedata.backup.store import BackupError, object_file, read_backup
from onedata.backup.take import back_up
from onedata.ledger.manifest import digest
from onedata.retailer import Retailer
from onedata.settings import Settings
from onedata.warehouse.open import RESTORING

Kept = tuple[Retailer, Path, Path]


def nothing(text: str) -> None:
    del text


@pytest.fixture
def backed_up(kept: Retailer, tmp_path: Path) -> Kept:
    """The home, its back-up and the file of its key."""
    back_up(kept.settings, tmp_path / "to", tmp_path / "key", nothing)
    return kept, tmp_path / "to", tmp_path / "key"


def lost(kept: Retailer) -> Settings:
    """The machine is gone: the home with it."""
    shutil.rmtree(kept.settings.home)
    return kept.settings


def test_the_whole_machine_is_lost_and_comes_back(backed_up: Kept) -> None:
    kept, to, key = backed_up
    before = tree(kept.settings.home)
    assert {kind for kind, *_ in before.values()} == {"file", "folder", "link"}
    settings = lost(kept)
    ended = command(settings, "restore", str(to), "--key", str(key))
    assert ended.returncode == 0, ended.stderr
    assert "`onedata verify`" in ended.stdout
    assert tree(settings.home) == before
    assert differences(kept) == {}
    assert (settings.vault / "token.key").read_bytes() == KEY
    assert command(settings, "verify").returncode == 0


def test_a_back_up_after_a_restore_copies_nothing(backed_up: Kept) -> None:
    kept, to, key = backed_up
    restore(lost(kept), to, key, None, nothing)
    assert back_up(kept.settings, to, None, nothing).copied == 0


def test_a_home_may_come_back_at_another_place(backed_up: Kept, tmp_path: Path) -> None:
    kept, to, key = backed_up
    before = tree(kept.settings.home)
    elsewhere = replace(kept.settings, home=tmp_path / "another disk [1]" / "home")
    lost(kept)
    restore(elsewhere, to, key, None, nothing)
    assert tree(elsewhere.home) == before
    assert differences(replace(kept, settings=elsewhere)) == {}


def test_an_earlier_back_up_can_be_chosen(backed_up: Kept) -> None:
    kept, to, key = backed_up
    before = tree(kept.settings.home)
    change(kept.settings, "update ads.ads_payment_day set amount = amount + 1")
    back_up(kept.settings, to, None, nothing)
    later = tree(kept.settings.home)
    restore(lost(kept), to, key, 1, nothing)
    assert tree(kept.settings.home) == before != later
    restore(lost(kept), to, key, None, nothing)
    assert tree(kept.settings.home) == later
    with pytest.raises(BackupError, match="holds no back-up 7; it holds 1, 2"):
        restore(lost(kept), to, key, 7, nothing)


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (b"y" * 32, "is not the key of the vault"),
        (b"", "is not the key of the vault"),
        (KEY + b"\n", "is not the key of the vault"),
        (None, "there is no key"),
    ],
)
def test_another_key_is_refused_before_anything_is_written(
    backed_up: Kept, tmp_path: Path, content: bytes | None, why: str
) -> None:
    kept, to, _ = backed_up
    if content is not None:
        (tmp_path / "wrong").write_bytes(content)
    settings = lost(kept)
    with pytest.raises(BackupError, match=why):
        restore(settings, to, tmp_path / "wrong", None, nothing)
    assert not settings.home.exists()


def test_no_key_is_refused_and_told(backed_up: Kept) -> None:
    kept, to, _ = backed_up
    ended = command(lost(kept), "restore", str(to))
    assert ended.returncode == 2
    assert "give it with --key FILE" in ended.stderr
    assert not kept.settings.home.exists()


def test_a_home_that_holds_something_is_refused_and_left(backed_up: Kept) -> None:
    kept, to, key = backed_up
    before = tree(kept.settings.home)
    with pytest.raises(BackupError, match=r"holds dwd|holds lake.*move what is there away"):
        restore(kept.settings, to, key, None, nothing)
    assert tree(kept.settings.home) == before


def test_the_source_folder_may_lie_in_the_home(backed_up: Kept) -> None:
    kept, to, key = backed_up
    home = lost(kept).home
    (home / "retailer" / "source").mkdir(parents=True)
    (home / "retailer" / "source" / "a.csv").write_text("a", encoding="utf-8")
    restore(replace(kept.settings, source=home / "retailer" / "source"), to, key, None, nothing)
    assert (home / "retailer" / "source" / "a.csv").exists()
    assert differences(kept) == {}


def flipped(to: Path, sha256: str) -> None:
    content = bytearray(object_file(to, sha256).read_bytes())
    content[len(content) // 2] ^= 4
    object_file(to, sha256).write_bytes(content)


def cut(to: Path, sha256: str) -> None:
    os.truncate(object_file(to, sha256), 3)


def gone(to: Path, sha256: str) -> None:
    object_file(to, sha256).unlink()


@pytest.mark.parametrize("harm", [flipped, cut, gone])
def test_a_damaged_content_is_never_restored(backed_up: Kept, harm: Callable[[Path, str], None]) -> None:
    kept, to, key = backed_up
    file = next(file for file in read_backup(to).files if file.path.endswith(".record"))
    harm(to, file.sha256)
    settings = lost(kept)
    with pytest.raises(BackupError, match=rf"{file.path}.*damaged"):
        restore(settings, to, key, None, nothing)
    assert not settings.home.exists()


def test_a_damaged_index_names_the_one_before(backed_up: Kept) -> None:
    kept, to, key = backed_up
    change(kept.settings, "update ads.ads_payment_day set amount = amount + 1")
    back_up(kept.settings, to, None, nothing)
    index = to / "backups" / "000002.json"
    index.write_bytes(index.read_bytes()[:-9])
    with pytest.raises(BackupError, match=r"000002.json is damaged.*`--number 1`"):
        restore(lost(kept), to, key, None, nothing)
    restore(kept.settings, to, key, 1, nothing)
    assert differences(kept) == {}


def test_a_folder_that_is_no_back_up_is_refused(backed_up: Kept, tmp_path: Path) -> None:
    kept, _, key = backed_up
    with pytest.raises(BackupError, match="is no back-up"):
        restore(lost(kept), tmp_path, key, None, nothing)


@pytest.mark.parametrize("rename", [1, 20, "last"])
def test_a_killed_restore_is_seen_by_every_command_and_goes_on(backed_up: Kept, rename: int | str) -> None:
    kept, to, key = backed_up
    before = tree(kept.settings.home)
    settings = lost(kept)
    # The marker, a rename a file, and the key.
    number = rename if isinstance(rename, int) else len(read_backup(to).files) + 2
    assert killed_before_rename(settings, number, "restore", str(to), "--key", str(key))
    assert (settings.home / RESTORING).exists() == (number > 1)
    if rename == 20:
        for words in (["run"], ["backup", str(to)], ["verify"]):
            ended = command(settings, *words)
            assert ended.returncode == 2
            assert "half restored" in ended.stderr + ended.stdout, ended
        assert not settings.dagster_home.exists()
        shutil.rmtree(settings.published / "status", ignore_errors=True)  # a run that fails may tell so there
    ended = command(settings, "restore", str(to), "--key", str(key))
    assert ended.returncode == 0, ended.stderr
    assert ("going on with back-up 1" in ended.stderr) == (number > 1)
    assert tree(settings.home) == before
    assert differences(kept) == {}


def test_a_half_restored_home_is_not_mixed_with_another_back_up(backed_up: Kept) -> None:
    kept, to, key = backed_up
    change(kept.settings, "update ads.ads_payment_day set amount = amount + 1")
    back_up(kept.settings, to, None, nothing)
    settings = lost(kept)
    assert killed_before_rename(settings, 20, "restore", str(to), "--key", str(key), "--number", "1")
    with pytest.raises(BackupError, match=r"half restored from back-up 1 of .*`--number 1`"):
        restore(settings, to, key, None, nothing)


def test_a_file_that_a_killed_restore_cut_is_written_again(backed_up: Kept) -> None:
    kept, to, key = backed_up
    before = tree(kept.settings.home)
    settings = lost(kept)
    assert killed_before_rename(settings, 30, "restore", str(to), "--key", str(key))
    done = next(path for path in settings.home.rglob("*.parquet") if path.stat().st_size)
    done.write_bytes(b"half")
    restore(settings, to, key, None, nothing)
    assert tree(settings.home) == before


def test_a_half_restored_home_does_not_go_on_with_the_same_number_of_another_folder(
    backed_up: Kept, tmp_path: Path
) -> None:
    kept, to, key = backed_up
    settings = lost(kept)
    shutil.copytree(to, tmp_path / "other")
    assert killed_before_rename(settings, 20, "restore", str(to), "--key", str(key), "--number", "1")
    with pytest.raises(BackupError, match=r"half restored from back-up 1 of .*"):
        restore(settings, tmp_path / "other", key, 1, nothing)


def test_what_another_is_uploading_into_the_source_is_left(backed_up: Kept) -> None:
    kept, to, key = backed_up
    settings = lost(kept)
    upload = settings.home / "lake" / ".orders_2026-01-08.csv.new"
    assert killed_before_rename(settings, 20, "restore", str(to), "--key", str(key), "--number", "1")
    upload.write_text("x", encoding="utf-8")
    restore(settings, to, key, 1, nothing)
    assert upload.read_text(encoding="utf-8") == "x"


def test_a_damaged_content_is_told_before_anything_is_written_and_only_a_back_up_without_it_is_named(
    backed_up: Kept,
) -> None:
    kept, to, key = backed_up
    shared = next(file for file in read_backup(to, None).files if file.path.startswith("lake/ods") and file.bytes > 10)
    change(kept.settings, "update ads.ads_payment_day set amount = amount + 1")
    back_up(kept.settings, to, None, nothing)
    settings = lost(kept)
    flipped(to, shared.sha256)
    with pytest.raises(
        BackupError,
        match=r"no earlier back-up is without it.*the next `onedata backup` copies it again.*Nothing was written",
    ) as refused:
        restore(settings, to, key, None, nothing)
    assert "--number" not in str(refused.value)
    assert not settings.home.exists()


def test_a_damaged_content_that_was_moved_away_is_copied_anew(backed_up: Kept, tmp_path: Path) -> None:
    kept, to, key = backed_up
    file = next(file for file in read_backup(to, None).files if file.path.startswith("lake/ods") and file.bytes > 10)
    flipped(to, file.sha256)
    object_file(to, file.sha256).rename(tmp_path / "damaged")
    back_up(kept.settings, to, None, nothing)
    settings = lost(kept)
    restore(settings, to, key, None, nothing)
    assert digest(settings.home / file.path) == file.sha256
