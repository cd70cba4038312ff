"""Texts that describe a rule and repeat no value of a row, so that they may be published."""

from onedata.contracts.model import Rule
from onedata.landing.rows import describe


def in_words(rule: Rule) -> str:
    """The rule as a sentence: its own description, or one generated from its parts."""
    columns = ", ".join(rule.columns)
    if rule.description:
        return rule.description
    return {
        "nullValues": f"{columns} is never missing",
        "invalidValues": f"{columns}: {describe(rule)}",
        "duplicateValues": f"no {columns.removesuffix(', _batch')} comes twice"
        + (" in a delivery" if "_batch" in rule.columns else ""),
        "rowCount": "number of rows",
        "sql": rule.name.replace("_", " "),
    }[rule.metric]


def expected(rule: Rule) -> str:
    """The bound on the observed count: of invalid rows, or of all rows for rowCount."""
    return bound(rule.at_least, rule.at_most)


def bound(low: float | None, high: float | None) -> str:
    """`0`, `at least 1`, `at most 5` or `1 to 3`."""
    if low == high and low is not None:
        return f"{low:g}"
    if low is None or high is None:
        return f"at most {high:g}" if low is None else f"at least {low:g}"
    return f"{low:g} to {high:g}"
