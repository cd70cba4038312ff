"""The balances that the models of DWS and ADS declare: `config.meta.balances` in the YAML beside each model.

docs/reconciliation.md describes the form. A model without balances says why in `config.meta.no_balances`. What no sum
over a table says is SQL in a file of `dbt_project/balances`, which the declaration names.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from onedata.contracts.strict_yaml import read_mapping
from onedata.errors import OnedataError
from onedata.shipped import shipped
from onedata.sql import quote_text

SQL = "balances"
"""The folder of the dbt project with the SQL that a declaration names, beside the models."""
ENTRY = {"from", "relation", "rows", "currency", "measures", "excluded", "needs"}
OF_KPIS = {"from", "relation", "kpis", "day", "excluded", "needs"}
MEASURE = {"measure", "unit", "in", "out", "sum"}
PLACED = {"measure", "unit", "in", "given", "out", "left_out", "counted", "parts"}
KPI = {"kpi", "unit", "numerator", "denominator"}
COUNTED = "reason = 'counted'"


class BalanceError(OnedataError):
    """A model's YAML declares a balance that cannot be drawn; the message names file and model."""


@dataclass(frozen=True)
class Measure:
    """A total that must agree: `entered` is SQL over what the balance is from, `left` over the model; without a `unit`
    both are money."""

    name: str
    unit: str | None
    entered: str
    left: str


@dataclass(frozen=True)
class Placed:
    """A total over rows that each have a reason: `left` is SQL over the rows that `counted` keeps, `left_out` over the
    others, by reason, and `parts` are what of the counted rows the model leaves out, by reason. `entered` is SQL over
    what the balance is from or, if it is `given`, over the rows."""

    name: str
    unit: str | None
    entered: str
    left: str
    left_out: str
    given: bool = False
    counted: str = COUNTED
    parts: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True)
class Balance:
    """One flow into a model.

    `measures` of `relation` (SQL, or the table `source`) and of the model agree, but for `excluded` rows: reason and
    condition. With `rows`, SQL of the source's rows as the model places them, each with its `reason`, `placed` are the
    totals that agree. Money is in the reporting currency or, with a `currency`, in that of this column. With a `day` of
    the source they agree in all and by month, as the model's column `period` has them. Where the table `needs` is
    empty, the model has no figure.
    """

    layer: str
    model: str
    source: str
    relation: str | None = None
    measures: tuple[Measure, ...] = ()
    excluded: tuple[str, str] | None = None
    day: str | None = None
    needs: str | None = None
    currency: str | None = None
    rows: str | None = None
    placed: tuple[Placed, ...] = ()

    @property
    def table(self) -> str:
        return relation_of(self.model)


def relation_of(model: str) -> str:
    """Schema and name of a model: the layer is the first part of its name."""
    return f"{model.partition('_')[0]}.{model}"


@cache
def declared_balances(layer: str) -> tuple[Balance, ...]:
    """The balances of every model of `layer` (dws, ads), by model, in the order of its YAML.

    Raises:
        BalanceError: a balance is not as docs/reconciliation.md describes it.
    """
    return tuple(
        _balance(layer, name, item, file) for name, meta, file in _models(layer) for item in meta.get("balances") or []
    )


def unbalanced_models(layer: str) -> dict[str, str]:
    """The models of `layer` that declare no balance, each with the reason it states; empty where it states none."""
    return {
        name: str(meta.get("no_balances") or "").strip() for name, meta, _ in _models(layer) if not meta.get("balances")
    }


def _models(layer: str) -> Iterator[tuple[str, Mapping[str, Any], Path]]:
    for file in sorted((shipped("dbt_project") / "models" / layer).glob("*.yml")):
        for model in read_mapping(file)["models"]:
            yield model["name"], model["config"]["meta"], file


def _balance(layer: str, model: str, item: Mapping[str, Any], file: Path) -> Balance:
    place = f"{file}: model {model}: balances"
    _only(item, OF_KPIS if "kpis" in item else ENTRY, place)
    told = [item.get(name) for name in ("measures", "kpis") if item.get(name)]
    if not item.get("from") or len(told) != 1 or ("kpis" in item and not item.get("day")):
        raise BalanceError(f"{place}: needs from, and measures, or kpis and day")
    unused = sorted({"relation", "excluded", "needs"} & item.keys()) if "rows" in item else []
    if unused:
        raise BalanceError(f"{place}: rows says what {', '.join(unused)} would say")
    excluded = item.get("excluded")
    if excluded:
        _only(excluded, {"reason", "where"}, f"{place}: excluded")
    totals = item.get("measures", [])
    measures = [] if "rows" in item else [_measure(measure, place) for measure in totals]
    measures += [measure for kpi in item.get("kpis", []) for measure in _kpi(kpi, place)]
    return Balance(
        layer,
        model,
        str(item["from"]),
        _sql(item.get("relation"), place),
        tuple(measures),
        (excluded["reason"], excluded["where"]) if excluded else None,
        item.get("day"),
        item.get("needs"),
        item.get("currency"),
        _sql(item.get("rows"), place),
        tuple(_placed(measure, place) for measure in totals) if "rows" in item else (),
    )


def _sql(name: str | None, place: str) -> str | None:
    """The text of the SQL that a declaration names."""
    if name is None:
        return None
    known = {file.stem: file for file in sorted((shipped("dbt_project") / SQL).glob("*.sql"))}
    if name not in known:
        raise BalanceError(f"{place}: there is no {SQL}/{name}.sql; there is {', '.join(known) or 'none'}")
    return known[name].read_text(encoding="utf-8")


def _placed(item: Mapping[str, Any], place: str) -> Placed:
    _only(item, PLACED, f"{place}: measure")
    if not {"measure", "out", "left_out"} <= item.keys() or len({"in", "given"} & item.keys()) != 1:
        raise BalanceError(f"{place}: a measure of rows needs measure, in or given, out and left_out: {dict(item)}")
    return Placed(
        item["measure"],
        item.get("unit"),
        item.get("in") or item["given"],
        item["out"],
        item["left_out"],
        "given" in item,
        item.get("counted", COUNTED),
        tuple(item.get("parts", {}).items()),
    )


def _measure(item: Mapping[str, Any], place: str) -> Measure:
    _only(item, MEASURE, f"{place}: measure")
    if "sum" in item:
        return Measure(item["measure"], item.get("unit"), f"sum({item['sum']})", f"sum({item['sum']})")
    if not {"measure", "in", "out"} <= item.keys():
        raise BalanceError(f"{place}: a measure needs measure, and sum or in and out: {dict(item)}")
    return Measure(item["measure"], item.get("unit"), item["in"], item["out"])


def _kpi(item: Mapping[str, Any], place: str) -> list[Measure]:
    """Numerator and denominator of a KPI, which are columns of the model; what is not named is not compared."""
    _only(item, KPI, f"{place}: kpi")
    parts = [part for part in ("numerator", "denominator") if part in item]
    if "kpi" not in item or not parts:
        raise BalanceError(f"{place}: a kpi needs kpi, and numerator or denominator: {dict(item)}")
    return [
        Measure(
            f"{item['kpi']} {part}",
            item.get("unit"),
            item[part],
            f"max({part}) filter (where kpi_id = {quote_text(item['kpi'])})",
        )
        for part in parts
    ]


def _only(item: Mapping[str, Any], known: set[str], place: str) -> None:
    unknown = sorted(item.keys() - known)
    if unknown:
        raise BalanceError(f"{place}: {', '.join(unknown)} is not known; known are {', '.join(sorted(known))}")
