"""The balances that the models' YAML declares: which models have them, how they are read, and what they come to."""

from __future__ import annotations

import re
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from textwrap import dedent, indent

import duckdb
import pytest
from support import REPOSITORY

from onedata.contracts.strict_yaml import read_mapping
from onedata.quality import balances
from onedata.quality.balances import Balance, BalanceError, Measure, Placed, declared_balances, unbalanced_models
from onedata.quality.reconcile_layers import layer_balances

MODELS = REPOSITORY / "dbt_project" / "models"
LAYERS = ("dws", "ads")
DERIVED = {"average_order_value_base", "monetary_base"}
"""Money that is computed from other columns of its row."""


def of_model(model: str) -> list[Balance]:
    return [item for layer in LAYERS for item in declared_balances(layer) if item.model == model]


@pytest.mark.parametrize("layer", LAYERS)
def test_every_model_has_balances_or_says_why_not(layer: str) -> None:
    without = unbalanced_models(layer)
    assert {file.stem for file in (MODELS / layer).glob("*.sql")} == {
        *without,
        *(item.model for item in declared_balances(layer)),
    }
    assert [model for model, reason in without.items() if not reason] == []


def test_every_sum_of_money_is_in_a_balance() -> None:
    missing = [
        f"{model}.{name}"
        for layer in LAYERS
        for model in sorted({item.model for item in declared_balances(layer) if item.measures and not item.currency})
        for (declared,) in [read_mapping(MODELS / layer / f"{model}.yml")["models"]]
        for name in (column["name"] for column in declared["columns"])
        if name.endswith("_base") and name not in DERIVED
        if not any(f"({name})" in measure.left for item in of_model(model) for measure in item.measures)
    ]
    assert missing == []


def test_every_kpi_has_its_numerator_and_denominator_balanced() -> None:
    kpis = re.findall(
        r"{'id': '(\w+)'.*'is_rate': (true|false)}", (MODELS / "ads" / "ads_kpi.sql").read_text(encoding="utf-8")
    )
    wanted = {f"{kpi} {part}" for kpi, rate in kpis for part in ("numerator", *["denominator"] * (rate == "true"))}
    assert len(wanted) > 15
    assert {measure.name for item in of_model("ads_kpi") for measure in item.measures} == wanted


def test_every_declared_balance_can_be_drawn() -> None:
    assert all(len(layer_balances(layer, "CNY")) == len(declared_balances(layer)) > 0 for layer in LAYERS)


@pytest.fixture
def con() -> Iterator[duckdb.DuckDBPyConnection]:
    """Orders of two months, one of them a test order, and what a model makes of them."""
    with duckdb.connect() as opened:
        opened.execute(
            """
            create schema dws; create schema ads;
            create table dws.dws_order as from (values
                (date '2026-01-31', 10.00::decimal(18, 4), false), (date '2026-01-31', 5.50, true),
                (date '2026-02-01', 2.25, false)) as orders (business_date, amount, is_test);
            create table dws.dws_parcel (parcel_id varchar);
            create table ads.ads_kpi as from (values
                ('net', 'all', 12.25), ('net', '2026-01', 10.00), ('net', '2026-02', 2.26)) as kpi (kpi_id, period,
                numerator)
            """
        )
        yield opened


def drawn(
    con: duckdb.DuckDBPyConnection, monkeypatch: pytest.MonkeyPatch, balance: Balance
) -> list[tuple[str, str, Decimal, Decimal, dict[str, Decimal]]]:
    monkeypatch.setattr("onedata.quality.reconcile_layers.declared_balances", lambda _: (balance,))
    (query,) = layer_balances("ads", "EUR")
    return con.execute(f"select measure, unit, total_in, total_out, excluded from ({query}) order by all").fetchall()


KPI = Measure("net numerator", None, "sum(amount)", "max(numerator) filter (where kpi_id = 'net')")


def test_a_kpi_agrees_in_all_and_by_month(con: duckdb.DuckDBPyConnection, monkeypatch: pytest.MonkeyPatch) -> None:
    """15.50 + 2.25 = 17.75, of which the test order's 5.50 are left out; in February a cent is too much."""
    balance = Balance(
        "ads", "ads_kpi", "dws_order", measures=(KPI,), excluded=("test orders", "is_test"), day="business_date"
    )
    test = {"test orders": Decimal("5.5000")}
    assert drawn(con, monkeypatch, balance) == [
        ("net numerator, 2026-01", "EUR", Decimal("15.5000"), Decimal("10.0000"), test),
        ("net numerator, 2026-02", "EUR", Decimal("2.2500"), Decimal("2.2600"), {}),
        ("net numerator, all", "EUR", Decimal("17.7500"), Decimal("12.2500"), test),
    ]


def test_a_figure_that_is_not_available_is_excluded_only_while_what_it_needs_is_empty(
    con: duckdb.DuckDBPyConnection, monkeypatch: pytest.MonkeyPatch
) -> None:
    con.execute("update ads.ads_kpi set numerator = null")
    balance = Balance("ads", "ads_kpi", "dws_order", measures=(KPI,), needs="dws_parcel")
    total, none = Decimal("17.7500"), Decimal("0.0000")
    assert drawn(con, monkeypatch, balance) == [
        ("net numerator", "EUR", total, none, {"dws_parcel is empty, so that the figure is not available": total})
    ]
    con.execute("insert into dws.dws_parcel values ('p')")
    assert drawn(con, monkeypatch, balance) == [("net numerator", "EUR", total, none, {})]


def declared(monkeypatch: pytest.MonkeyPatch, folder: Path, text: str) -> tuple[Balance, ...]:
    """The balances of a model of ADS whose `config.meta` is `text`."""
    file = folder / "models" / "ads" / "ads_x.yml"
    file.parent.mkdir(parents=True)
    (folder / "balances").mkdir()
    (folder / "balances" / "orders.sql").write_text("select 'counted' as reason")
    file.write_text(f"models:\n  - name: ads_x\n    config:\n      meta:\n{indent(dedent(text), ' ' * 8)}")
    monkeypatch.setattr(balances, "shipped", lambda _: folder)
    return balances.declared_balances.__wrapped__("ads")


def test_a_balance_is_read_from_the_yaml(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    text = """
        balances:
          - from: dws_order
            rows: orders
            currency: currency
            measures:
              - {measure: n, unit: rows, in: count(*), out: count(*), left_out: sum(1), counted: is_counted}
              - {measure: net, given: sum(a), out: sum(b), left_out: sum(c), parts: {"spread, by line": sum(d)}}
          - from: dws_order
            relation: orders
            measures: [{measure: net, sum: net}, {measure: rows, unit: rows, in: count(*), out: sum(n)}]
          - from: dws_order
            day: business_date
            kpis: [{kpi: share, unit: orders, numerator: sum(a), denominator: sum(b)}]
    """
    placed, sums, kpis = declared(monkeypatch, tmp_path, text)
    assert placed == Balance(
        "ads",
        "ads_x",
        "dws_order",
        currency="currency",
        rows="select 'counted' as reason",
        placed=(
            Placed("n", "rows", "count(*)", "count(*)", "sum(1)", counted="is_counted"),
            Placed("net", None, "sum(a)", "sum(b)", "sum(c)", given=True, parts=(("spread, by line", "sum(d)"),)),
        ),
    )
    assert sums.relation == "select 'counted' as reason" and sums.rows is None
    assert sums.measures == (
        Measure("net", None, "sum(net)", "sum(net)"),
        Measure("rows", "rows", "count(*)", "sum(n)"),
    )
    assert kpis.day == "business_date"
    assert kpis.measures == (
        Measure("share numerator", "orders", "sum(a)", "max(numerator) filter (where kpi_id = 'share')"),
        Measure("share denominator", "orders", "sum(b)", "max(denominator) filter (where kpi_id = 'share')"),
    )


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("balances: [{from: dws_order}]", "needs from, and measures, or kpis and day"),
        ("balances: [{measures: [{measure: m, sum: m}]}]", "needs from, and measures"),
        ("balances: [{from: a, query: q}]", "query is not known"),
        ("balances: [{from: a, rows: orders, needs: b, measures: [{measure: m}]}]", "rows says what needs would say"),
        (
            "balances: [{from: a, rows: orders, measures: [{measure: m, in: sum(m), out: sum(n)}]}]",
            "a measure of rows needs measure, in or given, out and left_out",
        ),
        (
            "balances: [{from: a, rows: orders, measures: [{measure: m, in: a, given: b, out: c, left_out: d}]}]",
            "a measure of rows needs measure, in or given, out and left_out",
        ),
        (
            "balances: [{from: a, relation: nowhere, measures: [{measure: m, sum: m}]}]",
            "there is no balances/nowhere.sql; there is orders",
        ),
        ("balances: [{from: a, rows: nowhere, measures: []}]", "needs from, and measures"),
        ("balances: [{from: a, rows: nowhere, measures: [{measure: m}]}]", "there is no balances/nowhere.sql"),
        ("balances: [{from: a, kpis: [{kpi: m, numerator: n}]}]", "kpis and day"),
        ("balances: [{from: a, measure: [{measure: m, sum: m}]}]", "measure is not known"),
        (
            "balances: [{from: a, measures: [{measure: m, in: sum(m)}]}]",
            "a measure needs measure, and sum or in",
        ),
        ("balances: [{from: a, day: d, kpis: [{kpi: m}]}]", "a kpi needs kpi, and numerator or denominator"),
        ("balances: [{from: a, excluded: {why: x}, measures: [{measure: m, sum: m}]}]", "excluded: why is not known"),
    ],
)
def test_a_mistake_in_a_balance_is_told_with_file_and_model(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, text: str, told: str
) -> None:
    with pytest.raises(BalanceError, match=r"ads_x\.yml: model ads_x: balances: ") as found:
        declared(monkeypatch, tmp_path, text)
    assert told in str(found.value)


def test_every_sql_beside_the_models_is_named_by_one() -> None:
    text = "".join(file.read_text(encoding="utf-8") for layer in LAYERS for file in (MODELS / layer).glob("*.yml"))
    named = set(re.findall(r"^ +(?:rows|relation): (\w+)$", text, re.MULTILINE))
    assert named == {file.stem for file in (MODELS.parent / "balances").glob("*.sql")}


def test_money_of_several_currencies_is_never_added_up(
    con: duckdb.DuckDBPyConnection, monkeypatch: pytest.MonkeyPatch
) -> None:
    """10.00 and 7.00 EUR, 5.00 of no currency; of the yen no line counts, so that they are no balance."""
    con.execute(
        """
        create table dws.dws_line as from (values (10.00::decimal(18, 4), 'EUR', true), (7.00, 'eur', true),
            (5.00, null, true), (900.00, 'JPY', false)) as lines (amount, currency, is_counted);
        create table dws.dws_move as from (values (17.00::decimal(18, 4), 'EUR', 2), (4.99, null, 1))
            as moves (amount, currency, n)
        """
    )
    balance = Balance(
        "dws",
        "dws_move",
        "dws_line",
        measures=(
            Measure("rows", "rows", "count(*) filter (where is_counted)", "sum(n)"),
            Measure("net", None, "sum(amount) filter (where is_counted)", "sum(amount)"),
        ),
        currency="currency",
    )
    assert drawn(con, monkeypatch, balance) == [
        ("net", "EUR", Decimal(17), Decimal(17), {}),
        ("net", "XXX", Decimal(5), Decimal("4.99"), {}),
        ("rows", "rows", Decimal(3), Decimal(3), {}),
    ]


def test_a_row_counts_or_has_a_reason_and_one_without_is_a_difference(
    con: duckdb.DuckDBPyConnection, monkeypatch: pytest.MonkeyPatch
) -> None:
    """15.50 + 2.25: 5.50 of a test order are left out, 0.25 of the counted ones are a discount; February has no
    reason. A row that is not placed at all is missing too."""
    balance = Balance(
        "ads",
        "ads_kpi",
        "dws_order",
        rows="select *, case when is_test then 'test orders' when month(business_date) = 1 then 'counted' end "
        "as reason from dws.dws_order",
        placed=(
            Placed("rows", "rows", "count(*)", "count(*)", "count(*)"),
            Placed("all", "rows", "count(*)", "count(*)", "count(*)", counted="true"),
            Placed("given", None, "sum(amount)", "sum(amount - 0.25)", "sum(amount)", True, parts=(("cut", "0.25"),)),
        ),
    )
    excluded = {"cut": Decimal("0.25"), "test orders": Decimal("5.50")}
    assert drawn(con, monkeypatch, balance) == [
        ("all", "rows", Decimal(3), Decimal(3), {}),
        ("given", "EUR", Decimal("17.75"), Decimal("9.75"), excluded),
        ("rows", "rows", Decimal(3), Decimal(1), {"test orders": Decimal(1)}),
    ]


def test_a_figure_without_a_day_is_a_part_of_its_own(
    con: duckdb.DuckDBPyConnection, monkeypatch: pytest.MonkeyPatch
) -> None:
    con.execute(
        "insert into dws.dws_order values (null, 3.00, false); insert into ads.ads_kpi values ('net', null, 2.99)"
    )
    balance = Balance("ads", "ads_kpi", "dws_order", measures=(KPI,), day="business_date")
    assert drawn(con, monkeypatch, balance)[2:] == [
        ("net numerator, all", "EUR", Decimal("20.75"), Decimal("12.25"), {}),
        ("net numerator, no day", "EUR", Decimal(3), Decimal("2.99"), {}),
    ]


def test_a_balance_may_be_of_a_relation_instead_of_its_source(
    con: duckdb.DuckDBPyConnection, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Amounts in euro alone: the reporting currency stands in for its name."""
    relation = "select * from dws.dws_order where not is_test and '{{ reporting_currency() }}' = 'EUR'"
    balance = Balance("ads", "ads_kpi", "dws_order", relation=relation, measures=(KPI,))
    assert drawn(con, monkeypatch, balance) == [("net numerator", "EUR", Decimal("12.25"), Decimal("12.25"), {})]


def test_rows_with_a_currency_are_balanced_in_each(
    con: duckdb.DuckDBPyConnection, monkeypatch: pytest.MonkeyPatch
) -> None:
    con.execute(
        """
        create table dws.dws_line as from (values (10.00::decimal(18, 4), 'EUR', true), (7.00, 'eur', true),
            (5.00, null, true), (900.00, 'JPY', false)) as lines (amount, currency, is_counted)
        """
    )
    balance = Balance(
        "dws",
        "dws_move",
        "dws_line",
        rows="select *, if(is_counted, 'counted', 'left out') as reason from dws.dws_line",
        placed=(Placed("net", None, "sum(amount)", "sum(amount)", "sum(amount)", counted="is_counted"),),
        currency="currency",
    )
    assert drawn(con, monkeypatch, balance) == [
        ("net", "EUR", Decimal(17), Decimal(17), {}),
        ("net", "JPY", Decimal(900), Decimal(0), {"left out": Decimal(900)}),
        ("net", "XXX", Decimal(5), Decimal(5), {}),
    ]
