"""Nights with faults of the home: each ends with one sentence that names the file and the fix, publishes nothing, and
succeeds after the repair."""

import os
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import duckdb
import pytest
from support import (
    NIGHTS,
    Outcome,
    Simulated,
    Story,
    another_user,
    copy_source,
    differences,
    digest,
    fill_disk,
    home_after,
    home_at,
    let_others_pass,
    onedata_command,
    run,
    run_well,
    small_disk,
    story,
)

from onedata.settings import Settings

DISK_MB = 400
LEFT = 6 * 1024 * 1024
"""What is left of the disk when a night begins: less than these small nights need, which is as much as a night asks
for before it begins."""
BLOCK, HEADERS = 262_144, 12_288


@dataclass(frozen=True)
class Faults:
    """What each fault came to: the run's outcome, and whether the published database was the same file before and
    after."""

    outcomes: dict[str, Outcome]
    untouched: dict[str, bool]
    repaired: str
    lost: Path
    mended: Story


@pytest.fixture(scope="module")
def faults(after_first_night: Settings, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Faults]:
    """One home on a small disk, through one fault after the other."""
    with small_disk(tmp_path_factory.mktemp("faults") / "disk", DISK_MB) as disk:
        settings = home_after(after_first_night, disk)
        outcomes: dict[str, Outcome] = {}
        untouched: dict[str, bool] = {}

        def faulty(name: str, night: int = 1) -> None:
            before = digest(settings.published_database)
            outcomes[name] = run(settings, [NIGHTS[night]])
            untouched[name] = digest(settings.published_database) == before

        filler = fill_disk(disk, LEFT)
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr("onedata.disk.LEAST_FREE", LEFT // 4)
            faulty("full")
        filler.unlink()

        (settings.dagster_home / "history" / "runs.db").write_bytes(b"a junk file, not a lock file" * 1000)
        faulty("dagster")
        variables = dict(os.environ) | settings.environment()
        repaired = subprocess.run(
            [str(onedata_command()), "repair"], env=variables, capture_output=True, text=True, check=True
        )

        lost = sorted(settings.lake.glob(f"ods/sales_order/source=shop_orders/ds={NIGHTS[0]}/*.parquet"))[0]
        lost.unlink()
        faulty("lake")
        run_well(settings, NIGHTS[:1], replace_nights=True)

        kept = shutil.copy(settings.warehouse, disk / "kept.duckdb")
        flip_blocks(settings.warehouse, "dwd.dwd_order_line")
        faulty("block")
        Path(kept).replace(settings.warehouse)

        mended = story(settings, "mended", run_well(settings, NIGHTS[1:]))
        yield Faults(outcomes, untouched, repaired.stdout, lost, mended)


def flip_blocks(database: Path, table: str) -> None:
    """A byte in every block of the table."""
    with duckdb.connect(str(database), read_only=True) as con:
        blocks = con.execute(
            f"select distinct block_id from pragma_storage_info('{table}') where block_id >= 0"
        ).fetchall()
    assert blocks
    with database.open("r+b") as stream:
        for (block,) in blocks:
            stream.seek(HEADERS + block * BLOCK + 5000)
            byte = stream.read(1)
            stream.seek(-1, 1)
            stream.write(bytes([byte[0] ^ 0xFF]))


@pytest.mark.parametrize("fault", ["full", "dagster", "lake", "block"])
def test_a_fault_ends_without_a_traceback_and_says_what_is_published(faults: Faults, fault: str) -> None:
    assert not faults.outcomes[fault].succeeded
    assert "Traceback" not in faults.outcomes[fault].said
    assert ("what was published stays as it was" in faults.outcomes[fault].said) == faults.untouched[fault]


# A disk may fill up after the swap as well: then a whole night is published, and the run says so.
@pytest.mark.parametrize("fault", ["dagster", "lake", "block"])
def test_a_fault_publishes_nothing(faults: Faults, fault: str) -> None:
    assert faults.untouched[fault], faults.outcomes[fault].said


def test_a_disk_that_fills_up_is_told(faults: Faults) -> None:
    said = faults.outcomes["full"].said
    assert "no space is left on the disk of " in said
    assert "free some, then run again" in said
    assert "is damaged" not in said


def test_dagsters_damaged_storage_is_told_and_repaired(faults: Faults) -> None:
    file = faults.mended.settings.dagster_home / "history" / "runs.db"
    assert (
        f"Dagster's file {file} is damaged (file is not a database): stop the Dagster UI, then `onedata repair`"
        in faults.outcomes["dagster"].said
    )
    assert f"Dagster: {file} was damaged (file is not a database); moved aside to " in faults.repaired


def test_a_lake_file_that_is_gone_is_told_with_its_feed_and_night(faults: Faults) -> None:
    said = faults.outcomes["lake"].said
    assert f"the lake file {faults.lost.parent}/" in said
    assert f"(feed shop_orders, night {NIGHTS[0]}) is gone: " in said
    assert f"`onedata run --ds {NIGHTS[0]} --replace`" in said


def test_a_block_of_the_warehouse_that_a_night_meets_is_told(faults: Faults) -> None:
    said = faults.outcomes["block"].said
    assert f"the warehouse file {faults.mended.settings.warehouse} is damaged: the block at byte " in said
    assert "`onedata rebuild`" in said


def test_after_every_fault_was_mended_the_nights_come_to_the_same(faults: Faults, one_by_one: Story) -> None:
    assert differences(one_by_one.warehouse, faults.mended.warehouse) == {}


def test_a_home_that_may_not_be_written_is_told(simulated: Simulated, tmp_path: Path) -> None:
    command, environment = another_user()
    settings = home_at(tmp_path, copy_source(simulated.source, tmp_path / "source"))
    let_others_pass(tmp_path)
    settings.home.chmod(0o555)
    try:
        own = {name: str(getattr(settings, name)) for name in ("home", "source")}
        done = as_another(command, environment, own)
    finally:
        settings.home.chmod(0o755)
    assert done.returncode == 1
    assert "Traceback" not in done.stderr
    assert f"has no right to {settings.home}" in done.stderr
    assert "give it, or run as the owner, then run again" in done.stderr
    assert sorted(path.name for path in settings.home.iterdir()) == ["vault"]


def as_another(
    command: list[str], environment: dict[str, str], own: dict[str, str]
) -> subprocess.CompletedProcess[str]:
    variables = environment | {f"ONEDATA_{name.upper()}": value for name, value in own.items()}
    code = f"from onedata_assets.cli import main; main(['run', '--ds', '{NIGHTS[0]}'])"
    return subprocess.run([*command, "-c", code], env=variables, capture_output=True, text=True, check=False)
