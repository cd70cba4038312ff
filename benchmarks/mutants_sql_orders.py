"""The orders of tests/nights that are worked out by hand, as judges of a mutant: the models between DWD and the
movements of orders are built again, with the mutant in them, on the warehouses of those tests."""

import os
import shutil
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from decimal import Decimal
from graphlib import TopologicalSorter
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import Any

import duckdb
from checkout import REPOSITORY
from dbt.cli.main import dbtRunner
from mutants_sql_sites import changed, holds, unmarked

TESTS = (
    "test_nights_money",
    "test_nights_money_given_back",
    "test_nights_money_owed",
    "test_nights_money_taken_off",
    "test_nights_money_variations",
    "test_nights_large_amounts",
)
OUTPUT = "dws_order_movement"
MONEY = ("net_revenue_base", "net_amount_base", "tax_amount_base")
BY_DAY = (
    f"select order_id, business_date::varchar, {', '.join(f'sum({name})' for name in MONEY)} from dws.{OUTPUT} "
    "where source_system = 'shop' and is_counted group by all"
)

Found = dict[str, dict[str, list[Decimal]]]


class HandWorkedOrders:
    """The warehouses of the tests' nights, and the marked SQL of the models between DWD and `OUTPUT`.

    Args:
        folder: Where the nights run; some hundred megabytes.
        copy: The dbt project with the marked texts.
        silent: Arguments that keep dbt quiet.

    Raises:
        RuntimeError: dbt cannot compile the project, or an order is not as worked out with nothing changed.
    """

    def __init__(self, folder: Path, copy: Path, silent: Sequence[str]) -> None:
        sys.path[:0] = [str(REPOSITORY / "tests"), str(REPOSITORY / "tests" / "nights")]
        self._stories: list[tuple[duckdb.DuckDBPyConnection, Callable[[Found], bool]]] = []
        self._models: dict[str, tuple[str, str]] = {}
        for name in TESTS:
            tests = import_module(name)
            told = tests.shop._get_wrapped_function()(_Folders(folder / name))
            self._models = self._models or _compiled(told.settings.environment(), copy, silent)
            # dbt keeps the warehouse open; the SQL names the database after its file.
            file = folder / name / "copy" / told.settings.warehouse.name
            file.parent.mkdir()
            shutil.copy(told.settings.warehouse, file)
            con = duckdb.connect(str(file), config={"threads": 1})
            self._stories.append((con, _expectation(tests)))
        if self._differ(list(self._models), unmarked):
            raise RuntimeError("an order of the tests is not as worked out, with nothing changed")

    def see(self, place: int, becomes: str) -> bool:
        """Whether an order has other money than it should have.

        Raises:
            duckdb.Error: the SQL cannot be run.
        """
        touched: set[str] = set()
        for name, (sql, _) in self._models.items():
            if holds(sql, place) or touched.intersection(self._parents[name]):
                touched.add(name)
        names = [name for name in self._models if name in touched]
        return self._differ(names, lambda sql: changed(sql, place, becomes))

    @property
    def _parents(self) -> Mapping[str, Sequence[str]]:
        return {name: parents.split() for name, (_, parents) in self._models.items()}

    def _differ(self, names: Sequence[str], write: Callable[[str], str]) -> bool:
        return bool(names) and any(self._differs(con, is_right, names, write) for con, is_right in self._stories)

    def _differs(
        self,
        con: duckdb.DuckDBPyConnection,
        is_right: Callable[[Found], bool],
        names: Sequence[str],
        write: Callable[[str], str],
    ) -> bool:
        con.execute("begin")
        try:
            for name in names:
                con.execute(f"create or replace table dws.{name} as {write(self._models[name][0])}")
            found: Found = {}
            for order, day, *amounts in con.execute(BY_DAY).fetchall():
                if any(amounts):
                    found.setdefault(order, {})[day] = amounts
            return not is_right(found)
        finally:
            con.execute("rollback")


class _Folders:
    """What the tests' fixtures use of pytest's tmp_path_factory."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def mktemp(self, name: str) -> Path:
        made = self._folder / name
        made.mkdir(parents=True)
        return made


def _compiled(environment: Mapping[str, str], copy: Path, silent: Sequence[str]) -> dict[str, tuple[str, str]]:
    """The marked SQL and the parents, separated by blanks, of each model of DWS that `OUTPUT` is made of; parents come
    first."""
    os.environ |= dict(environment) | {"DBT_PROJECT_DIR": str(copy), "DBT_PROFILES_DIR": str(copy)}
    outcome = dbtRunner().invoke([*silent, "compile", "--select", f"+{OUTPUT},path:models/dws"])
    if not outcome.success:
        raise RuntimeError(f"dbt compile failed: {outcome.exception or outcome.result}")
    results: Any = outcome.result
    nodes = {item.node.name: item.node for item in results.results if item.node.resource_type == "model"}
    parents = {
        name: [full.split(".")[-1] for full in node.depends_on.nodes if full.split(".")[-1] in nodes]
        for name, node in nodes.items()
    }
    return {
        name: (nodes[name].compiled_code, " ".join(parents[name])) for name in TopologicalSorter(parents).static_order()
    }


def _expectation(tests: ModuleType) -> Callable[[Found], bool]:
    """Whether found money by order and day is what a module of tests says."""
    if isinstance(tests.CASES, dict):
        right = {str(number): tests.expected(case) for number, case in tests.CASES.items()}
        return lambda found: all(found.get(number, {}) == days for number, days in right.items())
    totals = {str(number): case[2] for number, case in enumerate(tests.CASES, 10)}

    def is_right(found: Found) -> bool:
        return all(
            told is None or Decimal(told) == amount
            for number, amounts in totals.items()
            for told, amount in zip(amounts, _sums(found.get(number, {}).values()), strict=True)
        )

    return is_right


def _sums(days: Any) -> Iterator[Decimal]:
    listed = list(days)
    yield from (sum((day[place] for day in listed), Decimal(0)) for place in range(len(MONEY)))
