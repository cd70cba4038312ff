"""Contracts that are not in effect yet: status `draft` or `proposed` of ODCS. Nights skip them."""

import re
from pathlib import Path

from onedata.contracts.model import ContractError
from onedata.contracts.strict_yaml import read_mapping

STATUSES = ("proposed", "draft", "active", "deprecated", "retired")
"""The words of ODCS v3.1."""
DRAFTS = frozenset(("proposed", "draft"))
LINE = re.compile(r"^status:\s*[\"']?(\w+)[\"']?\s*(#.*)?$", re.MULTILINE)


def is_draft(file: Path) -> bool:
    """Whether the contract is a draft; one that is no YAML yet is asked by its line `status:`."""
    try:
        return read_mapping(file).get("status") in DRAFTS
    except ContractError:
        pass
    try:
        found = LINE.search(file.read_text(encoding="utf-8", errors="replace"))
    except OSError:
        return False
    return found is not None and found[1] in DRAFTS


def draft_files(folder: Path) -> tuple[Path, ...]:
    """The drafts of a folder of contracts, by name."""
    return tuple(file for file in sorted(folder.glob("*.odcs.yaml")) if is_draft(file))
