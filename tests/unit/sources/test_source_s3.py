"""Objects of an S3 store land like local files: listed without a download, streamed once, never loaded twice."""

from __future__ import annotations

import gzip
from collections.abc import Callable

import pytest
from servers import Store
from small_retailer import HEADER, NEXT, NIGHT, SmallRetailer

from onedata.landing.files import discover, spool_of
from onedata.sources import SourceError

Retail = Callable[..., SmallRetailer]
ROWS = f"{HEADER}\nA1,O1,5,fine,2026-01-05T10:00:00Z\nA2,O2,1,poor,2026-01-05T11:00:00Z\n"


@pytest.fixture
def shop(store: Store, retail: Retail) -> SmallRetailer:
    return retail(store.contract("desk/{ds}/survey*"))


def test_an_object_lands_under_its_address(store: Store, shop: SmallRetailer) -> None:
    store.put("desk/2026-01-05/survey.csv", ROWS)
    store.put("desk/2026-01-06/survey.csv", ROWS)  # for a later night
    store.put("desk/2026-01-05/other.csv", ROWS)  # of another feed
    assert shop.take(NIGHT).counts == (2, 2, 0, 0)
    assert shop.files("path, status") == [(f"s3://{store.bucket}/desk/2026-01-05/survey.csv", "landed")]


def test_an_object_that_has_landed_is_not_downloaded_again(
    store: Store, shop: SmallRetailer, monkeypatch: pytest.MonkeyPatch
) -> None:
    store.put("desk/2026-01-05/survey.csv", ROWS)
    shop.take()
    monkeypatch.setattr("onedata.landing.files.download", None)
    assert shop.take(NEXT).landed.files == 0


def test_an_object_that_changed_is_taken_again(store: Store, shop: SmallRetailer) -> None:
    store.put("desk/2026-01-05/survey.csv", ROWS)
    shop.take()
    store.put("desk/2026-01-05/survey.csv", ROWS + "A3,O3,5,,\n")
    assert shop.take(NEXT).counts == (3, 1, 0, 2)


def test_a_packed_object_is_unpacked(store: Store, shop: SmallRetailer) -> None:
    store.put("desk/2026-01-05/survey.csv.gz", gzip.compress(ROWS.encode()))
    assert shop.take().counts == (2, 2, 0, 0)


def test_nothing_is_left_in_the_spool(store: Store, shop: SmallRetailer) -> None:
    store.put("desk/2026-01-05/survey.csv", ROWS)
    shop.take()
    assert not spool_of(shop.settings, shop.feed()).folder.exists()


def test_a_listing_has_what_the_ledger_keeps(store: Store, shop: SmallRetailer) -> None:
    store.put("desk/2026-01-05/survey.csv", ROWS)
    shop.take()
    (offer,) = discover(shop.settings, shop.feed(), NIGHT)
    assert shop.files("path, size_bytes, mtime_ns") == [(offer.name, offer.size, offer.mtime_ns)]
    assert offer.mtime_ns > 0


def test_a_key_with_quotes_globs_and_climbing_is_only_a_name(store: Store, shop: SmallRetailer) -> None:
    key = "desk/2026-01-05/survey 'q\" [x]?;drop table ops.file"
    store.put(key, ROWS)
    assert shop.take().counts == (2, 2, 0, 0)
    assert shop.files("path") == [(f"s3://{store.bucket}/{key}",)]


def test_a_night_without_objects_is_empty(shop: SmallRetailer) -> None:
    assert shop.take().landed.files == 0


def test_a_missing_bucket_is_named_with_the_fix(store: Store, retail: Retail) -> None:
    content = store.contract("desk/{ds}.csv")
    content["servers"][0]["location"] = "s3://no-such-bucket/desk/{ds}.csv"
    with pytest.raises(
        SourceError,
        match=r"server minio \(http://127.*listing s3://no-such-bucket/desk failed: .*Check endpointUrl and location",
    ):
        retail(content).land()


def test_a_store_that_is_down_is_named(store: Store, retail: Retail) -> None:
    content = store.contract("desk/{ds}.csv")
    content["servers"][0]["endpointUrl"] = "http://127.0.0.1:1"
    with pytest.raises(SourceError, match=r"server minio \(http://127.0.0.1:1\)"):
        retail(content).land()
