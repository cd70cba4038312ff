"""What the values of a text column look like, as far as it can tell that a field does not fill it."""

import re
from collections.abc import Sequence
from enum import Enum

from onedata.contracts.model import Column, Entity
from onedata.onboarding.values import EMAIL, ISO_DAY, ISO_TIME, NUMBER
from onedata.onboarding.words import folded, words

PHONE = re.compile(r"\+?[\d ()/.*x-]{6,20}")
CURRENCY = re.compile(r"[A-Za-z]{3}|[€$£¥]|人民币|元")
LANGUAGE = re.compile(r"[A-Za-z]{2,3}([-_][A-Za-z]{2,4})?|[A-Za-z]{4,12}")
URL = re.compile(r"(https?://|www\.)\S+|/\S*|\S+\.\S+/\S*")
TIME_ZONE = re.compile(r"[A-Z][A-Za-z]+(/[A-Za-z_+-]+)+|UTC|[A-Z]{3,4}|(GMT|UTC)[+-]\d+")
PERIOD = re.compile(r"\d{4}-(0[1-9]|1[0-2])")
PATH = re.compile(r"(https?:/)?/|www\.")
CONDITIONS = frozenset(
    ("enabled", "disabled", "invited", "declined", "active", "inactive", "open", "closed", "deleted")
)
"""What a field called state says of a record, rather than of a country."""
LONG_TEXT = 40
SENTENCE = 4


class Verdict(Enum):
    """What values say of a field that is named like the column."""

    NEVER = "they are of something else"
    GUESS = "a person must look"
    FINE = "they do not contradict"
    CONFIRMED = "they are the column's own words"


def plausible(entity: Entity, column: Column, values: Sequence[str]) -> tuple[Verdict, str]:
    """The verdict, and what is to be looked at."""
    if column.name == "on_hand" and sum(value.startswith("-") for value in values) * 2 > len(values):
        return Verdict.NEVER, ""  # mostly negative: changes, not stock
    if not values or column.type != "text":
        return Verdict.FINE, ""
    if {value.lower() for value in values} <= {"true", "false"}:
        return Verdict.NEVER, ""
    name = column.name
    table = words().values
    listed = table.get(f"{entity.name}.{name}", table.get(name))
    if listed is not None:
        found = {folded(value) for value in values}
        if found <= listed:
            return Verdict.CONFIRMED, ""
        return (
            (Verdict.FINE, "")
            if name in ("gender", "device", "event_name")
            else (Verdict.GUESS, "its words are not the canonical ones")
        )
    if name in ("currency", "phone", "language", "url", "time_zone"):
        form = {"currency": CURRENCY, "phone": PHONE, "language": LANGUAGE, "url": URL, "time_zone": TIME_ZONE}[name]
        return (Verdict.FINE, "") if all(form.fullmatch(value) for value in values) else (Verdict.NEVER, "")
    if name == "period":
        return (
            (Verdict.FINE, "")
            if all(PERIOD.fullmatch(value) for value in values)
            else (Verdict.GUESS, "a month is written YYYY-MM")
        )
    if name == "region" and {value.lower() for value in values} <= CONDITIONS:
        return Verdict.NEVER, ""
    if name == "line_id" and any(" " in value for value in values):
        return Verdict.NEVER, ""
    if name in ("full_name", "city", "country", "region", "node_name", "product_name", "category_name"):
        return (Verdict.NEVER, "") if all(NUMBER.fullmatch(value) for value in values) else (Verdict.FINE, "")
    if name == "postcode" or name.endswith("_postcode"):
        return (
            (Verdict.FINE, "") if any(letter.isdigit() for value in values for letter in value) else (Verdict.NEVER, "")
        )
    if name.endswith(("_id", "_code")) or name == "reference":
        return _names_something(values)
    return Verdict.FINE, ""


def _names_something(values: Sequence[str]) -> tuple[Verdict, str]:
    if all(PATH.match(value) for value in values):
        return Verdict.NEVER, ""
    if all(ISO_DAY.fullmatch(value) or ISO_TIME.fullmatch(value) or EMAIL.fullmatch(value) for value in values):
        return Verdict.NEVER, ""
    if all(re.fullmatch(r"-?\d+[.,]\d*[1-9]\d*", value) for value in values):
        return Verdict.GUESS, "its values are decimals"
    texts = sum(len(value) > LONG_TEXT or value.count(" ") >= SENTENCE for value in values)
    return (Verdict.GUESS, "its values are texts") if texts * 2 > len(values) else (Verdict.FINE, "")
