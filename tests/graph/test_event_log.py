"""The event log of a process that runs nights: files that stay open, with what Dagster's own storage writes."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import dagster as dg
import pytest
from dagster._core.instance.ref import InstanceRef

from onedata.disk import PAGES_AHEAD
from onedata_assets.event_log import BATCH, MOST_OPEN, KeptOpenEventLog, with_kept_event_log

OPEN_FILES = Path("/proc/self/fd")


@dg.op
def speak(context: dg.OpExecutionContext) -> None:
    context.log.info("heard")


@dg.job
def spoken() -> None:
    speak()


@pytest.fixture
def home(tmp_path: Path) -> Path:
    (tmp_path / "dagster.yaml").write_text("telemetry:\n  enabled: false\n", encoding="utf-8")
    return tmp_path


def kept(home: Path) -> dg.DagsterInstance:
    return dg.DagsterInstance.from_ref(InstanceRef.from_dir(str(home), overrides=with_kept_event_log(home)))


def heard(instance: dg.DagsterInstance, run_id: str) -> list[str]:
    return [entry.user_message for entry in instance.all_logs(run_id) if entry.user_message == "heard"]


def test_another_process_reads_the_events_while_the_files_are_open(home: Path) -> None:
    with kept(home) as instance:
        assert isinstance(instance.event_log_storage, KeptOpenEventLog)
        run = spoken.execute_in_process(instance=instance)
        with dg.DagsterInstance.from_config(str(home)) as other:
            assert not isinstance(other.event_log_storage, KeptOpenEventLog)
            assert heard(other, run.run_id) == ["heard"]
            assert len(other.all_logs(run.run_id)) == len(instance.all_logs(run.run_id))


def test_what_a_run_intends_to_make_is_one_transaction_of_each_file(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in BATCH.items():
        monkeypatch.setenv(name, value)
    specs = [dg.AssetSpec(f"table_{number}") for number in range(5)]

    @dg.multi_asset(specs=specs)
    def tables() -> Iterator[dg.MaterializeResult]:
        for spec in specs:
            yield dg.MaterializeResult(asset_key=spec.key)

    job = dg.Definitions(assets=[tables], jobs=[dg.define_asset_job("all_tables")]).resolve_job_def("all_tables")
    begun: list[str] = []
    batches: list[tuple[int, list[str]]] = []
    with kept(home) as instance:
        log = instance.event_log_storage
        assert isinstance(log, KeptOpenEventLog)
        begin, store = log._begun, log.store_event_batch

        def note_transaction(shard: str) -> Any:
            begun.append(shard)
            return begin(shard)

        def note_batch(events: Sequence[Any]) -> None:
            before = len(begun)
            store(events)
            batches.append((len(events), begun[before:]))

        monkeypatch.setattr(log, "_begun", note_transaction)
        monkeypatch.setattr(log, "store_event_batch", note_batch)
        run = job.execute_in_process(instance=instance)
        assert batches == [(len(specs), [run.run_id, "index"])]
        intended = dg.DagsterEventType.ASSET_MATERIALIZATION_PLANNED
        assert len(list(instance.all_logs(run.run_id, of_type=intended))) == len(specs)
    with dg.DagsterInstance.from_config(str(home)) as other:
        records = other.get_event_records(dg.EventRecordsFilter(intended))
        assert {record.asset_key for record in records} == {spec.key for spec in specs}


@pytest.mark.skipif(not OPEN_FILES.exists(), reason="the machine does not list the files that a process holds open")
def test_nothing_stays_open_when_the_instance_is_disposed_of(home: Path) -> None:
    with kept(home) as instance:
        for _ in range(MOST_OPEN + 2):
            spoken.execute_in_process(instance=instance)
        assert len(opened(home)) == MOST_OPEN
    assert not opened(home)


def test_the_files_that_are_written_ahead_stay_small(home: Path) -> None:
    # SQLite empties them at 4 MB by itself: more than a small disk may have left for a night.
    with kept(home) as instance:
        for _ in range(25):
            spoken.execute_in_process(instance=instance)
        written = [file.stat().st_size for file in home.rglob("index.db-wal")]
    assert len(written) == 1 and 0 < written[0] < 2 * PAGES_AHEAD * 4096


def test_a_file_that_is_moved_away_is_begun_anew(home: Path) -> None:
    with kept(home) as instance:
        run = spoken.execute_in_process(instance=instance)
        for file in (home / "history" / "runs").glob(f"{run.run_id}.db*"):
            file.rename(home / file.name)
        assert not instance.all_logs(run.run_id)
        assert (home / "history" / "runs" / f"{run.run_id}.db").exists()


def test_a_storage_that_the_instance_chooses_stays(home: Path) -> None:
    with (home / "dagster.yaml").open("a", encoding="utf-8") as file:
        file.write(f"storage:\n  sqlite:\n    base_dir: {home / 'elsewhere'}\n")
    assert with_kept_event_log(home) == {}


def opened(home: Path) -> set[str]:
    """The files of the event log that this process holds open."""
    found = {str(link.readlink()) for link in OPEN_FILES.iterdir() if link.is_symlink()}
    return {name for name in found if name.endswith(".db") and name.startswith(str(home / "history" / "runs"))}
