"""Publications: numbered, verified by their manifest, served by one rename; old ones are removed, unknown files
never."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
import sys
from dataclasses import replace
from datetime import date, timedelta
from pathlib import Path
from threading import Thread

import duckdb
import pytest
from publishing import COST, built, publish, shown, silent, whole
from small_retailer import NEXT, NIGHT
from typer.testing import CliRunner

from onedata.report import newer_publication
from onedata.settings import Settings
from onedata.warehouse.publications import (
    Publication,
    PublishError,
    damage,
    mend_names,
    point_current,
    publications,
    serve_night,
    swap,
)
from onedata.warehouse.publish import publish_candidate
from onedata_assets.cli import main as app


def numbers(settings: Settings) -> list[str]:
    return sorted(path.name for path in (settings.published / "publications").iterdir())


def test_the_manifest_names_every_file_with_its_size_and_hash_and_every_table_with_its_rows(
    con: duckdb.DuckDBPyConnection,
    settings: Settings,
) -> None:
    folder = publish(con, settings, NIGHT, 1, "r1").folder
    told = json.loads((folder / "manifest.json").read_text(encoding="utf-8"))
    files = [path for path in folder.rglob("*") if path.is_file() and path.name != "manifest.json"]
    there = {path.relative_to(folder).as_posix(): path.read_bytes() for path in files}
    hashes = {name: hashlib.sha256(content).hexdigest() for name, content in there.items()}
    assert told["files"] == {name: {"bytes": len(there[name]), "sha256": hashes[name]} for name in there}
    assert set(told["files"]) == {
        "onedata.duckdb",
        "parquet/ads_thing.parquet",
        "parquet/published_night.parquet",
        "quality/index.html",
    }
    assert (told["number"], told["night"], told["run_id"], told["onedata"]) == (1, "2026-01-05", "r1", "0.1.0")
    assert told["tables"] == {"ads_thing": 1, "published_night": 1}
    assert told["built_at"].endswith("+00:00")


def test_the_names_are_links_through_current_and_do_not_depend_on_where_the_home_lies(
    con: duckdb.DuckDBPyConnection,
    settings: Settings,
) -> None:
    publish(con, settings)
    names = ("current", "onedata.duckdb", "parquet", "quality")
    links = {name: str((settings.published / name).readlink()) for name in names}
    assert links == {
        "current": "publications/000001",
        "onedata.duckdb": "current/onedata.duckdb",
        "parquet": "current/parquet",
        "quality": "current/quality",
    }


def test_the_constant_names_are_made_once_and_current_alone_is_swapped(
    con: duckdb.DuckDBPyConnection,
    settings: Settings,
) -> None:
    publish(con, settings)
    before = {name: (settings.published / name).lstat().st_ino for name in ("onedata.duckdb", "parquet", "quality")}
    publish(con, settings, NEXT, 2)
    assert {name: (settings.published / name).lstat().st_ino for name in before} == before
    assert shown(settings.published) == whole(NEXT, 2)


def test_a_name_that_is_missing_is_made_again(con: duckdb.DuckDBPyConnection, settings: Settings) -> None:
    publish(con, settings)
    for name in ("onedata.duckdb", "parquet", "quality"):
        (settings.published / name).unlink()
    publish(con, settings, NEXT, 2)
    assert shown(settings.published) == whole(NEXT, 2)


def test_what_stands_under_a_name_and_is_not_ours_is_moved_aside_and_told(
    con: duckdb.DuckDBPyConnection,
    settings: Settings,
) -> None:
    settings.published.mkdir(parents=True)
    (settings.published / "onedata.duckdb").write_text("somebody's own", encoding="utf-8")
    (settings.published / "parquet").mkdir()
    (settings.published / "parquet" / "mine.txt").write_text("mine", encoding="utf-8")
    (settings.published / "current").mkdir()
    said: list[str] = []
    publish(con, settings, say=said.append)
    aside = settings.published / "aside"
    assert (aside / "onedata.duckdb").read_text(encoding="utf-8") == "somebody's own"
    assert (aside / "parquet" / "mine.txt").read_text(encoding="utf-8") == "mine"
    moved = [str(settings.published / name) for name in ("current", "onedata.duckdb", "parquet")]
    assert sorted(text.split(" ")[0] for text in said) == moved
    assert shown(settings.published) == whole(NIGHT, 1)


def test_the_same_night_is_published_anew_under_a_new_number(
    con: duckdb.DuckDBPyConnection,
    settings: Settings,
) -> None:
    publish(con, settings)
    assert publish(con, settings, NIGHT, 7).number == 2
    assert shown(settings.published) == whole(NIGHT, 7)
    assert numbers(settings) == ["000002"]


def test_every_file_and_folder_is_synced_before_it_is_served(
    con: duckdb.DuckDBPyConnection,
    settings: Settings,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    built(con, settings)
    synced: set[int] = set()
    at_rename: dict[str, set[int]] = {}
    fsync, rename = os.fsync, os.replace

    def seen(descriptor: int) -> None:
        synced.add(os.fstat(descriptor).st_ino)
        fsync(descriptor)

    def renamed(source: Path, target: Path) -> None:
        at_rename[Path(target).name] = set(synced)
        rename(source, target)

    monkeypatch.setattr(os, "fsync", seen)
    monkeypatch.setattr(os, "replace", renamed)
    folder = publish_candidate(con, settings, "r", COST, silent).folder
    inside = {path.stat().st_ino for path in (folder, *folder.rglob("*"))}
    assert len(inside) == 8
    assert inside <= at_rename["000001"]
    assert (settings.published / "publications").stat().st_ino in at_rename["current"]
    assert settings.published.stat().st_ino in synced


def test_a_reader_with_the_old_night_open_keeps_it(con: duckdb.DuckDBPyConnection, settings: Settings) -> None:
    publish(con, settings)
    with duckdb.connect(str(settings.published_database), read_only=True) as reader:
        publish(con, settings, NIGHT, 2)
        assert numbers(settings) == ["000002"], "the folder is gone, the open file is not"
        assert reader.execute("select night, a from published_night, ads_thing").fetchall() == [(NIGHT, 1)]


def test_a_process_that_holds_the_old_night_open_sees_the_new_one_where_it_opens_the_name_anew(
    con: duckdb.DuckDBPyConnection,
    settings: Settings,
) -> None:
    # DuckDB keeps one instance a file and process, by the path with its symlinks resolved: where the name were a hard
    # link, or a file that is renamed over, it would give the old night.
    publish(con, settings)
    with duckdb.connect(str(settings.published_database), read_only=True) as old:
        publish(con, settings, NEXT, 2)
        with duckdb.connect(str(settings.published_database), read_only=True) as new:
            assert new.execute("select night, a from published_night, ads_thing").fetchall() == [(NEXT, 2)]
        assert old.execute("select night, a from published_night, ads_thing").fetchall() == [(NIGHT, 1)]


READER = """
import json, os, sys, duckdb
published, stop = sys.argv[1:]
pairs = set()
last = False
while not last:
    last = os.path.exists(stop)
    folder = os.path.realpath(f"{published}/current")
    with duckdb.connect(f"{folder}/onedata.duckdb", read_only=True) as con:
        value = con.sql("select a from ads_thing").fetchall()[0][0]
        parquet = con.sql(f"from '{folder}/parquet/ads_thing.parquet'").fetchall()[0][0]
    page = open(f"{folder}/quality/index.html").read().split()[1]
    found = (value, parquet, int(page))
    if found not in pairs:
        pairs.add(found)
        print(json.dumps(found), flush=True)
"""


def test_a_reader_that_resolves_current_once_never_pairs_two_nights(
    con: duckdb.DuckDBPyConnection,
    settings: Settings,
    tmp_path: Path,
) -> None:
    # Every night is kept: a reader may be held up for as long as the machine likes.
    settings = replace(settings, published_nights_kept=10_000)
    publish(con, settings, NIGHT, 0)
    stop = tmp_path / "stop"
    reader = subprocess.Popen(
        [sys.executable, "-c", READER, str(settings.published), str(stop)],
        stdout=subprocess.PIPE,
        text=True,
    )
    assert reader.stdout is not None
    pairs = [json.loads(reader.stdout.readline())]
    listener = Thread(target=lambda lines: pairs.extend(json.loads(line) for line in lines), args=(reader.stdout,))
    listener.start()
    value = 0
    while len(pairs) < 12 and reader.poll() is None:
        value += 1
        publish(con, settings, NIGHT + timedelta(days=value), value)
    stop.touch()
    listener.join()
    assert reader.wait() == 0
    assert len(pairs) >= 12
    assert [pair for pair in pairs if len(set(pair)) != 1] == []


def test_the_last_nights_are_kept_and_older_ones_go(con: duckdb.DuckDBPyConnection, settings: Settings) -> None:
    for number in range(4):
        publish(con, settings, NIGHT + timedelta(days=number), number)
    publish(con, settings, NIGHT + timedelta(days=3), 9)
    assert numbers(settings) == ["000003", "000005"]
    assert shown(settings.published) == whole(date(2026, 1, 8), 9)


def test_an_older_night_run_again_is_kept_while_it_is_served_and_no_longer(
    con: duckdb.DuckDBPyConnection,
    settings: Settings,
) -> None:
    for number in range(1, 4):
        publish(con, settings, NIGHT + timedelta(days=number), number)
    publish(con, settings, NIGHT, 9)
    assert shown(settings.published) == whole(NIGHT, 9)
    assert numbers(settings) == ["000002", "000003", "000004"]
    assert publish(con, settings, NIGHT + timedelta(days=3), 4).number == 5
    assert numbers(settings) == ["000002", "000005"]


def test_a_folder_without_its_manifest_is_not_removed_and_is_told(
    con: duckdb.DuckDBPyConnection,
    settings: Settings,
) -> None:
    folder = publish(con, settings).folder
    (folder / "manifest.json").unlink()
    said: list[str] = []
    for number in range(1, 4):
        publish(con, settings, NIGHT + timedelta(days=number), number, say=said.append)
    assert (folder / "onedata.duckdb").exists()
    assert f"{folder} is not removed: it has no manifest.json of its number; move it away" in said


def test_a_publication_with_a_file_of_somebody_else_is_not_removed_and_is_told(
    con: duckdb.DuckDBPyConnection,
    settings: Settings,
) -> None:
    folder = publish(con, settings).folder
    (folder / "notes").mkdir()
    (folder / "notes" / "mine.txt").write_text("mine", encoding="utf-8")
    said: list[str] = []
    for number in range(1, 4):
        publish(con, settings, NIGHT + timedelta(days=number), number, say=said.append)
    assert (folder / "onedata.duckdb").exists()
    assert (folder / "notes" / "mine.txt").exists()
    assert f"{folder} is not removed: {folder / 'notes'} is no file that onedata published; move it away" in said


def test_a_kept_night_can_be_served_again_whole(con: duckdb.DuckDBPyConnection, settings: Settings) -> None:
    publish(con, settings, NIGHT, 1)
    publish(con, settings, NEXT, 2)
    assert serve_night(settings, NIGHT, silent).number == 1
    assert shown(settings.published) == whole(NIGHT, 1)
    assert serve_night(settings, NEXT, silent).number == 2
    assert shown(settings.published) == whole(NEXT, 2)


def test_a_night_that_is_served_again_is_its_newest_publication(
    con: duckdb.DuckDBPyConnection,
    settings: Settings,
) -> None:
    publish(con, settings, NIGHT, 1)
    publish(con, settings, NIGHT, 3)
    publish(con, settings, NEXT, 2)
    serve_night(settings, NIGHT, silent)
    assert shown(settings.published) == whole(NIGHT, 3)


def test_a_night_that_is_not_kept_is_named_with_those_that_are(
    con: duckdb.DuckDBPyConnection,
    settings: Settings,
) -> None:
    publish(con, settings, NIGHT)
    publish(con, settings, NEXT)
    with pytest.raises(PublishError, match=r"night 2020-01-01 is not kept .* kept are: 2026-01-05, 2026-01-06"):
        serve_night(settings, date(2020, 1, 1), silent)


@pytest.mark.parametrize("name", ["onedata.duckdb", "parquet/ads_thing.parquet", "quality/index.html"])
@pytest.mark.parametrize("harm", ["lost", "cut", "flipped"])
def test_a_damaged_night_is_not_served_and_the_file_is_named(
    con: duckdb.DuckDBPyConnection,
    settings: Settings,
    name: str,
    harm: str,
) -> None:
    file = publish(con, settings, NIGHT).folder / name
    publish(con, settings, NEXT, 2)
    content = file.read_bytes()
    file.unlink()
    if harm != "lost":
        file.write_bytes(content[:-1] if harm == "cut" else content[:-1] + bytes([content[-1] ^ 1]))
    with pytest.raises(PublishError, match=f"{file} is .*run it again with `onedata run --ds 2026-01-05`"):
        serve_night(settings, NIGHT, silent)
    assert shown(settings.published) == whole(NEXT, 2)


def test_an_undamaged_publication_has_nothing_to_tell(con: duckdb.DuckDBPyConnection, settings: Settings) -> None:
    assert damage(publish(con, settings)) == []


def test_a_publication_that_is_gone_is_not_served(con: duckdb.DuckDBPyConnection, settings: Settings) -> None:
    publish(con, settings)
    with pytest.raises(PublishError, match="publication 7 is not there any more"):
        swap(settings, 7, silent)
    assert shown(settings.published) == whole(NIGHT, 1)


@pytest.mark.parametrize("content", ["", "[]", "{}", '{"number": 1, "files": [], "tables": {}}', "\x00\xff"])
def test_a_manifest_that_cannot_be_read_proves_nothing(
    con: duckdb.DuckDBPyConnection,
    settings: Settings,
    content: str,
) -> None:
    file = publish(con, settings).folder / "manifest.json"
    file.chmod(0o644)
    file.write_bytes(content.encode("latin-1"))
    assert publications(settings) == []


def test_a_manifest_under_another_number_proves_nothing(con: duckdb.DuckDBPyConnection, settings: Settings) -> None:
    folder = publish(con, settings).folder
    folder.rename(folder.with_name("000009"))
    assert publications(settings) == []


def test_a_reader_may_find_current_pointing_to_nothing_and_the_next_night_mends_it(
    con: duckdb.DuckDBPyConnection,
    settings: Settings,
) -> None:
    publish(con, settings)
    point_current(settings, 99)
    assert not settings.published_database.exists()
    publish(con, settings, NEXT, 2)
    assert shown(settings.published) == whole(NEXT, 2)


def served_by_command(settings: Settings, night: str, monkeypatch: pytest.MonkeyPatch) -> tuple[int, str]:
    monkeypatch.setenv("ONEDATA_HOME", str(settings.home))
    said = CliRunner().invoke(app, ["serve", night])
    return said.exit_code, said.output.strip()


def test_the_command_serves_a_night_and_says_which_publication(
    con: duckdb.DuckDBPyConnection,
    settings: Settings,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    first: Publication = publish(con, settings, NIGHT)
    publish(con, settings, NEXT, 2)
    said = served_by_command(settings, "2026-01-05", monkeypatch)
    assert said == (0, f"{settings.published_database} is night 2026-01-05 now, publication {first.number}")
    assert shown(settings.published) == whole(NIGHT, 1)


def test_the_command_refuses_what_is_not_kept(
    con: duckdb.DuckDBPyConnection,
    settings: Settings,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    publish(con, settings, NIGHT)
    code, text = served_by_command(settings, "2026-01-09", monkeypatch)
    assert (code, "kept are: 2026-01-05" in text) == (2, True)
    assert shown(settings.published) == whole(NIGHT, 1)


def test_the_command_on_a_home_where_nothing_is_published_makes_nothing(
    settings: Settings,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    code, text = served_by_command(settings, "2026-01-09", monkeypatch)
    assert (code, "kept are: none" in text) == (2, True)
    assert not settings.home.exists()


def test_a_copy_under_a_constant_name_is_moved_aside_before_the_next_run_does_anything(
    con: duckdb.DuckDBPyConnection, settings: Settings
) -> None:
    publish(con, settings)
    settings.published_database.unlink()
    shutil.copyfile(settings.published / "current" / "onedata.duckdb", settings.published_database)
    said: list[str] = []
    mend_names(settings, said.append)
    assert str(settings.published_database.readlink()) == "current/onedata.duckdb"
    (told,) = said
    assert str(settings.published / "aside" / "onedata.duckdb") in told
    mend_names(settings, said.append)
    assert said == [told]


def test_the_report_says_where_a_newer_publication_is_kept(con: duckdb.DuckDBPyConnection, settings: Settings) -> None:
    publish(con, settings)
    publish(con, settings, NEXT, 2)
    assert newer_publication(settings) == ""
    serve_night(settings, NIGHT, silent)
    assert (
        newer_publication(settings)
        == f"\n  a newer publication is kept, of night {NEXT}: `onedata serve {NEXT}` serves it"
    )


def test_where_nothing_is_published_no_name_is_made(settings: Settings) -> None:
    mend_names(settings, silent)
    assert not settings.published.exists()


def test_a_manifest_of_which_one_bit_changed_proves_nothing_though_it_still_is_json(
    con: duckdb.DuckDBPyConnection, settings: Settings
) -> None:
    file = publish(con, settings).folder / "manifest.json"
    before = file.read_text(encoding="utf-8")
    file.chmod(0o600)
    file.write_text(before.replace("ads_thing.parquet", "ads_thing.parqtet"), encoding="utf-8")
    assert json.loads(file.read_text(encoding="utf-8"))["number"] == 1
    assert publications(settings) == []
    file.write_text(before, encoding="utf-8")
    assert [kept.number for kept in publications(settings)] == [1]
