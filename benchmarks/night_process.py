"""Nights of the platform in processes of their own, as the schedule runs them, and what they cost."""

import os
import subprocess
import sys
from datetime import date

from checkout import REPOSITORY
from measure import child_cpu_seconds

from onedata.settings import Settings


def night_cpu_s(settings: Settings, *arguments: str) -> float:
    """CPU seconds of ``onedata run`` with these arguments in a new process.

    Raises:
        subprocess.CalledProcessError: the night failed.
    """
    return _child_cpu_s(settings, "from onedata_assets.cli import main; main()", "run", *arguments)


def empty_night_cpu_s(settings: Settings, night: date) -> float:
    """CPU seconds of a night without files.

    Raises:
        subprocess.CalledProcessError: the night failed.
    """
    return night_cpu_s(settings, "--ds", str(night))


def imports_cpu_s(settings: Settings) -> float:
    """CPU seconds of what a night only imports: onedata, Dagster, dbt and Great Expectations."""
    return _child_cpu_s(
        settings, "import onedata_assets.cli, onedata_assets.runner; from onedata.quality.gx import load; load()"
    )


def _child_cpu_s(settings: Settings, script: str, *arguments: str) -> float:
    before = child_cpu_seconds()
    subprocess.run(
        [sys.executable, "-c", script, *arguments],
        cwd=REPOSITORY,
        env=os.environ | settings.environment(),
        check=True,
        stdout=subprocess.DEVNULL,
    )
    return child_cpu_seconds() - before
