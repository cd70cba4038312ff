"""Decide who is one person: cores of strong identifiers, name-checked bridges, scored links, attached weak identifiers.
Pure: arrays in, arrays out.

Source: docs/reference/identity.md ("core + attach + name-checked bridge"). Every decision depends only on connected
evidence, so a part of the graph that no other evidence touches can be decided alone: a night decides what it touched.
"""

from dataclasses import dataclass, field

import numpy as np

from onedata.contracts.identifiers import IdentifierPolicy
from onedata.identity.cluster import Bools, Ints, limited_components, neighbours_of_kind
from onedata.identity.components import components
from onedata.identity.cuts import cut_apart
from onedata.identity.evidence import AGREE, DIFFER, UNKNOWN, Evidence
from onedata.identity.observations import Touches, core_pairs, modal_names, seen_with, summed

OK, SHARED, BLOCKED = "ok", "shared", "blocked"
CORE, BRIDGE, SCORE, OPERATOR, ATTACH, ORPHAN = RULES = ("core", "bridge", "score", "operator", "attach", "orphan")
ATTACH_SHARE = 0.6
MOST_CORES = 5


@dataclass
class Guarded:
    """Links that were not made: the node, the rule, what was observed and what is allowed."""

    nodes: list[Ints] = field(default_factory=list)
    rules: list[str] = field(default_factory=list)
    observed: list[Ints] = field(default_factory=list)
    allowed: list[Ints] = field(default_factory=list)

    def add(self, rule: str, nodes: Ints, observed: Ints, allowed: Ints) -> None:
        self.nodes.append(nodes)
        self.rules += [rule] * len(nodes)
        self.observed.append(observed)
        self.allowed.append(allowed)


@dataclass(frozen=True)
class Decided:
    """For each node its person (-1: none), the rule (position in RULES) and whether it is SHARED; `hub` nodes link
    nothing at all.

    `cores` are the labels before the scored links, -1 for weak nodes; profiles are built from them.
    """

    person: Ints
    rule: Ints
    shared: Bools
    hub: Bools
    cores: Ints
    guarded: Guarded


def decide(evidence: Evidence, policy: IdentifierPolicy) -> Decided:
    """Decide every node of the evidence."""
    guarded = Guarded()
    hub = _hubs(evidence, policy, guarded)
    usable = ~(evidence.unusable | hub)
    kinds = list(policy.types.values())
    strong = usable & np.array([kind.strong for kind in kinds])[evidence.kinds]
    cores, conflicting = _cores(evidence, policy, strong, guarded)
    touches = seen_with(evidence, usable & ~(strong & ~conflicting), cores)
    bridged = _bridges(evidence, policy, touches, cores, guarded)
    persons, rule_of = _persons(evidence, policy, cores, bridged, guarded)
    in_core = cores >= 0
    person, rule = np.full(evidence.size, -1, dtype=np.int64), np.full(evidence.size, RULES.index(CORE), dtype=np.int64)
    person[in_core] = persons[cores[in_core]]
    rule[in_core] = rule_of[person[in_core]]
    shared = hub.copy()
    _attach(evidence, touches, persons, person, rule, shared, guarded)
    _orphans(evidence, policy, usable, touches, person, rule, guarded)
    costs = _cost_of_cutting(evidence, policy)
    person = cut_apart(
        person, evidence.a, evidence.b, costs, _bonds(evidence, person, int(costs.sum()) + 1), evidence.parted
    )
    return Decided(person, rule, shared, hub, cores, guarded)


def evidence_components(evidence: Evidence, hub: Bools) -> Ints:
    """Components of nodes connected by any evidence, except nodes that link nothing."""
    out = evidence.unusable | hub
    a = np.concatenate([evidence.a, evidence.scored[0], evidence.merged[0], evidence.parted[0]])
    b = np.concatenate([evidence.b, evidence.scored[1], evidence.merged[1], evidence.parted[1]])
    both = ~(out[a] | out[b])
    return components(evidence.size, a[both], b[both])


def _cost_of_cutting(evidence: Evidence, policy: IdentifierPolicy) -> Ints:
    """Cost of each pair on one row: the square of its weaker identifier's weight, for each row up to five, since a
    phone on many rows is still one phone."""
    weights = np.array([kind.weight for kind in policy.types.values()])[evidence.kinds]
    costs: Ints = np.ceil(np.minimum(weights[evidence.a], weights[evidence.b]) ** 2 * np.minimum(evidence.n, 5)).astype(
        np.int64
    )
    return costs


def _bonds(evidence: Evidence, person: Ints, most: int) -> tuple[Ints, Ints, Ints]:
    """Scored and decided links, and the cost of cutting each: an operator's costs `most`, more than all rows
    together."""
    a, b = (
        np.concatenate([evidence.scored[0], evidence.merged[0]]),
        np.concatenate([evidence.scored[1], evidence.merged[1]]),
    )
    cost = np.repeat([1, most], [len(evidence.scored[0]), len(evidence.merged[0])])
    holds = person[a] == person[b]
    return a[holds], b[holds], cost[holds]


def _hubs(evidence: Evidence, policy: IdentifierPolicy, guarded: Guarded) -> Bools:
    """Nodes with more neighbours of one strong kind, other than their own, than their own kind's degree allows."""
    allowed = np.array([kind.degree for kind in policy.types.values()], dtype=np.int64)[evidence.kinds]
    most = np.zeros(evidence.size, dtype=np.int64)
    for index, kind in enumerate(policy.types.values()):
        if kind.strong:
            degree = neighbours_of_kind(evidence.size, evidence.kinds, evidence.a, evidence.b, index)
            np.maximum(most, np.where(evidence.kinds == index, 0, degree), out=most)
    hub = (most > allowed) & ~evidence.unusable
    nodes = np.flatnonzero(hub)
    guarded.add("degree", nodes, most[nodes], allowed[nodes])
    return hub


def _cores(evidence: Evidence, policy: IdentifierPolicy, strong: Bools, guarded: Guarded) -> tuple[Ints, Bools]:
    """Core labels of strong nodes (-1 for the others), and the strong nodes whose neighbours' names contradict each
    other: they link nothing."""
    kinds = list(policy.types.values())
    checked = strong & np.array([kind.links == "unless_names_differ" for kind in kinds])[evidence.kinds]
    inner = strong[evidence.a] & strong[evidence.b]
    first = inner & ~(checked[evidence.a] | checked[evidence.b])
    labels, _ = _limited(evidence, policy, first, strong)
    one = np.where(strong & ~checked, labels, -1)
    touches = seen_with(evidence, checked, one)
    names = modal_names(evidence, one)
    left, right, node = core_pairs(touches)
    differ = evidence.compare(names[left], names[right]) == DIFFER
    conflicting = np.zeros(evidence.size, dtype=np.bool_)
    conflicting[node[differ]] = True
    nodes = np.flatnonzero(conflicting)
    guarded.add(
        "names", nodes, np.bincount(node[differ], minlength=evidence.size)[nodes], np.zeros(len(nodes), dtype=np.int64)
    )
    linking = strong & ~conflicting
    labels, dropped = _limited(evidence, policy, inner & linking[evidence.a] & linking[evidence.b], linking)
    _audit_limits(evidence, policy, dropped, guarded)
    return _dense(np.where(linking, labels, -1)), conflicting


def _limited(evidence: Evidence, policy: IdentifierPolicy, edges: Bools, nodes: Bools) -> tuple[Ints, Ints]:
    chosen = np.flatnonzero(edges)
    a, b = evidence.a[chosen], evidence.b[chosen]
    priority = np.maximum(evidence.kinds[a], evidence.kinds[b])
    strong = len(policy.strong)
    sizes = np.zeros((evidence.size, strong), dtype=np.int8)
    inside = np.flatnonzero(nodes)
    sizes[inside, evidence.kinds[inside]] = 1
    labels, dropped = limited_components(evidence.size, a, b, priority, sizes, _limits(policy)[:strong])
    return labels, chosen[dropped]


def _limits(policy: IdentifierPolicy) -> list[int]:
    return [kind.limit for kind in policy.types.values()]


def _audit_limits(evidence: Evidence, policy: IdentifierPolicy, dropped: Ints, guarded: Guarded) -> None:
    weakest = np.where(
        evidence.kinds[evidence.a[dropped]] > evidence.kinds[evidence.b[dropped]],
        evidence.a[dropped],
        evidence.b[dropped],
    )
    nodes = np.unique(weakest)
    limits = np.array(_limits(policy), dtype=np.int64)[evidence.kinds[nodes]]
    guarded.add("limit", nodes, limits + 1, limits)


def _dense(labels: Ints) -> Ints:
    """The same labels numbered from 0 on; -1 stays."""
    known = labels >= 0
    dense = np.full(len(labels), -1, dtype=np.int64)
    dense[known] = np.unique(labels[known], return_inverse=True)[1]
    return dense


def _bridges(
    evidence: Evidence, policy: IdentifierPolicy, touches: Touches, cores: Ints, guarded: Guarded
) -> tuple[Ints, Ints, Ints]:
    """Pairs of cores that a weak node joins, and the node: their names agree, or one has none and the node was seen
    with no third core."""
    may = np.array([kind.links == "if_names_agree" for kind in policy.types.values()])[evidence.kinds]
    how_many = np.bincount(touches.node, minlength=evidence.size)
    chosen = may[touches.node] & (how_many[touches.node] <= MOST_CORES)
    left, right, node = core_pairs(Touches(touches.node[chosen], touches.core[chosen], touches.n[chosen]))
    names = modal_names(evidence, cores)
    verdict = evidence.compare(names[left], names[right])
    unites = (verdict == AGREE) | (
        (verdict == UNKNOWN) & (how_many[node] == 2) & ((names[left] >= 0) | (names[right] >= 0))
    )
    differ = np.unique(node[verdict == DIFFER])
    guarded.add("bridge_names", differ, how_many[differ], np.ones(len(differ), dtype=np.int64))
    many = np.flatnonzero(may & (how_many > MOST_CORES))
    guarded.add("bridge_cores", many, how_many[many], np.full(len(many), MOST_CORES))
    return left[unites], right[unites], node[unites]


def _persons(
    evidence: Evidence, policy: IdentifierPolicy, cores: Ints, bridged: tuple[Ints, Ints, Ints], guarded: Guarded
) -> tuple[Ints, Ints]:
    """The person of each core, and the rule of each person (position in RULES)."""
    count = int(cores.max(initial=-1)) + 1
    scored = [cores[ends] for ends in evidence.scored[:2]]
    merged = [cores[ends] for ends in evidence.merged]
    of_cores = [(pair[0] >= 0) & (pair[1] >= 0) for pair in (scored, merged)]
    strong = len(policy.strong)
    a = np.concatenate([bridged[0], scored[0][of_cores[0]], merged[0][of_cores[1]]])
    b = np.concatenate([bridged[1], scored[1][of_cores[0]], merged[1][of_cores[1]]])
    # The strongest link is removed last: an operator's stays, then bridges by the kind of their node, then scores by
    # whole weights.
    sure = np.clip(100 - np.floor(evidence.scored[2][of_cores[0]]), len(policy.types) + 1, 200).astype(np.int64)
    priority = np.concatenate([evidence.kinds[bridged[2]], sure, np.zeros(of_cores[1].sum(), dtype=np.int64)])
    why = np.repeat(
        [RULES.index(BRIDGE), RULES.index(SCORE), RULES.index(OPERATOR)],
        [len(bridged[0]), of_cores[0].sum(), of_cores[1].sum()],
    )
    sizes = np.zeros((count, strong), dtype=np.int64)
    inside = np.flatnonzero(cores >= 0)
    np.add.at(sizes, (cores[inside], evidence.kinds[inside]), 1)
    persons, dropped = limited_components(
        count, a, b, priority, sizes, _limits(policy)[:strong], why == RULES.index(OPERATOR)
    )
    nodes = np.unique(bridged[2][dropped[dropped < len(bridged[2])]])
    guarded.add("bridge_limit", nodes, np.full(len(nodes), 2), np.ones(len(nodes), dtype=np.int64))
    held = np.ones(len(a), dtype=np.bool_)
    held[dropped] = False
    rule = np.full(count, RULES.index(CORE), dtype=np.int64)
    for reason in (OPERATOR, SCORE, BRIDGE):
        rule[persons[a[held & (why == RULES.index(reason))]]] = RULES.index(reason)
    return persons, rule


def _attach(
    evidence: Evidence, touches: Touches, persons: Ints, person: Ints, rule: Ints, shared: Bools, guarded: Guarded
) -> None:
    """Attach each node seen with cores to the person with at least ATTACH_SHARE of its observations; if there is none,
    the node is shared."""
    if not len(touches.node):
        return
    node, whose, n = summed(touches.node, persons[touches.core], touches.n)
    total = np.bincount(node, weights=n, minlength=evidence.size)
    share = n / total[node]
    winner = share >= ATTACH_SHARE
    person[node[winner]] = whose[winner]
    best = np.zeros(evidence.size)
    np.maximum.at(best, node, share)
    seen = np.unique(node)
    lost = seen[best[seen] < ATTACH_SHARE]
    shared[lost] = True
    several = np.bincount(touches.node, minlength=evidence.size) > 1
    rule[seen] = np.where(several[seen] & (best[seen] > 1 - 1e-9), RULES.index(BRIDGE), RULES.index(ATTACH))
    guarded.add(
        "attach", lost, np.round(best[lost] * 100).astype(np.int64), np.full(len(lost), round(ATTACH_SHARE * 100))
    )


def _orphans(
    evidence: Evidence,
    policy: IdentifierPolicy,
    usable: Bools,
    touches: Touches,
    person: Ints,
    rule: Ints,
    guarded: Guarded,
) -> None:
    """Weak nodes never seen with a core: they join the one person that their rows reach, else they form persons of
    their own."""
    seen = np.zeros(evidence.size, dtype=np.bool_)
    seen[touches.node] = True
    orphan = usable & (person < 0) & ~seen
    if not orphan.any():
        return
    anchor = usable & seen & (person >= 0)
    among = (orphan | anchor)[evidence.a] & (orphan | anchor)[evidence.b] & (orphan[evidence.a] | orphan[evidence.b])
    group = components(evidence.size, evidence.a[among], evidence.b[among])
    reached, whose, _ = summed(group[anchor], person[anchor], np.ones(int(anchor.sum()), dtype=np.int64))
    count = np.bincount(reached, minlength=evidence.size)
    only = np.full(evidence.size, -1, dtype=np.int64)
    only[reached] = whose
    follows = orphan & (count[group] == 1)
    person[follows] = only[group[follows]]
    # A browser or device that nobody ever signed in on identifies no person: it may be a kiosk.
    names_somebody = np.array([kind.links != "never" for kind in policy.types.values()])[evidence.kinds]
    own = orphan & ~follows & np.isin(group, group[orphan & names_somebody])
    inner = np.flatnonzero(own[evidence.a] & own[evidence.b])
    sizes = np.zeros((evidence.size, len(policy.types)), dtype=np.int8)
    nodes = np.flatnonzero(own)
    sizes[nodes, evidence.kinds[nodes]] = 1
    a, b = evidence.a[inner], evidence.b[inner]
    labels, dropped = limited_components(
        evidence.size, a, b, np.maximum(evidence.kinds[a], evidence.kinds[b]), sizes, _limits(policy)
    )
    person[own] = labels[own] + int(person.max(initial=-1)) + 1
    rule[orphan] = RULES.index(ORPHAN)
    _audit_limits(evidence, policy, inner[dropped], guarded)
