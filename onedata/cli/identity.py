"""`onedata identity`: show a person, explain why two identifiers are or are not one person, and override it."""

import getpass
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Annotated

import duckdb
import typer

from onedata.cli.root import SettingsOption, fail, reading, settings_from, writing
from onedata.identity import operate, resolve
from onedata.identity.decisions import WAITING, Decision
from onedata.identity.decisions import revert as take_back
from onedata.identity.explain import Step
from onedata.identity.explain import explain as explain_pair
from onedata.identity.keep import log_decisions
from onedata.identity.locate import Directory, Located, core_kinds
from onedata.identity.person import show as show_person
from onedata.identity.review import queue
from onedata.identity.why_not import why_not as why_not_pair
from onedata.identity.words import odds, score_parts
from onedata.retailer import Retailer, load_retailer, prepare_warehouse
from onedata.tables import text_table

ABOUT = """Show a person, explain why two identifiers are or are not one person, and override it.

A and B are OneIDs (P and 20 characters; an old one is resolved to the current one) or identifiers: loyalty:M100234,
account:shop:8815, email:ann@shop.cn or just ann@shop.cn, phone:'138 0013 8000'. An account is written with the source
system in which its id is unique. Raw values are looked up by their token; e-mails and phones are printed only as
tokens."""
NEXT = "the next `onedata run` applies it"

identity_app = typer.Typer(name="identity", no_args_is_help=True, help=ABOUT)
KeyArgument = Annotated[str, typer.Argument(metavar="KEY|ONEID", help="An identifier or a OneID.")]
AArgument = Annotated[str, typer.Argument(metavar="A", help="An identifier or a OneID.")]
BArgument = Annotated[str, typer.Argument(metavar="B", help="Another one.")]
KeyOnlyArgument = Annotated[str, typer.Argument(metavar="KEY", help="An identifier.")]
DecisionArgument = Annotated[int, typer.Argument(metavar="ID", help="Number of a standing decision.")]
ReasonOption = Annotated[str, typer.Option("--reason", help="Why; it is kept and shown with the decision.")]
ByOption = Annotated[str, typer.Option("--by", help="Who decides. Default: the user of this machine.")]
NowOption = Annotated[
    bool,
    typer.Option(
        "--now",
        help="Apply it at once in oneid.*; later tables and the published night follow with the next run.",
    ),
]


@identity_app.command(epilog="For example: onedata identity show loyalty:M100234; onedata identity show ann@shop.cn")
def show(of: KeyArgument, settings_file: SettingsOption = None) -> None:
    """Show one person: identifiers, since when and by which rule, earlier OneIDs, and the history.

    For an identifier, also its earlier owners."""
    with _directory(settings_file) as (directory, _):
        found = directory.find(of)
        person = show_person(directory.con, found)
    if found.asked and found.asked != person.oneid:
        typer.echo(f"{found.asked} is {person.oneid} today")
    if person.oneid:
        typer.echo(
            f"{person.oneid}, {_count(len(person.identifiers), 'identifier')}"
            + (f", formerly also {', '.join(person.once)}" if person.once else "")
        )
        rows = [
            (item.key, str(item.since), item.rule, str(item.first_seen), str(item.last_seen))
            for item in person.identifiers
        ]
        typer.echo(text_table(["identifier", "its since", "by", "first seen", "last seen"], rows))
    else:
        typer.echo(f"{found.key} belongs to no person: {found.status}")
    for title, lines in (("HISTORY", person.events), (found.key, person.versions), ("NOTES", person.notes)):
        if lines:
            typer.echo("\n".join([title, *(f"  {line}" for line in lines)]))


@identity_app.command(
    epilog="For example: onedata identity explain account:shop:8815 account:pos:C-204; onedata identity explain "
    "ann@shop.cn loyalty:M100234"
)
def explain(a: AArgument, b: BArgument, settings_file: SettingsOption = None) -> None:
    """Explain why A and B are one person: the shortest chain of rows, scores and decisions between them.

    Exit code 1 if they are two persons."""
    with _directory(settings_file) as (directory, _):
        one, other = directory.find(a), directory.find(b)
        found = explain_pair(directory.con, directory.policy, one, other)
    if found.oneid is None:
        typer.echo(f"{_two(one, other)} are not one person; why: onedata identity why-not")
    else:
        typer.echo(f"{one.key} and {other.key} are one person, {found.oneid}, both since {found.since}")
        _steps(found.steps)
    _notes(found.notes)
    if found.oneid is None:
        raise typer.Exit(1)


@identity_app.command("why-not", epilog="For example: onedata identity why-not account:shop:8815 account:shop:9120")
def why_not(a: AArgument, b: BArgument, settings_file: SettingsOption = None) -> None:
    """Explain why A and B are not one person: where the evidence between them stops, decisions, and scores.

    Exit code 1 if they are one person."""
    with _directory(settings_file) as (directory, _):
        one, other = directory.find(a), directory.find(b)
        found = why_not_pair(directory.con, directory.policy, one, other)
    if found is None:
        typer.echo(f"{one.key} and {other.key} are one person, {one.oneid}; why: onedata identity explain")
        raise typer.Exit(1)
    typer.echo(f"{_two(one, other)} are not one person")
    if found.crossings:
        typer.echo("what connects them, and why it does not unite them:")
        _steps(found.crossings)
    else:
        typer.echo("no row connects them, not even through other persons nearby")
    for title, lines in (("decided", found.decisions), ("scored", found.scores)):
        typer.echo("\n".join([f"{title}:", *(f"  {line}" for line in lines)]) if lines else f"{title}: nothing")
    _notes(found.notes)


@identity_app.command(
    epilog="For example: onedata identity merge account:shop:8815 loyalty:M100234 --reason 'customer wrote in, ticket "
    "4711'"
)
def merge(
    a: AArgument,
    b: BArgument,
    reason: ReasonOption,
    by: ByOption = "",
    now: NowOption = False,
    settings_file: SettingsOption = None,
) -> None:
    """Merge A and B into one person, overriding every limit. Undo: revert.

    A OneID is stored as one of its strong identifiers."""
    with _deciding(settings_file, now) as directory:
        decision = operate.merge(directory, a, b, _reason(reason), by or getpass.getuser())
        _decided(decision, f"{decision.key_a} and {decision.key_b} are to be one person", now)


@identity_app.command(
    epilog="For example: onedata identity split account:shop:8815 account:pos:C-204 --reason 'father and son'"
)
def split(
    a: AArgument,
    b: BArgument,
    reason: ReasonOption,
    by: ByOption = "",
    now: NowOption = False,
    settings_file: SettingsOption = None,
) -> None:
    """Split A and B into two persons: the weakest links between them are cut. Undo: revert.

    It holds on every later night."""
    with _deciding(settings_file, now) as directory:
        decision = operate.split(directory, a, b, _reason(reason), by or getpass.getuser())
        _decided(decision, f"{decision.key_a} and {decision.key_b} are to be two persons", now)


@identity_app.command(epilog="For example: onedata identity block phone:'400 820 8820' --reason 'our own hotline'")
def block(
    key: KeyOnlyArgument,
    reason: ReasonOption,
    by: ByOption = "",
    now: NowOption = False,
    settings_file: SettingsOption = None,
) -> None:
    """Exclude KEY (a hotline, a test value): what only KEY joined is split. Undo: revert."""
    with _deciding(settings_file, now) as directory:
        decision = operate.block(directory, key, _reason(reason), by or getpass.getuser())
        _decided(decision, f"{decision.key_a} is to belong to no person", now)


@identity_app.command()
def revert(decision: DecisionArgument, now: NowOption = False, settings_file: SettingsOption = None) -> None:
    """Revert a decision, as if it had never been made.

    Persons that it split get their old OneID if they merge again."""
    with _deciding(settings_file, now) as directory:
        take_back(directory.con, decision)
        typer.echo(f"decision {decision} is reverted" + ("" if now else f"; {NEXT}"))


@identity_app.command()
def decisions(settings_file: SettingsOption = None) -> None:
    """List all decisions ever made: who, when, why, and whether each stands and has been applied."""
    with _directory(settings_file) as (directory, _):
        rows = directory.con.execute(
            f"""
            select decision_id::varchar, kind, key_a, coalesce(key_b, ''), decided_by, decided_at::date::varchar,
                   case when reverted_at is null then 'stands' else 'reverted ' || reverted_at::date end
                   || case when decision_id in (select decision_id from ({WAITING})) then ', not applied yet'
                       else '' end, reason
            from oneid.decision order by decision_id
            """
        ).fetchall()
    typer.echo(
        text_table(["id", "kind", "A", "B", "by", "on", "state", "reason"], rows)
        if rows
        else "nothing was decided by hand"
    )


@identity_app.command()
def review(
    limit: Annotated[int, typer.Option(min=1, help="How many pairs.")] = 10, settings_file: SettingsOption = None
) -> None:
    """List pairs that may be one person and wait for a decision, the likeliest first, with the evidence for and
    against.

    Decide with merge or split (A and B as printed); the pair then leaves the queue.
    """
    with _directory(settings_file) as (directory, _):
        pairs, total = queue(directory.con, limit)
    for pair in pairs:
        typer.echo(
            f"{pair.key_a} ({pair.oneid_a}) and {pair.key_b} ({pair.oneid_b})\n  {odds(pair.weight)}, weight "
            f"{pair.weight:.1f}"
        )
        if pair.explanation:
            typer.echo(f"  {score_parts(pair.explanation)}")
    typer.echo(
        f"{len(pairs)} of {_count(total, 'pair')} that wait for a decision" if pairs else "no pair waits for a decision"
    )


@contextmanager
def _directory(settings_file: SettingsOption) -> Iterator[tuple[Directory, Retailer]]:
    """The identifiers of a retailer, read-only; an unknown one ends with exit code 2."""
    retailer = load_retailer(settings_from(settings_file, None))
    with reading(retailer.settings) as con:
        if not con.execute(
            "select 1 from duckdb_tables() where schema_name = 'oneid' and table_name = 'decision'"
        ).fetchone():
            fail("no night has run since OneID stores decisions; run `onedata run` first")
        yield _look_up(retailer, con), retailer


@contextmanager
def _deciding(settings_file: SettingsOption, now: bool) -> Iterator[Directory]:
    """The identifiers for writing a decision, which is applied at the end if `now`."""
    retailer = load_retailer(settings_from(settings_file, None))
    with writing(retailer.settings) as con:
        prepare_warehouse(con, retailer)
        yield _look_up(retailer, con)
        log_decisions(con, retailer.settings.lake)
        if now:
            _apply(con, retailer)


def _look_up(retailer: Retailer, con: duckdb.DuckDBPyConnection) -> Directory:
    return Directory(con, retailer.policy, core_kinds(retailer.entities), retailer.settings.vault, retailer.regions)


def _apply(con: duckdb.DuckDBPyConnection, retailer: Retailer) -> None:
    """Run only OneID, as of its last night."""
    last = con.execute("select max(night) from oneid.run").fetchone()
    night = last[0] if last and last[0] else retailer.settings.today()
    found = resolve(
        con, retailer.entities, retailer.policy, night, retailer.settings.vault, lake=retailer.settings.lake
    )
    typer.echo(
        f"applied: {found.merged} OneIDs merged, {found.split} split off, {found.minted} new; the next `onedata run` "
        "publishes them"
    )


def _reason(text: str) -> str:
    if not text.strip():
        fail("--reason is empty; say why, others will read it")
    return text.strip()


def _decided(decision: Decision, what: str, now: bool) -> None:
    typer.echo(
        f"decision {decision.decision_id}: {what}"
        + ("" if now else f"; {NEXT}")
        + f". Undo: onedata identity revert {decision.decision_id}"
    )


def _steps(steps: tuple[Step, ...]) -> None:
    for number, step in enumerate(steps, 1):
        typer.echo("\n".join([f"  {number}. {step.a} and {step.b}", *(f"     {why}" for why in step.why)]))


def _notes(notes: tuple[str, ...]) -> None:
    for note in notes:
        typer.echo(f"note: {note}")


def _two(one: Located, other: Located) -> str:
    return " and ".join(f"{found.key} ({found.oneid or f'no person, {found.status}'})" for found in (one, other))


def _count(number: int, what: str) -> str:
    return f"{number:,} {what}" + ("" if number == 1 else "s")
