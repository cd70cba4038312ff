"""The location of a contract's feeds: what each kind of server accepts, and what is refused."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from small_retailer import canonical, contract, write_contracts

from onedata.contracts import load_feeds
from onedata.contracts.model import ContractError, Database, Location, ObjectStore

S3 = {
    "server": "minio",
    "type": "s3",
    "location": "s3://bucket/desk/{ds}/*.csv",
    "endpointUrl": "http://127.0.0.1:9000",
    "format": "csv",
}
POSTGRES = {"server": "shopdb", "type": "postgres", "host": "db", "port": 5432, "database": "shop", "schema": "public"}


def located(tmp_path: Path, server: dict[str, Any], physical_name: str | None = None, **feed: Any) -> Location:
    content = contract(**feed)
    content["servers"] = [server]
    if physical_name:
        content["schema"][0]["physicalName"] = physical_name
    (found,) = load_feeds(write_contracts(tmp_path, content), canonical())
    return found.location


def test_an_object_store_is_its_bucket_and_key(tmp_path: Path) -> None:
    location = located(tmp_path, S3)
    assert location.path == "s3://bucket/desk/{ds}/*.csv"
    assert location.store == ObjectStore("minio", "http://127.0.0.1:9000")


def test_a_database_is_its_table_and_watermark(tmp_path: Path) -> None:
    location = located(
        tmp_path, POSTGRES, "answers", watermark="updated_at", lookback="2 hours", timezone="Asia/Shanghai"
    )
    assert location.path == "postgres://db:5432/shop/public.answers"
    assert location.store == Database(
        "shopdb", "db", 5432, "shop", "public", None, "answers", "updated_at", "2 hours", "Asia/Shanghai"
    )


def test_a_table_without_a_name_of_its_own_is_called_like_the_feed(tmp_path: Path) -> None:
    store = located(tmp_path, POSTGRES, watermark="updated_at").store
    assert isinstance(store, Database)
    assert store.table == "survey"


def test_names_and_null_values_of_a_csv_are_lists(tmp_path: Path) -> None:
    options = [
        {"property": "header", "value": False},
        {"property": "columns", "value": ["a", "b"]},
        {"property": "nullValues", "value": ["NA", 0]},
    ]
    server = {"server": "landing", "type": "local", "path": "a.csv", "format": "csv", "customProperties": options}
    location = located(tmp_path, server)
    assert (location.columns, location.null_values, location.options) == (("a", "b"), ("NA", "0"), {"header": "false"})


def custom(**options: Any) -> dict[str, Any]:
    listed = [{"property": name, "value": value} for name, value in options.items()]
    return {"server": "landing", "type": "local", "path": "a.csv", "format": "csv", "customProperties": listed}


@pytest.mark.parametrize(
    ("server", "feed", "says"),
    [
        (S3 | {"type": "sftp"}, {}, "type: 'sftp' is not known"),
        (S3 | {"location": "http://bucket/key"}, {}, "is not s3://bucket/key"),
        (S3 | {"location": "s3://{ds}/key"}, {}, "is not s3://bucket/key"),
        (S3 | {"endpointUrl": "minio:9000"}, {}, "endpointUrl 'minio:9000' is not a URL like https://"),
        (S3 | {"accessKey": "secret"}, {}, "'accessKey' is not known"),
        (S3, {"watermark": "updated_at"}, "watermark belongs to a server of type postgres"),
        (POSTGRES | {"port": "5432"}, {}, "port is '5432'; ODCS v3.1 takes a whole number"),
        (POSTGRES | {"password": "secret"}, {}, "'password' is not known"),
        (POSTGRES | {"host": ""}, {}, "host is missing"),
        (POSTGRES, {"lookback": "2 hours"}, "lookback '2 hours' goes with a watermark"),
        (POSTGRES, {"watermark": "updated_at", "lookback": "1'; drop table x; --"}, "is a span like 2 hours"),
        (custom(header=False), {}, "header: false and columns (the names, in the file's order) belong together"),
        (custom(header="no"), {}, "header is true or false, not 'no'"),
        (custom(columns=["a", "a"], header=False), {}, "columns names 'a' twice"),
        (custom(nullValues="NA"), {}, "nullValues is a list of texts, not 'NA'"),
        (custom(decimal=";"), {}, "decimal is . or ,, not ';'"),
        (custom(skip=-1), {}, "skip is a whole number, not '-1'"),
        (custom(unpackLimit="10 GB"), {}, "unpackLimit is a whole number"),
        (custom(encoding="rot13"), {}, "encoding 'rot13' is not known"),
        (custom(escape="\\\\"), {}, "escape is one character"),
        (
            custom() | {"format": "xlsx", "customProperties": [{"property": "range", "value": "3:5"}]},
            {},
            "range '3:5' is not A3, A3:J or A3:J500",
        ),
    ],
)
def test_a_mistake_is_told(tmp_path: Path, server: dict[str, Any], feed: dict[str, Any], says: str) -> None:
    with pytest.raises(ContractError) as error:
        located(tmp_path, server, **feed)
    assert says in str(error.value)
