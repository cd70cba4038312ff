"""YAML as it stands: a key that is written twice is a mistake, where plain YAML silently takes the last one."""

from pathlib import Path
from typing import Any

import yaml

from onedata.contracts.model import ContractError


class _Once(yaml.CSafeLoader):
    """Safe YAML (by libyaml, ten times as fast) whose mappings hold every key once."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        seen: set[Any] = set()
        for key_node, _ in node.value:
            if isinstance(key_node, yaml.ScalarNode) and key_node.value != "<<":
                if key_node.value in seen:
                    raise yaml.constructor.ConstructorError(
                        None, None, f"{key_node.value} stands twice in one mapping", key_node.start_mark
                    )
                seen.add(key_node.value)
        return super().construct_mapping(node, deep)


def read_mapping(file: Path) -> dict[str, Any]:
    """The mapping a YAML file holds.

    Raises:
        ContractError: the file is not YAML, holds a key twice, or is no mapping at the top.
    """
    try:
        content = yaml.load(file.read_text(encoding="utf-8"), _Once)
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise ContractError(f"{file} is not YAML: {error}") from None
    if not isinstance(content, dict):
        raise ContractError(f"{file}: a mapping is expected at the top")
    return content
