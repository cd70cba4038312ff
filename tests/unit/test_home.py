"""The data home is closed to others: new and existing files, links, foreign files, and the reader group."""

from __future__ import annotations

import grp
import os
import pwd
import shutil
import stat
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from support import as_nobody

from onedata.home import private_umask, secure_home, share_with_readers
from onedata.settings import Settings, SettingsError, load_settings

OLD_FILES = (
    "lake/ods/order/source=shop/ds=2026-01-05/b-0.parquet",
    "warehouse/onedata.duckdb",
    "vault/token.key",
    "dagster/history/runs/1.db",
)
PUBLISHED_FILES = ("published/nights/onedata-2026-01-05.duckdb", "published/quality/index.html")


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return replace(Settings(), home=tmp_path / "a" / "home")


def modes(home: Path) -> dict[str, int]:
    """Mode of the home (`.`) and of all below it, links left out."""
    paths = [home, *(path for path in home.rglob("*") if not path.is_symlink())]
    return {str(path.relative_to(home)): stat.S_IMODE(path.stat().st_mode) for path in paths}


def old_home(settings: Settings) -> None:
    """A home as it was made before, under the usual umask."""
    for name in (*OLD_FILES, *PUBLISHED_FILES, "retailer/source/shop/orders.csv", "notes.txt"):
        file = settings.home / name
        file.parent.mkdir(parents=True, exist_ok=True, mode=0o755)
        file.write_text(name)
        file.chmod(0o644)
    for path in (settings.home, *settings.home.rglob("*")):
        if path.is_dir():
            path.chmod(0o755)
    (settings.home / PUBLISHED_FILES[0]).chmod(0o444)


def some_group() -> grp.struct_group:
    """A group that is not the process's own, and that it may give files to."""
    others = [
        group
        for group in grp.getgrall()
        if group.gr_gid != os.getegid() and (os.geteuid() == 0 or group.gr_gid in os.getgroups())
    ]
    if not others:
        pytest.skip("NOT TESTED: another reader group; the user of the tests is in one group only")
    return others[0]


@pytest.mark.parametrize("umask", [0o000, 0o022])
def test_a_new_home_is_closed_whatever_the_umask(settings: Settings, umask: int) -> None:
    os.umask(umask)
    assert secure_home(settings) == []
    assert modes(settings.home) == {".": 0o710, "published": 0o750, ".permissions": 0o600}
    # Made on the way: whoever may enter the home must get there.
    assert stat.S_IMODE(settings.home.parent.stat().st_mode) == 0o711


def test_what_the_process_and_its_children_make_is_their_owners(tmp_path: Path) -> None:
    os.umask(0)
    private_umask()
    (tmp_path / "own").mkdir()
    subprocess.run(
        [sys.executable, "-c", "import sys; open(sys.argv[1], 'w')", str(tmp_path / "own" / "file")], check=True
    )
    assert modes(tmp_path / "own") == {".": 0o700, "file": 0o600}


def test_an_old_home_is_closed_once_and_told(settings: Settings) -> None:
    old_home(settings)
    told = secure_home(settings)
    # By hand: the home, 10 folders and 4 files of lake, warehouse, vault and dagster, the retailer's folder, 3 folders
    # and 2 files published.
    assert told == [
        f"21 files and folders of {settings.home} could be read by others than user "
        f"{pwd.getpwuid(os.geteuid()).pw_name}: they are closed now; "
        f"only {settings.home}/published is open, to the group {grp.getgrgid(os.getegid()).gr_name}",
        f"not onedata's, so left as they are, though others may read them: {settings.home}/notes.txt",
    ]
    found = modes(settings.home)
    assert [found[name] for name in OLD_FILES] == [0o600] * 4
    assert [found[name] for name in PUBLISHED_FILES] == [0o440, 0o640]
    assert {found[str(parent)] for name in OLD_FILES for parent in Path(name).parents if str(parent) != "."} == {0o700}
    assert {found[str(parent)] for name in PUBLISHED_FILES for parent in Path(name).parents if str(parent) != "."} == {
        0o750
    }
    assert (found["."], found["retailer"], found["notes.txt"]) == (0o710, 0o700, 0o644)
    # The retailer's own files stay as they are.
    assert (found["retailer/source"], found["retailer/source/shop/orders.csv"]) == (0o755, 0o644)
    assert secure_home(settings) == []


def test_a_home_that_is_closed_is_not_walked_again(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    old_home(settings)
    walked: list[str] = []
    real = os.scandir

    def counted(path: str) -> Iterator[os.DirEntry[str]]:
        walked.append(str(path))
        return real(path)

    monkeypatch.setattr(os, "scandir", counted)
    secure_home(settings)
    assert len(walked) >= 13
    walked.clear()
    assert secure_home(settings) == []
    assert walked == []


@pytest.mark.parametrize("opened", [".", "lake", "vault"])
def test_a_home_that_was_opened_again_is_closed_again_and_told(settings: Settings, opened: str) -> None:
    old_home(settings)
    secure_home(settings)
    for path in (settings.home / opened, settings.home / OLD_FILES[0], settings.home / OLD_FILES[2]):
        path.chmod(0o755)
    assert secure_home(settings)[0].startswith("3 files and folders")
    assert [modes(settings.home)[name] for name in (".", "lake", "vault", OLD_FILES[0], OLD_FILES[2])] == [
        0o710,
        0o700,
        0o700,
        0o600,
        0o600,
    ]


def test_links_are_not_followed_out_of_the_home(settings: Settings, tmp_path: Path) -> None:
    old_home(settings)
    outside = tmp_path / "outside"
    outside.mkdir(mode=0o755)
    (outside / "file").write_text("not ours")
    shutil.move(settings.home / "lake", tmp_path / "disk")
    (settings.home / "lake").symlink_to(tmp_path / "disk", target_is_directory=True)
    for name in ("vault/out", "published/quality/out", "dagster/file"):
        (settings.home / name).symlink_to(outside / "file" if name.endswith("file") else outside)
    before = modes(outside) | modes(tmp_path / "disk")
    told = secure_home(settings)
    assert modes(outside) | modes(tmp_path / "disk") == before
    assert (
        "links that lead out of the data home are not followed, so look yourself who may read what is there: "
        f"{settings.home}/lake" in told
    )


def test_a_home_that_is_a_link_is_closed_where_it_lies(settings: Settings, tmp_path: Path) -> None:
    old_home(settings)
    (tmp_path / "link").symlink_to(settings.home)
    assert secure_home(replace(settings, home=tmp_path / "link")) != []
    assert secure_home(replace(settings, home=tmp_path / "link")) == []
    assert modes(settings.home)["."] == 0o710


def test_what_is_published_is_of_the_reader_group_and_follows_when_the_group_changes(settings: Settings) -> None:
    group = some_group()
    old_home(settings)
    secure_home(settings)
    told = secure_home(replace(settings, reader_group=group.gr_name))
    assert told[0].endswith(f"published is open, to the group {group.gr_name}")
    shared = [
        settings.home,
        *(settings.home / name for name in PUBLISHED_FILES),
        settings.published,
        settings.published / "nights",
    ]
    assert {path.stat().st_gid for path in shared} == {group.gr_gid}
    assert {(settings.home / name).stat().st_gid for name in OLD_FILES} == {os.getegid()}
    assert secure_home(replace(settings, reader_group=group.gr_name)) == []


def test_what_was_built_aside_is_shared(settings: Settings) -> None:
    os.umask(0o077)
    group = some_group()
    settings = replace(settings, reader_group=group.gr_name)
    secure_home(settings)
    built = settings.published / "candidate"
    (built / "parquet").mkdir(parents=True)
    (built / "onedata.duckdb").touch(0o400)
    (built / "parquet" / "t.parquet").touch()
    share_with_readers(settings, built)
    assert modes(built) == {".": 0o750, "parquet": 0o750, "parquet/t.parquet": 0o640, "onedata.duckdb": 0o440}
    assert {path.stat().st_gid for path in (built, *built.rglob("*"))} == {group.gr_gid}


def test_a_group_that_does_not_exist_is_refused() -> None:
    with pytest.raises(
        SettingsError,
        match=r"setting reader_group is 'no_such'; there is no such group on this machine: make it with groupadd",
    ):
        load_settings(None, {"ONEDATA_READER_GROUP": "no_such"})


CODE = """
import sys
from dataclasses import replace
from pathlib import Path
from onedata.home import secure_home
from onedata.settings import Settings, load_settings
if len(sys.argv) > 2:
    load_settings(None, {"ONEDATA_READER_GROUP": sys.argv[2]})
print(*secure_home(replace(Settings(), home=Path(sys.argv[1]))), sep="\\n")
"""


def test_a_group_the_user_is_not_in_is_refused() -> None:
    with tempfile.TemporaryDirectory(dir="/var/tmp") as folder:
        Path(folder).chmod(0o755)
        done = as_nobody(Path(folder), CODE, folder, grp.getgrgid(0).gr_name)
    assert "user 65534 is no member of it and may give it no file: add it with usermod" in done.stderr.splitlines()[-1]


def test_what_another_user_owns_is_told_and_the_rest_is_closed(settings: Settings) -> None:
    with tempfile.TemporaryDirectory(dir="/var/tmp") as folder:
        Path(folder).chmod(0o755)
        home = Path(folder) / "home"
        old_home(replace(settings, home=home))
        for path in (home, *home.rglob("*")):
            os.chown(path, 65534, 65534)
        os.chown(home / "warehouse", 0, 0)
        os.chown(home / OLD_FILES[0], 0, 0)
        done = as_nobody(Path(folder), CODE, str(home))
        assert done.returncode == 0, done.stderr
        found = modes(home)
    assert (found["."], found["vault"], found["lake"], found["warehouse"], found[OLD_FILES[0]]) == (
        0o710,
        0o700,
        0o700,
        0o755,
        0o644,
    )
    assert (
        f"2 files and folders of {home} are not closed to others, because user nobody does not own them, for example "
        f"{home}/warehouse" in done.stdout
    )
