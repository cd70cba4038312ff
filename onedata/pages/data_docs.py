"""Data Docs that need no network: what every gate found, a page a night and stage, in `quality` of each publication.

Made from ops.gate, so that any night can be made again; Great Expectations renders the results (`gx.render_results`),
the frame round them and the index are ours, because its own pages load styles, scripts and pictures from seven hosts
(docs/adr/0008). No page quotes a row.
"""

import hashlib
import shutil
from collections import defaultdict
from collections.abc import Mapping, Sequence
from datetime import date
from html import escape
from importlib.metadata import version
from pathlib import Path

import duckdb

from onedata.quality.gx import render_results
from onedata.quality.results import CheckResult
from onedata.quality.trends import bars
from onedata.settings import Settings

STAGES = ("contract", "ods", "dim", "dwd", "oneid", "dws", "ads", "published")
Night = Mapping[str, Sequence[CheckResult]]

STYLE = """
body{margin:0;font:15px/1.45 system-ui,-apple-system,"Segoe UI",Roboto,"DejaVu Sans",sans-serif;color:#1f2933;
background:#f5f7fa}
header{background:#102a43;color:#fff;padding:14px 28px}header a{color:#9fd3ff}h1{font-size:20px;margin:0}
main{max-width:1150px;margin:0 auto;padding:18px 28px 60px}h2{font-size:17px;margin:26px 0 8px}
table{border-collapse:collapse;width:100%;background:#fff;border:1px solid #d9e2ec}
th,td{text-align:left;padding:6px 12px;border-bottom:1px solid #e4e9f0;vertical-align:top}
th{background:#eef2f7;font-weight:600}td.n,th.n{text-align:right}
.bars{font-family:"DejaVu Sans Mono",Menlo,monospace;letter-spacing:-1px;color:#486581}
.ok,.text-success{color:#1b7f4b}.warn,.text-warning{color:#b7791f}.bad,.text-danger{color:#c0212f}a{color:#1769aa}
.toc a{margin-right:14px;white-space:nowrap}
.ge-section{margin-top:22px}.alert{background:#fff;border:1px solid #d9e2ec;border-bottom:0;padding:8px 12px}
.alert h5{font-size:16px;margin:0}
.ge-section h6{font-size:14px;margin:8px 0}.fas{font-style:normal;font-weight:700}
.fa-check-circle::before{content:"\\2713"}.fa-times::before{content:"\\2717"}
.fa-exclamation-triangle::before{content:"!"}.ge-section td:first-child{width:120px}
.ge-section td:last-child{width:260px}
"""


def docs_folder(settings: Settings) -> Path:
    """Where readers find the pages that were published with the night that is served."""
    return settings.published / "quality"


def build_data_docs(
    con: duckdb.DuckDBPyConnection,
    folder: Path,
    kept: int,
    until: date | None = None,
    known: Path | None = None,
) -> Path:
    """Write the pages of the last nights, and the index of them, into a folder that is not there yet.

    Args:
        con: The warehouse.
        folder: Where the pages go.
        kept: How many nights.
        until: The last night to show; without it the last that was checked.
        known: Pages that were written before: one that would come out the same is copied, since rendering takes a third
            of a second a night.

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
    """Write the pages again beside the status page, also of nights whose gate closed.

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
    """The last checks of each subject, by stage. Messages are left out: they may quote rows."""
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
    """The page of one gate; the known one where it is whole and was made of the same results by the same code."""
    made_of = _digest(f"{version('onedata')}{STYLE}{results}")
    if known and known.is_file():
        page, _, mark = known.read_text(encoding="utf-8", errors="replace").rpartition("<!-- ")
        if mark == _mark(made_of, page):
            return page + "<!-- " + mark
    subjects = list(dict.fromkeys(result.subject for result in results))
    numbered = enumerate(subjects, 1)
    contents = " ".join(f'<a href="#section-{number}">{escape(subject)}</a>' for number, subject in numbered)
    held = sum(result.passed for result in results)
    body = f"<p>{held} of {len(results)} rules hold.</p><p class='toc'>{contents}</p>{render_results(results)}"
    page = _page(f"Gate after {stage}, night {night}", body, "../index.html")
    return page + "<!-- " + _mark(made_of, page)


def _mark(made_of: str, page: str) -> str:
    """The end of a page's last line: what it was made of, and what it holds."""
    return f"{made_of} {_digest(page)} -->\n"


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode(errors="replace")).hexdigest()


def _index(found: Mapping[date, Night], volumes: Sequence[tuple[object, ...]]) -> str:
    rows = []
    for night, stages in found.items():
        cells = [_cell(night, stage, stages[stage]) if stage in stages else "" for stage in STAGES]
        rows.append(f"<tr><td>{night}</td>{''.join(f'<td>{cell}</td>' for cell in cells)}</tr>")
    head = "".join(f"<th>{stage}</th>" for stage in STAGES)
    body = f"<h2>Nights and gates</h2><table><tr><th>night</th>{head}</tr>{''.join(rows)}</table>"
    for night, stages in list(found.items())[:1]:
        failed = [result for stage in STAGES for result in stages.get(stage, ()) if not result.passed]
        header = ["stage", "subject", "rule", "severity", "what", "observed", "expected"]
        lines = [(r.stage, r.subject, r.rule, r.severity, r.description, r.observed, r.expected) for r in failed]
        body += f"<h2>What did not hold in night {night}</h2>" + (
            _table(header, lines) if lines else "<p class='ok'>Every rule held.</p>"
        )
    if volumes:
        body += "<h2>Rows received, the last 28 days</h2>" + _table(
            ["feed", "night", "rows", "28 days"], volumes, bars_last=True
        )
    return _page("Data quality", body, "")


def _cell(night: date, stage: str, results: Sequence[CheckResult]) -> str:
    closed, warned = (
        sum(result.blocks for result in results),
        sum(not result.passed and not result.blocks for result in results),
    )
    text = (
        f"&#10007; {closed} errors"
        if closed
        else f"! {warned} warnings"
        if warned
        else f"&#10003; {len(results)} rules"
    )
    style = "bad" if closed else "warn" if warned else "ok"
    return f'<a class="{style}" href="{night}/{stage}.html">{text}</a>'


def _volumes(con: duckdb.DuckDBPyConnection, until: date) -> list[tuple[object, ...]]:
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
    return [(feed, ds, f"{value:,}", bars(values)) for feed, ds, value, values in rows]


def _table(header: Sequence[str], rows: Sequence[tuple[object, ...]], bars_last: bool = False) -> str:
    head = "".join(f"<th>{escape(name)}</th>" for name in header)
    lines = []
    for row in rows:
        cells = [f"<td>{escape(str(value))}</td>" for value in row]
        if bars_last:
            cells[-1] = f'<td class="bars">{escape(str(row[-1]))}</td>'
        lines.append(f"<tr>{''.join(cells)}</tr>")
    return f"<table><tr>{head}</tr>{''.join(lines)}</table>"


def _page(title: str, body: str, home: str) -> str:
    back = f' &nbsp; <a href="{home}">all nights</a>' if home else ""
    return (
        '<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8"><meta name="viewport" '
        'content="width=device-width, initial-scale=1">'
        f'<link rel="icon" href="data:,"><title>{escape(title)}</title><style>{STYLE}</style></head>'
        f"<body><header><h1>{escape(title)}</h1>{back}</header><main>{body}</main></body></html>\n"
    )
