"""Contracts: the only place that knows a feed. This package loads and checks them; everything about a feed derives from
the result."""

from onedata.contracts.entities import load_entities
from onedata.contracts.load import load_drafts, load_feeds
from onedata.contracts.model import Column, ContractError, Entity, Feed, Field, Identifier, Rule

__all__ = [
    "Column",
    "ContractError",
    "Entity",
    "Feed",
    "Field",
    "Identifier",
    "Rule",
    "load_drafts",
    "load_entities",
    "load_feeds",
]
