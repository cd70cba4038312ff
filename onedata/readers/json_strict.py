"""JSON lines read in one parse, where nothing about them is unusual.

The careful way (`jsonl`) parses a document to split the lines, again for its values, and again for the lists of its
keys. DuckDB's strict reader does it once, and stops at what it would have to guess: a line that is no object, a key
that stands twice, a value of another structure. What it does not stop at, this query does: a number whose digits or
whose writing may be lost. A piece of a file in which it stops is read again, carefully.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import duckdb

from onedata.contracts.model import Feed
from onedata.readers.base import Part, SourceFile, file_literal
from onedata.readers.json_paths import Step, Tree, member_steps
from onedata.readers.json_values import MAX_DOCUMENT_BYTES, of_field
from onedata.sql import quote_name, quote_text

TRIED_DOCUMENTS = 1_000
_NO_VALUE = "\x01onedata"
"""A text that no document holds: comparing with it makes DuckDB read a member that nothing else needs."""


class StrictLines:
    """The query of a feed's documents with these keys, for lines of which all are usual.

    Args:
        feed: The feed; it has no `records`.
        keys: The names of the members of each object, by the steps to it, that the file's documents have.
    """

    def __init__(self, feed: Feed, keys: Mapping[tuple[Step, ...], Sequence[str]]) -> None:
        self._tree = Tree()
        for name in feed.source_fields:
            self._tree.want(member_steps(name))
        read = set(self._tree.members)
        for steps, names in keys.items():
            self._tree.add(steps, names)
        self._unread = [name for name in self._tree.members if name not in read]
        self._values = [of_field(feed, name, self._tree, "_v", "_json") for name in feed.source_fields]

    @property
    def is_possible(self) -> bool:
        """Whether one structure expresses all that is read."""
        return self._tree.is_plain

    def query(self, source: str, before: int) -> str:
        """SQL that yields `_row` and every source field, and fails where a line is unusual.

        Args:
            source: SQL of the file's name, or of the part of it.
            before: The number of its documents before that.
        """
        columns = {name: _sql_type(kind) for name, kind in self._tree.structure().items()}
        typed = ", ".join(f"{quote_text(name)}: {quote_text(kind)}" for name, kind in columns.items())
        packed = ", ".join(f"{quote_name(name)} := {quote_name(name)}" for name in columns)
        unusual = [value.unusual for value in self._values if value.unusual]
        unusual += [f"{quote_name(name)} = {quote_text(_NO_VALUE)}" for name in self._unread]
        row = f"row_number() over () + {before}"
        if unusual:
            row = f"case when {' or '.join(unusual)} then error('a value is unusual') else {row} end"
        fields = "".join(f", {value.text} as {quote_name(value.name)}" for value in self._values)
        return (
            f"select {row} as _row{fields} from (select *, struct_pack({packed}) as _v from read_json({source}, "
            f"format='newline_delimited', columns={{{typed}}}, maximum_object_size={MAX_DOCUMENT_BYTES}))"
        )

    def part(self, file: SourceFile) -> Part:
        """The file as a part; raw records are fetched by line."""
        return Part(file, self.query(file_literal(file.path), 0))

    def takes(self, con: duckdb.DuckDBPyConnection, file: SourceFile) -> bool:
        """Whether the first documents are usual."""
        source = f"(select * from ({self.query(file_literal(file.path), 0)}) limit {TRIED_DOCUMENTS})"
        try:
            con.execute(f"select bit_xor(hash(r)) from {source} r").fetchall()
        except duckdb.Error:
            return False
        return True


def _sql_type(structure: Any) -> str:
    """A structure of `from_json` as a DuckDB type."""
    if isinstance(structure, Mapping):
        return f"STRUCT({', '.join(f'{quote_name(name)} {_sql_type(kind)}' for name, kind in structure.items())})"
    return f"{_sql_type(structure[0])}[]" if isinstance(structure, list) else str(structure)
