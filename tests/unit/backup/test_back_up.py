"""A back-up contains the home but never its key, copies each content once, and is complete or does not count."""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
import time
from pathlib import Path

import duckdb
import pytest
from kept_home import KEY, change, command, killed_before_rename, tree
from support import REPOSITORY

from onedata.backup.contents import NOT_KEPT
from onedata.backup.restore import restore
from onedata.backup.store import BackupError, numbers, read_backup
from onedata.backup.take import Taken, back_up, back_up_held
from onedata.retailer import Retailer
from onedata.warehouse import WarehouseBusy, open_warehouse

SECOND_WRITER = "import duckdb, sys; duckdb.connect(sys.argv[1]); print('in')"


def nothing(text: str) -> None:
    del text


def taken(kept: Retailer, to: Path, key_to: Path | None = None) -> Taken:
    return back_up(kept.settings, to, key_to, nothing)


def objects(to: Path) -> dict[str, int]:
    """Name of every content in the folder to its inode and time of writing."""
    return {
        path.name: path.stat().st_ino * 10**20 + path.stat().st_mtime_ns
        for path in (to / "objects").rglob("*")
        if path.is_file()
    }


def second_writer(database: Path) -> bool:
    """Whether another process can open the warehouse for writing."""
    ended = subprocess.run(
        [sys.executable, "-c", SECOND_WRITER, str(database)], capture_output=True, text=True, check=False
    )
    assert ended.returncode == 0 or "lock" in ended.stderr, ended.stderr
    return ended.returncode == 0


def test_every_content_is_named_by_its_hash_and_the_index_names_every_file(kept: Retailer, tmp_path: Path) -> None:
    backup = taken(kept, tmp_path / "to").backup
    for name in objects(tmp_path / "to"):
        assert hashlib.sha256((tmp_path / "to" / "objects" / name[:2] / name).read_bytes()).hexdigest() == name
    home = kept.settings.home
    there = {
        path.relative_to(home).as_posix()
        for path in home.rglob("*")
        if path.is_file() and not path.is_symlink() and "current" not in path.parts
    }
    expected = {name for name in there if name.split("/")[0] not in NOT_KEPT and name != "vault/token.key"}
    assert {file.path for file in backup.files} == expected
    assert {name.split("/")[0] for name in expected} == {"lake", "warehouse", "vault", "published"}
    assert {(link.path, link.target) for link in backup.links} >= {("published/current", "publications/000001")}


def test_the_key_is_nowhere_in_the_back_up(kept: Retailer, tmp_path: Path) -> None:
    vault = kept.settings.vault
    for name in (
        "token.key.bak",
        ".token.key.77.new",
    ):  # a person's copy, and what a kill may leave of the key's writing
        (vault / name).write_bytes(KEY)
    taken(kept, tmp_path / "to", tmp_path / "elsewhere.key")
    taken(kept, tmp_path / "to")
    files = [path for path in (tmp_path / "to").rglob("*") if path.is_file()]
    assert len(files) > 20
    forms = (KEY, KEY.hex().encode(), KEY.hex().upper().encode())
    assert [path for path in files if any(form in path.read_bytes() for form in forms)] == []
    assert (tmp_path / "elsewhere.key").read_bytes() == KEY  # the search would find it
    assert (tmp_path / "elsewhere.key").stat().st_mode & 0o777 == 0o600


def test_the_folder_for_the_key_is_made_or_refused_before_anything_is_written(kept: Retailer, tmp_path: Path) -> None:
    taken(kept, tmp_path / "to", tmp_path / "safe" / "in it" / "k.key")
    assert (tmp_path / "safe" / "in it" / "k.key").read_bytes() == (kept.settings.vault / "token.key").read_bytes()
    (tmp_path / "file").touch()
    with pytest.raises(
        BackupError, match=r"the folder .*file/safe for the key cannot be made .*no back-up was written"
    ):
        taken(kept, tmp_path / "other", tmp_path / "file" / "safe" / "k.key")
    assert not (tmp_path / "other").exists()


def test_without_key_to_the_place_of_the_key_is_told(kept: Retailer, tmp_path: Path) -> None:
    said: list[str] = []
    back_up(kept.settings, tmp_path / "to", None, said.append)
    assert any(str(kept.settings.vault / "token.key") in text and "not in the back-up" in text for text in said)


@pytest.mark.parametrize(
    ("where", "why"),
    [("to/key", "protects nothing"), ("world/home/key", "lost with the home"), ("other", "something else")],
)
def test_a_place_for_the_key_that_keeps_it_not_apart_is_refused(
    kept: Retailer, tmp_path: Path, where: str, why: str
) -> None:
    (tmp_path / "other").write_bytes(b"something else")
    with pytest.raises(BackupError, match=why):
        taken(kept, tmp_path / "to", tmp_path / where)
    assert (tmp_path / "other").read_bytes() == b"something else"
    assert not (tmp_path / "to").exists()


def test_only_the_back_ups_owner_can_read_it(kept: Retailer, tmp_path: Path) -> None:
    taken(kept, tmp_path / "to")
    assert {oct(path.stat().st_mode & 0o077) for path in (tmp_path / "to").rglob("*") if path.name != ".lock"} == {
        "0o0"
    }


def test_a_second_back_up_copies_nothing_that_is_there(kept: Retailer, tmp_path: Path) -> None:
    first = taken(kept, tmp_path / "to")
    before = objects(tmp_path / "to")
    second = taken(kept, tmp_path / "to")
    assert first.copied == len(before)
    assert (second.copied, second.copied_bytes) == (0, 0)
    assert objects(tmp_path / "to") == before
    assert [file.sha256 for file in second.backup.files] == [file.sha256 for file in first.backup.files]


def test_a_file_of_the_lake_is_not_even_read_again(kept: Retailer, tmp_path: Path) -> None:
    taken(kept, tmp_path / "to")
    files = [path for path in (kept.settings.lake / "ods").rglob("*.parquet") if "_schema" not in path.parts[-3]]
    for path in files:
        os.utime(path, (1_000_000_000, 1_000_000_000))
    opened = (
        "import os, sys; log = open(sys.argv.pop(1), 'a'); sys.addaudithook(lambda event, args: event == 'open' "
        "and log.write(f'{args[0]}\\n'))\n"
    )
    site = tmp_path / "site"
    site.mkdir()
    (site / "sitecustomize.py").write_text(
        opened.replace("sys.argv.pop(1)", repr(str(tmp_path / "opened"))), encoding="utf-8"
    )
    ended = command(kept.settings, "backup", str(tmp_path / "to"), PYTHONPATH=f"{site}:{REPOSITORY}")
    assert ended.returncode == 0, ended.stderr
    names = (tmp_path / "opened").read_text(encoding="utf-8").splitlines()
    assert any(name.endswith("warehouse/onedata.duckdb") for name in names)  # by the child that copies: the log sees it
    assert [name for name in names if name.endswith(".parquet") and "/lake/" in name] == []


def test_what_a_night_has_added_is_copied_and_the_older_back_up_stays(kept: Retailer, tmp_path: Path) -> None:
    first = taken(kept, tmp_path / "to").backup
    change(kept.settings, "update ads.ads_payment_day set amount = amount + 1")
    second = taken(kept, tmp_path / "to")
    assert second.copied == 1
    assert numbers(tmp_path / "to") == [1, 2]
    assert read_backup(tmp_path / "to", 1) == first


def test_no_second_writer_gets_in_while_the_warehouse_is_copied_or_after(kept: Retailer, tmp_path: Path) -> None:
    database = kept.settings.warehouse
    with open_warehouse(kept.settings) as con:
        assert not second_writer(database)
        back_up_held(con, kept.settings, tmp_path / "to", nothing)
        assert not second_writer(database)
        with database.open("rb"):
            pass  # what the back-up must not do: it lets a second writer in
        assert second_writer(database)


def test_no_second_writer_gets_in_midway(kept: Retailer, tmp_path: Path) -> None:
    """Stopped before each of its renames in turn, the back-up still holds the lock."""
    hook = (
        "import os, sys, time\n"
        "def wait(event, args):\n"
        "    if event == 'os.rename' and 'objects' in str(args[1]):\n"
        "        open('ready', 'a').write('x')\n"
        "        while os.path.getsize('ready') > os.path.getsize('go'): time.sleep(0.01)\n"
        "sys.addaudithook(wait)\n"
        "from onedata_assets.cli import main; main()"
    )
    folder = kept.settings.home.parent
    (folder / "go").touch()
    (folder / "ready").touch()
    environment = dict(os.environ) | kept.settings.environment()
    running = subprocess.Popen(
        [sys.executable, "-c", hook, "backup", str(tmp_path / "to")],
        env=environment,
        cwd=folder,
        stderr=subprocess.PIPE,
    )
    looked, until = 0, time.monotonic() + 240
    while running.poll() is None and time.monotonic() < until:
        waiting = (folder / "ready").stat().st_size
        if waiting > (folder / "go").stat().st_size:
            if waiting in (1, 10, 30):
                assert not second_writer(kept.settings.warehouse)
                looked += 1
            with (folder / "go").open("a") as stream:
                stream.write("x" * (waiting - (folder / "go").stat().st_size))
        time.sleep(0.005)
    assert running.returncode == 0, running.stderr.read() if running.stderr else ""
    assert looked == 3
    assert second_writer(kept.settings.warehouse)


def test_while_a_night_runs_the_back_up_waits_and_then_refuses(kept: Retailer, tmp_path: Path) -> None:
    with open_warehouse(kept.settings):
        ended = command(kept.settings, "backup", str(tmp_path / "to"))
    assert ended.returncode == 2
    assert "is being written by process" in ended.stderr
    assert not (tmp_path / "to").exists()


def test_of_two_back_ups_into_one_folder_one_refuses(kept: Retailer, tmp_path: Path) -> None:
    taken(kept, tmp_path / "to")
    with (tmp_path / "to" / ".lock").open() as stream:
        fcntl.flock(stream, fcntl.LOCK_EX)
        with pytest.raises(BackupError, match="another back-up is being written"):
            taken(kept, tmp_path / "to")
    assert numbers(tmp_path / "to") == [1]


@pytest.mark.parametrize("to", ["world/home", "world/home/lake/backup", "world", "world/link"])
def test_a_folder_in_the_home_or_around_it_is_refused(kept: Retailer, tmp_path: Path, to: str) -> None:
    (tmp_path / "world" / "link").symlink_to(kept.settings.home / "published")
    before = tree(kept.settings.home)
    with pytest.raises(BackupError, match="lie in one another"):
        taken(kept, tmp_path / to)
    assert tree(kept.settings.home) == before


def test_a_folder_that_holds_something_else_is_refused_and_left(kept: Retailer, tmp_path: Path) -> None:
    to = tmp_path / "to"
    (to / "photos").mkdir(parents=True)
    (to / "photos" / "a.jpg").write_bytes(b"jpg")
    with pytest.raises(BackupError, match="holds photos and no back-up"):
        taken(kept, to)
    assert [path.name for path in to.rglob("*")] == ["photos", "a.jpg"]


def test_a_folder_with_another_homes_back_ups_is_refused(kept: Retailer, tmp_path: Path) -> None:
    taken(kept, tmp_path / "to")
    with duckdb.connect(str(kept.settings.vault / "vault.duckdb")) as vault:
        vault.execute("update key_fingerprint set fingerprint = 'other'")
    with pytest.raises(BackupError, match="back-ups of another home"):
        taken(kept, tmp_path / "to")
    assert numbers(tmp_path / "to") == [1]


def test_a_lost_vault_is_not_backed_up_over_one_that_is_there(kept: Retailer, tmp_path: Path) -> None:
    taken(kept, tmp_path / "to")
    (kept.settings.vault / "vault.duckdb").unlink()
    with pytest.raises(BackupError, match="this home has none"):
        taken(kept, tmp_path / "to")


def test_a_file_of_the_lake_that_is_damaged_is_not_taken_for_good(kept: Retailer, tmp_path: Path) -> None:
    path = next(path for path in (kept.settings.lake / "ods").rglob("*.parquet") if "_schema" not in str(path))
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)
    with pytest.raises(BackupError, match=f"{path} has other content than was written"):
        taken(kept, tmp_path / "to")
    assert numbers(tmp_path / "to") == []
    path.unlink()
    with pytest.raises(BackupError, match=f"{path}.* is gone.*repair --from"):
        taken(kept, tmp_path / "to")


def test_a_symlink_that_leads_out_of_the_home_is_refused(kept: Retailer, tmp_path: Path) -> None:
    moved = tmp_path / "other-disk"
    shutil.move(kept.settings.lake / "_log", moved)
    (kept.settings.lake / "_log").symlink_to(moved)
    with pytest.raises(BackupError, match=f"_log is a symlink to {moved}"):
        taken(kept, tmp_path / "to")


def test_a_lake_on_another_disk_is_kept_whole(kept: Retailer, tmp_path: Path) -> None:
    first = taken(kept, tmp_path / "first").backup
    moved = tmp_path / "other-disk"
    shutil.move(kept.settings.lake, moved)
    kept.settings.lake.symlink_to(moved)
    assert [file.path for file in taken(kept, tmp_path / "to").backup.files] == [file.path for file in first.files]


def test_what_onedata_does_not_know_is_told_and_not_copied(kept: Retailer, tmp_path: Path) -> None:
    (kept.settings.home / "mine").mkdir()
    (kept.settings.home / "mine" / "key").write_bytes(KEY)
    said: list[str] = []
    backup = back_up(kept.settings, tmp_path / "to", None, said.append).backup
    assert any("onedata does not know it: mine" in text for text in said)
    assert [file.path for file in backup.files if "mine" in file.path] == []


def test_too_little_room_is_told_with_both_numbers_before_anything_is_copied(kept: Retailer, tmp_path: Path) -> None:
    small = tmp_path / "small"
    small.mkdir()
    if subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=256k", "tmpfs", str(small)], capture_output=True, check=False
    ).returncode:
        pytest.skip("THIS USER CANNOT MOUNT A SMALL DISK: what a full one does was not tested")
    try:
        with pytest.raises(
            BackupError, match=r"needs ([\d,]+) bytes and .*/small has ([\d,]+) free.*Nothing was copied"
        ) as refused:
            taken(kept, small)
        assert not (small / "objects").exists()
        needed, free = (
            int(text.replace(",", "")) for text in re.findall(r"[\d,]+(?= bytes| free)", str(refused.value))[:2]
        )
        assert needed > 10**6 > free > 0
    finally:
        subprocess.run(["umount", str(small)], check=True)


def test_no_night_has_run(kept: Retailer, tmp_path: Path) -> None:
    kept.settings.warehouse.unlink()
    with pytest.raises(BackupError, match="there is no warehouse"):
        taken(kept, tmp_path / "to")
    assert not kept.settings.warehouse.exists()


@pytest.mark.parametrize("rename", [1, 2, 9, 25, "last"])
def test_a_killed_back_up_does_not_count_and_the_next_one_goes_on(
    kept: Retailer, tmp_path: Path, rename: int | str
) -> None:
    undisturbed = taken(kept, tmp_path / "undisturbed")
    # The marker, a rename a content, and the index.
    number = rename if isinstance(rename, int) else undisturbed.copied + 2
    to = tmp_path / "to"
    assert killed_before_rename(kept.settings, number, "backup", str(to))
    assert numbers(to) == []
    with pytest.raises(BackupError, match=r"has no complete back-up|is no back-up"):
        restore(kept.settings, to, None, None, nothing)
    left = set(objects(to)) if (to / "objects").exists() else set()
    again = taken(kept, to)
    assert again.copied == undisturbed.copied - len(left)
    assert set(objects(to)) == set(objects(tmp_path / "undisturbed"))
    assert again.backup.files == undisturbed.backup.files
    assert not (to / "incoming").exists()


def test_a_killed_second_back_up_leaves_the_first(kept: Retailer, tmp_path: Path) -> None:
    to = tmp_path / "to"
    first = taken(kept, to).backup
    change(kept.settings, "update ads.ads_payment_day set amount = amount + 1")
    assert killed_before_rename(kept.settings, 2, "backup", str(to))
    assert read_backup(to) == first


def test_a_damaged_index_is_told_and_left(kept: Retailer, tmp_path: Path) -> None:
    to = tmp_path / "to"
    taken(kept, to)
    index = to / "backups" / "000001.json"
    text = index.read_text(encoding="utf-8").replace('"mode": 384', '"mode": 438', 1)
    index.write_text(text, encoding="utf-8")
    assert json.loads(text)["number"] == 1
    said: list[str] = []
    assert back_up(kept.settings, to, None, said.append).backup.number == 2
    assert any(str(index) in text and "damaged" in text for text in said)


def test_a_half_restored_home_is_not_backed_up(kept: Retailer, tmp_path: Path) -> None:
    (kept.settings.home / ".restoring.json").write_text("{}", encoding="utf-8")
    with pytest.raises(WarehouseBusy, match="half restored"):
        taken(kept, tmp_path / "to")
