"""Link any set of records to persons with one default model: prepare, train, score, cluster."""

from collections.abc import Mapping

import duckdb
import pyarrow as pa

from onedata.identity.scoring.cluster import Ints, cluster
from onedata.identity.scoring.model import LINK_WEIGHT
from onedata.identity.scoring.prepare import PREPARED, PROFILE_COLUMNS, ProfileError, prepare
from onedata.identity.scoring.score import EDGES, score_prepared
from onedata.identity.scoring.train import train
from onedata.sql import quote_name


def match_records(
    con: duckdb.DuckDBPyConnection, source_sql: str, id_column: str, columns: Mapping[str, str]
) -> pa.Table:
    """Find the records that belong to one person. No label is read.

    Args:
        con: A connection that can run `source_sql`.
        source_sql: A query, one row per record.
        id_column: Its unique column that identifies the record.
        columns: Profile column (`prepare.PROFILE_COLUMNS`) to column of the query.

    Returns:
        A row for each record: `id` as in the query, `cluster` a number; equal numbers are one person.

    Raises:
        ProfileError: an unknown profile column, a column the query does not have, or an id that is null or not unique.
    """
    unknown = sorted(set(columns) - set(PROFILE_COLUMNS))
    if unknown:
        raise ProfileError(f"no profile column {', '.join(unknown)}; there are {', '.join(PROFILE_COLUMNS)}")
    there = [row[0] for row in con.execute(f"describe {source_sql}").fetchall()]
    missing = sorted({id_column, *columns.values()} - set(there))
    if missing:
        raise ProfileError(f"the records have no column {', '.join(missing)}; they have {', '.join(there)}")
    mapped = ", ".join(f"{quote_name(source)} as {quote_name(profile)}" for profile, source in columns.items())
    con.execute(
        "create or replace temp table scoring_record as select row_number() "
        f"over (order by {quote_name(id_column)}) - 1 as profile_id, "
        f"{quote_name(id_column)} as id{', ' if mapped else ''}{mapped} from ({source_sql})"
    )
    row = con.execute("select count(*) - count(distinct id) from scoring_record").fetchone()
    assert row is not None
    if row[0]:
        raise ProfileError(f"{id_column} must name each record once and never be null: {row[0]} records too many")
    model = train(con, "scoring_record")
    count = prepare(con, "scoring_record")
    score_prepared(con, model, count, None, LINK_WEIGHT)
    labels = _clusters(con, count)
    ids = con.execute("select id from scoring_record order by profile_id").fetch_arrow_table()["id"]
    con.execute(f"drop table scoring_record; drop table {PREPARED}; drop table {EDGES}")
    return pa.table({"id": ids, "cluster": labels})


def _clusters(con: duckdb.DuckDBPyConnection, count: int) -> Ints:
    """Clusters of the profiles 0..count-1 by the edges in `prob_edge`."""
    found = con.execute(
        "select profile_a, profile_b, weight, band = 'link' as link, veto is not null as apart, confirmed "
        f"from {EDGES} order by 1, 2"
    ).fetchnumpy()
    a, b, link, apart = (found[name] for name in ("profile_a", "profile_b", "link", "apart"))
    return cluster(count, a[link], b[link], found["weight"][link], found["confirmed"][link], (a[apart], b[apart]))
