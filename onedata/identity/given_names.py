"""The given names on the rows of an identifier, read temporarily from the vault and compared; none is stored."""

from collections.abc import Callable

import duckdb
import numpy as np
import pyarrow as pa

from onedata.identity.cluster import Ints
from onedata.identity.evidence import AGREE, DIFFER, NONE, UNKNOWN, no_names
from onedata.normalise.identifiers import given_sql, name_sql

ALIKE = 0.88
"""Jaro-Winkler similarity from which on two given names are the same name with a typing error."""

Compare = Callable[[Ints, Ints], Ints]


def read_names(con: duckdb.DuckDBPyConnection, ids: Ints, has_vault: bool) -> tuple[tuple[Ints, Ints, Ints], Compare]:
    """Observations of given names with the nodes of `region`, and their comparison.

    Args:
        con: The warehouse, with the vault attached if `has_vault`.
        ids: The identifiers of the nodes, in ascending order.
    """
    if not has_vault:
        return (NONE, NONE, NONE), no_names
    given = given_sql(name_sql("v.value"))
    con.execute(
        f"""
        create or replace temp table region_said as
        select p.id_int, {given} as given, sum(p.n_obs)::bigint as n from oneid.identifier_profile p
            semi join region using (id_int)
        join (select distinct on (token) token, value from vault.token where kind in ('full_name', 'given_name')) v
            on v.token = p.value
        where p.attribute in ('full_name', 'given_name') group by all;
        create or replace temp table region_name as
        select (row_number() over (order by given) - 1)::bigint as name, given from (select distinct given
            from region_said where given <> '');
        """
    )
    rows = con.execute(
        "select s.id_int::bigint as id_int, m.name, s.n from region_said s join region_name m using (given)"
    ).fetchnumpy()
    con.execute("drop table region_said")
    names = (
        np.asarray(np.searchsorted(ids, rows["id_int"]), dtype=np.int64),
        np.asarray(rows["name"]),
        np.asarray(rows["n"], dtype=np.int64),
    )

    def compare(left: Ints, right: Ints) -> Ints:
        return _compare(con, left, right)

    return names, compare


def _compare(con: duckdb.DuckDBPyConnection, left: Ints, right: Ints) -> Ints:
    verdict = np.full(len(left), UNKNOWN, dtype=np.int64)
    known = np.flatnonzero((left >= 0) & (right >= 0))
    if not len(known):
        return verdict
    con.register("name_pair", pa.table({"place": known, "l": left[known], "r": right[known]}))
    # An initial matches every name that begins with it.
    agree = (
        f"l.given = r.given or jaro_winkler_similarity(l.given, r.given) >= {ALIKE} or "
        "(least(length(l.given), length(r.given)) = 1 and left(l.given, 1) = left(r.given, 1) and ascii(l.given) < 128)"
    )
    found = con.execute(
        f"select p.place, {agree} as agree from name_pair p join region_name l on l.name = p.l join region_name r "
        "on r.name = p.r"
    ).fetchnumpy()
    con.unregister("name_pair")
    verdict[found["place"]] = np.where(np.asarray(found["agree"], dtype=np.bool_), AGREE, DIFFER)
    return verdict
