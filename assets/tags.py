"""Tags of a run, read before its warehouse is open."""

from collections.abc import Mapping
from datetime import date, timedelta

from dagster._core.storage.tags import (
    ASSET_PARTITION_RANGE_END_TAG,
    ASSET_PARTITION_RANGE_START_TAG,
    PARTITION_NAME_TAG,
)

REPLACE_TAG = "onedata/replace"
CPU_TAG = "onedata/cpu"
"""CPU seconds that the process had used when it began with the run; none where the run has a process of its own."""


def replaced_nights(tags: Mapping[str, str]) -> list[date]:
    """The run's nights, if it is tagged to replace them and names them."""
    last = tags.get(PARTITION_NAME_TAG) or tags.get(ASSET_PARTITION_RANGE_END_TAG)
    if tags.get(REPLACE_TAG) != "true" or last is None:
        return []
    first = date.fromisoformat(tags.get(ASSET_PARTITION_RANGE_START_TAG) or last)
    return [first + timedelta(days=day) for day in range((date.fromisoformat(last) - first).days + 1)]
