"""The queries in README and how-to guides run unchanged on a home after real nights."""

import re
import subprocess
import sys
from pathlib import Path

import pytest
from support import REPOSITORY, Story

QUERY = re.compile(r"```sh\n(\.venv/bin/python - <<'PY'\n.*?\nPY\n)```", re.DOTALL)
BLOCKS = [
    (page, block)
    for page in ("README.md", "docs/howto/query.md")
    for block in QUERY.findall((REPOSITORY / page).read_text(encoding="utf-8"))
]


def test_there_are_queries_to_run() -> None:
    assert {page for page, _ in BLOCKS} == {"README.md", "docs/howto/query.md"}


@pytest.mark.parametrize(("page", "block"), BLOCKS, ids=[f"{page}-{n}" for n, (page, _) in enumerate(BLOCKS)])
def test_a_query_that_is_shown_runs_and_finds_rows(page: str, block: str, one_by_one: Story, tmp_path: Path) -> None:
    (tmp_path / "data").symlink_to(one_by_one.settings.home)
    (tmp_path / ".venv").symlink_to(sys.prefix)
    done = subprocess.run(["bash", "-c", block], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, ""), page
    assert done.stdout.count("│") > 4
    assert "0 rows" not in done.stdout
