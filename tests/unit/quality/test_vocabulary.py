"""Messages of gates name what contracts and models declare, and nothing that a row may hold of a person."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import duckdb
import pytest
from small_retailer import SmallRetailer, contract

from onedata.contracts.strict_yaml import read_mapping
from onedata.quality.gates import layer_gate
from onedata.quality.gx import Gatekeeper
from onedata.quality.vocabulary import Vocabulary, vocabulary
from onedata.shipped import shipped

Retail = Callable[..., SmallRetailer]

MODELS = shipped("dbt_project") / "models"
NAME, E_MAIL, PHONE = "Ann Miller", "ann@shop-mail.cn", "138 0013 8000"
SAMPLED = {"name": "sampled", "type": "sql", "query": "select * from {object} order by all", "mustBe": 0}
REASONS = {
    "name": "reason_valid",
    "metric": "invalidValues",
    "column": "reason",
    "arguments": {"validValues": ["it is paid in part", "it is authorized, not captured"]},
    "mustBe": 0,
}
CHANNELS = {
    "name": "channel_valid",
    "metric": "invalidValues",
    "column": "channel",
    "arguments": {"validValues": ["online", "store"]},
    "mustBe": 0,
}


def node(name: str, *quality: dict[str, Any], **classes: str) -> dict[str, Any]:
    columns = {column: {"name": column, "meta": {"classification": value}} for column, value in classes.items()}
    return {
        "resource_type": "model",
        "name": name,
        "schema": "dws",
        "original_file_path": f"{name}.sql",
        "config": {"meta": {"quality": list(quality)}},
        "columns": columns,
    }


def words_of(file: str, column: str) -> set[str]:
    """The words that a model's YAML declares for a column."""
    (model,) = read_mapping(MODELS / f"{file}.yml")["models"]
    rules = model["config"]["meta"]["quality"]
    return {word for rule in rules if rule.get("column") == column for word in rule["arguments"]["validValues"]}


@pytest.fixture
def words(retail: Retail) -> Vocabulary:
    """Of a retailer with the feed `survey` of the system `desk`, and one model."""
    shop = retail(contract())
    manifest = {"nodes": {"m": node("m", REASONS, CHANNELS, birth_year="sensitive", region="core")}}
    return vocabulary(shop.retailer.feeds, manifest)


def message(words: Vocabulary, row: dict[str, str], **classes: str) -> str:
    """What a gate says of one row that breaks its rule."""
    with duckdb.connect() as con:
        columns = ", ".join(f"'{value}' as {name}" for name, value in row.items())
        con.execute(f"create schema dws; create table dws.t as select {columns}")
        manifest = {"nodes": {"t": node("t", SAMPLED, **classes)}}
        (result,) = layer_gate(Gatekeeper(con, words), manifest, "dws")
    assert result.blocks
    return result.message.partition("first: ")[2]


def test_a_closed_gate_names_feed_system_channel_currency_and_reason(retail: Retail, words: Vocabulary) -> None:
    (feed,) = retail(contract()).retailer.feeds
    row = {
        "feed": feed.name,
        "_feed": feed.name,
        "order_system": feed.system,
        "browse_channel": "store",
        "currency": "SEK",
        "net_reason": "it is authorized, not captured",
        "entity": feed.entity.name,
        "_tied": "comment, answered_at",
    }
    assert message(words, row) == ", ".join(f"{name}={value}" for name, value in row.items())


@pytest.mark.parametrize(("value", "masked"), [(NAME, "Aaa Aaaaaa"), (E_MAIL, "[e-mail]"), (PHONE, "[phone]")])
@pytest.mark.parametrize("column", ["feed", "source_system", "channel", "currency", "reason", "_tied", "note"])
def test_a_persons_value_stays_hidden_in_every_column(words: Vocabulary, column: str, value: str, masked: str) -> None:
    assert message(words, {column: value}) == f"{column}={masked}"


def test_a_word_is_known_in_its_own_columns_alone(words: Vocabulary) -> None:
    row = {"channel": "online", "note": "online", "channel_note": "store", "reason": "store", "currency": "Ann"}
    assert message(words, row) == "channel=online, note=aaaaaa, channel_note=aaaaa, reason=aaaaa, currency=Aaa"


def test_a_list_with_one_unknown_part_is_masked(words: Vocabulary) -> None:
    assert message(words, {"_tied": f"comment, {NAME}"}) == "_tied=aaaaaaa, Aaa Aaaaaa"


def test_an_order_id_stays_as_it_is_masked_without_words(words: Vocabulary) -> None:
    row = {"order_id": "5400000001", "document_id": "SO-2026-000123", "product_id": "gift"}
    told = "order_id=******0001, document_id=SO-2026-000123, product_id=aaaa"
    assert message(words, row) == message(Vocabulary(), row) == told


def test_a_personal_column_shows_no_word(words: Vocabulary) -> None:
    """Neither where the model classifies it, nor where another model or an entity does."""
    assert message(words, {"channel": "online"}, channel="sensitive") == "channel=(hidden)"
    rule = {**CHANNELS, "column": "region"}
    elsewhere = vocabulary([], {"nodes": {"m": node("m", rule, region="core"), "n": node("n", rule)}})
    assert message(elsewhere, {"region": "online"}) == "region=aaaaaa"
    assert message(vocabulary([], {"nodes": {"n": node("n", rule)}}), {"region": "online"}) == "region=online"


def test_without_contracts_and_models_there_are_only_currencies() -> None:
    assert vocabulary([]).words.keys() == {"currency", "feed", "system", "entity", "_tied"}
    assert not Vocabulary().known("feed", "shop_orders")


@pytest.mark.parametrize(
    ("yaml", "model", "column"),
    [
        ("dws/dws_tie_day", "dws/dws_order_tie", "reason"),
        ("dws/dws_ledger_tie", "dws/dws_ledger_tie", "reason"),
        ("dws/dws_order_decision", "dws/dws_order_decision", "reason"),
        ("ads/ads_kpi", "ads/ads_kpi", "reason"),
    ],
)
def test_every_reason_that_a_model_gives_is_declared(yaml: str, model: str, column: str) -> None:
    given = re.findall(r"(?:then|else) '([^']* [^']*)'", (MODELS / f"{model}.sql").read_text(encoding="utf-8"))
    assert given and words_of(yaml, column) - {""} == set(given)


@pytest.mark.parametrize("model", ["dws/dws_order_line_placed", "dws/dws_refund_placed"])
def test_every_exclusion_that_a_model_gives_is_declared(model: str) -> None:
    text = (MODELS / f"{model}.sql").read_text(encoding="utf-8")
    given = re.findall(r"then '([^']* [^']*)'", text)
    assert len(given) > 4 and words_of(model, "exclusion") == set(given)


def test_a_pair_of_orders_has_a_decisions_reasons_and_its_own() -> None:
    text = (MODELS / "dws" / "dws_order_match.sql").read_text(encoding="utf-8")
    own = set(re.findall(r"then '([^']* [^']*)'", text))
    declared = words_of("dws/dws_order_match", "reason")
    assert len(own) == 3 and declared == own | words_of("dws/dws_order_decision", "reason")


def test_every_kpi_is_declared() -> None:
    text = (MODELS / "ads" / "ads_kpi.sql").read_text(encoding="utf-8")
    assert words_of("ads/ads_kpi", "kpi_id") == set(re.findall(r"\{'id': '(\w+)'", text))
