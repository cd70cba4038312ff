"""Metrics of a run for comparison with later runs: shares of matched, shared and bridged identifiers."""

import duckdb


def note_metrics(con: duckdb.DuckDBPyConnection, run_id: int) -> None:
    """Write the run's shares into `oneid.run_metric`."""
    con.execute(
        """
        insert into oneid.run_metric
        with held as (
            select i.type, i.status, m.rule, p.identifier_count > 1 as is_matched from oneid.identifier i
            left join (from oneid.oneid_map where valid_to is null) m using (id_int)
                left join oneid.person p using (oneid)
        ), by_kind as (
            select type, count(*) as identifiers, count(*) filter (is_matched) / count(*) as matched_share,
                   count(*) filter (status = 'shared') / count(*) as shared_share
            from held group by type
        ), share as (
            unpivot by_kind on matched_share, shared_share into name metric value value
            union all by name
            select 'bridged_share' as metric, '' as type, count(*) as identifiers,
                count(*) filter (rule = 'bridge') / count(*) as value from held
        )
        select r.run_id, r.night, metric, type, identifiers, value from share, oneid.run r where r.run_id = ?
            and value is not null
        """,
        [run_id],
    )
