"""UCI Online Retail, 305 days of invoices of a real shop: the pipeline reproduces its published totals to the penny."""

from decimal import Decimal
from pathlib import Path

import pytest
from example_checks import by_month, copied, delivered_again, home_of, invoice_days
from support import Story, ask, differences, run_well, shared_data, story, unbalanced_files

PREFIX = 1
"""Nights that run one by one: the first begins every table, the run of the others finds them there."""
FEW = 6
"""Nights of the comparison of nights with a backfill."""


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return copied(shared_data("online_retail"), tmp_path_factory.mktemp("invoices") / "source", FEW)


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Story:
    """All 305 days in one run."""
    folder = tmp_path_factory.mktemp("whole")
    source = by_month(shared_data("online_retail"), folder / "source")
    settings = home_of("online_retail", source, folder)
    return story(settings, "whole", run_well(settings, invoice_days(source), each_night=False))


@pytest.fixture(scope="module")
def few(source: Path, tmp_path_factory: pytest.TempPathFactory) -> Story:
    """The first `FEW` nights in one run."""
    settings = home_of("online_retail", source, tmp_path_factory.mktemp("few"))
    return story(settings, "few", run_well(settings, invoice_days(source)[:FEW], each_night=False))


@pytest.fixture(scope="module")
def in_steps(source: Path, tmp_path_factory: pytest.TempPathFactory) -> Story:
    """The first of them one by one, then the others in one run."""
    settings = home_of("online_retail", source, tmp_path_factory.mktemp("steps"))
    days = invoice_days(source)[:FEW]
    run_well(settings, days[:PREFIX])
    return story(settings, "steps", run_well(settings, days[PREFIX:], each_night=False))


@pytest.fixture(scope="module")
def again(few: Story) -> Story:
    """The first day's file once more, after the last of the first nights."""
    days = invoice_days(few.settings.source)[:FEW]
    return delivered_again(few.settings, days[0], days[-1])


def test_all_rows_are_received_and_none_is_lost(whole: Story) -> None:
    assert ask(
        whole.warehouse, "select count(*), sum(received), sum(accepted), sum(quarantined), sum(duplicate) from ops.file"
    ) == [(13, 541_909, 541_909, 0, 0)]
    assert unbalanced_files(whole.warehouse) == []


def test_every_row_is_an_order_line(whole: Story) -> None:
    assert ask(whole.warehouse, "select count(*) from dwd.dwd_order_line") == [(541_909,)]


def test_every_invoice_is_kept(whole: Story) -> None:
    assert ask(whole.warehouse, "select count(distinct order_id) from dwd.dwd_order_line") == [(25_900,)]


def test_every_customer_is_kept(whole: Story) -> None:
    assert ask(whole.warehouse, "select count(distinct identity_key) from dwd.dwd_order_line") == [(4_372,)]


def test_sales_without_a_customer_are_kept(whole: Story) -> None:
    assert ask(whole.warehouse, "select count(*) from dwd.dwd_order_line where identity_key is null") == [(135_080,)]


def test_cancellations_are_returns(whole: Story) -> None:
    assert ask(
        whole.warehouse,
        "select count(*), bool_and(order_id like 'C%') from dwd.dwd_order_line where line_type = 'return'",
    ) == [(9_288, True)]


def test_lines_that_repeat_in_an_invoice_are_separate_sales(whole: Story) -> None:
    repeats = (
        "select count(*) - count(distinct (order_id, product_id, product_name, quantity, sold_at, unit_price, "
        "identity_key, country)) from dwd.dwd_order_line"
    )
    assert ask(whole.warehouse, repeats) == [(5_268,)]


def test_the_gross_of_the_lines_is_exact(whole: Story) -> None:
    assert _pence(ask(whole.warehouse, "select sum(gross_amount) from dwd.dwd_order_line")[0][0]) == Decimal(
        "9747747.93"
    )


def test_the_published_money_is_exact(whole: Story) -> None:
    assert _pence(ask(whole.published, "select sum(net_revenue_base) from ads_channel_day")[0][0]) == Decimal(
        "9747747.93"
    )


def test_the_published_metric_is_exact(whole: Story) -> None:
    assert _pence(
        ask(whole.published, "select value from ads_kpi where kpi_id = 'net_revenue' and period = 'all'")[0][0]
    ) == Decimal("9747747.93")


def test_every_customer_is_published_once(whole: Story) -> None:
    assert ask(whole.published, "select count(*), count(distinct oneid) from ads_customer_360 where is_known") == [
        (4_372, 4_372)
    ]


def test_nights_and_a_backfill_end_in_the_same_tables(few: Story, in_steps: Story) -> None:
    assert differences(few.warehouse, in_steps.warehouse) == {}


def test_nights_and_a_backfill_give_the_same_one_ids(few: Story, in_steps: Story) -> None:
    question = "select identity_key, oneid from oneid.oneid_map where valid_to is null order by all"
    assert ask(few.warehouse, question) == ask(in_steps.warehouse, question)


def test_a_day_delivered_again_under_another_name_adds_nothing(few: Story, again: Story) -> None:
    assert differences(few.warehouse, again.warehouse) == {}


def test_a_day_delivered_again_is_counted_as_duplicates(again: Story) -> None:
    assert ask(
        again.warehouse,
        "select count(*), bool_and(received = duplicate and accepted = 0) from ops.file where status = 'repeated'",
    ) == [(1, True)]


def test_the_money_is_carried_from_step_to_step_to_the_last_digit(whole: Story) -> None:
    steps = ask(
        whole.published,
        "select distinct layer, total_in, total_out from ops_reconciliation where unit = 'GBP' "
        "and (measure = 'net_amount' and layer in ('dwd', 'dws') "
        "or measure = 'net_revenue_base' and subject in ('dws_order -> dws_channel_day', 'dws_channel_day -> "
        "ads_channel_day'))",
    )
    assert {layer for layer, *_ in steps} == {"dwd", "dws", "ads"}
    assert {amount for _, *amounts in steps for amount in amounts} == {Decimal("9747747.934")}


def test_every_balance_closes(whole: Story) -> None:
    assert ask(whole.published, "select count(*) from ops_reconciliation where difference <> 0") == [(0,)]


def _pence(amount: object) -> Decimal:
    return Decimal(str(amount)).quantize(Decimal("0.01"))
