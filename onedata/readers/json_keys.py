"""Documents with a key that stands twice in one object: which of its values is meant cannot be told.

DuckDB takes the first without a word. Finding a repeated key in a list costs twice as much as parsing the document, so
the lists of keys that the first documents have are looked at once; in a document with one of those, only its hash is.
"""

from collections.abc import Sequence

from onedata.contracts.model import Feed
from onedata.contracts.sums import below, inside
from onedata.readers.json_paths import Step, json_path, member_steps
from onedata.sql import quote_text

MAX_SOUND = 200


class KeysTwice:
    """The objects of a feed's documents in which a key may stand twice: those that its contract looks into."""

    def __init__(self, feed: Feed) -> None:
        prefix = f"{feed.records}[]." if feed.records else ""
        rows = json_path(feed.records) + "[*]" if feed.records else ""
        one: dict[tuple[Step, ...], None] = {(): None}
        many = {rows: None} if rows else {}
        for name in feed.source_fields:
            within = inside(name, prefix)
            above = _objects_above(member_steps(below(name, prefix) if within else name))
            if within:
                many |= {rows + json_path(steps)[1:]: None for steps in above}
            else:
                one |= {tuple(steps): None for steps in above}
        self.objects, self._many = tuple(one), tuple(many)
        """The steps to each of them, except those in the members of `records`."""

    def keys(self, document: str) -> str:
        """SQL of the lists of keys of all these objects."""
        paths = ", ".join(quote_text(json_path(steps)) for steps in self.objects)
        lists = [f"json_keys({document}, [{paths}])", *(f"json_keys({document}, {quote_text(p)})" for p in self._many)]
        return f"list_concat({', '.join(lists)})" if len(lists) > 1 else lists[0]

    def predicate(self, document: str, sound: Sequence[int]) -> str:
        """SQL: a key stands twice in one of them.

        Args:
            document: SQL of the document.
            sound: Hashes of key lists without a repeated key (`sound_sql`).
        """
        keys = self.keys(document)
        twice = _repeated(keys)
        known = ", ".join(f"{hashed}::ubigint" for hashed in sound)
        return f"case when hash({keys}) in ({known}) then false else {twice} end" if sound else twice

    def sound_sql(self, documents: str) -> str:
        """SQL of the key lists without a repeated key in `documents`, which yields `json`: hash and lists, the most
        frequent first."""
        twice = _repeated("k")
        return (
            "select h, k from (select hash(k) as h, any_value(k) as k, count(*) as n from "
            f"(select {self.keys('json')} as k from ({documents})) group by 1) "
            f"where not {twice} order by n desc, h limit {MAX_SOUND}"
        )


def _repeated(lists: str) -> str:
    """SQL, never NULL: one of the lists has an item twice."""
    return f"coalesce(list_bool_or(list_transform({lists}, lambda item: list_unique(item) < len(item))), false)"


def _objects_above(steps: Sequence[Step]) -> list[Sequence[Step]]:
    """The objects on the way to a value, as far as no array is on it."""
    found: list[Sequence[Step]] = []
    for number, step in enumerate(steps[:-1], 1):
        if not isinstance(step, str):
            break
        found.append(steps[:number])
    return found
