"""Normalisers: equal identifiers become equal text, and invalid ones become NULL."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence

import duckdb
import phonenumbers
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from onedata.normalise.identifiers import (
    NORMALISERS,
    address_sql,
    email_sql,
    family_sql,
    given_sql,
    name_sql,
    normalised_sql,
)
from onedata.normalise.phone import REGIONS, phone_sql

Builder = Callable[[str], str]
SORTS = "AR AU BR BY CA CN CO DE ES FR GB GG HK HU IN IT JP KR KZ LT MX NG PL RU SG SM TR TW UA US VA ZA"


def made(build: Builder, *values: str) -> list[str | None]:
    """What the builder's SQL makes of each value."""
    with duckdb.connect() as con:
        rows = con.execute(
            f"select {build('v')} from (select unnest(?::varchar[]) as v, generate_subscripts(?::varchar[], 1) as n) "
            "order by n",
            [values, values],
        )
        return [value for (value,) in rows.fetchall()]


def phone(region: str) -> Builder:
    return lambda value: phone_sql(value, region)


@pytest.mark.parametrize(
    ("raw", "normal"),
    [
        ("  Ann.Li@Mail.CN ", "ann.li@mail.cn"),
        ("ａｎｎ＠ｑｑ．ｃｏｍ", "ann@qq.com"),
        ("ann＠qq。com", "ann@qq.com"),
        ("\ufeffann\u200b@qq.com", "ann@qq.com"),
        ("ann.li+shop@gmail.com", "ann.li+shop@gmail.com"),
        ("Jürgen@Müller-Söhne.DE", "jürgen@müller-söhne.de"),
        ("Ju\u0308rgen@web.de", "jürgen@web.de"),
        ("ann@qq", None),
        ("ann@@qq.com", None),
        ("ann@qq..com", None),
        ("ann li@qq.com", None),
        ("@qq.com", None),
        ("n/a", None),
    ],
)
def test_an_e_mail_address(raw: str, normal: str | None) -> None:
    assert made(email_sql, raw) == [normal]


@pytest.mark.parametrize(
    ("region", "normal", "written"),
    [
        (
            "CN",
            "+8613812345678",
            (
                "13812345678",
                "138 1234 5678",
                "138-1234-5678",
                "+86 138 1234 5678",
                "+86-13812345678",
                "0086 138 1234 5678",
                "8613812345678",
                "(+86)13812345678",
                "+86 (0)138 1234 5678",
                "１３８１２３４５６７８",
                "＋８６　１３８１２３４５６７８",
                "\u202d+86 138 1234 5678\u202c",
                "电话：13812345678",
                "١٣٨١٢٣٤٥٦٧٨",
            ),
        ),
        (
            "CN",
            "+861065432100",
            (
                "010-65432100",
                "(010) 6543 2100",
                "+86 10 6543 2100",
                "010-65432100转801",
                "010-65432100 分机 801",
                "01065432100#801",
            ),
        ),
        (
            "DE",
            "+491711234567",
            (
                "0171 1234567",
                "0171/1234567",
                "0171-123 45 67",
                "+49 171 1234567",
                "+49 (0)171 1234567",
                "+49 0171 1234567",
                "0049 171 1234567",
                "(0049) 171/1234567",
                "Tel. 0171 1234567 (mobil)",
            ),
        ),
        (
            "DE",
            "+4930901820",
            (
                "030 901820",
                "030/90 18 20",
                "+49 (0) 30 90 18 20",
                "030 901820 Durchwahl 12",
                "030 901820 DW 7",
                "030 901820, App. 3",
            ),
        ),
        (
            "GB",
            "+442079460958",
            (
                "020 7946 0958",
                "(020) 7946 0958",
                "+44 20 7946 0958",
                "+44 (0)20 7946 0958",
                "0044 20 7946 0958",
                "020 7946 0958 ext. 12",
            ),
        ),
        ("GB", "+447700900123", ("07700 900123", "07700-900-123", "+44 (0) 7700 900 123", "07700900123 x12")),
        (
            "US",
            "+12125550123",
            (
                "(212) 555-0123",
                "212.555.0123",
                "1-212-555-0123",
                "+1 212 555 0123",
                "12125550123",
                "(212) 555-0123 ext 99",
                "212-555-0123 x5",
                "2125550123;ext=7",
                "(212) 555-0123,,44#",
            ),
        ),
        ("US", "+491711234567", ("+49 171 1234567", "011 49 171 1234567", "+49 (0)171 1234567")),
        ("IT", "+390669821234", ("06 6982 1234", "+39 06 6982 1234", "0039 06 69821234")),
        ("BR", "+5511912345678", ("(11) 91234-5678", "011 91234-5678", "0 15 11 91234-5678", "+55 11 91234 5678")),
        ("AR", "+5491123456789", ("011 15-2345-6789", "+54 9 11 2345-6789")),
        ("RU", "+79123456789", ("8 (912) 345-67-89", "+7 912 345 67 89", "810 7 912 345 67 89")),
    ],
)
def test_one_telephone_however_it_is_written(region: str, normal: str, written: Sequence[str]) -> None:
    assert dict(zip(written, made(phone(region), *written), strict=True)) == dict.fromkeys(written, normal)


@pytest.mark.parametrize(
    ("region", "raw"),
    [
        ("CN", "n/a"),
        ("CN", "-"),
        ("CN", "0000000"),
        ("CN", "1381234567890"),
        ("CN", "13812345678/13987654321"),
        ("CN", "+999 12345678"),
        ("CN", "+800 1234 5678"),
        ("DE", "112"),
        ("DE", "0171"),
        ("GB", "020 7946"),
        ("US", "555-0123"),
        ("US", "(112) 555-0123"),
        ("US", "+1 212 555 01234"),
    ],
)
def test_what_cannot_be_a_telephone_number_is_none(region: str, raw: str) -> None:
    assert made(phone(region), raw) == [None]


def test_numbers_of_every_sort_of_country_are_read_as_libphonenumber_reads_them() -> None:
    # Trunk prefixes 0, 1, 8, 06 and none, carriers' codes, one code for many countries, leading zeros that stay.
    wrong = []
    for region in SORTS.split():
        assert region in REGIONS
        number = phonenumbers.example_number_for_type(region, phonenumbers.PhoneNumberType.MOBILE)
        written = [phonenumbers.format_number(number, style) for style in range(4)]
        written += [phonenumbers.format_out_of_country_calling_number(number, region), written[0].removeprefix("+")]
        expected = [phonenumbers.format_number(phonenumbers.parse(text, region), 0) for text in written]
        wrong += [
            (region, *found)
            for found in zip(written, expected, made(phone(region), *written), strict=True)
            if found[1] != found[2]
        ]
    assert wrong == []


@pytest.mark.parametrize(
    ("raw", "normal", "family", "given"),
    [
        ("Ann Li", "ann li", "li", "ann"),
        ("LI, Ann", "ann li", "li", "ann"),
        ("  Ann   Li ", "ann li", "li", "ann"),
        ("Dr. Ann Li", "ann li", "li", "ann"),
        ("Li, Dr. Ann", "ann li", "li", "ann"),
        ("Ann (Annie) Li", "ann li", "li", "ann"),
        ("ＡＮＮ　ＬＩ", "ann li", "li", "ann"),
        ("Herr Prof. Dr. Jürgen Groß-Weber", "jurgen gross-weber", "gross-weber", "jurgen"),
        ("Frau Anna-Lena Müller", "anna-lena muller", "muller", "anna lena"),
        ("von der Leyen, Ursula", "ursula von der leyen", "von der leyen", "ursula"),
        ("Ludwig van Beethoven", "ludwig van beethoven", "van beethoven", "ludwig"),
        ("Łukasz Wiśniewski", "lukasz wisniewski", "wisniewski", "lukasz"),
        ("Seán O’Brien", "sean obrien", "obrien", "sean"),
        ("Sean O'Brien", "sean obrien", "obrien", "sean"),
        ("Mr John Smith Jr.", "john smith", "smith", "john"),
        ("Smith, John, Jr.", "john smith", "smith", "john"),
        ("Smith Jr., John", "john smith", "smith", "john"),
        ("David M. Smith", "david m smith", "smith", "david"),
        ("J. R. R. Tolkien", "j r r tolkien", "tolkien", "j"),
        ("J.R.R. Tolkien", "j r r tolkien", "tolkien", "j"),
        ("Mrs. Smith", "smith", "smith", None),
        ("Madonna", "madonna", "madonna", None),
        ("Jack Lord", "jack lord", "lord", "jack"),
        ("张伟", "张伟", "张", "伟"),
        ("张 伟", "张伟", "张", "伟"),
        ("张　伟", "张伟", "张", "伟"),
        ("张，伟", "张伟", "张", "伟"),
        ("张伟先生", "张伟", "张", "伟"),
        ("王女士", "王", "王", None),
        ("王秀英", "王秀英", "王", "秀英"),
        ("欧阳娜娜", "欧阳娜娜", "欧阳", "娜娜"),
        ("歐陽 娜娜", "歐陽娜娜", "歐陽", "娜娜"),
        ("欧阳", "欧阳", "欧", "阳"),
        ("司马懿", "司马懿", "司马", "懿"),
        ("买买提•艾力", "买买提·艾力", "艾力", "买买提"),
        ("김민수", "김민수", "김", "민수"),
        ("David 张", "david 张", "张", "david"),
        ("12345", None, None, None),
        ("---", None, None, None),
    ],
)
def test_a_name_and_its_parts(raw: str, normal: str | None, family: str | None, given: str | None) -> None:
    assert made(name_sql, raw)[0] == normal
    assert made(lambda value: family_sql(name_sql(value)), raw)[0] == family
    assert made(lambda value: given_sql(name_sql(value)), raw)[0] == given


@pytest.mark.parametrize(
    ("normal", "written"),
    [
        (
            "hauptstr 5",
            (
                "Hauptstraße 5",
                "HAUPTSTRASSE 5",
                "Hauptstr. 5",
                "hauptstr 5",
                "Hauptstraße Nr. 5",
                "Hauptstraße, 5",
                "Hauptstraße\u00a05",
            ),
        ),
        ("karl-marx-str 12a", ("Karl-Marx-Straße 12a", "Karl-Marx-Str. 12A", "Karl–Marx–Strasse 12a")),
        ("mullerweg 3-5", ("Müllerweg 3-5", "Müllerweg 3 – 5", "MÜLLERWEG 3 -5")),
        ("alexanderpl 1", ("Alexanderpl. 1",)),
        ("10 downing st", ("10 Downing Street", "10 Downing St.", "10, DOWNING STREET")),
        ("221b baker st", ("221B Baker Street", "221b, Baker St")),
        ("1600 pennsylvania ave nw", ("1600 Pennsylvania Avenue NW", "1600 Pennsylvania Ave. NW")),
        ("350 n 5th ave apt 5b", ("350 North 5th Avenue, Apt. #5B", "350 N. 5th Ave Apartment 5b")),
        ("ave del sol 7", ("Avenida del Sol, 7", "Avda. del Sol No. 7")),
        ("人民路12弄5号", ("人民路12弄5号", "人民路 12 弄 5 号", "人民路１２弄５号", "人民路12弄5號")),
        ("中山路1号3-502室", ("中山路1号3-502室", "中山路1号 3－502 室", "中山路 1号，3—502室")),
        ("renmin rd 100号", ("Renmin Road 100号", "RENMIN RD. 100 号")),
    ],
)
def test_one_address_however_it_is_written(normal: str, written: Sequence[str]) -> None:
    assert dict(zip(written, made(address_sql, *written), strict=True)) == dict.fromkeys(written, normal)


def test_an_address_of_nothing_is_none() -> None:
    assert made(address_sql, " - ", "#", "", "。。") == [None] * 4


def test_an_id_stays_letter_for_letter() -> None:
    assert made(lambda value: normalised_sql("id", value, "CN"), " aB-9 ", "Ａ1", " ") == ["aB-9", "Ａ1", None]


@pytest.mark.parametrize("normaliser", [*NORMALISERS, None])
def test_a_missing_value_stays_missing(normaliser: str | None) -> None:
    assert duckdb.execute(f"select {normalised_sql(normaliser, 'null::varchar', 'CN')}").fetchone() == (None,)


LETTERS = st.characters(exclude_categories=("Cs",), exclude_characters="\0")
PIECES = """Dr. Mr Jr. Sr II , ， - – / · ' . # ( ) Li Ann von del 张 伟 先生 先生先生 欧阳 é İ ß ẞ ø ﬁ J̌
Straße Str. Nr. no Street Road 12 号 ａ １ ＠ @
mail.cn + 0 00 86 49 1 171 1234567 13812345678 转 ext x"""


def composed(chance: random.Random) -> str:
    """Up to seven pieces that mean something to a normaliser, with blanks between them or without."""
    return chance.choice(("", " ")).join(chance.choices(PIECES.split(), k=chance.randint(1, 7)))


@pytest.fixture(scope="module")
def twice() -> Callable[[str, list[str]], list[tuple[str, str, str | None]]]:
    """Value, normal form and normal form of that, where the two differ."""
    con = duckdb.connect()
    made = {}
    for normaliser in NORMALISERS:
        once, again = normalised_sql(normaliser, "v", "DE"), normalised_sql(normaliser, "once", "DE")
        made[normaliser] = (
            f"select v, once, again from (select *, {again} as again from (select v, {once} as once "
            "from (select unnest($1::varchar[]) as v)))"
        )
    return lambda normaliser, values: con.execute(
        f"{made[normaliser]} where once is distinct from again", [values]
    ).fetchall()


@pytest.mark.parametrize("normaliser", NORMALISERS)
@settings(max_examples=15, deadline=None)
@given(values=st.lists(st.text(LETTERS, max_size=12), max_size=40), seed=st.integers(0, 2**32))
def test_a_normal_form_is_its_own(
    normaliser: str, twice: Callable[[str, list[str]], list[object]], values: list[str], seed: int
) -> None:
    chance = random.Random(seed)
    assert twice(normaliser, values + [composed(chance) for _ in range(1_000)]) == []
