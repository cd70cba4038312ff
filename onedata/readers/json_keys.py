"""Documents with a key that stands twice in one object: which of its values is meant cannot be told.

DuckDB takes the first without a word. Finding a repeated key in a list costs twice as much as parsing the document, so
the lists of keys that the first documents have are looked at once; in a document with one of those, only its hash is.

Each JSON function parses all documents of a step, which DuckDB keeps until the step ends: with 28 events in each of
2,048 documents that is 80 MB a function. So members in which several objects are looked at are taken out once, and
asked for all of them at once. The objects in a list that a filter or a sum goes through need a function a list.
"""

from collections.abc import Iterator, Sequence

from onedata.contracts.model import Feed
from onedata.contracts.sums import below, inside, summed
from onedata.readers.json_paths import Step, json_path, member_steps
from onedata.sql import quote_text

MAX_SOUND = 200
_EVERY: Step = ("", "")
"""The step to every member of a list."""


class KeysTwice:
    """The objects of a feed's documents in which a key may stand twice: those that its contract looks into."""

    def __init__(self, feed: Feed) -> None:
        prefix = f"{feed.records}[]." if feed.records else ""
        self._rows = json_path(feed.records) + "[*]" if feed.records else ""
        one: dict[str, tuple[Step, ...]] = {"$": ()}
        many: dict[str, tuple[Step, ...]] = {"$": ()}
        for name in feed.source_fields:
            within = inside(name, prefix)
            for steps in _objects(below(name, prefix) if within else name):
                (many if within else one).setdefault(json_path(steps), steps)
        self.objects, self.in_lists = _parted(one)
        """The steps to each of them, except those in the members of `records`: at one place, and in lists."""
        self._many, self._many_in_lists = _parted(many)

    def keys(self, document: str) -> str:
        """SQL of the lists of keys of all these objects."""
        keys = _keys(document, self.objects, self.in_lists)
        if not self._rows:
            return keys
        if len(self._many) == 1 and not self._many_in_lists:
            return f"list_concat({keys}, json_keys({document}, {quote_text(self._rows)}))"
        members = f"json_extract({document}, {quote_text(self._rows)})"
        of_member = _keys("member", self._many, self._many_in_lists)
        return f"list_concat({keys}, flatten(list_transform({members}, lambda member: {of_member})))"

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


def _parted(
    objects: dict[str, tuple[Step, ...]],
) -> tuple[tuple[tuple[Step, ...], ...], tuple[tuple[Step, ...], ...]]:
    """The objects at one place, and those in lists."""
    listed = [steps for steps in objects.values() if any(isinstance(step, tuple) for step in steps)]
    return tuple(steps for steps in objects.values() if steps not in listed), tuple(listed)


def _keys(document: str, objects: Sequence[Sequence[Step]], in_lists: Sequence[Sequence[Step]]) -> str:
    """SQL: the lists of keys of a document's objects, those at one place first."""
    keys = f"json_keys({document}, [{', '.join(quote_text(json_path(steps)) for steps in objects)}])"
    for steps in in_lists:
        keys = f"list_concat({keys}, list_distinct(json_keys({document}, {quote_text(json_path(steps))})))"
    return keys


def _repeated(lists: str) -> str:
    """SQL, never NULL: one of the lists has an item twice."""
    return f"coalesce(list_bool_or(list_transform({lists}, lambda item: list_unique(item) < len(item))), false)"


def _objects(path: str) -> Iterator[tuple[Step, ...]]:
    """The steps to the objects on the way to a value, or to what is added up and what a filter compares."""
    total = summed(path)
    if total is None:
        yield from _above(member_steps(path))
        return
    to_member = [step for array in total.arrays for step in (*member_steps(array), _EVERY)]
    for wanted in total.wanted():
        yield from _above([*to_member, *member_steps(wanted)])


def _above(steps: Sequence[Step]) -> Iterator[tuple[Step, ...]]:
    """The objects of which a step takes a member; a filter takes the member that it compares."""
    for number, step in enumerate(steps, 1):
        if isinstance(step, tuple) if number == len(steps) else isinstance(steps[number], str):
            yield tuple((item[0], "") if isinstance(item, tuple) else item for item in steps[:number])
