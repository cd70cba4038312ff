"""`onedata feed`: scaffold a contract from a sample file, dry-run a file against its contract, list the feeds."""

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer

from onedata.cli.root import SettingsOption, SourceOption, fail, settings_from
from onedata.contracts.drafts import is_draft
from onedata.onboarding.dry_run import Checked, check_file, feeds_for
from onedata.onboarding.match import Fit
from onedata.onboarding.new_feed import Scaffold, scaffold
from onedata.onboarding.preview import Preview
from onedata.onboarding.scaffold import looks_personal
from onedata.retailer import load_retailer
from onedata.settings import load_settings
from onedata.tables import text_table

MOST_RANKED = 5
MOST_RAW = 160
MOST_UNREAD = 40

feed_app = typer.Typer(
    name="feed", no_args_is_help=True, help="Scaffold a feed's contract, dry-run a file against it, list the feeds."
)


@feed_app.command()
def new(
    sample: Annotated[
        Path, typer.Argument(help="A delivered file, packed or not: CSV, JSON, JSON lines, Parquet, XML or Excel.")
    ],
    name: Annotated[str, typer.Option(help="The feed's name: lower-case letters, digits and _.")],
    entity: Annotated[
        str | None, typer.Option(help="The canonical entity it fills. Default: the one that fits best.")
    ] = None,
    path: Annotated[
        str | None,
        typer.Option(
            help="Path of its files below the source folder; {ds} for the day. Default: from the sample's path."
        ),
    ] = None,
    system: Annotated[
        str | None, typer.Option(help="The source system, within which ids are unique. Default: the name's first word.")
    ] = None,
    settings_file: SettingsOption = None,
    source: SourceOption = None,
) -> None:
    """Write a contract for files like SAMPLE. An existing contract is never overwritten.

    The contract marks what was guessed (# a guess), what the sample does not tell (# ASK) and what no field fills (#
    NEEDED); one with marks is a draft (status: draft), which nights skip. Exit code 2 if SAMPLE is missing, empty, a
    header only, or binary.
    """
    environment = dict(os.environ) | ({"ONEDATA_SOURCE": str(source)} if source else {})
    made = scaffold(load_settings(settings_file, environment), sample, name, entity, path, system)
    typer.echo(_made(made, sample, f" --settings {settings_file}" if settings_file else "", entity is None))


@feed_app.command()
def check(
    file: Annotated[Path, typer.Argument(help="A delivered file.")],
    feed: Annotated[str | None, typer.Option(help="The feed it is for. Default: by its path.")] = None,
    settings_file: SettingsOption = None,
) -> None:
    """Dry-run a file against its contract, also a draft: what a night would accept, repair and quarantine.

    Shows the first rows as they would land, each column's empty share, distinct values and range, identifiers that name
    nobody, the money, and the fields of a document that nobody reads. Personal values are hashes or shapes there.

    Nothing is kept: the file lands in a temp folder that is removed. It is not compared with rows that landed before.
    Invalid rows are shown raw, personal data included. Exit code 0 if the file is clean, 1 if rows would be quarantined
    or the gate would close, 2 if there is nothing to check: no such file, an empty one, one without rows or of another
    format.
    """
    retailer = load_retailer(settings_from(settings_file, None), drafts=True)
    if lacking := retailer.drafts.get(f"{feed}.odcs.yaml"):
        fail(f"{feed} is a draft that does not load yet: {lacking}")
    outcomes = [check_file(retailer, file, item) for item in feeds_for(retailer, file, feed)]
    typer.echo("\n\n".join(_told(outcome, file) for outcome in outcomes))
    if not all(outcome.clean for outcome in outcomes):
        raise typer.Exit(1)


@feed_app.command(name="list")
def list_feeds(settings_file: SettingsOption = None) -> None:
    """List the feeds with entity, format, path, contract and its version."""
    feeds = load_retailer(settings_from(settings_file, None)).feeds
    rows: list[tuple[object, ...]] = [
        (feed.name, feed.entity.name, feed.location.format, feed.location.path, feed.contract.name, feed.version)
        for feed in feeds
    ]
    typer.echo(text_table(["feed", "entity", "format", "path", "contract", "version"], rows))


def _made(made: Scaffold, sample: Path, options: str, ranked: bool) -> str:
    fit = made.fit
    lines = [
        f"{made.file}: {len(fit.mapped)} of {len(fit.rows.fields)} fields of {sample.name} mapped to "
        f"{fit.entity.name}, files at {made.path}"
    ]
    if ranked:
        lines += ["entities by how well they fit (--entity chooses another):", _ranking(made.ranking)]
        lines += _reasons(made.ranking)
    guesses = [
        f"  {item.field.name} -> {item.column.name}{f': {item.note}' if item.note else ''}"
        for item in fit.mapped
        if not item.choices and not (item.is_sure and fit.is_sure)
    ]
    if guesses:
        lines += ["guessed, so check them:", *guesses]
    asked = [
        f"  {item.field.name} -> {item.column.name}: {' or '.join(name for name, _ in item.choices)}?"
        for item in fit.mapped
        if item.choices
    ]
    if asked:
        lines += ["the sample does not tell; keep one line of each:", *asked]
    if fit.needed_answers:
        lines.append(f"until {', '.join(fit.needed_answers)} are answered the contract does not load")
    lines += [f"not read, for it does not load: {name} ({reason})" for name, reason in made.skipped]
    personal = looks_personal(fit.unmapped)
    if personal:
        lines.append(f"has e-mail addresses and fills no column: {', '.join(personal)}")
    if fit.needed:
        lines.append(
            f"NEEDED, and no field was found: {', '.join(column.name for column in fit.needed)}. Until they are mapped "
            "the contract does not load"
        )
    steps = [f"review it: purpose, owner, time zone, unmapped fields ({len(fit.unmapped)})"]
    marks = [mark for mark, items in (("NEEDED", fit.needed), ("ASK", asked)) if items]
    if marks:
        steps.append(
            f"answer what is marked {' and '.join(marks)}, until `onedata contracts{options}` says that it loads"
        )
    steps.append(f"onedata feed check {sample} --feed {made.file.name.removesuffix('.odcs.yaml')}{options}")
    if is_draft(made.file):
        steps.append("write `status: active` for `status: draft`: until then nights skip it")
    return "\n".join([*lines, "NEXT", *[f"  {number}. {step}" for number, step in enumerate(steps, 1)]])


def _reasons(fits: Sequence[Fit]) -> list[str]:
    """Why the first entity, and what the next one lacks."""
    first, *others = fits
    lines = [f"{first.entity.name}, by {', '.join(first.because)}" if first.because else f"{first.entity.name}"]
    if others:
        mapped = {name for item in others[0].mapped for name in item.sources}
        left = list(dict.fromkeys(name for item in first.mapped for name in item.sources if name not in mapped))
        lines[0] += f"; next {others[0].entity.name}, which has no place for {', '.join(left[:MOST_RANKED]) or 'less'}"
    if not first.is_sure:
        lines.append("they fit nearly as well, or badly: the entity is a guess, and so is each mapping")
    return lines


def _ranking(fits: Sequence[Fit]) -> str:
    rows: list[tuple[object, ...]] = [
        (
            f"{fit.score:.2f}",
            fit.entity.name,
            len(fit.mapped),
            ", ".join(column.name for column in fit.needed) or "nothing",
        )
        for fit in fits[:MOST_RANKED]
    ]
    return text_table(["fit", "entity", "fields", "needed, not found"], rows)


def _previewed(shown: Preview) -> list[str]:
    """The accepted rows: one line a column, then what is told of the whole file."""
    most = max(len(column.first) for column in shown.columns)
    rows: list[tuple[object, ...]] = [
        (
            column.name,
            f"{column.null_share:.0%}",
            f"{column.distinct:,}",
            column.least,
            column.most,
            *column.first,
        )
        for column in shown.columns
    ]
    header = ["column", "empty", "distinct", "least", "most", *[f"row {number + 1}" for number in range(most)]]
    lines = ["  accepted rows, as they would land (personal values as hashes or shapes):"]
    lines += text_table(header, rows, ("empty", "distinct")).splitlines()
    for name, count in shown.blocked:
        lines.append(f"  {name}: {count:,} rows with a value that identifies nobody (identifiers.yaml)")
    for money in shown.money:
        lines.append(
            f"  money: {money.total} {money.currency} {money.accepted:,} accepted of {money.received:,} received"
        )
    if shown.unread:
        lines.append(
            f"  nobody reads, and unmapped does not name: {', '.join(shown.unread[:MOST_UNREAD])}"
            f"{f' and {len(shown.unread) - MOST_UNREAD} more' if len(shown.unread) > MOST_UNREAD else ''}"
        )
    return lines


def _told(outcome: Checked, file: Path) -> str:
    landed, feed = outcome.landed, outcome.feed
    lines = [
        f"{file.name} as {feed.name} ({feed.contract.name} {feed.version}), read as {outcome.read_as}",
        f"  received {landed.received} = accepted {landed.accepted} + quarantined {landed.quarantined} + duplicate "
        f"{landed.duplicate}",
    ]
    lines += _previewed(outcome.preview) if outcome.preview else []
    lines += [f"  repaired {column} by {repair}: {rows}" for column, repair, rows in outcome.repaired]
    for bad in outcome.bad:
        lines.append(f"  quarantined by {bad.rule}: {bad.count}")
        for row, reason, raw in bad.sample:
            lines += [f"    row {row}: {reason}", f"      {raw[:MOST_RAW]}"]
    failed = [result for result in outcome.gate if not result.passed]
    lines += [
        f"  {'GATE CLOSED' if result.blocks else 'warning'}, rule {result.rule}: {result.message}" for result in failed
    ]
    closed = any(result.blocks for result in failed)
    return "\n".join(
        [
            *lines,
            *(
                []
                if closed
                else [f"  the gate stays open: {len(outcome.gate) - len(failed)} of {len(outcome.gate)} rules hold"]
            ),
        ]
    )
