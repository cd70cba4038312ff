"""Operators' decisions on persons: they are applied, survive every rebuild, and can be revoked."""

from __future__ import annotations

import contextlib
from pathlib import Path

import numpy as np
import pytest
from people import ENTITIES, People, policy_with

from onedata.identity import operate
from onedata.identity.decisions import DecisionError, decide_by_hand, revert
from onedata.identity.locate import Directory, LocateError, core_kinds
from onedata.identity.take_in import RESTORED, STAGE
from onedata.ledger.applied import move_applied

C1, C2, C3 = ("account:shop:C1", "account:shop:C2", "account:shop:C3")


def directory(people: People) -> Directory:
    return Directory(people.con, people.policy, core_kinds(ENTITIES), people.vault)


def merge(people: People, a: str, b: str) -> int:
    return operate.merge(directory(people), a, b, "they said so", "ann").decision_id


def split(people: People, a: str, b: str) -> int:
    return operate.split(directory(people), a, b, "father and son", "ann").decision_id


def block(people: People, key: str) -> int:
    return operate.block(directory(people), key, "our hotline", "ann").decision_id


@pytest.fixture
def two() -> People:
    """Two persons that nothing connects."""
    people = People()
    people.deliver(0, ("C1", "M1"), ("C2", "M2"))
    people.resolve(0)
    return people


@pytest.fixture
def chain() -> People:
    """One person, of C1 and C2 by a loyalty number that stood mostly with C1."""
    people = People()
    people.deliver(0, ("C1", "M1"), ("C1", "M1"), ("C1", "M1"), ("C2", "M1"))
    people.resolve(0)
    return people


def test_a_merge_makes_one_person_of_two(two: People) -> None:
    merge(two, C1, C2)
    assert len(two.persons()) == 2, "a decision waits for the next run"
    assert two.resolve(1).merged == 1
    assert two.persons() == {frozenset({C1, C2, "loyalty:M1", "loyalty:M2"})}


def test_a_rebuild_leaves_a_decision_to_the_next_run(two: People) -> None:
    """The state that was restored had not seen it: carried out by the rebuild, it would hold from another night."""
    merge(two, C1, C2)
    before = two.con.execute("from oneid.oneid_map order by all").fetchall()
    two.con.execute("delete from oneid.identity_edge; delete from oneid.identifier_profile")
    move_applied(two.con, STAGE, RESTORED)
    assert two.resolve(0).merged == 0
    assert two.con.execute("from oneid.oneid_map order by all").fetchall() == before
    assert two.resolve(1).merged == 1


def test_a_rebuild_that_goes_on_with_new_deliveries_carries_decisions_out(two: People) -> None:
    merge(two, C1, C2)
    two.con.execute("delete from oneid.identity_edge; delete from oneid.identifier_profile")
    move_applied(two.con, STAGE, RESTORED)
    two.deliver(1, ("C3", "M3"))
    assert two.resolve(1).merged == 1


def test_a_merge_survives_a_full_rebuild(two: People) -> None:
    merge(two, C1, C2)
    two.resolve(1)
    before = two.map()
    two.resolve(2, full=True)
    assert two.map() == before


def test_a_merge_that_is_taken_back_leaves_the_persons_as_they_were(two: People) -> None:
    before, first = two.persons(), two.map()[C1]
    number = merge(two, C1, C2)
    two.resolve(1)
    revert(two.con, number)
    assert len(two.persons()) == 1
    two.resolve(2)
    assert two.persons() == before
    assert two.map()[C1] == first


def test_a_merge_goes_over_the_limit_of_a_kind() -> None:
    people = People(policy=policy_with("account", limit=1))
    people.deliver(0, ("C1", "M1"), ("C2", "M2"))
    people.resolve(0)
    merge(people, C1, C2)
    people.resolve(1)
    assert people.map()[C1] == people.map()[C2]
    people.resolve(2, full=True)
    assert people.map()[C1] == people.map()[C2]


def test_a_oneid_is_stored_as_a_strong_identifier_of_its_person(two: People) -> None:
    decision = operate.merge(directory(two), two.map()[C1], two.map()[C2], "they said so", "ann")
    assert (decision.key_a, decision.key_b) == (C1, C2)


def test_an_old_oneid_stands_for_the_person_it_became(two: People) -> None:
    gone = two.map()[C2]
    merge(two, C1, C2)
    two.deliver(1, ("C3",))
    two.resolve(1)
    decision = operate.merge(directory(two), gone, C3, "they said so", "ann")
    assert {decision.key_a, decision.key_b} == {C2, C3}


def test_a_weak_identifier_of_a_merge_gives_way_to_a_strong_one() -> None:
    people = People()
    people.deliver(0, ("C1", None, None, None, "p1"), ("C2",))
    people.resolve(0)
    decision = operate.merge(directory(people), "phone:p1", C2, "they said so", "ann")
    assert (decision.key_a, decision.key_b) == (C1, C2)


def test_a_merge_of_a_person_without_a_strong_identifier_is_refused(two: People) -> None:
    two.deliver(1, (None, None, None, None, "p9"))
    two.resolve(1)
    with pytest.raises(
        DecisionError,
        match=r"phone:p9 belongs to a person without a strong identifier \(account, loyalty, social, email\)",
    ):
        merge(two, "phone:p9", C1)


def test_a_merge_of_a_shared_identifier_is_refused() -> None:
    people = People(policy=policy_with("loyalty", degree=2))
    people.deliver(0, *[(f"C{n}", "M1") for n in range(1, 5)])
    people.resolve(0)
    with pytest.raises(DecisionError, match="loyalty:M1 is shared and belongs to nobody"):
        merge(people, "loyalty:M1", C1)


def test_a_split_cuts_where_the_evidence_is_weakest(chain: People) -> None:
    split(chain, C1, C2)
    assert chain.resolve(1).split == 1
    assert chain.persons() == {frozenset({C1, "loyalty:M1"}), frozenset({C2})}


def test_a_split_survives_a_full_rebuild_and_new_evidence(chain: People) -> None:
    split(chain, C1, C2)
    chain.resolve(1)
    before = chain.map()
    chain.resolve(2, full=True)
    assert chain.map() == before
    chain.deliver(3, ("C2", "M1"))
    chain.resolve(3)
    assert chain.map() == before


def test_a_split_that_is_taken_back_brings_the_person_back_under_the_same_id(chain: People) -> None:
    before = chain.map()
    number = split(chain, C1, C2)
    chain.resolve(1)
    revert(chain.con, number)
    assert chain.resolve(2).merged == 1
    assert chain.map() == before


def test_a_split_cuts_rows_and_not_what_an_operator_merged(two: People) -> None:
    two.deliver(1, ("C2", "M2"), ("C2", "M2"))
    merge(two, C1, C2)
    split(two, C1, "loyalty:M2")
    two.resolve(1)
    assert two.persons() == {frozenset({C1, "loyalty:M1", C2}), frozenset({"loyalty:M2"})}


def test_a_split_of_what_was_merged_holds_when_the_merge_is_taken_back(two: People) -> None:
    number = merge(two, C1, C2)
    split(two, "loyalty:M1", "loyalty:M2")
    two.resolve(1)
    assert two.map()["loyalty:M1"] != two.map()["loyalty:M2"]
    revert(two.con, number)
    two.resolve(2)
    assert two.persons() == {frozenset({C1, "loyalty:M1"}), frozenset({C2, "loyalty:M2"})}


def test_a_split_of_one_oneid_is_refused(chain: People) -> None:
    oneid = chain.map()[C1]
    with pytest.raises(DecisionError, match="name the two of its identifiers that are to part"):
        split(chain, oneid, oneid)


def test_a_block_parts_what_the_identifier_held_together_and_taking_it_back_unites_it(chain: People) -> None:
    before = chain.map()
    number = block(chain, "loyalty:M1")
    chain.resolve(1)
    assert chain.persons() == {frozenset({C1}), frozenset({C2})}
    assert chain.con.execute("select status from oneid.identifier where identity_key = 'loyalty:M1'").fetchone() == (
        "blocked",
    )
    chain.resolve(2, full=True)
    assert chain.persons() == {frozenset({C1}), frozenset({C2})}
    revert(chain.con, number)
    chain.resolve(3)
    assert chain.map() == before


def test_a_blocked_phone_unites_no_more_and_unites_again(tmp_path: Path) -> None:
    people = People(vault=tmp_path / "vault")
    people.deliver(0, ("C1", None, None, None, "p1"), ("C2", None, None, None, "p1"))
    people.profiles(0, {"customer_id": "C1", "full_name": "Ann Li"})
    people.resolve(0)
    before = people.map()
    assert len(people.persons()) == 1
    number = block(people, "phone:p1")
    people.resolve(1)
    assert people.persons() == {frozenset({C1}), frozenset({C2})}
    revert(people.con, number)
    people.resolve(2)
    assert people.map() == before


def test_what_is_blocked_leaves_its_person_though_scores_decide_anew(tmp_path: Path) -> None:
    people = People(vault=tmp_path / "vault")
    people.deliver(0, ("C1", None, None, None, "p1"), ("C2", None, None, None, "p1"))
    people.profiles(0, {"customer_id": "C1", "full_name": "Ann Li"}, {"customer_id": "C2", "full_name": "Ann Li"})
    people.resolve(0)
    block(people, "phone:p1")
    people.resolve(1)
    assert "phone:p1" not in people.map()


def test_a_merge_holds_again_when_the_block_of_its_identifier_is_taken_back(two: People) -> None:
    merge(two, C1, C2)
    number = block(two, C1)
    two.resolve(1)
    assert C1 not in two.map()
    revert(two.con, number)
    two.resolve(2)
    assert two.map()[C1] == two.map()[C2]


def test_a_block_of_a_shared_identifier_that_is_taken_back_leaves_it_shared() -> None:
    people = People(policy=policy_with("loyalty", degree=2))
    people.deliver(0, *[(f"C{n}", "M1") for n in range(1, 5)])
    people.resolve(0)
    number = block(people, "loyalty:M1")
    people.resolve(1)
    revert(people.con, number)
    people.resolve(2)
    assert people.con.execute("select status from oneid.identifier where identity_key = 'loyalty:M1'").fetchone() == (
        "shared",
    )
    assert len(people.persons()) == 4


def test_a_block_takes_an_identifier_and_no_oneid(two: People) -> None:
    with pytest.raises(DecisionError, match="what is blocked is one identifier"):
        block(two, two.map()[C1])


def test_a_decision_is_carried_out_on_what_it_touches_alone(two: People) -> None:
    two.deliver(1, *[(f"X{n}", f"Y{n}") for n in range(50)])
    two.resolve(1)
    merge(two, C1, C2)
    assert two.resolve(2).decided == 4
    assert two.resolve(3).decided == 0


def test_a_second_decision_on_the_same_pair_is_refused_until_the_first_is_taken_back(two: People) -> None:
    number = merge(two, C1, C2)
    with pytest.raises(DecisionError, match=f"onedata identity revert {number}"):
        split(two, C2, C1)
    revert(two.con, number)
    split(two, C2, C1)


def test_a_decision_that_is_not_there_cannot_be_taken_back(two: People) -> None:
    number = merge(two, C1, C2)
    revert(two.con, number)
    for missing in (number, 99):
        with pytest.raises(DecisionError, match=f"no standing decision {missing}"):
            revert(two.con, missing)


def test_a_decision_on_what_is_not_known_is_refused(two: People) -> None:
    with pytest.raises(LocateError, match="no identifier account:shop:C9"):
        merge(two, C1, "account:shop:C9")
    with pytest.raises(DecisionError, match="no identifier"):
        decide_by_hand(two.con, "merge", C1, "account:shop:C9", "", "ann")


@pytest.mark.parametrize("seed", range(3))
def test_decisions_on_the_way_end_as_a_full_rebuild_does(seed: int) -> None:
    rng = np.random.default_rng(seed)
    people = People()
    taken: list[int] = []

    def one(prefix: str, share: float) -> str | None:
        return f"{prefix}{rng.integers(0, 15)}" if rng.random() < share else None

    for day in range(6):
        people.deliver(day, *[(one("C", 0.6), one("M", 0.2), None, one("e", 0.2), one("p", 0.2)) for _ in range(8)])
        people.resolve(day)
        keys = sorted(people.map())
        for kind in rng.permutation(["merge", "split", "block"])[:2]:
            a, b = rng.choice(keys, 2, replace=False)
            with contextlib.suppress(DecisionError):  # the dice said the opposite before
                taken.append(
                    decide_by_hand(people.con, kind, a, None if kind == "block" else b, "random", "dice").decision_id
                )
        if rng.random() < 0.5:
            revert(people.con, taken.pop(int(rng.integers(len(taken)))))
    people.resolve(6)
    before = people.persons()
    status = people.con.execute("select identity_key, status from oneid.identifier order by all").fetchall()
    people.resolve(7, full=True)
    assert people.persons() == before
    assert people.con.execute("select identity_key, status from oneid.identifier order by all").fetchall() == status
