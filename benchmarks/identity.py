"""OneID benchmark: quality on simulated ground truth and labelled records, cost of components and of scoring.

``python benchmarks/identity.py`` runs four parts, each in its own process:

- ``quality``: retailers with 0, 0.5 and 2 % of the people on a shared phone are landed and resolved; the result is
  compared with the ground truth, and with an oracle that knows each identifier's owner (`identity_nights.py`,
  `identity_truth.py`);
- ``labelled``: febrl3, febrl4 and fake_1000, or your own records with ``--records``, matched by the scoring package
  (`identity_labelled.py`);
- ``graph``: text edges to components, compared with the minimum work of any method, and with Splink's clustering
  (`identity_graph.py`);
- ``scoring``: training and scoring on profiles (`identity_scoring.py`).

The last line printed is JSON; README.md explains each figure.
"""

import json
import subprocess
import sys
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean
from typing import Annotated, Any

import typer
from identity_graph import graph_costs
from identity_labelled import Labelled, given_records, labelled_quality, public_sets
from identity_measures import Measures
from identity_nights import quality
from identity_scoring import scoring_costs

from onedata.simulate import PROFILES
from onedata.tables import text_table

PARTS = ("quality", "labelled", "graph", "scoring")
HEADLINE = 0.005
SHARED_PHONES = (HEADLINE, 0.0, 0.02)
Line = dict[str, Any]


@dataclass(frozen=True)
class Options:
    """The sizes and options of every part."""

    customers: int
    days: int
    seed: int
    scale_profile: str
    nights: bool
    edges: int
    splink: bool
    profiles: int
    records: Path | None
    record_id: str
    truth: str
    columns: dict[str, str]


def main(
    only: Annotated[
        list[str] | None, typer.Option(help=f"Part to run; repeatable. One of: {', '.join(PARTS)}. Default: all.")
    ] = None,
    customers: Annotated[int, typer.Option(help="quality: number of customers of each simulated retailer.")] = 4_000,
    days: Annotated[int, typer.Option(help="quality: number of nights.")] = 30,
    seed: Annotated[int, typer.Option(help="quality: the same seed gives the same retailer.")] = 7,
    scale_profile: Annotated[
        str, typer.Option(help=f"quality: activity of the customers: {', '.join(PROFILES)}.")
    ] = "retail",
    nights: Annotated[
        bool,
        typer.Option(
            "--nights/--one-run",
            help="quality: night by night at 0.5 %, which measures the churn; or all nights in one run.",
        ),
    ] = True,
    records: Annotated[
        Path | None, typer.Option(help="labelled: your own records (.csv or .parquet), instead of the public sets.")
    ] = None,
    truth_column: Annotated[
        str, typer.Option(help="labelled: the column of --records with the true person. The matching never reads it.")
    ] = "cluster",
    id_column: Annotated[str, typer.Option(help="labelled: the column of --records with the record id.")] = "unique_id",
    column: Annotated[
        list[str] | None,
        typer.Option(
            help="labelled: meaning of a column of --records, as given_name=first_name; repeatable (family_name, "
            "email, ...)."
        ),
    ] = None,
    edges: Annotated[
        int, typer.Option(help="graph: number of edges. The targets are defined for 10000000.")
    ] = 1_000_000,
    splink: Annotated[
        bool,
        typer.Option(
            "--splink/--no-splink",
            help="graph: also cluster with Splink. At 10000000 edges it takes 10 GB and minutes.",
        ),
    ] = True,
    profiles: Annotated[
        int, typer.Option(help="scoring: number of profiles. The target is defined for 1000000.")
    ] = 100_000,
) -> None:
    """Measure the quality and cost of OneID. The last line printed is JSON.

    For example: --only quality --customers 20000 --days 10; --only graph --edges 10000000; --only labelled --records
    mine.csv --truth-column person --id-column id --column given_name=first_name --column email=mail.
    """
    parts = only or list(PARTS)
    unknown = [part for part in parts if part not in PARTS]
    if unknown:
        raise typer.BadParameter(f"{', '.join(unknown)}: the parts are {', '.join(PARTS)}", param_hint="--only")
    if records and not column:
        raise typer.BadParameter("--records needs --column, at least one", param_hint="--column")
    if len(parts) > 1:
        typer.echo(json.dumps({"benchmark": "identity"} | _each_in_its_process(parts)))
        return
    options = Options(
        customers,
        days,
        seed,
        scale_profile,
        nights,
        edges,
        splink,
        profiles,
        records,
        id_column,
        truth_column,
        _mapping(column or []),
    )
    run: dict[str, Callable[[Path, Options], Line]] = {
        "quality": _quality,
        "labelled": _labelled,
        "graph": _graph,
        "scoring": _scoring,
    }
    with tempfile.TemporaryDirectory(prefix="onedata-identity-") as folder:
        line = run[parts[0]](Path(folder), options)
    typer.echo(json.dumps({"benchmark": "identity"} | line))


def _each_in_its_process(parts: Sequence[str]) -> Line:
    """Run each part as a separate process, so that none pays for another's memory; merge their lines of JSON."""
    line: Line = {}
    given = [
        word
        for place, word in enumerate(sys.argv[1:], 1)
        if word != "--only" and sys.argv[place - 1] != "--only" and not word.startswith("--only=")
    ]
    for part in parts:
        with subprocess.Popen(
            [sys.executable, __file__, *given, "--only", part], stdout=subprocess.PIPE, text=True
        ) as process:
            assert process.stdout is not None
            last = ""
            for text in process.stdout:
                if last:
                    typer.echo(last, nl=False)
                last = text
        if process.returncode:
            raise SystemExit(f"{part} ended with {process.returncode}")
        line |= json.loads(last)
    return line


def _mapping(columns: Sequence[str]) -> dict[str, str]:
    pairs = [text.partition("=") for text in columns]
    wrong = [text for text, (name, _, source) in zip(columns, pairs, strict=True) if not (name and source)]
    if wrong:
        raise typer.BadParameter(f"{wrong[0]!r} is not given as given_name=first_name", param_hint="--column")
    return {name: source for name, _, source in pairs}


def _row(name: str, found: Measures) -> None:
    typer.echo(
        f"{name:<24}{found.records:>10,} records   pairs P {found.precision:.4f} R {found.recall:.4f} F1 "
        f"{found.f1:.4f}   B-cubed P {found.bcubed_precision:.4f} R {found.bcubed_recall:.4f} F1 {found.bcubed_f1:.4f} "
        f"  largest {found.largest_cluster}"
    )


def _quality(folder: Path, options: Options) -> Line:
    line: Line = {"customers": options.customers, "days": options.days}
    for share in SHARED_PHONES:
        suffix = "" if share == HEADLINE else f"_shared_{share * 100:g}pct"
        one_by_one = options.nights and share == HEADLINE
        found = quality(folder, options.customers, options.days, share, options.seed, options.scale_profile, one_by_one)
        _row(f"shared phones {share:.1%}", found.found)
        _row("  oracle", found.oracle)
        _row("  households of persons", found.households)
        typer.echo(
            f"  {found.identifiers:,} linked identifiers of {found.persons:,} persons, at most "
            f"{found.largest_in_identifiers} of one; {found.anonymous:,} rows show none; resolved in "
            f"{found.cost.cpu_s:.1f} CPU s"
        )
        line |= found.found.named(suffix) | found.oracle.named(f"_oracle{suffix}")
        line |= {
            f"household_precision{suffix}": round(found.households.precision, 5),
            f"household_recall{suffix}": round(found.households.recall, 5),
            f"largest_cluster{suffix}": found.largest_in_identifiers,
            f"largest_cluster_records{suffix}": found.found.largest_cluster,
            f"records{suffix}": found.found.records,
            f"resolve_cpu_s{suffix}": round(found.cost.cpu_s, 2),
        }
        if found.churn:
            typer.echo(f"  churn of the nights after the first: {', '.join(f'{share:.3%}' for share in found.churn)}")
            line |= {
                "churn": round(fmean(found.churn), 6),
                "churn_worst": round(max(found.churn), 6),
                "churn_last": round(found.churn[-1], 6),
            }
    return line


def _labelled(_: Path, options: Options) -> Line:
    line: Line = {}
    if options.records:
        try:
            sets: list[Labelled | str] = [
                given_records(options.records, options.record_id, options.truth, options.columns)
            ]
        except ValueError as error:
            raise SystemExit(str(error)) from None
    else:
        sets = list(public_sets())
    for records in sets:
        if isinstance(records, str):
            typer.echo(records)
            continue
        found = labelled_quality(records)
        _row(records.name, found)
        line |= {f"{records.name}_{name}": value for name, value in found.named().items()}
    return line


def _graph(folder: Path, options: Options) -> Line:
    found = graph_costs(folder, options.edges, options.splink)
    costs = {
        "floor": found.floor,
        "components": found.full,
        "one hundredth more": found.delta,
        "Splink's clustering": found.splink,
    }
    numbers = ("CPU s", "s", "MB")
    rows = [
        (name, f"{cost.cpu_s:.2f}", f"{cost.wall_s:.2f}", f"{cost.peak_mb:,.0f}")
        for name, cost in costs.items()
        if cost
    ]
    typer.echo(text_table(["", *numbers], rows, right=numbers))
    return {
        "edges": options.edges,
        "edge_identifiers": found.identifiers,
        "edge_components": found.components,
        "floor_cpu_s": round(found.floor.cpu_s, 2),
        "components_cpu_s": round(found.full.cpu_s, 2),
        "components_ratio_cpu": round(found.full.cpu_s / found.floor.cpu_s, 2),
        "components_peak_mb": round(found.full.peak_mb),
        "delta_cpu_s": round(found.delta.cpu_s, 3),
        "delta_times_cheaper": round(found.full.cpu_s / found.delta.cpu_s, 1),
        "splink_cpu_s": round(found.splink.cpu_s, 2) if found.splink else None,
        "splink_peak_mb": round(found.splink.peak_mb) if found.splink else None,
        "times_faster_than_splink": round(found.splink.cpu_s / found.full.cpu_s, 1) if found.splink else None,
    }


def _scoring(folder: Path, options: Options) -> Line:
    found = scoring_costs(folder, options.profiles)
    typer.echo(
        f"{options.profiles:,} profiles: {found.training.cpu_s:.1f} CPU s to train, {found.scoring.cpu_s:.1f} to score "
        f"{found.pairs:,} pairs worth keeping"
    )
    return {
        "profiles": options.profiles,
        "training_cpu_s": round(found.training.cpu_s, 2),
        "scoring_cpu_s": round(found.scoring.cpu_s, 2),
        "scoring_peak_mb": round(max(found.training.peak_mb, found.scoring.peak_mb)),
        "pairs_kept": found.pairs,
    }


if __name__ == "__main__":
    app = typer.Typer(pretty_exceptions_enable=False)
    app.command()(main)
    app()
