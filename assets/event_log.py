"""Dagster's event log for a process that runs nights: each of its SQLite files stays open between two events.

Dagster opens, empties and closes a file for each of a night's thousand events, which took a seventh of an empty night.
Each event of a step is a transaction of its own, as before, so a killed night loses none; those that tell what a run
intends to make are one.
"""

import threading
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml
from dagster._core.events.log import EventLogEntry
from dagster._core.storage.event_log import SqliteEventLogStorage
from dagster._core.storage.sqlite import SQLITE_BUSY_TIMEOUT_SECONDS
from dagster._core.storage.sqlite_storage import DagsterSqliteStorage
from dagster._serdes import ConfigurableClassData
from sqlalchemy import Connection, Engine, create_engine, event
from sqlalchemy.pool import QueuePool

from onedata.disk import keep_write_ahead_small

BATCH = {"DAGSTER_EVENT_BATCH_SIZE": "1000"}
"""Environment in which Dagster hands over events in batches."""
MOST_OPEN = 8
STORAGES = {"storage", "run_storage", "event_log_storage", "schedule_storage"}


@dataclass(frozen=True)
class _Batch:
    """Transactions that a thread holds open, by file."""

    thread: int
    transactions: ExitStack
    connections: dict[str, Connection] = field(default_factory=dict)


class KeptOpenEventLog(SqliteEventLogStorage):
    """The same files and statements, with one engine for each file: the index, and those of the last runs."""

    def __init__(self, base_dir: str) -> None:
        self._engines: dict[str, tuple[int, Engine]] = {}
        self._tables: set[str] = set()
        self._batch: _Batch | None = None
        super().__init__(base_dir)

    def store_event_batch(self, events: Sequence[EventLogEntry]) -> None:
        """The events in one transaction of each file. Dagster hands over together what a run intends to make."""
        with self._db_lock, ExitStack() as transactions:
            transactions.callback(setattr, self, "_batch", None)
            self._batch = _Batch(threading.get_ident(), transactions)
            for each in events:
                self.store_event(each)

    @contextmanager
    def _connect(self, shard: str) -> Iterator[Connection]:
        batch = self._batch
        if batch is None or batch.thread != threading.get_ident():
            with self._db_lock, self._begun(shard) as connection:
                yield connection
            return
        if shard not in batch.connections:
            batch.connections[shard] = batch.transactions.enter_context(self._begun(shard))
        yield batch.connections[shard]

    @contextmanager
    def _begun(self, shard: str) -> Iterator[Connection]:
        """A transaction; the lock is held."""
        engine = self._engine(shard)
        if shard not in self._initialized_dbs:
            self._initdb(engine)
            self._initialized_dbs.add(shard)
        with engine.begin() as connection:
            yield connection
        self._note_file(shard)

    def _engine(self, shard: str) -> Engine:
        """The file's engine. A file that was moved away or replaced is opened anew: SQLite would go on in the old."""
        file, engine = self._engines.pop(shard, (0, None))
        if engine is not None and file != _inode(self.path_for_shard(shard)):
            engine.dispose()
            engine = None
            self._initialized_dbs.discard(shard)
        if engine is None:
            while len(self._engines) >= MOST_OPEN:
                self._engines.pop(next(iter(self._engines)))[1].dispose()
            url, wait = self.conn_string_for_shard(shard), {"timeout": SQLITE_BUSY_TIMEOUT_SECONDS}
            engine = create_engine(url, poolclass=QueuePool, connect_args=wait)
            event.listen(engine, "connect", keep_write_ahead_small)
        self._engines[shard] = (file, engine)
        return engine

    def has_table(self, table_name: str) -> bool:
        """Asked twice for each check. A table that is there stays."""
        if table_name not in self._tables and super().has_table(table_name):
            self._tables.add(table_name)
        return table_name in self._tables

    def _note_file(self, shard: str) -> None:
        self._engines[shard] = (_inode(self.path_for_shard(shard)), self._engines[shard][1])

    def dispose(self) -> None:
        super().dispose()
        for _, engine in self._engines.values():
            engine.dispose()
        self._engines.clear()


class KeptOpenStorage(DagsterSqliteStorage):
    """Dagster's default storage with that event log."""

    def __init__(self, base_dir: str, inst_data: ConfigurableClassData | None = None) -> None:
        super().__init__(base_dir, inst_data)
        self._event_log_storage = KeptOpenEventLog(self._event_log_storage._base_dir)

    @classmethod
    def from_config_value(cls, inst_data: ConfigurableClassData | None, config_value: Any) -> "KeptOpenStorage":
        return cls(inst_data=inst_data, **config_value)


def with_kept_event_log(dagster_home: Path) -> dict[str, Any]:
    """Overrides of the instance's settings; none where its dagster.yaml chooses a storage."""
    chosen = yaml.safe_load((dagster_home / "dagster.yaml").read_text(encoding="utf-8"))
    if STORAGES & chosen.keys():
        return {}
    config = {"base_dir": str(dagster_home)}
    return {"storage": {"custom": {"module": __name__, "class": KeptOpenStorage.__name__, "config": config}}}


def _inode(path: str) -> int:
    try:
        return Path(path).stat().st_ino
    except FileNotFoundError:
        return 0
