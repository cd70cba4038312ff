"""Cost of components: text edges in Parquet to (identifier, component) in Parquet, compared with the minimum work of
any method, and with Splink.

The floor reads the same file, finds the distinct identifiers and writes them with a number. The edges resemble a
retailer's: 2 persons per 25 edges, with seven identifiers each, formatted as the platform's keys, in random order; one
edge in 2,000 links to another person.
"""

from dataclasses import dataclass
from pathlib import Path

import duckdb
from measure import Cost, measured

from onedata.identity.components import edge_components, extend_components
from onedata.sql import quote_text

MEMORY = "2500MB"
DELTA = 100
_EDGES = """
copy (
    select key_of(person, hash(i) % 3) as a,
        key_of(case when h % 2000 = 0 then h % {persons} else person end, 3 + hash(i) // 3 % 4) as b
    from (select i, i * 2 // 25 as person, hash(i + {edges}) as h from range({edges}) r(i)) order by h
) to {file} (format parquet)
"""
_KEY = """
create macro key_of(person, place) as case place
    when 0 then 'account:shop:' || (7000000000 + person)
    when 1 then 'loyalty:M' || lpad(person::varchar, 9, '0')
    when 2 then 'social:o6_' || left(md5('s' || person), 24)
    when 3 then 'email:' || md5('e' || person)
    when 4 then 'phone:' || md5('p' || person)
    else 'cookie:1.' || left(md5('c' || place || person), 16) end
"""


class DifferentPartition(RuntimeError):
    """Two methods produce different components: their costs are not comparable."""


@dataclass(frozen=True)
class GraphCosts:
    """Costs of the methods; `splink` is None if it was skipped."""

    identifiers: int
    components: int
    floor: Cost
    full: Cost
    delta: Cost
    splink: Cost | None


def graph_costs(folder: Path, edges: int, with_splink: bool) -> GraphCosts:
    """Measure every method on the same edges, generated below `folder`.

    Raises:
        DifferentPartition: full, full in two steps, or Splink differ.
    """
    file = folder / "edges.parquet"
    with _connect(folder) as con:
        con.execute(_KEY)
        con.execute(_EDGES.format(edges=edges, persons=max(1, edges * 2 // 25), file=quote_text(str(file))))
    with _connect(folder) as con:
        # Run once before, so that neither side pays for loading the file into the cache.
        con.execute(f"select max(a), max(b) from {quote_text(str(file))}")
        both = f"(select a as id from {quote_text(str(file))} union all select b from {quote_text(str(file))})"
        with measured() as floor:
            target = quote_text(str(folder / "floor.parquet"))
            con.execute(
                f"copy (select id, (hash(id) % {edges})::integer as component from (select distinct id "
                f"from {both})) to {target} (format parquet)"
            )
    result = folder / "components.parquet"
    with _connect(folder) as con:
        con.execute("create temp table few as select i::varchar as a, (i + 1)::varchar as b from range(1000) r(i)")
        edge_components(con, "few").write_parquet(str(result))  # the first use of the libraries
        with measured() as full:
            # DuckDB finds the relation by its name; Relation.write_parquet takes twice the memory.
            found = edge_components(con, quote_text(str(file)))  # noqa: F841
            con.execute(f"copy (from found) to {quote_text(str(result))} (format parquet)")
    delta = _delta(folder, file, result, edges)
    splink = _splink(folder, file, result) if with_splink else None
    with _connect(folder) as con:
        row = con.execute(f"select count(*), count(distinct component) from {quote_text(str(result))}").fetchone()
    assert row is not None
    return GraphCosts(row[0], row[1], floor, full, delta, splink)


def _delta(folder: Path, file: Path, result: Path, edges: int) -> Cost:
    """All edges but the last hundredth, then these: the cost of the second step."""
    last = edges - edges // DELTA
    rows = f"read_parquet({quote_text(str(file))}, file_row_number = true)"
    with _connect(folder) as con:
        con.execute(f"create table base as select a, b from {rows} where file_row_number < {last}")
        con.execute(f"create table more as select a, b from {rows} where file_row_number >= {last}")
        edge_components(con, "base").create("known")
        con.execute("drop table base")
        with measured() as cost:
            extend_components(con, "known", "more")
        con.execute(
            "create table extended as select id, coalesce(r.new, k.component) as component from known k "
            "left join component_redirect r on r.old = k.component "
            "union all from component_added"
        )
        require_same(con, "extended", f"read_parquet({quote_text(str(result))})", "the delta's components")
    return cost


def _splink(folder: Path, file: Path, result: Path) -> Cost:
    """Splink's clustering of the same edges, once they and their distinct identifiers are in tables."""
    from splink import DuckDBAPI
    from splink.clustering import cluster_pairwise_predictions_at_threshold

    with _connect(folder, "16GB") as con:
        con.execute(f"create table edge as select a, b from {quote_text(str(file))}")
        con.execute(
            "create table node as select distinct id from (select a as id from edge union all select b from edge)"
        )
        api = DuckDBAPI(con)
        with measured() as cost:
            found = cluster_pairwise_predictions_at_threshold(
                api.register("node"), api.register("edge"), api, "id", "a", "b"
            )
            con.execute(
                f"copy (select id, cluster_id from {found.physical_name}) to "
                f"{quote_text(str(folder / 'splink.parquet'))} (format parquet)"
            )
        require_same(
            con,
            f"(select id, cluster_id as component from {found.physical_name})",
            f"read_parquet({quote_text(str(result))})",
            "Splink's components",
        )
    return cost


def require_same(con: duckdb.DuckDBPyConnection, one: str, other: str, what: str) -> None:
    """Raise DifferentPartition if two relations (id, component) partition the ids differently."""
    row = con.execute(
        "select count(*) filter (where a.id is null or b.id is null), count(distinct a.component), "
        f"count(distinct b.component), count(distinct (a.component, b.component)) from {one} a "
        f"full join {other} b using (id)"
    ).fetchone()
    assert row is not None
    if row[0] or len(set(row[1:])) > 1:
        raise DifferentPartition(
            f"{what} are others than the full ones: {row[0]} ids on one side only, {row[1]}, {row[2]} components, "
            f"{row[3]} together"
        )


def _connect(folder: Path, memory: str = MEMORY) -> duckdb.DuckDBPyConnection:
    return duckdb.connect(config={"threads": 2, "memory_limit": memory, "temp_directory": str(folder / "spill")})
