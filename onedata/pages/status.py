"""The live state of the build, `published/status/index.html`: closed gates, the run, what is published, pending nights.

It is outside the publications, because it changes while nothing is published. It contains counts and rule names, never
a row's value, and no messages: messages may quote rows.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import duckdb

from onedata.durable import make_folders, write_durably
from onedata.home import share_with_readers
from onedata.pages import template
from onedata.pages.data_docs import STAGES
from onedata.pages.template import moment
from onedata.settings import Settings
from onedata.warehouse.publications import READABLE_FOLDER, Publication, current_publication

READABLE_FILE = 0o640
LINKS = {"../quality/index.html": "quality of the published night", "quality/index.html": "quality of the last nights"}
SAID = {"running": "is running", "published": "is published", "failed": "failed", "not started": "did not start"}


@dataclass(frozen=True)
class Run:
    """A run as shown on the page: `state` is a key of SAID, `failed` are steps or kinds of error, without messages."""

    night: date
    run_id: str
    state: str
    failed: Sequence[str] = ()


@dataclass(frozen=True)
class ClosedGate:
    """A rule of severity error that failed when its subject was last checked."""

    stage: str
    subject: str
    rule: str
    words: str
    observed: str
    expected: str
    night: date
    checked_at: datetime


@dataclass(frozen=True)
class Stage:
    """The results of the gates after a stage in one run."""

    name: str
    rules: int
    closed: int
    warned: int
    checked_at: datetime


@dataclass(frozen=True)
class BuildState:
    """State of the ledger; `waiting` is night, state and number of unpublished deliveries."""

    closed: Sequence[ClosedGate]
    stages: Sequence[Stage]
    waiting: Sequence[tuple[date, str, int]]


@dataclass(frozen=True)
class StatusPage:
    """Content of the page.

    `kind` is the verdict as a CSS class (bad, ok or now), `went` is the outcome of the run, `stages` are cells of name,
    outcome, rules and time, `waiting` of night, state and number, `age` is that of the publication when the page is
    drawn, `links` are address and text.
    """

    title: str
    kind: str
    drawn: datetime
    run: Run
    went: str
    build: BuildState | None
    stages: Sequence[Sequence[object]]
    waiting: Sequence[Sequence[object]]
    published: Publication | None
    age: str
    links: Sequence[tuple[str, str]]


def status_page(settings: Settings) -> Path:
    return settings.published / "status" / "index.html"


def draw_status(
    settings: Settings,
    run: Run,
    con: duckdb.DuckDBPyConnection | None,
    say: Callable[[str], object],
) -> None:
    """Replace the page atomically.

    A page that cannot be written, for example on a full disk, is reported but fails nothing: the page shows when it was
    drawn, and the night's own writes fail for the same cause with their own messages.

    Args:
        settings: Settings of the home.
        run: The current run, or the last one.
        con: The warehouse; None if it cannot be read, which the page says.
        say: Called with the message if the page cannot be written.
    """
    page, now = status_page(settings), datetime.now(UTC)
    build = read_build(con, run.run_id) if con else None
    try:
        there = [(address, text) for address, text in LINKS.items() if (page.parent / address).exists()]
        content = render(run, build, current_publication(settings), now, there)
        make_folders(page.parent, READABLE_FOLDER)
        for left in page.parent.glob(".index.html.*.new"):
            left.unlink(missing_ok=True)
        # Readers get access to the page here.
        write_durably(page, content, READABLE_FILE)
        share_with_readers(settings, page.parent)
    except OSError as error:
        say(f"the page {page} was not drawn anew, and nothing else of the night is wrong: {error.strerror or error}")


def read_build(con: duckdb.DuckDBPyConnection, run_id: str) -> BuildState:
    """Read gates, stages of the run and pending deliveries from the ledger."""
    closed = con.execute(
        """
        select stage, subject, rule, coalesce(nullif(description, ''), rule), coalesce(observed, ''),
            coalesce(expected, ''), night, checked_at
        from (select *, max(checked_at) over (partition by stage, subject) as last from ops.gate)
        where checked_at = last and severity = 'error' and not passed order by checked_at desc, stage, subject, rule
        """
    ).fetchall()
    stages = con.execute(
        """
        select stage, count(*), count(*) filter (severity = 'error' and not passed),
            count(*) filter (severity <> 'error' and not passed), max(checked_at)
        from ops.gate where run_id = ? group by stage order by list_position(?::varchar[], stage), stage
        """,
        [run_id, list(STAGES)],
    ).fetchall()
    waiting = con.execute(
        "select ds, status, count(*) from ops.delivery where applied_at is null group by all order by all",
    ).fetchall()
    return BuildState([ClosedGate(*row) for row in closed], [Stage(*row) for row in stages], waiting)


def render(
    run: Run,
    build: BuildState | None,
    published: Publication | None,
    now: datetime,
    links: Sequence[tuple[str, str]] = (),
) -> str:
    """The page as HTML.

    Args:
        run: The current run, or the last one.
        build: State of the ledger; None if it cannot be read.
        published: The served publication.
        now: Time of drawing, with its time zone.
        links: Related pages: address and text.
    """
    verdict, kind = _verdict(run, build)
    page = StatusPage(
        title=verdict,
        kind=kind,
        drawn=now,
        run=run,
        went=SAID[run.state],
        build=build,
        stages=[(stage.name, _found(stage), f"{stage.rules:,}", moment(stage.checked_at)) for stage in build.stages]
        if build
        else (),
        waiting=[(night, state, f"{count:,}") for night, state, count in build.waiting] if build else (),
        published=published,
        age=_age(now - published.built_at) if published else "",
        links=links,
    )
    return template.render("status.html.j2", page=page)


def _verdict(run: Run, build: BuildState | None) -> tuple[str, str]:
    closed = len(build.closed) if build else 0
    if closed:
        return f"{_count(closed, 'rule')} closed a gate", "bad"
    return f"Night {run.night} {SAID[run.state]}", {"running": "now", "published": "ok"}.get(run.state, "bad")


def _found(stage: Stage) -> str:
    if stage.closed:
        return f"closed by {_count(stage.closed, 'rule')}"
    return "passed" + (f", {_count(stage.warned, 'warning')}" if stage.warned else "")


def _count(number: int, what: str) -> str:
    return f"{number:,} {what}{'' if number == 1 else 's'}"


def _age(span: timedelta) -> str:
    minutes = max(0, int(span.total_seconds() // 60))
    days, hours = minutes // 1440, minutes // 60 % 24
    return f"{days} d {hours} h" if days else f"{hours} h {minutes % 60} min" if hours else f"{minutes} min"
