"""The two files of the vault: created once, never overwritten, and examined if they cannot be used.

They are the only copy of their contents: vault.duckdb has the raw values, and token.key is the key of every token.
"""

import fcntl
import hashlib
import os
import secrets
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import duckdb

from onedata.durable import create_durably, make_folders, name_durably, sync_file
from onedata.errors import OnedataError
from onedata.home import user_name
from onedata.normalise.identifiers import VERSION
from onedata.sql import quote_text

BLOCK_BYTES = 64
KEY_BYTES = 32
PATIENCE_SECONDS = 10.0
"""How long to wait for another process, which looks up a value and releases the vault."""
POLL_SECONDS = 0.1
MAGIC = (8, b"DUCK")
"""Position of the magic bytes of a DuckDB database."""
LEAST_FREE_BYTES = 1 << 20
TABLES = """
create table token (token varchar, kind varchar, value varchar);
create table key_fingerprint (fingerprint varchar, normaliser integer);
"""
HOWTO = "docs/howto/lost-vault-or-key.md"


class VaultError(OnedataError):
    """The vault or its key is missing, damaged or unreadable, or the two do not match.

    The text says which, and the fix.
    """


class VaultBusy(VaultError):
    """Another process has held the vault for longer than `PATIENCE_SECONDS`."""


def database_file(folder: Path) -> Path:
    """Raw identifiers by token."""
    return folder / "vault.duckdb"


def key_file(folder: Path) -> Path:
    """The file of the key of the tokens."""
    return folder / "token.key"


def key_fault(folder: Path, kept: str) -> str | None:
    """What is wrong with the key of a vault with this fingerprint, and the fix; None if it matches."""
    key = key_file(folder)
    if not key.is_file():
        return f"{key} is gone: restore it from where you keep it"
    if fingerprint(block_key(key.read_bytes())) != kept:
        return (
            f"{key} is not the key that the tokens of {database_file(folder)} were made with: restore the one that is"
        )
    return None


def is_there(file: Path) -> bool:
    """Whether the path exists, even if empty.

    Raises:
        VaultError: its folder cannot be listed.
    """
    try:
        file.lstat()
    except FileNotFoundError:
        return False
    except OSError as error:
        raise VaultError(_not_allowed(file, error)) from None
    return True


def create_vault(folder: Path) -> None:
    """Create a vault without tokens: first a key if there is none, then the database with its fingerprint.

    Each file gets its name only once it is complete, and never replaces another: of two processes one wins, and both
    use the same files. Only for a data home without known tokens; a lost vault must not be replaced by a new one.

    Raises:
        VaultError: the existing key cannot be used.
    """
    make_folders(folder)
    file = database_file(folder)
    if not is_there(key_file(folder)):
        create_durably(key_file(folder), secrets.token_bytes(KEY_BYTES))
    key = block_key(read_key(folder))
    fresh = file.with_name(f".{file.name}.{os.getpid()}.new")
    fresh.unlink(missing_ok=True)
    with duckdb.connect(str(fresh)) as con:
        con.execute(TABLES)
        con.execute("insert into key_fingerprint values (?, ?)", [fingerprint(key), VERSION])
    fresh.chmod(0o600)
    sync_file(fresh)
    name_durably(fresh, file)


def read_key(folder: Path, known: str | None = None) -> bytes:
    """The bytes of the key file, unchanged, including a line end.

    Args:
        folder: The vault's folder.
        known: Fingerprint of the key of the tokens, if there are some.

    Raises:
        VaultError: the key is missing, unreadable, or too short.
    """
    file = key_file(folder)
    if not is_there(file):
        cause = f"{file} is missing, and the vault's tokens were made with it."
        raise VaultError(f"{cause} Restore it: a new key would disconnect every customer. See {HOWTO}.")
    try:
        key = file.read_bytes()
    except OSError as error:
        raise VaultError(_not_allowed(file, error)) from None
    if len(key) < KEY_BYTES:
        short = f"{file} holds {len(key)} bytes, and a key has {KEY_BYTES} at least: tokens made with it can be guessed"
        if known == fingerprint(key):
            raise VaultError(f"{short}, and the vault's were made with it. {full_refresh(folder, 'vault')}")
        raise VaultError(
            f"{short}. Restore the key from where you keep it; only in a data home without any tokens move the file "
            f"away, and the next run makes a key. See {HOWTO}."
        )
    return key


def full_refresh(folder: Path, vault: str) -> str:
    """The fix if every token must be recreated; `vault` names the files of the vault to move aside."""
    moved = ", ".join(str(folder.parent / name) for name in ("lake", "staged", "warehouse", vault))
    return f"Run a full refresh from source: move {moved} away, then `onedata run --backfill`."


def block_key(key: bytes) -> bytes:
    """The key as HMAC uses it: one longer than a block is hashed first (RFC 2104)."""
    return hashlib.sha256(key).digest() if len(key) > BLOCK_BYTES else key


def fingerprint(key: bytes) -> str:
    """The fingerprint that the vault stores of its key."""
    return hashlib.sha256(b"onedata fingerprint" + key).hexdigest()


def attach_vault(con: duckdb.DuckDBPyConnection, folder: Path, name: str = "vault", read_only: bool = False) -> None:
    """Attach the vault's database to `con`, and wait a little for another process that holds it.

    Raises:
        VaultBusy: another process holds it for longer than `PATIENCE_SECONDS`.
        VaultError: it is missing or damaged, or this user may not read and write it.
    """
    file = database_file(folder)
    if not is_there(file):
        raise VaultError(gone(file))
    until = time.monotonic() + PATIENCE_SECONDS
    while True:
        try:
            con.execute(f"attach {quote_text(str(file))} as {name}{' (read_only)' if read_only else ''}")
            return
        except duckdb.BinderException:  # this process has it attached already
            raise
        except duckdb.Error as error:
            if not _is_held(file):
                raise VaultError(_why(file, error)) from error
        if time.monotonic() >= until:
            cause = f"{file} is held by another process, and was for {PATIENCE_SECONDS:.0f} s"
            raise VaultBusy(f"{cause}; try again when that has ended: nothing is lost")
        time.sleep(POLL_SECONDS)


@contextmanager
def telling_damage(folder: Path) -> Iterator[None]:
    """Turn a DuckDB error into `VaultError` if reading the whole vault again shows that it is damaged.

    The vault must be detached by then.
    """
    try:
        yield
    except duckdb.IOException as error:
        if is_there(database_file(folder)):
            _read_whole(folder, error)
        raise


def _read_whole(folder: Path, cause: duckdb.Error) -> None:
    """Read every block, each of which has a checksum."""
    with duckdb.connect() as con:
        attach_vault(con, folder, read_only=True)
        try:
            con.execute("select bit_xor(hash(t)) from vault.token t; select * from vault.key_fingerprint").fetchall()
        except duckdb.Error as error:
            raise VaultError(damaged(database_file(folder), error)) from cause


def gone(file: Path) -> str:
    cause = f"{file} is missing. Nothing else holds the raw values that tokens stand for"
    return f"{cause}: restore it, with token.key, from a back-up. See {HOWTO}."


def damaged(file: Path, error: duckdb.Error | str) -> str:
    text = str(error).splitlines()[0]
    return (
        f"{file} is damaged ({text}). It cannot be rebuilt, for nothing else holds the raw values that tokens stand "
        f"for: move it aside and restore it from a back-up. See {HOWTO}."
    )


def _why(file: Path, error: duckdb.Error) -> str:
    """Find out why a database that nobody holds was not opened: DuckDB raises one kind of error for every cause."""
    wal = file.with_name(f"{file.name}.wal")
    for path in (file, *([wal] if is_there(wal) else []), file.parent):
        if not os.access(path, os.R_OK | os.W_OK):
            return _not_allowed(path, "not allowed, or on a read-only file system")
    try:
        with file.open("rb") as stream:
            head = stream.read(MAGIC[0] + len(MAGIC[1]))
    except OSError as failure:
        return _not_allowed(file, failure)
    if not head:
        return damaged(file, "it is empty")
    if head[MAGIC[0] :] != MAGIC[1]:
        return damaged(file, "it is no DuckDB database")
    if shutil.disk_usage(file.parent).free < LEAST_FREE_BYTES:
        return f"there is no space left on the disk of {file}: free some, then run again; nothing is lost"
    return damaged(file, error)


def _not_allowed(path: Path, error: OSError | str) -> str:
    reason = error if isinstance(error, str) else error.strerror
    cause = f"{path} cannot be read and written by user {user_name()}: {reason}."
    return f"{cause} Run onedata as the user who owns it, or give it to this one with chown."


def _is_held(file: Path) -> bool:
    """Whether another process holds DuckDB's lock. This process must not hold it: closing the file would release it."""
    try:
        with file.open("rb+") as stream:
            fcntl.lockf(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except OSError:  # it may not be opened, so the lock does not matter
        return False
    return False
