"""Access to the real servers of the session, and contracts of feeds on them."""

from __future__ import annotations

import os
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pyarrow import fs
from small_retailer import ANSWERS, contract

PASSWORD = "the password of one test session"
USER = "shop"


@dataclass(frozen=True)
class Postgres:
    """A running server; `database` is a fresh one of the test's own."""

    bin: Path
    port: int
    database: str = "postgres"

    def sql(self, statement: str) -> None:
        command = [
            self.bin / "psql",
            "-q",
            "-v",
            "ON_ERROR_STOP=1",
            "-h",
            "127.0.0.1",
            "-p",
            str(self.port),
            "-U",
            USER,
            "-d",
            self.database,
            "-c",
            statement,
        ]
        subprocess.run(command, check=True, env=dict(os.environ) | {"PGPASSWORD": PASSWORD, "PGTZ": "UTC"})

    def contract(self, table: str = "answers", name: str = "survey", **feed: Any) -> dict[str, Any]:
        """A contract of the survey whose answers lie in a table."""
        content = contract(name, **feed)
        content["servers"] = [
            {
                "server": "shopdb",
                "type": "postgres",
                "host": "127.0.0.1",
                "port": self.port,
                "database": self.database,
                "schema": "public",
                "customProperties": [{"property": "user", "value": USER}],
            }
        ]
        content["schema"][0]["physicalName"] = table
        return content


@dataclass(frozen=True)
class Store:
    """A running S3 store with one empty bucket."""

    endpoint: str
    bucket: str
    files: fs.S3FileSystem

    def put(self, key: str, content: str | bytes) -> None:
        with self.files.open_output_stream(f"{self.bucket}/{key}", compression=None) as stream:
            stream.write(content.encode() if isinstance(content, str) else content)

    def contract(self, key: str, kind: str = "csv", **feed: Any) -> dict[str, Any]:
        """A contract of the survey whose files lie in the bucket."""
        content = contract(kind=kind, properties=ANSWERS, **feed)
        server = content["servers"][0]
        del server["path"]
        server |= {
            "server": "minio",
            "type": "s3",
            "location": f"s3://{self.bucket}/{key}",
            "endpointUrl": self.endpoint,
        }
        return content
