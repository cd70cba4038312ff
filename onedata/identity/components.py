"""Connected components of a graph given as edges between texts or integers, without a join on texts.

`edge_components` numbers the ids by their hash, finds components over the numbers, and maps each component back to a
row with its id, by position. A second hash of every id proves that no two ids were confused; the first one proves that
the rows came in the same order again.
"""

from collections.abc import Iterator
from typing import TypeVar

import duckdb
import numpy as np
import numpy.typing as npt
import pyarrow as pa

Scalar = TypeVar("Scalar", bound=np.generic)
Ints = npt.NDArray[np.int64]
Numbers = npt.NDArray[np.int32]
Hashes = npt.NDArray[np.uint64]

# Temporary arrays of this many values stay in the CPU cache and are reused: fresh memory costs more than the work done
# in it.
CHUNK = 1 << 17
MOST_EDGES = 2**30 - 1
_ODD = 0x9E3779B97F4A7C15
_HASHES = ("hash({})", "hash(reverse({}))")


def edge_components(con: duckdb.DuckDBPyConnection, edges: str) -> duckdb.DuckDBPyRelation:
    """The component of every id of a graph, without a copy of the ids.

    Args:
        con: Connection that can read the edges.
        edges: A table, a view or a scan of files with text columns a and b, one row per edge. It must return the rows
            in the same order each time. A row with one NULL is an id without an edge; a row with two is ignored.
            Self-loops and repeated edges are allowed.

    Returns:
        A relation (id varchar, component integer), one row per id; components are numbered from 0. It reads the ids
        from the edges, so read it before they change. Reading raises duckdb.InvalidInputException if the rows come in
        another order than before.

    Raises:
        ValueError: there are more than 2^30 - 1 edges, or each of the two hashes is the same for some ids.
    """
    row = con.execute(
        f"select count(*), {', '.join(template.format('null::varchar') for template in _HASHES)} from {edges}"
    ).fetchone()
    assert row is not None
    rows, nulls = row[0], [np.uint64(value) for value in row[1:]]
    if rows > MOST_EDGES:
        raise ValueError(f"{rows:,} edges are more than {MOST_EDGES:,}: aggregate them first")
    read = _read(con, edges, rows)
    # Two ids with the same hash differ in the other one.
    for code, check in ((0, 1), (1, 0)):
        number, first = numbered(read[code])
        if _is_one_to_one(number, first, read[check]):
            label = _labels(number[:rows], number[rows:], read[code][first] == nulls[code])
            return _ids(con, edges, _HASHES[code], read[code], first, label)
    raise ValueError(
        f"{edges}: some ids have the same hash, and others the same second hash; number them yourself and use "
        "`components`"
    )


def extend_components(con: duckdb.DuckDBPyConnection, known: str, edges: str) -> None:
    """Add edges to known components, at the cost of the new edges and one scan of the known ids.

    Creates two temp tables: `component_added` (id, component) with each new id, and `component_redirect` (old, new)
    with each component that became part of another, whose number is the smallest of the merged ones. New components are
    numbered after the known ones.

    Args:
        con: Connection that can read both.
        known: A relation (id varchar, component integer), one row per id; it is not changed.
        edges: As for `edge_components`.
    """
    con.execute(
        f"""
        create or replace temp table component_delta as select a::varchar as a, b::varchar as b from {edges};
        create or replace temp table component_met as
        select id, component from {known} where id in (select a from component_delta union all select b
            from component_delta);
        create or replace temp table component_link as
        select case when a is null then null else coalesce('=' || x.component, '+' || a) end as a,
               case when b is null then null else coalesce('=' || y.component, '+' || b) end as b
        from component_delta left join component_met x on x.id = a left join component_met y on y.id = b
        """
    )
    joined = edge_components(con, "component_link").sql_query()
    con.execute(
        f"""
        create or replace temp table component_joined as
        select id, coalesce(min(case when id like '=%' then id[2:]::integer end) over (partition by component),
            -1 - component) as component from ({joined});
        create or replace temp table component_redirect as
        select id[2:]::integer as old, component as new from component_joined where id like '=%'
            and id[2:]::integer <> component;
        create or replace temp table component_added as
        with last as (select coalesce(max(component), -1) as last from {known})
        select id[2:] as id, (case when component < 0 then last + dense_rank() over (partition by component < 0
            order by component desc) else component end)
            ::integer as component
        from component_joined, last where id like '+%';
        drop table component_delta; drop table component_met; drop table component_link; drop table component_joined
        """
    )


def components(size: int, a: npt.NDArray[np.integer], b: npt.NDArray[np.integer]) -> Ints:
    """The component of each of `size` nodes under the edges a[i] - b[i], numbered from 0 without gaps.

    Method: each node is hooked to a neighbour with a smaller number, paths are shortened, and the remaining graph is
    contracted and renumbered at random, which is expected to remove half of its nodes in each round (random mate; Reif
    1985). Half the time of SciPy's `connected_components`, which copies the graph several times.
    """
    return _components(size, a.astype(np.int32), b.astype(np.int32)).astype(np.int64)


def _components(size: int, a: Numbers, b: Numbers) -> Numbers:
    """Like `components`, but overwrites a and b."""
    parent = _contracted(size, a, b, np.random.default_rng(0))
    root = parent == np.arange(size, dtype=np.int32)
    _map(_ranks(root), parent)
    return parent


def _contracted(size: int, a: Numbers, b: Numbers, random: np.random.Generator) -> Numbers:
    """The root of each node; overwrites a and b."""
    parent = np.arange(size, dtype=np.int32)
    for x, y in zip(_chunks(a), _chunks(b), strict=True):
        parent[np.maximum(x, y)] = np.minimum(x, y)
    _shorten(parent)
    _map(parent, a)
    _map(parent, b)
    differ = a != b
    a, b = a[differ], b[differ]
    if len(a) == 0:
        return parent
    alive = np.zeros(size, dtype=np.bool_)
    alive[a] = True
    alive[b] = True
    roots = np.flatnonzero(alive).astype(np.int32)
    random.shuffle(roots)
    place = np.empty(size, dtype=np.int32)
    place[roots] = np.arange(len(roots), dtype=np.int32)
    _map(place, a)
    _map(place, b)
    parent[roots] = roots[_contracted(len(roots), a, b, random)]
    _map(parent, parent)
    return parent


def _shorten(parent: Numbers) -> None:
    """Make every node point to its root."""
    changed = True
    while changed:
        changed = False
        for part in _chunks(parent):
            above = parent.take(part, mode="clip")
            changed = changed or not np.array_equal(above, part)
            part[:] = above


def numbered(hashes: Hashes) -> tuple[Numbers, Numbers]:
    """Give equal values the same number, from 0 without gaps.

    Method: every value writes its position into a slot of a table. A value that reads back the position of an equal
    value is done; the others continue with another table and other bits of their value.

    Returns:
        The number of each value, and for each number one representative position, ascending.
    """
    owner = np.empty(len(hashes), dtype=np.int32)
    waiting, factor = _round(hashes, owner, None, 1), _ODD
    while len(waiting):
        waiting, factor = _round(hashes, owner, waiting, factor), factor * _ODD % 2**64
    stands = np.empty(len(hashes), dtype=np.bool_)
    for part, place in zip(_positions(len(hashes)), _chunks(stands), strict=True):
        np.equal(owner[part[0] : part[-1] + 1], part, out=place)
    _map(_ranks(stands), owner)
    return owner, np.flatnonzero(stands).astype(np.int32)


def _round(hashes: Hashes, owner: Numbers, waiting: Numbers | None, factor: int) -> Numbers:
    """Find an owner for the positions in `waiting`, or for all; returns those without one."""
    size = len(hashes) if waiting is None else len(waiting)
    bits = max(1, size.bit_length() - 1)
    slot = np.empty(1 << bits, dtype=np.int32)
    for part in _positions(size) if waiting is None else _chunks(waiting):
        slot[_slots(hashes.take(part, mode="clip"), factor, bits)] = part
    left = [np.empty(0, dtype=np.int32)]
    for part in _positions(size) if waiting is None else _chunks(waiting):
        values = hashes.take(part, mode="clip")
        found = slot.take(_slots(values, factor, bits), mode="clip")
        owner[part] = found
        left.append(part[hashes.take(found, mode="clip") != values])
    return np.concatenate(left)


def _positions(size: int) -> Iterator[Numbers]:
    """0 to size - 1."""
    for start in range(0, size, CHUNK):
        yield np.arange(start, min(start + CHUNK, size), dtype=np.int32)


def _slots(hashes: Hashes, factor: int, bits: int) -> Ints:
    return ((hashes * np.uint64(factor)) >> np.uint64(64 - bits)).view(np.int64)


def _ranks(chosen: npt.NDArray[np.bool_]) -> Numbers:
    """The rank of each chosen element among the chosen, from 0."""
    ranks = np.cumsum(chosen, dtype=np.int32)
    ranks -= 1
    return ranks


def _map(mapping: Numbers, values: Numbers) -> None:
    """Replace each value by its mapping, in place."""
    for part in _chunks(values):
        part[:] = mapping.take(part, mode="clip")


def _chunks(values: npt.NDArray[Scalar]) -> Iterator[npt.NDArray[Scalar]]:
    for start in range(0, len(values), CHUNK):
        yield values[start : start + CHUNK]


def _read(con: duckdb.DuckDBPyConnection, edges: str, rows: int) -> list[Hashes]:
    """Each of `_HASHES` of every a, then of every b."""
    read = [np.empty(2 * rows, dtype=np.uint64) for _ in _HASHES]
    done = 0
    for batch in con.execute(
        f"select {', '.join(template.format(side) for template in _HASHES for side in ('a', 'b'))} from {edges}"
    ).to_arrow_reader(CHUNK):
        end = done + batch.num_rows
        for place, column in enumerate(batch.columns):
            start = place % 2 * rows
            read[place // 2][start + done : start + end] = column.to_numpy()
        done = end
    return read


def _is_one_to_one(number: Numbers, first: Numbers, check: Hashes) -> bool:
    """Whether all values with the same number also have the same `check` hash."""
    expected = check[first]
    return all(
        np.array_equal(expected.take(part, mode="clip"), own)
        for part, own in zip(_chunks(number), _chunks(check), strict=True)
    )


def _labels(a: Numbers, b: Numbers, is_null: npt.NDArray[np.bool_]) -> Numbers:
    """The component of each number; NULL is not an id, has -1 and connects nothing. Overwrites a and b."""
    if not is_null.any():
        return _components(len(is_null), a, b)
    named = ~(is_null[a] | is_null[b])
    label = _components(len(is_null), a[named], b[named])
    label[label > label[is_null]] -= 1
    label[is_null] = -1
    return label


def _ids(
    con: duckdb.DuckDBPyConnection, edges: str, code: str, hashes: Hashes, first: Numbers, label: Numbers
) -> duckdb.DuckDBPyRelation:
    """One row for each id, first where it is an edge's a, then where it is its b, found by position and checked by its
    hash."""
    rows = len(hashes) // 2
    columns = np.full(2 * rows, -1, dtype=np.int32)
    columns[first] = label
    beside = {
        "component_a": columns[:rows],
        "component_b": columns[rows:],
        "hash_a": hashes[:rows],
        "hash_b": hashes[rows:],
    }
    con.register("component_beside", pa.table(beside))
    moved = "error('the edges came in another order when they were read again: put them into a table first')::integer"
    return con.sql(
        " union all ".join(
            f"select {side}::varchar as id, case when {code.format(side)} = hash_{side} then component_{side} else "
            f"{moved} end as component from {edges} positional join component_beside where component_{side} >= 0"
            for side in ("a", "b")
        )
    )
