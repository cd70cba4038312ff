"""A sound home has no differences; any alteration, even of one bit or one cent, is detected and named."""

from __future__ import annotations

import os
from pathlib import Path

import duckdb
import pytest
from kept_home import change, command, differences

from onedata.retailer import Retailer
from onedata.verify import told, verify_home
from onedata.warehouse import open_warehouse
from onedata.warehouse.damage import WarehouseMissing
from onedata.warehouse.open import RESTORING, HalfRestored

LAKE = "lake/ods/payment/source=payments/ds=2026-01-05"
PUBLICATION = "published/publications/000001"
FILES = {
    "lake file": f"{LAKE}/*.parquet",
    "record": f"{LAKE}/_manifest/*.record",
    "manifest": f"{LAKE}/_manifest/*.json",
    "log": "lake/_log/touched/*.json",
    "database": f"{PUBLICATION}/onedata.duckdb",
    "parquet": f"{PUBLICATION}/parquet/ads_payment_day.parquet",
    "page": f"{PUBLICATION}/quality/index.html",
}
ALTERED = {
    "a cent in DWD": (
        "update dwd.dwd_payment set amount = amount + 0.01 where payment_id = 'P2'",
        "ods_payment -> dwd_payment: ",
    ),
    "a cent in ADS": (
        "update ads.ads_payment_day set amount = amount + 0.01 where currency = 'EUR'",
        "ads_payment_day: 3 rows published and 3",
    ),
    "a cent in the ledger": (
        "update ops.control_total set accepted = accepted + 0.01 where currency = 'EUR' and accepted > 0",
        "feed payments: ",
    ),
    "a cent moved between two rows": (
        "update ads.ads_payment_day set amount = amount + case when ds = '2026-01-05' then 0.01 else -0.01 end "
        "where currency = 'CNY'",
        "different are amount",
    ),
    "another version in DWD": (
        "update dwd.dwd_payment set _row = _row + 1 where payment_id = 'P2'",
        "the rows by source_system",
    ),
    "a row less in DWD": (
        "delete from dwd.dwd_payment where payment_id = 'P2'",
        "dwd.dwd_payment has 2 keys and the lake 3",
    ),
    "a row twice in DWD": (
        "insert into dwd.dwd_payment from dwd.dwd_payment where payment_id = 'P2'",
        "dwd.dwd_payment has 4 keys and the lake 3",
    ),
    "rows of a delivery": (
        "update ops.delivery set rows = rows + 1 where feed = 'payments' and ds = '2026-01-05'",
        "rows is 2 there and 3 in the ledger",
    ),
    "hash of a lake file": (
        "update ops.lake_file set sha256 = 'x' where feed = 'payments' and ds = '2026-01-05'",
        "files is",
    ),
    "a quarantined row": ("update ops.quarantine set raw = raw || '1'", "ops.quarantine of delivery payments-20260106"),
    "a quarantined row less": ("delete from ops.quarantine", "ops.quarantine of delivery payments-20260106"),
    "received rows": (
        "update ops.file set received = received + 1 where feed = 'survey' and ds = '2026-01-05'",
        "ops.file of delivery survey-20260105",
    ),
    "a profile": (
        "update ops.profile set value = value + 1 where feed = 'people' and ds = '2026-01-05'",
        "ops.profile of delivery people-20260105",
    ),
    "a decision that the log lacks": (
        "insert into oneid.decision values (7, 'block', 'phone:x', null, 'r', 'ann', timestamp '2026-01-05 10:00:00', "
        "null)",
        "lacks 1 decisions that the warehouse knows (the first is 7)",
    ),
    "a table less": (
        "drop table ads.ads_payment_day",
        "ads_payment_day is published, and the warehouse has no such table",
    ),
}


def one(retailer: Retailer, pattern: str) -> Path:
    return next(iter(sorted(retailer.settings.home.glob(pattern))))


def flip(path: Path, place: int) -> None:
    """Change one bit, and neither size nor time."""
    status = path.stat()
    content = bytearray(path.read_bytes())
    content[place] ^= 1
    path.chmod(0o600)
    path.write_bytes(content)
    os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))


def test_a_sound_home_has_no_difference_and_every_area_has_looked(kept: Retailer) -> None:
    areas = {area.name: area for area in verify_home(kept)}
    assert told(list(areas.values())).count(" equal") == len(areas) == 9
    assert {name: area.compared for name, area in areas.items() if "MB" not in area.compared} == {
        "log": "3 entries",
        "ledger and records": areas["ledger and records"].compared,
        "lake, rows and money": "6 files, 7 rows, 2 sums of money",
        "lake and DIM, DWD": "1 tables, 3 keys",
        "DWD to ADS": "0 balances",
        "warehouse and published": "3 tables, 9 rows of night 2026-01-06",
        "publications": "1 and the served one",
        "vault and key": "3 tokens",
    }
    assert areas["ledger and lake"].compared.startswith("6 deliveries, 12 files, ")
    assert areas["ledger and records"].compared.startswith("6 records, ")


def test_nothing_is_changed(kept: Retailer) -> None:
    before = {
        path: (path.read_bytes(), path.stat().st_mtime_ns) for path in kept.settings.home.rglob("*") if path.is_file()
    }
    verify_home(kept)
    assert {
        path: (path.read_bytes(), path.stat().st_mtime_ns) for path in kept.settings.home.rglob("*") if path.is_file()
    } == before


@pytest.mark.parametrize("where", [0.0, 0.4, 0.999])
@pytest.mark.parametrize("kind", FILES)
def test_a_flipped_bit_is_found_and_its_file_named(kept: Retailer, kind: str, where: float) -> None:
    path = one(kept, FILES[kind])
    flip(path, int(path.stat().st_size * where))
    found = differences(kept)
    assert any(str(path) in text for texts in found.values() for text in texts), found


@pytest.mark.parametrize("kind", [kind for kind in FILES if kind != "log"])
def test_a_lost_file_is_found_and_named(kept: Retailer, kind: str) -> None:
    path = one(kept, FILES[kind])
    path.unlink()
    found = differences(kept, thorough=False)
    assert any(str(path) in text for texts in found.values() for text in texts), found


@pytest.mark.parametrize("kind", [kind for kind in FILES if kind != "page"])
def test_a_cut_file_is_found_also_by_the_quick_look(kept: Retailer, kind: str) -> None:
    path = one(kept, FILES[kind])
    path.chmod(0o600)
    os.truncate(path, path.stat().st_size - 1)
    found = differences(kept, thorough=False)
    assert any(str(path) in text for texts in found.values() for text in texts), found


@pytest.mark.parametrize("what", ALTERED)
def test_an_altered_warehouse_is_found(kept: Retailer, what: str) -> None:
    sql, expected = ALTERED[what]
    change(kept.settings, sql)
    found = differences(kept)
    assert any(expected in text for texts in found.values() for text in texts), found


def test_a_file_that_nobody_knows_is_named(kept: Retailer) -> None:
    strange = one(kept, LAKE) / "payments-20260105-aaaaaaaaaaaa-0.parquet"
    strange.write_bytes(b"PAR1")
    published = one(kept, PUBLICATION) / "notes.txt"
    published.write_text("mine", encoding="utf-8")
    found = differences(kept)
    assert found["ledger and lake"] == [f"{strange} is of no delivery that the ledger knows"]
    assert found["publications"] == [f"{published} is no file that was published"]


def test_a_published_parquet_of_other_rows_is_found_without_its_manifest(kept: Retailer) -> None:
    folder = one(kept, PUBLICATION)
    (folder / "manifest.json").unlink()
    file = folder / "parquet" / "ads_payment_day.parquet"
    file.chmod(0o600)
    duckdb.execute(f"copy (select * replace (amount + 0.01 as amount) from '{file}') to '{file}.new' (format parquet)")
    Path(f"{file}.new").replace(file)
    assert any(
        "ads_payment_day: 3 rows" in text and "different are amount" in text
        for text in differences(kept)["publications"]
    )


def test_a_key_that_is_another_one_is_found(kept: Retailer) -> None:
    (kept.settings.vault / "token.key").write_bytes(b"x" * 32)
    assert "is not the key that the tokens" in differences(kept)["vault and key"][0]


def test_a_warehouse_that_has_gone_on_is_not_held_against_the_publication(kept: Retailer) -> None:
    change(
        kept.settings,
        "update ops.delivery set status = 'accepted', applied_at = null where feed = 'survey' and ds = '2026-01-06'",
    )
    change(kept.settings, "update ads.ads_payment_day set amount = 0")
    areas = {area.name: area for area in verify_home(kept)}
    assert (
        areas["warehouse and published"].compared
        == "not compared: deliveries wait to be published; `onedata run` publishes them"
    )
    assert differences(kept) == {}


def test_no_warehouse_is_told(kept: Retailer) -> None:
    kept.settings.warehouse.unlink()
    with pytest.raises(WarehouseMissing, match="is gone, and the lake has files: `onedata rebuild`"):
        verify_home(kept)


def test_a_half_restored_home_is_told(kept: Retailer) -> None:
    (kept.settings.home / RESTORING).write_text("{}", encoding="utf-8")
    with pytest.raises(HalfRestored, match="half restored"):
        verify_home(kept)


def test_the_command_ends_with_0_or_1_or_says_why_not(kept: Retailer) -> None:
    settings = kept.settings
    well = command(settings, "verify")
    assert (well.returncode, well.stderr) == (0, "")
    change(settings, ALTERED["a cent in DWD"][0])
    wrong = command(settings, "verify", "--quick")
    assert wrong.returncode == 1
    assert "DIFFERENCES" in wrong.stdout
    # Of EUR there is one payment, 5.00: on the second night its amount is no number, and the row is quarantined.
    assert "    ods_payment -> dwd_payment: amount (EUR): 5 in, 5.01 out, 0 excluded" in wrong.stdout
    with open_warehouse(settings):
        held = command(settings, "verify")
    assert held.returncode == 2
    assert "being written by process" in held.stderr


def test_a_name_that_readers_open_and_that_is_no_link_through_current_is_named(kept: Retailer) -> None:
    """As a copy that follows links leaves it: its readers would see that night for ever."""
    published = kept.settings.published
    database = (published / "current").resolve() / "onedata.duckdb"
    content = database.read_bytes()
    (published / "onedata.duckdb").unlink()
    (published / "onedata.duckdb").write_bytes(content)
    ((found,),) = differences(kept, thorough=False).values()
    assert f"{published / 'onedata.duckdb'} is no link through {published / 'current'}" in found


@pytest.mark.parametrize(
    ("sql", "told"),
    [
        ("delete from token where kind = 'phone'", "lacks 1 of the 3 tokens that are known, for example of kind phone"),
        (
            "update token set value = 'eve@mail.cn' where value = 'ann5@mail.cn'",
            "holds 1 values of kind email that do not make their token",
        ),
        (
            "update token set value = '13800000002' where kind = 'phone'",
            "holds 1 values of kind phone that do not make their token",
        ),
    ],
)
def test_a_vault_that_lacks_a_token_or_holds_another_value_is_told(kept: Retailer, sql: str, told: str) -> None:
    with duckdb.connect(str(kept.settings.vault / "vault.duckdb")) as con:
        assert con.execute(sql).fetchone() == (1,)
    (difference,) = differences(kept)["vault and key"]
    assert told in difference
    assert "@" not in difference
