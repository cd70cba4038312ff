"""The benchmark's measures on examples computed by hand."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations

import duckdb
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from identity_measures import Measures, measures

Records = Sequence[tuple[str | None, str]]


def measured(records: Records) -> Measures:
    """Of records (cluster, truth)."""
    with duckdb.connect() as con:
        columns = {
            "cluster": pa.array([cluster for cluster, _ in records], pa.string()),
            "truth": pa.array([truth for _, truth in records], pa.string()),
        }
        con.register("record", pa.table(columns))
        return measures(con, "record")


def test_a_perfect_clustering() -> None:
    found = measured([("x", "A"), ("x", "A"), ("y", "B")])
    assert (found.precision, found.recall, found.f1, found.bcubed_f1, found.largest_cluster, found.records) == (
        1,
        1,
        1,
        1,
        2,
        3,
    )


def test_two_persons_in_one_cluster_cost_precision() -> None:
    # One true pair of the three that are claimed. B-cubed: (2/3 + 2/3 + 1/3) / 3.
    found = measured([("x", "A"), ("x", "A"), ("x", "B")])
    assert (found.precision, found.recall, found.bcubed_recall) == (pytest.approx(1 / 3), 1, 1)
    assert found.bcubed_precision == pytest.approx(5 / 9)


def test_one_person_in_two_clusters_costs_recall() -> None:
    # Two of six true pairs. B-cubed: each record finds two of its four.
    found = measured([("x", "A"), ("x", "A"), ("y", "A"), ("y", "A")])
    assert (found.precision, found.recall, found.bcubed_precision, found.bcubed_recall) == (
        1,
        pytest.approx(1 / 3),
        1,
        0.5,
    )


def test_a_record_without_a_cluster_is_alone() -> None:
    # Of three true pairs one is found; the two records alone are no cluster of two.
    found = measured([("x", "A"), ("x", "A"), (None, "A"), (None, "B")])
    assert (found.precision, found.recall) == (1, pytest.approx(1 / 3))
    assert (found.bcubed_precision, found.bcubed_recall) == (1, pytest.approx((2 / 3 + 2 / 3 + 1 / 3 + 1) / 4))
    assert found.largest_cluster == 2


def test_no_record_and_no_pair() -> None:
    assert measured([]) == Measures(0, 1, 1, 1, 1, 0)
    assert measured([(None, "A")]) == Measures(1, 1, 1, 1, 1, 1)


@settings(deadline=None, max_examples=50)
@given(st.lists(st.tuples(st.none() | st.sampled_from("xyz"), st.sampled_from("ABC")), max_size=12))
def test_the_counts_are_those_of_every_pair(records: list[tuple[str | None, str]]) -> None:
    clusters = [cluster or f"alone {place}" for place, (cluster, _) in enumerate(records)]
    truths = [truth for _, truth in records]
    pairs = list(combinations(range(len(records)), 2))
    claimed = [pair for pair in pairs if clusters[pair[0]] == clusters[pair[1]]]
    true = [pair for pair in pairs if truths[pair[0]] == truths[pair[1]]]
    right = len(set(claimed) & set(true))
    found = measured(records)
    assert found.precision == pytest.approx(right / len(claimed) if claimed else 1)
    assert found.recall == pytest.approx(right / len(true) if true else 1)
    places = range(len(records))
    same = [
        (
            sum(clusters[i] == clusters[j] and truths[i] == truths[j] for j in places),
            clusters.count(clusters[i]),
            truths.count(truths[i]),
        )
        for i in places
    ]
    assert found.bcubed_precision == pytest.approx(sum(n / c for n, c, _ in same) / len(records) if records else 1)
    assert found.bcubed_recall == pytest.approx(sum(n / t for n, _, t in same) / len(records) if records else 1)
