"""The quality benchmark on a tiny simulated retailer: every row matches the ground truth, and the oracle is a
ceiling."""

from __future__ import annotations

import pytest
from identity_nights import quality
from identity_truth import Quality


@pytest.fixture(scope="module")
def found(tmp_path_factory: pytest.TempPathFactory) -> Quality:
    return quality(
        tmp_path_factory.mktemp("identity"), 150, 2, shared_phone=0.02, seed=7, profile="dense", one_by_one=True
    )


def test_the_oracle_makes_no_mistake_and_finds_more(found: Quality) -> None:
    assert (found.oracle.precision, found.oracle.bcubed_precision) == (1, 1)
    assert found.found.recall < found.oracle.recall < 1
    assert found.oracle.records == found.found.records > 1000


def test_each_night_after_the_first_has_a_churn(found: Quality) -> None:
    assert len(found.churn) == 1
    assert 0 <= found.churn[0] < 0.1


def test_persons_have_identifiers(found: Quality) -> None:
    assert 1 < found.largest_in_identifiers < 50
    assert 100 < found.persons < found.identifiers
