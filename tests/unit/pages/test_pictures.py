"""Pictures are SVG, drawn to scale, and embedded inline."""

import base64
import re
from xml.etree import ElementTree

from onedata.pages.pictures import BOTTOM, HEIGHT, MOST_LABELS, TOP, as_markdown, stacked_columns

RECT = "{http://www.w3.org/2000/svg}rect"


def heights(svg: str) -> list[float]:
    """Of the columns' parts; those with a title."""
    return [float(part.attrib["height"]) for part in ElementTree.fromstring(svg).iter(RECT) if len(part)]


def test_the_highest_column_fills_the_picture_and_the_others_are_to_scale() -> None:
    full = HEIGHT - BOTTOM - TOP
    assert heights(stacked_columns(["1", "2"], {"persons": [4, 1]})) == [full, full / 4]


def test_series_stand_on_top_of_each_other() -> None:
    svg = stacked_columns(["1"], {"link": [1], "review": [3]})
    assert sum(heights(svg)) == HEIGHT - BOTTOM - TOP
    assert re.findall("<title>(.*?)</title>", svg) == ["1, link: 1", "1, review: 3"]


def test_labels_are_thinned_out() -> None:
    svg = stacked_columns([str(number) for number in range(100)], {"persons": [1] * 100})
    assert svg.count('text-anchor="middle"') <= MOST_LABELS


def test_names_may_hold_any_letter() -> None:
    ElementTree.fromstring(stacked_columns(["<a>"], {"b & c": [1]}))


def test_nothing_to_draw_is_a_dash() -> None:
    assert as_markdown("x", stacked_columns([], {"persons": []})) == "-"
    assert as_markdown("x", stacked_columns(["1"], {"persons": [0]})) == "-"


def test_a_picture_stands_inline() -> None:
    svg = stacked_columns(["1"], {"persons": [1]})
    found = re.fullmatch(r"!\[sizes\]\(data:image/svg\+xml;base64,(.*)\)", as_markdown("sizes", svg))
    assert found is not None
    assert base64.b64decode(found[1]).decode() == svg
