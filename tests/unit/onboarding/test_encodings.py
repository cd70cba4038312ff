"""The encoding of a sample that is not UTF-8: one that landing reads as the same text, or a question."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml
from test_feed_new import checked, made, sample

from onedata.onboarding.encodings import plausible_encodings
from onedata.onboarding.sample import SniffError
from onedata.onboarding.sniff import sniff

REVIEWS = "review_id,order_id,satisfaction,comment,answered_at\n"


def reviews(*comments: str) -> str:
    rows = [f"r{number},o{number},5,{text},2026-01-05T10:00:00Z\n" for number, text in enumerate(comments)]
    return REVIEWS + "".join(rows)


@pytest.mark.parametrize(
    ("encoding", "comment"),
    [
        ("cp932", "青森のりんごです"),
        ("cp932", "東京"),
        ("cp932", "ﾔﾏﾀﾞ ﾀﾛｳ"),
        ("euc_jp", "青森のりんごです"),
        ("gb18030", "青苹果很好"),
        ("gb18030", "喆鑫商贸有限公司"),
        ("big5", "訂單編號與商品名稱"),
        ("euc_kr", "사과가 빨갛고 맛있어요"),
        ("cp1251", "Яблоко красное"),
        ("cp1252", "Señor Peña, Grüße, 5 €"),
        ("cp1250", "Žluťoučký kůň"),
    ],
)
def test_an_encoding_is_guessed_by_which_the_sample_lands_as_it_is(tmp_path: Path, encoding: str, comment: str) -> None:
    file = sample(tmp_path, reviews(f'"{comment}"', "plain").encode(encoding))
    text = made(tmp_path, file).file.read_text(encoding="utf-8")
    assert f"# It is not UTF-8; {encoding} is a guess" in text
    assert yaml.safe_load(text)["status"] == "draft"
    outcome = checked(tmp_path, file)
    assert (dict(outcome.feed.location.options), outcome.landed.accepted) == ({"encoding": encoding}, 2)


@pytest.mark.parametrize(
    ("encoding", "comment", "note"),
    [
        ("cp1250", "Łódź", "cp1252 is a guess, and cp1250 may be it too"),
        ("cp1253", "Κόκκινα μήλα", "cp1251 is a guess, and cp1253 may be it too"),
        ("euc_jp", "青森", "gb18030 is a guess, and euc_jp or "),
    ],
)
def test_other_encodings_that_it_may_have_are_named(tmp_path: Path, encoding: str, comment: str, note: str) -> None:
    (told,) = sniff(sample(tmp_path, reviews(comment).encode(encoding))).notes
    assert note in told


def test_a_sample_that_is_no_plausible_text_is_a_question(tmp_path: Path) -> None:
    with pytest.raises(SniffError, match="is not UTF-8, and plausible text in no other known encoding; ask"):
        sniff(sample(tmp_path, b"a,b\n1,\x81\x8d\x8f\x90\x9d\n"))


def test_the_whole_sample_is_read_for_its_encoding(tmp_path: Path) -> None:
    plain = reviews(*["plain"] * 40_000)
    assert len(plain) > 1 << 20
    file = sample(tmp_path, (plain + "r,o,5,青森のりんごです,2026-01-05T10:00:00Z\n").encode("cp932"))
    assert sniff(file).options == {"encoding": "cp932"}
    assert "cp1252" not in plausible_encodings(reviews("Grüße").encode("cp1252") + b"\x81\n")


def test_a_broken_letter_does_not_make_another_encoding_of_utf8(tmp_path: Path) -> None:
    content = reviews(*["Grüße"] * 10).encode() + b"r,o,5,Gr\xfc,2026-01-05T10:00:00Z\n"
    assert sniff(sample(tmp_path, content)).options == {}
