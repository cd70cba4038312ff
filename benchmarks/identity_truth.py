"""Compare OneID on a simulated retailer with the ground truth.

A record is an ODS row that has an identifier of any kind and truly belongs to somebody: test orders and rows of nobody
(strangers, the retailer's own posts) are excluded, as are quarantined and duplicate rows. Its cluster is the OneID of
its `identity_key`; without one it is a cluster of its own. The oracle knows the one true owner of each identifier: it
joins two identifiers if one row has both of one owner, and assigns a record to its first identifier that is its
person's. Links beyond the oracle cannot be found by identifiers: it is the ceiling. A person's household is that of the
OneID of most of the person's records.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import duckdb
from identity_measures import Measures, measures
from measure import Cost

from onedata.contracts import Entity, Feed
from onedata.identity.components import edge_components
from onedata.retailer import Retailer
from onedata.sql import quote_text

# A value of the vault in the format of the ground truth: e-mails in lower case, phones as + and digits.
_TRUE_FORM = (
    "case when t.kind = 'phone' then '+' || regexp_replace(t.value, '[^0-9]', '', 'g') else lower(trim(t.value)) end"
)


class TruthMismatch(RuntimeError):
    """The ground truth does not count rows as landing does: nothing can be measured."""


@dataclass(frozen=True)
class Quality:
    """Result of one retailer.

    `largest_in_identifiers` is the largest person's number of identifiers, `anonymous` the number of somebody's rows
    without an identifier. `churn` is, for each night after the first, the share of the previously known identifiers
    whose OneID changed.
    """

    found: Measures
    oracle: Measures
    households: Measures
    identifiers: int
    persons: int
    largest_in_identifiers: int
    anonymous: int
    cost: Cost
    churn: Sequence[float]


def current_map() -> str:
    """SQL: `identity_key` and its current `oneid`, one row per linked identifier."""
    return "(select identity_key, oneid from oneid.oneid_map where valid_to is null)"


def compare(
    con: duckdb.DuckDBPyConnection, retailer: Retailer, truth: Path, cost: Cost, churn: Sequence[float]
) -> Quality:
    """Measure the current map, and the oracle on the same records.

    Args:
        con: The warehouse, with the vault attached as `vault`.
        retailer: Its contracts declare the identifier columns.
        truth: The simulator's folder of that name.
        cost: Cost of resolving.
        churn: Churn of each night after the first.

    Raises:
        TruthMismatch: an ODS row is missing in the ground truth.
    """
    _true_rows(con, retailer.feeds, truth)
    _shown_rows(con, list(retailer.entities.values()))
    _owners(con, truth)
    con.execute(
        """
        create or replace temp table true_record as
        select s.row_no, s.identity_key, len(s.shown) = 0 as is_anonymous, t.person_no as truth
        from shown_row s join true_row t on t.feed = s._feed and t.file = s._file and t.row = s._row
        where t.person_no is not null and t.defect is distinct from 'test';
        create or replace temp table oracle_edge as
        select distinct min_by(value, place) as a, unnest(list(value)) as b from shown_value join owner using (value)
            group by row_no, person_no
        """
    )
    lost = con.execute(
        "select s._feed, count(*) from shown_row s anti join true_row t on t.feed = s._feed and t.file = s._file "
        "and t.row = s._row group by 1"
    ).fetchall()
    if lost:
        raise TruthMismatch(f"rows of ODS that the truth does not know: {lost}")
    # DuckDB finds the relation by its name.
    con.execute(f"create or replace temp table oracle_component as {edge_components(con, 'oracle_edge').sql_query()}")
    con.execute(
        f"""
        create or replace temp table record as
        select r.truth, m.oneid as cluster, o.component as oracle
        from true_record r left join {current_map()} m using (identity_key)
        left join (
            select v.row_no, min_by(c.component, v.place) as component
            from shown_value v join owner w using (value) join true_record r on r.row_no = v.row_no
                and r.truth = w.person_no
            join oracle_component c on c.id = v.value group by v.row_no
        ) o using (row_no) where not r.is_anonymous
        """
    )
    row = con.execute(
        f"""
        select (select count(*) from {current_map()}), (select count(distinct oneid) from {current_map()}),
               (select coalesce(max(n), 0) from (select count(*) as n from {current_map()} group by oneid)),
               (select count(*) from true_record where is_anonymous)
        """
    ).fetchone()
    assert row is not None
    identifiers, persons, largest, anonymous = row
    ceiling = measures(con, "(select oracle as cluster, truth from record)")
    return Quality(
        measures(con, "record"), ceiling, _households(con, truth), identifiers, persons, largest, anonymous, cost, churn
    )


def _households(con: duckdb.DuckDBPyConnection, truth: Path) -> Measures:
    """Households of the persons who have any record with a OneID; here each such person is a record."""
    lived = f"(select person_no, household_no from read_parquet({quote_text(str(truth / 'persons.parquet'))}))"
    return measures(
        con,
        f"""(
            select h.household_id as cluster, t.household_no as truth
            from (select truth as person_no, mode(cluster order by cluster) as oneid from record
                where cluster is not null group by truth)
            join oneid.household_map h using (oneid) join {lived} t using (person_no) where h.valid_to is null
        )""",
    )


def _true_rows(con: duckdb.DuckDBPyConnection, feeds: Sequence[Feed], truth: Path) -> None:
    """`true_row`: feed, file and row as landing counts them, person_no and defect.

    The ground truth counts documents; `rows` and `inner_rows` are the rows per document for each of the two feeds that
    read it.
    """
    parts = []
    for feed in feeds:
        if feed.entity.identifiers:
            outer = next(
                other
                for other in feeds
                if other.location.path == feed.location.path and (truth / "records" / other.name).exists()
            )
            rows = "rows" if outer == feed else "inner_rows"
            if feed.location.format == "csv":
                rows = f"if(defect is not distinct from 'bad_encoding', 0, {rows})"  # an undecodable line has no number
            files = quote_text(str(truth / "records" / outer.name / "*.parquet"))
            parts.append(
                f"select {quote_text(feed.name)} as feed, file, unnest(range(upto - {rows} + 1, upto + 1)) as row, "
                f"person_no, defect from (select *, (sum({rows}) over (partition by file "
                f"order by row))::bigint as upto from read_parquet({files}))"
            )
    con.execute(f"create or replace temp table true_row as {' union all '.join(parts)}")


def _shown_rows(con: duckdb.DuckDBPyConnection, entities: Sequence[Entity]) -> None:
    """`shown_row`: each ODS row with its identity_key and its identifiers; `shown_value`: one row per identifier, with
    position as `place`."""
    parts = []
    for entity in entities:
        if entity.identifiers:
            columns = ", ".join(column.name for column in entity.identifiers)
            parts.append(
                f"select _feed, _file, _row, identity_key, list_filter([{columns}], "
                f"lambda value: value is not null) as shown from ods.ods_{entity.name}"
            )
    con.execute(
        f"""
        create or replace temp table shown_row as select row_number() over () as row_no, *
            from ({" union all ".join(parts)});
        create or replace temp table shown_value as
        select row_no, unnest(shown) as value, generate_subscripts(shown, 1) as place from shown_row
        """
    )


def _owners(con: duckdb.DuckDBPyConnection, truth: Path) -> None:
    """`owner`: each identifier with one true owner, as in ODS (raw, or its token), and person_no. No value has two
    kinds."""
    con.execute(
        f"""
        create or replace temp table owner as
        with owned as (select value, person_no from read_parquet({quote_text(str(truth / "identifiers.parquet"))})
            where person_no >= 0)
        from owned
        union
        select t.token, o.person_no from vault.token t join owned o on o.value = {_TRUE_FORM}
        """
    )
