"""Small pictures as SVG, for pages that load nothing from elsewhere."""

import base64
from collections.abc import Mapping, Sequence
from html import escape

WIDTH, HEIGHT, LEFT, BOTTOM, TOP = 720, 220, 52, 34, 22
COLOURS = ("#3b6fb6", "#e0a030", "#9aa3ad", "#b04a4a")
MOST_LABELS = 12


def stacked_columns(labels: Sequence[str], series: Mapping[str, Sequence[float]]) -> str:
    """An SVG of one column a label, the series on top of each other; '' where there is nothing to draw.

    Args:
        labels: What stands below the columns, in order.
        series: Name to one height (0 or more) a label; at most four.
    """
    totals = [sum(values) for values in zip(*series.values(), strict=True)]
    top = max(totals, default=0)
    if not top:
        return ""
    step = (WIDTH - LEFT) / len(labels)
    floor, unit = HEIGHT - BOTTOM, (HEIGHT - BOTTOM - TOP) / top
    parts = []
    for place, label in enumerate(labels):
        left, y = LEFT + place * step, float(floor)
        for colour, (name, values) in zip(COLOURS, series.items(), strict=False):
            height = values[place] * unit
            y -= height
            if height:
                title = f"<title>{escape(f'{label}, {name}: {values[place]:,g}')}</title>"
                parts.append(
                    f'<rect x="{left + 1:.1f}" y="{y:.1f}" width="{max(1.0, step - 2):.1f}" height="{height:.1f}" '
                    f'fill="{colour}">{title}</rect>'
                )
        if place % -(-len(labels) // MOST_LABELS) == 0:
            parts.append(
                f'<text x="{left + step / 2:.1f}" y="{floor + 16}" text-anchor="middle">{escape(label)}</text>'
            )
    for value in (0.0, top):
        parts.append(f'<text x="{LEFT - 6}" y="{floor - value * unit + 4:.1f}" text-anchor="end">{value:,g}</text>')
    for place, (colour, name) in enumerate(zip(COLOURS, series, strict=False)):
        parts.append(
            f'<rect x="{LEFT + place * 150}" y="2" width="10" height="10" fill="{colour}"/><text '
            f'x="{LEFT + place * 150 + 16}" y="12">{escape(name)}</text>'
        )
    style = 'font-family="sans-serif" font-size="11" fill="#555"'
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH}" height="{HEIGHT}" viewBox="0 0 {WIDTH} {HEIGHT}" '
        f"{style}>{''.join(parts)}</svg>"
    )


def as_markdown(name: str, svg: str) -> str:
    """The picture inline in markdown, as a data address; a dash where there is none."""
    return f"![{name}](data:image/svg+xml;base64,{base64.b64encode(svg.encode()).decode()})" if svg else "-"
