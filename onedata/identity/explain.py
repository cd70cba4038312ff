"""Why two identifiers are one person: the shortest chain of evidence between them. Reads only."""

from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from itertools import pairwise

import duckdb

from onedata.contracts.identifiers import IdentifierPolicy
from onedata.identity import words
from onedata.identity.locate import Located

Graph = Mapping[str, Mapping[str, Sequence[str]]]


@dataclass(frozen=True)
class Step:
    """Two identifiers of the chain, and a text for each piece of evidence that links them."""

    a: str
    b: str
    why: tuple[str, ...]


@dataclass(frozen=True)
class Explanation:
    """The person of two identifiers, since when both belong to it, and the chain; `oneid` is None if they are not one
    person."""

    oneid: str | None
    since: date | None
    steps: tuple[Step, ...]
    notes: tuple[str, ...]


def explain(con: duckdb.DuckDBPyConnection, policy: IdentifierPolicy, a: Located, b: Located) -> Explanation:
    """The shortest chain from `a` to `b` over rows, scores and standing merges; it uses weak identifiers only if there
    is no chain without them.

    One pass over the person's evidence; the warehouse may be open read-only.
    """
    notes = tuple(words.waiting(con, [a.key, b.key]))
    if a.oneid is None or a.oneid != b.oneid:
        return Explanation(None, None, (), notes)
    row = con.execute(
        "select max(valid_from) from oneid.oneid_map where valid_to is null and list_contains(?, id_int)",
        [[a.id_int, b.id_int]],
    ).fetchone()
    assert row is not None
    graph = _evidence(con, a.oneid)
    chain = shortest(graph, a.key, b.key, lambda key: key.partition(":")[0] in policy.strong) or shortest(
        graph, a.key, b.key, lambda _: True
    )
    steps = tuple(Step(one, other, tuple(graph[one][other])) for one, other in pairwise(chain))
    return Explanation(a.oneid, row[0], steps, notes)


def shortest(graph: Graph, start: str, end: str, through: Callable[[str], bool]) -> list[str]:
    """The nodes of a shortest path (breadth first) whose inner nodes are all in `through`; [] if there is none."""
    before = {start: start}
    queue = deque([start])
    while queue and end not in before:
        node = queue.popleft()
        if node != start and not through(node):
            continue
        for other in sorted(graph.get(node, {})):
            if other not in before:
                before[other] = node
                queue.append(other)
    if end not in before:
        return []
    path = [end]
    while path[-1] != start:
        path.append(before[path[-1]])
    return path[::-1]


def _evidence(con: duckdb.DuckDBPyConnection, oneid: str) -> Graph:
    """Everything that connects two identifiers of one person, in both directions."""
    member = "(select m.id_int, m.identity_key from oneid.oneid_map m where m.valid_to is null and m.oneid = $oneid)"
    pairs: list[tuple[str, str, str]] = []
    rows = con.execute(
        "select a.identity_key, b.identity_key, source, n_obs, e.first_seen, e.last_seen from oneid.identity_edge e "
        f"join {member} a on a.id_int = e.a join {member} b on b.id_int = e.b order by n_obs desc, source",
        {"oneid": oneid},
    ).fetchall()
    pairs += [(one, other, words.seen(*row)) for one, other, *row in rows]
    rows = con.execute(
        "select a.identity_key, b.identity_key, weight, veto, band, explanation from oneid.prob_edge e "
        f"join {member} a on a.id_int = e.profile_a "
        f"join {member} b on b.id_int = e.profile_b where band = 'link' order by weight desc",
        {"oneid": oneid},
    ).fetchall()
    pairs += [(one, other, words.score(*row)) for one, other, *row in rows]
    rows = con.execute(
        "select key_a, key_b, decision_id, kind, decided_by, decided_at::date, reason from oneid.decision d "
        f"semi join {member} a on a.identity_key = d.key_a "
        f"semi join {member} b on b.identity_key = d.key_b where kind = 'merge' and reverted_at is null "
        "order by decision_id",
        {"oneid": oneid},
    ).fetchall()
    pairs += [(one, other, words.decision(*row)) for one, other, *row in rows]
    graph: dict[str, dict[str, list[str]]] = {}
    for one, other, why in pairs:
        graph.setdefault(one, {}).setdefault(other, []).append(why)
        graph.setdefault(other, {}).setdefault(one, []).append(why)
    return graph
