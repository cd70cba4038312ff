"""`onedata quarantine`: list quarantined rows, and release those that pass the current contract."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import duckdb
import typer

from onedata.cli.root import SettingsOption, reading, settings_from, writing
from onedata.errors import require_known
from onedata.landing.release import Selection
from onedata.masking import mask
from onedata.quality import summarise
from onedata.quality.release import Outcome
from onedata.quality.release import release as release_rows
from onedata.retailer import load_retailer, prepare_warehouse
from onedata.tables import text_table

quarantine_app = typer.Typer(
    name="quarantine", no_args_is_help=True, help="Quarantined rows: list, show, revalidate and release them."
)
FeedOption = Annotated[str, typer.Option("--feed", help="Only this feed.")]
RuleOption = Annotated[str, typer.Option("--rule", help="Only rows that break this rule.")]
FileOption = Annotated[str, typer.Option("--file", help="Only rows of this file (as `list` names it).")]
MOST_REASON = 90
FEEDS = "`onedata contracts` lists them"


@quarantine_app.command("list")
def list_rows(settings_file: SettingsOption = None, feed: FeedOption = "") -> None:
    """Count the rows in quarantine by feed, rule and file, the most first."""
    with _quarantine(settings_file, feed) as con:
        rows = con.execute(
            "select feed, rule, path, ds::varchar, count(*), min_by(reason, row) from ops.quarantine where ? in ('', "
            "feed) group by all order by 5 desc, 1, 2, 3",
            [feed],
        ).fetchall()
    rows = [(*row[:-1], mask(row[-1])[:MOST_REASON]) for row in rows]  # an older onedata kept the values in its reasons
    typer.echo(
        text_table(["feed", "rule", "file", "night", "rows", "first reason"], rows)
        if rows
        else "nothing is in quarantine"
    )


@quarantine_app.command()
def show(
    settings_file: SettingsOption = None,
    feed: FeedOption = "",
    rule: RuleOption = "",
    file: FileOption = "",
    limit: Annotated[int, typer.Option(min=1, help="How many rows.")] = 10,
) -> None:
    """Show quarantined rows: file, row, rule, reason and the raw record, which may hold raw identifiers."""
    with _quarantine(settings_file, feed) as con:
        rows = con.execute(
            "select feed, path, row, rule, reason, raw from ops.quarantine where ? in ('', feed) and ? in ('', rule) "
            "and ? in ('', path) order by feed, path, row limit ?",
            [feed, rule, file, limit],
        ).fetchall()
    for name, path, row, broken, reason, raw in rows:
        typer.echo(f"{name}  {path}  row {row}  rule {broken}\n  {reason}\n  {raw}\n")
    if not rows:
        typer.echo("no such row is in quarantine; `onedata quarantine list` shows what is")


@quarantine_app.command()
def release(
    settings_file: SettingsOption = None,
    feed: FeedOption = "",
    rule: RuleOption = "",
    file: FileOption = "",
) -> None:
    """Revalidate quarantined rows with the current contract, and release those that pass.

    Correct the contract first (a repair, a rule, a mapping). Rows that pass go through the contract gate into the lake;
    the next `onedata run` takes them on to DWD and the published night. Rows that are still invalid stay, with their
    current reason. Exit code 1 if a gate refuses.
    """
    retailer = load_retailer(settings_from(settings_file, None))
    require_known(feed, (item.name for item in retailer.feeds), "feed", FEEDS)
    feeds = [item for item in retailer.feeds if feed in ("", item.name)]
    with writing(retailer.settings) as con:
        prepare_warehouse(con, retailer)
        refused = False
        for item in feeds:  # report each feed before the next: its released rows are in the lake already
            outcome = release_rows(con, retailer.settings, item, retailer.policy, Selection(rule or None, file or None))
            _tell(item.name, outcome)
            refused = refused or outcome.is_refused
    if refused:
        raise typer.Exit(1)


@contextmanager
def _quarantine(settings_file: Path | None, feed: str) -> Iterator[duckdb.DuckDBPyConnection]:
    """The warehouse, read-only; refuses a feed that has no contract and no row in quarantine."""
    retailer = load_retailer(settings_from(settings_file, None))
    with reading(retailer.settings) as con:
        kept = con.execute("select distinct feed from ops.quarantine").fetchall()
        require_known(feed, [*(item.name for item in retailer.feeds), *(name for (name,) in kept)], "feed", FEEDS)
        yield con


def _tell(feed: str, outcome: Outcome) -> None:
    """Print the outcome of one feed's release."""
    found = outcome.found
    if found.unreadable:
        typer.echo(
            f"{feed}: {found.unreadable} records could not be parsed into fields, so they cannot be revalidated; "
            "reload their night: onedata run --ds NIGHT --replace"
        )
    if not found.tried:
        return
    if outcome.is_refused:
        typer.echo(f"{feed}: the gate is closed, nothing was released\n{summarise(list(outcome.results))}", err=True)
    elif not found.deliveries:
        typer.echo(f"{feed}: nothing was released, {found.still_bad} rows are still invalid")
    else:
        typer.echo(
            f"{feed}: {found.accepted} rows accepted, {found.duplicate} were duplicates, {found.still_bad} are "
            "still invalid"
        )
