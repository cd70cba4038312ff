"""Documents with a key that stands twice in one object: which of its values is meant cannot be told.

DuckDB takes the first without a word. Finding a repeated key in a list costs twice as much as parsing the document, so
the lists of keys that the first documents have are looked at once; in a document with one of those, only its hash is.

Each JSON function parses all documents of a step, which DuckDB keeps until the step ends: with 28 events in each of
2,048 documents that is 80 MB a function. So members in which several objects are looked at are taken out once, and
asked for all of them at once.
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
        self._rows = json_path(feed.records) + "[*]" if feed.records else ""
        one: dict[tuple[Step, ...], None] = {(): None}
        many: dict[tuple[Step, ...], None] = {(): None}
        for name in feed.source_fields:
            within = inside(name, prefix)
            above = _objects_above(member_steps(below(name, prefix) if within else name))
            if within:
                many |= {tuple(steps): None for steps in above}
            else:
                one |= {tuple(steps): None for steps in above}
        self.objects, self._many = tuple(one), tuple(many)
        """The steps to each of them, except those in the members of `records`."""

    def keys(self, document: str) -> str:
        """SQL of the lists of keys of all these objects."""
        keys = _keys(document, self.objects)
        if not self._rows:
            return keys
        if len(self._many) == 1:
            return f"list_concat({keys}, json_keys({document}, {quote_text(self._rows)}))"
        members = f"json_extract({document}, {quote_text(self._rows)})"
        return f"list_concat({keys}, flatten(list_transform({members}, lambda member: {_keys('member', self._many)})))"

    def predicate(self, keys: str, sound: Sequence[int]) -> str:
        """SQL: a key stands twice in one of them.

        Args:
            keys: Column of the document's lists of keys (`keys`); an expression is computed as often as it stands.
            sound: Hashes of key lists without a repeated key (`sound_sql`).
        """
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


def _keys(document: str, objects: Sequence[Sequence[Step]]) -> str:
    """SQL: the lists of keys of a document's objects."""
    return f"json_keys({document}, [{', '.join(quote_text(json_path(steps)) for steps in objects)}])"


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
