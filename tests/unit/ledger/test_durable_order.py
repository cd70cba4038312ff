"""Deliveries that the ledger accepts are on disk before: a trace of the system calls of real nights shows every sync in
order."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest
from small_retailer import settings_in
from support import REPOSITORY
from system_calls import CALLS, Disk, calls

from onedata.ledger.manifest import Manifest, read_manifest

HERE = Path(__file__).parent


@dataclass(frozen=True)
class Traced:
    """The deliveries in their order; of each, what might have been lost when the ledger's log said accepted, and
    whether that log was synced."""

    batches: list[str]
    lost: Mapping[str, list[str]]
    committed: Mapping[str, bool]
    manifests: Mapping[str, Manifest]


@pytest.fixture(scope="module")
def traced(tmp_path_factory: pytest.TempPathFactory) -> Traced:
    strace = shutil.which("strace")
    if (
        strace is None
        or subprocess.run([strace, "-o", os.devnull, "true"], check=False, capture_output=True).returncode
    ):
        pytest.skip("NOT TESTED that accepted rows are on the disk: strace is not installed, or may not trace here")
    folder = tmp_path_factory.mktemp("traced")
    trace, here = folder / "trace", [str(REPOSITORY), str(HERE.parent), str(HERE.parent.parent)]
    traced = [
        strace,
        "-f",
        "-y",
        "-s",
        "1000000",
        "-e",
        f"trace={CALLS}",
        "-o",
        str(trace),
        sys.executable,
        str(HERE / "traced_nights.py"),
        str(folder),
    ]
    given = [os.environ["PYTHONPATH"]] if os.environ.get("PYTHONPATH") else []
    environment = dict(os.environ) | {"PYTHONPATH": os.pathsep.join([*given, *here])}
    done = subprocess.run(traced, check=True, capture_output=True, text=True, env=environment)
    batches = done.stdout.split()
    settings = settings_in(folder)
    manifests = {item.batch: item for item in map(read_manifest, settings.lake.rglob("_manifest/*.json"))}
    return _read(batches, manifests, trace.read_text(errors="replace"), settings.home, f"{settings.warehouse}.wal")


def _read(batches: list[str], manifests: Mapping[str, Manifest], trace: str, home: Path, log: str) -> Traced:
    """Follow the disk up to the write of the warehouse's log that holds the SHA-256 of a delivery's file."""
    disk, lost, committed = Disk(), dict[str, list[str]](), dict[str, bool]()
    places = {batch: _files(manifests[batch], home) for batch in batches}
    for call in calls(trace):
        is_log = call.name in ("write", "pwrite64") and f"<{log}>" in call.arguments
        for batch in batches:
            if is_log and batch not in lost and manifests[batch].files[0].sha256 in call.arguments:
                lost[batch] = [text for file in places[batch] for text in disk.lost(file, home)]
            if call.name in ("fsync", "fdatasync") and f"<{log}>" in call.arguments and batch in lost:
                committed.setdefault(batch, True)
        disk.see(call)
    return Traced(batches, lost, committed, manifests)


def _files(manifest: Manifest, home: Path) -> list[Path]:
    """Where the delivery's files, its record and its manifest were when it was accepted."""
    partition = home / "lake" / "ods" / manifest.entity / f"source={manifest.feed}" / f"ds={manifest.ds}"
    own = partition / "_manifest"
    return [
        *(partition / file.name for file in manifest.files),
        own / f"{manifest.batch}.record",
        own / f"{manifest.batch}.json",
    ]


def test_every_delivery_was_seen_to_be_accepted_and_its_commit_synced(traced: Traced) -> None:
    """The trace is of what is asked: each delivery has a data file, and the write that accepts it was found."""
    assert len(set(traced.batches)) == 4
    assert all(len(traced.manifests[batch].files) == 1 for batch in traced.batches)
    assert traced.lost.keys() == traced.committed.keys() == set(traced.batches)


@pytest.mark.parametrize("number", [0, 1], ids=["a night", "a night taken anew"])
def test_files_record_and_manifest_last_before_the_ledger_says_accepted(traced: Traced, number: int) -> None:
    assert traced.lost[traced.batches[number]] == []


def test_without_the_sync_of_files_rows_and_record_might_be_lost(traced: Traced) -> None:
    batch = traced.batches[2]
    expected = {f"{batch}-0.parquet", f"{batch}.record"}
    for said in ("content not synced", "renamed before its content was synced"):
        assert {text.split(":")[0] for text in traced.lost[batch] if said in text} == expected


def test_without_the_sync_of_folders_the_names_might_be_lost(traced: Traced) -> None:
    batch = traced.batches[3]
    assert {text.split(":")[0] for text in traced.lost[batch] if "name of" in text} == {
        f"{batch}-0.parquet",
        f"{batch}.record",
        f"{batch}.json",
    }
