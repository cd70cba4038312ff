"""Rules of a feed's contract on what landed: the row rules again, as a guard on the quarantine, and the rules on the
whole delivery."""

from dataclasses import replace

from onedata.contracts.model import Feed, Rule
from onedata.contracts.words import DELIVERY
from onedata.landing.rows import is_row_identity


def contract_rules(feed: Feed) -> tuple[Rule, ...]:
    """Every rule the staged rows of `feed` must hold.

    Raw identifiers have become tokens by then, so value rules on `core` columns were judged at landing only. A backfill
    stages many deliveries at once: keys are unique within each, not across them, where the same key is a new version.
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
    """The columns of which no message repeats a value: those that are not public, and what the contract does not
    know."""
    return {column.name for column in feed.entity.columns if column.classification != "public"} | {"_extra"}


def _within_delivery(rule: Rule) -> Rule:
    return replace(rule, columns=(*rule.columns, DELIVERY)) if rule.metric == "duplicateValues" else rule
