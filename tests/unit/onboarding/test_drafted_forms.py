"""What a draft makes of a later night: values of the sample's form land right, values of another form not at all."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest
import yaml
from small_retailer import SmallRetailer, custom, settings_in

from onedata.onboarding import new_feed
from onedata.onboarding.new_feed import scaffold

LINE = {
    "order_id": "o1",
    "line_id": "1",
    "line_type": "sale",
    "channel": "store",
    "currency": "EUR",
    "product_id": "p1",
    "quantity": "1",
    "unit_price": "9.99",
    "business_date": "2026-01-05",
    "sold_at": "2026-01-05T10:00:00Z",
}
PRODUCT = {"product_id": "p1", "product_name": "Chair", "category": "chairs", "updated_at": "2026-01-05T10:00:00Z"}
CUSTOMER = {"customer_id": "c1", "email": "a@b.example", "updated_at": "2026-01-05T10:00:00Z"}
SHIPMENT = {"shipment_id": "s1", "order_id": "o1", "shipped_at": "2026-01-05T10:00:00Z"}
BASES = {"order_line": LINE, "product": PRODUCT, "customer": CUSTOMER, "shipment": SHIPMENT}


def csv(entity: str, header: str, values: Sequence[str], more: Mapping[str, str]) -> str:
    base = BASES[entity]
    rows = [base | more | {next(iter(base)): f"k{number}", header: value} for number, value in enumerate(values)]
    return "\n".join(";".join(texts) for texts in (rows[0], *(row.values() for row in rows))) + "\n"


def drafted(folder: Path, entity: str, content: str) -> str:
    """The contract that is drafted from a sample."""
    file = settings_in(folder / "draft").source / "app" / "file_2026-01-04.csv"
    file.parent.mkdir(parents=True)
    file.write_text(content, encoding="utf-8")
    made = scaffold(settings_in(folder / "draft"), file, "app_file", entity, None, None).file
    return made.read_text(encoding="utf-8")


def landed(
    retail: Callable[..., SmallRetailer],
    folder: Path,
    place: tuple[str, str, str],
    sample: Sequence[str],
    later: Sequence[str],
    more: Mapping[str, str] | None = None,
    timezone: str = "UTC",
) -> dict[str, str | None]:
    """Draft a contract from a sample and land the later values by it.

    Args:
        place: The entity, its column, and the header that holds the values.
        more: Other fields of each row, whose values tell the habits of the file.
    """
    entity, column, header = place
    text = drafted(folder, entity, csv(entity, header, sample, more or {}))
    draft: dict[str, Any] = yaml.safe_load(text) | {"status": "active"}
    feed = draft["schema"][0]
    kept = [item for item in feed["customProperties"] if item["property"] != "timezone"]
    feed["customProperties"] = [*kept, *custom({"timezone": timezone, "quarantineTolerance": 1.0})]
    world = retail(draft)
    world.put("app/file_2026-01-05.csv", csv(entity, header, later, more or {}))
    assert world.take().landed.received == len(later)
    key = next(iter(BASES[entity]))
    good = dict(world.rows(f"{key}, {column}::varchar"))
    return {value: good.get(f"k{number}") for number, value in enumerate(later)}


PRICE = ("order_line", "unit_price", "unit_price")
QUANTITY = ("order_line", "quantity", "quantity")
DAY = ("order_line", "business_date", "business_date")
TIME = ("order_line", "sold_at", "sold_at")
WEIGHT = ("product", "weight_g", "Weight (kg)")
COST = ("shipment", "cost", "Cost (cents)")
BORN = ("customer", "birth_year", "birth_date")


@pytest.mark.parametrize(
    ("place", "sample", "later"),
    [
        pytest.param(
            PRICE,
            ["10,50", "9,99"],
            {
                "10,50": "10.5000",
                "7": "7.0000",
                "1.234,50": "1234.5000",
                **dict.fromkeys(("10.50", "0.500", "10.500", "1.23,4", "1,234,5", "1.2.3", "x")),
            },
            id="decimal comma",
        ),
        pytest.param(
            PRICE,
            ["1.234,50", "2.500"],
            {"1.234": "1234.0000", "0,5": "0.5000", **dict.fromkeys(("10.50", "0.500", "1.2345", "1,234.50"))},
            id="decimal comma and groups",
        ),
        pytest.param(
            PRICE,
            ["1,204.50", "9.99"],
            {"1,204": "1204.0000", "9.5": "9.5000", **dict.fromkeys(("10,50", "1,2,3", "1.204,50", "0,500"))},
            id="groups by commas",
        ),
        pytest.param(
            PRICE,
            ["12,90 €", "9,99 €"],
            {
                "12,90 €": "12.9000",
                "€12,90": "12.9000",
                "1.200,00 €": "1200.0000",
                **dict.fromkeys(("12.90 €", "9€99", "1€2,90", "$12,90", "12,90 € - 13,00 €")),
            },
            id="currency behind",
        ),
        pytest.param(
            PRICE,
            ["$9.99", "$12.00"],
            {"$1,204.50": "1204.5000", "$12": "12.0000", **dict.fromkeys(("$12,90", "$1,204", "9$99", "€9.99"))},
            id="currency in front",
        ),
        pytest.param(
            WEIGHT, ["0.85", "2"], {"0.5": "500", **dict.fromkeys(("0,5", "1_000", "0x1F", "1.2.3"))}, id="a unit"
        ),
        pytest.param(
            COST, ["410", "85"], {"99": "0.9900", **dict.fromkeys(("1_000", "4,10", "410.123", "inf"))}, id="cents"
        ),
        pytest.param(
            BORN,
            ["05/03/1985", "31/12/1990"],
            {"01/02/1999": "1999", **dict.fromkeys(("01021999", "1/2/99", "x1999", "1999-02-01"))},
            id="a year at the end",
        ),
        pytest.param(
            BORN,
            ["1985-03-05", "1990-12-31"],
            {"1999-02-01": "1999", **dict.fromkeys(("19990201", "1999 or 2000", "19999"))},
            id="a year in front",
        ),
        pytest.param(
            DAY,
            ["20260105", "20251231"],
            {"20260104": "2026-01-04", **dict.fromkeys(("2026111", "202601041", "260104"))},
            id="a packed day",
        ),
        pytest.param(
            DAY,
            ["05.01.2026", "31.12.2025"],
            {"04.01.2026": "2026-01-04", "4.1.2026": "2026-01-04", **dict.fromkeys(("04.01.26", "32.01.2026"))},
            id="day first",
        ),
        pytest.param(
            DAY,
            ["31/12/25", "13/12/99"],
            {"04/01/26": "2026-01-04", **dict.fromkeys(("04/01/2026", "1/2/3", "01/13/26"))},
            id="a short year",
        ),
        pytest.param(
            TIME,
            ["20260105103012", "20260105113012"],
            {"20260104103012": "2026-01-04 10:30:12", **dict.fromkeys(("2026010410301", "20260104103"))},
            id="a packed time",
        ),
        pytest.param(
            TIME,
            ["31.12.2025 10:30", "05.01.2026 9:05"],
            {"04.01.2026 10:30": "2026-01-04 10:30:00", **dict.fromkeys(("04.01.2026 1:3", "04.01.26 10:30"))},
            id="a time",
        ),
    ],
)
def test_a_value_lands_in_the_samples_form_and_in_no_other(
    retail: Callable[..., SmallRetailer],
    tmp_path: Path,
    place: tuple[str, str, str],
    sample: list[str],
    later: dict[str, str | None],
) -> None:
    assert landed(retail, tmp_path, place, sample, list(later)) == later


def test_whole_numbers_of_a_file_with_decimal_commas_are_no_fractions_later(
    retail: Callable[..., SmallRetailer], tmp_path: Path
) -> None:
    found = landed(retail, tmp_path, QUANTITY, ["1", "20"], ["3", "1,5", "1.234", "1.5"], {"unit_price": "9,99"})
    assert found == {"3": "3.0000", "1,5": "1.5000", "1.234": None, "1.5": None}


@pytest.mark.parametrize(
    ("sample", "later"),
    [
        (["1767571200", "1767607200"], {"1767607200": "2026-01-05 10:00:00", "1767607200000": None, "176760": None}),
        (["1767571200000"], {"1767607200500": "2026-01-05 10:00:00.5", "1767607200": None}),
        (["1767571200000000"], {"1767607200000001": "2026-01-05 10:00:00.000001", "1767607200000": None}),
    ],
)
@pytest.mark.parametrize("timezone", ["UTC", "Asia/Shanghai"])
def test_a_count_since_1970_is_an_instant_in_utc_in_every_zone(
    retail: Callable[..., SmallRetailer], tmp_path: Path, sample: list[str], later: dict[str, str | None], timezone: str
) -> None:
    more = {**later, "2026-01-05 10:00:00": None}
    assert landed(retail, tmp_path, TIME, sample, list(more), timezone=timezone) == more


@pytest.mark.parametrize(
    ("sample", "later"),
    [
        (
            ["2026-01-05 10:00:00", "2026-01-04 11:00"],
            {
                "2026-01-03 23:59": "2026-01-03",
                **dict.fromkeys(
                    ("2026-01-05 - 2026-01-09", "2026-01-051", "2026-01-05T23:00:00Z", "2026-01-05 10:00 or so")
                ),
            },
        ),
        (
            ["2026-01-05T10:00:00+08:00"],
            {"2026-01-04T10:00+0800": "2026-01-04", **dict.fromkeys(("2026-01-05T10:00:00Z", "2026-01-05 10:00:00"))},
        ),
    ],
)
def test_the_day_of_a_time_is_read_of_the_samples_form_alone(
    retail: Callable[..., SmallRetailer], tmp_path: Path, sample: list[str], later: dict[str, str | None]
) -> None:
    assert landed(retail, tmp_path, DAY, sample, list(later), {"sold_at": "2026-01-05T10:00:00Z"}) == later


@pytest.mark.parametrize("value", ["1767607200", "2026-01-05T10:00:00Z"])
def test_the_day_of_an_instant_in_utc_is_marked_as_a_guess(tmp_path: Path, value: str) -> None:
    text = drafted(tmp_path, "order_line", csv("order_line", "business_date", [value], {}))
    (line,) = [line for line in text.splitlines() if "- {name: business_date" in line]
    assert line.endswith("# a guess: the day in UTC, which may not be the local one")


def test_a_count_since_1970_tells_a_time_and_no_day_alone(tmp_path: Path) -> None:
    text = drafted(tmp_path, "order_line", csv("order_line", "sold_at", ["1767607200"], {}))
    assert "without a time" not in text
    assert "without an offset" not in text


def test_the_example_of_a_new_retailer_tells_the_local_day_of_an_instant(retail: Callable[..., SmallRetailer]) -> None:
    file = Path(new_feed.__file__).parent / "retailer" / "contracts" / "shop_sales.odcs.yaml"
    world = retail(yaml.safe_load(file.read_text(encoding="utf-8")))
    header = "order_id,line,quantity,sku,product,price,currency,customer,sold_at\n"
    rows = "o1,1,1,p1,Chair,9.99,EUR,c1,2026-01-04T23:30:00Z\no2,1,1,p1,Chair,9.99,EUR,c1,2026-01-05 00:30:00\n"
    world.put("sales/sales_2026-01-05.csv", header + rows)
    world.take()
    assert world.rows("business_date::varchar") == [("2026-01-05",)] * 2
