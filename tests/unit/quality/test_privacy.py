"""The scan before publishing finds raw identifiers and their tokens, and repeats none of them."""

from __future__ import annotations

from pathlib import Path

import duckdb
import pytest

from onedata.quality.privacy import scan
from onedata.quality.results import CheckResult

TOKEN = "0123456789abcdef0123456789abcdef"


def quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


@pytest.fixture
def vault(tmp_path: Path) -> Path:
    folder = tmp_path / "vault"
    folder.mkdir()
    with duckdb.connect(str(folder / "vault.duckdb")) as con:
        con.execute("create table token (token varchar, kind varchar, value varchar)")
        con.execute("insert into token values (?, 'full_name', 'Ann Li'), ('t2', 'phone', '+8613800000001')", [TOKEN])
    return folder


def scanned(tmp_path: Path, vault: Path, *values: str | None, column: str = "remark") -> CheckResult:
    database = tmp_path / "candidate.duckdb"
    database.unlink(missing_ok=True)
    with duckdb.connect(str(database)) as con:
        con.execute(f"create table ads_thing (id integer, {quoted(column)} varchar, tags varchar[])")
        con.executemany("insert into ads_thing values (1, ?, null)", [[value] for value in (*values, "harmless")])
    with duckdb.connect() as con:
        (result,) = scan(con, database, vault)
    return result


def test_a_clean_table_passes(tmp_path: Path, vault: Path) -> None:
    result = scanned(tmp_path, vault, "store 12", None, "me @ home", "Ann Lim")
    assert (result.passed, result.stage, result.subject, result.rule) == (
        True,
        "published",
        "ads_thing",
        "no_raw_identifier",
    )


@pytest.mark.parametrize(
    ("value", "kind"),
    [
        ("ann@mail.cn", "e-mail"),
        ("write to ann.li+x@mail.co.uk, please", "e-mail"),
        ("Ann Li", "vault"),
        ("ANN LI", "vault"),
        ("+8613800000001", "vault"),
        (TOKEN, "vault"),
        (TOKEN.upper(), "vault"),
    ],
)
def test_what_names_a_person_is_found_and_not_repeated(tmp_path: Path, vault: Path, value: str, kind: str) -> None:
    result = scanned(tmp_path, vault, value)
    assert result.blocks
    assert kind in result.message
    assert "column remark holds 1 " in result.message
    assert "Classify the column core" in result.message
    assert value.lower() not in result.message.lower() + result.observed.lower()


def test_each_bad_column_is_counted(tmp_path: Path, vault: Path) -> None:
    assert scanned(tmp_path, vault, "a@b.cn", "c@d.cn", "Ann Li").observed == "2"


def test_column_names_that_need_quoting_are_scanned(tmp_path: Path, vault: Path) -> None:
    assert scanned(tmp_path, vault, "a@b.cn", column='od"d name').blocks


def test_texts_inside_lists_are_scanned(tmp_path: Path, vault: Path) -> None:
    database = tmp_path / "list.duckdb"
    with duckdb.connect(str(database)) as con:
        con.execute("create table t as select ['harmless', 'ann@mail.cn'] as tags")
    with duckdb.connect() as con:
        assert [result.blocks for result in scan(con, database, vault)] == [True]


def test_without_a_vault_e_mail_addresses_are_still_found(tmp_path: Path) -> None:
    assert scanned(tmp_path, tmp_path / "no_vault", "a@b.cn").blocks
    assert scanned(tmp_path, tmp_path / "no_vault", "Ann Li").passed


def test_every_table_with_text_has_a_result(tmp_path: Path, vault: Path) -> None:
    database = tmp_path / "many.duckdb"
    with duckdb.connect(str(database)) as con:
        con.execute(
            "create table b as select 'x' as v; create table a as select 'a@b.cn' as v; create table n as select 1 as v"
        )
    with duckdb.connect() as con:
        assert [(result.subject, result.passed) for result in scan(con, database, vault)] == [("a", False), ("b", True)]
        assert con.execute(
            "select count(*) from duckdb_databases() where database_name like 'scanned%'"
        ).fetchone() == (0,)
        assert con.execute("select count(*) from duckdb_tables() where temporary").fetchone() == (0,)
