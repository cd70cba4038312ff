"""Modules that load when they are used, not when they are imported."""

import subprocess
import sys
from pathlib import Path

import pytest

from onedata.quality.deferred import deferred


@pytest.fixture
def module(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    (tmp_path / "told_when_loaded.py").write_text("answer = 42\n", encoding="utf-8")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "told_when_loaded", raising=False)
    return "told_when_loaded"


def test_a_stand_in_loads_the_module_when_it_is_used(module: str) -> None:
    with deferred(module):
        import told_when_loaded as early
    assert module not in sys.modules
    assert early.answer == 42
    import told_when_loaded as late

    assert late is not early
    assert late.__file__


def test_a_stand_in_that_is_used_within_is_the_module(module: str) -> None:
    with deferred(module):
        import told_when_loaded as early

        assert early.answer == 42
        assert sys.modules[module].__file__
    assert sys.modules[module].__file__


def test_a_module_that_is_loaded_stays(module: str) -> None:
    import told_when_loaded as before

    with deferred(module):
        import told_when_loaded as within
    assert within is before


def test_a_gate_loads_neither_plots_nor_statistics() -> None:
    script = (
        "import sys, duckdb\n"
        "from onedata.contracts.model import Rule\n"
        "from onedata.quality.gx import Gatekeeper\n"
        "rule = Rule('rows', 'rowCount', (), {}, 1, None)\n"
        "found = Gatekeeper(duckdb.connect()).check('ods', 'some', '(select 1 as a)', [rule])\n"
        "assert [result.passed for result in found] == [True]\n"
        "assert 'great_expectations' in sys.modules\n"
        "print(*sorted({'altair', 'scipy.stats'} & sys.modules.keys()))\n"
        "from great_expectations.expectations.metrics.column_aggregate_metrics import (\n"
        "    column_parameterized_distribution_ks_test_p_value as metric)\n"
        "print(metric.stats.norm.cdf(0))\n"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)
    assert done.stdout.splitlines() == ["", "0.5"], done.stderr
