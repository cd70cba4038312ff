"""Known values in other forms are read right or their rows are in quarantine; benchmarks/fuzz_values.py runs more."""

from __future__ import annotations

from pathlib import Path
from random import Random

import pytest
from fuzz_values import FORMATS, arena, make_row


@pytest.mark.parametrize("kind", FORMATS)
def test_no_known_value_is_read_as_another(tmp_path: Path, kind: str) -> None:
    rows = [make_row(Random(f"{kind}/{number}"), number) for number in range(1_000)]
    with arena(tmp_path) as judge:
        verdict = judge.judge(kind, rows)
    assert verdict.wrong == []
    assert verdict.unread == []
    # Every fate occurs, and every form that has one right reading.
    forms = {fate.partition(" as ")[2] for fate in verdict.fates if " as " in fate}
    assert {
        "sign",
        "zeros",
        "exponent",
        "midnight",
        "slashes",
        "T",
        "Z",
        "UTC",
        "offset",
        "half offset",
        "zone",
    } <= forms
    assert min(verdict.fates["accepted"], verdict.fates["quarantined"]) > 100
