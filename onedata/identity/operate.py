"""Decisions as typed by an operator: OneIDs are replaced by identifiers, which are the same after every rebuild."""

from onedata.identity.decisions import Decision, DecisionError, decide_by_hand
from onedata.identity.locate import ONEID, Directory, Located


def merge(directory: Directory, a: str, b: str, reason: str, by: str) -> Decision:
    """Merge `a` and `b`, identifiers or OneIDs, into one person, overriding every limit.

    Each is stored as a strong identifier, because a weak one's owner depends on what it is seen with.

    Raises:
        LocateError: one is unknown.
        DecisionError: one belongs to no person or to a person without a strong identifier, or a standing decision
            conflicts.
    """
    return decide_by_hand(directory.con, "merge", _strong(directory, a), _strong(directory, b), reason, by)


def split(directory: Directory, a: str, b: str, reason: str, by: str) -> Decision:
    """Split `a` and `b` into two persons by cutting the weakest links between them.

    Raises:
        LocateError: one is unknown.
        DecisionError: they are one identifier or one OneID, or a standing decision conflicts.
    """
    one, other = directory.find(a, strong=True), directory.find(b, strong=True)
    if one.asked and other.asked and one.key == other.key:
        raise DecisionError(
            f"{a} and {b} are one OneID today: name the two of its identifiers that are to part; onedata identity show "
            f"{one.oneid} lists them"
        )
    return decide_by_hand(directory.con, "split", one.key, other.key, reason, by)


def block(directory: Directory, key: str, reason: str, by: str) -> Decision:
    """Block an identifier: it belongs to no person and links none.

    Raises:
        LocateError: it is unknown.
        DecisionError: it is a OneID, or it is already blocked.
    """
    if ONEID.fullmatch(key.strip()):
        raise DecisionError(
            f"{key} is a OneID, and what is blocked is one identifier; onedata identity show {key} lists them"
        )
    return decide_by_hand(directory.con, "block", directory.identifier(key).key, None, reason, by)


def _strong(directory: Directory, typed: str) -> str:
    """The strong identifier that represents the input; the input itself if it is one that creates persons."""
    found = directory.find(typed, strong=True)
    if found.oneid is None:
        raise DecisionError(
            f"{found.key} is {found.status} and belongs to nobody: a merge of it would unite strangers. See onedata "
            f"identity show {found.key}"
        )
    if not _makes_persons(directory, found):
        found = directory.find(found.oneid, strong=True)
    if not _makes_persons(directory, found):
        strong = ", ".join(directory.policy.strong)
        raise DecisionError(
            f"{typed} belongs to a person without a strong identifier ({strong}), so a merge has nothing to hold on to"
        )
    return found.key


def _makes_persons(directory: Directory, found: Located) -> bool:
    """Whether it is strong, and not merely attached because the names it was seen with contradict each other."""
    if found.key.partition(":")[0] not in directory.policy.strong:
        return False
    row = directory.con.execute(
        "select rule from oneid.oneid_map where id_int = ? and valid_to is null", [found.id_int]
    ).fetchone()
    return row is not None and row[0] != "attach"
