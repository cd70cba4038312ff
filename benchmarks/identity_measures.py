"""Pairwise and B-cubed precision and recall of a clustering against the truth, from contingency counts, without
building pairs.

Sources: pairwise measures as usual in record linkage; B-cubed by Bagga and Baldwin (1998), with equal weight per
record.
"""

from dataclasses import dataclass

import duckdb


@dataclass(frozen=True)
class Measures:
    """Measures of `records` records; cluster sizes are in records. Without any pair, precision and recall are 1."""

    records: int
    precision: float
    recall: float
    bcubed_precision: float
    bcubed_recall: float
    largest_cluster: int

    @property
    def f1(self) -> float:
        return _f1(self.precision, self.recall)

    @property
    def bcubed_f1(self) -> float:
        return _f1(self.bcubed_precision, self.bcubed_recall)

    def named(self, suffix: str = "") -> dict[str, float]:
        """Every measure by its name, for the line of JSON."""
        names = ("precision", "recall", "f1", "bcubed_precision", "bcubed_recall", "bcubed_f1")
        return {name + suffix: round(getattr(self, name), 5) for name in names}


def measures(con: duckdb.DuckDBPyConnection, records: str) -> Measures:
    """Compare two clusterings of the same records.

    Args:
        con: Where `records` can be read.
        records: A relation with `cluster` and `truth`, one row per record; a record with a NULL `cluster` is its own
            cluster, `truth` is never NULL.
    """
    row = con.execute(
        f"""
        with cell as (select cluster, truth, count(*) as n from {records} where cluster is not null group by all),
        alone as (select truth, count(*) as n from {records} where cluster is null group by all),
        side as (select sum(n) over (partition by cluster) as of_cluster, truth, n from cell),
        cluster as (select sum(n) as n from cell group by cluster),
        truth as (select truth, count(*) as n from {records} group by truth)
        select
            coalesce((select sum(n) from truth), 0)::bigint,
            coalesce((select sum(n * (n - 1) / 2) from cell), 0),
            coalesce((select sum(n * (n - 1) / 2) from cluster), 0),
            coalesce((select sum(n * (n - 1) / 2) from truth), 0),
            coalesce((select sum(n * n / of_cluster) from side), 0) + coalesce((select sum(n) from alone), 0),
            coalesce((select sum(side.n * side.n / truth.n) from side join truth using (truth)), 0)
                + coalesce((select sum(alone.n / truth.n) from alone join truth using (truth)), 0),
            coalesce((select max(n) from cluster), (select 1 from alone limit 1), 0)::bigint
        """
    ).fetchone()
    assert row is not None
    records_n, both, in_cluster, in_truth, bcubed_precision, bcubed_recall, largest = row
    return Measures(
        records_n,
        _share(both, in_cluster),
        _share(both, in_truth),
        _share(bcubed_precision, records_n),
        _share(bcubed_recall, records_n),
        largest,
    )


def _share(part: float, whole: float) -> float:
    return float(part) / float(whole) if whole else 1.0


def _f1(precision: float, recall: float) -> float:
    return 2 * precision * recall / (precision + recall) if precision + recall else 0.0
