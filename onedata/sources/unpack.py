"""Packed files: .gz, .bz2, .xz, .zst (one file) and .zip (several), unpacked as a stream into a folder of onedata's.

No name in an archive is used as a path. Limits are enforced while unpacking: a bomb is detected by its actual output,
not by the sizes that it declares.
"""

import bz2
import errno
import fnmatch
import gzip
import hashlib
import lzma
import stat
import zipfile
import zlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import IO, Any

import pyarrow as pa

BLOCK = 1 << 20
MAX_MEMBERS = 10_000
DEFAULT_LIMIT_MB = 65_536
MAX_RATIO = 200
RATIO_FROM_BYTES = 256 << 20
_JUNK = ("__MACOSX/", ".DS_Store", "Thumbs.db", "desktop.ini")
_BROKEN = (
    OSError,
    EOFError,
    zlib.error,
    lzma.LZMAError,
    zipfile.BadZipFile,
    NotImplementedError,
    RuntimeError,
    ValueError,
    IndexError,
)


class Unreadable(ValueError):
    """A packed file that must not or cannot be unpacked; the message gives the reason and the fix."""


@dataclass(frozen=True)
class Unpacked:
    """One unpacked file: its path, its name in the archive ("" for a single file) and the SHA-256 of its content."""

    path: Path
    member: str
    content_hash: str


def is_packed(name: str) -> bool:
    """Whether the suffix is that of a packed file."""
    return _suffix(name) in _OPENERS or _suffix(name) == ".zip"


def unpack(
    packed: Path, name: str, folder: Path, limit_mb: int = DEFAULT_LIMIT_MB, members: str = "*"
) -> list[Unpacked]:
    """Unpack everything in `packed` that matches `members`, in the archive's order; all or nothing.

    Args:
        packed: The file.
        name: Its name, whose suffix determines the format.
        folder: Target folder, used for this file only.
        limit_mb: Maximum unpacked size in MiB.
        members: Names wanted from a .zip; `*` matches anything.

    Raises:
        Unreadable: it is truncated, damaged, encrypted, a bomb, or contains packed files or names that leave the
            folder.
    """
    meter = _Meter(packed.stat().st_size, limit_mb << 20)
    folder.mkdir(parents=True, exist_ok=True)
    try:
        if _suffix(name) == ".zip":
            return list(_members(packed, folder, members, meter))
        with _OPENERS[_suffix(name)](packed) as stream:
            inner = PurePosixPath(name).stem
            if _is_archive(inner):
                raise Unreadable(f"it holds {inner!r}, which is packed itself; pack a file once.")
            return [_copy(stream, folder / "0", "", meter)]
    except Unreadable:
        raise
    except _BROKEN as error:
        # Errors of our own disk are not the file's fault; an offset before the start of an archive is.
        if isinstance(error, OSError) and error.errno not in (None, errno.EINVAL):
            raise
        raise Unreadable(
            f"the file cannot be unpacked to its end (truncated or damaged?): {error}. Ask for it again."
        ) from None


@dataclass
class _Meter:
    """Counts the unpacked bytes of one packed file.

    Raises:
        Unreadable: the output exceeds the limit.
    """

    packed: int
    limit: int
    out: int = 0

    def add(self, size: int) -> None:
        self.out += size
        if self.out > self.limit:
            raise Unreadable(
                f"more than {self.limit >> 20} MB come out of {self.packed:,} bytes; raise unpackLimit in the contract "
                "if this is meant."
            )
        if self.out > RATIO_FROM_BYTES and self.out > self.packed * MAX_RATIO:
            raise Unreadable(
                f"{self.packed:,} bytes unpack to more than {MAX_RATIO} times their size, as a zip bomb does; deliver "
                "it unpacked if meant."
            )


def _members(packed: Path, folder: Path, wanted: str, meter: _Meter) -> Iterator[Unpacked]:
    with zipfile.ZipFile(packed) as archive:
        files = [info for info in archive.infolist() if not info.is_dir() and not _is_junk(info.filename)]
        files = [info for info in files if fnmatch.fnmatchcase(info.filename, wanted)]
        if not files:
            raise Unreadable(f"no file in it matches {wanted!r}. Check `members` in the contract, or ask for it again.")
        if len(files) > MAX_MEMBERS:
            raise Unreadable(f"it holds {len(files):,} files, more than {MAX_MEMBERS:,}.")
        names: set[str] = set()
        for info in files:
            _check_member(info, names)
            names.add(info.filename)
        for number, info in enumerate(files):
            with archive.open(info) as stream:
                yield _copy(stream, folder / str(number), _printable(info.filename), meter)


def _check_member(info: zipfile.ZipInfo, seen: set[str]) -> None:
    """Refuse an archive because of what it declares about one member."""
    name = info.filename
    parts = PurePosixPath(name.replace("\\", "/")).parts
    if name.startswith(("/", "\\")) or ".." in parts or any(":" in part for part in parts[:1]):
        raise Unreadable(
            f"member {_printable(name)!r} leads out of the archive; no honest sender packs that. Nothing of it was "
            "read."
        )
    if info.flag_bits & 0x1:
        raise Unreadable(f"member {_printable(name)!r} is encrypted. Ask for it without a password.")
    if _is_archive(name):
        raise Unreadable(
            f"member {_printable(name)!r} is packed itself; packed files in packed files are not read. Ask for one "
            "level."
        )
    if stat.S_ISLNK(info.external_attr >> 16):
        raise Unreadable(f"member {_printable(name)!r} is a symbolic link. Deliver the file itself.")
    if name in seen:
        raise Unreadable(f"two members are named {_printable(name)!r}.")


def _copy(stream: IO[bytes], target: Path, member: str, meter: _Meter) -> Unpacked:
    digest = hashlib.sha256()
    with target.open("wb") as file:
        while block := stream.read(BLOCK):
            meter.add(len(block))
            digest.update(block)
            file.write(block)
    return Unpacked(target, member, digest.hexdigest())


def hash_file(path: Path) -> str:
    """SHA-256 of the content."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def _zstd(path: Path) -> Any:
    return pa.CompressedInputStream(pa.OSFile(str(path)), "zstd")


_OPENERS: Mapping[str, Callable[[Path], Any]] = {
    ".gz": gzip.open,
    ".bz2": bz2.open,
    ".xz": lzma.open,
    ".zst": _zstd,
}


def _suffix(name: str) -> str:
    return PurePosixPath(name).suffix.lower()


def _is_archive(name: str) -> bool:
    return is_packed(name) or _suffix(name) in (".tar", ".tgz", ".7z", ".rar")


def _is_junk(name: str) -> bool:
    """Whether it is a file that macOS or Windows adds to archives."""
    return name.startswith(_JUNK[0]) or PurePosixPath(name).name in _JUNK


def _printable(name: str) -> str:
    return name.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")
