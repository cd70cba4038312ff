"""Tables for the Dagster UI."""

from collections.abc import Sequence

from onedata.masking import mask


def markdown(header: Sequence[str], rows: Sequence[tuple[object, ...]]) -> str:
    """A Markdown table, 'nothing' where it has no rows; what looks like an e-mail, phone or card in it is masked."""
    if not rows:
        return "nothing"
    lines = [list(header), ["---"] * len(header), *[[_cell(value) for value in row] for row in rows]]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def _cell(value: object) -> str:
    return "" if value is None else mask(str(value)).replace("|", "\\|").replace("\n", " ")
