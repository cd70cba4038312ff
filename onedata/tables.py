"""Tables of text, for a terminal and in Markdown.

Rich breaks lines at the terminal's width and reads brackets as markup; tabulate reads text as numbers and escapes no
`|`: what stands in a cell here is shown as it is.
"""

from collections.abc import Collection, Iterable, Sequence

INDENT = "  "
GAP = "  "


def text_table(header: Sequence[str], rows: Sequence[Sequence[object]], right: Collection[str] = ()) -> str:
    """Aligned columns for a terminal, indented.

    Args:
        header: A name a column.
        rows: Cells by column. A column whose first cell is a whole number stands to the right, with thousands.
        right: Names of further columns that stand to the right.
    """
    cells = [list(header), *[[f"{value:,}" if isinstance(value, int) else str(value) for value in row] for row in rows]]
    numbers = [
        index for index, name in enumerate(header) if name in right or (rows and isinstance(rows[0][index], int))
    ]
    return "\n".join((INDENT + line).rstrip() for line in aligned(cells, numbers))


def aligned(rows: Sequence[Sequence[str]], right: Collection[int] = ()) -> list[str]:
    """A line a row, every column as wide as its widest cell; `right` are the indices of columns that stand to the
    right."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return [
        GAP.join(
            cell.rjust(width) if index in right else cell.ljust(width)
            for index, (cell, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in rows
    ]


def markdown_table(header: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """A Markdown table. What stands in a cell stays in it: blanks and line breaks are one blank, `|` is escaped."""
    lines = [[_cell(value) for value in row] for row in (header, ["---"] * len(header), *rows)]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def without_empty(header: Sequence[str], rows: Sequence[Sequence[object]]) -> tuple[list[str], list[list[object]]]:
    """Header and rows without the named columns that are empty in every row."""
    kept = [index for index, name in enumerate(header) if not name or any(row[index] for row in rows)]
    return [header[index] for index in kept], [[row[index] for index in kept] for row in rows]


def _cell(value: object) -> str:
    return "" if value is None else " ".join(str(value).split()).replace("|", "\\|")
