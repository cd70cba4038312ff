"""Find statements that write the ledger's tables: in the string literals of Python source, else in the text."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

TABLES = (
    *(
        "delivery",
        "file",
        "quarantine",
        "repair",
        "drift",
        "control_total",
        "profile",
        "released",
        "key_range",
        "lake_file",
    ),
    *("contract", "watermark", "archive", "applied", "trend", "clock", "format", "batch", "pending_batch"),
    "unread_document",
)
"""What only `onedata/ledger` may write; the schema's other tables tell of runs."""

_VERB = (
    r"(?:insert\s+(?:or\s+\w+\s+)?into|update(?:\s+or\s+\w+)?|delete\s+from|truncate(?:\s+table)?|merge\s+into|copy"
    r"|(?:alter|drop)\s+(?:table|view)(?:\s+if\s+exists)?"
    r"|create\s+(?:or\s+replace\s+)?(?:temp\w*\s+)?(?:table|view)(?:\s+if\s+not\s+exists)?)"
)
_PLACEHOLDER = r"\{[^{}]*\}"
# A name that an f-string puts together may be any: `ops.{table}` and `{schema}.{table}` count; a single placeholder is
# the caller's own relation.
_TABLE = rf'(?:"?ops"?|{_PLACEHOLDER})\s*\.\s*(?:{_PLACEHOLDER}|"?(?:{"|".join(TABLES)})"?(?!\w))'
_STATEMENT = re.compile(rf'\b{_VERB}\s+(?:"?\w+"?\s*\.\s*)?{_TABLE}', re.IGNORECASE)
_SCHEMA = re.compile(r"\b(?:use\s+(?:\w+\.)?ops\b|set\s+(?:schema|search_path)\s*=\s*'[^']*\bops\b)", re.IGNORECASE)
_CALL = re.compile(
    rf'\.(?:append|insert_into|table|create|to_table)\(\s*f?["\']ops\.(?:{_PLACEHOLDER}|{"|".join(TABLES)})["\']',
    re.IGNORECASE,
)


def writes(text: str, is_python: bool) -> list[str]:
    """The writing statements in a source text, as they stand there."""
    parts = list(_strings(ast.parse(text))) if is_python else [text]
    found = [match[0] for part in parts for pattern in (_STATEMENT, _SCHEMA) for match in pattern.finditer(part)]
    return found + [match[0] for match in _CALL.finditer(text)]


def writes_of(path: Path) -> list[str]:
    """The same of a file."""
    return writes(path.read_text(encoding="utf-8"), path.suffix == ".py")


def _strings(tree: ast.AST) -> Iterator[str]:
    """Every text as it reaches the database: pieces side by side or added are one, holes stay in braces."""
    inner: set[int] = set()
    for node in ast.walk(tree):
        if id(node) in inner:
            continue
        text = _text(node)
        if text is not None:
            inner |= {id(below) for below in ast.walk(node)}
            yield text


def _text(node: ast.AST) -> str | None:
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        return node.value
    if isinstance(node, ast.JoinedStr):
        return "".join(_text(value) or "{}" for value in node.values)
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Add):
        left, right = _text(node.left), _text(node.right)
        sides = ["{}" if side is None else side for side in (left, right)]
        return None if left is None and right is None else "".join(sides)
    return None
