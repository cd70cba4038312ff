"""An installed wheel outside of any checkout: two retailers in separate folders run side by side."""

from __future__ import annotations

import os
import subprocess
import sys
from decimal import Decimal
from pathlib import Path

import pytest
from support import PATIENCE_SECONDS, REPOSITORY, ask

# The first night of the template: two mugs at 7.50, a tea at 5.90, a mug at 7.50, a teapot at 49.00. The second: three
# teas at 5.90, the teapot comes back.
NET = Decimal("77.40") + Decimal("17.70") - Decimal("49.00")
MAIN = "from onedata_assets.cli import main; main()"


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel, built from the checkout and unpacked as pip does."""
    folder = tmp_path_factory.mktemp("wheel")
    pip = [sys.executable, "-m", "pip", "--quiet", "--disable-pip-version-check"]
    source = folder / "source"
    _copy_of_checkout(source)
    subprocess.run(
        [*pip, "wheel", "--no-deps", "--no-build-isolation", "--wheel-dir", str(folder / "dist"), str(source)],
        check=True,
    )
    (wheel,) = (folder / "dist").glob("onedata-*.whl")
    subprocess.run([*pip, "install", "--no-deps", "--target", str(folder / "site"), str(wheel)], check=True)
    return folder / "site"


@pytest.fixture(scope="module")
def retailers(site: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """Two folders of `onedata init`, run at the same time; the second says that C-01 is nobody."""
    empty = tmp_path_factory.mktemp("empty")
    folders = (empty / "one", empty / "two")
    for folder in folders:
        assert _start(site, empty, "init", str(folder)).wait(PATIENCE_SECONDS) == 0
    (folders[1] / "identifiers.yaml").write_text("blocked_values: [C-01]\n", encoding="utf-8")
    runs = [_start(site, folder, "run", "--backfill") for folder in folders]
    for folder, run in zip(folders, runs, strict=True):
        said, _ = run.communicate(timeout=PATIENCE_SECONDS)
        assert run.returncode == 0, f"{folder}: {said}"
        assert str(REPOSITORY) not in said
    return folders


def test_both_publish_what_their_files_say(retailers: tuple[Path, Path]) -> None:
    for folder in retailers:
        published = folder / "data" / "published" / "onedata.duckdb"
        assert ask(published, "select sum(net_revenue_base)::decimal(18, 2) from ads_channel_day") == [(NET,)]


def test_each_has_the_identifier_policy_of_its_own_folder(retailers: tuple[Path, Path]) -> None:
    found = [
        ask(folder / "data" / "warehouse" / "onedata.duckdb", "select distinct identity_key from dwd.dwd_order_line")
        for folder in retailers
    ]
    assert set(found[0]) == {("account:shop:C-01",), ("account:shop:C-02",), (None,)}
    assert set(found[1]) == {("account:shop:C-02",), (None,)}


def test_each_has_a_vault_key_of_its_own(retailers: tuple[Path, Path]) -> None:
    first, second = ((folder / "data" / "vault" / "token.key").read_bytes() for folder in retailers)
    assert first != second


def test_a_folder_without_a_retailer_tells_the_way_to_one(site: Path, tmp_path: Path) -> None:
    run = _start(site, tmp_path, "status")
    said, _ = run.communicate(timeout=PATIENCE_SECONDS)
    assert run.returncode == 2
    assert "onedata init my_retailer" in said
    assert list(tmp_path.iterdir()) == []


def _start(site: Path, folder: Path, *arguments: str) -> subprocess.Popen[str]:
    """A command of the installed package, whose code is found before the checkout's."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("ONEDATA_")}
    return subprocess.Popen(
        [sys.executable, "-c", MAIN, *arguments],
        cwd=folder,
        env=environment | {"PYTHONPATH": str(site)},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def _copy_of_checkout(to: Path) -> None:
    """What git knows: a build writes beside its sources, and the checkout is not the test's."""
    listed = subprocess.run(
        ["git", "ls-files", "-z"], cwd=REPOSITORY, check=True, capture_output=True, text=True
    ).stdout
    for name in filter(None, listed.split("\0")):
        if (REPOSITORY / name).is_file():
            (to / name).parent.mkdir(parents=True, exist_ok=True)
            (to / name).write_bytes((REPOSITORY / name).read_bytes())
