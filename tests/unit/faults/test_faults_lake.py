"""Missing, truncated or damaged lake files: reported with feed, night and the two fixes."""

from __future__ import annotations

from pathlib import Path

import pytest
from small_retailer import NEXT, NIGHT, SmallRetailer

from onedata.faults import explain
from onedata.faults.lake import all_losses, losses_named
from onedata.ledger import check_lake
from onedata.ledger.recover import LakeDamaged


@pytest.fixture
def lake(survey: SmallRetailer) -> SmallRetailer:
    """Two nights of one feed in the lake."""
    for night, answer in ((NIGHT, "A"), (NEXT, "B")):
        survey.csv(
            *(f"{answer}{number},O{number},{number % 5 + 1},note {number},2026-01-05" for number in range(500)),
            night=night,
        )
        survey.take(night)
    return survey


def file_of(lake: SmallRetailer) -> Path:
    (file,) = lake.settings.lake.glob(f"ods/survey_response/source=survey/ds={NIGHT}/*.parquet")
    return file


def test_a_whole_lake_has_no_losses(lake: SmallRetailer) -> None:
    check_lake(lake.con, lake.settings)
    assert all_losses(lake.con, lake.settings) == []


@pytest.mark.parametrize(
    ("content", "what"),
    [
        (None, "is gone"),
        (b"", "has 0 bytes and had "),
        (b"P", "has 1 bytes and had "),
        (slice(0, 300), "has 300 bytes and had "),
        (slice(0, -1), " bytes and had "),
        (slice(1, None), " bytes and had "),
    ],
)
def test_a_file_that_is_gone_or_cut_stops_the_run_before_it_lands_anything(
    lake: SmallRetailer, content: bytes | slice | None, what: str
) -> None:
    file = file_of(lake)
    whole = file.read_bytes()
    file.unlink()
    if content is not None:
        file.write_bytes(whole[content] if isinstance(content, slice) else content)
    with pytest.raises(LakeDamaged) as caught:
        check_lake(lake.con, lake.settings)
    assert str(caught.value).startswith(f"the lake file {file.parent}/survey-20260105-")
    assert f"(feed survey, night {NIGHT}) " in str(caught.value)
    assert what in str(caught.value)
    assert str(caught.value).endswith(
        "bring it back with `onedata repair --from BACKUP`, or reload its night "
        f"from the source with `onedata run --ds {NIGHT} --replace`"
    )
    assert [loss.night for loss in all_losses(lake.con, lake.settings)] == [str(NIGHT)]


def test_a_night_that_is_taken_anew_may_lack_its_files(lake: SmallRetailer) -> None:
    file_of(lake).unlink()
    check_lake(lake.con, lake.settings, [NIGHT])
    with pytest.raises(LakeDamaged):
        check_lake(lake.con, lake.settings, [NEXT])


def test_other_content_of_the_same_size_is_found_by_its_hash(lake: SmallRetailer) -> None:
    file = file_of(lake)
    content = bytearray(file.read_bytes())
    content[4:60] = bytes(56)
    file.write_bytes(content)
    check_lake(lake.con, lake.settings)  # its size is what it was
    (loss,) = all_losses(lake.con, lake.settings)
    assert (loss.file, loss.feed, loss.night, loss.what.split(" (")[0]) == (
        file,
        "survey",
        str(NIGHT),
        "has other content than was written",
    )


def test_an_error_that_names_a_damaged_file_is_told_by_looking_at_that_file(lake: SmallRetailer) -> None:
    file, sound = file_of(lake), next(lake.settings.lake.glob(f"ods/survey_response/source=survey/ds={NEXT}/*.parquet"))
    words = f'Invalid Input Error: Failed to read file "{file}": ZSTD Decompression failure, after "{sound}"'
    assert losses_named(lake.settings, words) == []
    file.write_bytes(file.read_bytes()[:-5])
    assert [loss.file for loss in losses_named(lake.settings, words)] == [file]
    assert (explain(lake.settings, words) or "").startswith(
        f"the lake file {file} (feed survey, night {NIGHT}) is cut short"
    )


def test_an_error_without_a_name_is_told_by_reading_the_home(lake: SmallRetailer) -> None:
    file = file_of(lake)
    file.write_bytes(file.read_bytes()[:-5])
    lake.con.close()
    assert (explain(lake.settings, "Out of buffer") or "").startswith(f"the lake file {file} ")


def test_an_error_in_a_sound_home_is_nobodys_fault(lake: SmallRetailer) -> None:
    lake.con.close()
    assert explain(lake.settings, "Conversion Error: x is no number") is None


def test_a_rejected_delivery_without_rows_need_not_have_a_file(survey: SmallRetailer) -> None:
    survey.csv()
    survey.take()
    check_lake(survey.con, survey.settings)
