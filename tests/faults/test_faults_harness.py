"""A dozen trials of benchmarks/faults.py, one after the other in one home, and that the harness would see each of the
faults it looks for."""

import random
import shutil
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import duckdb
import pytest
from faults import kinds
from faults_compare import COUNT_RUNS, OF_RUNS, differences
from faults_damage import harm, pick
from faults_home import Said, World, copy_home, prepared
from faults_moments import frozen, kill_call, kill_cpu, read_once, two_writers
from faults_trial import Trial, diagnosis, finish, way_out
from tables import ROLES, TELLS_OF_RUNS

# Kind of file, what is done to it, and the way out that must be named.
DAMAGE = (
    ("warehouse", "cut", "rebuild"),
    ("warehouse", "lost", "rebuild"),
    ("wal", "flip", "rebuild"),
    ("vault", "cut", "vault restored by hand"),
    ("key", "lost", "vault restored by hand"),
    ("lake", "lost", "repair --from"),
    ("lake", "cut", "repair --from"),
    ("dagster_database", "cut", "repair"),
)
KILLS = ("kill_cpu", "kill_call", "frozen", "two_writers")


@dataclass
class Story:
    """The trials on the one home by name; what each refusal of a damaged file was, what is wrong with it, and the way
    out that it names."""

    world: World
    home: Path
    trials: dict[str, Trial] = field(default_factory=dict)
    refused: dict[str, tuple[Said, list[str], str]] = field(default_factory=dict)


@pytest.fixture(scope="module")
def story(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Story]:
    folder = tmp_path_factory.mktemp("faults")
    found = Story(prepared(folder / "world"), copy_home(folder / "world" / "one" / "home", folder / "shared"))
    for which, way, _ in DAMAGE:
        _damaged(found, which, way)
    for name, disturb in (
        ("kill_cpu", lambda trial: kill_cpu(trial, 9.0)),
        ("kill_call", lambda trial: kill_call(trial, trial.world.calls() // 2)),
        ("frozen", lambda trial: frozen(trial, 12.0)),
        ("two_writers", lambda trial: two_writers(trial, 9.0, 0.5)),
    ):
        disturb(_begun(found, name))
    finish(found.trials["two_writers"], Said(0, ""))
    yield found


def _begun(story: Story, name: str) -> Trial:
    story.trials[name] = Trial(story.world, name, story.home.parent, random.Random(f"1/{name}"))
    return story.trials[name]


def _damaged(story: Story, which: str, way: str) -> None:
    """The file damaged, a run over it, and the file as it was again."""
    trial = _begun(story, f"{way}_{which}")
    harm(trial, pick(trial, which), way)
    said = story.world.run(story.home)
    story.refused[trial.kind] = said, diagnosis(trial, said), way_out(trial, said)[0]
    assert trial.undo is not None
    trial.undo()


@pytest.mark.parametrize(("which", "way", "out"), DAMAGE)
def test_a_damaged_file_is_refused_by_its_name_with_a_way_out(story: Story, which: str, way: str, out: str) -> None:
    said, wrong, named = story.refused[f"{way}_{which}"]
    assert said.code != 0
    assert wrong == []
    assert named == out


@pytest.mark.parametrize("name", KILLS)
def test_a_disturbed_night_shows_nothing_half_and_tells_the_right_cause(story: Story, name: str) -> None:
    expected = {"kill_cpu": "killed", "kill_call": "killed", "frozen": "copied", "two_writers": "the second refused"}
    trial = story.trials[name]
    assert (trial.outcome, trial.half, trial.wrong) == (expected[name], [], [])


def test_after_all_of_it_every_table_is_as_undisturbed(story: Story) -> None:
    assert story.trials["two_writers"].lost == []
    assert differences(story.world.two, story.home) == {}


def test_a_row_that_is_missing_is_seen(story: Story, tmp_path: Path) -> None:
    home = copy_home(story.world.two, tmp_path)
    with duckdb.connect(str(home / "warehouse" / "onedata.duckdb")) as con:
        con.execute("delete from dwd.dwd_payment where order_id = 'O501'")
        con.execute("update ads.ads_kpi set value = value + 1 where kpi_id = 'net_revenue' and period = '2026-01'")
    assert differences(story.world.two, home) == {
        "ads.ads_kpi": "1 rows are missing, 1 are too many",
        "dwd.dwd_payment": "1 rows are missing, 0 are too many",
    }


def test_a_night_that_is_missing_is_seen(story: Story) -> None:
    found = differences(story.world.two, story.world.one)
    assert {
        "dwd.dwd_order_line",
        "ops.delivery",
        "ops.quarantine",
        "oneid.identifier",
        "published.ads_kpi",
    } <= found.keys()


def test_a_half_publication_is_seen(story: Story, tmp_path: Path) -> None:
    home = copy_home(story.world.two, tmp_path)
    old = next((story.world.one / "published" / "publications").glob("0*"))
    new = (home / "published" / "current").resolve()
    assert read_once(home / "published") == ("2026-01-06", [])
    shutil.copy(old / "parquet" / "published_night.parquet", new / "parquet" / "published_night.parquet")
    assert read_once(home / "published")[1] == [f"{new.name} tells of nights ['2026-01-05', '2026-01-06']"]


@pytest.mark.parametrize(
    ("text", "wrong"),
    [
        ("the lake file {home}/lake/a.parquet (feed a, night 2026-01-05) is gone: bring it back", []),
        (
            "the lake file {home}/lake/b.parquet (feed a, night 2026-01-05) is gone",
            ["does not name a.parquet", "blames {home}/lake/b.parquet"],
        ),
        ("the warehouse {home}/lake/a.parquet is being written by process 1", ["says 'is being written by process'"]),
        ("an error", ["does not name a.parquet"]),
    ],
)
def test_a_wrong_diagnosis_is_seen(tmp_path: Path, text: str, wrong: list[str]) -> None:
    trial = Trial(
        World(tmp_path), "lost_lake", tmp_path, random.Random(1), damaged=tmp_path / "home" / "lake" / "a.parquet"
    )
    home = str(trial.home)
    assert diagnosis(trial, Said(1, text.format(home=home))) == [item.format(home=home) for item in wrong]


def test_only_tables_that_tell_of_runs_are_left_out() -> None:
    assert {name for name, role in ROLES.items() if role == TELLS_OF_RUNS} == OF_RUNS
    assert ROLES.keys() >= COUNT_RUNS


def test_every_kind_of_file_is_damaged_in_every_way() -> None:
    assert {
        "flip_warehouse",
        "cut_key",
        "lost_manifest",
        "kill_cpu",
        "readers",
        "full_disk",
        "clock",
        "lost_one",
    } <= kinds().keys()
