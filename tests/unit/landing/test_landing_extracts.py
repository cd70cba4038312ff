"""Stored extracts of database tables: none is skipped, none is deleted."""

from __future__ import annotations

import pytest
from small_retailer import NIGHT, SmallRetailer

from onedata.landing.extracts import kept_extracts
from onedata.ledger import tick
from onedata.ledger.seen import Watermark, note_watermark
from onedata.sources import SourceError


def extract(survey: SmallRetailer) -> str:
    """An extract that landed on the night, by the ledger; its file's name."""
    note_watermark(survey.con, Watermark("survey", "abc", "5", NIGHT, "public.survey", tick(survey.con)))
    return f"{NIGHT}-abc.parquet"


def test_a_kept_extract_is_taken_again(survey: SmallRetailer) -> None:
    file = survey.settings.home / "extracts" / "survey" / extract(survey)
    file.parent.mkdir(parents=True)
    file.write_bytes(b"PAR1")
    ((offer, path, content_hash),) = kept_extracts(survey.con, survey.settings, survey.feed(), [NIGHT])
    assert (offer.ds, path, content_hash) == (NIGHT, file, "abc")


def test_a_night_whose_extract_is_gone_is_not_taken_anew(survey: SmallRetailer) -> None:
    name = extract(survey)
    with pytest.raises(
        SourceError,
        match=rf"night {NIGHT} cannot be reloaded: its extract .*{name} is gone, and its rows would be lost",
    ):
        kept_extracts(survey.con, survey.settings, survey.feed(), [NIGHT])
