"""A published home is backed up, lost and restored: it verifies, and later nights give the same result as in an
undisturbed home."""

import shutil
from dataclasses import dataclass, replace
from pathlib import Path

import duckdb
import pytest
from support import NIGHTS, Story, ask, differences, home_after, run_well, story

from onedata.backup.restore import restore
from onedata.backup.take import Taken, back_up
from onedata.retailer import Retailer, load_retailer
from onedata.settings import Settings
from onedata.verify import Area, verify_home

ALTERED = {
    "DWD": "update dwd.dwd_order_line set discount_amount = discount_amount + 0.01 where rowid = (select max(rowid) "
    "from dwd.dwd_order_line)",
    "DIM": "update dim.dim_product set _row = _row + 1 where rowid = (select max(rowid) from dim.dim_product)",
    "DWS": "update dws.dws_order set gross_amount_base = gross_amount_base + 0.01 where rowid = (select min(rowid) "
    "from dws.dws_order where is_order)",
    "ADS": "update ads.ads_customer_360 set net_revenue_base = net_revenue_base + 0.01 "
    "where rowid = (select max(rowid) from ads.ads_customer_360)",
    "OneID": "update oneid.household_map set rule = 'address and identifier' where rowid = (select max(rowid) "
    "from oneid.household_map)",
    "ledger": "update ops.control_total set accepted = accepted + 0.01 where rowid = (select max(rowid) "
    "from ops.control_total where accepted > 0)",
}


@dataclass(frozen=True)
class Restored:
    """The home after one night and its back-up, what verify found before the loss and after the restore, and the home
    some nights later."""

    first: Retailer
    backup: Taken
    before: list[Area]
    after: list[Area]
    end: Story
    second: Taken


@pytest.fixture(scope="session")
def restored(after_first_night: Settings, tmp_path_factory: pytest.TempPathFactory) -> Restored:
    folder = tmp_path_factory.mktemp("restored")
    settings = home_after(after_first_night, folder)
    retailer = load_retailer(settings)
    before = verify_home(retailer)
    backup = back_up(settings, folder / "backup", folder / "key", lambda _: None)
    shutil.copytree(
        settings.home, folder / "first" / "home", symlinks=True, ignore=shutil.ignore_patterns("dagster", "dbt")
    )
    shutil.rmtree(settings.home)
    restore(settings, folder / "backup", folder / "key", None, lambda _: None)
    after = verify_home(retailer)
    end = story(settings, "nights", run_well(settings, NIGHTS[1:]))
    second = back_up(settings, folder / "backup", None, lambda _: None)
    first = replace(retailer, settings=replace(settings, home=folder / "first" / "home"))
    return Restored(first, backup, before, after, end, second)


def test_a_published_home_has_no_difference(restored: Restored) -> None:
    assert [text for area in restored.before for text in area.differences] == []
    compared = {area.name: area.compared for area in restored.before}
    assert "not compared" not in " ".join(compared.values())
    assert compared["DWD to ADS"] == "9 balances"


def test_the_restored_home_has_no_difference_and_is_compared_as_much(restored: Restored) -> None:
    assert [text for area in restored.after for text in area.differences] == []
    assert [(area.name, area.compared) for area in restored.after] == [
        (area.name, area.compared) for area in restored.before
    ]


def test_the_nights_after_it_end_as_if_nothing_had_happened(restored: Restored, one_by_one: Story) -> None:
    assert differences(restored.end.warehouse, one_by_one.warehouse) == {}
    assert ask(restored.end.published, "from published_night") == ask(one_by_one.published, "from published_night")


def test_the_second_back_up_copies_of_the_lake_only_what_the_nights_have_added(restored: Restored) -> None:
    first, second = (
        {
            file.sha256: file.path
            for file in taken.backup.files
            if file.path.startswith("lake/ods/") and file.path.endswith(".parquet")
        }
        for taken in (restored.backup, restored.second)
    )
    assert first.keys() < second.keys()
    assert restored.second.copied < len(restored.second.backup.files) - len(first)


@pytest.mark.parametrize("layer", ALTERED)
def test_one_cent_or_one_word_in_any_layer_is_found(restored: Restored, layer: str, tmp_path: Path) -> None:
    shutil.copytree(restored.first.settings.home, tmp_path / "home", symlinks=True)
    retailer = replace(restored.first, settings=replace(restored.first.settings, home=tmp_path / "home"))
    assert [text for area in verify_home(retailer, thorough=False) for text in area.differences] == []
    with duckdb.connect(str(retailer.settings.warehouse)) as con:
        assert con.execute(ALTERED[layer]).fetchone() == (1,)
    found = [text for area in verify_home(retailer, thorough=False) for text in area.differences]
    assert found, layer
