"""The identifier policy that a home's rows landed and were linked by, held against the one of the settings.

Tokens are made, and components decided, by the policy of their night. Rows of two policies in one home would be linked
by neither, and a rebuild would come to other persons.
"""

import json
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

import duckdb

from onedata.contracts.identifiers import IdentifierPolicy
from onedata.errors import OnedataError
from onedata.ledger import tick
from onedata.ledger.log import append, entries

KIND = "policy"


class PolicyChanged(OnedataError):
    """The home has rows of another identifier policy."""


def hold_policy(con: duckdb.DuckDBPyConnection, lake: Path, policy: IdentifierPolicy) -> None:
    """Write the policy into the lake's log at the first run; later, refuse another one if rows have landed.

    Raises:
        PolicyChanged: with the first difference, and what to do.
        LogDamaged: the policy in the log cannot be read.
    """
    now = json.loads(json.dumps(asdict(policy)))
    held = next((entry.content["policy"] for entry in reversed(list(entries(lake, KIND)))), None)
    if json.dumps(held) == json.dumps(now):  # the order of kinds counts
        return
    if held is not None and _has_rows(con):
        raise PolicyChanged(
            f"the identifier policy is not the one that this home was built with ({_difference(held, now)}): rows that "
            "have landed keep their tokens and persons, so two policies would mix. Put identifiers.yaml back, or set "
            "`home` to a new folder and run every night there"
        )
    append(lake, KIND, tick(con), {"policy": now})


def _has_rows(con: duckdb.DuckDBPyConnection) -> bool:
    return bool(con.execute("select count(*) from ops.file").fetchall()[0][0])


def _difference(old: Mapping[str, Any], new: Mapping[str, Any]) -> str:
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
