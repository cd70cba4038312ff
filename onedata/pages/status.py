"""The live state of the build, `published/status/index.html`: closed gates, the run, what is published, what waits.

It lies outside the publications, since it changes while nothing is published. It holds counts and the words of rules,
never a row's value, and no message: messages may quote rows.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from html import escape
from importlib.resources import files
from pathlib import Path
from string import Template

import duckdb

from onedata.durable import make_folders, write_durably
from onedata.home import share_with_readers
from onedata.pages.data_docs import STAGES
from onedata.settings import Settings
from onedata.warehouse.publications import READABLE_FOLDER, Publication, current_publication

READABLE_FILE = 0o640
LINKS = {"../quality/index.html": "quality of the published night", "quality/index.html": "quality of the last nights"}
SAID = {"running": "is running", "published": "is published", "failed": "failed", "not started": "did not start"}


@dataclass(frozen=True)
class Run:
    """A run as its page tells of it: `state` is a key of SAID, `failed` are steps or kinds of error, no message."""

    night: date
    run_id: str
    state: str
    failed: Sequence[str] = ()


@dataclass(frozen=True)
class ClosedGate:
    """A rule of severity error that did not hold when its subject was last checked."""

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
    """What the gates after a stage found in one run."""

    name: str
    rules: int
    closed: int
    warned: int
    checked_at: datetime


@dataclass(frozen=True)
class BuildState:
    """What the ledger tells; `waiting` is night, state and number of deliveries that are not published."""

    closed: Sequence[ClosedGate]
    stages: Sequence[Stage]
    waiting: Sequence[tuple[date, str, int]]


def status_page(settings: Settings) -> Path:
    return settings.published / "status" / "index.html"


def draw_status(
    settings: Settings,
    run: Run,
    con: duckdb.DuckDBPyConnection | None,
    say: Callable[[str], object],
) -> None:
    """Draw the page anew, whole or not at all.

    A page that cannot be written, also for want of room, is told and fails nothing: it says itself when it was drawn,
    and what a night writes for its own sake fails for the same cause with its own words.

    Args:
        settings: Whose page.
        run: The run that is going on, or was the last.
        con: The warehouse; None where it cannot be read, which the page says.
        say: Told where the page cannot be written.
    """
    page, now = status_page(settings), datetime.now(UTC)
    build = read_build(con, run.run_id) if con else None
    try:
        there = [(address, text) for address, text in LINKS.items() if (page.parent / address).exists()]
        content = render(run, build, current_publication(settings), now, there)
        make_folders(page.parent, READABLE_FOLDER)
        for left in page.parent.glob(".index.html.*.new"):
            left.unlink(missing_ok=True)
        # The page is given to its readers here.
        write_durably(page, content, READABLE_FILE)
        share_with_readers(settings, page.parent)
    except OSError as error:
        say(f"the page {page} was not drawn anew, and nothing else of the night is wrong: {error.strerror or error}")


def read_build(con: duckdb.DuckDBPyConnection, run_id: str) -> BuildState:
    """What the ledger tells of the gates, of the run's stages and of the deliveries that wait."""
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
        run: The run that is going on, or was the last.
        build: What the ledger tells; None where it cannot be read.
        published: What is served.
        now: When the page is drawn, with its zone.
        links: Pages beside it: address and text.
    """
    verdict, kind = _verdict(run, build)
    return _template().substitute(
        title=escape(verdict),
        kind=kind,
        drawn=_moment(now),
        gates=_gates(build),
        run=_run(run, build),
        published=_published(published, now),
        waiting=_waiting(build),
        links="".join(f'<a href="{escape(address)}">{escape(text)}</a>' for address, text in links),
    )


def _verdict(run: Run, build: BuildState | None) -> tuple[str, str]:
    closed = len(build.closed) if build else 0
    if closed:
        return f"{_count(closed, 'rule')} closed a gate", "bad"
    return f"Night {run.night} {SAID[run.state]}", {"running": "now", "published": "ok"}.get(run.state, "bad")


def _gates(build: BuildState | None) -> str:
    if build is None:
        text = "Unknown: the warehouse cannot be read, or there is none yet"
        return f'<p class="bad">{text}; <code>onedata status</code> tells more.</p>'
    if not build.closed:
        return '<p class="ok">None: every rule of severity error held when it was last checked.</p>'
    return "".join(
        f"<article><h3>{escape(gate.subject)}</h3>"
        f'<p class="where">after {escape(gate.stage)}, night {gate.night}, {_moment(gate.checked_at)}</p>'
        f"<p>{escape(gate.words)} <code>{escape(gate.rule)}</code></p>"
        f"<dl><dt>observed</dt><dd>{escape(gate.observed) or '-'}</dd>"
        f"<dt>expected</dt><dd>{escape(gate.expected) or '-'}</dd></dl></article>"
        for gate in build.closed
    )


def _run(run: Run, build: BuildState | None) -> str:
    failed = f': <span class="bad">{escape(", ".join(run.failed))}</span>' if run.failed else ""
    text = f"<p>Night {run.night} {SAID[run.state]}{failed}. Its run is <code>{escape(run.run_id) or '-'}</code>.</p>"
    stages = build.stages if build else ()
    lines = [(stage.name, _found(stage), f"{stage.rules:,}", _moment(stage.checked_at)) for stage in stages]
    return text + (_table(["gate after", "", "rules", "checked"], lines) if lines else "<p>No gate was reached.</p>")


def _found(stage: Stage) -> str:
    if stage.closed:
        return f"closed by {_count(stage.closed, 'rule')}"
    return "passed" + (f", {_count(stage.warned, 'warning')}" if stage.warned else "")


def _count(number: int, what: str) -> str:
    return f"{number:,} {what}{'' if number == 1 else 's'}"


def _published(published: Publication | None, now: datetime) -> str:
    if published is None:
        return "<p>Nothing is published.</p>"
    return (
        f"<p>Night {published.night}, publication {published.number}, built {_moment(published.built_at)}, "
        f"{_age(now - published.built_at)} before this page was drawn.</p>"
    )


def _waiting(build: BuildState | None) -> str:
    if build is None:
        return "<p>Unknown.</p>"
    lines = [(str(ds), status, f"{count:,}") for ds, status, count in build.waiting]
    if not lines:
        return '<p class="ok">None: all that was accepted is published.</p>'
    return _table(["night", "state", "deliveries"], lines)


def _table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    head = "".join(f"<th>{escape(name)}</th>" for name in header)
    lines = "".join(f"<tr>{''.join(f'<td>{escape(value)}</td>' for value in row)}</tr>" for row in rows)
    return f'<div class="wide"><table><tr>{head}</tr>{lines}</table></div>'


def _moment(moment: datetime) -> str:
    """A moment in UTC; one without a zone is in UTC already, as in the ledger."""
    utc = moment.astimezone(UTC) if moment.tzinfo else moment
    return f"{utc:%Y-%m-%d %H:%M} UTC"


def _age(span: timedelta) -> str:
    minutes = max(0, int(span.total_seconds() // 60))
    days, hours = minutes // 1440, minutes // 60 % 24
    return f"{days} d {hours} h" if days else f"{hours} h {minutes % 60} min" if hours else f"{minutes} min"


def _template() -> Template:
    return Template(files("onedata.pages").joinpath("status.html").read_text(encoding="utf-8"))
