"""Contract versions: which changes a contract may make to a feed that has rows. Pure; `onedata.contracts.history`
stores the earlier ones.

Versions are semantic (semver.org): a change that breaks readers of the rows needs a new major version, one that they
should know of a new minor version, any other a new patch version.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass

from onedata.contracts.model import Feed
from onedata.contracts.shapes import PARTS, Difference, Part, Shape, compare, fingerprint, shape_of

SEMANTIC = re.compile(r"(0|[1-9]\d*)\.(0|[1-9]\d*)\.(0|[1-9]\d*)")


@dataclass(frozen=True)
class Used:
    """A contract under which rows have landed."""

    version: str
    shape: Shape

    @property
    def fingerprint(self) -> str:
        return fingerprint(self.shape)


@dataclass(frozen=True)
class Change:
    """A feed's contract compared with the last one under which its rows landed; `message` is '' if nothing changed."""

    differences: tuple[Difference, ...] = ()
    refused: bool = False
    message: str = ""


def judge(used: Sequence[Used], feed: Feed) -> Change:
    """Decide whether a feed's contract is allowed, given those under which its rows landed.

    A breaking difference needs a greater major version, and is refused without one. An earlier contract may be used
    again, also alternately, within the major version of the last one; to go back across a major version, write the old
    contract under a new version, because the rows of the newer one are there.

    Args:
        used: Contracts of the feed, the last used first; empty for a new feed.
        feed: The feed according to its current contract.
    """
    if not used:
        return Change()
    last, shape = used[0], shape_of(feed)
    differences = compare(last.shape, shape)
    if not differences:
        return Change()
    breaking = [item for item in differences if item.kind == "breaking"]
    known = any(item.version == feed.version and item.fingerprint == fingerprint(shape) for item in used)
    needed = max((item.part for item in differences), key=PARTS.index)
    grown = grown_part(last.version, feed.version)
    title = f"{feed.contract.name} {feed.version} against {last.version}, by which the last rows of {feed.name} landed"
    listed = "\n".join(f"  {item}" + (f" ({item.after})" if item.after else "") for item in differences)
    if breaking and grown != "major" and not (known and _major(feed.version) == _major(last.version)):
        back = _major(feed.version) < _major(last.version)
        fix = f"Give it version {_next(last.version, 'major')}" + (
            ": rows of the newer version have landed, so going back is a new version too."
            if back
            else " to have this change, or take it back."
        )
        return Change(
            differences,
            True,
            f"{title}, is a breaking change and is refused; nothing lands until it is mended:\n{listed}\n{fix}",
        )
    if known:
        return Change(differences, False, f"{title}, goes back to a contract that was used before:\n{listed}")
    if PARTS.index(grown) < PARTS.index(needed):
        fix = f"The version says too little of it: give it {_next(last.version, needed)}."
        return Change(differences, False, f"{title}, has changed:\n{listed}\n{fix}")
    return Change(differences, False, f"{title}, has changed, as its version says:\n{listed}")


def grown_part(old: str, new: str) -> Part:
    """The first part of the version that differs, if it grew; none if the version is equal or lower."""
    for part, before, now in zip(("major", "minor", "patch"), _parts(old), _parts(new), strict=True):
        if before != now:
            return part if now > before else "none"  # type: ignore[return-value]
    return "none"


def _parts(version: str) -> tuple[int, ...]:
    match = SEMANTIC.fullmatch(version)
    return tuple(map(int, match.groups())) if match else (0, 0, 0)


def _major(version: str) -> int:
    return _parts(version)[0]


def _next(version: str, part: Part) -> str:
    major, minor, patch = _parts(version)
    return {"major": f"{major + 1}.0.0", "minor": f"{major}.{minor + 1}.0"}.get(part, f"{major}.{minor}.{patch + 1}")
