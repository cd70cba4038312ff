"""One data home whose gates close one after the other: each fixture is that home after one more run."""

import shutil
from collections.abc import Sequence
from dataclasses import replace
from datetime import date, timedelta

import duckdb
import pytest
from gate_story import INVENTORY, LEAK, ORDERS, Closed
from support import NIGHTS, Outcome, Simulated, Story, copy_source, digest, home_after, run, run_well, story

from onedata.pages.status import status_page
from onedata.settings import Settings


@pytest.fixture(scope="session")
def first_night(after_first_night: Settings, tmp_path_factory: pytest.TempPathFactory) -> Story:
    """A good night, with a source folder of the home's own."""
    folder = tmp_path_factory.mktemp("gates")
    settings = home_after(after_first_night, folder)
    settings = replace(settings, source=copy_source(settings.source, folder / "source"))
    return story(settings, "first", Outcome(True, ""))


@pytest.fixture(scope="session")
def broken_files(first_night: Story) -> Closed:
    """The second night: ten quantities in words (one in twenty rows may be bad), and an inventory that is no
    Parquet."""
    source = first_night.settings.source
    lines = (source / ORDERS).read_bytes().splitlines(keepends=True)
    (source / ORDERS).write_bytes(
        b"".join(line.replace(b'"quantity":1', b'"quantity":"one"') if n < 10 else line for n, line in enumerate(lines))
    )
    (source / INVENTORY).write_bytes(b"not a Parquet file at all")
    return _closed(first_night, "broken", NIGHTS[1:2])


@pytest.fixture(scope="session")
def mended(broken_files: Closed, simulated: Simulated) -> Story:
    """The two files as they should be; the second and third night in one run each."""
    settings = broken_files.story.settings
    for name in (ORDERS, INVENTORY):
        shutil.copy2(simulated.source / name, settings.source / name)
    return story(settings, "mended", run_well(settings, NIGHTS[1:]))


@pytest.fixture(scope="session")
def planted(mended: Story) -> Closed:
    """A return with goods going out, put into DWD by hand, and the last night once more."""
    with duckdb.connect(str(mended.settings.warehouse)) as con:
        con.execute(
            "insert into dwd.dwd_order_line select * replace ('PL-1' as line_id, 'return' as line_type, 5 as quantity) "
            "from dwd.dwd_order_line limit 1"
        )
    closed = _closed(mended, "planted", NIGHTS[2:])
    with duckdb.connect(str(mended.settings.warehouse)) as con:
        con.execute("delete from dwd.dwd_order_line where line_id = 'PL-1'")
    return closed


@pytest.fixture(scope="session")
def leaked(planted: Closed) -> Closed:
    """A night after the last, with an e-mail address in a product's name, which is published."""
    source = planted.story.settings.source
    night = NIGHTS[2] + timedelta(days=1)
    header, first = (source / f"shop/products/products_{NIGHTS[0]}.csv").read_text(encoding="utf-8").splitlines()[:2]
    names, values = header.split(","), first.split(",")
    values[names.index("title")] = f"Mug for {LEAK}"
    values[names.index("updated_at")] = f"{night}T01:00:00"
    (source / f"shop/products/products_{night}.csv").write_text(f"{header}\n{','.join(values)}\n", encoding="utf-8")
    return _closed(planted.story, "leaked", [night])


def _closed(before: Story, name: str, nights: Sequence[date]) -> Closed:
    published = digest(before.settings.published_database)
    outcome = run(before.settings, nights)
    status = status_page(before.settings).read_text(encoding="utf-8")
    return Closed(story(before.settings, name, outcome), published, digest(before.settings.published_database), status)
