"""The vault: tokens by HMAC, raw values nowhere else, a key whose loss is always detected."""

from __future__ import annotations

import hashlib
import hmac
import stat
from collections.abc import Callable
from pathlib import Path

import duckdb
import pytest
from small_retailer import NEXT, SmallRetailer, contract

from onedata.landing.vault import open_vault, token_sql
from onedata.landing.vault_files import VaultError, create_vault

Retail = Callable[..., SmallRetailer]
PEOPLE = tuple(
    {"name": name, "physicalName": name} for name in ("customer_id", "email", "phone", "full_name", "address", "city")
)
RAW = ("Ann.Li@Mail.cn", "+86 (138) 0000-0001", "Ann  Li", "1 Long Road")
ROW = f"C1,{','.join(RAW)},Wuhan"


@pytest.fixture
def people(retail: Retail) -> SmallRetailer:
    return retail(
        contract("people", entity="customer", path="people/{ds}.csv", properties=PEOPLE, quarantineTolerance=1)
    )


def deliver(people: SmallRetailer, *rows: str, night: str = "2026-01-05") -> None:
    people.put(f"people/{night}.csv", "\n".join(["customer_id,email,phone,full_name,address,city", *rows]) + "\n")


def rfc2104(people: SmallRetailer, text: str) -> str:
    key = (people.settings.vault / "token.key").read_bytes()
    return hmac.new(key, text.encode(), hashlib.sha256).hexdigest()[:32]


def sql_of(con: duckdb.DuckDBPyConnection, expression: str) -> object:
    row = con.execute(f"select {expression}").fetchone()
    assert row is not None
    return row[0]


def test_a_token_is_the_first_half_of_the_hmac_of_the_normalised_value(people: SmallRetailer) -> None:
    deliver(people, ROW)
    assert people.take().counts == (1, 1, 0, 0)
    expected = tuple(rfc2104(people, text) for text in ("ann.li@mail.cn", "+8613800000001", "ann li", "1 long rd"))
    assert people.rows("email, phone, full_name, address") == [expected]


@pytest.mark.parametrize("text", ["x", "münchen 东京", "a" * 500])
def test_the_sql_token_equals_the_standard_librarys(con: duckdb.DuckDBPyConnection, tmp_path: Path, text: str) -> None:
    create_vault(tmp_path / "home" / "vault")
    with open_vault(con, tmp_path / "home" / "vault"):
        key = (tmp_path / "home" / "vault" / "token.key").read_bytes()
        assert sql_of(con, token_sql(f"'{text}'")) == hmac.new(key, text.encode(), hashlib.sha256).hexdigest()[:32]


def test_a_missing_value_has_no_token(con: duckdb.DuckDBPyConnection, tmp_path: Path) -> None:
    create_vault(tmp_path / "home" / "vault")
    with open_vault(con, tmp_path / "home" / "vault"):
        assert sql_of(con, token_sql("null::varchar")) is None


def test_equal_values_have_equal_tokens_on_every_night_and_spelling(people: SmallRetailer) -> None:
    deliver(people, ROW)
    people.take()
    deliver(people, "C2, ANN.LI@mail.CN ,0086 138 00000001,ann li,1 LONG road,Wuhan", night="2026-01-06")
    people.take(NEXT)
    assert len(set(people.rows("email, phone, full_name, address"))) == 1


def test_the_vault_keeps_each_value_once(people: SmallRetailer) -> None:
    deliver(people, ROW, ROW.replace("C1", "C2"))
    people.take()
    deliver(people, ROW.replace("C1", "C3"), night="2026-01-06")
    people.take(NEXT)
    with duckdb.connect(str(people.settings.vault / "vault.duckdb"), read_only=True) as vault:
        kept = vault.execute("select kind, value from token order by kind").fetchall()
    assert kept == [("address", RAW[3]), ("email", RAW[0]), ("full_name", RAW[2]), ("phone", RAW[1])]


def test_no_raw_value_leaves_the_vault_but_for_the_quarantine(people: SmallRetailer) -> None:
    deliver(people, ROW, ",bad@mail.cn,,,,")
    assert people.take().counts == (2, 1, 1, 0)
    people.con.execute("checkpoint")
    raw = [text.lower().encode() for text in (*RAW, "ann.li", "13800000001")]
    for file in people.settings.lake.rglob("*.parquet"):
        stored = str(duckdb.execute("from read_parquet(?)", [str(file)]).fetchall()).lower().encode()
        assert [text for text in raw if text in stored or text in file.read_bytes().lower()] == []
    tables = people.con.execute(
        "select schema_name || '.' || table_name from duckdb_tables() where not temporary"
    ).fetchall()
    for (table,) in tables:
        content = str(people.con.execute(f"from {table}").fetchall()).lower().encode()
        assert table == "ops.quarantine" or [text for text in (*raw, b"bad@mail.cn") if text in content] == []
    assert "bad@mail.cn" in people.quarantine("raw")[0][0]


def test_nothing_raw_is_left_in_the_session(people: SmallRetailer) -> None:
    deliver(people, ROW)
    people.land()
    assert (
        people.con.execute("select table_name from duckdb_tables() where table_name like 'landing%'").fetchall() == []
    )
    assert (
        people.con.execute("select database_name from duckdb_databases() where database_name = 'vault'").fetchall()
        == []
    )
    assert sql_of(people.con, "getvariable('token_inner')") is None


@pytest.mark.parametrize("value", ["x@example.com", "X@TEST.com", "n/a", "Anonymous", "null", "-1"])
def test_a_blocked_value_gets_no_token(people: SmallRetailer, value: str) -> None:
    deliver(people, f"C1,{value},,,,")
    assert people.take().counts == (1, 1, 0, 0)
    assert people.rows("email") == [(None,)]


@pytest.mark.parametrize("value", ["000000", "+00 00", "----", "n/a", "x"])
def test_a_phone_without_digits_that_name_somebody_gets_no_token(people: SmallRetailer, value: str) -> None:
    deliver(people, f"C1,,{value},,,")
    people.take()
    assert people.rows("phone") == [(None,)]


def test_a_subdomain_of_a_blocked_domain_is_not_blocked(people: SmallRetailer) -> None:
    deliver(people, "C1,a@mail.example.com,,,,")
    people.take()
    assert people.rows("email is not null") == [(True,)]


@pytest.mark.parametrize("value", ["no-reply@shop.cn", "NoReply@shop.cn", "none@shop.cn"])
def test_an_e_mail_address_that_only_its_kind_blocks_gets_no_token(people: SmallRetailer, value: str) -> None:
    deliver(people, f"C1,{value},,{value},,")
    people.take()
    assert people.rows("email, full_name is not null") == [(None, True)]


@pytest.mark.parametrize("value", ["138 0013 8000", "+86 13888888888", "11111111111", "8888"])
def test_a_phone_that_was_made_up_gets_no_token(people: SmallRetailer, value: str) -> None:
    deliver(people, f"C1,,{value},,,")
    people.take()
    assert people.rows("phone") == [(None,)]


def test_a_name_that_is_a_blocked_value_gets_no_token(people: SmallRetailer) -> None:
    deliver(people, "C1,,,N/A,none,")
    people.take()
    assert people.rows("full_name, address") == [(None, None)]


@pytest.mark.parametrize(("region", "number"), [({"region": "DE"}, "+491711234567"), ({}, "+861711234567")])
def test_a_phone_without_a_country_code_is_one_of_the_feeds_region(
    retail: Retail, region: dict[str, str], number: str
) -> None:
    feed = contract("people", entity="customer", path="people/{ds}.csv", properties=PEOPLE, **region)
    people = retail(feed)
    deliver(people, "C1,,0171 1234567,,,")
    people.take()
    assert people.rows("phone") == [(rfc2104(people, number),)]


def test_a_lost_key_is_refused(people: SmallRetailer) -> None:
    deliver(people, ROW)
    people.take()
    (people.settings.vault / "token.key").unlink()
    deliver(people, ROW.replace("C1", "C2"), night="2026-01-06")
    with pytest.raises(VaultError, match=r"token.key is missing, and the vault's tokens were made with it. Restore it"):
        people.land(NEXT)
    assert not (people.settings.vault / "token.key").exists()


def test_a_foreign_key_is_refused_and_the_own_key_goes_on(people: SmallRetailer) -> None:
    deliver(people, ROW)
    people.take()
    key = people.settings.vault / "token.key"
    own = key.read_bytes()
    key.write_bytes(b"x" * 32)
    deliver(people, ROW.replace("C1", "C2"), night="2026-01-06")
    with pytest.raises(VaultError, match="is not the key the vault's tokens were made with"):
        people.land(NEXT)
    key.write_bytes(own)
    assert people.take(NEXT).counts == (1, 1, 0, 0)


def mark(people: SmallRetailer, statement: str) -> None:
    with duckdb.connect(str(people.settings.vault / "vault.duckdb")) as vault:
        vault.execute(statement)


@pytest.mark.parametrize(
    "before", ["alter table key_fingerprint drop column normaliser", "update key_fingerprint set normaliser = 99"]
)
def test_tokens_of_other_normalisers_are_not_mixed_with_new_ones(people: SmallRetailer, before: str) -> None:
    deliver(people, ROW)
    people.take()
    mark(people, before)
    deliver(people, ROW.replace("C1", "C2"), night="2026-01-06")
    with pytest.raises(
        VaultError,
        match=r"vault.duckdb holds tokens by normalisers of version (1|99), .* Run a full refresh "
        r"from source: move .*lake, .*--backfill",
    ):
        people.land(NEXT)


def test_a_vault_without_tokens_takes_the_normalisers_there_are(people: SmallRetailer) -> None:
    deliver(people, ROW)
    people.take()
    mark(people, "delete from token; alter table key_fingerprint drop column normaliser")
    deliver(people, ROW.replace("C1", "C2"), night="2026-01-06")
    assert people.take(NEXT).counts == (1, 1, 0, 0)
    deliver(people, ROW.replace("C1", "C3"), night="2026-01-07")
    assert people.take(NEXT.replace(day=7)).counts == (1, 1, 0, 0)


@pytest.mark.parametrize(
    "key", [b"k" * 32, b"k" * 31 + b"\n", b"0123456789abcdef" * 4, b"0123456789abcdef" * 4 + b"\n", bytes(range(100))]
)
def test_a_key_that_lies_there_before_the_vault_is_used_as_its_bytes_are(
    con: duckdb.DuckDBPyConnection, tmp_path: Path, key: bytes
) -> None:
    (tmp_path / "home" / "vault").mkdir()
    (tmp_path / "home" / "vault" / "token.key").write_bytes(key)
    create_vault(tmp_path / "home" / "vault")
    with open_vault(con, tmp_path / "home" / "vault"):
        assert (
            sql_of(con, token_sql("'ann.li@mail.cn'"))
            == hmac.new(key, b"ann.li@mail.cn", hashlib.sha256).hexdigest()[:32]
        )
    assert (tmp_path / "home" / "vault" / "token.key").read_bytes() == key


@pytest.mark.parametrize(
    "before, after",
    [(b"k" * 32, b"k" * 32 + b"\n"), (b"k" * 32 + b"\n", b"k" * 32), (b"ab" * 32, bytes.fromhex("ab" * 32))],
)
def test_a_key_that_was_written_in_another_way_is_another_key(
    con: duckdb.DuckDBPyConnection, tmp_path: Path, before: bytes, after: bytes
) -> None:
    (tmp_path / "home" / "vault").mkdir()
    (tmp_path / "home" / "vault" / "token.key").write_bytes(before)
    create_vault(tmp_path / "home" / "vault")
    (tmp_path / "home" / "vault" / "token.key").write_bytes(after)
    with (
        pytest.raises(VaultError, match="is not the key the vault's tokens were made with"),
        open_vault(con, tmp_path / "home" / "vault"),
    ):
        pass


def test_tokens_that_an_earlier_onedata_made_with_a_key_longer_than_a_block_stay_what_they_are(
    con: duckdb.DuckDBPyConnection, tmp_path: Path
) -> None:
    create_vault(tmp_path / "home" / "vault")
    key = b"0123456789abcdef" * 4 + b"\n"
    (tmp_path / "home" / "vault" / "token.key").write_bytes(key)
    with duckdb.connect(str(tmp_path / "home" / "vault" / "vault.duckdb")) as vault:
        vault.execute(
            "update key_fingerprint set fingerprint = ?", [hashlib.sha256(b"onedata fingerprint" + key).hexdigest()]
        )
    with open_vault(con, tmp_path / "home" / "vault"):
        # Each half of HMAC by hand, the key neither hashed nor cut.
        inner = hashlib.sha256(bytes(byte ^ 0x36 for byte in key) + b"ann").digest()
        assert (
            sql_of(con, token_sql("'ann'"))
            == hashlib.sha256(bytes(byte ^ 0x5C for byte in key) + inner).hexdigest()[:32]
        )


def test_only_the_owner_may_look_into_the_vault(people: SmallRetailer) -> None:
    deliver(people, ROW)
    people.take()
    modes = {
        path.name: stat.S_IMODE(path.stat().st_mode)
        for path in (people.settings.vault, *people.settings.vault.iterdir())
    }
    assert modes == {"vault": 0o700, "token.key": 0o600, "vault.duckdb": 0o600}
