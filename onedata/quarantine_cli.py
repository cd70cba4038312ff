"""`onedata quarantine`: look at the rows that were not accepted, and let those in that are good by the contract as it
is now."""

from datetime import UTC, datetime
from typing import Annotated

import duckdb
import typer

from onedata.cli import SettingsOption, fail, reading, settings_from, writing
from onedata.contracts import Feed
from onedata.landing.release import Selection, stage_release
from onedata.ledger.promote import promote
from onedata.masking import mask
from onedata.quality import record, summarise
from onedata.quality.gx import Gatekeeper
from onedata.quality.stages import contract_gate
from onedata.report import table
from onedata.retailer import Retailer, load_retailer, prepare_warehouse

quarantine_app = typer.Typer(
    name="quarantine", no_args_is_help=True, help="Rows that were not accepted: look, mend the contract, release."
)
FeedOption = Annotated[str, typer.Option("--feed", help="Only this feed.")]
RuleOption = Annotated[str, typer.Option("--rule", help="Only rows that break this rule.")]
FileOption = Annotated[str, typer.Option("--file", help="Only rows of this file (as `list` names it).")]
MOST_REASON = 90


@quarantine_app.command("list")
def list_rows(settings_file: SettingsOption = None, feed: FeedOption = "") -> None:
    """What is in quarantine, counted by feed, rule and file, the most first."""
    with reading(settings_from(settings_file, None)) as con:
        rows = con.execute(
            "select feed, rule, path, ds::varchar, count(*), min_by(reason, row) from ops.quarantine where ? in ('', "
            "feed) group by all order by 5 desc, 1, 2, 3",
            [feed],
        ).fetchall()
    rows = [(*row[:-1], mask(row[-1])[:MOST_REASON]) for row in rows]  # an older onedata kept the values in its reasons
    typer.echo(
        table(["feed", "rule", "file", "night", "rows", "first reason"], rows) if rows else "nothing is in quarantine"
    )


@quarantine_app.command()
def show(
    settings_file: SettingsOption = None,
    feed: FeedOption = "",
    rule: RuleOption = "",
    file: FileOption = "",
    limit: Annotated[int, typer.Option(help="How many rows.")] = 10,
) -> None:
    """Rows in quarantine, whole: file, row, rule, reason and the raw record, which may hold raw identifiers."""
    with reading(settings_from(settings_file, None)) as con:
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
    """Read quarantined rows again by the contract as it is now, and let those in that are good.

    Mend the contract first (a repair, a rule, a mapping), then release. What is good goes through the contract gate
    into the lake; the next `onedata run` takes it on to DWD and the published night. What is still bad stays, with its
    reason of today. Exit code 1 where a gate refuses.
    """
    retailer = load_retailer(settings_from(settings_file, None))
    feeds = [item for item in retailer.feeds if feed in ("", item.name)]
    if not feeds:
        fail(f"there is no feed {feed!r}; `onedata contracts` lists them")
    with writing(retailer.settings) as con:
        prepare_warehouse(con, retailer)
        refused = [
            item.name for item in feeds if not _release(con, retailer, item, Selection(rule or None, file or None))
        ]
    if refused:
        raise typer.Exit(1)


def _release(con: duckdb.DuckDBPyConnection, retailer: Retailer, feed: Feed, selection: Selection) -> bool:
    """Release one feed's rows and say what came of it; False where its gate refused them."""
    found = stage_release(con, retailer.settings, feed, retailer.policy, selection)
    if found.unreadable:
        typer.echo(
            f"{feed.name}: {found.unreadable} records could not be taken apart, so there are no fields to read again; "
            "take their night anew: onedata run --ds NIGHT --replace"
        )
    if not found.tried:
        return True
    if not found.deliveries:
        typer.echo(f"{feed.name}: nothing was released, {found.still_bad} rows are still bad")
        return True
    night = con.execute("select max(ds) from ops.delivery where feed = ? and status = 'staged'", [feed.name]).fetchone()
    assert night is not None
    results = contract_gate(con, Gatekeeper(con), retailer.settings, feed, night[0])
    record(con, f"release {datetime.now(UTC):%Y-%m-%d %H:%M:%S}", night[0], results)
    if any(result.blocks for result in results):
        typer.echo(f"{feed.name}: the gate is closed, nothing was released\n{summarise(results)}", err=True)
        return False
    promote(con, retailer.settings)
    typer.echo(
        f"{feed.name}: {found.accepted} rows accepted, {found.duplicate} were known already, {found.still_bad} are "
        "still bad"
    )
    return True
