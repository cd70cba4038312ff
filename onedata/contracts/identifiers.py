"""The kinds of identifier and what never to link on, from data_contracts/identifiers.yaml."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import yaml

from onedata.contracts.model import ContractError


@dataclass(frozen=True)
class IdentifierType:
    """One kind; `limit` values a person may have, `degree` neighbours of one kind before a value counts as shared."""

    name: str
    strong: bool
    limit: int
    degree: int


@dataclass(frozen=True)
class IdentifierPolicy:
    """Kinds ordered strongest first, and values that name nobody."""

    types: Mapping[str, IdentifierType]
    blocked_values: tuple[str, ...]
    blocked_email_domains: tuple[str, ...]

    @property
    def strong(self) -> tuple[str, ...]:
        return tuple(name for name, kind in self.types.items() if kind.strong)


def load_identifier_policy(file: Path) -> IdentifierPolicy:
    """The policy of `file`.

    Raises:
        ContractError: a key is missing or not as expected.
    """
    try:
        content = yaml.safe_load(file.read_text(encoding="utf-8"))
        types = {name: IdentifierType(name, item["strength"] == "strong", int(item["limit"]), int(item["degree"])) for name, item in content["types"].items()}
        return IdentifierPolicy(types, tuple(map(str, content["blocked_values"])), tuple(content["blocked_email_domains"]))
    except (AttributeError, KeyError, TypeError, ValueError, yaml.YAMLError) as error:
        raise ContractError(f"{file}: {error!r}; see the comments at its top for what it holds") from None
