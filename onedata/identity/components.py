"""Connected components of a graph given as edges between texts, or between whole numbers, without a join of texts.

`edge_components` numbers the ids by their hash, finds components over the numbers, and brings each component back to a row in which its id stands, by
position. That no two ids were taken for one, and that the rows came in the same order again, is known from a second hash of every id: it must add up
to the same over what was read and over what was numbered.
"""

from collections.abc import Iterator

import duckdb
import numpy as np
import numpy.typing as npt
import pyarrow as pa

Ints = npt.NDArray[np.int64]
Numbers = npt.NDArray[np.int32]
Hashes = npt.NDArray[np.uint64]

# Temporary arrays of this many values stay in the processor's cache and are used again: fresh memory costs more than the work done in it.
CHUNK = 1 << 17
MOST_EDGES = 2**30 - 1
_ODD = 0x9E3779B97F4A7C15
_HASHES = ("hash({})", "hash(reverse({}))")


class UnstableEdges(RuntimeError):
    """The edges came in another order when they were read again."""


def edge_components(con: duckdb.DuckDBPyConnection, edges: str) -> duckdb.DuckDBPyRelation:
    """The component of every id of a graph, without a copy of the ids.

    Args:
        con: Where the edges can be read.
        edges: A table, a view or a scan of files with text columns a and b, one row an edge. It must give the rows in the same order each time it is
            read. A row with one NULL names an id without an edge, one with two names nothing. Self-loops and repeated edges are no matter.

    Returns:
        A relation (id varchar, component integer), one row an id; components are numbered from 0. The ids are read from the edges when it is: read it
        before they change.

    Raises:
        UnstableEdges: the order differed, as it does without `preserve_insertion_order`; put the edges into a table.
        ValueError: there are more than 2^30 - 1 edges.
    """
    rows = _value(con, f"select count(*) from {edges}")
    if rows > MOST_EDGES:
        raise ValueError(f"{rows:,} edges are more than {MOST_EDGES:,}: aggregate them first")
    # Two ids that have one hash differ in the other one.
    for code, check in (_HASHES, _HASHES[::-1]):
        hashes, total = _read(con, edges, rows, code, check)
        number, first = numbered(hashes)
        null, null_check = (np.uint64(_value(con, f"select {template.format('null::varchar')}")) for template in (code, check))
        is_null = hashes[first] == null
        del hashes
        count = _counts(number, len(first))
        label = _labels(number[:rows], number[rows:], is_null)
        del number
        total -= int(count[is_null].sum()) * int(null_check)
        columns = np.full(2 * rows, -1, dtype=np.int32)
        columns[first] = label
        beside = pa.table({"component_a": columns[:rows], "component_b": columns[rows:]})
        if _total(con, edges, beside, check, count[~is_null]) == total % 2**64:
            return _ids(con, edges, beside, "{}::varchar as id, component_{} as component")
    raise UnstableEdges(f"{edges}: the rows came in another order when they were read again; put them into a table first")


def extend_components(con: duckdb.DuckDBPyConnection, known: str, edges: str) -> None:
    """What more edges do to known components, at the cost of the new edges and one scan of the known ids.

    Makes two temp tables: `component_added` (id, component), each id that was not known, and `component_redirect` (old, new), each component that has
    become part of another, whose number is the smallest of those that met. New components are numbered after the known ones.

    Args:
        con: Where both can be read.
        known: A relation (id varchar, component integer), one row an id; it is not changed.
        edges: As of `edge_components`.
    """
    con.execute(
        f"""
        create or replace temp table component_delta as select a::varchar as a, b::varchar as b from {edges};
        create or replace temp table component_met as
        select id, component from {known} where id in (select a from component_delta union all select b from component_delta);
        create or replace temp table component_link as
        select case when a is null then null else coalesce('=' || x.component, '+' || a) end as a,
               case when b is null then null else coalesce('=' || y.component, '+' || b) end as b
        from component_delta left join component_met x on x.id = a left join component_met y on y.id = b
        """
    )
    # DuckDB finds `joined` by its name.
    joined = edge_components(con, "component_link")  # noqa: F841
    con.execute(
        f"""
        create or replace temp table component_joined as
        select id, coalesce(min(case when id like '=%' then id[2:]::integer end) over (partition by component), -1 - component) as component from joined;
        create or replace temp table component_redirect as
        select id[2:]::integer as old, component as new from component_joined where id like '=%' and id[2:]::integer <> component;
        create or replace temp table component_added as
        with last as (select coalesce(max(component), -1) as last from {known})
        select id[2:] as id, (case when component < 0 then last + dense_rank() over (partition by component < 0 order by component desc) else component end)
            ::integer as component
        from component_joined, last where id like '+%';
        drop table component_delta; drop table component_met; drop table component_link; drop table component_joined
        """
    )


def components(size: int, a: npt.NDArray[np.integer], b: npt.NDArray[np.integer]) -> Numbers:
    """The component of each of `size` nodes under the edges a[i] - b[i], numbered from 0 without gaps.

    Method: each node is hooked to a neighbour with a smaller number, paths are shortened, and what is left of the graph is contracted and numbered
    anew at random, so that half of its nodes can be expected to go in each round (random mate; Reif 1985). Half the time of SciPy's
    `connected_components`, which copies the graph several times.
    """
    parent = _contracted(size, a.astype(np.int32), b.astype(np.int32), np.random.default_rng(0))
    root = parent == np.arange(size, dtype=np.int32)
    _map(_ranks(root), parent)
    return parent


def _contracted(size: int, a: Numbers, b: Numbers, random: np.random.Generator) -> Numbers:
    """The root of each node; a and b are used up."""
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
    """Let every node point at its root."""
    changed = True
    while changed:
        changed = False
        for part in _chunks(parent):
            above = parent.take(part, mode="clip")
            changed = changed or not np.array_equal(above, part)
            part[:] = above


def numbered(hashes: Hashes) -> tuple[Numbers, Numbers]:
    """Number equal values alike, from 0 without gaps.

    Method: every value writes its position into a slot of a table; who reads there a position of an equal value is done, the others go on to another
    table with other bits of theirs.

    Returns:
        The number of each value, and for each number the one position that stands for it, ascending.
    """
    owner = np.empty(len(hashes), dtype=np.int32)
    waiting, factor = np.arange(len(hashes), dtype=np.int32), 1
    while len(waiting):
        bits = max(1, len(waiting).bit_length() - 1)
        slot = np.empty(1 << bits, dtype=np.int32)
        for part in _chunks(waiting):
            slot[_slots(hashes.take(part, mode="clip"), factor, bits)] = part
        left = []
        for part in _chunks(waiting):
            values = hashes.take(part, mode="clip")
            found = slot.take(_slots(values, factor, bits), mode="clip")
            owner[part] = found
            left.append(part[hashes.take(found, mode="clip") != values])
        waiting = np.concatenate(left)
        factor = factor * _ODD % 2**64
    stands = owner == np.arange(len(hashes), dtype=np.int32)
    _map(_ranks(stands), owner)
    return owner, np.flatnonzero(stands).astype(np.int32)


def _slots(hashes: Hashes, factor: int, bits: int) -> Ints:
    return ((hashes * np.uint64(factor)) >> np.uint64(64 - bits)).view(np.int64)


def _ranks(chosen: npt.NDArray[np.bool_]) -> Numbers:
    """The place of each chosen one among them, from 0."""
    ranks = np.cumsum(chosen, dtype=np.int32)
    ranks -= 1
    return ranks


def _map(mapping: Numbers, values: Numbers) -> None:
    """Replace each value by what it is mapped to, in place."""
    for part in _chunks(values):
        part[:] = mapping.take(part, mode="clip")


def _chunks(values: Numbers) -> Iterator[Numbers]:
    for start in range(0, len(values), CHUNK):
        yield values[start : start + CHUNK]


def _read(con: duckdb.DuckDBPyConnection, edges: str, rows: int, code: str, check: str) -> tuple[Hashes, int]:
    """The hash of every a, then of every b, and the sum of the other hash over all of them."""
    hashes = np.zeros(2 * rows, dtype=np.uint64)
    total, done = 0, 0
    columns = ", ".join(template.format(side) for template in (code, check) for side in ("a", "b"))
    for batch in con.execute(f"select {columns} from {edges}").to_arrow_reader(CHUNK):
        of_a, of_b, check_a, check_b = (column.to_numpy() for column in batch.columns)
        end = done + len(of_a)
        hashes[done:end], hashes[rows + done : rows + end] = of_a, of_b
        total += int(check_a.sum(dtype=np.uint64)) + int(check_b.sum(dtype=np.uint64))
        done = end
    return hashes, total


def _counts(number: Numbers, size: int) -> Hashes:
    counts = np.zeros(size, dtype=np.uint64)
    for part in _chunks(number):
        np.add.at(counts, part, np.uint64(1))
    return counts


def _labels(a: Numbers, b: Numbers, is_null: npt.NDArray[np.bool_]) -> Numbers:
    """The component of each number; NULL, which is no id, has -1 and connects nothing."""
    if not is_null.any():
        return components(len(is_null), a, b)
    named = ~(is_null[a] | is_null[b])
    label = components(len(is_null), a[named], b[named])
    label[label > label[is_null]] -= 1
    label[is_null] = -1
    return label


def _ids(con: duckdb.DuckDBPyConnection, edges: str, beside: pa.Table, select: str) -> duckdb.DuckDBPyRelation:  # noqa: ARG001 - DuckDB finds the table by its name
    """`select` of the one row in which each id stands: first where it is an edge's a, then where it is its b."""
    sides = (f"select {select.format(side, side)} from {edges} positional join beside where component_{side} >= 0" for side in ("a", "b"))
    return con.sql(" union all ".join(sides))


def _total(con: duckdb.DuckDBPyConnection, edges: str, beside: pa.Table, check: str, count: Hashes) -> int | None:
    """The hashes of the ids, each as often as it was read, added up modulo 2^64; None where there are more or fewer of them."""
    total, done = 0, 0
    for batch in _ids(con, edges, beside, check + " as h").to_arrow_reader(CHUNK):
        values = batch.column(0).to_numpy()
        times = count[done : done + len(values)]
        if len(times) < len(values):
            return None
        total += int((values * times).sum(dtype=np.uint64))
        done += len(values)
    return total % 2**64 if done == len(count) else None


def _value(con: duckdb.DuckDBPyConnection, query: str) -> int:
    row = con.execute(query).fetchone()
    assert row is not None
    return int(row[0])
