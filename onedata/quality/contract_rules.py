"""Rules of a feed's contract on the staged rows: the row rules again, as a check of the quarantine, and the rules on
the whole delivery."""

from dataclasses import replace

from onedata.contracts.model import Feed, Rule
from onedata.contracts.words import DELIVERY
from onedata.landing.rows import is_row_identity


def contract_rules(feed: Feed) -> tuple[Rule, ...]:
    """Every rule that the staged rows of `feed` must satisfy.

    Raw identifiers are tokens by then, so value rules on `core` columns are checked only at landing. A backfill stages
    many deliveries at once: keys are unique within each, but not across them, where the same key is a new version.
    """
    rules: list[Rule] = []
    for item in feed.fields:
        core = item.column.classification == "core"
        if item.required and not core and not is_row_identity(item):
            rules.append(Rule(f"{item.column.name}_required", "nullValues", (item.column.name,), {}, 0, 0))
        if not core:
            rules += item.rules
    return (*rules, *(_within_delivery(rule) for rule in feed.rules))


def hidden_columns(feed: Feed) -> set[str]:
    """The columns whose values no message repeats: those that are not public, and those not in the contract."""
    return {column.name for column in feed.entity.columns if column.classification != "public"} | {"_extra"}


def _within_delivery(rule: Rule) -> Rule:
    return replace(rule, columns=(*rule.columns, DELIVERY)) if rule.metric == "duplicateValues" else rule
