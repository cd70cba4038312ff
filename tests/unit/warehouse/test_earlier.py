"""A `published/` without numbered publications is migrated; the served night stays served at every step."""

from __future__ import annotations

import shutil
from dataclasses import dataclass, replace
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import duckdb
import pytest
from publishing import frozen, publish, shown, silent, warehouse, whole
from small_retailer import NEXT, NIGHT, settings_in

from onedata.settings import Settings
from onedata.warehouse.earlier import move_earlier
from onedata.warehouse.publications import PublishError, current_publication, damage, publications, serve_night

LATER = NEXT + timedelta(days=1)
NIGHTS = {NIGHT: 1, NEXT: 2, LATER: 3}


def earlier_home(settings: Settings, served: date = LATER) -> duckdb.DuckDBPyConnection:
    """The files as onedata left them before publications had numbers, and the warehouse."""
    con = warehouse()
    nights = settings.published / "nights"
    for night, value in NIGHTS.items():
        parquet = nights / f"parquet-{night}-{17 + value}"
        parquet.mkdir(parents=True)
        with duckdb.connect(str(nights / f"onedata-{night}.duckdb")) as database:
            database.execute(f"create table ads_thing as select {value} as a")
            database.execute(f"create table published_night as select date '{night}' as night")
            for table in ("ads_thing", "published_night"):
                database.execute(f"copy {table} to '{parquet / table}.parquet' (format parquet)")
        con.execute("insert into ops.night values (?, ?, now(), now(), 1, 1, null)", [night, f"run {night}"])
        (nights / f"onedata-{night}.duckdb").chmod(0o444)
        (settings.published / "quality" / str(night)).mkdir(parents=True)
        (settings.published / "quality" / str(night) / "dwd.html").write_text("a page", encoding="utf-8")
    (settings.published / "quality" / "index.html").write_text("pages", encoding="utf-8")
    settings.published_database.hardlink_to(nights / f"onedata-{served}.duckdb")
    (settings.published / "parquet").symlink_to(
        f"nights/parquet-{served}-{17 + NIGHTS[served]}",
        target_is_directory=True,
    )
    return con


def write_pages(folder: Path, night: date) -> None:
    folder.mkdir()
    (folder / "index.html").write_text(f"{night} {NIGHTS[night]}", encoding="utf-8")


def rows(settings: Settings) -> tuple[Any, ...]:
    """What readers of the two names see now, in whichever layout."""
    with duckdb.connect(str(settings.published_database), read_only=True) as reader:
        night, value = reader.execute("select night, a from published_night, ads_thing").fetchall()[0]
        ((parquet,),) = reader.execute(
            "from read_parquet(?)",
            [str(settings.published / "parquet" / "ads_thing.parquet")],
        ).fetchall()
    return night, value, parquet


def listing(settings: Settings) -> list[tuple[str, int, int]]:
    """Every name below `published` with its inode and time."""
    paths = sorted(settings.published.rglob("*"))
    return [(str(path), path.lstat().st_ino, path.lstat().st_mtime_ns) for path in paths]


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return settings_in(tmp_path)


@pytest.mark.parametrize("served", NIGHTS)
def test_each_kept_night_becomes_a_publication_and_the_served_one_stays_served(
    settings: Settings,
    served: date,
) -> None:
    con = earlier_home(settings, served)
    said: list[str] = []
    move_earlier(con, settings, write_pages, said.append)
    found = publications(settings)
    expected = [(number, night, f"run {night}") for number, night in enumerate(NIGHTS, 1)]
    assert [(item.number, item.night, item.run_id) for item in found] == expected
    assert [damage(item) for item in found] == [[], [], []]
    assert [shown(item.folder) for item in found] == [whole(night, value) for night, value in NIGHTS.items()]
    assert shown(settings.published) == whole(served, NIGHTS[served])
    assert sorted(path.name for path in settings.published.iterdir()) == [
        "current",
        "onedata.duckdb",
        "parquet",
        "publications",
        "quality",
    ]
    assert con.execute("select publication from ops.night order by night").fetchall() == [(1,), (2,), (3,)]
    assert [f"publication {number} now" in text for number, text in enumerate(said, 1)] == [True] * 3


def test_a_moved_night_can_be_served_and_the_next_night_follows(settings: Settings) -> None:
    con = earlier_home(settings)
    move_earlier(con, settings, write_pages, silent)
    serve_night(settings, NIGHT, silent)
    assert shown(settings.published) == whole(NIGHT, 1)
    assert publish(con, settings, LATER + timedelta(days=1), 4).number == 4


def test_moving_again_changes_nothing(settings: Settings) -> None:
    con = earlier_home(settings)
    move_earlier(con, settings, write_pages, silent)
    before = listing(settings)
    said: list[str] = []
    move_earlier(con, settings, write_pages, said.append)
    assert listing(settings) == before
    assert said == []


def test_a_home_that_published_nothing_has_nothing_to_move(settings: Settings) -> None:
    move_earlier(warehouse(), settings, write_pages, silent)
    assert not settings.home.exists()


def test_a_copied_home_without_its_hard_link_is_moved_as_well(settings: Settings) -> None:
    con = earlier_home(settings, NEXT)
    settings.published_database.unlink()
    shutil.copy(settings.published / "nights" / f"onedata-{NEXT}.duckdb", settings.published_database)
    move_earlier(con, settings, write_pages, silent)
    assert len(publications(settings)) == 3
    assert shown(settings.published) == whole(NEXT, 2)


def test_a_served_night_that_is_not_among_the_kept_becomes_a_publication_too(settings: Settings) -> None:
    con = earlier_home(settings)
    (settings.published / "nights" / f"onedata-{LATER}.duckdb").unlink()
    move_earlier(con, settings, write_pages, silent)
    assert [item.night for item in publications(settings)] == list(NIGHTS)
    assert shown(settings.published) == whole(LATER, 3)


def test_parquet_files_of_another_state_than_their_database_are_not_taken(settings: Settings) -> None:
    con = earlier_home(settings)
    for folder in (settings.published / "nights").glob("parquet-*"):
        duckdb.execute(f"copy (select 99 as a) to '{folder / 'ads_thing.parquet'}' (format parquet)")
    move_earlier(con, settings, write_pages, silent)
    expected = [whole(night, value) for night, value in NIGHTS.items()]
    assert [shown(item.folder) for item in publications(settings)] == expected


def test_what_is_not_recognised_stays_where_it_is_and_is_told(settings: Settings) -> None:
    con = earlier_home(settings)
    nights = settings.published / "nights"
    (nights / "onedata-2026-01-01.duckdb").write_bytes(b"no database")
    shutil.copy(nights / f"onedata-{NIGHT}.duckdb", nights / "onedata-2026-01-02.duckdb")
    (nights / "mine.txt").write_text("mine", encoding="utf-8")
    (nights / f"parquet-{NIGHT}-18" / "mine.csv").write_text("a", encoding="utf-8")
    said: list[str] = []
    move_earlier(con, settings, write_pages, said.append)
    left = ["mine.txt", "onedata-2026-01-01.duckdb", "onedata-2026-01-02.duckdb", f"parquet-{NIGHT}-18"]
    assert sorted(path.name for path in nights.iterdir()) == left
    assert [text.split(" ")[0] for text in said if "stays where it is" in text] == [str(nights / name) for name in left]
    assert [path.name for path in (nights / f"parquet-{NIGHT}-18").iterdir()] == ["mine.csv"]
    assert shown(settings.published) == whole(LATER, 3)


def test_pages_that_somebody_else_wrote_are_moved_aside(settings: Settings) -> None:
    con = earlier_home(settings)
    (settings.published / "quality" / "mine.html").write_text("mine", encoding="utf-8")
    move_earlier(con, settings, write_pages, silent)
    assert (settings.published / "aside" / "quality" / "mine.html").read_text(encoding="utf-8") == "mine"
    assert shown(settings.published) == whole(LATER, 3)


def test_a_served_file_that_is_no_database_is_moved_aside_and_the_last_night_is_served(settings: Settings) -> None:
    con = earlier_home(settings)
    settings.published_database.unlink()
    settings.published_database.write_bytes(b"no database")
    move_earlier(con, settings, write_pages, silent)
    assert (settings.published / "aside" / "onedata.duckdb").read_bytes() == b"no database"
    assert shown(settings.published) == whole(LATER, 3)


def test_serving_before_the_move_names_the_way(settings: Settings) -> None:
    earlier_home(settings)
    with pytest.raises(PublishError, match="nights in published/nights are moved there by the next `onedata run`"):
        serve_night(settings, NIGHT, silent)


@dataclass(frozen=True)
class State:
    """A home as a kill left the move, and after the next run has gone on with it."""

    step: str
    shown: tuple[Any, ...]
    numbers: list[int]
    end: tuple[Any, ...]
    left: list[str]


@pytest.fixture(scope="module")
def states(tmp_path_factory: pytest.TempPathFactory) -> list[State]:
    """The served night is not the last one."""
    folder = tmp_path_factory.mktemp("moved")
    settings = settings_in(folder)
    con = earlier_home(settings, NEXT)
    with pytest.MonkeyPatch.context() as monkeypatch, frozen(settings.home, folder / "states", monkeypatch) as copies:
        move_earlier(con, settings, write_pages, silent)
    return [_gone_on(step, replace(settings, home=home)) for step, home in copies]


def _gone_on(step: str, settings: Settings) -> State:
    before = rows(settings)
    move_earlier(warehouse(), settings, write_pages, silent)
    numbers = [item.number for item in publications(settings)]
    assert [item.night for item in publications(settings)] == list(NIGHTS)
    folders = (settings.published, settings.published / "publications")
    left = sorted(path.name for folder in folders for path in folder.iterdir())
    return State(step, before, numbers, shown(settings.published), left)


def test_readers_see_the_served_night_at_every_step_of_the_move(states: list[State]) -> None:
    assert len(states) > 40
    assert [state.step for state in states if state.shown != (NEXT, 2, 2)] == []


def test_a_move_that_was_killed_goes_on_where_it_ended(states: list[State]) -> None:
    assert [state.step for state in states if state.end != whole(NEXT, 2)] == []
    assert [state.step for state in states if state.numbers != [1, 2, 3]] == []


def test_a_move_that_was_killed_leaves_nothing_behind(states: list[State]) -> None:
    expected = [
        "000001",
        "000002",
        "000003",
        "current",
        "onedata.duckdb",
        "parquet",
        "publications",
        "quality",
    ]
    assert [(state.step, state.left) for state in states if state.left != expected] == []


def test_the_current_publication_is_the_one_that_was_served(settings: Settings) -> None:
    con = earlier_home(settings, NIGHT)
    inode = settings.published_database.stat().st_ino
    move_earlier(con, settings, write_pages, silent)
    served = current_publication(settings)
    assert served is not None
    assert (served.number, served.database.stat().st_ino) == (1, inode)
    assert str(settings.published_database.readlink()) == "current/onedata.duckdb"
