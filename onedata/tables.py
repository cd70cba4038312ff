"""Tables of text, for a terminal and in Markdown.

Rich wraps lines at the terminal's width and reads brackets as markup; tabulate parses text as numbers and does not
escape `|`. Here the content of a cell is shown unchanged.
"""

from collections.abc import Collection, Iterable, Sequence

INDENT = "  "
GAP = "  "


def text_table(header: Sequence[str], rows: Sequence[Sequence[object]], right: Collection[str] = ()) -> str:
    """Aligned columns for a terminal, indented.

    Args:
        header: Column names.
        rows: Cells by column. A column whose first cell is an integer is right-aligned, with thousands separators.
        right: Names of further right-aligned columns.
    """
    cells = [list(header), *[[f"{value:,}" if isinstance(value, int) else str(value) for value in row] for row in rows]]
    numbers = [
        index for index, name in enumerate(header) if name in right or (rows and isinstance(rows[0][index], int))
    ]
    return "\n".join((INDENT + line).rstrip() for line in aligned(cells, numbers))


def aligned(rows: Sequence[Sequence[str]], right: Collection[int] = ()) -> list[str]:
    """One line per row, each column as wide as its widest cell; `right` are the indices of right-aligned columns."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return [
        GAP.join(
            cell.rjust(width) if index in right else cell.ljust(width)
            for index, (cell, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in rows
    ]


def markdown_table(header: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """A Markdown table. Each cell stays within its bounds: runs of blanks and line breaks become one blank, `|` is
    escaped."""
    lines = [[_cell(value) for value in row] for row in (header, ["---"] * len(header), *rows)]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def without_empty(header: Sequence[str], rows: Sequence[Sequence[object]]) -> tuple[list[str], list[list[object]]]:
    """Header and rows without those of the named columns that are empty in every row."""
    kept = [index for index, name in enumerate(header) if not name or any(row[index] for row in rows)]
    return [header[index] for index in kept], [[row[index] for index in kept] for row in rows]


def _cell(value: object) -> str:
    return "" if value is None else " ".join(str(value).split()).replace("|", "\\|")
