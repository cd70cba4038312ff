"""Sealed JSON: the last member is the SHA-256 of the rest, so that a single flipped bit is detected."""

import hashlib
import json
from collections.abc import Mapping
from typing import Any

SEAL = "seal"


def seal(content: Mapping[str, Any]) -> str:
    """The content as JSON text with its seal. Values of types that JSON lacks are written as text."""
    body = json.dumps(dict(content), default=str, indent=1)
    return json.dumps({**json.loads(body), SEAL: hashlib.sha256(body.encode()).hexdigest()}, indent=1) + "\n"


def unseal(text: str) -> dict[str, Any]:
    """The content of a sealed text, without its seal.

    Raises:
        ValueError: the text differs, in any byte, from what `seal` wrote.
    """
    content = json.loads(text)
    if not isinstance(content, dict) or SEAL not in content:
        raise ValueError("it has no seal")
    del content[SEAL]
    if seal(content) != text:
        raise ValueError("it is not what was written: its seal is of other content")
    return content


def unseal_if_sealed(text: str) -> dict[str, Any]:
    """The content of a text that an earlier onedata may have written without a seal.

    Raises:
        ValueError: it is not JSON, or its seal does not match the content.
    """
    if f'"{SEAL}"' in text:
        return unseal(text)
    content: dict[str, Any] = json.loads(text)
    return content
