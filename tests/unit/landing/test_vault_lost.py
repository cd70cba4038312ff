"""A lost, outdated or damaged vault, and unusable keys: refused with the file and the fix, and never replaced by a new
one."""

from __future__ import annotations

import hashlib
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import duckdb
import pytest
from small_retailer import NEXT, NIGHT, SmallRetailer, contract, identifier_policy
from support import as_nobody, skip_unless_root

from onedata.identity import resolve
from onedata.landing import vault_files
from onedata.landing.vault import open_vault
from onedata.landing.vault_files import VaultBusy, VaultError, create_vault
from onedata.ledger.promote import promote
from onedata.quality.privacy import scan
from onedata.retailer import prepare_warehouse

Retail = Callable[..., SmallRetailer]
PEOPLE = tuple({"name": name, "physicalName": name} for name in ("customer_id", "email", "full_name"))
LACKS = (
    r"vault.duckdb lacks 2 of the 4 tokens that are known, for example of kind email: it is a copy "
    r"from before they were made. Restore the newest copy"
)


@pytest.fixture
def people(retail: Retail) -> SmallRetailer:
    return retail(
        contract("people", entity="customer", path="people/{ds}.csv", properties=PEOPLE, quarantineTolerance=1),
        contract(),
    )


def deliver(people: SmallRetailer, *rows: str, night: str = "2026-01-05") -> None:
    people.put(f"people/{night}.csv", "\n".join(["customer_id,email,full_name", *rows]) + "\n")


def night(people: SmallRetailer, name: str = "Ann", day: str = "2026-01-05", with_oneid: bool = True) -> None:
    """One customer lands and, where asked, OneID takes it in."""
    deliver(people, f"{name},{name}@mail.cn,{name} Li", night=day)
    assert people.take(NIGHT if day == "2026-01-05" else NEXT, "people").counts == (1, 1, 0, 0)
    if with_oneid:
        folder = people.settings.lake / "ods" / "customer"
        people.con.execute(
            f"create or replace view ods.ods_customer as from read_parquet('{folder}/source=*/*/*.parquet', "
            "union_by_name = true)"
        )
        resolve(
            people.con, {"customer": people.feed("people").entity}, identifier_policy(), NIGHT, people.settings.vault
        )


def next_run(people: SmallRetailer) -> None:
    """What every run does before it lands anything."""
    prepare_warehouse(people.con, people.retailer)


def contents(folder: Path) -> dict[str, str]:
    return {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in folder.iterdir() if path.is_file()}


@pytest.mark.parametrize("content", [b"", b"\n", b"x" * 31])
def test_a_short_key_is_refused_where_the_vault_is_new(people: SmallRetailer, content: bytes) -> None:
    shutil.rmtree(people.settings.vault)
    people.settings.vault.mkdir()
    (people.settings.vault / "token.key").write_bytes(content)
    with pytest.raises(
        VaultError,
        match=rf"vault/token.key holds {len(content)} bytes, and a key has 32 at least: .* move the file away",
    ):
        next_run(people)
    assert {path.name: path.read_bytes() for path in people.settings.vault.iterdir()} == {"token.key": content}


@pytest.mark.parametrize("content", [b"", b"x" * 31])
def test_a_short_key_is_refused_where_tokens_were_made(people: SmallRetailer, content: bytes) -> None:
    night(people, with_oneid=False)
    (people.settings.vault / "token.key").write_bytes(content)
    deliver(people, "C2,b@mail.cn,Bob Li", night="2026-01-06")
    for step in (lambda: next_run(people), lambda: people.land(NEXT, "people")):
        with pytest.raises(
            VaultError, match=rf"token.key holds {len(content)} bytes, .* Restore the key from where you keep it"
        ):
            step()
    assert (people.settings.vault / "token.key").read_bytes() == content


def test_tokens_that_were_made_with_an_empty_key_are_to_be_made_anew(people: SmallRetailer) -> None:
    night(people, with_oneid=False)
    (people.settings.vault / "token.key").write_bytes(b"")
    with duckdb.connect(str(people.settings.vault / "vault.duckdb")) as vault:
        vault.execute(
            "update key_fingerprint set fingerprint = ?", [hashlib.sha256(b"onedata fingerprint").hexdigest()]
        )
    with pytest.raises(
        VaultError,
        match=r"can be guessed, and the vault's were made with it. Run a full refresh from source: move .*/lake, "
        r".*/vault away",
    ):
        next_run(people)


def lose_vault(people: SmallRetailer, with_key: bool) -> dict[str, str]:
    (people.settings.vault / "vault.duckdb").unlink()
    if with_key:
        (people.settings.vault / "token.key").unlink()
    return contents(people.settings.vault)


@pytest.mark.parametrize("with_key", [False, True])
@pytest.mark.parametrize("known", ["oneid", "lake", "staged"])
def test_a_vault_that_is_gone_is_refused_while_tokens_are_known(
    people: SmallRetailer, known: str, with_key: bool
) -> None:
    if known == "staged":
        deliver(people, "C1,ann@mail.cn,Ann Li")
        assert people.land(NIGHT, "people").accepted == 1
    else:
        night(people, with_oneid=known == "oneid")
    if known == "oneid":
        shutil.rmtree(people.settings.lake / "ods" / "customer" / "source=people")
    elif known == "lake":
        # The warehouse is gone as well.
        people.con.execute("drop schema ops cascade; drop schema oneid cascade")
    left = lose_vault(people, with_key)
    with pytest.raises(
        VaultError, match=r"vault/vault.duckdb is missing. .* restore it, with token.key, from a back-up"
    ) as caught:
        next_run(people)
    assert {"oneid": "the tables of OneID", "lake": "source=people/ds=2026-01-05", "staged": "/staged/people/"}[
        known
    ] in str(caught.value)
    assert contents(people.settings.vault) == left
    with pytest.raises(VaultError, match=r"vault.duckdb is missing"), open_vault(people.con, people.settings.vault):
        pass
    assert contents(people.settings.vault) == left


def test_a_retailer_that_never_delivered_a_person_gets_a_vault(people: SmallRetailer) -> None:
    people.csv("1,o1,5,good,2026-01-05 10:00:00")
    assert people.take(NIGHT, "survey").landed.accepted == 1
    deliver(people, "C1,,")
    assert people.take(NIGHT, "people").landed.accepted == 1
    shutil.rmtree(people.settings.vault)
    next_run(people)
    assert sorted(contents(people.settings.vault)) == ["token.key", "vault.duckdb"]


def test_a_lake_file_that_cannot_be_read_makes_no_new_vault(people: SmallRetailer) -> None:
    night(people, with_oneid=False)
    (file,) = (people.settings.lake / "ods" / "customer" / "source=people").rglob("*.parquet")
    file.write_bytes(b"cut")
    left = lose_vault(people, with_key=False)
    with pytest.raises(
        VaultError, match=r"vault.duckdb is missing.*\(Whether .*parquet holds tokens made with it is unknown"
    ):
        next_run(people)
    assert contents(people.settings.vault) == left


@pytest.mark.parametrize("with_oneid", [True, False])
def test_an_older_copy_of_the_vault_is_refused_and_the_newest_goes_on(
    people: SmallRetailer, tmp_path: Path, with_oneid: bool
) -> None:
    night(people, "Ann")
    next_run(people)
    file = people.settings.vault / "vault.duckdb"
    shutil.copy(file, tmp_path / "older")
    night(people, "Bob", "2026-01-06", with_oneid)
    newest = shutil.copy(file, tmp_path / "newest")
    shutil.copy(tmp_path / "older", file)
    with pytest.raises(VaultError, match=LACKS):
        next_run(people)
    shutil.copy(newest, file)
    next_run(people)


def damage(file: Path, how: str) -> None:
    content = file.read_bytes()
    file.write_bytes(
        {
            "empty": b"",
            "junk": b"not a database" * 100_000,
            "cut": content[: len(content) // 2],
            "head": content[:4096],
        }[how]
    )


@pytest.mark.parametrize("how", ["empty", "junk", "cut", "head"])
def test_a_damaged_vault_is_told_as_damage_and_left_as_it_is(people: SmallRetailer, how: str) -> None:
    night(people)
    file = people.settings.vault / "vault.duckdb"
    damage(file, how)
    left = contents(people.settings.vault)
    deliver(people, "C2,b@mail.cn,Bob Li", night="2026-01-06")
    for step in (lambda: next_run(people), lambda: people.land(NEXT, "people")):
        with pytest.raises(
            VaultError,
            match=r"vault/vault.duckdb is damaged \(.*\). It cannot be rebuilt, .* restore it from a back-up",
        ):
            step()
    assert contents(people.settings.vault) == left


def test_a_flipped_bit_is_told_as_damage_of_the_vault_wherever_it_is_met(people: SmallRetailer) -> None:
    night(people)
    file = people.settings.vault / "vault.duckdb"
    with duckdb.connect(str(file)) as vault:
        vault.execute("insert into token select md5(range::varchar), 'email', range || '@mail.cn' from range(100000)")
    with duckdb.connect(str(people.settings.home / "candidate")) as candidate:
        candidate.execute("create table t as select 'nobody' as name")
    whole, chosen = file.read_bytes(), random.Random(1)
    outcomes = []
    for position in [chosen.randrange(len(whole)) for _ in range(25)]:
        content = bytearray(whole)
        content[position] ^= 1 << chosen.randrange(8)
        file.write_bytes(content)
        try:
            next_run(people)
            outcomes.append("not met at the start")
            scan(people.con, people.settings.home / "candidate", people.settings.vault)
        except VaultError as error:
            assert "vault/vault.duckdb is damaged (IO Error: Corrupt database file" in str(error)
            outcomes.append("damaged")
    assert outcomes.count("damaged") > 12 and "not met at the start" in outcomes


def test_the_database_of_something_else_is_no_vault_and_is_left_as_it_is(people: SmallRetailer) -> None:
    file = people.settings.vault / "vault.duckdb"
    file.unlink()
    with duckdb.connect(str(file)) as other:
        other.execute("create table mine as select 1 as a")
    left = contents(people.settings.vault)
    with pytest.raises(VaultError, match=r"vault.duckdb is damaged \(it is the database of something else\)"):
        next_run(people)
    assert contents(people.settings.vault) == left


HOLD = "import sys, duckdb; con = duckdb.connect(sys.argv[1]); print('held', flush=True); sys.stdin.readline()"


@pytest.fixture
def holder(people: SmallRetailer) -> Iterator[subprocess.Popen[str]]:
    command = [sys.executable, "-c", HOLD, str(people.settings.vault / "vault.duckdb")]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None and process.stdout.readline() == "held\n"
        yield process
        process.kill()


def test_a_vault_that_another_process_holds_is_told_as_busy(
    people: SmallRetailer, holder: subprocess.Popen[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(vault_files, "PATIENCE_SECONDS", 0.3)
    with pytest.raises(VaultBusy, match=r"vault.duckdb is held by another process"):
        next_run(people)
    # A damaged file that is held is damaged once it is let go; a lock is not taken for damage.
    holder.kill()
    holder.wait()
    next_run(people)


def test_a_vault_that_is_let_go_is_waited_for(
    people: SmallRetailer, holder: subprocess.Popen[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def let_go(_: float) -> None:
        holder.kill()
        holder.wait()

    monkeypatch.setattr(vault_files.time, "sleep", let_go)
    next_run(people)
    assert holder.returncode == -signal.SIGKILL


@pytest.mark.parametrize("name", ["token.key", "vault.duckdb", "."])
def test_a_file_that_may_not_be_read_is_told_as_that(name: str) -> None:
    skip_unless_root()
    code = (
        "import sys, duckdb\nfrom pathlib import Path\nfrom onedata.landing.vault import open_vault\n"
        "with open_vault(duckdb.connect(), Path(sys.argv[1])):\n    print('opened')"
    )
    with tempfile.TemporaryDirectory(dir="/var/tmp") as folder:
        Path(folder).chmod(0o755)
        vault = Path(folder) / "vault"
        create_vault(vault)
        for path in (vault, *vault.iterdir()):
            os.chown(path, 65534, 65534)
        opened = as_nobody(Path(folder), code, str(vault))
        assert opened.stdout == "opened\n", opened.stderr
        os.chown(vault / name, 0, 0)
        refused = as_nobody(Path(folder), code, str(vault))
    told = refused.stderr.splitlines()[-1]
    file = vault / ("vault.duckdb" if name == "." else name)
    assert (
        told.startswith("onedata.landing.vault_files.VaultError")
        and f"{file} cannot be read and written by user nobody: " in told
    )
    assert "or give it to this one with chown" in told and "damaged" not in told


CREATE = """
import sys
from pathlib import Path
from onedata.landing.vault_files import create_vault
print("ready", flush=True)
sys.stdin.readline()
create_vault(Path(sys.argv[1]))
"""


def test_processes_that_make_the_vault_at_once_go_on_with_the_same_key(tmp_path: Path) -> None:
    command = [sys.executable, "-c", CREATE, str(tmp_path / "vault")]
    processes = [subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) for _ in range(4)]
    for process in processes:
        assert process.stdout is not None and process.stdout.readline() == "ready\n"
    for process in processes:
        assert process.stdin is not None
        process.stdin.write("\n")
        process.stdin.flush()
    assert [process.wait() for process in processes] == [0, 0, 0, 0]
    assert sorted(contents(tmp_path / "vault")) == ["token.key", "vault.duckdb"]
    with duckdb.connect() as con, open_vault(con, tmp_path / "vault"):
        assert con.execute("select count(*) from vault.key_fingerprint").fetchone() == (1,)


KILLED = """
import os, signal, sys
from pathlib import Path
from onedata.landing.vault_files import create_vault
name, left = sys.argv[2], int(sys.argv[3])
real = getattr(os, name)
def killing(*arguments, **options):
    global left
    left -= 1
    if left == 0:
        os.kill(os.getpid(), signal.SIGKILL)
    return real(*arguments, **options)
setattr(os, name, killing)
create_vault(Path(sys.argv[1]))
"""


@pytest.mark.parametrize(
    ("call", "number"), [("fsync", 1), ("fsync", 2), ("link", 1), ("unlink", 2), ("fsync", 4), ("link", 2)]
)
def test_a_process_killed_while_it_makes_the_vault_leaves_none_or_a_whole_one(
    tmp_path: Path, call: str, number: int
) -> None:
    folder = tmp_path / "vault"
    done = subprocess.run(
        [sys.executable, "-c", KILLED, str(folder), call, str(number)], capture_output=True, text=True, check=False
    )
    assert done.returncode == -signal.SIGKILL, done.stderr
    key = folder / "token.key"
    before = key.read_bytes() if key.exists() else None
    assert before is None or len(before) == 32
    create_vault(folder)
    assert before in (None, key.read_bytes())
    with duckdb.connect() as con, open_vault(con, folder):
        assert con.execute("from vault.token").fetchall() == []


def test_landing_after_the_vault_was_lost_in_the_middle_of_a_run_makes_no_other(people: SmallRetailer) -> None:
    left = lose_vault(people, with_key=False)
    deliver(people, "C1,ann@mail.cn,Ann Li")
    with pytest.raises(VaultError, match=r"vault.duckdb is missing"):
        people.land(NIGHT, "people")
    assert contents(people.settings.vault) == left
    assert promote(people.con, people.settings) == []
