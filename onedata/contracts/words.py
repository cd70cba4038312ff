"""Rules in words. Only this module composes them: pages, gates, Data Docs, the Dagster UI and quarantine reasons use
the same words. They contain no value of a row, so they may be published."""

from collections.abc import Sequence

from onedata.contracts.model import Rule

_LIMITS = {"minimum": "at least", "maximum": "at most", "pattern": "matches", "validValues": "one of"}
# The contract gate checks the keys of each delivery with it (quality/contract_rules.py).
DELIVERY = "_batch"


def in_words(rule: Rule, code: bool = False) -> str:
    """The assertion of a rule: its own description, or its columns and what is asserted of them.

    Args:
        rule: A rule of a contract or of a model's YAML.
        code: Format values and queries as Markdown code.
    """
    columns = ", ".join(name for name in rule.columns if name != DELIVERY)
    whole = rule.description or rule.metric in ("rowCount", "sql") or not columns
    return asserted(rule, code) if whole else f"{columns} {asserted(rule, code)}"


def asserted(rule: Rule, code: bool = False) -> str:
    """As `in_words`, without the columns: `at least 1, at most 5`."""
    if rule.description:
        return rule.description
    if rule.metric == "rowCount":
        return _rows(rule)
    return _of_good_rows(rule, code) + ("" if rule.at_most == 0 else f", but for {_rows(rule)}")


def expected(rule: Rule) -> str:
    """The bound on the observed count: of invalid rows, for rowCount of rows."""
    return bound(rule.at_least, rule.at_most)


def bound(low: float | None, high: float | None) -> str:
    """`0`, `at least 1`, `at most 5` or `1 to 3`."""
    if low == high and low is not None:
        return f"{low:g}"
    if low is None or high is None:
        return f"at most {high:g}" if low is None else f"at least {low:g}"
    return f"{low:g} to {high:g}"


def _of_good_rows(rule: Rule, code: bool) -> str:
    if rule.metric == "nullValues":
        return "not empty"
    if rule.metric == "duplicateValues":
        return "unique in a delivery" if DELIVERY in rule.columns else "unique"
    if rule.metric == "sql":
        return f"no row of {_value(' '.join(str(rule.arguments.get('query')).split()), code)}"
    return ", ".join(f"{_LIMITS[name]} {_value(value, code)}" for name, value in rule.arguments.items())


def _rows(rule: Rule) -> str:
    last = rule.at_least if rule.at_most is None else rule.at_most
    return f"{expected(rule)} {'row' if last == 1 else 'rows'}"


def _value(value: object, code: bool) -> str:
    if isinstance(value, Sequence) and not isinstance(value, str):
        return ", ".join(map(str, value))
    return f"`{value}`" if code else str(value)
