"""Strict YAML: a duplicate key is an error, whereas plain YAML silently takes the last one; and each mapping knows its
lines, so that errors name file and line."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import yaml

from onedata.contracts.model import ContractError


class Located(dict[Any, Any]):
    """A mapping of a file; `line` is where it begins, `lines` are the lines of its keys, from 1."""

    line: int = 0
    lines: dict[Any, int]


def line_of(content: Any, path: Sequence[Any] = ()) -> int | None:
    """The line of the value at `path`, or of the last part of the path that has one; None if there is none."""
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
    """Safe YAML loader (by libyaml, ten times as fast) that refuses duplicate keys."""

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


Written = tuple[tuple[Path, bytes | None], ...]


def written(*files: Path) -> Written:
    """The files with what is in them, None for one that cannot be read: the key of what was loaded from them before."""
    return tuple((file, _bytes(file)) for file in files)


def _bytes(file: Path) -> bytes | None:
    try:
        return file.read_bytes()
    except OSError:
        return None


def read_mapping(file: Path) -> dict[str, Any]:
    """The mapping in a YAML file.

    Raises:
        ContractError: the file is not YAML, has a duplicate key, or is not a mapping at the top.
    """
    try:
        content = yaml.load(file.read_text(encoding="utf-8"), _Once)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        line = f":{mark.line + 1}" if mark else ""
        raise ContractError(f"{file}{line} is not YAML: {error.problem or error}") from None
    except OSError as error:
        raise ContractError(f"{file} cannot be read: {error.strerror}") from None
    except (yaml.YAMLError, ValueError, RecursionError) as error:  # ValueError: a day that no calendar has
        raise ContractError(f"{file} is not YAML: {error}") from None
    if not isinstance(content, dict):
        raise ContractError(f"{file}: a mapping is expected at the top")
    return content
