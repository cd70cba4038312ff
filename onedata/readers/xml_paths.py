"""A contract's XML paths as XPath, and all paths of a feed as one XSLT stylesheet that extracts the rows of many
records at once.

Steps are local names in any namespace. The stylesheet exists twice: for documents whose elements the stream has put
into one namespace (`ANY_NAMESPACE`), and for all others, which takes twice the time.
"""

import re
from collections.abc import Iterator, Sequence
from typing import Literal
from xml.sax.saxutils import quoteattr

from lxml import etree

from onedata.contracts.model import ContractError, Feed

ANY_NAMESPACE = "urn:onedata:any-namespace"
FIELD_END, PRESENT = "\x1f", "\x1d"
FLOOD = "flood"
MAX_ROWS_BYTES = 64 << 20
Names = Literal["one namespace", "any namespace"]

_XSLT = 'version="1.0" xmlns:xsl="http://www.w3.org/1999/XSL/Transform"'
_NAME = r"[^\W\d][\w.-]*+"
_BRACKETS = r"\[([^\[\]]+)\]"
_STEP = re.compile(rf"(?P<slash>^//|^|//|/)(?P<name>@?{_NAME}(?!\()|\.(?=/|$)|name\(\)$)(?P<filters>(?:\[[^\[\]]+\])*)")
_INSIDE = rf"(?:{_NAME}/)*@?{_NAME}"
_EQUALS = re.compile(rf"(?P<name>{_INSIDE})=(?P<value>[^']*|[^\"]*)")
_FILTER = re.compile(rf"{_EQUALS.pattern}|{_INSIDE}(\|{_INSIDE})*")
_BOOLEANS = {"true": ("true", "1"), "false": ("false", "0")}
"""How XML writes the two values of xs:boolean: a filter that names one of them finds both ways."""
_SUM = re.compile(r"sum\((?P<path>.+)\)")
# XML text cannot contain the characters that end a field and mark a present one, so the stylesheet is written with
# these legal characters, which are replaced once it is compiled.
_WRITTEN = {FIELD_END: "\ue000", PRESENT: "\ue001"}
_TURN = f"""<xsl:stylesheet {_XSLT} xmlns:str="http://exslt.org/strings">
<xsl:template match="@*|node()"><xsl:copy><xsl:apply-templates select="@*|node()"/></xsl:copy></xsl:template>
<xsl:template match="text()"><xsl:value-of
    select="translate(., '{"".join(_WRITTEN.values())}', str:decode-uri('%1F%1D'))"/></xsl:template>
</xsl:stylesheet>"""


def record_tags(feed: Feed) -> tuple[str, ...]:
    """The local names of the record elements: `recordTag`, several separated by `|`.

    Raises:
        ContractError: it has another form.
    """
    tag = feed.location.options["recordTag"]
    if not re.fullmatch(rf"{_NAME}(\|{_NAME})*", tag):
        raise ContractError(
            f"{feed.contract.name}: recordTag {tag!r} is not understood. Write the local name of the records without a "
            "prefix; several as A|B."
        )
    return tuple(tag.split("|"))


def columns(feed: Feed, added: Sequence[str] = ()) -> tuple[str, ...]:
    """The feed's source fields, and the `added` ones that its contract does not know, in the order of the stylesheet's
    output: first the record's own, then the exploded member's."""
    return (*_outer(feed, added), *_inner(feed, added))


def stylesheet(feed: Feed, names: Names, added: Sequence[str] = ()) -> etree.XSLT:
    """A stylesheet from a document with records anywhere below its root to the text of all their rows; a record within
    a record is part of the outer one.

    Each value of a row, in the order of `columns`, is PRESENT and its text if the path exists, else nothing; then
    FIELD_END. Neither character can be part of a value: XML forbids them. The text of an element is all the text in it.

    Raises:
        ContractError: a path is invalid.
    """
    records = "|".join(_test(tag, names) for tag in record_tags(feed))
    where = quoteattr(xpath(feed, feed.where, names) if feed.where else "true()")
    own = "".join(_field(feed, path, names) for path in _outer(feed, added))
    if feed.records:
        skipped = len(member_path(feed)) + 1
        inside = "".join(_field(feed, path[skipped:], names) for path in _inner(feed, added))
        # A record's own values are repeated in each of its rows: a small file must not expand without limit.
        body = (
            f'<xsl:variable name="members" select={quoteattr(members_xpath(feed, names))}/><xsl:variable '
            f'name="own">{own}</xsl:variable>'
            f'<xsl:if test="string-length($own) * count($members) &gt; {MAX_ROWS_BYTES}"><xsl:message '
            f'terminate="yes">{FLOOD}</xsl:message></xsl:if>'
            f'<xsl:for-each select="$members"><xsl:value-of select="$own"/>{inside}</xsl:for-each>'
        )
    else:
        body = own
    written = etree.fromstring(
        f'<xsl:stylesheet {_XSLT} xmlns:any="{ANY_NAMESPACE}"><xsl:output method="text" encoding="UTF-8"/>'
        '<xsl:template match="/"><xsl:apply-templates select="*/*"/></xsl:template><xsl:template '
        'match="*"><xsl:apply-templates select="*"/></xsl:template>'
        f'<xsl:template match="{records}" priority="1"><xsl:if '
        f"test={where}>{body}</xsl:if></xsl:template></xsl:stylesheet>"
    )
    return etree.XSLT(etree.XSLT(etree.fromstring(_TURN))(written))


def members_xpath(feed: Feed, names: Names) -> str:
    """XPath from a record to the members that become rows.

    Raises:
        ContractError: `records` is not a path of names.
    """
    assert feed.records is not None
    if re.search(r"//|@|\(", re.sub(r"\[[^\]]*\]", "", feed.records)):
        raise _not_understood(feed, feed.records)
    return xpath(feed, feed.records, names)


def xpath(feed: Feed, path: str, names: Names) -> str:
    """A contract's path as XPath from its record or member; of `a/name()`, the element it refers to.

    Raises:
        ContractError: the path is invalid.
    """
    steps = []
    for slash, name, conditions in _steps(feed, path):
        if name == "name()":
            continue
        if name.startswith("@"):
            step = f"descendant-or-self::*/{name}" if slash == "//" else name
        else:
            step = f"descendant::{_test(name, names)}" if slash == "//" else _test(name, names)
        steps.append(step + "".join(_filter(condition, names) for condition in conditions))
    return "/".join(steps) or "."


def read_by(path: str) -> str:
    """The path that a field's path adds up, or the field's path itself."""
    total = _SUM.fullmatch(path)
    return total["path"] if total else path


def _steps(feed: Feed, path: str) -> Iterator[tuple[str, str, list[str]]]:
    """Slash, name and filters of each step."""
    at = 0
    while at < len(path):
        match = _STEP.match(path, at)
        if match is None:
            raise _not_understood(feed, path)
        slash, name, at = match["slash"], match["name"], match.end()
        conditions = re.findall(_BRACKETS, match["filters"])
        plain = not name.startswith("@") and name not in (".", "name()")
        if not plain and (
            conditions or (name.startswith("@") and at < len(path)) or (slash == "//" and not name.startswith("@"))
        ):
            raise _not_understood(feed, path)
        if not all(_FILTER.fullmatch(condition) for condition in conditions):
            raise _not_understood(feed, path)
        yield slash, name, conditions


def _not_understood(feed: Feed, path: str) -> ContractError:
    return ContractError(
        f"{feed.contract.name}: {feed.name}: the XML path {path!r} is not understood. Write local names without a "
        "prefix, parted by / or // (any depth), each with filters: [A|B] has such a child, [@a=value] or [A/B=value] "
        "is equal; at the end @attribute, . or name(); sum(path) adds every match up. `records` takes neither // nor @."
    )


def _filter(condition: str, names: Names) -> str:
    equals = _EQUALS.fullmatch(condition)
    if equals is None:
        paths, compared = condition.split("|"), [""]
    else:
        paths = [equals["name"]]
        compared = [f"={_literal(value)}" for value in _BOOLEANS.get(equals["value"], (equals["value"],))]
    return (
        "["
        + " or ".join(f"{inside}{value}" for path in paths for inside in _inside(path, names) for value in compared)
        + "]"
    )


def _literal(value: str) -> str:
    return f'"{value}"' if "'" in value else f"'{value}'"


def _inside(path: str, names: Names) -> Iterator[str]:
    """The XPath of a filter's path; of an attribute also the one of any namespace."""
    *steps, last = path.split("/")
    around = "".join(f"{_test(step, names)}/" for step in steps)
    yield around + _test(last, names)
    if last.startswith("@"):
        yield f"{around}@*[local-name()='{last[1:]}']"


def _test(name: str, names: Names) -> str:
    if name == "." or name.startswith("@"):
        return name
    return f"any:{name}" if names == "one namespace" else f"*[local-name()='{name}']"


def _field(feed: Feed, path: str, names: Names) -> str:
    """The stylesheet's part for one value: the first match, or the sum of all."""
    if total := _SUM.fullmatch(path):
        # XPath adds doubles: four decimals, as money has, hide that.
        select = quoteattr(f"format-number(sum({xpath(feed, total['path'], names)}), '0.####')")
        return f"{_WRITTEN[PRESENT]}<xsl:value-of select={select}/>{_WRITTEN[FIELD_END]}"
    value = "local-name()" if path.endswith("name()") else "."
    place = quoteattr(f"({xpath(feed, path, names)})[1]")
    return (
        f"<xsl:for-each select={place}>{_WRITTEN[PRESENT]}<xsl:value-of "
        f'select="{value}"/></xsl:for-each>{_WRITTEN[FIELD_END]}'
    )


def member_path(feed: Feed) -> str:
    """`records` without its filters: the prefix of a member's field paths."""
    return re.sub(r"\[[^\]]*\]", "", feed.records or "")


def _inner(feed: Feed, added: Sequence[str]) -> list[str]:
    prefix = member_path(feed)
    return [path for path in (*feed.source_fields, *added) if prefix and path.startswith(f"{prefix}/")]


def _outer(feed: Feed, added: Sequence[str]) -> list[str]:
    inner = set(_inner(feed, added))
    return [path for path in (*feed.source_fields, *added) if path not in inner]
