"""The platform's own words, which a message about rows repeats unchanged: what contracts and models' YAML declare.

A word is known in the columns that it is declared for, and nowhere else: a person may be called like a channel. A
column that any entity or model classifies as personal has no words. Pure.
"""

import re
from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from onedata.contracts.model import Feed, Rule
from onedata.contracts.rules import parse_rules
from onedata.quality.model_rules import models_of, sensitive_columns

FAMILIES = ("system", "feed", "channel", "currency", "reason")
"""Ends of names whose columns share their words: `source_system` and `order_system` both hold systems."""

# ISO 4217: no list of a retailer's own tells which currency a source may name.
CURRENCIES = re.findall(
    r"\w+",
    "AED AFN ALL AMD ANG AOA ARS AUD AWG AZN BAM BBD BDT BGN BHD BIF BMD BND BOB BRL BSD BTN BWP BYN BZD CAD "
    "CDF CHF CLP CNH CNY COP CRC CUP CVE CZK DJF DKK DOP DZD EGP ERN ETB EUR FJD FKP GBP GEL GHS GIP GMD GNF "
    "GTQ GYD HKD HNL HRK HTG HUF IDR ILS INR IQD IRR ISK JMD JOD JPY KES KGS KHR KMF KPW KRW KWD KYD KZT LAK "
    "LBP LKR LRD LSL LYD MAD MDL MGA MKD MMK MNT MOP MRU MUR MVR MWK MXN MYR MZN NAD NGN NIO NOK NPR NZD OMR "
    "PAB PEN PGK PHP PKR PLN PYG QAR RON RSD RUB RWF SAR SBD SCR SDG SEK SGD SHP SLE SOS SRD SSP STN SYP SZL "
    "THB TJS TMT TND TOP TRY TTD TWD TZS UAH UGX USD UYU UZS VES VND VUV WST XAF XCD XOF XPF XXX YER ZAR ZMW ",
)


@dataclass(frozen=True)
class Vocabulary:
    """The words by column (or family of columns), and the columns that are personal somewhere."""

    words: Mapping[str, frozenset[str]] = field(default_factory=dict)
    personal: frozenset[str] = frozenset()

    def known(self, column: str, value: str) -> tuple[str, ...]:
        """The value, if it is a word of the column, or a list of such words."""
        words = frozenset() if column in self.personal else self.words.get(_family(column), frozenset())
        return (value,) if value in words or words.issuperset(value.split(", ")) else ()


def vocabulary(feeds: Iterable[Feed], manifest: Mapping[str, Any] | None = None) -> Vocabulary:
    """The words of the feeds' contracts and, with dbt's manifest, of the models."""
    feeds, nodes = tuple(feeds), models_of(manifest or {})
    personal = {column.name for feed in feeds for column in feed.entity.columns if column.classification != "public"}
    personal |= {name for node in nodes for name in sensitive_columns(manifest or {}, node["name"])}
    found: dict[str, set[str]] = defaultdict(set)
    for column, words in [*_of_feeds(feeds), *_of_models(nodes)]:
        found[_family(column)] |= {str(word) for word in words}
    return Vocabulary({column: frozenset(words) for column, words in found.items()}, frozenset(personal))


def _of_feeds(feeds: Collection[Feed]) -> Iterator[tuple[str, Collection[object]]]:
    yield "currency", CURRENCIES
    yield "feed", {feed.name for feed in feeds}
    yield "system", {feed.system for feed in feeds}
    yield "entity", {feed.entity.name for feed in feeds}
    # The column in which feeds of one system contradict each other (macros/several_feeds.sql).
    yield "_tied", {column.name for feed in feeds for column in feed.entity.columns}
    for feed in feeds:
        yield from _of_rules(rule for item in feed.fields for rule in item.rules)


def _of_models(nodes: Iterable[Mapping[str, Any]]) -> Iterator[tuple[str, Collection[object]]]:
    for node in nodes:
        quality = (node["config"].get("meta") or {}).get("quality") or []
        yield from _of_rules(parse_rules(quality, str(node.get("patch_path") or node["name"])))


def _of_rules(rules: Iterable[Rule]) -> Iterator[tuple[str, Collection[object]]]:
    for rule in rules:
        listed = rule.arguments.get("validValues")
        if isinstance(listed, list | tuple):
            yield from ((column, listed) for column in rule.columns)


def _family(column: str) -> str:
    end = column.rpartition("_")[2]
    return end if end in FAMILIES else column
