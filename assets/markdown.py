"""Tables for the Dagster UI."""

from collections.abc import Sequence

from onedata.masking import mask
from onedata.tables import markdown_table


def markdown(header: Sequence[str], rows: Sequence[tuple[object, ...]]) -> str:
    """A Markdown table, 'nothing' if it has no rows; text that looks like an e-mail, phone or card is masked."""
    shown = [[None if value is None else mask(str(value)) for value in row] for row in rows]
    return markdown_table(header, shown) if shown else "nothing"
