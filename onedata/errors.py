"""What a user can cause. The command line ends with its text, which names the file, the cause and the way out."""

import difflib
from collections.abc import Iterable


class OnedataError(Exception):
    """Something that a user can cause and mend. Its text is a plain sentence: what, where, and the fix."""

    exit_code = 2


class UnknownName(OnedataError):
    """A name that a user typed and that nothing has; the text has the nearest that is there."""


def require_known(name: str, known: Iterable[str], what: str, how: str) -> None:
    """Refuse a name that is not known.

    Args:
        name: As it was typed; empty where none was.
        known: Every name that would do.
        what: What it names, `feed`.
        how: Where the names can be looked up.

    Raises:
        UnknownName: with the nearest name, if one is near.
    """
    names = sorted(set(known))
    if name and name not in names:
        raise UnknownName(f"there is no {what} {name!r}{did_you_mean(name, names)} ({how})")


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """'; did you mean X?' with the nearest name; empty where none is near."""
    near = difflib.get_close_matches(name, list(known), n=1)
    return f"; did you mean {near[0]}?" if near else ""
