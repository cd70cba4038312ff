"""XML, streamed: one row for each `recordTag` element, or for each repeated element in it (`records`).

Namespaces are ignored: paths go by local names, so a vendor's namespaces and extra elements do no harm. Entities are not resolved
and nothing is fetched. XML has no engine in DuckDB: this is the one format that passes through Python, record by record, as
Arrow batches of bounded size.
"""

import re
from collections.abc import Callable, Iterator, Sequence

import duckdb
import pyarrow as pa
from lxml import etree

from onedata.contracts.model import Feed
from onedata.readers.base import FileProblem, Part, Reading, SourceFile
from onedata.sql import quote_name

BATCH_ROWS = 20_000
_STEP = re.compile(r"(//|/|^)([^/\[]+)(\[[^\]]*\])?")
Getter = Callable[[etree._Element], str | None]


def read_xml(con: duckdb.DuckDBPyConnection, feed: Feed, files: Sequence[SourceFile]) -> Reading:
    """See `Reading`. A file that is not well-formed to its end is a problem, found while the query runs: its sender did not finish it."""
    names = ["_file_number", "_raw", *feed.source_fields]
    schema = pa.schema([pa.field(name, pa.int32() if name == "_file_number" else pa.string()) for name in names])
    reading = Reading()
    fields = ", ".join(quote_name(name) for name in feed.source_fields)
    for file in files:
        con.register(f"xml_{file.number}", pa.RecordBatchReader.from_batches(schema, _batches(feed, [file], schema, reading.problems)))
        query = f"select row_number() over () as _row, _raw, {fields} from xml_{file.number}"
        reading.parts.append(Part(file, query, raw="_raw"))
    return reading


def _records_of(file: SourceFile, tag: str) -> Iterator[etree._Element]:
    """The file's record elements, each freed after use.

    Raises:
        etree.XMLSyntaxError: the file is not well-formed, or declares entities, which no till or partner needs and an attacker does.
    """
    parser = etree.iterparse(
        str(file.path),
        tag=f"{{*}}{tag}",
        resolve_entities=False,
        no_network=True,
        load_dtd=False,
        huge_tree=False,
        remove_comments=True,
        remove_pis=True,
    )
    for number, (_, record) in enumerate(parser):
        if number == 0:
            declared = record.getroottree().docinfo.internalDTD
            if declared is not None and any(True for _ in declared.iterentities()):
                raise etree.XMLSyntaxError("it declares entities of its own, which are never resolved", 0, 0, 0)
        yield record
        record.clear()
        _forget_before(record)


def _forget_before(element: etree._Element) -> None:
    """Free what stands before `element`, so that memory does not grow with the file."""
    parent = element.getparent()
    while parent is not None and element.getprevious() is not None:
        del parent[0]


def _batches(feed: Feed, files: Sequence[SourceFile], schema: pa.Schema, problems: list[FileProblem]) -> Iterator[pa.RecordBatch]:
    """Batches of rows; a file that breaks off is added to `problems`, and what was read of it must not land."""
    rows: list[tuple[int | str | None, ...]] = []
    extract = _extractor(feed)
    for file in files:
        try:
            for record in _records_of(file, feed.location.options["recordTag"]):
                rows += [(file.number, *values) for values in extract(record)]
                if len(rows) >= BATCH_ROWS:
                    yield _batch(rows, schema)
                    rows = []
        except etree.XMLSyntaxError as error:
            problems.append(FileProblem(file, f"the file is not well-formed XML (truncated?): {error}. Ask for it again."))
    yield _batch(rows, schema)


def _batch(rows: Sequence[tuple[int | str | None, ...]], schema: pa.Schema) -> pa.RecordBatch:
    columns = list(zip(*rows, strict=True)) if rows else [()] * len(schema)
    return pa.RecordBatch.from_arrays([pa.array(column, item.type) for column, item in zip(columns, schema, strict=True)], schema=schema)


class _Step:
    """A place in the tree of wanted paths: the value it gives, its attributes, and whether it is the repeated member."""

    __slots__ = ("attributes", "by_tag", "children", "index", "is_member")

    def __init__(self) -> None:
        self.children: dict[str, _Step] = {}
        self.by_tag: dict[object, _Step | None] = {}
        self.attributes: list[tuple[str, int]] = []
        self.index = -1
        self.is_member = False

    def place(self, path: str) -> "_Step":
        """The step at `path`, made where it is missing."""
        step = self
        for name in path.split("/"):
            step = step.children.setdefault(name, _Step())
        return step

    def want(self, path: str, index: int) -> None:
        """Let the text or attribute at `path` be value number `index`."""
        parent, _, last = path.rpartition("/")
        if last.startswith("@"):
            (self.place(parent) if parent else self).attributes.append((last[1:], index))
        else:
            self.place(path).index = index

    def of(self, tag: object) -> "_Step | None":
        """The step of a child with this tag, whatever its namespace; comments have none."""
        if tag not in self.by_tag:
            self.by_tag[tag] = self.children.get(tag.rpartition("}")[2]) if isinstance(tag, str) else None
        return self.by_tag[tag]


def _fill(element: etree._Element, step: _Step, values: list[str | None], members: list[etree._Element]) -> None:
    """One walk over the wanted part of `element`; the first match of a path wins."""
    for name, index in step.attributes:
        if values[index] is None:
            values[index] = element.get(name)
    for child in element:
        below = step.of(child.tag)
        if below is None:
            continue
        if below.is_member:
            members.append(child)
            continue
        if below.index >= 0 and values[below.index] is None:
            values[below.index] = child.text or ""
        if below.children or below.attributes:
            _fill(child, below, values, members)


def _extractor(feed: Feed) -> Callable[[etree._Element], Iterator[tuple[str | None, ...]]]:
    """From one record element to its rows: raw text, then the feed's source fields."""
    prefix, kinds = _records(feed.records) if feed.records else ("", ())
    wanted = _getter(feed.where) if feed.where else None
    outer, inner = _Step(), _Step()
    deep: list[tuple[int, Getter]] = []
    for index, name in enumerate(feed.source_fields):
        if _inside(name, prefix):
            inner.want(name[len(prefix) + 1 :], index)
        elif "//" in name or "." in name.split("/"):
            deep.append((index, _getter(name)))
        else:
            outer.want(name, index)
    if prefix:
        outer.place(prefix).is_member = True
    chosen = _Step()
    for kind in kinds:
        chosen.place(kind)
    size = len(feed.source_fields)

    def extract(record: etree._Element) -> Iterator[tuple[str | None, ...]]:
        if wanted is not None and wanted(record) is None:
            return
        shared: list[str | None] = [None] * size
        members: list[etree._Element] = []
        _fill(record, outer, shared, members)
        for index, getter in deep:
            shared[index] = getter(record)
        for member in members if prefix else [record]:
            if kinds and not any(chosen.of(child.tag) for child in member):
                continue
            values = list(shared)
            if prefix:
                _fill(member, inner, values, [])
            yield (etree.tostring(member, encoding="unicode", with_tail=False), *values)

    return extract


def _inside(name: str, prefix: str) -> bool:
    return bool(prefix) and name.startswith(prefix + "/")


def _records(records: str) -> tuple[str, tuple[str, ...]]:
    """`a/b[X|Y]` as the path a/b and the children X, Y of which a member must have one."""
    match = re.fullmatch(r"([^\[]+)(?:\[([^\]]+)\])?", records)
    assert match is not None
    return match[1], tuple(match[2].split("|")) if match[2] else ()


def _xpath(path: str) -> str:
    """A contract's path as XPath on local names."""
    steps = []
    for separator, name, _ in _STEP.findall(path):
        slash = "//" if separator == "//" else "/"
        steps.append(f"{slash}{name}" if name.startswith("@") or name in (".", "..") else f"{slash}*[local-name()='{name}']")
    return "." + "".join(steps)


def _getter(path: str) -> Getter:
    """The text of the first match; an empty element is present but has no text.

    Plain steps and one `//` are looked up by name in lxml's own tree walk, several times faster than XPath on local names.
    """
    if "@" in path or "." in path.split("/") or path.count("//") > 1:
        return _xpath_getter(path)
    before, _, after = path.partition("//")
    lead, tail = _named(before), _named(after)
    first, _, rest = tail.partition("/")

    def get(element: etree._Element) -> str | None:
        bases = element.iterfind(lead) if lead else iter([element])
        if first:
            starts = (start for base in bases for start in base.iter(first) if start is not base)
            bases = (found for start in starts if (found := start.find(rest) if rest else start) is not None)
        match = next(bases, None)
        return None if match is None else match.text or ""

    return get


def _named(path: str) -> str:
    """A path of names for lxml, whatever their namespace."""
    return "/".join(f"{{*}}{name}" for name in path.split("/") if name)


def _xpath_getter(path: str) -> Getter:
    compiled = etree.XPath(_xpath(path), smart_strings=False)

    def get(element: etree._Element) -> str | None:
        found = compiled(element)
        if not found:
            return None
        return found[0] if isinstance(found[0], str) else (found[0].text or "")

    return get
