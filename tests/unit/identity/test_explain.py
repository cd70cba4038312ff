"""Explanations why two identifiers are one person or not."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from people import ENTITIES, People, policy_with

from onedata.identity import operate
from onedata.identity.decisions import revert
from onedata.identity.explain import Explanation, explain
from onedata.identity.locate import Directory, Located, LocateError, core_kinds
from onedata.identity.person import show
from onedata.identity.review import queue
from onedata.identity.why_not import Parted, why_not
from onedata.landing.vault import open_vault, token_sql

C1, C2, C3 = ("account:shop:C1", "account:shop:C2", "account:shop:C3")


def directory(people: People) -> Directory:
    return Directory(people.con, people.policy, core_kinds(ENTITIES), people.vault)


def explained(people: People, a: str, b: str) -> Explanation:
    known = directory(people)
    return explain(people.con, people.policy, known.find(a), known.find(b))


def parted(people: People, a: str, b: str) -> Parted:
    known = directory(people)
    found = why_not(people.con, people.policy, known.find(a), known.find(b))
    assert found is not None
    return found


def why(people: People, a: str, b: str) -> str:
    """Everything that is told of what lies between the two."""
    return "\n".join(text for crossing in parted(people, a, b).crossings for text in crossing.why)


def scored(people: People, a: str, b: str, weight: float, band: str, veto: str | None = None) -> None:
    """What a scoring run would have left for two identifiers that each are the smallest of their core."""
    parts = json.dumps(
        {
            "before": -9.0,
            "given": {"level": "same", "weight": 7.25},
            "place": {"level": "different", "weight": -3.4},
            "birth": None,
        }
    )
    known = directory(people)
    pair = sorted(known.find(key).id_int for key in (a, b))
    people.con.execute(
        "insert into oneid.prob_edge values (?, ?, ?, ?, ?, 'v1', ?)", [*pair, weight, veto, band, parts]
    )


@pytest.fixture
def people() -> People:
    return People()


def test_two_identifiers_of_one_row_are_one_step(people: People) -> None:
    people.deliver(0, ("C1", "M1"))
    people.deliver(2, ("C1", "M1"), ("C1", "M1"))
    people.resolve(2)
    found = explained(people, C1, "loyalty:M1")
    assert [(step.a, step.b, step.why) for step in found.steps] == [
        (C1, "loyalty:M1", ("seen together on 3 rows of orders from 2026-01-01 to 2026-01-03",))
    ]
    assert found.oneid == people.map()[C1]


def test_each_feed_is_told_of(people: People) -> None:
    people.deliver(0, ("C1", "M1"))
    people.profiles(1, {"customer_id": "C1", "loyalty_id": "M1"})
    people.resolve(1)
    (step,) = explained(people, C1, "loyalty:M1").steps
    assert step.why == (
        "seen together on 1 row of customers on 2026-01-02",
        "seen together on 1 row of orders on 2026-01-01",
    )


def test_the_chain_is_the_shortest(people: People) -> None:
    people.deliver(
        0, ("C1", "M1"), (None, "M1", "S1"), (None, None, "S1", "e1"), ("C2", None, None, "e1"), ("C2", None, "S1")
    )
    people.resolve(0)
    steps = explained(people, C1, C2).steps
    assert [steps[0].a, *(step.b for step in steps)] == [C1, "loyalty:M1", "social:S1", C2]


def test_a_chain_without_weak_identifiers_is_told_before_a_shorter_one(people: People) -> None:
    people.deliver(0, ("C1", "M1", None, None, "p1"), (None, "M1", "S1"), ("C2", None, "S1", None, "p1"))
    people.resolve(0)
    steps = explained(people, C1, C2).steps
    assert [step.b for step in steps] == ["loyalty:M1", "social:S1", C2]


def test_a_bridge_is_a_step_where_nothing_else_unites(tmp_path: Path) -> None:
    people = People(vault=tmp_path / "vault")
    people.deliver(0, ("C1", None, None, None, "p1"), ("C2", None, None, None, "p1"))
    people.profiles(0, {"customer_id": "C1", "full_name": "Ann Li"})
    people.resolve(0)
    assert [step.b for step in explained(people, C1, C2).steps] == ["phone:p1", C2]


def test_a_merge_by_hand_is_told_with_who_and_why(people: People) -> None:
    people.deliver(0, ("C1", "M1"), ("C2", "M2"))
    people.resolve(0)
    operate.merge(directory(people), C1, C2, "wrote in, ticket 4711", "ann")
    assert any("not applied yet" in note for note in explained(people, C1, C2).notes)
    people.resolve(1)
    found = explained(people, "loyalty:M1", "loyalty:M2")
    assert found.steps[1].why[0].startswith("made one person by decision 1 of ann on ")
    assert found.steps[1].why[0].endswith(": wrote in, ticket 4711")
    assert found.notes == ()


def test_a_score_is_told_with_its_parts(people: People) -> None:
    said = [{"customer_id": name, "city": "Xi'an"} for name in ("C1", "C2")]
    people.profiles(0, *said)
    people.resolve(0)
    scored(people, C1, C2, 9.5, "link")
    people.profiles(1, *said)
    people.resolve(1)
    (step,) = explained(people, C1, C2).steps
    assert step.why == (
        "their profiles score 9.5 (99.9% likely one person), sure enough to link: given same +7.2, place different "
        "-3.4, prior -9.0",
    )


def test_two_persons_have_no_chain(people: People) -> None:
    people.deliver(0, ("C1",), ("C2",))
    people.resolve(0)
    assert explained(people, C1, C2) == Explanation(None, None, (), ())


def test_an_old_oneid_is_explained_by_what_it_was_made_from(people: People) -> None:
    people.deliver(0, ("C1",), ("C2",))
    people.resolve(0)
    old = max(people.map().items(), key=lambda item: item[0])[1]
    people.deliver(1, ("C1", "M1"), ("C2", "M1"))
    people.resolve(1)
    found = directory(people).find(old)
    assert (found.key, found.oneid, found.asked) == (C2, people.map()[C1], old)
    assert [step.b for step in explained(people, old, C1).steps] == ["loyalty:M1", C1]


def test_a_raw_value_is_found_by_its_token_however_it_is_written(tmp_path: Path) -> None:
    people = People(vault=tmp_path / "vault")
    with open_vault(people.con, tmp_path / "vault"):
        row = people.con.execute(
            f"select {token_sql(repr('ann@shop.cn'))}, {token_sql(repr('+8613912345678'))}"
        ).fetchone()
    assert row is not None
    people.deliver(0, ("C1", None, None, row[0], row[1]))
    people.resolve(0)
    known = directory(people)
    for typed in (" Ann@Shop.CN", "email:ann@shop.cn", f"email:{row[0]}"):
        assert known.find(typed).key == f"email:{row[0]}"
    for typed in ("139 1234 5678", "phone:+86-139-1234-5678"):
        assert known.find(typed).key == f"phone:{row[1]}"


def test_what_is_not_known_is_told_with_what_could_be_meant(people: People) -> None:
    people.deliver(0, ("C1",))
    people.resolve(0)
    with pytest.raises(LocateError, match="no identifier account:C1; did you mean account:shop:C1"):
        directory(people).find("account:C1")
    with pytest.raises(LocateError, match="its type one of account, loyalty"):
        directory(people).find("nobody")
    with pytest.raises(LocateError, match="was ever issued"):
        directory(people).find("P" + "0" * 20)


def test_a_shared_identifier_on_the_way_is_told_with_its_limit() -> None:
    people = People(policy=policy_with("loyalty", degree=2))
    people.deliver(0, *[(f"C{n}", "M1") for n in range(1, 5)])
    people.resolve(0)
    assert [(step.a, step.b) for step in parted(people, C1, C2).crossings] == [(C1, "loyalty:M1"), ("loyalty:M1", C2)]
    assert (
        "loyalty:M1 is shared, it unites nobody: on 2026-01-01 it was seen with 4 identifiers of one strong kind, more "
        "than the 2 allowed" in why(people, C1, C2)
    )
    assert why(people, C1, C2).count("is shared") == 1


def test_names_that_differ_are_told(tmp_path: Path) -> None:
    people = People(vault=tmp_path / "vault")
    people.deliver(0, ("C1", None, None, None, "p1"), ("C1", None, None, None, "p1"), ("C2", None, None, None, "p1"))
    people.profiles(0, {"customer_id": "C1", "full_name": "Ann Li"}, {"customer_id": "C2", "full_name": "Bob Li"})
    people.resolve(0)
    told = why(people, C1, C2)
    assert "phone:p1: on 2026-01-01 it was seen with 2 persons, some of whose given names differ" in told
    assert f"phone:p1 belongs to {people.map()[C1]}; a phone unites only persons whose given names agree" in told


def test_a_blocked_identifier_is_told_with_who_and_why(people: People) -> None:
    people.deliver(0, ("C1", "M1"), ("C2", "M1"))
    people.resolve(0)
    number = operate.block(directory(people), "loyalty:M1", "the till's own card", "ann").decision_id
    people.resolve(1)
    assert f"loyalty:M1 blocked by decision {number} of ann" in why(people, C1, C2)
    revert(people.con, number)
    people.resolve(2)
    assert why_not(people.con, people.policy, directory(people).find(C1), directory(people).find(C2)) is None


def test_a_split_is_told_and_where_it_cut(people: People) -> None:
    people.deliver(0, ("C1", "M1"), ("C1", "M1"), ("C2", "M1"), ("C2", None, None, "e2"))
    people.resolve(0)
    operate.split(directory(people), C1, C2, "father and son", "ann")
    people.resolve(1)
    found = parted(people, C1, "email:e2")
    assert [(step.a, step.b) for step in found.crossings] == [("loyalty:M1", C2)]
    assert found.decisions[0].startswith(f"{C1} and {C2}: made two persons by decision 1 of ann")
    assert found.decisions[0].endswith(": father and son")


def test_the_way_goes_over_other_persons(people: People) -> None:
    people.policy = policy_with("loyalty", degree=1)
    people.deliver(0, ("C1", "M1"), ("C2", "M1"), ("C2", "M2"), ("C3", "M2"))
    people.resolve(0)
    steps = parted(people, C1, C3).crossings
    assert [steps[0].a, *(step.b for step in steps)] == [C1, "loyalty:M1", C2, "loyalty:M2", C3]


def test_no_evidence_at_all_is_told(people: People) -> None:
    people.deliver(0, ("C1", "M1"), ("C2", "M2"))
    people.resolve(0)
    assert parted(people, C1, C2) == Parted((), (), (), ())


def test_a_score_for_review_and_a_veto_are_told(people: People) -> None:
    people.deliver(0, ("C1",), ("C2",), ("C3",))
    people.resolve(0)
    scored(people, C1, C2, 2.0, "review")
    scored(people, C1, C3, 11.0, "vetoed", veto="given name")
    assert (
        "their profiles score 2.0 (80.0% likely one person), not sure enough to link"
        in parted(people, C1, C2).scores[0]
    )
    assert "their given name contradicts, whatever else agrees" in parted(people, C1, C3).scores[0]


def test_the_review_queue_has_undecided_pairs_the_likeliest_first(people: People) -> None:
    people.deliver(0, ("C1", "M1"), ("C2", "M2"), ("C3",))
    people.resolve(0)
    scored(people, C1, C2, 2.0, "review")
    scored(people, C1, C3, 4.0, "review")
    scored(people, C2, C3, 9.0, "vetoed", veto="gender")
    pairs, total = queue(people.con, 1)
    assert ([(pair.key_a, pair.key_b, pair.weight) for pair in pairs], total) == ([(C1, C3, 4.0)], 2)
    operate.split(directory(people), "loyalty:M1", C3, "two", "ann")
    assert [pair.key_b for pair in queue(people.con, 9)[0]] == [C2]
    operate.merge(directory(people), "loyalty:M1", "loyalty:M2", "one", "ann")
    assert queue(people.con, 9) == ([], 0)


def test_a_person_is_shown_with_what_happened_to_it(people: People) -> None:
    people.deliver(0, ("C1",), ("C2",))
    people.resolve(0)
    old, kept = people.map()[C2], people.map()[C1]
    people.deliver(1, ("C1", "M1"), ("C2", "M1"))
    people.resolve(1)
    shown = show(people.con, directory(people).find(C2))
    assert (shown.oneid, shown.once) == (kept, (old,))
    assert [(held.key, held.rule) for held in shown.identifiers] == [(C1, "core"), (C2, "core"), ("loyalty:M1", "core")]
    assert f"2026-01-02 {old} is {kept} from now on, 1 identifier (core {C2})" in shown.events
    assert shown.versions == (f"{old} from 2026-01-01 to 2026-01-02", f"{kept} from 2026-01-02")


def test_an_identifier_that_is_nobodys_is_shown_with_why() -> None:
    people = People(policy=policy_with("loyalty", degree=2))
    people.deliver(0, *[(f"C{n}", "M1") for n in range(1, 5)])
    people.resolve(0)
    shown = show(people.con, directory(people).find("loyalty:M1"))
    assert (shown.oneid, shown.identifiers) == (None, ())
    assert shown.notes[:2] == (
        "it was seen with 4 other identifiers",
        "it is shared: it belongs to no person and unites nobody",
    )
    assert "more than the 2 allowed" in shown.notes[2]


def test_a_oneid_that_is_nobodys_today_is_told() -> None:
    people = People(policy=policy_with("loyalty", degree=2))
    people.deliver(0, (None, "M1"))
    people.resolve(0)
    oneid = people.map()["loyalty:M1"]
    people.deliver(1, *[(f"C{n}", "M1") for n in range(1, 5)])
    people.resolve(1)
    with pytest.raises(LocateError, match="belongs to no person today"):
        directory(people).find(oneid)


def test_located_is_what_it_says(people: People) -> None:
    people.deliver(0, ("C1",))
    people.resolve(0)
    assert directory(people).find(C1) == Located(0, C1, "ok", people.map()[C1])
