"""The balances that the models of DWS and ADS declare: `config.meta.balances` in the YAML beside each model.

docs/reconciliation.md describes the form. A model without balances says why in `config.meta.no_balances`.
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

BY_HAND = {"from", "query"}
ENTRY = {"from", "relation", "measures", "excluded", "needs"}
OF_KPIS = ENTRY - {"measures"} | {"kpis", "day"}
MEASURE = {"measure", "unit", "in", "out", "sum"}
KPI = {"kpi", "unit", "numerator", "denominator"}


class BalanceError(OnedataError):
    """A model's YAML declares a balance that cannot be drawn; the message names file and model."""


@dataclass(frozen=True)
class Measure:
    """A total that must agree: `entered` is SQL over what the balance is from, `left` over the model; without a `unit`
    both are in the reporting currency."""

    name: str
    unit: str | None
    entered: str
    left: str


@dataclass(frozen=True)
class Balance:
    """One flow into a model.

    `query` names a query written in code; without it, `measures` of `relation` (named SQL in code, or the table
    `source`) and of the model agree, but for `excluded` rows: reason and condition. With a `day` of the source they
    agree in all and by month, as the model's column `period` has them. Where the table `needs` is empty, the model has
    no figure.
    """

    layer: str
    model: str
    source: str
    query: str | None = None
    relation: str | None = None
    measures: tuple[Measure, ...] = ()
    excluded: tuple[str, str] | None = None
    day: str | None = None
    needs: str | None = None

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
    _only(item, BY_HAND if "query" in item else OF_KPIS if "kpis" in item else ENTRY, place)
    told = [item.get(name) for name in ("query", "measures", "kpis") if item.get(name)]
    if not item.get("from") or len(told) != 1 or ("kpis" in item and not item.get("day")):
        raise BalanceError(f"{place}: needs from, and query, or measures, or kpis and day")
    excluded = item.get("excluded")
    if excluded:
        _only(excluded, {"reason", "where"}, f"{place}: excluded")
    measures = [_measure(measure, place) for measure in item.get("measures", [])]
    measures += [measure for kpi in item.get("kpis", []) for measure in _kpi(kpi, place)]
    return Balance(
        layer,
        model,
        str(item["from"]),
        item.get("query"),
        item.get("relation"),
        tuple(measures),
        (excluded["reason"], excluded["where"]) if excluded else None,
        item.get("day"),
        item.get("needs"),
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
