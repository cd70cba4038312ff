"""Files of the repository written by `onedata derive`: each has a header that says so, and no other file is changed."""

from collections.abc import Iterable, Mapping
from pathlib import Path

from onedata.contracts.model import ContractError

MARK = "by `onedata derive`; do not edit."
HEAD_LINES = 3


def write_files(wanted: Mapping[Path, str], there: Iterable[Path]) -> list[Path]:
    """Write the files whose content differs, and remove obsolete derived ones; other files are unchanged.

    Args:
        wanted: File to content.
        there: Existing files that may be obsolete.

    Returns:
        The changes.

    Raises:
        ContractError: the path of a derived file is taken by a file that is not derived; nothing was changed.
    """
    differ = [file for file, content in wanted.items() if _content(file) != content]
    foreign = [file for file in differ if file.exists() and not is_derived(file)]
    if foreign:
        raise ContractError(
            f"{foreign[0]} was not written by `onedata derive`, as its head says, and is not overwritten; rename it",
        )
    gone = sorted(file for file in there if file not in wanted and is_derived(file))
    for file in gone:
        file.unlink()
    for file in differ:
        file.write_text(wanted[file], encoding="utf-8")
    return [*gone, *differ]


def _content(file: Path) -> str | None:
    return file.read_text(encoding="utf-8") if file.exists() else None


def is_derived(file: Path) -> bool:
    """Whether the file's header says that it is derived."""
    with file.open(encoding="utf-8", errors="replace") as stream:
        return any(MARK in line for _, line in zip(range(HEAD_LINES), stream, strict=False))
