"""The fields that an XML file has and its contract does not know.

XML has no header: the leaves of the first records (`SAMPLE_BATCHES` of some megabyte each) stand for the file's.
"""

import re
from collections.abc import Iterator, Sequence
from itertools import islice

from lxml import etree

from onedata.contracts.model import Feed
from onedata.readers.base import SourceFile
from onedata.readers.xml_paths import read_by, record_tags, xpath
from onedata.readers.xml_stream import Unreadable, record_batches

SAMPLE_BATCHES = 2


def leaves_of(feeds: Sequence[Feed], file: SourceFile) -> list[list[str]]:
    """By feed, the paths of the elements with text and of the attributes in the first records that it takes, from the
    record, without filters, sorted. Nothing of a file that cannot be read: reading it says why.

    The feeds have the same `recordTag`.
    """
    tags = record_tags(feeds[0])
    wheres = [etree.XPath(xpath(feed, feed.where, "any namespace")) if feed.where else None for feed in feeds]
    found: list[dict[str, None]] = [{} for _ in feeds]
    try:
        for batch in islice(record_batches(file.path, tags), SAMPLE_BATCHES):
            for record in batch.root.iterchildren(etree.Element):
                if etree.QName(record).localname in tags:
                    leaves = dict.fromkeys(_leaves(record, ""))
                    for where, known in zip(wheres, found, strict=True):
                        if where is None or where(record):
                            known |= leaves
    except (etree.XMLSyntaxError, Unreadable):
        return [[] for _ in feeds]
    return [sorted(known) for known in found]


def unknown_leaves(feed: Feed, leaves: Sequence[str]) -> list[str]:
    """The leaves that no path of the contract reads, holds or leaves out on purpose."""
    known = [_plain(path) for path in feed.known_fields]
    return [leaf for leaf in leaves if not any(_covers(path, leaf) for path in known)]


def kept_leaves(feed: Feed, leaves: Sequence[str]) -> list[str]:
    """Those of them that land in `_extra`."""
    return unknown_leaves(feed, leaves) if feed.drift["added"] == "keep" else []


def _leaves(element: etree._Element, prefix: str) -> Iterator[str]:
    for name in element.attrib:
        if not name.startswith("{"):
            yield f"{prefix}@{name}"
    children = list(element.iterchildren(etree.Element))
    if not children and prefix and (element.text or "").strip():
        yield prefix[:-1]
    for child in children:
        yield from _leaves(child, f"{prefix}{etree.QName(child).localname}/")


def _plain(path: str) -> str:
    """A contract's path without filters, and without its end where that is the element itself or its name."""
    return re.sub(r"\[[^\]]*\]", "", read_by(path)).removesuffix("/name()").removesuffix("/.")


def _covers(path: str, leaf: str) -> bool:
    """Whether a path means the leaf, or an element around it."""
    start, _, rest = path.partition("//")
    if not rest:
        return leaf == path or leaf.startswith((f"{path}/", f"{path}@")) if path else True
    inside = leaf.startswith(f"{start}/") if start else True
    return inside and f"/{rest}/" in f"/{leaf}/"
