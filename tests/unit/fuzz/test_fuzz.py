"""A few hundred mutated files of every format, and texts that Hypothesis thinks of, through the real landing: no crash,
no row unaccounted for.

`benchmarks/fuzz.py` does the same with as many as one likes.
"""

from __future__ import annotations

import csv
import io
import json
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
from fuzz_landing import NIGHT, Arena, Input, Verdict, arena, make_inputs
from fuzz_samples import Target, made_targets, real_targets
from hypothesis import given, settings
from hypothesis import strategies as st
from support import shared_data

SEED, EACH = 20260105, 20
MADE = {target.name: target for target in made_targets(SEED)}
texts = st.text(st.characters(codec="utf-8"), max_size=30)
values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | texts,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3),
)
few, fewer = (settings(max_examples=examples, deadline=None, derandomize=True) for examples in (6, 2))


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Arena]:
    with arena(tmp_path_factory.mktemp("fuzz"), list(MADE.values())) as made:
        yield made


@pytest.mark.parametrize("name", MADE)
def test_mutated_files_are_accounted_for_to_the_row(world: Arena, name: str) -> None:
    verdict = world.judge(MADE[name], make_inputs(MADE[name], SEED, 0, EACH))
    assert verdict.faults == []
    assert verdict.outcomes.total() == EACH
    assert world.strays() == []


def test_mutated_real_files_are_accounted_for_to_the_row(tmp_path: Path) -> None:
    targets = real_targets(shared_data("shopify").parent)
    with arena(tmp_path, targets) as world:
        found = {target.name: world.judge(target, make_inputs(target, SEED, 0, EACH // 4)).faults for target in targets}
    assert found == {target.name: [] for target in targets}


def test_mutations_reach_every_fate(world: Arena) -> None:
    """Were each input unreadable, or none, the others would prove little."""
    outcomes: Counter[str] = Counter()
    for name in ("csv", "jsonl", "xml"):
        outcomes += world.judge(MADE[name], make_inputs(MADE[name], SEED, 100, 40)).outcomes
    assert {
        "accepted whole",
        "some rows quarantined",
        "some rows duplicate",
        "unreadable",
        "repeated",
    } <= outcomes.keys()


@few
@given(notes=st.lists(st.lists(texts, min_size=1, max_size=5), min_size=1, max_size=10))
def test_any_text_in_a_csv_is_accounted_for(world: Arena, notes: list[list[str]]) -> None:
    assert _judged(world, MADE["csv"], [_csv(number, rows) for number, rows in enumerate(notes)]).faults == []


@few
@given(lines=st.lists(st.text(st.sampled_from("a1,;\"'\\ \n\r\t\x00\ufeff日"), max_size=80), min_size=1, max_size=10))
def test_any_lines_below_a_csv_header_are_accounted_for(world: Arena, lines: list[str]) -> None:
    assert (
        _judged(world, MADE["csv"], [b"id,order,score,note,answered\n" + text.encode() for text in lines]).faults == []
    )


@few
@given(documents=st.lists(st.lists(values, max_size=4), min_size=1, max_size=10))
@pytest.mark.parametrize("name", ["jsonl", "json"])
def test_any_json_is_accounted_for(world: Arena, name: str, documents: list[list[Any]]) -> None:
    written = [json.dumps(some) if name == "json" else "\n".join(map(json.dumps, some)) for some in documents]
    assert _judged(world, MADE[name], [text.encode() for text in written]).faults == []


@few
@given(
    members=st.lists(
        st.dictionaries(texts | st.sampled_from(["id", "order", "score", "note"]), values, max_size=6),
        min_size=1,
        max_size=10,
    )
)
def test_any_member_of_a_document_is_accounted_for(world: Arena, members: list[dict[str, Any]]) -> None:
    assert (
        _judged(
            world, MADE["jsonl"], [json.dumps(document, ensure_ascii=False).encode() for document in members]
        ).faults
        == []
    )


@few
@given(lines=st.lists(values, min_size=1, max_size=10))
def test_anything_in_the_place_of_an_array_is_accounted_for(world: Arena, lines: list[Any]) -> None:
    documents = [
        json.dumps({"id": f"O{number}", "at": "2026-01-05", "lines": value}) for number, value in enumerate(lines)
    ]
    assert _judged(world, MADE["jsonl_lines"], [text.encode() for text in documents]).faults == []


@fewer
@given(contents=st.lists(st.binary(max_size=60), min_size=5, max_size=10))
@pytest.mark.parametrize("name", MADE)
def test_any_bytes_are_accounted_for(world: Arena, name: str, contents: list[bytes]) -> None:
    assert _judged(world, MADE[name], contents).faults == []


def _judged(world: Arena, target: Target, contents: Sequence[bytes]) -> Verdict:
    return world.judge(
        target,
        [Input(f"{target.name}/{NIGHT}_{number}.{target.suffix}", content) for number, content in enumerate(contents)],
    )


def _csv(number: int, notes: Sequence[str]) -> bytes:
    stream = io.StringIO(newline="")
    writer = csv.writer(stream, lineterminator="\n")
    writer.writerow(["id", "order", "score", "note", "answered"])
    writer.writerows([f"Z{number:07d}Z{row:02d}", "O1", 1, note, ""] for row, note in enumerate(notes))
    return stream.getvalue().encode()
