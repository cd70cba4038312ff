"""The identifier policy that a home's rows landed and were linked by, held against the one of the settings.

Tokens are made, and components decided, by the policy of their night. Rows of two policies in one home would be linked
by neither, and a rebuild would come to other persons.
"""

import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

import duckdb

from onedata.contracts.identifiers import IdentifierPolicy
from onedata.durable import make_folders, write_durably
from onedata.errors import OnedataError

POLICY = "identifiers.json"


class PolicyChanged(OnedataError):
    """The home has rows of another identifier policy."""


def hold_policy(con: duckdb.DuckDBPyConnection, file: Path, policy: IdentifierPolicy) -> None:
    """Write the policy into the home at its first run; later, refuse another one where rows have landed.

    Raises:
        PolicyChanged: with the first difference, and what to do.
    """
    now = json.loads(json.dumps(asdict(policy)))
    held = json.loads(file.read_text(encoding="utf-8")) if file.exists() else None
    if held == now:
        return
    if held is not None and _has_rows(con):
        raise PolicyChanged(
            f"the identifier policy is not the one that this home was built with ({_difference(held, now)}): rows that "
            "have landed keep their tokens and persons, so two policies would mix. Put identifiers.yaml back, or set "
            "`home` to a new folder and run every night there"
        )
    make_folders(file.parent)
    write_durably(file, json.dumps(now, indent=1, ensure_ascii=False))


def _has_rows(con: duckdb.DuckDBPyConnection) -> bool:
    return bool(con.execute("select count(*) from ops.file").fetchall()[0][0])


def _difference(old: dict[str, Any], new: dict[str, Any]) -> str:
    """The first difference, by kind and key; blocked values are somebody's and are not repeated."""
    if old["blocked_values"] != new["blocked_values"]:
        return "blocked_values"
    for kind in sorted(old["types"].keys() | new["types"].keys()):
        was, is_now = old["types"].get(kind, {}), new["types"].get(kind, {})
        for key in sorted(was.keys() | is_now.keys()):
            if was.get(key) != is_now.get(key):
                values = "" if key.startswith("blocked") else f" is {is_now.get(key)}, was {was.get(key)}"
                return f"types: {kind}: {key}{values}"
    return "the order of its kinds"
