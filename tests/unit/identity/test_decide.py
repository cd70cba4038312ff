"""Person assignment on graphs small enough to draw."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from small_retailer import identifier_policy

from onedata.contracts.identifiers import IdentifierPolicy
from onedata.identity.cluster import Ints
from onedata.identity.decide import RULES, Decided, decide
from onedata.identity.evidence import AGREE, DIFFER, UNKNOWN, Evidence

Pair = tuple[str, str] | tuple[str, str, int]


def integers(values: Sequence[int]) -> Ints:
    return np.array(values, dtype=np.int64)


def compare(left: Ints, right: Ints) -> Ints:
    return np.where((left < 0) | (right < 0), UNKNOWN, np.where(left == right, AGREE, DIFFER))


class Drawn:
    """A graph of nodes named by kind and number (`account1`, `phone2`), decided."""

    def __init__(
        self, *pairs: Pair, names: Mapping[str, str] | None = None, policy: IdentifierPolicy | None = None, **more: Any
    ) -> None:
        policy = policy or identifier_policy()
        self.nodes = sorted({name for pair in pairs for name in pair[:2]} | set(names or {}))
        kinds = [list(policy.types).index(name.rstrip("0123456789")) for name in self.nodes]
        said = sorted(set((names or {}).values()))
        observed = [(self.nodes.index(node), said.index(name), 1) for node, name in (names or {}).items()]
        edges = [
            (self.nodes.index(pair[0]), self.nodes.index(pair[1]), pair[2] if len(pair) > 2 else 1) for pair in pairs
        ]
        a, b, n = (integers([edge[part] for edge in edges]) for part in range(3))
        node, name, often = (integers([item[part] for item in observed]) for part in range(3))
        decided = {key: self._pairs(value) for key, value in more.items() if key in ("merged", "parted")}
        unusable = np.array([name in more.get("blocked", ()) for name in self.nodes], dtype=np.bool_)
        self.decided: Decided = decide(
            Evidence(integers(kinds), unusable, a, b, n, (node, name, often), compare, **decided), policy
        )

    def _pairs(self, pairs: Sequence[tuple[str, str]]) -> tuple[Ints, Ints]:
        a, b = (integers([self.nodes.index(pair[end]) for pair in pairs]) for end in (0, 1))
        return a, b

    def persons(self) -> set[frozenset[str]]:
        labels = self.decided.person
        return {frozenset(np.array(self.nodes)[labels == label]) for label in set(labels[labels >= 0].tolist())}

    def shared(self) -> set[str]:
        return {self.nodes[place] for place in np.flatnonzero(self.decided.shared)}

    def rule(self, node: str) -> str:
        return RULES[self.decided.rule[self.nodes.index(node)]]

    def guards(self) -> set[tuple[str, str]]:
        found = self.decided.guarded
        return {(self.nodes[node], rule) for node, rule in zip(np.concatenate(found.nodes), found.rules, strict=True)}


def one(*names: str) -> frozenset[str]:
    return frozenset(names)


def with_type(name: str, **changed: Any) -> IdentifierPolicy:
    policy = identifier_policy()
    return replace(policy, types={**policy.types, name: replace(policy.types[name], **changed)})


def test_nothing_is_nobody() -> None:
    drawn = Drawn()
    assert drawn.persons() == set()


def test_strong_identifiers_in_a_ring_are_one_person() -> None:
    drawn = Drawn(("account1", "loyalty1"), ("loyalty1", "social1"), ("account1", "social1"))
    assert drawn.persons() == {one("account1", "loyalty1", "social1")}
    assert drawn.rule("account1") == "core"


def test_an_email_joins_accounts_of_which_no_name_is_known() -> None:
    assert Drawn(("account1", "email1"), ("account2", "email1")).persons() == {one("account1", "account2", "email1")}


def test_an_email_of_accounts_whose_names_differ_joins_none_and_goes_to_who_uses_it() -> None:
    drawn = Drawn(("account1", "email1", 9), ("account2", "email1", 1), names={"account1": "anna", "account2": "bert"})
    assert drawn.persons() == {one("account1", "email1"), one("account2")}
    assert ("email1", "names") in drawn.guards()


def test_an_email_that_nobody_uses_most_is_shared() -> None:
    drawn = Drawn(("account1", "email1"), ("account2", "email1"), names={"account1": "anna", "account2": "bert"})
    assert drawn.shared() == {"email1"}


def test_a_phone_unites_two_cores_whose_given_names_agree() -> None:
    drawn = Drawn(("account1", "phone1"), ("loyalty1", "phone1"), names={"account1": "anna", "loyalty1": "anna"})
    assert drawn.persons() == {one("account1", "loyalty1", "phone1")}
    assert {drawn.rule(node) for node in drawn.nodes} == {"bridge"}


def test_a_phone_of_two_names_unites_nobody_and_says_so() -> None:
    drawn = Drawn(("account1", "phone1", 3), ("loyalty1", "phone1", 1), names={"account1": "anna", "loyalty1": "bert"})
    assert drawn.persons() == {one("account1", "phone1"), one("loyalty1")}
    assert ("phone1", "bridge_names") in drawn.guards()


def test_a_phone_with_one_name_known_unites_two_cores_but_not_three() -> None:
    assert len(Drawn(("account1", "phone1"), ("email1", "phone1"), names={"account1": "anna"}).persons()) == 1
    three = Drawn(("account1", "phone1"), ("email1", "phone1"), ("email2", "phone1"), names={"account1": "anna"})
    assert one("account1") in three.persons()


def test_two_of_three_cores_on_a_phone_whose_names_agree_are_one_person() -> None:
    names = {"account1": "anna", "account2": "anna", "account3": "bert"}
    drawn = Drawn(("account1", "phone1"), ("account2", "phone1"), ("account3", "phone1"), names=names)
    assert drawn.persons() == {one("account1", "account2", "phone1"), one("account3")}


def test_a_cookie_unites_nobody_even_of_one_name() -> None:
    drawn = Drawn(("account1", "cookie1"), ("account2", "cookie1"), names={"account1": "anna", "account2": "anna"})
    assert drawn.persons() == {one("account1"), one("account2")}
    assert drawn.shared() == {"cookie1"}


def test_a_weak_identifier_goes_to_the_person_with_most_of_its_observations() -> None:
    drawn = Drawn(("account1", "cookie1", 6), ("account2", "cookie1", 4))
    assert drawn.persons() == {one("account1", "cookie1"), one("account2")}
    assert drawn.rule("cookie1") == "attach"


def test_a_kiosk_is_a_hub_and_links_nothing() -> None:
    drawn = Drawn(*[(f"account{n}", "cookie1") for n in range(100)], ("account0", "loyalty1"))
    assert drawn.shared() == {"cookie1"}
    assert len(drawn.persons()) == 100


def test_a_strong_identifier_that_is_everybodys_links_nothing() -> None:
    drawn = Drawn(*[(f"account{n}", "email1") for n in range(10)])
    assert drawn.persons() == {one(f"account{n}") for n in range(10)}
    assert ("email1", "degree") in drawn.guards()


def test_weak_identifiers_of_guests_are_a_person_of_their_own() -> None:
    drawn = Drawn(("phone1", "payment1"))
    assert drawn.persons() == {one("phone1", "payment1")}
    assert drawn.rule("phone1") == "orphan"


def test_an_orphan_follows_the_one_person_it_reaches() -> None:
    assert Drawn(("account1", "phone1"), ("phone1", "payment1")).persons() == {one("account1", "phone1", "payment1")}


def test_an_orphan_between_two_persons_follows_neither() -> None:
    drawn = Drawn(("account1", "phone1"), ("account2", "phone2"), ("phone1", "payment1"), ("phone2", "payment1"))
    assert drawn.persons() == {one("account1", "phone1"), one("account2", "phone2"), one("payment1")}


def test_a_bridge_that_breaks_a_limit_is_not_made() -> None:
    names = {f"loyalty{n}": "anna" for n in range(3)}
    drawn = Drawn(*[(f"loyalty{n}", "phone1") for n in range(3)], names=names, policy=with_type("loyalty", limit=2))
    assert ("phone1", "bridge_limit") in drawn.guards()
    assert all(len(person) == 1 for person in drawn.persons())


def test_a_person_over_a_limit_loses_its_weakest_links() -> None:
    pairs: list[Pair] = [
        ("account1", "loyalty1"),
        ("account2", "loyalty2"),
        ("account1", "email1"),
        ("account2", "email1"),
    ]
    drawn = Drawn(*pairs, policy=with_type("account", limit=1))
    assert {frozenset(name for name in person if not name.startswith("email")) for person in drawn.persons()} >= {
        one("account1", "loyalty1"), one("account2", "loyalty2")
    }  # fmt: skip


def test_a_merge_by_hand_holds_over_limits() -> None:
    drawn = Drawn(
        ("account1", "loyalty1"),
        ("account2", "loyalty2"),
        merged=[("account1", "account2")],
        policy=with_type("account", limit=1),
    )
    assert len(drawn.persons()) == 1
    assert drawn.rule("account1") == "operator"


def test_a_split_by_hand_cuts_the_weakest_link() -> None:
    drawn = Drawn(
        ("account1", "loyalty1", 9),
        ("loyalty1", "email1", 1),
        ("email1", "account2", 9),
        parted=[("account1", "account2")],
    )
    assert drawn.persons() == {one("account1", "loyalty1"), one("account2", "email1")}


def test_a_split_parts_at_the_phone_and_leaves_an_account_its_email() -> None:
    pairs: list[Pair] = [
        ("account1", "email1"),
        ("account1", "phone1"),
        ("email1", "phone1", 3),
        ("account2", "phone1", 9),
    ]
    drawn = Drawn(*pairs, names={"account1": "anna", "account2": "anna"}, parted=[("account1", "account2")])
    assert any({"account1", "email1"} <= person for person in drawn.persons())


def test_a_blocked_identifier_links_nothing() -> None:
    drawn = Drawn(("account1", "email1"), ("account2", "email1"), blocked=["email1"])
    assert drawn.persons() == {one("account1"), one("account2")}
