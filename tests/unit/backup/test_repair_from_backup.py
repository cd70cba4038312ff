"""Lost or damaged lake files and log entries are restored from a back-up; entries replaced since are not."""

from __future__ import annotations

import shutil
from contextlib import nullcontext
from pathlib import Path

import pytest
from kept_home import CONTRACTS, command, differences, tree
from small_retailer import NIGHT, small_retailer

from onedata.backup.repair import restore_lake_files
from onedata.backup.store import BackupError, object_file, read_backup
from onedata.backup.take import back_up
from onedata.landing import land
from onedata.ledger import check_lake
from onedata.ledger.promote import promote
from onedata.quality.gates import contract_gate
from onedata.quality.gx import Gatekeeper
from onedata.retailer import Retailer
from onedata.warehouse import open_warehouse

PARTITION = "lake/ods/payment/source=payments/ds=2026-01-05"
KINDS = {
    "lake file": f"{PARTITION}/*.parquet",
    "record": f"{PARTITION}/_manifest/*.record",
    "manifest": f"{PARTITION}/_manifest/*.json",
    "log": "lake/_log/touched/*.json",
}


def nothing(text: str) -> None:
    del text


@pytest.fixture
def to(kept: Retailer, tmp_path: Path) -> Path:
    back_up(kept.settings, tmp_path / "to", None, nothing)
    return tmp_path / "to"


def repaired(kept: Retailer, to: Path, with_ledger: bool = True) -> list[str]:
    with open_warehouse(kept.settings) if with_ledger else nullcontext() as con:
        return restore_lake_files(kept.settings, to, con)


def without_aside(home: Path) -> dict[str, tuple[object, ...]]:
    return {name: what for name, what in tree(home).items() if not name.startswith(("lake/.damaged", "warehouse/"))}


@pytest.mark.parametrize("with_ledger", [True, False], ids=["ledger", "no ledger"])
@pytest.mark.parametrize("harm", ["gone", "flipped"])
@pytest.mark.parametrize("kind", KINDS)
def test_it_comes_back(kept: Retailer, to: Path, kind: str, harm: str, with_ledger: bool) -> None:
    home = kept.settings.home
    before = without_aside(home)
    (path,) = home.glob(KINDS[kind])
    content = path.read_bytes()
    if harm == "gone":
        path.unlink()
    else:
        path.write_bytes(content[:60] + bytes([content[60] ^ 1]) + content[61:])
    (said,) = repaired(kept, to, with_ledger)
    assert said.startswith(f"{path} was put back from back-up 1")
    assert without_aside(home) == before
    aside = [file.read_bytes() for file in (kept.settings.lake / ".damaged").rglob("*") if file.is_file()]
    assert len(aside) == (harm != "gone")
    assert content not in aside
    assert differences(kept) == {}
    assert repaired(kept, to, with_ledger) == []


def test_every_file_of_the_lake_is_lost_and_comes_back(kept: Retailer, to: Path) -> None:
    before = without_aside(kept.settings.home)
    shutil.rmtree(kept.settings.lake)
    assert len(repaired(kept, to)) == 6 * 3 + 3
    with open_warehouse(kept.settings) as con:
        assert check_lake(con, kept.settings) == []
    assert {name: what for name, what in without_aside(kept.settings.home).items() if what[0] == "file"} == {
        name: what for name, what in before.items() if what[0] == "file" and "source=_schema" not in name
    }


def test_of_whole_states_in_the_log_those_that_were_removed_since_stay_away(kept: Retailer, tmp_path: Path) -> None:
    log = kept.settings.lake / "_log" / "oneid"
    for name in ("000001-a", "000002-b"):
        (log / name).mkdir(parents=True)
        (log / name / "person.parquet").write_bytes(name.encode())
    back_up(kept.settings, tmp_path / "to", None, nothing)
    shutil.rmtree(log / "000001-a")
    (log / "000002-b" / "person.parquet").unlink()
    (said,) = repaired(kept, tmp_path / "to")
    assert "000002-b" in said
    assert not (log / "000001-a").exists()
    shutil.rmtree(log)
    assert len(repaired(kept, tmp_path / "to")) == 2


@pytest.mark.parametrize("with_ledger", [True, False], ids=["ledger", "no ledger"])
def test_a_delivery_that_was_replaced_since_stays_away(kept: Retailer, to: Path, with_ledger: bool) -> None:
    folder = kept.settings.home.parent
    with open_warehouse(kept.settings) as con:
        world = small_retailer(folder, con, Gatekeeper(con), *CONTRACTS)
        old = con.execute("select batch_id from ops.delivery where feed = 'survey' and ds = ?", [NIGHT]).fetchall()[0][
            0
        ]
        world.csv("A5,O1,4,better,")
        land(con, kept.settings, world.feed("survey"), kept.policy, NIGHT, again=[NIGHT])
        contract_gate(con, world.gatekeeper, kept.settings, world.feed("survey"), NIGHT)
        (new,) = promote(con, kept.settings)
    assert new != old
    assert repaired(kept, to, with_ledger) == []
    assert not list((kept.settings.lake / "ods").rglob(f"{old}*"))


def test_what_no_back_up_holds_is_told_and_left(kept: Retailer, to: Path) -> None:
    (path,) = kept.settings.home.glob(KINDS["lake file"])
    sha256 = next(file.sha256 for file in read_backup(to).files if file.path.endswith(path.name))
    index = to / "backups" / "000001.json"
    index.unlink()
    path.write_bytes(b"PAR1")
    # A back-up of another night's home: this one's index is gone, so it has no complete back-up.
    with pytest.raises(BackupError, match="has no complete back-up"):
        repaired(kept, to)
    assert path.read_bytes() == b"PAR1"
    assert object_file(to, sha256).exists()


def test_a_damaged_content_is_not_put_back(kept: Retailer, to: Path) -> None:
    (path,) = kept.settings.home.glob(KINDS["lake file"])
    sha256 = next(file.sha256 for file in read_backup(to).files if file.path.endswith(path.name))
    content = bytearray(object_file(to, sha256).read_bytes())
    content[40] ^= 1
    object_file(to, sha256).write_bytes(content)
    path.unlink()
    with pytest.raises(BackupError, match="is not what was backed up"):
        repaired(kept, to)
    assert not path.exists()


@pytest.mark.parametrize("with_ledger", [True, False], ids=["ledger", "no ledger"])
def test_the_command_puts_back_and_says_so(kept: Retailer, to: Path, with_ledger: bool) -> None:
    (path,) = kept.settings.home.glob(KINDS["lake file"])
    path.unlink()
    if not with_ledger:
        kept.settings.warehouse.unlink()
    ended = command(kept.settings, "repair", "--from", str(to))
    assert f"{path} was put back from back-up 1" in ended.stdout, ended
    assert path.exists()
    assert ended.returncode == (0 if with_ledger else 1), ended
