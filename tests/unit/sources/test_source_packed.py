"""Packed files land like unpacked ones; bombs, names that leave the folder and nested packed files are refused as a
whole and do no harm."""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import os
import zipfile
from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pytest
from small_retailer import HEADER, NEXT, NIGHT, SmallRetailer, contract

from onedata.landing.files import discover, spool_of, take
from onedata.sources import unpack

Retail = Callable[..., SmallRetailer]
GOOD = f"{HEADER}\nA1,O1,5,fine,2026-01-05T10:00:00Z\nA2,O2,1,poor,2026-01-05T11:00:00Z\n".encode()
OTHER = GOOD.replace(b"A1", b"B1").replace(b"A2", b"B2")


def zstd(content: bytes) -> bytes:
    return bytes(pa.Codec("zstd").compress(content).to_pybytes())


PACKERS: dict[str, Callable[[bytes], bytes]] = {
    "gz": gzip.compress,
    "bz2": bz2.compress,
    "xz": lzma.compress,
    "zst": zstd,
}


def zipped(*members: tuple[str, bytes]) -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members:
            archive.writestr(zipfile.ZipInfo(name), content, zipfile.ZIP_DEFLATED)
    return stream.getvalue()


@pytest.fixture
def packed(retail: Retail) -> SmallRetailer:
    return retail(contract(path="survey/{ds}.csv*"))


@pytest.fixture
def archives(retail: Retail) -> SmallRetailer:
    return retail(contract(path="survey/{ds}*.zip"))


@pytest.mark.parametrize("suffix", PACKERS)
def test_a_packed_file_lands_under_its_own_name(packed: SmallRetailer, suffix: str) -> None:
    packed.put(f"survey/2026-01-05.csv.{suffix}", PACKERS[suffix](GOOD))
    assert packed.take().counts == (2, 2, 0, 0)
    assert packed.files("path, status") == [(f"survey/2026-01-05.csv.{suffix}", "landed")]


@pytest.mark.parametrize("suffix", PACKERS)
def test_a_truncated_packed_file_is_quarantined_whole(packed: SmallRetailer, suffix: str) -> None:
    content = PACKERS[suffix](GOOD + os.urandom(50_000))
    packed.put(f"survey/2026-01-05.csv.{suffix}", content[: len(content) // 2])
    packed.take()
    ((path, _, rule, reason, raw),) = packed.quarantine()
    assert (path, rule) == (f"survey/2026-01-05.csv.{suffix}", "unreadable_file")
    assert "cannot be unpacked to its end (truncated or damaged?)" in reason
    assert Path(raw.removeprefix("the file is kept at ")).read_bytes() == content[: len(content) // 2]


def test_the_same_rows_packed_otherwise_are_a_repeat(packed: SmallRetailer) -> None:
    packed.put("survey/2026-01-05.csv.gz", gzip.compress(GOOD))
    packed.take()
    packed.put("survey/2026-01-06.csv.xz", lzma.compress(GOOD))
    assert packed.take(NEXT).counts == (2, 0, 0, 2)


def test_each_member_of_an_archive_is_a_file_of_its_own(archives: SmallRetailer) -> None:
    archives.put(
        "survey/2026-01-05.zip",
        zipped(("north/a.csv", GOOD), ("south/a.csv", OTHER), ("__MACOSX/north/._a.csv", b"junk")),
    )
    assert archives.take().counts == (4, 4, 0, 0)
    assert archives.files("path, accepted") == [
        ("survey/2026-01-05.zip!north/a.csv", 2),
        ("survey/2026-01-05.zip!south/a.csv", 2),
    ]


def test_only_the_members_of_the_contract_are_read(retail: Retail) -> None:
    archives = retail(contract(path="survey/{ds}.zip", options={"members": "*.csv"}))
    archives.put("survey/2026-01-05.zip", zipped(("a.csv", GOOD), ("readme.txt", b"hello")))
    assert archives.take().counts == (2, 2, 0, 0)


@pytest.mark.parametrize("name", ["2026-01-05.csv.gz", "2026-01-05.csv.zip"])
def test_a_packed_file_that_has_landed_is_not_unpacked_again(
    packed: SmallRetailer, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    packed.put(
        f"survey/{name}", gzip.compress(GOOD) if name.endswith("gz") else zipped(("a.csv", GOOD), ("b.csv", OTHER))
    )
    packed.take()
    monkeypatch.setattr("onedata.landing.files.unpack", None)
    assert packed.take(NEXT).landed.files == 0


def test_an_archive_with_a_forgotten_member_is_unpacked_again(archives: SmallRetailer) -> None:
    archives.put("survey/2026-01-05.zip", zipped(("a.csv", GOOD), ("b.csv", OTHER)))
    archives.take()
    archives.put("survey/2026-01-06.zip", zipped(("c.csv", GOOD), ("d.csv", OTHER.replace(b"B1", b"C1"))))
    archives.take(NEXT)
    archives.con.execute("update ops.delivery set status = 'refused' where ds = ?", [NEXT])
    assert archives.take(NEXT).counts == (4, 1, 0, 3)  # c repeats a, and of d one row repeats b's


def test_an_archive_that_changed_lands_what_is_new_in_it(archives: SmallRetailer) -> None:
    archives.put("survey/2026-01-05.zip", zipped(("a.csv", GOOD)))
    archives.take()
    archives.put("survey/2026-01-05.zip", zipped(("a.csv", GOOD), ("b.csv", OTHER)))
    assert archives.take(NEXT).counts == (2, 2, 0, 0)
    assert archives.take(NEXT).landed.files == 0


def encrypted() -> bytes:
    content = bytearray(zipped(("a.csv", GOOD)))
    for signature, offset in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        content[content.index(signature) + offset] |= 1
    return bytes(content)


def nameless() -> bytes:
    """Its only member has a name of no length."""
    content = bytearray(zipped(("a", GOOD)))
    at = content.index(b"PK\x01\x02")
    content[at + 28], content[at + 30] = 0, 1  # the name's byte becomes an extra field of one
    return bytes(content)


def pointing_before_its_start() -> bytes:
    """The archive's directory stands earlier than it says, so that its member would begin before the file does."""
    content = zipped(("a.csv", GOOD))
    return content[4:]


@pytest.mark.parametrize(
    ("content", "says"),
    [
        pytest.param(zipped(("../../x.csv", GOOD)), "'../../x.csv' leads out of the archive", id="climbs"),
        pytest.param(
            zipped(("a.csv", GOOD), ("/etc/x.csv", GOOD)), "'/etc/x.csv' leads out of the archive", id="absolute"
        ),
        pytest.param(zipped(("..\\x.csv", GOOD)), "leads out of the archive", id="climbs by backslash"),
        pytest.param(zipped(("C:\\x.csv", GOOD)), "leads out of the archive", id="drive"),
        pytest.param(
            zipped(("a.zip", zipped(("a.csv", GOOD)))),
            "'a.zip' is packed itself; packed files in packed files are not read",
            id="nested zip",
        ),
        pytest.param(zipped(("a.csv.gz", gzip.compress(GOOD))), "'a.csv.gz' is packed itself", id="packed member"),
        pytest.param(encrypted(), "'a.csv' is encrypted. Ask for it without a password.", id="encrypted"),
        pytest.param(zipped(), "no file in it matches", id="empty"),
        pytest.param(zipped((".", GOOD), ("a.zip", GOOD)), "'a.zip' is packed itself", id="a name that is no name"),
        pytest.param(b"PK\x03\x04 no zip", "cannot be unpacked to its end", id="no zip"),
        pytest.param(nameless(), "cannot be unpacked to its end", id="member without a name"),
        pytest.param(pointing_before_its_start(), "cannot be unpacked to its end", id="member before the start"),
        pytest.param(zipped(("a.csv", GOOD))[:-30], "cannot be unpacked to its end", id="truncated zip"),
    ],
)
def test_an_archive_that_no_honest_sender_packs_is_quarantined_whole(
    archives: SmallRetailer, tmp_path: Path, content: bytes, says: str
) -> None:
    archives.put("survey/2026-01-05.zip", content)
    before = {path for path in tmp_path.rglob("*") if path.name == "x.csv"}
    assert archives.take().counts == (1, 0, 1, 0)
    assert says in archives.quarantine("reason")[0][0]
    assert {path for path in tmp_path.rglob("*") if path.name == "x.csv"} == before


def test_two_members_of_one_name_are_refused(archives: SmallRetailer) -> None:
    with pytest.warns(UserWarning, match="Duplicate name"):
        content = zipped(("a.csv", GOOD), ("a.csv", GOOD))
    archives.put("survey/2026-01-05.zip", content)
    archives.take()
    assert "two members are named 'a.csv'" in archives.quarantine("reason")[0][0]


@pytest.mark.parametrize("pack", [gzip.compress, lambda content: zipped(("a.csv", content))], ids=["gz", "zip"])
def test_a_bomb_is_stopped_by_what_comes_out_of_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, pack: Callable[[bytes], bytes]
) -> None:
    monkeypatch.setattr(unpack, "RATIO_FROM_BYTES", 1 << 20)
    bomb = tmp_path / "bomb"
    bomb.write_bytes(pack(b"0" * (40 << 20)))
    name = "bomb.csv.gz" if pack is gzip.compress else "bomb.zip"
    with pytest.raises(unpack.Unreadable, match="more than 200 times their size, as a zip bomb does"):
        unpack.unpack(bomb, name, tmp_path / "out")
    assert sum(path.stat().st_size for path in (tmp_path / "out").iterdir()) <= 40 << 20


def test_no_more_comes_out_than_the_contract_allows(retail: Retail) -> None:
    packed = retail(contract(path="survey/{ds}.csv.gz", options={"unpackLimit": 1}))
    packed.put("survey/2026-01-05.csv.gz", gzip.compress(GOOD + os.urandom(2 << 20)))
    packed.take()
    assert "more than 1 MB come out of" in packed.quarantine("reason")[0][0]


def test_the_spool_is_empty_after_a_landing(archives: SmallRetailer) -> None:
    archives.put("survey/2026-01-05.zip", zipped(("a.csv", GOOD)))
    archives.take()
    assert not spool_of(archives.settings, archives.feed()).folder.exists()


def test_what_a_killed_landing_left_in_the_spool_is_swept_by_the_next(archives: SmallRetailer) -> None:
    delivered = archives.put("survey/2026-01-05.zip", zipped(("a.csv", GOOD)))
    take(archives.con, archives.settings, archives.feed(), NIGHT)
    assert list(spool_of(archives.settings, archives.feed()).folder.iterdir())
    delivered.unlink()
    assert archives.take().landed.files == 0
    assert not spool_of(archives.settings, archives.feed()).folder.exists()


def test_listing_unpacks_nothing(archives: SmallRetailer) -> None:
    archives.put("survey/2026-01-05.zip", b"no zip at all")
    assert [offer.name for offer in discover(archives.settings, archives.feed(), NIGHT)] == ["survey/2026-01-05.zip"]
