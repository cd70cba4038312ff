"""Path of the checkout that the benchmarks measure."""

from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[1]
