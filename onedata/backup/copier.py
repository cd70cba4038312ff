"""Copy files durably and verify the copies, in a child process.

The process that holds the warehouse must not open its file: closing any descriptor of it drops the POSIX lock, and a
second writer gets in. Therefore the back-up sends every copy to this module, run as a child: one line of JSON per
request on standard input, one answer each. Source: fcntl(2), "Advisory record locking".
"""

import hashlib
import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from onedata.errors import OnedataError

CHUNK = 1 << 20
PRIVATE = 0o600


class CopyError(OnedataError):
    """A file could not be copied; the text names it and the cause."""


@dataclass(frozen=True)
class Copied:
    """What was copied."""

    sha256: str
    bytes: int


def copy_whole(source: Path, target: Path) -> Copied:
    """Copy a file under a new name, sync it, read it back and compare.

    Raises:
        CopyError: the source changed meanwhile, or the copy differs from what was read.
        OSError: a file cannot be read or written.
    """
    descriptor = os.open(target, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, PRIVATE)
    with source.open("rb") as stream, os.fdopen(descriptor, "wb") as out:
        before = os.fstat(stream.fileno())
        hashed, size = hashlib.sha256(), 0
        while chunk := stream.read(CHUNK):
            hashed.update(chunk)
            out.write(chunk)
            size += len(chunk)
        out.flush()
        os.fsync(out.fileno())
        after = os.fstat(stream.fileno())
        if hasattr(os, "posix_fadvise"):  # so that the copy is read back from the disk if possible
            os.posix_fadvise(out.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)
    if (before.st_size, before.st_mtime_ns) != (after.st_size, after.st_mtime_ns) or size != after.st_size:
        raise CopyError(f"{source} changed while it was copied; try again when nothing writes it")
    with target.open("rb") as stream:
        back = hashlib.file_digest(stream, "sha256").hexdigest()
    if back != hashed.hexdigest():
        raise CopyError(f"{target} is not what was written to it (SHA-256): the disk is failing; use another one")
    return Copied(back, size)


class Copier:
    """The child that copies, one file after the other; use it in a `with`."""

    def __enter__(self) -> "Copier":
        # A separate session: Ctrl-C reaches only the parent, which ends the child by closing its input.
        self._child = subprocess.Popen(
            [sys.executable, "-m", "onedata.backup.copier"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )
        return self

    def __exit__(self, *_: object) -> None:
        assert self._child.stdin is not None
        assert self._child.stdout is not None
        self._child.stdin.close()
        self._child.wait()
        self._child.stdout.close()

    def copy(self, source: Path, target: Path) -> Copied:
        """`copy_whole`, in the child.

        Raises:
            CopyError: it failed there, or the child is gone.
        """
        assert self._child.stdin is not None
        assert self._child.stdout is not None
        try:
            self._child.stdin.write(json.dumps([str(source), str(target)]) + "\n")
            self._child.stdin.flush()
            answer = self._child.stdout.readline()
        except BrokenPipeError:
            answer = ""
        if not answer:
            raise CopyError(f"{source} was not copied: the process that copies ended with code {self._child.wait()}")
        told = json.loads(answer)
        if "error" in told:
            raise CopyError(told["error"])
        return Copied(told["sha256"], told["bytes"])


def main() -> None:
    """Answer every request on standard input until it ends."""
    for line in sys.stdin:
        source, target = json.loads(line)
        try:
            copied = copy_whole(Path(source), Path(target))
            answer: dict[str, object] = {"sha256": copied.sha256, "bytes": copied.bytes}
        except CopyError as error:
            answer = {"error": str(error)}
        except OSError as error:
            answer = {
                "error": f"{error.filename or target} cannot be {'copied' if error.filename else 'written'}: "
                f"{error.strerror}"
            }
        sys.stdout.write(json.dumps(answer) + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
