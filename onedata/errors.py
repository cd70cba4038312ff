"""Errors that a user can cause. The command line ends with the message, which names the file, the cause and the fix."""

import difflib
from collections.abc import Iterable


class OnedataError(Exception):
    """An error that a user can cause and fix. Its message is a plain sentence: what, where, and the fix."""

    exit_code = 2


class UnknownName(OnedataError):
    """A name given by the user does not exist; the message suggests the nearest one."""


def require_known(name: str, known: Iterable[str], what: str, how: str) -> None:
    """Refuse an unknown name.

    Args:
        name: As given by the user; empty if none was given.
        known: All valid names.
        what: The kind of name, such as `feed`.
        how: Where the names are listed.

    Raises:
        UnknownName: with the nearest name, if one is close.
    """
    names = sorted(set(known))
    if name and name not in names:
        raise UnknownName(f"there is no {what} {name!r}{did_you_mean(name, names)} ({how})")


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """'; did you mean X?' with the nearest name; empty if none is close."""
    near = difflib.get_close_matches(name, list(known), n=1)
    return f"; did you mean {near[0]}?" if near else ""
