"""Contract versions: what a change of contract may do to a feed that has rows. Pure; what was used before is kept by
`onedata.contracts.history`.

Versions are semantic (semver.org): a change that a reader of the rows cannot live with needs a new major version, one
they should know of a new minor version, any other a new patch version.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass

from onedata.contracts.model import Feed
from onedata.contracts.shapes import PARTS, Difference, Part, Shape, compare, fingerprint, shape_of

SEMANTIC = re.compile(r"(0|[1-9]\d*)\.(0|[1-9]\d*)\.(0|[1-9]\d*)")


@dataclass(frozen=True)
class Used:
    """A contract that rows have landed by."""

    version: str
    shape: Shape

    @property
    def fingerprint(self) -> str:
        return fingerprint(self.shape)


@dataclass(frozen=True)
class Change:
    """A feed's contract against the one its rows landed by last; `message` is '' where nothing changed."""

    differences: tuple[Difference, ...] = ()
    refused: bool = False
    message: str = ""


def judge(used: Sequence[Used], feed: Feed) -> Change:
    """What a feed's contract may do, given those its rows landed by.

    A breaking difference needs a greater major version, and is refused without one. A contract that was used before may
    come back, also alternately, as long as it is of the same major version as the last one; whoever would go back over
    a major version writes the old contract under a new one, because the rows of the newer are there.

    Args:
        used: Contracts of the feed, the last used first; none for a new feed.
        feed: The feed as its contract says now.
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
    """The first part of the version that differs, where it grew; none where it is the same or went back."""
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
