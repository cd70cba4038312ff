"""SQL of a contract computes only from its own row: anything else is refused when the contract is loaded."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import duckdb
import pytest
from small_retailer import ANSWERS, canonical, contract, write_contracts
from support import REPOSITORY

from onedata.contracts import ContractError, Feed, load_entities, load_feeds
from onedata.contracts.boundary import Boundary

SECRET = "what no contract may read"


def load(folder: Path, content: dict[str, Any]) -> tuple[Feed, ...]:
    return load_feeds(write_contracts(folder / "contracts", content), canonical())


def with_logic(logic: str, **changed: Any) -> dict[str, Any]:
    """The survey's contract, its comment by an expression."""
    others = [item for item in ANSWERS if item["name"] != "comment"]
    return contract(
        properties=[*others, {"name": "comment", "physicalName": "note", "transformLogic": logic} | changed]
    )


def with_query(query: str, name: str = "answers") -> dict[str, Any]:
    return contract(quality=[{"name": name, "type": "sql", "query": query, "mustBe": 0}])


EXPRESSIONS: Sequence[tuple[str, str]] = [
    ("(select content from read_text('{file}'))", "a query in it"),
    ("read_text('{file}')", "read_text"),
    ("(from '{file}')", "a query in it"),
    ("getenv('HOME')", "getenv"),
    ("getvariable('token_inner')", "getvariable"),
    ("{value} || getvariable('token_inner')::varchar", "getvariable"),
    ("list_transform(['a'], lambda x: x || getvariable('token_inner')::varchar)[1]", "getvariable"),
    ("case when {value} = 'a' then current_setting('home_directory') end", "current_setting"),
    ("try(current_setting('s3_secret_access_key'))", "current_setting"),
    ("current_database()", "current_database"),
    ("current_user", "current_user"),
    ("main.getvariable('token_inner')", "getvariable"),
    ("system.main.getvariable('token_inner')", "getvariable"),
    ("{value}.getvariable()", "getvariable"),
    ("nextval('serial')", "nextval"),
    ("setseed(0.5)", "setseed"),
    ("random()::varchar", "random"),
    ("uuid()::varchar", "uuid"),
    ("error({value})", "error"),
    ("sleep_ms(100000)::varchar", "sleep_ms"),
    ("pg_sleep(100000)::varchar", "pg_sleep"),
    ("write_log({value})", "write_log"),
    ("json_serialize_plan('from ''{file}''')::varchar", "json_serialize_plan"),
    ("json_execute_serialized_sql({value})", "json_execute_serialized_sql"),
    ("query('select 1')", "query"),
    ("exists (select 1)", "a query in it"),
    ("{value} in (select value from vault.token)", "a query in it"),
    ("{value} = any(select value from vault.token)", "a query in it"),
    ("array(select value from vault.token)::varchar", "a query in it"),
    ("count(*) over ()::varchar", "window"),
    ("sum(1)::varchar", "sum"),
    ("unnest(['a', 'b'])", "unnest"),
    ("*", "a *"),
    ("columns('.*')", "a *"),
    ("$1", "parameter"),
    ("?", "parameter"),
    ("#1", "positional"),
    ("_row::varchar", "the column _row"),
    ("note", "the column note"),
    ("'a', 'b'", "more than one expression"),
    ("{value} as other", "more than one expression"),
    ("{value} from read_text('{file}')", "more than one expression"),
    ("{value} where false", "more than one expression"),
    ("'a') from read_text('{file}') --", "is not SQL"),
    ("{value} -- the rest", "is not SQL"),
    ("{value} /* the rest", "is not SQL"),
    ("{value}; copy (select 1) to '{file}.copy'", "is no plain query"),
    ("'a' limit 1", "more than one expression"),
    ("'prefix {value}'", "in quotes"),
    ("/* {value} */ 'a'", "in quotes or in a comment"),
    ("no_such_function({value})", "no_such_function"),
]
QUERIES: Sequence[tuple[str, str]] = [
    ("select content from read_text('{file}')", "read_text"),
    ("select * from read_blob('{file}')", "read_blob"),
    ("select * from read_csv('{file}')", "read_csv"),
    ("select * from read_parquet('{file}')", "read_parquet"),
    ("select * from read_json_auto('{file}')", "read_json_auto"),
    ("select * from sniff_csv('{file}')", "sniff_csv"),
    ("select * from glob('/*')", "glob"),
    ("select * from parquet_metadata('{file}')", "parquet_metadata"),
    ("from '{file}'", "no table a rule may read"),
    ('select * from "s3://bucket/file.parquet"', "no table a rule may read"),
    ("select * from vault.token", "vault.token"),
    ("select raw from ops.quarantine", "ops.quarantine"),
    ("select * from information_schema.tables", "information_schema.tables"),
    ("select * from duckdb_secrets()", "duckdb_secrets"),
    ("select * from duckdb_settings", "duckdb_settings"),
    ("select * from duckdb_variables()", "duckdb_variables"),
    ("select * from which_secret('s3://a', 's3')", "which_secret"),
    ("select * from postgres_scan('host=a', 'b', 'c')", "postgres_scan"),
    ("select * from sqlite_scan('{file}', 'c')", "sqlite_scan"),
    ("select * from query('from vault.token')", "query"),
    ("select * from query_table('vault.token')", "query_table"),
    ("select * from pragma_version()", "pragma_version"),
    ("select getvariable('token_inner') from {object}", "getvariable"),
    ("select order_id from {object} where current_setting('s3_secret_access_key') <> ''", "current_setting"),
    ("select (select content from read_text('{file}')) from {object}", "read_text"),
    ("select order_id from {object} where exists (select 1 from vault.token)", "vault.token"),
    ("select * from {object} as rows join vault.token on true", "vault.token"),
    ("select * from {object} union all select value from vault.token", "vault.token"),
    (
        "with token as (select 1 as a) select * from (with x as (select 2 as b) select b from x), x",
        "no table a rule may read",
    ),
    ("with quarantine as (select * from quarantine) select * from quarantine", "no table a rule may read"),
    ("with recursive n as (select 1 as i union all select i + 1 from n) select i from n", "recursive"),
    ("select order_id from {object} using sample 1", "takes a sample"),
    ("select order_id from {object} tablesample reservoir(50%)", "takes a sample"),
    ("select * from (select order_id from {object} using sample 10%) as rows", "takes a sample"),
    ("select order_id from {object}; select 1", "is more than one statement"),
    ("select order_id from {object} --", "is not SQL"),
    ("select 1) from {object} --", "is not SQL"),
    ("select '{object}' as name", "names {object} where no table stands"),
    ("insert into ops.gate select 1", "is no plain query"),
    ("delete from {object}", "is no plain query"),
    ("copy {object} to '{file}.copy'", "is no plain query"),
    ("attach '{file}' as other", "is no plain query"),
    ("set threads = 1", "is no plain query"),
    ("load postgres", "is no plain query"),
    ("install httpfs", "is no plain query"),
    ("pragma database_list", "is no plain query"),
    ("call force_checkpoint()", "is no plain query"),
    ("export database '{file}.folder'", "is no plain query"),
    ("describe {object}", "show ref"),
    ("pivot {object} on order_id", "is no plain query"),
    ("select no_such_column from {object}", "no_such_column"),
]


def refused(folder: Path, build: Callable[[str], dict[str, Any]], sql: str) -> str:
    """What is said of a contract with the SQL, in which {file} is a file that no contract may read; nothing is read,
    and nothing written."""
    file = folder / "secret.txt"
    file.write_text(SECRET)
    with pytest.raises(ContractError) as caught:
        load(folder, build(sql.replace("{file}", str(file))))
    said = str(caught.value)
    assert SECRET not in said
    assert sorted(path.name for path in folder.iterdir()) == ["contracts", "secret.txt"]
    return re.sub(rf"^{folder / 'contracts' / 'survey.odcs.yaml'}:\d+: schema survey: ", "", said)


@pytest.mark.parametrize(("logic", "what"), EXPRESSIONS)
def test_an_expression_that_reaches_out_of_its_row_is_refused(tmp_path: Path, logic: str, what: str) -> None:
    said = refused(tmp_path, with_logic, logic)
    assert said.startswith("property comment: transformLogic ")
    assert what in said and "docs/contracts.md" in said


@pytest.mark.parametrize(("query", "what"), QUERIES)
def test_a_query_that_reads_more_than_its_rows_is_refused(tmp_path: Path, query: str, what: str) -> None:
    said = refused(tmp_path, with_query, query)
    assert said.startswith("quality rule answers: query ")
    assert what in said


@pytest.mark.parametrize(
    "logic",
    [
        "'online'",
        "case {value} when 'a' then 'b' when 'c' then 'd' else {value} end",
        "coalesce(try_strptime({value}, '%d.%m.%Y')::date::varchar, {value})",
        "regexp_extract({value}, '[^:/]+$') || {order} || {@Flag}",
        "array_to_string(list_transform(string_split({value}, ','), lambda x: trim(x)), ' ')",
        "array_to_string([x for x in string_split({value}, ',') if x <> ''], ' ')",
        "list_reduce([1, 2], lambda a, b: a + b)::varchar",
        "{value}::json -> '$.a' ->> 'b'",
        "array_to_string(from_json({value}, '[\"VARCHAR\"]'), ' ')",
        "{value}.lower().trim()",
        "{value} not in ('a', 'b') and {value} similar to 'a.*' and {value} between 'a' and 'b'",
        "({value} collate nocase = 'a')::varchar",
        "cast({value} as decimal(18, 2))::varchar",
        "extract(year from {value}::date)::varchar || ' /* no comment */ -- neither'",
        "greatest({value}::date - interval 1 day, date '2020-01-01')::varchar",
        "md5({value})",
    ],
)
def test_an_expression_over_the_row_is_allowed_and_means_the_same(tmp_path: Path, logic: str) -> None:
    (feed,) = load(tmp_path, with_logic(logic))
    assert next(item for item in feed.fields if item.column.name == "comment").logic == logic


@pytest.mark.parametrize(
    "query",
    [
        "select order_id from {object} where satisfaction is null",
        "select a.order_id from {object} a join {object} as b on a.order_id = b.order_id where a._row < b._row",
        "with twice as (select order_id, count(*) as n from {object} group by 1) select order_id from twice "
        "where n > 1",
        "select order_id, row_number() over (partition by order_id order by answered_at) as n from {object} "
        "qualify n > 1",
        "select order_id from {object} where order_id not in (select order_id from ods.ods_sales_order)",
        "select distinct on (order_id) * exclude (comment) from {object} order by order_id limit 5",
        "select order_id from {object} where answered_at > now()",
        "select i from range(3) as r(i) except select satisfaction from {object}",
    ],
)
def test_a_query_over_the_rows_is_allowed(tmp_path: Path, query: str) -> None:
    (feed,) = load(tmp_path, with_query(query))
    assert feed.rules[0].arguments["query"] == query


def test_a_bound_that_is_sql_is_refused(tmp_path: Path) -> None:
    for arguments in ({"minimum": "1 or (select 1 from read_text('/etc/hostname')) is null"}, {"maximum": "now()"}):
        rule = {"metric": "invalidValues", "arguments": arguments, "mustBe": 0}
        with pytest.raises(ContractError, match=r"property satisfaction, quality rule 1: m\w+imum is a number"):
            load(
                tmp_path,
                with_logic("{value}")
                | {
                    "schema": contract(properties=[*ANSWERS[:2], ANSWERS[2] | {"quality": [rule]}, *ANSWERS[3:]])[
                        "schema"
                    ]
                },
            )


def test_a_column_of_a_rule_is_a_name(tmp_path: Path) -> None:
    rule = {
        "metric": "nullValues",
        "arguments": {"properties": ["order_id) from read_text('/etc/hostname') --"]},
        "mustBe": 0,
    }
    with pytest.raises(ContractError, match="is no name of a column"):
        load(tmp_path, contract(quality=[rule]))


def test_every_function_that_is_allowed_computes_from_its_arguments() -> None:
    """A newer DuckDB may bring functions that reach further: a name that sounds like one is looked at before it is
    allowed."""
    with duckdb.connect() as con:
        boundary = Boundary(con)
        allowed = boundary._scalar | boundary._aggregate
        sounds = (
            "read", "file", "path", "env", "setting", "secret", "variable", "load", "attach", "query", "sql", "exec",
            "url", "http", "log", "user", "database", "schema", "glob", "scan", "copy", "write", "session",
            "connection", "sleep", "seq",
        )  # fmt: skip
        found = {name for name in allowed if any(word in name for word in sounds)}
    # Text of a path or URL in, text out; logarithms; and JSON's own $.path.
    known = {
        "parse_dirname",
        "parse_dirpath",
        "parse_filename",
        "parse_path",
        "parse_duckdb_log_message",
        "url_decode",
        "url_encode",
    }
    known |= {"log", "log10", "log2", "json_extract_path", "json_extract_path_text"}
    assert found <= known


def test_the_contracts_shared_with_other_projects_load() -> None:
    shared = Path(os.environ.get("ONEDATA_SHARED_DATA") or REPOSITORY.parent / "shared" / "data").with_name("cases")
    folders = sorted({file.parent for file in shared.rglob("*.odcs.yaml")})
    if not folders:
        text = f"cases: no contracts in {shared}, beside the folder that ONEDATA_SHARED_DATA names"
        pytest.skip(text)
    entities = load_entities(REPOSITORY / "data_contracts" / "canonical")
    assert all(load_feeds(folder, entities) for folder in folders)
