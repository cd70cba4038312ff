"""Draw the README's first picture from what `make run` published and from the simulator's truth: python
docs/pictures/retailer.py [HOME]."""

import json
import sys
from decimal import Decimal
from pathlib import Path

import duckdb

HOME = Path(sys.argv[1] if len(sys.argv) > 1 else "data")
COLOURS = {"online": "#4e79a7", "social": "#e15759", "store": "#59a14f"}
LEFT, BASE, HEIGHT, BAR, STEP = 60, 250, 180, 44, 66
RIGHT, ROW, LONGEST = 500, 24, 210

SOLD = """
select business_date, channel, net_revenue_base::double from ads_channel_day
where business_date >= date '2026-01-05' and channel in ('online', 'social', 'store') order by all
"""
DROVE = (
    "select kind, sum(weight) as orders from read_parquet('{truth}/touches/*.parquet') where converts "
    "and not lost_to_stock_out group by 1 order by 2 desc"
)


def text(x: float, y: float, said: str, size: int = 13, anchor: str = "start", colour: str = "#333") -> str:
    return f'<text x="{x:.1f}" y="{y:.1f}" font-size="{size}" text-anchor="{anchor}" fill="{colour}">{said}</text>'


def days(sold: list[tuple[object, str, float]]) -> list[str]:
    """Stacked bars, one a day; the last part of a bar is the store's."""
    dates = sorted({row[0] for row in sold}, key=str)
    most = max(sum(amount for day, _, amount in sold if day == date) for date in dates)
    parts = [text(LEFT, 40, "Published: net revenue a day, thousand CNY", 15)]
    for number, date in enumerate(dates):
        x, y = LEFT + number * STEP, float(BASE)
        for channel, colour in COLOURS.items():
            amount = sum(row[2] for row in sold if row[0] == date and row[1] == channel)
            height = amount / most * HEIGHT
            y -= height
            parts.append(f'<rect x="{x}" y="{y:.1f}" width="{BAR}" height="{height:.1f}" fill="{colour}"/>')
        total = sum(row[2] for row in sold if row[0] == date)
        parts += [
            text(x + BAR / 2, y - 6, f"{total / 1000:.0f}", anchor="middle"),
            text(x + BAR / 2, BASE + 18, str(date)[5:], 12, "middle", "#666"),
        ]
    legend = [
        f'<rect x="{LEFT + number * 90}" y="{BASE + 34}" width="12" height="12" fill="{colour}"/>'
        + text(LEFT + 18 + number * 90, BASE + 45, channel)
        for number, (channel, colour) in enumerate(COLOURS.items())
    ]
    return parts + legend


def causes(drove: list[tuple[str, float]]) -> list[str]:
    """Bars, one a cause of orders."""
    parts = [text(RIGHT, 40, "Truth: what drove the orders (number of them)", 15)]
    for number, (kind, orders) in enumerate(drove):
        y = 62 + number * ROW
        name = "no touch at all" if kind == "base" else kind.replace("_", " ")
        parts.append(text(RIGHT + 100, y + 13, name, 13, "end"))
        width = orders / drove[0][1] * LONGEST
        parts.append(f'<rect x="{RIGHT + 110}" y="{y}" width="{width:.1f}" height="16" fill="#b07aa1"/>')
        parts.append(text(RIGHT + 118 + width, y + 13, f"{orders:.0f}"))
    return parts


def draw() -> str:
    truth = HOME / "retailer" / "truth"
    with duckdb.connect(str(HOME / "published" / "onedata.duckdb"), read_only=True) as con:
        sold, drove = con.execute(SOLD).fetchall(), con.execute(DROVE.format(truth=truth)).fetchall()
        published = con.execute("select sum(net_revenue_as_priced_base) from ads_channel_day").fetchone()
    assert published
    known = sum(
        map(Decimal, json.loads((truth / "totals.json").read_text(encoding="utf-8"))["net_revenue_delivered"].values())
    )
    foot = (
        f"Net revenue as priced, all days: published {published[0]:,.3f} CNY; in truth, of all that was delivered, "
        f"{known:,.3f} CNY."
    )
    body = "\n".join([*days(sold), *causes(drove), text(LEFT, 325, foot, 13, "start", "#666")])
    frame = (
        '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 900 345" font-family="sans-serif"><rect width="900" '
        'height="345" fill="white"/>'
    )
    return f"{frame}\n{body}\n</svg>\n"


if __name__ == "__main__":
    target = Path(__file__).with_suffix(".svg")
    target.write_text(draw(), encoding="utf-8")
    sys.stdout.write(f"{target}\n")
