"""Decisions as an operator types them: OneIDs give way to identifiers, which are the same after every rebuild."""

from onedata.identity.decisions import Decision, DecisionError, decide_by_hand
from onedata.identity.locate import ONEID, Directory, Located


def merge(directory: Directory, a: str, b: str, reason: str, by: str) -> Decision:
    """`a` and `b`, identifiers or OneIDs, are one person, whatever the limits say.

    Each is stored as a strong identifier: what a weak one belongs to follows from what it is seen with.

    Raises:
        LocateError: one is not known.
        DecisionError: one belongs to nobody or to a person without a strong identifier, or a standing decision is in
            the way.
    """
    return decide_by_hand(directory.con, "merge", _strong(directory, a), _strong(directory, b), reason, by)


def split(directory: Directory, a: str, b: str, reason: str, by: str) -> Decision:
    """`a` and `b` are two persons; what holds them together is cut where it is weakest.

    Raises:
        LocateError: one is not known.
        DecisionError: they are one identifier or one OneID, or a standing decision is in the way.
    """
    one, other = directory.find(a, strong=True), directory.find(b, strong=True)
    if one.asked and other.asked and one.key == other.key:
        raise DecisionError(
            f"{a} and {b} are one OneID today: name the two of its identifiers that are to part; onedata identity show "
            f"{one.oneid} lists them"
        )
    return decide_by_hand(directory.con, "split", one.key, other.key, reason, by)


def block(directory: Directory, key: str, reason: str, by: str) -> Decision:
    """The identifier belongs to nobody and unites nobody.

    Raises:
        LocateError: it is not known.
        DecisionError: it is a OneID, or it is blocked already.
    """
    if ONEID.fullmatch(key.strip()):
        raise DecisionError(
            f"{key} is a OneID, and what is blocked is one identifier; onedata identity show {key} lists them"
        )
    return decide_by_hand(directory.con, "block", directory.identifier(key).key, None, reason, by)


def _strong(directory: Directory, typed: str) -> str:
    """The strong identifier that stands for what was typed; itself where it makes persons."""
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
    """It is strong, and not merely attached because the names it was seen with contradict each other."""
    if found.key.partition(":")[0] not in directory.policy.strong:
        return False
    row = directory.con.execute(
        "select rule from oneid.oneid_map where id_int = ? and valid_to is null", [found.id_int]
    ).fetchone()
    return row is not None and row[0] != "attach"
