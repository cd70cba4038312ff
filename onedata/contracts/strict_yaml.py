"""YAML as it stands: a key that is written twice is a mistake, where plain YAML silently takes the last one; and each
mapping knows its lines, so that a mistake is told by file and line."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import yaml

from onedata.contracts.model import ContractError


class Located(dict[Any, Any]):
    """A mapping of a file; `line` is where it begins, `lines` where each key stands, from 1."""

    line: int = 0
    lines: dict[Any, int]


def line_of(content: Any, path: Sequence[Any] = ()) -> int | None:
    """The line of what `path` leads to, or of the last part of it that has one; None where nothing does."""
    found = content.line if isinstance(content, Located) else None
    for part in path:
        if isinstance(content, Located):
            found = content.lines.get(part, found)
        held = isinstance(content, dict) and part in content
        if not held and not (isinstance(content, list) and isinstance(part, int) and part < len(content)):
            break
        content = content[part]
        found = content.line if isinstance(content, Located) and isinstance(part, int) else found
    return found


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

    def construct_located(self, node: yaml.MappingNode) -> Iterator[Located]:
        found = Located()
        found.line = node.start_mark.line + 1
        yield found
        found.update(self.construct_mapping(node))
        found.lines = {key.value: key.start_mark.line + 1 for key, _ in node.value}


_Once.add_constructor("tag:yaml.org,2002:map", _Once.construct_located)


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
