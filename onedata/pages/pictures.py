"""Small pictures as SVG, for pages that load nothing from the network."""

import base64
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from onedata.pages import template

WIDTH, HEIGHT, LEFT, BOTTOM, TOP = 720, 220, 52, 34, 22
COLOURS = ("#3b6fb6", "#e0a030", "#9aa3ad", "#b04a4a")
MOST_LABELS = 12


@dataclass(frozen=True)
class Bar:
    """A part of a column, in pixels from the upper left corner; `title` is its tooltip."""

    x: float
    y: float
    width: float
    height: float
    colour: str
    title: str


@dataclass(frozen=True)
class Text:
    """Text at a position; `anchor` is the end of the text at that position."""

    x: float
    y: float
    anchor: Literal["middle", "end"]
    words: str


@dataclass(frozen=True)
class Key:
    """The legend of one colour."""

    x: float
    colour: str
    name: str


def stacked_columns(labels: Sequence[str], series: Mapping[str, Sequence[float]]) -> str:
    """An SVG with one column per label and the series stacked; '' if there is nothing to draw.

    Args:
        labels: Labels below the columns, in order.
        series: Name to one height (0 or more) per label; at most four.
    """
    totals = [sum(values) for values in zip(*series.values(), strict=True)]
    top = max(totals, default=0)
    if not top:
        return ""
    step = (WIDTH - LEFT) / len(labels)
    floor, unit = float(HEIGHT - BOTTOM), (HEIGHT - BOTTOM - TOP) / top
    bars, texts = [], []
    for place, label in enumerate(labels):
        left, y = LEFT + place * step, floor
        for colour, (name, values) in zip(COLOURS, series.items(), strict=False):
            height = values[place] * unit
            y -= height
            if height:
                title = f"{label}, {name}: {values[place]:,g}"
                bars.append(Bar(left + 1, y, max(1.0, step - 2), height, colour, title))
        if place % -(-len(labels) // MOST_LABELS) == 0:
            texts.append(Text(left + step / 2, floor + 16, "middle", label))
    texts += [Text(LEFT - 6, floor - value * unit + 4, "end", f"{value:,g}") for value in (0.0, top)]
    keys = [Key(LEFT + place * 150, *pair) for place, pair in enumerate(zip(COLOURS, series, strict=False))]
    return template.render("columns.svg.j2", width=WIDTH, height=HEIGHT, bars=bars, texts=texts, keys=keys)


def as_markdown(name: str, svg: str) -> str:
    """The picture inline in Markdown, as a data URI; a dash if there is none."""
    return f"![{name}](data:image/svg+xml;base64,{base64.b64encode(svg.encode()).decode()})" if svg else "-"
