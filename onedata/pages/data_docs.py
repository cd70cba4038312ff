"""Data Docs that need no network: the results of every gate, one page per night and stage, in `quality` of each
publication.

They are built from ops.gate, so pages of any night can be rebuilt. Great Expectations renders the results
(`gx.render_results`); the frame and the index are onedata's, because the pages of Great Expectations load styles,
scripts and pictures from seven hosts (docs/adr/0008). No page quotes a row.
"""

import hashlib
import shutil
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from importlib.metadata import version
from pathlib import Path

import duckdb
from markupsafe import Markup

from onedata.pages import template
from onedata.quality.gx import render_results
from onedata.quality.results import CheckResult
from onedata.quality.trends import bars
from onedata.settings import Settings

STAGES = ("contract", "ods", "dim", "dwd", "oneid", "dws", "ads", "published")
COMMENT = "<!-- "
TEMPLATES = ("gate.html.j2", "quality.html.j2")
Night = Mapping[str, Sequence[CheckResult]]


@dataclass(frozen=True)
class GatePage:
    """The page of one gate: `results` are HTML, one section per subject, with its number."""

    stage: str
    night: date
    held: int
    rules: int
    subjects: Sequence[str]
    results: Markup


@dataclass(frozen=True)
class GateCell:
    """One gate in one night, in the index."""

    stage: str
    rules: int
    errors: int
    warnings: int


@dataclass(frozen=True)
class Volume:
    """A feed's last night: its number of received rows, and the 28 days before it as bars."""

    feed: str
    night: date
    rows: str
    bars: str


@dataclass(frozen=True)
class IndexPage:
    """The index: each night's gate results (None if a gate did not run), the failures of the last night, the
    volumes."""

    stages: Sequence[str]
    nights: Mapping[date, Sequence[GateCell | None]]
    last: date | None
    failed: Sequence[CheckResult]
    volumes: Sequence[Volume]


def docs_folder(settings: Settings) -> Path:
    """Folder, for readers, of the pages published with the served night."""
    return settings.published / "quality"


def build_data_docs(
    con: duckdb.DuckDBPyConnection,
    folder: Path,
    kept: int,
    until: date | None = None,
    known: Path | None = None,
) -> Path:
    """Write the pages of the last nights, and their index, into a new folder.

    Args:
        con: The warehouse.
        folder: Target folder.
        kept: Number of nights.
        until: The last night to show; by default the last one that was checked.
        known: Pages written before: a page that would be identical is copied, since rendering takes a third of a second
            per night.

    Returns:
        The index page.
    """
    last = until or date.max
    nights = "select distinct night from ops.gate where night <= ? order by 1 desc limit ?"
    rows = con.execute(nights, [last, kept]).fetchall()
    found = {row[0]: _results(con, row[0]) for row in rows}
    folder.mkdir(parents=True)
    for night, stages in found.items():
        (folder / str(night)).mkdir()
        for stage, results in stages.items():
            name = f"{night}/{stage}.html"
            page = _stage_page(night, stage, results, known / name if known else None)
            (folder / name).write_text(page, encoding="utf-8")
    index = folder / "index.html"
    index.write_text(_index(found, _volumes(con, last)), encoding="utf-8")
    return index


def rebuild_live_docs(con: duckdb.DuckDBPyConnection, settings: Settings) -> Path:
    """Write the pages again beside the status page, including nights whose gate closed.

    A publication's own pages never change.

    Returns:
        The index page.
    """
    folder = settings.published / "status" / "quality"
    fresh, old = folder.with_name(".quality.new"), folder.with_name(".quality.old")
    for left in (fresh, old):
        shutil.rmtree(left, ignore_errors=True)
    build_data_docs(con, fresh, settings.published_nights_kept)
    if folder.exists():
        folder.rename(old)
    fresh.rename(folder)
    shutil.rmtree(old, ignore_errors=True)
    return folder / "index.html"


def _results(con: duckdb.DuckDBPyConnection, night: date) -> dict[str, list[CheckResult]]:
    """The last checks of each subject, by stage. Messages are excluded: they may quote rows."""
    rows = con.execute(
        "select stage, subject, rule, severity, passed, coalesce(observed, ''), coalesce(expected, ''), "
        "coalesce(nullif(description, ''), rule) from ("
        "select *, max(checked_at) over (partition by stage, subject) as last from ops.gate where night = ?) "
        "where checked_at = last order by stage, subject, passed, rule",
        [night],
    ).fetchall()
    stages: dict[str, list[CheckResult]] = defaultdict(list)
    for stage, subject, rule, severity, passed, observed, expected, description in rows:
        stages[stage].append(CheckResult(stage, subject, rule, severity, passed, observed, "", expected, description))
    return stages


def _stage_page(night: date, stage: str, results: Sequence[CheckResult], known: Path | None) -> str:
    """The page of one gate; the known page if it is complete and was built from the same results by the same code."""
    made_of = _digest("".join([version("onedata"), *map(template.source_of, TEMPLATES), str(results)]))
    if known and known.is_file():
        page, _, mark = known.read_text(encoding="utf-8", errors="replace").rpartition(COMMENT)
        if mark == _mark(made_of, page):
            return page + COMMENT + mark
    subjects = list(dict.fromkeys(result.subject for result in results))
    held = sum(result.passed for result in results)
    # The renderer of Great Expectations produces HTML; all other text was escaped before.
    found = GatePage(stage, night, held, len(results), subjects, Markup(render_results(results)))
    page = template.render("gate.html.j2", page=found)
    return page + COMMENT + _mark(made_of, page)


def _mark(made_of: str, page: str) -> str:
    """The end of a page's last line: hashes of its input and its content."""
    return f"{made_of} {_digest(page)} -->\n"


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode(errors="replace")).hexdigest()


def _index(found: Mapping[date, Night], volumes: Sequence[Volume]) -> str:
    nights = {
        night: [_cell(stage, stages[stage]) if stage in stages else None for stage in STAGES]
        for night, stages in found.items()
    }
    last = next(iter(found), None)
    failed = [r for stage in STAGES for r in found[last].get(stage, ()) if not r.passed] if last else []
    return template.render("nights.html.j2", page=IndexPage(STAGES, nights, last, failed, volumes))


def _cell(stage: str, results: Sequence[CheckResult]) -> GateCell:
    errors = sum(result.blocks for result in results)
    return GateCell(stage, len(results), errors, sum(not result.passed for result in results) - errors)


def _volumes(con: duckdb.DuckDBPyConnection, until: date) -> list[Volume]:
    rows = con.execute(
        """
        select feed, max(ds), arg_max(value, ds)::bigint, list(value order by ds) from (
            select p.feed, p.ds, sum(p.value) as value from ops.profile p join ops.batch b using (batch_id)
            where p.metric = 'received' and p.ds <= $until
            and p.ds >= (select max(ds) from ops.batch where ds <= $until) - 28 group by all
        ) group by feed order by feed
        """,
        {"until": until},
    ).fetchall()
    return [Volume(feed, ds, f"{value:,}", bars(values)) for feed, ds, value, values in rows]
