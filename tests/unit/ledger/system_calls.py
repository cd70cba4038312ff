"""The disk content after a power failure, from a trace of a process's system calls (strace -f -y).

POSIX's model, by rename(2) and fsync(2): written content is durable once its file has been synced since; a created or
moved name is durable once its folder has been synced since.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

NAMING = ("openat", "rename", "renameat", "renameat2", "mkdir", "mkdirat", "link", "linkat", "symlink", "symlinkat")
WRITING = ("write", "writev", "pwrite64", "pwritev", "ftruncate")
SYNCING = ("fsync", "fdatasync")
CALLS = ",".join([*NAMING, *WRITING, *SYNCING])
_LINE = re.compile(r"^(\d+) +(?:(\w+)\((.*)|<\.\.\. (\w+) resumed>(.*))$", re.DOTALL)
_OPENED = re.compile(r'"((?:[^"\\]|\\.)*)", ([A-Z_|]+)')
_DESCRIPTOR = re.compile(r"\d+<([^>]*)>")
_NAMES = re.compile(r'"((?:[^"\\]|\\.)*)"')


class Call(NamedTuple):
    """One finished system call: its name, its arguments as strace writes them."""

    name: str
    arguments: str


def calls(trace: str) -> Iterator[Call]:
    """The calls that succeeded, in the order in which they ended."""
    begun: dict[str, str] = {}
    for line in trace.splitlines():
        match = _LINE.match(line)
        if not match:
            continue
        process, name, text, resumed, rest = match.groups()
        if name and text.endswith("<unfinished ...>"):
            begun[process] = text.removesuffix("<unfinished ...>")
            continue
        whole = text if name else begun.pop(process, "") + rest
        if not re.search(r"= -1 E[A-Z]+ \(", whole[-200:]):
            yield Call(name or resumed, whole)


@dataclass
class Disk:
    """What does not last yet: files written since they were synced, and names made or moved since their folder was."""

    written: set[str] = field(default_factory=set)
    named: set[str] = field(default_factory=set)
    moved_unsynced: list[str] = field(default_factory=list)

    def see(self, call: Call) -> None:
        """Take in the next call."""
        name, text = call
        if name in WRITING:
            self.written.add(_path(text))
        elif name in SYNCING:
            path = _path(text)
            self.written.discard(path)
            self.named -= {entry for entry in self.named if str(Path(entry).parent) == path}
        elif name == "openat":
            opened = _OPENED.search(text)
            if opened and "O_CREAT" in opened[2]:
                self.named.add(opened[1])
        elif name.startswith(("mkdir", "link", "symlink")):
            self.named.add(_NAMES.findall(text)[-1])
        elif name.startswith("rename"):
            self._rename(*_NAMES.findall(text)[:2])

    def _rename(self, source: str, target: str) -> None:
        if source in self.written:
            self.moved_unsynced.append(target)
        for entries in (self.written, self.named):
            for entry in [entry for entry in entries if entry == source or entry.startswith(f"{source}/")]:
                entries.remove(entry)
                entries.add(target + entry.removeprefix(source))
        self.named.add(target)

    def lost(self, file: Path, home: Path) -> list[str]:
        """Why the file, below the home, might not be there after a power cut now; nothing where it would."""
        found = [f"{file.name}: content not synced"] if str(file) in self.written else []
        found += [f"{file.name}: renamed before its content was synced"] if str(file) in self.moved_unsynced else []
        below = [path for path in (file, *file.parents) if path.is_relative_to(home) and path != home]
        unnamed = [path.relative_to(home) for path in below if str(path) in self.named]
        return found + [f"{file.name}: name of {path} not synced" for path in unnamed]


def _path(text: str) -> str:
    found = _DESCRIPTOR.match(text)
    return found[1] if found else ""
