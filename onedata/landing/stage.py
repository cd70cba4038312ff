"""Stage one delivery: cast and validate its rows and classify them as valid, invalid or duplicate, in one pass.

Method: valid and invalid rows are written into two folders (`delivery`). Duplicates are searched in the written rows by
a hash of the key, at a fraction of the pass. Only if a key occurs again are rows compared value by value, and the valid
ones rewritten.
"""

import shutil
from collections.abc import Sequence
from pathlib import Path

import duckdb

from onedata.contracts.identifiers import IdentifierPolicy
from onedata.landing.delivery import BAD_ROWS, GOOD_ROWS, Delivery, write
from onedata.landing.documents import repeats_nothing_unread
from onedata.landing.keys import are_distinct, key_ranges
from onedata.ledger.lake import KeyRange, lake_files, ods_rows
from onedata.ledger.paths import file_name, staged_files, staged_folder
from onedata.readers import Reading
from onedata.settings import Settings
from onedata.sql import quote_text

WRITTEN, GOOD, BAD, DUPLICATE = "landing_written", "landing_good", "landing_bad", "landing_duplicate"
WORK = ".work"


def forget_run(con: duckdb.DuckDBPyConnection) -> None:
    """Start or end a run of deliveries of one feed: `run_key` has the keys of the staged deliveries that others
    follow."""
    con.execute("create or replace temp table run_key (h ubigint, batch varchar)")


def stage(
    con: duckdb.DuckDBPyConnection, settings: Settings, policy: IdentifierPolicy, delivery: Delivery, reading: Reading
) -> Sequence[KeyRange]:
    """Write the delivery's valid rows to its staged folder, and create four temp views with the columns of an ODS file:
    `landing_written` (valid rows including duplicates), `landing_good`, `landing_duplicate` and `landing_bad`.

    `typed_rows` describes `_extra` of invalid rows; `clear` drops the views and the files of invalid rows.

    Returns:
        The ranges of the keys of `landing_good`.
    """
    work = _work_folder(settings, delivery)
    write(con, settings, policy, delivery, reading, work)
    unfinished = [problem.file.relative for problem in reading.problems]
    written = sorted((work / GOOD_ROWS).glob("*.parquet"))
    _view(con, settings, WRITTEN, written, delivery, unfinished)
    _view(con, settings, BAD, sorted((work / BAD_ROWS).glob("*.parquet")), delivery, unfinished)
    keys = key_ranges(con, delivery.feed.entity, WRITTEN, () if unfinished else written)
    has_duplicates = _find_duplicates(con, settings, delivery, keys)
    ready = work / "ready"
    if has_duplicates or unfinished or not written:
        ready.mkdir()
        same = "d._file = w._file and d._row = w._row"
        con.execute(
            f"create or replace temp view {DUPLICATE} as select w.* from {WRITTEN} w semi join landing_duplicate_row d "
            f"on {same}"
        )
        rest = f"select w.* from {WRITTEN} w anti join landing_duplicate_row d on {same}"
        con.execute(
            f"copy ({rest}) to {quote_text(str(ready / file_name(delivery.batch, '0')) + '.parquet')} (format parquet)"
        )
    else:
        _view(con, settings, DUPLICATE, [], delivery)
        (work / GOOD_ROWS).rename(ready)
    target = staged_folder(settings, delivery.feed.name, delivery.batch)
    shutil.rmtree(target, ignore_errors=True)
    ready.rename(target)
    staged = staged_files(settings, delivery.feed.name, delivery.batch)
    _view(con, settings, GOOD, staged, delivery)
    if not (work / GOOD_ROWS).exists():
        _view(con, settings, WRITTEN, staged, delivery)
    if delivery.followed:
        con.execute(
            f"insert into run_key select distinct {_key_hash(delivery)}, {quote_text(delivery.batch)} from {GOOD}"
        )
    return key_ranges(con, delivery.feed.entity, GOOD) if has_duplicates else keys


def clear(con: duckdb.DuckDBPyConnection, settings: Settings, delivery: Delivery) -> None:
    """Drop the temporary views and files of `stage`: they may hold raw identifiers."""
    for kind in ("view", "table"):
        for (name,) in con.execute(
            f"select {kind}_name from duckdb_{kind}s() where temporary and {kind}_name like 'landing_%'"
        ).fetchall():
            con.execute(f"drop {kind} temp.{name}")
    shutil.rmtree(_work_folder(settings, delivery), ignore_errors=True)


def _work_folder(settings: Settings, delivery: Delivery) -> Path:
    folder = staged_folder(settings, delivery.feed.name, delivery.batch)
    return folder.with_name(folder.name + WORK)


def _view(
    con: duckdb.DuckDBPyConnection,
    settings: Settings,
    name: str,
    files: Sequence[Path],
    delivery: Delivery,
    without: Sequence[str] = (),
) -> None:
    """A temp view of Parquet files with the columns of an ODS file, except rows of the source files `without`."""
    rows = ods_rows(settings, delivery.feed.entity, files)
    rest = f" where _file not in ({', '.join(map(quote_text, without))})" if without else ""
    con.execute(f"create or replace temp view {name} as select * from {rows}{rest}")


def _find_duplicates(
    con: duckdb.DuckDBPyConnection, settings: Settings, delivery: Delivery, ranges: Sequence[KeyRange]
) -> bool:
    """`landing_duplicate_row`: file and row of valid rows that say what is said already, earlier in the delivery or in
    an accepted row. Returns whether there are any.

    Two rows are equal if every canonical column and every kept field are equal. A row that equals an earlier one, but
    not the last one before it of its key and version, is no duplicate: the value went from A to B and back to A, also
    where B is in quarantine (`documents`). Hashes are only compared within the same process, so a DuckDB version with
    another hash function changes nothing. Of this run's nights, only those with one of the keys are opened.
    """
    con.execute("create or replace temp table landing_duplicate_row (_file varchar, _row bigint)")
    entity = delivery.feed.entity
    key = _key_hash(delivery)
    row = con.execute(f"select count(*) from {WRITTEN}").fetchone()
    assert row is not None
    repeated = f"select {key} as _h from {WRITTEN} group by _h having count(*) > 1"
    again = [] if are_distinct(con, entity.key, WRITTEN, row[0]) else [repeated]
    before = con.execute(
        f"select distinct batch from run_key where h in (select {key} from {WRITTEN}) order by 1"
    ).fetchall()
    of_run = [file for (batch,) in before for file in staged_files(settings, delivery.feed.name, batch)]
    # SQL takes no text with a NUL in it; such keys are looked for everywhere.
    keys = [item for item in ranges if (item.least + item.greatest).isprintable()]
    history = [*lake_files(con, settings, delivery.feed.name, delivery.replaced, keys), *of_run]
    if history and row[0]:
        con.execute(
            f"create or replace temp view landing_history as select * from {ods_rows(settings, entity, history)}"
        )
        within = [f"{item.column} between {item.low} and {item.high}" for item in keys]
        within.append(f"_h in (select {key} from {WRITTEN})")
        again.append(f"select {key} as _h from landing_history where {' and '.join(within)}")
    if not again:
        return False
    con.execute(f"create or replace temp table landing_again as {' union '.join(again)}")
    columns = ", ".join([*[column.name for column in entity.columns], "_extra"])
    suspects = (
        f"select _file, _edition, _row, date '{delivery.ds}' as _night, false as _known, {columns} from {WRITTEN} "
        f"where {key} in (from landing_again)"
    )
    if history:
        suspects += (
            f" union all select _file, _edition, _row, _night, true as _known, {columns} from landing_history "
            "left join (select batch_id as _of, ds as _night from ops.delivery) on _of = _batch "
            f"where {key} in (from landing_again)"
        )
    version = ", ".join([*entity.key, *filter(None, [entity.version])])
    con.execute(
        "insert into landing_duplicate_row select _file, _row from (select _file, _row, _known, "
        f"row_number() over (partition by {columns} order by _known desc, _file, _row) as n, row({columns}) as said, "
        f"lag(row({columns})) over (partition by {version} "
        "order by _night, _file, coalesce(_edition, 1), _row) as before, "
        f"{', '.join(entity.key)}, max(case when _known then _night end) over (partition by {', '.join(entity.key)}) "
        f"as _last from ({suspects})) "
        "where n > 1 and not _known and (before is null or before is not distinct from said)"
        + repeats_nothing_unread(delivery.feed, delivery.ds, delivery.replaced)
    )
    return bool(con.execute("select 1 from landing_duplicate_row limit 1").fetchall())


def _key_hash(delivery: Delivery) -> str:
    return f"hash({', '.join(delivery.feed.entity.key)})"
