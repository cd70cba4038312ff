"""The review queue as a table, and the numbers behind its charts."""

from __future__ import annotations

import pytest
from people import People

from onedata.identity.decisions import decide_by_hand
from onedata.identity.review import largest_persons, save_queue, score_distribution, shared_by_kind, size_distribution


@pytest.fixture
def people() -> People:
    """Three persons; two pairs of them are worth a look."""
    found = People()
    found.deliver(0, ("C1", "M1", None, None), ("C2", None, None, None), ("C3", None, None, None))
    found.resolve(0)
    ids = dict(found.con.execute("select identity_key, id_int from oneid.identifier").fetchall())
    one, two, three = (ids[f"account:shop:C{number}"] for number in (1, 2, 3))
    for pair, weight, band in (
        ((one, two), 2.5, "review"),
        ((one, three), 3.5, "review"),
        ((two, three), 9.0, "vetoed"),
    ):
        found.con.execute(
            "insert into oneid.prob_edge values (?, ?, ?, null, ?, 'v1', 'name')", [*sorted(pair), weight, band]
        )
    return found


def test_the_likeliest_pair_comes_first_with_the_commands_that_decide_it(people: People) -> None:
    assert save_queue(people.con) == 2
    rows = people.con.execute(
        "select place, key_a, key_b, weight, to_merge, to_keep_apart from oneid.review order by place"
    ).fetchall()
    assert [(row[0], row[1], row[2], row[3]) for row in rows] == [
        (1, "account:shop:C1", "account:shop:C3", 3.5),
        (2, "account:shop:C1", "account:shop:C2", 2.5),
    ]
    assert rows[0][4:] == tuple(
        f"onedata identity {what} 'account:shop:C1' 'account:shop:C3' --reason '...'" for what in ("merge", "split")
    )


def test_a_pair_that_was_decided_leaves_the_queue(people: People) -> None:
    save_queue(people.con)
    decide_by_hand(people.con, "split", "account:shop:C1", "account:shop:C3", "two people", "me")
    assert save_queue(people.con) == 1


def test_scores_are_counted_by_whole_weight_and_band(people: People) -> None:
    labels, bands = score_distribution(people.con)
    assert labels == ["2", "3", "4", "5", "6", "7", "8", "9"]
    assert bands == {"link": [0] * 8, "review": [1, 1, 0, 0, 0, 0, 0, 0], "vetoed": [0, 0, 0, 0, 0, 0, 0, 1]}


def test_without_scores_there_is_nothing_to_draw() -> None:
    assert score_distribution(People().con) == ([], {"link": [], "review": []})


def test_persons_are_counted_by_size_and_the_largest_together(people: People) -> None:
    assert size_distribution(people.con) == (["1", "2"], {"persons": [2, 1]})
    assert size_distribution(people.con, most=1) == (["1+"], {"persons": [3]})


def test_the_largest_persons_are_told_with_their_kinds(people: People) -> None:
    assert largest_persons(people.con, 1) == [(people.map()["loyalty:M1"], 2, "1 account, 1 loyalty")]


def test_shared_identifiers_are_counted_by_kind(people: People) -> None:
    people.con.execute("update oneid.identifier set status = 'shared' where identity_key = 'account:shop:C2'")
    assert shared_by_kind(people.con) == [("account", 3, 1, 33.33), ("loyalty", 1, 0, 0.0)]
