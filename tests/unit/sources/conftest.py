"""Real servers on loopback for one test session: PostgreSQL of Debian's packages, an S3 store of PyPI's moto."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import tempfile
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest
from moto.server import ThreadedMotoServer
from pyarrow import fs
from servers import PASSWORD, USER, Postgres, Store


def _as_owner(command: list[str | Path], user: str | None) -> None:
    subprocess.run(
        [*(["runuser", "-u", user, "--"] if user else []), *command], check=True, stdout=subprocess.DEVNULL, cwd="/"
    )


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[Postgres]:
    """Started as an unprivileged user, for initdb refuses root; skipped, and told of in the summary, only where
    PostgreSQL is not installed."""
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb")) or [
        Path(path) for path in [shutil.which("initdb")] if path
    ]
    if not found:
        text = "PostgreSQL is not installed: apt-get install postgresql"
        pytest.skip(text)
    folder, user = Path(tempfile.mkdtemp(prefix="onedata-postgres-")), "postgres" if os.geteuid() == 0 else None
    (folder / "password").write_text(PASSWORD)
    if user:
        shutil.chown(folder, user)
        shutil.chown(folder / "password", user)
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    server = Postgres(found[-1].parent, port)
    initdb = [
        "-D",
        folder / "data",
        "-U",
        USER,
        "--auth=scram-sha-256",
        f"--pwfile={folder / 'password'}",
        "-E",
        "UTF8",
        "--locale=C.UTF-8",
        "--no-sync",
    ]
    _as_owner([server.bin / "initdb", *initdb], user)
    options = (
        f"-c listen_addresses=127.0.0.1 -c port={port} -c unix_socket_directories= -c fsync=off -c "
        "timezone=Asia/Shanghai"
    )
    _as_owner([server.bin / "pg_ctl", "-D", folder / "data", "-w", "-l", folder / "log", "-o", options, "start"], user)
    try:
        yield server
    finally:
        _as_owner([server.bin / "pg_ctl", "-D", folder / "data", "-w", "-m", "immediate", "stop"], user)
        shutil.rmtree(folder)


@pytest.fixture
def postgres(postgres_server: Postgres, monkeypatch: pytest.MonkeyPatch) -> Postgres:
    """A database of the test's own with an empty table `answers`; the password is in the environment, as libpq wants
    it."""
    monkeypatch.setenv("PGPASSWORD", PASSWORD)
    database = f"t{uuid.uuid4().hex}"
    postgres_server.sql(f"create database {database}")
    own = Postgres(postgres_server.bin, postgres_server.port, database)
    own.sql(
        'create table answers (id text primary key, "order" text, score integer, note text, answered timestamptz, '
        "updated_at timestamptz)"
    )
    return own


@pytest.fixture(scope="session")
def s3_server() -> Iterator[str]:
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    yield f"http://{host}:{port}"
    server.stop()


@pytest.fixture
def store(s3_server: str, monkeypatch: pytest.MonkeyPatch) -> Store:
    for name, value in {
        "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": "test",
        "AWS_EC2_METADATA_DISABLED": "true",
    }.items():
        monkeypatch.setenv(name, value)
    files = fs.S3FileSystem(
        endpoint_override=s3_server.removeprefix("http://"),
        scheme="http",
        region="us-east-1",
        allow_bucket_creation=True,
    )
    bucket = f"b{uuid.uuid4().hex}"
    files.create_dir(bucket)
    return Store(s3_server, bucket, files)
